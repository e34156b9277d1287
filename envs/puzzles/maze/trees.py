"""Mazes as spanning trees, grown by depth-first search from the start cell.

Two generators draw from the same distribution: one in plain Python for a few mazes, one that moves many
mazes in step. B mazes of n x n cells, numbered row by row.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from engram.envs.arrays import Bytes, Ints

IN_STEP_FROM = 32  # mazes; below, array operations cost more than they save
BLOCK = 2048  # mazes that are grown in step; more do not fit the cache
_ROUND = 6  # moves between two looks at who has finished


class Trees(NamedTuple):
    """Mazes as trees.

    Attributes:
        parents: the cell through which the search reached each cell, (B, n * n); the start's is itself.
        starts: start cells, the trees' roots, (B,).
        goals: end cells, (B,).
    """

    parents: Ints
    starts: Ints
    goals: Ints


def grow_trees(rng: np.random.Generator, count: int, cells: int) -> Trees:
    """Grow mazes; start and goal are drawn uniformly among all cells, without replacement.

    From the present cell the search goes on to one of its unvisited neighbours, drawn uniformly, and from a
    dead end back to where it came from, until it has been everywhere.

    Args:
        rng: where to draw from.
        count: number of mazes (B).
        cells: cells a side (n), at least 2.
    """
    area = cells * cells
    starts = rng.integers(area, size=count)
    goals = (starts + rng.integers(1, area, size=count)) % area
    if count < IN_STEP_FROM:
        grown = [grow_one(rng, cells, int(start)) for start in starts]
        return Trees(np.array(grown, dtype=np.int64).reshape(count, area), starts, goals)
    parents = np.empty((count, area), dtype=np.int64)
    for begin in range(0, count, BLOCK):
        block = slice(begin, begin + BLOCK)
        parents[block] = grow_in_step(rng, cells, starts[block])
    return Trees(parents, starts, goals)


def grow_one(rng: np.random.Generator, cells: int, start: int) -> list[int]:
    """Grow one maze in plain Python; return the parents of its cells."""
    area = cells * cells
    # One number per move decides among 1 to 4 neighbours alike, for each of these divides 12.
    draws = iter(rng.integers(12, size=area - 1, dtype=np.uint8).tolist())
    neighbours = _neighbours(cells)
    parents = [-1] * area
    parents[start] = cell = start
    for draw in draws:
        free = [other for other in neighbours[cell] if parents[other] < 0]
        while not free:
            cell = parents[cell]
            free = [other for other in neighbours[cell] if parents[other] < 0]
        other = free[draw % len(free)]
        parents[other] = cell
        cell = other
    return parents


@cache
def _neighbours(cells: int) -> tuple[tuple[int, ...], ...]:
    return tuple(
        tuple(
            row * cells + column
            for row, column in ((up - 1, left), (up + 1, left), (up, left - 1), (up, left + 1))
            if 0 <= row < cells and 0 <= column < cells
        )
        for up in range(cells)
        for left in range(cells)
    )


def grow_in_step(rng: np.random.Generator, cells: int, starts: Ints) -> Ints:
    """Grow many mazes in step; return their parents (B, n * n).

    Cells are numbered across all mazes, each maze with a border that counts as visited.
    """
    side = cells + 2
    inside = (np.arange(1, cells + 1)[:, None] * side + np.arange(1, cells + 1)).ravel()
    first_of_maze = np.arange(len(starts)) * side * side
    visited = np.ones((len(starts), side * side), dtype=np.uint8)
    visited[:, inside] = 0
    parents = np.zeros(visited.shape, dtype=np.int64)
    _search(rng, visited.ravel(), parents.ravel(), first_of_maze + inside[starts], cells)
    numbers = np.zeros(side * side, dtype=np.int64)
    numbers[inside] = np.arange(cells * cells)
    by_number: Ints = numbers[parents[:, inside] - first_of_maze[:, None]]
    return by_number


def _search(rng: np.random.Generator, visited: Bytes, parents: Ints, cell: Ints, cells: int) -> None:
    """Continue every maze's search, now at `cell`, until all cells are visited."""
    side = cells + 2
    moves = _moves(side)
    missing = np.full(len(cell), cells * cells - 1)
    visited[cell], parents[cell] = 1, cell
    while cell.size:
        for draws in rng.integers(12, size=(_ROUND, len(cell)), dtype=np.uint8):
            closed = visited[cell - side]
            closed |= visited[cell + side] << 1
            closed |= visited[cell - 1] << 2
            closed |= visited[cell + 1] << 3
            ahead = cell + moves[closed * np.uint8(12) + draws]
            stuck = ahead == cell
            back = parents[cell]
            parents[ahead] = np.where(stuck, back, cell)
            visited[ahead] = 1
            cell = np.where(stuck, back, ahead)
            missing -= ~stuck
        going = missing > 0
        cell, missing = cell[going], missing[going]


def _moves(side: int) -> Ints:
    """Return a table of moves, 0 in a dead end, by 12 times the closed sides (bits) plus a draw below 12."""
    ways = (-side, side, -1, 1)
    table = np.zeros((16, 12), dtype=np.int64)
    for closed in range(15):
        free = [way for bit, way in enumerate(ways) if not closed >> bit & 1]
        table[closed] = np.resize(free, 12)
    return table.ravel()
