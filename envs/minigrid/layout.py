"""How an episode begins, and the sheet on which it is drawn.

R rows, C columns of a grid; a place in it is (x, y), x from left to right, y downwards.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from engram.envs.arrays import Bytes
from engram.envs.minigrid.cells import EMPTY, WALL
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.rules import FORWARD_STEPS

DIRECTIONS = len(FORWARD_STEPS)


class Layout(NamedTuple):
    """How an episode begins.

    Attributes:
        cells: codes of the grid (`engram.envs.minigrid.cells`), uint8 (R, C).
        agent: where the agent stands, (x, y).
        direction: where it looks: 0 right, 1 down, 2 left, 3 up.
        mission: what it is told to do.
        max_steps: env steps after which the episode is cut short.
        facts: what the infos of the level tell of the episode, by name.
    """

    cells: Bytes
    agent: tuple[int, int]
    direction: int
    mission: str
    max_steps: int
    facts: Mapping[str, Any] = {}


class DrawnAgainError(Exception):
    """Raised where a level drawn so far cannot be finished, or is not wanted; the next one is drawn."""


class Sheet:
    """A grid that is drawn cell by cell, its agent included.

    Args:
        draws: where numbers come from.
        rows: height (R).
        cols: width (C).

    Attributes:
        cells: codes, row by row, R * C bytes.
        agent: (x, y) of the agent; (-1, -1) before it stands anywhere.
        direction: where it looks.
    """

    def __init__(self, draws: Draws, rows: int, cols: int) -> None:
        self.draws, self.rows, self.cols = draws, rows, cols
        self.cells = bytearray(_walled(rows, cols))
        self.agent, self.direction = (-1, -1), 0

    def get(self, x: int, y: int) -> int:
        """Return the code of a cell."""
        return self.cells[y * self.cols + x]

    def put(self, x: int, y: int, code: int) -> None:
        """Put something into a cell."""
        self.cells[y * self.cols + x] = code

    def put_row(self, x: int, y: int, length: int, code: int = WALL) -> None:
        """Put something into `length` cells from (x, y) to the right."""
        start = y * self.cols + x
        self.cells[start : start + length] = bytes([code]) * length

    def put_column(self, x: int, y: int, length: int, code: int = WALL) -> None:
        """Put something into `length` cells from (x, y) down."""
        start = y * self.cols + x
        self.cells[start : start + length * self.cols : self.cols] = bytes([code]) * length

    def place(
        self,
        code: int,
        top: tuple[int, int] = (0, 0),
        size: tuple[int, int] | None = None,
        distance: int = 1,
        tries: int | None = None,
    ) -> tuple[int, int]:
        """Put something into an empty cell of a rectangle, drawn until one fits.

        Args:
            code: what; `EMPTY` only finds the place.
            top: left upper corner of the rectangle, (x, y).
            size: its width and height; without it, the whole grid.
            distance: least number of steps to the agent.
            tries: draws after which to give up; without it, never.

        Returns:
            the place, (x, y).

        Raises:
            DrawnAgainError: no place was found.
        """
        left, upper = top
        width, height = size or (self.cols, self.rows)
        width, height = min(width, self.cols - left), min(height, self.rows - upper)
        cells, cols, below, (agent_x, agent_y) = self.cells, self.cols, self.draws.below, self.agent
        for _ in itertools.count() if tries is None else range(tries):
            x, y = left + below(width), upper + below(height)
            if cells[y * cols + x] == EMPTY and abs(x - agent_x) + abs(y - agent_y) >= distance:
                cells[y * cols + x] = code
                return x, y
        raise DrawnAgainError

    def place_agent(
        self, top: tuple[int, int] = (0, 0), size: tuple[int, int] | None = None, tries: int | None = None
    ) -> None:
        """Put the agent into an empty cell of a rectangle, looking anywhere; see `place`."""
        self.agent = (-1, -1)
        self.agent = self.place(EMPTY, top, size, tries=tries)
        self.direction = self.draws.below(DIRECTIONS)

    def finish(self, mission: str, max_steps: int, **facts: Any) -> Layout:
        """Return what was drawn as a layout."""
        cells = np.frombuffer(self.cells, np.uint8).reshape(self.rows, self.cols)
        return Layout(cells, self.agent, self.direction, mission, max_steps, facts)


@functools.lru_cache(maxsize=256)
def _walled(rows: int, cols: int) -> bytes:
    """Return an empty grid with walls around it."""
    inner = np.full((rows - 2, cols - 2), EMPTY, np.uint8)
    return np.pad(inner, 1, constant_values=WALL).tobytes()
