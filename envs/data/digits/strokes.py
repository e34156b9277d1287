"""Digits drawn by strokes: ten glyphs of line segments, each sample bent and inked in its own way.

Coordinates are (x, y) in the unit square, y downwards. P samples, G segments of a glyph, S pixels a side.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import cache

import numpy as np

from engram.envs.arrays import Flags, Floats, Ints

Point = tuple[float, float]

CLASSES = 10

# Ranges of a sample's own look.
_TURN = (-0.25, 0.25)  # radians
_SLANT = (-0.25, 0.25)  # x per y
_SIZE = (0.75, 1.0)  # width and height
_SHIFT = (-0.08, 0.08)  # in x and in y, sides of the picture
_PEN = (0.05, 0.09)  # half a line's width, sides of the picture
_RANGES = np.array([_TURN, _SLANT, _SIZE, _SIZE, _SHIFT, _SHIFT, _PEN])

NUMBERS = len(_RANGES)
"""How many numbers a sample's own look has."""

_CHUNK = 64, 64 * 28 * 28  # samples rasterised at a time, and their pixels, at most, which bounds memory


def _arc(centre: Point, radii: Point, begin: float, end: float) -> list[Point]:
    """Return points along an ellipse; angles in degrees, 0 to the right, 90 below."""
    angles = np.radians(np.linspace(begin, end, 2 + round(abs(end - begin) / 40)))
    x, y = centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)
    return list(zip(x.tolist(), y.tolist(), strict=True))


_STROKES: tuple[list[list[Point]], ...] = (
    [_arc((0.5, 0.5), (0.28, 0.4), 0, 360)],
    [[(0.34, 0.26), (0.52, 0.1), (0.52, 0.9)]],
    [[*_arc((0.5, 0.33), (0.26, 0.23), 190, 400), (0.24, 0.9), (0.78, 0.9)]],
    [[*_arc((0.47, 0.3), (0.25, 0.2), 210, 450), *_arc((0.47, 0.7), (0.28, 0.2), 270, 510)[1:]]],
    [[(0.6, 0.1), (0.2, 0.62), (0.82, 0.62)], [(0.6, 0.1), (0.6, 0.9)]],
    [[(0.74, 0.1), (0.32, 0.1), (0.28, 0.46), *_arc((0.48, 0.65), (0.27, 0.25), 235, 510)]],
    [[(0.66, 0.1), (0.42, 0.3), (0.28, 0.58), *_arc((0.51, 0.69), (0.24, 0.21), 180, 540)]],
    [[(0.22, 0.1), (0.78, 0.1), (0.42, 0.9)]],
    [_arc((0.5, 0.3), (0.2, 0.2), 0, 360), _arc((0.5, 0.7), (0.25, 0.2), 0, 360)],
    [[*_arc((0.49, 0.32), (0.24, 0.22), 0, -360), (0.66, 0.9)]],
)


@cache
def glyphs() -> Floats:
    """Return the segments of the ten glyphs, (10, G, 2 ends, 2); shorter glyphs repeat their last one."""
    segments = [list(_segments(strokes)) for strokes in _STROKES]
    most = max(map(len, segments))
    padded = np.array([each + each[-1:] * (most - len(each)) for each in segments])
    padded.flags.writeable = False
    return padded


def _segments(strokes: Iterable[list[Point]]) -> Iterable[tuple[Point, Point]]:
    for stroke in strokes:
        yield from itertools.pairwise(stroke)


def rasterise(labels: Ints, looks: Floats, size: int) -> Flags:
    """Draw digits: a pixel is ink where its centre lies within half a line's width of a stroke.

    Lines are at least a pixel wide, so that strokes hold together at any resolution.

    Args:
        labels: which digits, (P,).
        looks: what is each sample's own, uniform numbers in [0, 1), (P, NUMBERS): turn, slant, width, height,
            shift in x and in y, width of the line.
        size: S.

    Returns:
        bool (P, S, S), rows from the top.
    """
    samples = max(1, min(_CHUNK[0], _CHUNK[1] // size**2))
    parts = max(1, -(-len(labels) // samples))
    chunks = zip(np.array_split(labels, parts), np.array_split(looks, parts), strict=True)
    return np.concatenate([_rasterise(*chunk, size) for chunk in chunks])


def _rasterise(labels: Ints, looks: Floats, size: int) -> Flags:
    turn, slant, width, height, right, down, pen = (_RANGES[:, 0] + looks * np.ptp(_RANGES, axis=1)).T
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = np.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2)
    zero = np.zeros_like(slant)
    stretch = np.stack([width, slant * height, zero, height], axis=-1).reshape(-1, 2, 2)
    ends = (glyphs()[labels] - 0.5) @ (rotation @ stretch).transpose(0, 2, 1)[:, None]  # (P, G, 2, 2)
    ends += 0.5 + np.stack([right, down], axis=-1)[:, None, None]
    half_width = np.maximum(pen, 0.5 / size)
    ink = _squared_distances(ends, size) <= half_width[:, None] ** 2
    return np.asarray(ink.reshape(-1, size, size))


def _squared_distances(ends: Floats, size: int) -> Floats:
    """Return squared distances (P, S S) from pixel centres to the nearest of G segments (P, G, 2, 2)."""
    along = (np.arange(size) + 0.5) / size
    centres = np.stack(np.meshgrid(along, along)).reshape(2, -1)  # x and y, (2, S S)
    begin = ends[:, :, 0]
    way = ends[:, :, 1] - begin
    length2 = (way**2).sum(axis=-1, keepdims=True)
    ahead = way @ centres - (way * begin).sum(axis=-1, keepdims=True)  # (centre - begin) . way, (P, G, S S)
    share = np.clip(ahead / length2, 0.0, 1.0)  # of the way, where the segment is nearest
    to_begin = (centres**2).sum(axis=0) - 2.0 * (begin @ centres) + (begin**2).sum(axis=-1, keepdims=True)
    return np.asarray((to_begin + share * (share * length2 - 2.0 * ahead)).min(axis=1))
