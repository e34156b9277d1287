"""Reads the published mazes from the user's folder.

P problems of S x S pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engram.envs.arrays import Bytes
from engram.envs.puzzles import Problems
from engram.envs.puzzles.files import read_binary
from engram.envs.puzzles.maze.grids import STYLES, Grids, open_pillars
from engram.envs.puzzles.maze.render import BLUE, GREEN, RED, natural_border, natural_side, render

_PIXELS = 2  # of a position in the published pictures


def read_pairs(folder: Path, positions: int, style: str, pixels: int) -> Problems:
    """Read `inputs.npy` and `solutions.npy`, mazes of one size and their answers.

    The pictures may have their channels first or last; solutions may have channels too, all alike. Mazes are
    found in them, painted anew and compared, so that whatever is not a maze of this size and style is
    refused; they can be had at 1 pixel a position too.

    Args:
        folder: where the two files are.
        positions: positions a side that the mazes have (P of `engram.envs.puzzles.maze.grids`).
        style: "v1": pictures of 2 P + 6 pixels, positions from pixel 3 on. "feb2021": mazes in the middle of
            a canvas of at least that size; in the published 32 pixels from pixel 7, 5 or 3 on for P = 9, 11
            or 13.
        pixels: side of a position as wanted, in pixels, 1 or 2.

    Raises:
        ValueError: a file is missing, or holds something else.
    """
    inputs, solutions = (read_binary(folder / f"{name}.npy") for name in ("inputs", "solutions"))
    inputs, solutions = _channels_first(inputs), _without_channels(folder, solutions)
    side = inputs.shape[-1]
    if inputs.shape[1:] != (3, side, side) or solutions.shape != (len(inputs), side, side):
        raise ValueError(
            f"path: {folder} holds inputs {inputs.shape} and solutions {solutions.shape}; expected "
            "(problems, 3, side, side) and (problems, side, side)"
        )
    border = _border(side, positions, style)
    if border < 1:
        raise ValueError(
            f"path: {folder} holds pictures of {side} pixels; not those of positions = {positions}"
        )
    extent = slice(border, border + _PIXELS * positions)
    grids = _find_grids(folder, inputs[..., extent, extent], solutions[:, extent, extent])
    _check_pillars(folder, grids, style)
    _compare(folder, render(grids, _PIXELS), inputs, solutions, extent)
    return render(grids, pixels)


def _channels_first(pictures: Bytes) -> Bytes:
    """Return pictures as (problems, 3, side, side); their channels may be the last axis."""
    return np.moveaxis(pictures, -1, 1) if pictures.ndim == 4 and pictures.shape[1] != 3 else pictures


def _without_channels(folder: Path, solutions: Bytes) -> Bytes:
    """Return solutions (problems, side, side) without channels; paper 1's have three, all alike."""
    if solutions.ndim != 4:
        return solutions
    planes = solutions if solutions.shape[1] == 1 else _channels_first(solutions)
    for row in np.flatnonzero((planes != planes[:, :1]).any(axis=(1, 2, 3))):
        raise ValueError(f"path: {folder}: row {row} of solutions.npy differs from channel to channel")
    return planes[:, 0]


def _border(side: int, positions: int, style: str) -> int:
    """Return the width of the border in pixels; 0 where the side does not fit."""
    natural = natural_side(positions, _PIXELS)
    fits = side == natural if style == "v1" else side >= natural and side % 2 == 0
    return (side - _PIXELS * positions) // 2 if fits else 0


def _find_grids(folder: Path, inputs: Bytes, solutions: Bytes) -> Grids:
    """Read grids from every second pixel; `_compare` checks the rest."""
    planes = inputs[..., ::_PIXELS, ::_PIXELS].astype(np.bool_)
    red, green, blue = planes[:, RED], planes[:, GREEN], planes[:, BLUE]
    ends = [(one & ~blue).reshape(len(planes), -1) for one in (green, red)]
    for name, marks in zip(("start (green)", "end (red)"), ends, strict=True):
        for row in np.flatnonzero(marks.sum(axis=1) != 1):
            raise ValueError(f"path: {folder}: row {row} of inputs.npy has not one {name}")
    path = solutions[:, ::_PIXELS, ::_PIXELS].astype(np.bool_)
    starts, goals = (marks.argmax(axis=1) for marks in ends)
    return Grids(red | green | blue, path, starts, goals)


def _check_pillars(folder: Path, grids: Grids, style: str) -> None:
    """Refuse mazes whose pillars do not follow the style."""
    expected = grids.open.copy()
    expected[:, 1::2, 1::2] = False
    if style != "v1":
        open_pillars(expected)
    for row in np.flatnonzero((expected != grids.open).any(axis=(1, 2))):
        raise ValueError(
            f"path: {folder}: row {row} of inputs.npy has other open pillars than style {style!r}; legal: "
            f"mazes of the style that is asked for, one of {', '.join(STYLES)}"
        )


def _compare(folder: Path, painted: Problems, inputs: Bytes, solutions: Bytes, extent: slice) -> None:
    """Refuse pictures that differ from ours of the same grids, black border included."""
    count, side = painted.size, painted.observations.shape[-1]
    inner = slice(natural_border(_PIXELS), -natural_border(_PIXELS))
    ours = {
        "inputs": painted.observations[..., inner, inner],
        "solutions": painted.targets.reshape(count, side, side)[:, inner, inner],
    }
    for name, theirs in (("inputs", inputs), ("solutions", solutions)):
        whole = np.zeros_like(theirs)
        whole[..., extent, extent] = ours[name]
        for row in np.flatnonzero((whole != theirs).reshape(count, -1).any(axis=1)):
            raise ValueError(f"path: {folder}: row {row} of {name}.npy is not a maze of this size and style")
    off = np.flatnonzero((painted.targets.view(np.bool_) & ~painted.masks).any(axis=1))
    if off.size:
        raise ValueError(f"path: {folder}: row {off[0]} of solutions.npy leads through a wall")
