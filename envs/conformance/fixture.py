"""What checks run on: fresh environments, random actions, and rollouts of what was returned.

B lanes.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate

from engram.envs.arrays import Flags
from engram.envs.conformance.compare import BrokenPromiseError, first_difference

AnyVectorEnv = VectorEnv[Any, Any, Any]
Make = Callable[[int], AnyVectorEnv]
LaneActions = list[Any]
"""One action of the single space per lane."""

FINAL_KEYS = ("final_obs", "_final_obs", "final_info", "_final_info")
EPISODES = 2
"""Ends of episodes per lane that a rollout ought to hold."""

UNSEEDED = 3
"""Plays without a seed that show whether anything is random."""


class Frame(NamedTuple):
    """What one call returned; a reset returns no rewards and no ends."""

    where: str
    observations: Any
    infos: Any
    rewards: Any = None
    terminated: Any = None
    truncated: Any = None

    @property
    def is_step(self) -> bool:
        """Whether the call was a step."""
        return self.terminated is not None

    @property
    def ended(self) -> Flags:
        """Lanes whose episode ended in this step, (B,)."""
        flags: Flags = self.terminated | self.truncated
        return flags

    def returned(self) -> dict[str, Any]:
        """Return all that the call returned, by name."""
        fields = self._asdict()
        return {name: fields[name] for name in fields if name != "where" and fields[name] is not None}


Rollout = list[Frame]


class Fixture:
    """An environment under test, with the seed and the number of lanes and steps to test it with.

    Args:
        make: makes a fresh environment with the given number of lanes.
        lanes: number of lanes (B).
        seed: of resets and of actions.
        max_steps: most steps of a rollout.
        make_rendering: makes one in a render mode; None where that is not known.
    """

    def __init__(
        self,
        make: Make,
        lanes: int,
        seed: int,
        max_steps: int,
        make_rendering: Callable[[str, int], AnyVectorEnv] | None = None,
    ) -> None:
        self.make, self.lanes, self.seed, self.max_steps = make, lanes, seed, max_steps
        self.make_rendering = make_rendering
        with self.opened() as env:
            self.mode = env.metadata.get("autoreset_mode")
            self.single_observation_space: Space[Any] = env.single_observation_space
            self.single_action_space: Space[Any] = env.single_action_space
            self.observation_space: Space[Any] = env.observation_space
            self.metadata = dict(env.metadata)

    def with_lanes(self, lanes: int) -> Fixture:
        """Return the same test with another number of lanes."""
        return Fixture(self.make, lanes, self.seed, self.max_steps)

    def opened(self) -> contextlib.AbstractContextManager[AnyVectorEnv]:
        """Open a fresh environment, to be closed in any case."""
        return closing(self.make(self.lanes))

    def draw_actions(self, salt: int = 0) -> Iterator[LaneActions]:
        """Yield random actions without end, the same for the same salt."""
        spaces = [copy.deepcopy(self.single_action_space) for _ in range(self.lanes)]
        for lane, space in enumerate(spaces):
            space.seed(self.seed + salt * self.lanes + lane)
        while True:
            yield [space.sample() for space in spaces]

    def join(self, actions: LaneActions) -> Any:
        """Join one action per lane to a batch."""
        space = self.single_action_space
        return concatenate(space, actions, create_empty_array(space, n=self.lanes))

    @cached_property
    def rollout(self) -> Rollout:
        """The rollout all others are compared with, until each lane has ended `EPISODES` times."""
        frames, ends = [], np.zeros(self.lanes, np.int64)
        actions = itertools.islice(self.draw_actions(), self.max_steps)
        wanted = itertools.takewhile(lambda _: (ends < EPISODES).any(), actions)
        with self.opened() as env:
            for frame in self.frames(env, self.seed, map(self.join, wanted)):
                frames.append(copy.deepcopy(frame))
                if frame.is_step:
                    ends += frame.ended
        return frames

    @cached_property
    def actions(self) -> list[LaneActions]:
        """The actions of `rollout`."""
        return list(itertools.islice(self.draw_actions(), sum(frame.is_step for frame in self.rollout)))

    @cached_property
    def is_random(self) -> bool:
        """Whether anything random was seen: plays without a seed that differ from the one with a seed."""
        with self.opened() as env:
            return any(
                self.difference_of_rollouts(self.rollout, self.play(env, None)) for _ in range(UNSEEDED)
            )

    def play(
        self, env: AnyVectorEnv, seed: int | None, actions: Iterable[LaneActions] | None = None
    ) -> Rollout:
        """Reset with a seed, or without one, and play; without actions, those of `rollout`."""
        batches = map(self.join, self.actions if actions is None else actions)
        return [copy.deepcopy(frame) for frame in self.frames(env, seed, batches)]

    def play_on(self, env: AnyVectorEnv, actions: Iterable[LaneActions]) -> Rollout:
        """Play without a reset."""
        return [copy.deepcopy(frame) for frame in self.steps_of(env, map(self.join, actions))]

    def frames(self, env: AnyVectorEnv, seed: int | None, batches: Iterable[Any]) -> Iterator[Frame]:
        """Reset and play batches of actions, giving back the very objects that are returned."""
        yield Frame("reset", *_unpack(env.reset(seed=seed), 2, "reset"))
        yield from self.steps_of(env, batches)

    def steps_of(self, env: AnyVectorEnv, batches: Iterable[Any]) -> Iterator[Frame]:
        """The same without the reset; where autoreset is disabled, lanes that ended are reset."""
        for step, batch in enumerate(batches, 1):
            where = f"step {step}"
            observations, rewards, terminated, truncated, infos = _unpack(env.step(batch), 5, where)
            for name, flags in (("terminations", terminated), ("truncations", truncated)):
                self._expect_flags(flags, f"{where}: {name}")
            frame = Frame(where, observations, infos, rewards, terminated, truncated)
            ended = frame.ended
            yield frame
            if self.mode is AutoresetMode.DISABLED and ended.any():
                where = f"masked reset after step {step}"
                yield Frame(where, *_unpack(env.reset(options={"reset_mask": ended}), 2, where))

    def split(self, observations: Any) -> list[Any]:
        """Split observations by lane."""
        return list(iterate(self.observation_space, observations))

    def _expect_flags(self, flags: Any, what: str) -> None:
        expected = f"bool ({self.lanes},)"
        if form_of(flags) != expected:
            raise BrokenPromiseError(f"{what}: expected an array {expected}, got {form_of(flags)}")

    def difference(self, expected: Frame, got: Frame) -> str | None:
        """Say where and how two frames differ; None if they do not."""
        for name, values in expected.returned().items():
            others = got.returned().get(name)
            if name == "observations":
                values, others = self.split(values), self.split(others)
            found = first_difference(values, others)
            if found:
                lane, rest = found.place[:1], "".join(f"[{number}]" for number in found.place[1:])
                place = ", ".join([expected.where, *(f"lane {number}" for number in lane)])
                return f"{place}: {name}{found.path}{rest}: {found.text}"
        return None

    def difference_of_rollouts(self, expected: Rollout, got: Rollout) -> str | None:
        """Say where and how two rollouts first differ; None if they do not."""
        for pair in zip(expected, got, strict=False):
            found = self.difference(*pair)
            if found:
                return found
        if len(expected) != len(got):
            return f"expected {len(expected)} resets and steps, got {len(got)}"
        return None


@contextlib.contextmanager
def closing(env: AnyVectorEnv) -> Iterator[AnyVectorEnv]:
    """Close an environment in the end; what closing itself does wrong is for the check of closing."""
    try:
        yield env
    finally:
        with contextlib.suppress(Exception):
            env.close()


def lane_info(infos: Mapping[str, Any], lane: int) -> dict[str, Any]:
    """Return the infos of one lane without final ones, read as Gymnasium's `DictInfoToList` does."""
    told: dict[str, Any] = {}
    for key, values in infos.items():
        masked = infos.get(f"_{key}")
        if key in FINAL_KEYS or is_mask(key, infos) or (masked is not None and not masked[lane]):
            continue
        told[key] = lane_info(values, lane) if isinstance(values, Mapping) else values[lane]
    return told


def form_of(value: Any) -> str:
    """Return dtype and shape of an array, the type of anything else."""
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def is_mask(key: str, infos: Mapping[str, Any]) -> bool:
    """Return whether an entry is the mask of another entry."""
    return key.startswith("_") and key[1:] in infos


def _unpack(returned: Any, count: int, where: str) -> tuple[Any, ...]:
    if isinstance(returned, tuple) and len(returned) == count:
        return returned
    form = f"{len(returned)} values" if isinstance(returned, tuple) else type(returned).__name__
    raise BrokenPromiseError(f"{where}: expected a tuple of {count} values, got {form}")


Check = Callable[[Fixture], str]
"""Returns what was seen, or raises `BrokenPromiseError`."""
