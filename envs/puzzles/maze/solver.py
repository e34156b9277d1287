"""Shortest routes through any maze, by breadth-first search.

One maze of P x P positions, numbered row by row.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray


def shortest_path(grid: NDArray[np.bool_], start: int, goal: int) -> list[int]:
    """Find a shortest route over open positions by breadth-first search.

    Where there are several, the one whose last steps came, as seen from the goal, first from the north, then
    the south, the west, the east.

    Args:
        grid: which positions are open, (P, P).
        start: first position.
        goal: last position.

    Returns:
        positions from start to goal, both included.

    Raises:
        ValueError: there is no route.
    """
    distances, _ = search(grid, int(start))
    size = grid.shape[1] + 2
    position = _bordered(int(goal), grid.shape[1])
    if distances[position] < 0:
        raise ValueError(f"grid: there is no route from {start} to {goal}")
    route = [position]
    while distances[position]:
        nearer = distances[position] - 1
        position = next(position + way for way in (-size, size, -1, 1) if distances[position + way] == nearer)
        route.append(position)
    return [_unbordered(each, size) for each in reversed(route)]


def count_shortest_paths(grid: NDArray[np.bool_], start: int, goal: int) -> int:
    """Count the shortest routes; arguments as for `shortest_path`."""
    return search(grid, int(start))[1][_bordered(int(goal), grid.shape[1])]


def search(grid: NDArray[np.bool_], start: int) -> tuple[list[int], list[int]]:
    """Return distances from the start, -1 where there is no route, and numbers of shortest routes.

    Args:
        grid: which positions are open, (P, P).
        start: a position.

    Returns:
        two lists over the grid with a border of walls, (P + 2) * (P + 2).
    """
    walls = np.pad(grid, 1)
    size = walls.shape[1]
    is_open = walls.ravel().tolist()
    distances, routes = [-1] * len(is_open), [0] * len(is_open)
    first = _bordered(start, size - 2)
    distances[first], routes[first] = 0, 1
    waiting = deque([first])
    while waiting:
        position = waiting.popleft()
        for way in (-size, size, -1, 1):
            other = position + way
            if not is_open[other]:
                continue
            if distances[other] < 0:
                distances[other] = distances[position] + 1
                waiting.append(other)
            if distances[other] == distances[position] + 1:
                routes[other] += routes[position]
    return distances, routes


def _bordered(position: int, size: int) -> int:
    row, column = divmod(position, size)
    return (row + 1) * (size + 2) + column + 1


def _unbordered(position: int, size: int) -> int:
    row, column = divmod(position, size)
    return (row - 1) * (size - 2) + column - 1
