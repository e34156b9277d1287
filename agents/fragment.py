"""Fragment: T steps of B lanes as columns.

T time, B lanes. Columns are NumPy arrays (or nests of them, for dict observations), time first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tree
from numpy.typing import NDArray

Nest = Any
"""An array, or a nest of dicts and tuples of arrays."""

_TIME_MAJOR = ("rewards", "actions", "action_logp", "terminateds", "truncateds", "values", "final_values")


@dataclass(eq=False)
class Fragment:
    """One stretch of experience: T steps of B lanes, cut without regard to episodes.

    RLlib moves it as it is from runner to learner: it answers to the few methods by which RLlib measures
    an episode, and dm_tree sees a leaf.

    Attributes:
        observations: (T + 1, B, ...); row T is the observation behind the last step.
        resets: True where the row is the first of an episode, (T + 1, B).
        actions: (T, B, ...).
        action_logp: Log-probability of the actions under the policy that took them, (T, B).
        rewards: (T, B).
        terminateds: (T, B).
        truncateds: (T, B).
        values: Value of observations 0..T-1 when sampled, (T, B).
        final_values: Value of the final observation where `truncateds`, (T, B).
        last_values: Value of observation T, (B,).
        state_in: State of the core before row 0, name to (B, ...).
        weights_seq_no: Number of the weights that sampled it.
    """

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

    @property
    def length(self) -> int:
        """T, the number of steps of each lane."""
        return len(self.rewards)

    @property
    def lanes(self) -> int:
        """B, the number of lanes."""
        return int(self.rewards.shape[1])

    def env_steps(self) -> int:
        """Number of environment steps, T * B."""
        return self.rewards.size

    agent_steps = env_steps
    __len__ = env_steps

    def map(
        self, time_major: Callable[..., Any], lane_major: Callable[..., Any], *others: Fragment
    ) -> Fragment:
        """A new fragment, each array replaced by a function of it (and of its twins in `others`).

        Args:
            time_major: For arrays with time first, lanes second.
            lane_major: For arrays with lanes first.
            others: Fragments of the same structure.
        """

        def apply(name: str, function: Callable[..., Any]) -> Any:
            columns = [getattr(fragment, name) for fragment in (self, *others)]
            return tree.map_structure(function, *columns)

        return Fragment(
            **{name: apply(name, time_major) for name in ("observations", "resets", *_TIME_MAJOR)},
            **{name: apply(name, lane_major) for name in ("last_values", "state_in")},
            weights_seq_no=min(fragment.weights_seq_no for fragment in (self, *others)),
        )

    def split(self, parts: int) -> list[Fragment]:
        """Equal parts along the lanes; lanes that do not divide are left out of the last ones.

        Raises:
            ValueError: Fewer lanes than parts.
        """
        width = self.lanes // parts
        if width == 0:
            raise ValueError(f"cannot split {self.lanes} lanes among {parts} learners")
        slices = [slice(i * width, (i + 1) * width) for i in range(parts)]
        return [self.map(lambda x, s=s: x[:, s], lambda x, s=s: x[s]) for s in slices]


def concatenate(fragments: Sequence[Fragment]) -> Fragment:
    """Fragments of equal length side by side, lanes added up.

    Raises:
        ValueError: Fragments of different lengths.
    """
    lengths = {fragment.length for fragment in fragments}
    if len(lengths) > 1:
        raise ValueError(f"fragments of different lengths cannot be joined: {sorted(lengths)}")
    first, *rest = fragments
    if not rest:
        return first
    return first.map(lambda *x: np.concatenate(x, axis=1), lambda *x: np.concatenate(x, axis=0), *rest)
