"""What agents see: the cells before them, as far as nothing stands in the way.

B lanes, V = 7 cells of a view along a side. A view is (B, V, V): rows from far to near, each from left to
right; the agent stands at [6, 3] and looks towards row 0. (Minigrid's images have x first.)

Source:
    MiniGrid 3.2.0, `MiniGridEnv.gen_obs` and `Grid.process_vis`.
"""

from __future__ import annotations

import numpy as np

from engram.envs.arrays import Array, Bytes, Ints
from engram.envs.minigrid.rules import FORWARD_STEPS, SEEN_THROUGH

VIEW = 7
REACH = VIEW - 1
"""Cells that a view reaches beyond the agent, and so the width of the walls around a grid."""

_AGENT = (VIEW - 1, VIEW // 2)
_ROWS = 2**VIEW  # sets of cells of a row


def offsets(stride: int) -> Ints:
    """Return where the cells of a view lie, as steps in a flat grid from the agent's cell, by direction.

    Args:
        stride: cells from one row of the flat grid to the next.

    Returns:
        (4, V * V), row by row.
    """
    tables = []
    for ahead_x, ahead_y in FORWARD_STEPS:
        ahead, right = ahead_x + stride * ahead_y, -ahead_y + stride * ahead_x
        y, x = np.indices((VIEW, VIEW))
        tables.append((ahead * (_AGENT[0] - y) + right * (x - _AGENT[1])).reshape(-1))
    return np.stack(tables)


def _spread(lit: int, clear: int) -> tuple[int, int]:
    """Return the cells of a row that are seen in the end, and those of the next row that are seen through it.

    A cell that is seen and can be seen through shows its neighbours, and those cells of the next row that
    are ahead of it and of the neighbour: first from left to right, then back.

    Args:
        lit: cells seen from the row before, a bit each, x = 0 the lowest.
        clear: cells that can be seen through, likewise.
    """
    ahead = 0
    for way, cells in ((1, range(VIEW - 1)), (-1, range(VIEW - 1, 0, -1))):
        for x in cells:
            if lit & clear & 1 << x:
                both = 1 << x | 1 << x + way
                lit |= both
                ahead |= both
    return lit, ahead


def _tabulate() -> Ints:
    """Return the table from lit * 128 + clear to lit cells of the next row * 128 + seen ones."""
    table = np.zeros(_ROWS * _ROWS, np.int64)
    for lit in range(_ROWS):
        for clear in range(_ROWS):
            seen, ahead = _spread(lit, clear)
            table[lit * _ROWS + clear] = ahead * _ROWS + seen
    return table


_SPREAD = _tabulate()
"""Table from (cells lit, cells clear) of a row to (cells lit of the next row, cells seen)."""

_BITS: Array = 2.0 ** np.arange(VIEW, dtype=np.float32)
_CLEAR: Array = SEEN_THROUGH.astype(np.float32)
"""`SEEN_THROUGH` for products with `_BITS`, which turn seven cells into a set faster than `np.packbits`."""

_MEMBERS: Bytes = (np.arange(_ROWS)[:, None] >> np.arange(VIEW) & 1).astype(np.uint8)
"""Table from sets of cells of a row to whether each cell is in it, (128, V)."""


def hide(codes: Bytes) -> None:
    """Make what the agents cannot see `UNSEEN`, in place.

    Args:
        codes: what is before the agents, (B, V, V).
    """
    clear = (_CLEAR.take(codes) @ _BITS).T.astype(np.int64)  # sets of cells, (V, B)
    spread = np.empty_like(clear)
    lit: Ints | int = _ROWS << _AGENT[1]
    for y in range(VIEW - 1, -1, -1):
        spread[y] = _SPREAD[lit | clear[y]]
        lit = spread[y] & -_ROWS
    codes *= _MEMBERS.take((spread & _ROWS - 1).T, axis=0)


def put_in_hand(codes: Bytes, carried: Bytes) -> None:
    """Show what agents carry in their own cell, in place; `EMPTY` where they carry nothing."""
    codes[:, _AGENT[0], _AGENT[1]] = carried
