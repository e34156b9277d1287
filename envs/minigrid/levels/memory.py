"""Memory: a cue in a room, a hallway, and two things to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from engram.envs.arguments import check_drawn, check_flag, check_known
from engram.envs.arrays import Ints
from engram.envs.forms.parameters import Parametrized
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.cells import EMPTY, WALL, code_of
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import DIRECTIONS, Layout, Sheet
from engram.envs.minigrid.level import MOST_CELLS, GridLevel, check_share
from engram.envs.minigrid.objectives import GoToMatch, Objective
from engram.envs.minigrid.rules import ACTIONS, PICKUP, TOGGLE
from engram.envs.minigrid.single import SingleGrid
from engram.envs.minigrid.view import REACH

STARTS = ("any", "cue", "mixed")
FACING = ("away", "any")
MISSION = "go to the matching object at the end of the hallway"

_THINGS = (code_of("key", "green"), code_of("ball", "green"))
_LEAST = 7  # cells of the smallest grid
_SHORTEST = 4  # cells of the shortest hallway, the room before it included
_BEYOND = 2  # cells from the end of the hallway to the last column


@dataclass(frozen=True)
class MemoryLevel(GridLevel):
    """Parameters of Memory, checked, and how its episodes are drawn.

    Args:
        size: cells along a side of the grid (default 13), an odd number, at least 7: a number, a list to draw
            from in each episode, or a range `{low: 7, high: 13}`, both ends included, of which the even ones
            are left out. With 7 and 9 the cue can be seen from where the choice is made, and no memory is
            needed; from 11 on it is.
        random_length: whether the length of the hallway is drawn (default false).
        start: where the agent begins: "any" (default): anywhere in the hallway or the room, as in minigrid,
            see `facing`; "cue": beside the cue, which it sees; "mixed": either.
        cue_share: share of episodes that begin beside the cue, 0 to 1 (default 0.5); with "mixed" only.
        facing: where the agent looks that does not begin beside the cue: "away" (default): away from it, as
            in minigrid; "any": in a drawn direction, so that some episodes see the cue without turning round.
        max_steps: env steps after which an episode is cut short, at least 1; none (default): 5 `size`^2.

    Raises:
        ValueError: a value is not legal.
    """

    facts: ClassVar[Mapping[str, Any]] = {"size": 0, "start": "any", "delay": 0}
    group_by = "size"

    size: int | Sequence[int] | Mapping[str, int] = 13
    random_length: bool = False
    start: str = "any"
    cue_share: float = 0.5
    facing: str = "away"
    max_steps: int | None = None

    def __post_init__(self) -> None:
        self.sizes  # noqa: B018 (checks)
        check_flag("random_length", self.random_length)
        check_known("start", self.start, STARTS)
        check_share("cue_share", self.cue_share)
        check_known("facing", self.facing, FACING)
        self._check_effect("cue_share", "mixed")
        self._check_effect("facing", "any", "mixed")
        super().__post_init__()

    def _check_effect(self, name: str, *starts: str) -> None:
        """Refuse a parameter that is given where only other starts ask for it."""
        value = getattr(self, name)
        if self.start not in starts and value != getattr(type(self), name):
            legal = ", ".join(f"start: {start}" for start in starts)
            raise ValueError(f"{name}: {value} has no effect with start: {self.start}; legal: {legal}")

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Sizes to draw from."""
        sizes = check_drawn("size", self.size, _LEAST, "cells, an odd number", MOST_CELLS)
        if isinstance(self.size, Mapping):
            sizes = tuple(size for size in sizes if size % 2)
        for size in sizes:
            if size % 2 == 0:
                raise ValueError(f"size: {size} is even; legal: odd, from {_LEAST} on; nearest: {size + 1}")
        return sizes

    @property
    @override
    def shape(self) -> tuple[int, int]:
        side = max(self.sizes)
        return side, side

    @property
    @override
    def objective(self) -> type[Objective]:
        return GoToMatch

    @property
    @override
    def memory_delay(self) -> int:
        return _delay(max(self.sizes) - _BEYOND - 1)

    @property
    @override
    def actions(self) -> Ints:
        """Picking up does what toggling does, which is nothing here."""
        table = np.arange(len(ACTIONS))
        table[PICKUP] = TOGGLE
        return table

    @override
    def _draw(self, draws: Draws) -> Layout:
        size = draws.choose(self.sizes)
        middle, last = size // 2, size - _BEYOND
        end = draws.between(_SHORTEST, last) if self.random_length else last - 1
        sheet = _walls(draws, max(self.sizes), size, end)
        start = {"any": 0.0, "cue": 1.0, "mixed": self.cue_share}[self.start]
        at_cue = draws.happens(start)
        sheet.agent = (1 if at_cue else draws.between(1, end + 1), middle)
        if self.facing == "any" and not at_cue:
            sheet.direction = draws.below(DIRECTIONS)
        cue = draws.below(2)
        upper = 1 - draws.below(2)
        sheet.put(1, middle - 1, _THINGS[cue])
        sheet.put(end + 1, middle - 2, _THINGS[upper])
        sheet.put(end + 1, middle + 2, _THINGS[1 - upper])
        limit = self.limit(5 * size**2)
        return sheet.finish(MISSION, limit, size=size, start="cue" if at_cue else "any", delay=_delay(end))


def _delay(end: int) -> int:
    """Return the steps from the cue to the choice; 0 where the cue can be seen from there."""
    return end if end > REACH else 0


def _walls(draws: Draws, side: int, size: int, end: int) -> Sheet:
    """Return the walls of a grid of a size, in the left upper corner of one of `side` cells."""
    sheet, middle = Sheet(draws, side, side), size // 2
    sheet.cells = bytearray([WALL]) * side**2
    for y in range(1, size - 1):
        sheet.put_row(1, y, size - 2, EMPTY)
    for way in (-1, 1):
        sheet.put_row(1, middle + 2 * way, 4)
        sheet.put(4, middle + way, WALL)
        sheet.put_row(5, middle + way, end - 5)
    for column in (end, end + 2):
        sheet.put_column(column, 0, size)
    sheet.put(end, middle, EMPTY)
    return sheet


class BatchedMemory(Parametrized, BatchedGrid[MemoryLevel], task=MemoryLevel):
    """`Memory` in B lanes; see there for the level."""


class Memory(SingleGrid[BatchedMemory], of=BatchedMemory):
    """A key or a ball lies in a room; at the end of a hallway, go to the one of two that is like it.

    Description:
        The agent begins in the room or the hallway and looks away from the cue, a green key or ball at the
        left end. The hallway leads to a crossing with a key and a ball, one above, one below. As in minigrid
        it begins anywhere and must first go back and look; with `start` "cue" it begins beside the cue.
        With `size` 7 and 9 the view of 7x7 cells holds the cue and both things at once, from the crossing:
        no memory is needed. From 11 on it is.

    Reward:
        1 - 0.9 steps / `max_steps` for the right one, else 0. Guessing is right in half of the episodes.

    End:
        At either thing, a termination; after `max_steps` steps, a truncation. Both can be true.

    Info:
        `success` (bool); of the episode: `size` (int), `start` ("any" or "cue"), and `delay` (int), steps
        from the last sight of the cue on the shortest way to the choice, 0 where it can be seen from there.
        Results are split by `size`.

    Source:
        MiniGrid 3.2.0, `MiniGrid-MemoryS{size}-v0`, and `...Random-v0` with `random_length`: by default the
        same draws, frames and rewards under the same seed. `start` and `facing` are ours.
    """
