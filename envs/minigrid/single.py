"""Grid levels one at a time: one lane of the batched form."""

from __future__ import annotations

from typing import Any, TypeVar

from engram.envs.forms.single_lane import SingleLane
from engram.envs.minigrid.batched import BatchedGrid

GridLaneT = TypeVar("GridLaneT", bound=BatchedGrid[Any])


class SingleGrid(SingleLane[GridLaneT]):
    """One lane of a grid level; the same seed gives the same play as lane 0 of the batched form."""

    best_return = "below 1: 1 - 0.9 steps / `max_steps`"

    @property
    def level(self) -> Any:
        """The level's parameters."""
        return self._lane.level

    @property
    def memory_delay(self) -> int | None:
        """Env steps from cue to choice; None where nothing is to be remembered."""
        return self._lane.memory_delay
