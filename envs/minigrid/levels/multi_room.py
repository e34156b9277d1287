"""MultiRoom: rooms in a row, doors to open between them, a goal in the last one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from typing_extensions import override

from engram.envs.arguments import check_at_least, check_drawn
from engram.envs.forms.parameters import Parametrized
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.cells import EMPTY, SORTED_COLORS, code_of
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import DIRECTIONS, Layout, Sheet
from engram.envs.minigrid.level import GridLevel
from engram.envs.minigrid.single import SingleGrid

MISSION = "traverse the rooms to get to the goal"
SIDE = 25
"""Cells along a side of the grid."""

_LEAST = 4  # cells along a side of a room
_FULL = 80  # rooms times their mean side, beyond which it takes too long to find a place for all of them
_TRIES = 8  # ways out of a room, before the rooms so far are all
_RIGHT, _DOWN, _LEFT, _UP = range(DIRECTIONS)

_GOAL = code_of("goal", "green")


class Room(NamedTuple):
    """A room, its walls included; `door` leads into it."""

    left: int
    top: int
    width: int
    height: int
    door: tuple[int, int]

    def apart_from(self, other: Room) -> bool:
        """Return whether this room lies beside another one, as minigrid tells it."""
        return (
            self.left + self.width < other.left
            or other.left + other.width <= self.left
            or self.top + self.height < other.top
            or other.top + other.height <= self.top
        )


@dataclass(frozen=True)
class MultiRoomLevel(GridLevel):
    """Parameters of MultiRoom, checked, and how its episodes are drawn.

    Args:
        rooms: number of rooms (default 6), at least 1 and at most what finds a place in 25x25 cells, 11 with
            the default `room_size`, 20 with 4: a number, a list to draw from in each episode, or a range
            `{low: 2, high: 6}`, both ends included.
        room_size: cells along a side of the largest room, its walls included (default 10), at least 4.
        max_steps: env steps after which an episode is cut short, at least 1; none (default): 20 for each
            of the most `rooms`.

    Raises:
        ValueError: a value is not legal.
    """

    facts: ClassVar[Mapping[str, Any]] = {"rooms": 0}
    group_by = "rooms"

    rooms: int | Sequence[int] | Mapping[str, int] = 6
    room_size: int = 10
    max_steps: int | None = None

    def __post_init__(self) -> None:
        check_at_least("room_size", self.room_size, _LEAST, f">= {_LEAST} cells", SIDE - 1)
        self.counts  # noqa: B018 (checks)
        super().__post_init__()

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Numbers of rooms to draw from."""
        return check_drawn("rooms", self.rooms, 1, "rooms", 2 * _FULL // (_LEAST + self.room_size))

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return SIDE, SIDE

    @override
    def _draw(self, draws: Draws) -> Layout:
        count = draws.choose(self.counts)
        rooms: list[Room] = []
        while len(rooms) < count:
            door = (draws.below(SIDE - 2), draws.below(SIDE - 2))
            attempt: list[Room] = []
            self._add_rooms(draws, count, attempt, _LEFT, door)
            rooms = max(rooms, attempt, key=len)
        sheet = Sheet(draws, SIDE, SIDE)
        sheet.cells = bytearray([EMPTY]) * SIDE**2
        _paint(sheet, rooms)
        first, last = rooms[0], rooms[-1]
        sheet.place_agent((first.left, first.top), (first.width, first.height))
        sheet.place(_GOAL, (last.left, last.top), (last.width, last.height))
        return sheet.finish(MISSION, self.limit(20 * max(self.counts)), rooms=count)

    def _add_rooms(
        self, draws: Draws, left_over: int, rooms: list[Room], entry: int, door: tuple[int, int]
    ) -> bool:
        """Add a room behind a door, and others behind it; return whether this one could be added.

        Args:
            draws: where numbers come from.
            left_over: rooms to be added in all.
            rooms: those that there are.
            entry: the wall of the new room in which the door is: 0 right, 1 down, 2 left, 3 up.
            door: where the door is, (x, y).
        """
        room = self._behind(draws, entry, door, first=not rooms)
        inside = room.left >= 0 and room.top >= 0
        if not inside or room.left + room.width > SIDE or room.top + room.height >= SIDE:
            return False
        if not all(room.apart_from(other) for other in rooms[:-1]):
            return False
        rooms.append(room)
        for _ in range(_TRIES if left_over > 1 else 0):
            wall = draws.choose([wall for wall in range(DIRECTIONS) if wall != entry])
            beyond = _door_in(draws, room, wall)
            if self._add_rooms(draws, left_over - 1, rooms, (wall + 2) % DIRECTIONS, beyond):
                break
        return True

    def _behind(self, draws: Draws, entry: int, door: tuple[int, int], first: bool) -> Room:
        """Draw the room behind a door; the first room begins at it."""
        width = draws.between(_LEAST, self.room_size + 1)
        height = draws.between(_LEAST, self.room_size + 1)
        x, y = door
        if first:
            return Room(x, y, width, height, door)
        if entry in (_RIGHT, _LEFT):
            left = x if entry == _LEFT else x - width + 1
            return Room(left, draws.between(y - height + 2, y), width, height, door)
        top = y if entry == _UP else y - height + 1
        return Room(draws.between(x - width + 2, x), top, width, height, door)


def _door_in(draws: Draws, room: Room, wall: int) -> tuple[int, int]:
    """Draw where in a wall of a room a door is, (x, y)."""
    if wall in (_RIGHT, _LEFT):
        x = room.left if wall == _LEFT else room.left + room.width - 1
        return x, room.top + draws.between(1, room.height - 1)
    y = room.top if wall == _UP else room.top + room.height - 1
    return room.left + draws.between(1, room.width - 1), y


def _paint(sheet: Sheet, rooms: Sequence[Room]) -> None:
    """Draw walls, and a door into each room but the first, each of another colour than the one before."""
    before = None
    for place, room in enumerate(rooms):
        for y in (room.top, room.top + room.height - 1):
            sheet.put_row(room.left, y, room.width)
        for x in (room.left, room.left + room.width - 1):
            sheet.put_column(x, room.top, room.height)
        if place:
            before = sheet.draws.choose([color for color in SORTED_COLORS if color != before])
            sheet.put(*room.door, code_of("door", before, "closed"))


class BatchedMultiRoom(Parametrized, BatchedGrid[MultiRoomLevel], task=MultiRoomLevel):
    """`MultiRoom` in B lanes; see there for the level."""


class MultiRoom(SingleGrid[BatchedMultiRoom], of=BatchedMultiRoom):
    """Rooms one behind the other, closed doors between them; the goal is in the last.

    Description:
        The rooms, their sizes, doors and colours are drawn anew in each episode. A door opens by "toggle";
        the agent sees no further than the walls of its room. `rooms` is how far the goal is away.

    Reward:
        1 - 0.9 steps / `max_steps` at the goal, else 0.

    End:
        At the goal, a termination; after `max_steps` steps, a truncation. Both can be true.

    Info:
        `success` (bool) and `rooms` (int), those of the episode. Results are split by `rooms`.

    Source:
        MiniGrid 3.2.0, `MiniGrid-MultiRoom-...`: the same draws, frames and rewards under the same seed.
        `N2-S4-v0` is `rooms` 2 and `room_size` 4; `N4-S5-v0` has six rooms, `N4-S5-v1` four; `N6-v0` is the
        default.
    """
