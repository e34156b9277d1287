"""A sheet of rooms, side by side, with doors between them and things in them.

Source:
    MiniGrid 3.2.0, `RoomGrid` and BabyAI's `RoomGridLevel`: the same draws in the same order.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from engram.envs.arrays import Bytes
from engram.envs.minigrid.cells import (
    EMPTY,
    SORTED_COLORS,
    THINGS,
    WALL,
    code_of,
    codes_where,
)
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import DrawnAgainError, Sheet
from engram.envs.minigrid.rules import FORWARD_STEPS

_TRIES = 1001  # places, before a level is given up
_DOOR_TRIES = 5001  # doors, likewise
_APART = 2  # steps between the agent and a thing that is placed

LEAST_ROOM, MOST_ROOM = 4, 64
"""Cells along a side of a room, its walls included, where there are several."""

CODE_OF_THING = {(kind, color): code_of(kind, color) for kind in THINGS for color in SORTED_COLORS}
"""Codes of things without contents by kind and colour."""

_PASSED: bytes = (codes_where(("empty", "door")).astype(np.uint8)).tobytes().ljust(256, b"\0")
_COUNTED: bytes = (~codes_where(("empty", "wall")).astype(np.uint8) & 1).tobytes().ljust(256, b"\0")
"""Tables for `bytes.translate`: what does not bar the way to others; what must be reached."""

_BITS = 8  # a cell is a byte of a long number


class RoomSheet(Sheet):
    """Rooms in rows and columns, without doors; the agent stands in the middle one and looks to the right.

    Args:
        draws: where numbers come from.
        size: cells along a side of a room, its walls included.
        room_rows: rows of rooms.
        room_cols: columns of rooms.
    """

    def __init__(self, draws: Draws, size: int, room_rows: int = 1, room_cols: int = 1) -> None:
        self.size, self.room_rows, self.room_cols = size, room_rows, room_cols
        self.span = size - 1
        super().__init__(draws, self.span * room_rows + 1, self.span * room_cols + 1)
        self.cells = bytearray(_roomy(size, room_rows, room_cols))
        across, down = (count // 2 * self.span + size // 2 for count in (room_cols, room_rows))
        self.agent = (across, down)
        self.doors: dict[tuple[int, int, int], bool] = {}
        self._door_places = self._draw_door_places()

    def _draw_door_places(self) -> dict[tuple[int, int, int], tuple[int, int]]:
        """Draw where doors may be: in each wall between two rooms, one cell."""
        between, span, places = self.draws.between, self.span, {}
        for j in range(self.room_rows):
            for i in range(self.room_cols):
                left, top = i * span, j * span
                if i < self.room_cols - 1:
                    place = (left + span, between(top + 1, top + span))
                    places[i, j, 0] = places[i + 1, j, 2] = place
                if j < self.room_rows - 1:
                    place = (between(left + 1, left + span), top + span)
                    places[i, j, 1] = places[i, j + 1, 3] = place
        return places

    def add(self, i: int, j: int, kind: str | None = None, color: str | None = None) -> tuple[str, str]:
        """Put a thing into room (i, j), of a drawn kind and colour where none is given; return both."""
        kind = kind or self.draws.choose(THINGS)
        color = color or self.draws.choose(SORTED_COLORS)
        top = (i * self.span, j * self.span)
        self.place(CODE_OF_THING[kind, color], top, (self.size, self.size), _APART, _TRIES)
        return kind, color

    def add_distractors(
        self,
        count: int,
        taken: Sequence[tuple[str, str]] | None = None,
        kinds: Sequence[str] = THINGS,
        colors: Sequence[str] = SORTED_COLORS,
    ) -> list[tuple[str, str]]:
        """Put things into rooms drawn at random; return kind and colour of each.

        Args:
            count: how many.
            taken: the things beside which they are to be of their own, each another one; without it,
                they may be alike.
            kinds: the kinds to draw from, in the order of `THINGS`.
            colors: the colours to draw from, in alphabetical order.
        """
        draws, added = self.draws, list[tuple[str, str]]()
        while len(added) < count:
            color = draws.choose(colors)
            thing = (draws.choose(kinds), color)
            if taken is not None and (thing in taken or thing in added):
                continue
            self.add(draws.below(self.room_cols), draws.below(self.room_rows), *thing)
            added.append(thing)
        return added

    def enter(self, i: int | None = None, j: int | None = None) -> None:
        """Put the agent into room (i, j), drawn where none is given, not right before a thing."""
        i = self.draws.below(self.room_cols) if i is None else i
        j = self.draws.below(self.room_rows) if j is None else j
        while True:
            self.place_agent((i * self.span, j * self.span), (self.size, self.size), _TRIES)
            ahead = FORWARD_STEPS[self.direction]
            if self.get(self.agent[0] + ahead[0], self.agent[1] + ahead[1]) in (EMPTY, WALL):
                return

    def add_door(self, i: int, j: int, wall: int, color: str, locked: bool = False) -> None:
        """Put a closed door into a wall of room (i, j): 0 right, 1 down, 2 left, 3 up."""
        self.put(*self._door_places[i, j, wall], code_of("door", color, "locked" if locked else "closed"))
        beyond = self._beyond(i, j, wall)
        self.doors[i, j, wall] = self.doors[*beyond, (wall + 2) % 4] = locked

    def connect(self) -> None:
        """Add doors until every room can be reached."""
        start = (self.agent[0] // self.span, self.agent[1] // self.span)
        draws = self.draws
        for _ in range(_DOOR_TRIES):
            if len(self._reached(start)) == self.room_rows * self.room_cols:
                return
            i, j, wall = draws.below(self.room_cols), draws.below(self.room_rows), draws.below(4)
            if (i, j, wall) in self._door_places and (i, j, wall) not in self.doors:
                self.add_door(i, j, wall, draws.choose(SORTED_COLORS))
        raise DrawnAgainError

    def _reached(self, start: tuple[int, int]) -> set[tuple[int, int]]:
        """Return the rooms that can be reached through doors."""
        reached, stack = {start}, [start]
        while stack:
            room = stack.pop()
            for wall in range(4):
                beyond = self._beyond(*room, wall)
                if (*room, wall) in self.doors and beyond not in reached:
                    reached.add(beyond)
                    stack.append(beyond)
        return reached

    @staticmethod
    def _beyond(i: int, j: int, wall: int) -> tuple[int, int]:
        """Return the room on the other side of a wall."""
        across, down = FORWARD_STEPS[wall]
        return i + across, j + down

    def check_reachable(self) -> None:
        """Refuse a level in which something cannot be reached without moving another thing.

        All cells are spread at once, each a byte of one long number.

        Raises:
            DrawnAgainError: there is such a thing.
        """
        passed = int.from_bytes(self.cells.translate(_PASSED), "little")
        counted = int.from_bytes(self.cells.translate(_COUNTED), "little")
        reached, down = 1 << _BITS * (self.agent[1] * self.cols + self.agent[0]), _BITS * self.cols
        while True:
            way = reached & passed
            spread = reached | way << _BITS | way >> _BITS | way << down | way >> down
            if spread == reached:
                break
            reached = spread
        if counted & ~reached:
            raise DrawnAgainError


def cells_along(size: int, rooms: int) -> int:
    """Return the cells along a row of rooms, which share their walls."""
    return (size - 1) * rooms + 1


@functools.lru_cache(maxsize=256)
def _roomy(size: int, room_rows: int, room_cols: int) -> bytes:
    """Return a grid of empty rooms."""
    rows, cols = cells_along(size, room_rows), cells_along(size, room_cols)
    grid: Bytes = np.full((rows, cols), EMPTY, np.uint8)
    grid[:: size - 1], grid[:, :: size - 1] = WALL, WALL
    return grid.tobytes()
