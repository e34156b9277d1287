"""Canvases of the batched T-maze: all its windows can show, painted once, read by one gather a step.

A canvas has rows of STRIDE cells like the sheet (`engram.envs.games.tmaze.sheet`): first three strips of
ready-made views (no cue, left, right), then a band per lane. n number of windows or lanes, D bytes per cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.envs.arrays import Bytes, Ints
from engram.envs.games.tmaze import rules
from engram.envs.games.tmaze.rules import Mask
from engram.envs.games.tmaze.sheet import BAND_ROWS, LANES_TOP, STRIDE, WEST, band_rows, sheet


class Canvas:
    """Painted cells of D bytes each.

    Args:
        brush: what a character leaves on a cell, (256, D).
        lanes: number of bands.
    """

    def __init__(self, brush: Bytes, lanes: int) -> None:
        self.brush = brush
        self._cells = np.zeros((LANES_TOP + lanes * BAND_ROWS, STRIDE, brush.shape[1]), np.uint8)
        self._cells[:LANES_TOP] = brush[sheet().views.reshape(LANES_TOP, STRIDE)]
        self._look_at_cells()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the two views of the cells, which a copy would not keep as views."""
        return {"brush": self.brush, "_cells": self._cells}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._look_at_cells()

    def _look_at_cells(self) -> None:
        """Set up the views of the cells: to write bands, and to read windows."""
        rows, _, depth = self._cells.shape
        self._bands = self._cells[LANES_TOP:].reshape(-1, BAND_ROWS, STRIDE, depth)
        corners = (rows - rules.WINDOW_ROWS + 1) * STRIDE - rules.WINDOW_COLS + 1
        self._windows: NDArray[np.void] = np.ndarray(
            (corners, rules.WINDOW_ROWS),
            dtype=f"V{rules.WINDOW_COLS * depth}",  # a window's row as one item: one copy instead of many
            buffer=self._cells.data,
            strides=(depth, STRIDE * depth),
        )

    def draw(self, lanes: Ints, chars: Bytes) -> None:
        """Paint the bands (n, 14, STRIDE) of some lanes."""
        self._bands[lanes] = np.take(self.brush, chars, axis=0)

    def read(self, corners: Ints) -> Bytes:
        """Return fresh windows (n, 7, 11, D) at the corners (n,)."""
        shape = (len(corners), rules.WINDOW_ROWS, rules.WINDOW_COLS, self.brush.shape[1])
        return self._windows[corners].view(np.uint8).reshape(shape)


def band_chars(levels: Ints, speckle: Mask) -> Bytes:
    """Return characters of bands (n, 14, STRIDE), given which bits of wall are kept (n, 14, 191)."""
    chars = sheet().bands[levels]
    around = np.concatenate([speckle, speckle[..., : STRIDE - rules.WORLD_COLS]], axis=-1)
    chars[(chars == ord("*")) & ~around] = ord(" ")
    return chars


def speckle_of_world(world: Mask, level: int) -> Mask:
    """Return the part of a world's speckle (77, 191) that a level's band shows, from its first column on."""
    return np.roll(world[band_rows(level)], -WEST[level], axis=1)


def speckle_in_world(band: Mask, level: int) -> Mask:
    """Invert `speckle_of_world`; False outside the band."""
    world = np.zeros(rules.WORLD, np.bool_)
    world[band_rows(level)] = np.roll(band, WEST[level], axis=1)
    return world
