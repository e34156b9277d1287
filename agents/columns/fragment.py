"""Fragment: T steps of B lanes as columns, and what every such set of columns can do.

T time, B lanes. Columns are NumPy arrays (or nests of them, for dict observations), time first.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import tree
from numpy.typing import NDArray
from typing_extensions import override

Nest = Any
"""An array, or a nest of dicts and tuples of arrays."""


def lane_of(nest: Nest, lane: int) -> Nest:
    """Returns one lane of what is told of all: of an array of objects, or of a nest of (B, ...)."""
    return tree.map_structure(lambda leaf: leaf[lane], nest)


def no_lanes() -> NDArray[np.bool_]:
    """The default of `ColumnSet.dropped`."""
    return np.empty(0, np.bool_)


def no_returns() -> NDArray[np.float64]:
    """The default of `Fragment.return_in`."""
    return np.empty(0)


class ColumnSet(ABC):
    """Columns of T steps of B lanes, cut without regard to episodes; a dataclass of arrays.

    RLlib moves it as it is from runner to learner: it answers to the few methods by which RLlib measures
    an episode, and dm_tree sees a leaf.

    Attributes:
        TIME_MAJOR: Fields with time first, lanes second.
        LANE_MAJOR: Fields with lanes first.
        resets: True where the row is the first of an episode, (T, B) or longer.
        dropped: Lanes that nothing is learned from, because something in them was not finite, (B,).
        weights_seq_no: Number of the weights that sampled it.
    """

    TIME_MAJOR: ClassVar[tuple[str, ...]]
    LANE_MAJOR: ClassVar[tuple[str, ...]]
    resets: NDArray[np.bool_]
    dropped: NDArray[np.bool_]
    weights_seq_no: int

    def __post_init__(self) -> None:
        """Drops no lane by default."""
        if not len(self.dropped):
            self.dropped = np.zeros(self.lanes, np.bool_)

    @property
    @abstractmethod
    def length(self) -> int:
        """T, the number of steps of each lane."""

    @property
    def lanes(self) -> int:
        """B, the number of lanes."""
        return int(self.resets.shape[1])

    def env_steps(self) -> int:
        """Number of environment steps, T * B."""
        return self.length * self.lanes

    agent_steps = env_steps
    __len__ = env_steps

    def map(self, time_major: Callable[..., Any], lane_major: Callable[..., Any], *others: Self) -> Self:
        """A new set, each array replaced by a function of it (and of its twins in `others`).

        Args:
            time_major: For arrays with time first, lanes second.
            lane_major: For arrays with lanes first.
            others: Sets of the same structure.
        """

        def apply(name: str, function: Callable[..., Any]) -> Any:
            columns = [getattr(each, name) for each in (self, *others)]
            return tree.map_structure(function, *columns)

        values: dict[str, Any] = {name: apply(name, time_major) for name in self.TIME_MAJOR}
        values |= {name: apply(name, lane_major) for name in self.LANE_MAJOR}
        values["weights_seq_no"] = min(each.weights_seq_no for each in (self, *others))
        return type(self)(**values)

    def split(self, parts: int) -> list[Self]:
        """Equal parts along the lanes; lanes that do not divide are left out of the last ones.

        Raises:
            ValueError: Fewer lanes than parts.
        """
        width = self.lanes // parts
        if width == 0:
            raise ValueError(f"cannot split {self.lanes} lanes among {parts} learners")
        slices = [slice(i * width, (i + 1) * width) for i in range(parts)]
        return [self.map(lambda x, s=s: x[:, s], lambda x, s=s: x[s]) for s in slices]


Columns = TypeVar("Columns", bound=ColumnSet)


def concatenate(sets: Sequence[Columns]) -> Columns:
    """Column sets of equal length side by side, lanes added up.

    Raises:
        ValueError: Sets of different lengths.
    """
    lengths = {each.length for each in sets}
    if len(lengths) > 1:
        raise ValueError(f"fragments of different lengths cannot be joined: {sorted(lengths)}")
    first, *rest = sets
    if not rest:
        return first
    return first.map(lambda *x: np.concatenate(x, axis=1), lambda *x: np.concatenate(x, axis=0), *rest)


@dataclass(eq=False)
class Fragment(ColumnSet):
    """One stretch of experience, for actor-critics.

    Attributes:
        observations: (T + 1, B, ...); row T is the observation behind the last step. Of pictures of S frames
            that share them, the frames: (T + S, B, ...), see `engram.agents.columns.frames`.
        resets: True where the row is the first of an episode, (T + 1, B).
        actions: As the distribution counts them, see `engram.agents.models.actions`, (T, B, ...).
        action_logp: Log-probability of the actions under the policy that took them, (T, B).
        rewards: (T, B).
        terminateds: (T, B).
        truncateds: (T, B).
        values: Value of observations 0..T-1 when sampled, (T, B).
        final_values: Value of the final observation where `truncateds`, (T, B).
        last_values: Value of observation T, (B,).
        state_in: State of the core before row 0, name to (B, ...).
        return_in: Discounted return of each lane's episode before row 0, (B,); where rewards are normalised.
        weights_seq_no: Number of the weights that sampled it.
        dropped: See `ColumnSet`.
    """

    TIME_MAJOR: ClassVar[tuple[str, ...]] = (
        "observations",
        "resets",
        "actions",
        "action_logp",
        "rewards",
        "terminateds",
        "truncateds",
        "values",
        "final_values",
    )
    LANE_MAJOR: ClassVar[tuple[str, ...]] = ("last_values", "state_in", "return_in", "dropped")

    observations: Nest
    resets: NDArray[np.bool_]
    actions: Nest
    action_logp: NDArray[np.float32]
    rewards: NDArray[np.float32]
    terminateds: NDArray[np.bool_]
    truncateds: NDArray[np.bool_]
    values: NDArray[np.float32]
    final_values: NDArray[np.float32]
    last_values: NDArray[np.float32]
    state_in: dict[str, NDArray[np.float32]]
    weights_seq_no: int
    return_in: NDArray[np.float64] = field(default_factory=no_returns)
    dropped: NDArray[np.bool_] = field(default_factory=no_lanes)

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.return_in):
            self.return_in = np.zeros(self.lanes)

    @override
    @property
    def length(self) -> int:
        return len(self.rewards)

    def discounted_returns(self, gamma: float) -> NDArray[np.float64]:
        """The return of each episode so far, (T, B): the reward plus gamma times that of the step before."""
        returns, now = np.empty(self.rewards.shape), self.return_in
        for t, (rewards, resets) in enumerate(zip(self.rewards, self.resets[:-1], strict=True)):
            now = returns[t] = rewards + gamma * np.where(resets, 0.0, now)
        return returns
