"""Labelled pictures and their transformations.

P pictures, C channels, H rows, W columns.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engram.envs.arguments import MOST_BYTES, check_at_least

MOST_PIXELS = 1024  # a side
CROP_BORDER = 4  # pixels around a picture out of which it is cropped again; paper 1

Pixels = NDArray[np.uint8]


class Pictures(NamedTuple):
    """Pictures and their classes.

    Attributes:
        images: uint8 (P, C, H, W).
        labels: int64 (P,).
    """

    images: Pixels
    labels: NDArray[np.int64]

    def take(self, rows: NDArray[Any]) -> Pictures:
        """Copy some of the pictures; rows may repeat."""
        return Pictures(self.images[rows], self.labels[rows])

    def sample(self, rng: np.random.Generator, count: int) -> Pictures:
        """Draw pictures independently at random."""
        return self.take(rng.integers(len(self.labels), size=count))


def fit(pictures: Pictures, size: int | None) -> Pictures:
    """Enlarge square pictures by the largest whole factor that fits, with a black border.

    Args:
        pictures: images (P, C, H, H).
        size: the new side; None leaves pictures as they are.

    Raises:
        ValueError: pictures are larger than that.
    """
    if size is None:
        return pictures
    side = pictures.images.shape[-1]
    planes = max(1, math.prod(pictures.images.shape[:2]))
    most = min(MOST_PIXELS, math.isqrt(MOST_BYTES // planes))
    size = check_at_least("size", size, side, f"None, or >= {side} pixels", max(side, most))
    scale = size // side
    before, odd = divmod(size - scale * side, 2)
    border = (before, before + odd)
    large = pictures.images.repeat(scale, axis=-2).repeat(scale, axis=-1)
    return Pictures(np.pad(large, ((0, 0), (0, 0), border, border)), pictures.labels)


def random_crop(rng: np.random.Generator, images: Pixels, border: int = CROP_BORDER) -> Pixels:
    """Move every picture by up to `border` pixels; what comes in from outside is black."""
    around = (border, border)
    padded = np.pad(images, ((0, 0), (0, 0), around, around))
    windows = sliding_window_view(padded, images.shape[-2:], axis=(-2, -1))
    rows, columns = rng.integers(2 * border, size=(2, len(images)), endpoint=True)
    cropped: Pixels = windows[np.arange(len(images)), :, rows, columns]
    return cropped


def random_flip(rng: np.random.Generator, images: Pixels) -> Pixels:
    """Mirror each picture, left to right, with probability 1/2."""
    mirrored = rng.random(len(images)) < 0.5
    return np.where(mirrored[:, None, None, None], images[..., ::-1], images)
