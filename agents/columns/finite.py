"""Numbers that are not finite: found where they arise, named, and kept out of what is learned from.

One NaN in a batch makes every gradient NaN. Runners and learners leave out what holds one and say so in their
metrics; the algorithm's process counts it, or ends the trial (`on_non_finite`). So a number is reported
wherever it arises: RLlib restarts a remote runner that raises, and forgets why.

T time, B lanes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import tree
from gymnasium.vector import VectorEnv, VectorWrapper
from numpy.typing import NDArray
from torch import Tensor

ON_NON_FINITE = ("stop", "skip")
"""What `on_non_finite` may be."""

NON_FINITE = "non_finite"
"""Metric key: what a runner or learner has left out since its last report, a series of `NonFinite`s."""

LARGEST = float(np.finfo(np.float32).max)
"""Beyond it a number is infinite to a network of single precision."""


class NonFinite(NamedTuple):
    """Something that is not finite.

    Attributes:
        message: What it is, its value, where it was first.
        left_out: How much is left out for it: fragments of a lane, or minibatches.
    """

    message: str
    left_out: int


def shown(what: str, value: float) -> str:
    """Formats `reward: nan`, and notes a number that is too large for single precision."""
    beyond = f", beyond single precision ({LARGEST:.2g})" if np.isfinite(value) else ""
    return f"{what}: {value:g}{beyond}"


def is_finite(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Where numbers are finite in single precision, too; integers are."""
    if array.dtype.kind != "f":
        return np.ones(array.shape, np.bool_)
    finite: NDArray[np.bool_] = np.isfinite(array) if array.itemsize <= 4 else np.abs(array) <= LARGEST
    return finite


