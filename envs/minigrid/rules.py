"""What an action does to the cell ahead of the agent and to what it carries, as tables over codes.

N codes. The agent carries `EMPTY` where it carries nothing.

Source:
    MiniGrid 3.2.0, `MiniGridEnv.step` and the `toggle` of its objects.
"""

from __future__ import annotations

import numpy as np

from engram.envs.arrays import Bytes, Flags, Ints
from engram.envs.minigrid.cells import CELLS, CODES, EMPTY, THINGS, Cell, codes_where

ACTIONS = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(len(ACTIONS))
LEGAL_ACTIONS = ", ".join(f"{number} {name}" for number, name in enumerate(ACTIONS))

FORWARD_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""A step ahead, (x, y), by direction: right, down, left, up."""

_N = len(CELLS)
OPEN_DOOR: Flags = np.array([cell.kind == "door" and cell.state == "open" for cell in CELLS], np.bool_)
"""Whether a cell is an open door, (N,)."""

ENTERED: Flags = codes_where(("empty", "floor", "goal", "lava")) | OPEN_DOOR
"""Whether the agent can step into a cell, (N,)."""

SEEN_THROUGH: Flags = ~codes_where(("wall", "door")) | OPEN_DOOR
"""Whether the agent sees what is behind a cell, (N,)."""

CARRIED: Flags = codes_where(THINGS)
"""Whether a cell can be picked up, (N,)."""

TURNS: Ints = np.array([3, 1, 0, 0, 0, 0, 0])
"""Quarters by which each action turns the agent to its right."""


def _toggled(cell: Cell, carried: Cell) -> Cell:
    """Return what becomes of a cell that is toggled by an agent that carries something."""
    if cell.kind == "box":
        return cell.contents or CELLS[EMPTY]
    if cell.kind != "door":
        return cell
    if cell.state == "locked":
        fits = carried.kind == "key" and carried.color == cell.color
        return cell._replace(state="open") if fits else cell
    return cell._replace(state="open" if cell.state == "closed" else "closed")


def _tabulate() -> tuple[Bytes, Bytes]:
    ahead, carried = np.indices((_N, _N), np.uint8)
    cells, hands = np.tile(ahead, (len(ACTIONS), 1, 1)), np.tile(carried, (len(ACTIONS), 1, 1))
    things = np.flatnonzero(CARRIED)
    cells[PICKUP, things, EMPTY], hands[PICKUP, things, EMPTY] = EMPTY, things
    cells[DROP, EMPTY, things], hands[DROP, EMPTY, things] = things, EMPTY
    for code, cell in enumerate(CELLS):
        if cell.kind in ("box", "door"):
            cells[TOGGLE, code] = [CODES[_toggled(cell, hand)] for hand in CELLS]
    return cells.reshape(-1), hands.reshape(-1)


CELL_AFTER, CARRIED_AFTER = _tabulate()
"""Tables from (action, code ahead, code carried), see `key`, to the codes after the action."""

MOVES: Flags = np.zeros((len(ACTIONS), _N), np.bool_)
MOVES[FORWARD] = ENTERED
MOVES = MOVES.reshape(-1)
"""Table from (action, code ahead), see `short_key`, to whether the agent moves ahead."""


def short_key(actions: Ints, ahead: Bytes) -> Ints:
    """Return places in a table over actions and the cell ahead."""
    keys: Ints = actions * _N + ahead
    return keys


def key(short: Ints, carried: Bytes) -> Ints:
    """Return places in a table over actions, the cell ahead and what is carried."""
    keys: Ints = short * _N + carried
    return keys
