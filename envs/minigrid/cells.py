"""What can stand in a cell of a grid, as one code: an index into `CELLS`, what a box holds included.

N codes.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from engram.envs.arguments import check_known
from engram.envs.arrays import Array, Bytes

KINDS = ("unseen", "empty", "wall", "floor", "door", "key", "ball", "box", "goal", "lava", "agent")
COLORS = ("red", "green", "blue", "purple", "yellow", "grey")
STATES = ("open", "closed", "locked")
"""Names in the order of the three numbers by which minigrid shows a cell."""

SORTED_COLORS = tuple(sorted(COLORS))
"""Colours in the order in which minigrid draws them."""

THINGS = ("key", "ball", "box")
"""Kinds of things that can be carried, in the order in which minigrid draws them."""


class Cell(NamedTuple):
    """What stands in a cell; `state` is that of a door, `contents` what a box holds."""

    kind: str
    color: str = "red"
    state: str = "open"
    contents: Cell | None = None


def _all_cells() -> tuple[Cell, ...]:
    things = [Cell(kind, color) for kind, color in product(THINGS, COLORS)]
    return (
        Cell("unseen"),
        Cell("empty"),
        *(Cell(kind, color) for kind, color in product(("wall", "floor", "goal"), COLORS)),
        *(Cell("door", color, state) for color, state in product(COLORS, STATES)),
        *things,
        Cell("lava"),
        *(Cell("box", color, contents=held) for color, held in product(COLORS, things)),
    )


CELLS = _all_cells()
"""Every cell that there can be; its place is its code."""

CODES = {cell: code for code, cell in enumerate(CELLS)}

UNSEEN, EMPTY = 0, 1
WALL = CODES[Cell("wall", "grey")]

TRIPLES: Bytes = np.array(
    [(KINDS.index(cell.kind), COLORS.index(cell.color), STATES.index(cell.state)) for cell in CELLS], np.uint8
)
"""Table from codes to what the agent sees of a cell: kind, colour and state, (N, 3)."""


def code_of(kind: str, color: str = "red", state: str = "open", contents: Cell | None = None) -> int:
    """Return the code of a cell.

    Raises:
        ValueError: there is no such cell.
    """
    check_known("kind", kind, KINDS)
    check_known("color", color, COLORS)
    check_known("state", state, STATES)
    cell = Cell(kind, color, state, contents)
    if cell not in CODES:
        raise ValueError(f"cell: there is no {cell}; legal: one of engram.envs.minigrid.cells.CELLS")
    return CODES[cell]


def codes_where(kinds: tuple[str, ...]) -> Array:
    """Return a table over codes: whether a cell is of one of `kinds`, bool (N,)."""
    return np.array([cell.kind in kinds for cell in CELLS], np.bool_)