def zeroed(array: NDArray[Any]) -> NDArray[Any]:
    """A copy with 0 for what is not finite."""
    return np.where(is_finite(array), array, array.dtype.type(0))


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Returns whether all numbers are finite; judged by the norm, unless it overflows."""
    some = [tensor.detach() for tensor in tensors]
    if bool(torch.isfinite(torch.nn.utils.get_total_norm(some))):
        return True
    return all(bool(torch.isfinite(tensor).all()) for tensor in some)


class _Place(NamedTuple):
    """The step of a fragment at which something is not finite, and what to say of it."""

    step: int
    message: str


class LaneGuard:
    """Looks at what B lanes see and earn, and remembers the first number that is not finite.

    Attributes:
        bad: Lanes in which there was one since the fragment began, or in the observation it began with, (B,).
        step: Env steps of a lane since the fragment began.
    """

    def __init__(self, lanes: int, runner: int | None = None) -> None:
        """Starts with finite lanes.

        Args:
            lanes: B.
            runner: The env runner's number, 0 for the one in the algorithm's process; None: there is none,
                and one fragment from first to last.
        """
        self.bad = np.zeros(lanes, np.bool_)
        self.step = 0
        self._runner = runner
        self._env_steps = 0
        self._seen = np.zeros(lanes, np.bool_)
        self._seen_first: _Place | None = None
        self._first: _Place | None = None
        self._resets = np.zeros(lanes, np.int64)

    def begin(self, env_steps: int) -> None:
        """Begins a fragment.

        Args:
            env_steps: Env steps of all lanes before it.
        """
        self.bad = self._seen.copy()
        self.step, self._env_steps = 0, env_steps
        self._resets[:] = 0
        self._first = self._seen_first and self._seen_first._replace(step=0)

    @property
    def counted(self) -> int:
        """Env steps of all lanes since the fragment began."""
        return self.step * len(self.bad) - int(self._resets.sum())

    def count_step(self, resets: NDArray[np.bool_]) -> None:
        """Counts a step of all lanes but those that only began an episode in it.

        Args:
            resets: Lanes that did, (B,).
        """
        self.step += 1
        self._resets += resets

    def observe(self, observations: Any) -> Any:
        """What lanes see now, a nest of (B, ...) arrays, with 0 for what is not finite."""
        self._seen, self._seen_first = self._look_at(observations, "observation")
        return tree.map_structure(zeroed, observations) if self._seen_first else observations

    def get_state(self) -> dict[str, Any]:
        """What was found in the observations that the next fragment begins with, as plain data."""
        return {"seen": self._seen.copy(), "first": self._seen_first and tuple(self._seen_first)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from `get_state()`."""
        self._seen = state["seen"]
        self._seen_first = state["first"] and _Place(*state["first"])

    def final(self, observations: Any) -> Any:
        """The same of what lanes saw last in their episodes."""
        _, found = self._look_at(observations, "final observation")
        return tree.map_structure(zeroed, observations) if found else observations

    def logits(self, inputs: Tensor) -> Tensor:
        """What describes actions, (B, A), with 0 for what is not finite."""
        self.look({"action logits": inputs.cpu().numpy()[None]}, self.step)
        return torch.where(torch.isfinite(inputs), inputs, torch.zeros_like(inputs))

    def look(self, columns: Mapping[str, NDArray[Any]], first_step: int = 1) -> None:
        """Looks at columns.

        Args:
            columns: Name -> (T, B) or (T, B, ...).
            first_step: The step of their first row.
        """
        for what, column in columns.items():
            finite = is_finite(column)
            if not finite.all():
                self.bad |= ~finite.reshape(*column.shape[:2], -1).all((0, 2))
                t, lane, *inside = np.argwhere(~finite)[0].tolist()
                self._keep(_indexed(what, inside), column[(t, lane, *inside)], first_step + t, lane)

    def finding(self) -> NonFinite | None:
        """What was found since the fragment began."""
        return NonFinite(self._first.message, int(self.bad.sum())) if self._first else None

    def _look_at(self, observations: Any, what: str) -> tuple[NDArray[np.bool_], _Place | None]:
        """Lanes with something that is not finite, (B,), and where it is."""
        bad, found = np.zeros(len(self.bad), np.bool_), None
        for path, leaf in tree.flatten_with_path(observations):
            if leaf.dtype.kind == "f" and not (finite := is_finite(leaf)).all():
                bad |= ~finite.reshape(len(bad), -1).all(1)
                lane, *inside = np.argwhere(~finite)[0].tolist()
                found = self._keep(_indexed(what, [*path, *inside]), leaf[(lane, *inside)], self.step, lane)
        self.bad |= bad
        return bad, found

    def _keep(self, what: str, value: Any, step: int, lane: int) -> _Place:
        """Says where a number is, and remembers it if it is the first."""
        env_step = self._env_steps + step * len(self.bad) - int(self._resets.sum())
        own = step - int(self._resets[lane])
        where = f"step {own}, lane {lane}"
        if self._runner is not None:
            where = f"step {own} of the fragment, lane {lane}, env runner {self._runner}"
        place = _Place(step, f"{shown(what, float(value))} at env step {env_step:,} ({where})")
        if self._first is None or step < self._first.step:
            self._first = place
        return place


def _indexed(what: str, place: Iterable[Any]) -> str:
    """`observation['image'][0, 3]`."""
    place = list(place)
    keys = "".join(f"[{key!r}]" for key in place if isinstance(key, str))
    numbers = ", ".join(str(key) for key in place if not isinstance(key, str))
    return f"{what}{keys}[{numbers}]" if numbers else f"{what}{keys}"


class GuardedVectorEnv(VectorWrapper):
    """What a stock RLlib runner steps: its lanes, with 0 for rewards and observations that are not finite.

    Lanes reset in the step after an episode's end (NEXT_STEP), which RLlib does not count as an env step.

    Attributes:
        guard: What was found.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], runner: int) -> None:
        """Wraps.

        Args:
            env: B lanes.
            runner: The env runner's number.
        """
        super().__init__(env)
        self.guard = LaneGuard(env.num_envs, runner)
        self._ended = np.zeros(env.num_envs, np.bool_)

    def reset(self, **settings: Any) -> Any:
        """See Gymnasium's `VectorEnv`."""
        observations: Any
        observations, infos = super().reset(**settings)
        self._ended[:] = False
        return self.guard.observe(observations), infos

    def step(self, actions: Any) -> Any:
        """See Gymnasium's `VectorEnv`."""
        results: tuple[Any, ...] = super().step(actions)
        observations, rewards, terminateds, truncateds, infos = results
        self.guard.count_step(self._ended)
        self._ended = terminateds | truncateds
        self.guard.look({"reward": rewards[None]}, self.guard.step)
        return self.guard.observe(observations), zeroed(rewards), terminateds, truncateds, infos
