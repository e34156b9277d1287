"""What agents see: the cells before them, as far as nothing stands in the way.

B lanes, V = 7 cells of a view along a side. A view is (B, V, V): x from left to right, y from far to near;
the agent stands at [3, 6] and looks towards y = 0.

Source:
    MiniGrid 3.2.0, `MiniGridEnv.gen_obs` and `Grid.process_vis`.
"""

from __future__ import annotations

import numpy as np

from engram.envs.arrays import Bytes, Ints
from engram.envs.minigrid.rules import FORWARD_STEPS, SEEN_THROUGH

VIEW = 7
REACH = VIEW - 1
"""Cells that a view reaches beyond the agent, and so the width of the walls around a grid."""

_AGENT = (VIEW // 2, VIEW - 1)
_ROWS = 2**VIEW  # sets of cells of a row


def offsets(stride: int) -> Ints:
    """Return where the cells of a view lie, as steps in a flat grid from the agent's cell, by direction.

    Args:
        stride: cells from one row of the flat grid to the next.

    Returns:
        (4, V * V), x first.
    """
    tables = []
    for ahead_x, ahead_y in FORWARD_STEPS:
        ahead, right = ahead_x + stride * ahead_y, -ahead_y + stride * ahead_x
        x, y = np.indices((VIEW, VIEW))
        tables.append((ahead * (_AGENT[1] - y) + right * (x - _AGENT[0])).reshape(-1))
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
    table = np.zeros(_ROWS * _ROWS, np.int64)
    for lit in range(_ROWS):
        for clear in range(_ROWS):
            seen, ahead = _spread(lit, clear)
            table[lit * _ROWS + clear] = ahead * _ROWS + seen
    return table


_SPREAD = _tabulate()
"""Table from (cells lit, cells clear) of a row to (cells lit of the next row, cells seen)."""


def hide(codes: Bytes) -> None:
    """Make what the agents cannot see `UNSEEN`, in place.

    Args:
        codes: what is before the agents, (B, V, V).
    """
    clear = np.packbits(SEEN_THROUGH[codes], axis=1, bitorder="little")[:, 0]  # (B, V), a row each
    seen = np.empty(clear.shape, np.uint8)
    lit = np.full(len(codes), _ROWS << _AGENT[0])
    for y in range(VIEW - 1, -1, -1):
        spread = _SPREAD[lit | clear[:, y]]
        seen[:, y] = spread & _ROWS - 1
        lit = spread & -_ROWS
    codes *= np.unpackbits(seen[:, None], axis=1, count=VIEW, bitorder="little")


def put_in_hand(codes: Bytes, carried: Bytes) -> None:
    """Show what agents carry in their own cell, in place; `EMPTY` where they carry nothing."""
    codes[:, _AGENT[0], _AGENT[1]] = carried
