"""Drawn pictures of ten shapes, which need no files.

P pictures of 3 channels, 32 rows and 32 columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from engram.envs.puzzles.image_classification.pictures import Pictures

SIDE = 32  # pixels
RADII = (7.0, 13.0)  # pixels from the centre to the edge of a shape's square
CONTRAST = (96, 160)  # between shape and ground in each channel, modulo 256
NOISE = 12.0  # standard deviation of each channel of each pixel

Plane = NDArray[np.float64]
Mask = NDArray[np.bool_]


def _edge(u: Plane, v: Plane) -> Plane:
    return np.maximum(np.abs(u), np.abs(v))


SHAPES: Mapping[str, Callable[[Plane, Plane], Mask]] = {
    "disc": lambda u, v: np.hypot(u, v) <= 1,
    "ring": lambda u, v: np.abs(np.hypot(u, v) - 0.75) <= 0.25,
    "square": lambda u, v: _edge(u, v) <= 1,
    "frame": lambda u, v: np.abs(_edge(u, v) - 0.75) <= 0.25,
    "diamond": lambda u, v: np.abs(u) + np.abs(v) <= 1,
    "triangle": lambda u, v: (2 * np.abs(u) <= v + 1) & (v <= 1),
    "plus": lambda u, v: (np.minimum(np.abs(u), np.abs(v)) <= 0.25) & (_edge(u, v) <= 1),
    "saltire": lambda u, v: (np.abs(np.abs(u) - np.abs(v)) <= 0.25) & (_edge(u, v) <= 1),
    "rows": lambda u, v: (np.floor(2.5 * (v + 1)) % 2 == 0) & (_edge(u, v) <= 1),
    "columns": lambda u, v: (np.floor(2.5 * (u + 1)) % 2 == 0) & (_edge(u, v) <= 1),
}
"""What a shape covers of its square: u to the right and v down, both from -1 to 1."""


def draw_shapes(rng: np.random.Generator, count: int) -> Pictures:
    """Draw pictures of one shape each, of random class, place, size and colours, with noise."""
    labels = rng.integers(len(SHAPES), size=count)
    radii = rng.uniform(*RADII, count)
    # The whole shape is in the picture.
    centres = radii - 0.5 + rng.random((2, count)) * (SIDE - 2 * radii)
    pixels = np.arange(SIDE)
    across, down = (pixels - centres[:, :, None]) / radii[:, None]
    covered = np.empty((count, SIDE, SIDE), np.bool_)
    for label, covers in enumerate(SHAPES.values()):
        rows = np.flatnonzero(labels == label)
        covered[rows] = covers(across[rows, None, :], down[rows, :, None])
    ground = rng.integers(256, size=(count, 3))
    shape = (ground + rng.integers(*CONTRAST, size=(count, 3), endpoint=True)) % 256
    clean = np.where(covered[:, None], shape[:, :, None, None], ground[:, :, None, None])
    noisy = clean + rng.normal(0.0, NOISE, clean.shape)
    return Pictures(noisy.round().clip(0, 255).astype(np.uint8), labels)
