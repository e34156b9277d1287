"""Base of all levels: their parameters, and how their episodes are drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from engram.envs.arguments import MOST_STEPS, check_at_least, shown
from engram.envs.arrays import Ints
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import DrawnAgainError, Layout
from engram.envs.minigrid.objectives import Objective, ReachGoal

MOST_CELLS = 255
"""Cells along a side of a grid."""


class GridLevel(ABC):
    """The parameters of one level, checked, and how its episodes are drawn.

    Attributes:
        facts: what infos tell of an episode beside `success`, by name, with a value of each one's type.
        through_walls: whether the agent sees through walls.
        max_steps: env steps after which an episode is cut short; none: as many as the level usually has.
    """

    facts: ClassVar[Mapping[str, Any]] = {}
    through_walls: ClassVar[bool] = False
    max_steps: int | None

    def __post_init__(self) -> None:
        if self.max_steps is not None:
            check_at_least("max_steps", self.max_steps, 1, ">= 1 env steps, or none", MOST_STEPS)

    def limit(self, usual: int) -> int:
        """Return the time limit of an episode: `max_steps`, or the usual one where that is None."""
        return usual if self.max_steps is None else int(self.max_steps)

    def draw(self, draws: Draws) -> Layout:
        """Draw an episode, again and again until it is a legal one."""
        while True:
            try:
                return self._draw(draws)
            except DrawnAgainError:
                continue

    @abstractmethod
    def _draw(self, draws: Draws) -> Layout:
        """Draw an episode.

        Raises:
            DrawnAgainError: it is to be drawn again.
        """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Height and width of the grid, (R, C)."""

    @property
    def group_by(self) -> str | None:
        """The info key by which results are split, if any."""
        return None

    @property
    def objective(self) -> type[Objective]:
        """What ends an episode beside time: a goal to reach, in most."""
        return ReachGoal

    @property
    def memory_delay(self) -> int | None:
        """Env steps from the last sight of a cue to the first action that needs it; None without a cue.

        Where an episode's delay is drawn, the longest; each episode's own is `delay` in its info.
        """
        return None

    @property
    def actions(self) -> Ints | None:
        """Table of what each action does instead of its own, if any does, (7,)."""
        return None


class SquareLevel(GridLevel):
    """A level of as many rows as columns.

    Attributes:
        size: cells along a side of the grid.
    """

    size: int

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.size, self.size


def check_share(name: str, value: Any) -> float:
    """Return `value` if it is a share, 0 to 1.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        number = isinstance(value, int | float) and value == value
        near = f"; nearest: {min(max(value, 0), 1)}" if number else ""
        raise ValueError(f"{name}: {shown(value)} is no share; legal: 0 to 1{near}")
    return float(value)
