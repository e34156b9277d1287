"""Grid levels one at a time: one lane of the batched form."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, TypeVar

from engram.envs.forms.batched_env import BatchedEnv
from engram.envs.forms.single_lane import SingleLane
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.rules import ACTIONS

GridLaneT = TypeVar("GridLaneT", bound=BatchedGrid[Any])

_SEEN_AND_DONE = """
Observation:
    A dict: `direction`, `Discrete(4)`: 0 right, 1 down, 2 left, 3 up; `image`, uint8 (7, 7, 3): kind, colour
    and state of the cells before the agent, which is at [3, 6] and looks towards y = 0, as minigrid shows
    them; `mission`, its words as numbers of the vocabulary of all missions, int64 (13,), 0 behind the end.

Action:
    `Discrete(7)`: 0 left, 1 right, 2 forward, 3 pickup, 4 drop, 5 toggle (opens doors and boxes), 6 done.
"""
_OPTIONS = """
Reset options:
    `layout`: how the episode begins, an `engram.envs.minigrid.layout.Layout`, for all lanes or one per lane.
"""


class SingleGrid(SingleLane[GridLaneT]):
    """One lane of a grid level; the same seed gives the same play as lane 0 of the batched form.

    What all levels have in common is put into the docstring of each.
    """

    best_return: ClassVar[str] = "below 1: 1 - 0.9 steps / `max_steps`"

    def __init_subclass__(cls, of: type[BatchedEnv] | None = None, **keywords: Any) -> None:
        page = inspect.cleandoc(cls.__doc__ or "")
        page = page.replace("\nReward:\n", f"{_SEEN_AND_DONE}\nReward:\n", 1)
        cls.__doc__ = page.replace("\nSource:\n", f"{_OPTIONS}\nSource:\n", 1)
        super().__init_subclass__(of=of, **keywords)

    def get_action_meanings(self) -> list[str]:
        """Return what the actions are called, in order, as Atari's environments do."""
        return list(ACTIONS)

    @property
    def level(self) -> Any:
        """The level's parameters."""
        return self._lane.level

    @property
    def memory_delay(self) -> int | None:
        """Env steps from cue to choice; None where nothing is to be remembered."""
        return self._lane.memory_delay
