"""The grids of all lanes, and what actions do in them.

B lanes, R rows, C columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engram.envs.arrays import Array, Bytes, Flags, Ints
from engram.envs.minigrid import view
from engram.envs.minigrid.cells import EMPTY, WALL
from engram.envs.minigrid.rules import (
    CARRIED_AFTER,
    CELL_AFTER,
    FORWARD_STEPS,
    MOVES,
    TURNS,
    key,
    short_key,
)

_MARGIN = view.REACH


class Step(NamedTuple):
    """What happened in a step, each (B,).

    Attributes:
        actions: what was done.
        ahead: code of the cell ahead before it.
        held: code of what was carried before it.
        moved: whether the agent went ahead.
    """

    actions: Ints
    ahead: Bytes
    held: Bytes
    moved: Flags


class World:
    """Grids with an agent each, walled by as many cells as a view reaches, so that no look leaves them.

    Args:
        lanes: number of lanes (B).
        rows: height of a grid (R).
        cols: width of a grid (C).

    Attributes:
        cells: codes, uint8 (B, (R + 12) (C + 12)).
        agent: where the agents are, as places in all cells of all lanes, (B,).
        direction: where they look, 0 right, 1 down, 2 left, 3 up, (B,).
        carried: what they carry, (B,).
        stride: cells from one row to the next in `cells`.
    """

    def __init__(self, lanes: int, rows: int, cols: int) -> None:
        self.rows, self.cols = rows, cols
        self.stride = cols + 2 * _MARGIN
        size = (rows + 2 * _MARGIN) * self.stride
        self.cells = np.full((lanes, size), WALL, np.uint8)
        self.agent, self.direction = np.zeros((2, lanes), np.int64)
        self.carried = np.full(lanes, EMPTY, np.uint8)
        self._origins = np.arange(lanes) * size + _MARGIN * (self.stride + 1)
        self._steps = np.array([x + self.stride * y for x, y in FORWARD_STEPS])
        self._offsets = view.offsets(self.stride)

    @staticmethod
    def lane_bytes(rows: int, cols: int) -> int:
        """Return the bytes of a lane."""
        return (rows + 2 * _MARGIN) * (cols + 2 * _MARGIN) + 64

    def state(self) -> dict[str, Array]:
        """Return the arrays (not copies) that are the state."""
        return {
            "cells": self.cells,
            "agent": self.agent,
            "direction": self.direction,
            "carried": self.carried,
        }

    def begin(self, lane: int, cells: Bytes, agent: tuple[int, int], direction: int) -> None:
        """Put a grid (R, C) and its agent, at (x, y), into a lane."""
        self.grids[lane] = cells
        self.agent[lane] = self._origins[lane] + agent[0] + agent[1] * self.stride
        self.direction[lane] = direction
        self.carried[lane] = EMPTY

    @property
    def grids(self) -> Bytes:
        """The grids without the walls around them, a view of `cells`, (B, R, C)."""
        return self._without_margin(self.cells)

    def place_of(self, lanes: Ints | int, x: Ints | int, y: Ints | int) -> Ints:
        """Return cells of lanes as places in all cells of all lanes."""
        places: Ints = self._origins[lanes] + x + y * self.stride
        return places

    def position(self, lane: int) -> tuple[int, int]:
        """Return where the agent of a lane is, (x, y)."""
        y, x = divmod(int(self.agent[lane] - self._origins[lane]), self.stride)
        return x, y

    def front(self) -> Ints:
        """Return the cells ahead of the agents as places in all cells of all lanes, (B,)."""
        places: Ints = self.agent + self._steps[self.direction]
        return places

    def act(self, actions: Ints) -> Step:
        """Do an action in every lane, (B,)."""
        flat, front = self.cells.reshape(-1), self.front()
        ahead, held = flat[front], self.carried
        short = short_key(actions, ahead)
        whole = key(short, held)
        flat[front] = CELL_AFTER[whole]
        self.carried = CARRIED_AFTER[whole]
        moved = MOVES[short]
        self.agent = np.where(moved, front, self.agent)
        self.direction = self.direction + TURNS[actions] & 3
        return Step(actions, ahead, held, moved)

    def view_places(self, lanes: Ints | slice) -> Ints:
        """Return the cells before the agents of some lanes as places in `cells`, flat, (lanes, 49)."""
        places: Ints = self._offsets[self.direction[lanes]]
        places += self.agent[lanes, None]
        return places

    def cells_of(self, lane: int, places: Ints) -> Flags:
        """Return which cells of a lane's grid are among `places`, (R, C)."""
        among = np.zeros(self.cells.shape[1], np.bool_)
        among[places - lane * self.cells.shape[1]] = True
        return self._without_margin(among)

    def _without_margin(self, cells: Array) -> Array:
        """Return the grids alone of walled ones (..., cells), a view of them, (..., R, C)."""
        rows = cells.reshape(*cells.shape[:-1], -1, self.stride)
        return rows[..., _MARGIN : _MARGIN + self.rows, _MARGIN : _MARGIN + self.cols]

    def look(self, lanes: Ints | slice, through_walls: bool) -> Bytes:
        """Return what the agents of some lanes see, as codes (lanes, 7, 7), see `view`."""
        codes = self.cells.reshape(-1)[self.view_places(lanes)].reshape(-1, view.VIEW, view.VIEW)
        if not through_walls:
            view.hide(codes)
        view.put_in_hand(codes, self.carried[lanes])
        return codes
