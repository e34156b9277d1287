"""Mazes as grids of positions: cells, and the openings between them.

B mazes of P x P positions, P = 2 n - 1 for n x n cells; cell (i, j) is position (2 i, 2 j). Positions are
numbered row by row. The outer wall is no part of the grid.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engram.envs.arrays import Flags, Ints
from engram.envs.puzzles.maze.solver import shortest_path
from engram.envs.puzzles.maze.trees import Trees

STYLES = ("v1", "feb2021")


class Grids(NamedTuple):
    """Mazes as grids.

    Attributes:
        open: positions that are no wall, (B, P, P).
        path: positions of the answer, both ends included, (B, P, P).
        starts: start positions, (B,).
        goals: end positions, (B,).
    """

    open: Flags
    path: Flags
    starts: Ints
    goals: Ints

    @property
    def facts(self) -> dict[str, Ints]:
        """Return the entries of `info` for each maze, (B,) each."""
        count, positions = self.open.shape[:2]
        return {
            "size": np.full(count, positions),
            "path_length": self.path.sum(axis=(1, 2)),
            "start": self.starts,
            "goal": self.goals,
        }


def carve(trees: Trees, cells: int, style: str = "v1") -> Grids:
    """Lay out trees as grids and solve them.

    Args:
        trees: the mazes.
        cells: cells a side (n).
        style: "v1": the grid is the tree, and the answer its only route. "feb2021": some pillars between four
            cells are open too, see `open_pillars`; the answer is a shortest route, which may not be the only
            one.
    """
    place = places(cells)
    size = 2 * cells - 1
    count = len(trees.parents)
    # Between two neighbouring cells is the mean of their numbers; the root's own number is its own mean.
    between = (place + place[trees.parents]) // 2
    open_ = np.zeros((count, size * size), dtype=np.bool_)
    open_[:, place] = True
    open_[np.arange(count)[:, None], between] = True
    grid = open_.reshape(count, size, size)
    starts, goals = place[trees.starts], place[trees.goals]
    if style == "v1":
        path = _tree_route(trees, place, between).reshape(grid.shape)
    else:
        open_pillars(grid)
        path = np.stack([_mark(one, *ends) for one, *ends in zip(grid, starts, goals, strict=True)])
    return Grids(grid, path, starts, goals)


def places(cells: int) -> Ints:
    """Return the positions of all cells, (n * n,)."""
    along = np.arange(cells) * 2
    return (along[:, None] * (2 * cells - 1) + along).ravel()


def open_pillars(grid: Flags) -> None:
    """Open the pillars, in place, that the paper's first renderer leaves open.

    That renderer paints the south and east walls of each cell on a white ground, a south wall with the pillar
    at its west end, an east wall with the pillar at its north end. Of the four walls at a pillar those to its
    east and south are painted with it, so; those to its west and north belong to one cell, and it is painted
    with them where both are there. It stays open where there is no wall to its south, none to its east, and
    not one both to its north and to its west.

    Source: the code of "Thinking Deeply with Recurrence" (2021), `create_maze.py`.
    """
    north, south = grid[:, :-2:2, 1::2], grid[:, 2::2, 1::2]
    west, east = grid[:, 1::2, :-2:2], grid[:, 1::2, 2::2]
    grid[:, 1::2, 1::2] = south & east & (north | west)


def _tree_route(trees: Trees, place: Ints, between: Ints) -> Flags:
    """Mark the positions from the goals back through the parents to the starts, (B, P * P)."""
    count = len(trees.parents)
    lanes = np.arange(count)
    path = np.zeros((count, place[-1] + 1), dtype=np.bool_)
    cell = trees.goals
    path[lanes, place[cell]] = True
    while cell.size:
        path[lanes, between[lanes, cell]] = True
        cell = trees.parents[lanes, cell]
        path[lanes, place[cell]] = True
        going = cell != trees.starts[lanes]
        cell, lanes = cell[going], lanes[going]
    return path


def _mark(grid: Flags, start: int, goal: int) -> Flags:
    path = np.zeros_like(grid)
    path.ravel()[shortest_path(grid, start, goal)] = True
    return path
