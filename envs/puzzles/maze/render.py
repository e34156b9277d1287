"""Mazes as pictures.

B mazes of P x P positions; a picture has three channels (red, green, blue) of S x S pixels, values 0 and 1:
walls black, open positions white, the start green, the end red.
"""

from __future__ import annotations

import numpy as np

from engram.envs.arrays import Array, Bytes
from engram.envs.puzzles import Problems
from engram.envs.puzzles.maze.grids import Grids

RED, GREEN, BLUE = range(3)
PIXELS = (1, 2)


def natural_border(pixels: int) -> int:
    """Return the black border in pixels: the outer wall and, at 2 pixels, a frame of one more."""
    return 1 if pixels == 1 else 3


def natural_side(positions: int, pixels: int) -> int:
    """Return pixels a side (S): P + 2, or 2 P + 6."""
    return pixels * positions + 2 * natural_border(pixels)


def render(grids: Grids, pixels: int) -> Problems:
    """Paint mazes at their natural size; targets and masks are flat, (B, S * S), row by row.

    Args:
        grids: the mazes.
        pixels: side of a position in pixels, 1 or 2.
    """
    count = len(grids.open)
    planes = np.repeat(grids.open.view(np.uint8)[:, None], 3, axis=1)
    flat, lanes = planes.reshape(count, 3, -1), np.arange(count)
    for channel, ends in (
        (RED, grids.starts),
        (GREEN, grids.goals),
        (BLUE, grids.starts),
        (BLUE, grids.goals),
    ):
        flat[lanes, channel, ends] = 0
    observations = _enlarge(planes, pixels)
    targets, masks = (_enlarge(each.view(np.uint8), pixels) for each in (grids.path, grids.open))
    return Problems(
        observations,
        targets.reshape(count, -1).view(np.int8),
        masks.reshape(count, -1).view(np.bool_),
        grids.facts,
    )


def _enlarge(grids: Bytes, pixels: int) -> Bytes:
    """Enlarge grids (..., P, P) to pictures (..., S, S), each position a square, the border 0."""
    border, positions = natural_border(pixels), grids.shape[-1]
    side = natural_side(positions, pixels)
    pictures = np.zeros((*grids.shape[:-2], side, side), dtype=np.uint8)
    inner = pictures[..., border:-border, border:-border]
    if pixels == 1:
        inner[...] = grids
    else:
        wide = grids.repeat(pixels, axis=-1)
        for row in range(pixels):
            inner[..., row::pixels, :] = wide
    return pictures


def canvas_offsets(positions: int, pixels: int, canvas: int) -> tuple[int, int]:
    """Return the first and last pixel at which positions may begin on a canvas.

    The border of the natural size stays visible on every side, as in paper 1: there mazes of 9, 11 or 13
    positions lie in the middle of 32 pixels, from pixel 7, 5 or 3 on, are padded by 4, 2 or 0 and cropped to
    32 at random.
    """
    border = natural_border(pixels)
    return border, canvas - pixels * positions - border


def place(rng: np.random.Generator, problems: Problems, positions: int, pixels: int, canvas: int) -> Problems:
    """Put mazes of natural size at random places of a canvas.

    Args:
        rng: draws a row and a column for each maze.
        problems: as `render` makes them.
        positions: of a maze (P).
        pixels: side of a position in pixels.
        canvas: pixels a side of the canvas.
    """
    low, high = canvas_offsets(positions, pixels, canvas)
    corners = rng.integers(low, high + 1, size=(problems.size, 2))
    side = natural_side(positions, pixels)

    def move(pictures: Array) -> Array:
        border = natural_border(pixels)
        inner = pictures.reshape(problems.size, -1, side, side)[..., border:-border, border:-border]
        moved = np.zeros((*inner.shape[:2], canvas, canvas), dtype=pictures.dtype)
        extent = pixels * positions
        for there, one, (top, left) in zip(moved, inner, corners, strict=True):
            there[:, top : top + extent, left : left + extent] = one
        return moved

    observations, targets, masks = map(move, (problems.observations, problems.targets, problems.masks))
    shape = (problems.size, canvas * canvas)
    return Problems(observations, targets.reshape(shape), masks.reshape(shape), problems.facts)
