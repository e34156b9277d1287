"""Base of levels of nine rooms with doors between them, in which a thing is to be picked up."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from engram.envs.arguments import check_at_least
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.level import GridLevel
from engram.envs.minigrid.objectives import Objective, PickUp
from engram.envs.minigrid.rooms import LEAST_ROOM, MOST_ROOM, RoomSheet, cells_along

SIDE = 3
"""Rooms along a side."""

ROOMS = SIDE**2


@dataclass(frozen=True)
class NineRoomsLevel(GridLevel):
    """Parameters of nine rooms, checked; see its levels.

    Attributes:
        size: cells along a side of a room, its walls included.
    """

    size: int
    max_steps: int | None = None

    @override
    def __post_init__(self) -> None:
        check_at_least("size", self.size, LEAST_ROOM, f">= {LEAST_ROOM} cells", MOST_ROOM)
        super().__post_init__()

    @property
    @override
    def shape(self) -> tuple[int, int]:
        side = cells_along(self.size, SIDE)
        return side, side

    @property
    @override
    def objective(self) -> type[Objective]:
        return PickUp

    def _rooms(self, draws: Draws) -> RoomSheet:
        """Return the rooms, without doors and things."""
        return RoomSheet(draws, self.size, SIDE, SIDE)
