"""Layouts of minigrid's own environments, whatever their level, to be played in a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from engram.envs.minigrid.cells import CODES, EMPTY, STATES, Cell
from engram.envs.minigrid.layout import Layout


def layout_of(env: Any) -> Layout:
    """Return how the present episode of a minigrid environment begins, right after its reset.

    `reset(options={"layout": layout_of(env)})` of a `BatchedGrid` of the same shape plays it. The objective
    is that of the `BatchedGrid`'s level, its target what the mission names.

    Args:
        env: a `minigrid.minigrid_env.MiniGridEnv`, wrapped or not; it carries nothing.
    """
    level = env.unwrapped
    codes = [_code(thing) for thing in level.grid.grid]
    cells = np.array(codes, np.uint8).reshape(level.height, level.width)
    x, y = (int(place) for place in level.agent_pos)
    return Layout(cells, (x, y), int(level.agent_dir), level.mission, int(level.max_steps))


def _code(thing: Any) -> int:
    return EMPTY if thing is None else CODES[_cell(thing)]


def _cell(thing: Any) -> Cell:
    """Return what one of minigrid's objects is here, what it holds included."""
    state = STATES[thing.encode()[2]]
    held = None if thing.contains is None else _cell(thing.contains)
    return Cell(thing.type, thing.color, state, held)
