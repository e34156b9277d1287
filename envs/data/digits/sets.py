"""Digits by split: drawn stroke by stroke, or read from MNIST's files.

P digits, S pixels a side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from typing_extensions import override

from engram.envs.arguments import check_path
from engram.envs.arrays import Flags, Floats, Ints
from engram.envs.data.digits.strokes import CLASSES, NUMBERS, rasterise
from engram.envs.data.files.idx import LabelledImages, read_labelled_images
from engram.envs.data.splits import ONLINE, SPLITS, check_data_seed, check_split, check_split_sizes

SPLIT_SIZES: Mapping[str, int] = {"train": 48_000, "valid": 12_000, "test": 10_000}
"""Digits in each finite split: MNIST's 60,000 for training, a fifth of them set apart, and 10,000."""

_ENDLESS = 2**62
_INK = 128  # the least gray that counts as ink


class DigitSet(ABC):
    """Digits that can be shown at any resolution.

    Attributes:
        count: number of digits; they are numbered 0 .. count - 1.
    """

    count: int

    @property
    @abstractmethod
    def shares(self) -> Floats:
        """Share of each class, (10,)."""

    @abstractmethod
    def labels(self, numbers: Ints) -> Ints:
        """Return the classes of digits, 0 to 9, (P,)."""

    @abstractmethod
    def pixels(self, numbers: Ints, size: int) -> Flags:
        """Return where digits have ink, bool (P, S, S) with S = `size`."""


@dataclass(frozen=True)
class StrokeDigits(DigitSet):
    """Digits drawn by strokes; number n is always the same digit, and its class is n modulo 10.

    Args:
        seed: of all splits.
        split: one of `SPLITS`; each is a random stream of its own.
        count: how many.
    """

    seed: int
    split: str
    count: int

    @property
    @override
    def shares(self) -> Floats:
        return (self.count - np.arange(CLASSES) + CLASSES - 1) // CLASSES / self.count

    @override
    def labels(self, numbers: Ints) -> Ints:
        return numbers % CLASSES

    @override
    def pixels(self, numbers: Ints, size: int) -> Flags:
        stream = [self.seed, SPLITS.index(self.split)]
        looks = [np.random.default_rng([*stream, number]).random(NUMBERS) for number in numbers.tolist()]
        return rasterise(self.labels(numbers), np.array(looks), size)


@dataclass(frozen=True)
class ScannedDigits(DigitSet):
    """Digits read from files: scaled to the nearest pixel, then made black and white at half gray.

    Source: RIMs, arXiv 1909.10893, appendix C.6.

    Args:
        scans: gray images and classes.
    """

    scans: LabelledImages

    @cached_property
    def count(self) -> int:  # type: ignore[override]
        """Number of scans."""
        return len(self.scans.labels)

    @property
    @override
    def shares(self) -> Floats:
        return np.bincount(self.scans.labels, minlength=CLASSES) / self.count

    @override
    def labels(self, numbers: Ints) -> Ints:
        return self.scans.labels[numbers]

    @override
    def pixels(self, numbers: Ints, size: int) -> Flags:
        height, width = self.scans.images.shape[1:]
        rows, cols = (((np.arange(size) + 0.5) * side / size).astype(np.int64) for side in (height, width))
        return np.asarray(self.scans.images[numbers[:, None, None], rows[:, None], cols] >= _INK)


def open_digits(
    split: str = ONLINE,
    path: str | None = None,
    data_seed: int = 0,
    split_sizes: Mapping[str, int] | None = None,
) -> DigitSet:
    """Open the digits of one split.

    Args:
        split: "online": strokes without end; "train", "valid" or "test": a finite set.
        path: folder with MNIST's four files, see `engram.envs.data.files.idx`; None: digits drawn by strokes.
            Of the files for training, the first are "train" and the last are "valid".
        data_seed: of digits drawn by strokes.
        split_sizes: digits in "train", "valid" and "test", where they are to be others than `SPLIT_SIZES`
            (strokes) or four fifths, one fifth and all that is there (files).

    Raises:
        ValueError: an argument is not legal, or a file is missing or broken.
    """
    check_split(split)
    check_data_seed(data_seed)
    sizes = check_split_sizes(split_sizes, {}, "digits")
    folder = check_path("path", path)
    if folder is not None:
        return _scanned(folder, split, sizes)
    return StrokeDigits(data_seed, split, {ONLINE: _ENDLESS, **SPLIT_SIZES, **sizes}[split])


def _scanned(folder: Path, split: str, sizes: Mapping[str, int]) -> ScannedDigits:
    if split == ONLINE:
        raise ValueError("split: 'online' has no end, files have; legal with a path: train, valid, test")
    try:
        scans = read_labelled_images(folder, "test" if split == "test" else "train")
    except ValueError as error:
        raise ValueError(f"path: {error}") from None
    there = len(scans.labels)
    if there == 0 or not 0 <= scans.labels.min() <= scans.labels.max() < CLASSES:
        raise ValueError(
            f"path: {folder}: expected digits of classes 0 to {CLASSES - 1}; found others, or none"
        )
    valid = sizes.get("valid", there // 5)
    wanted = {"train": sizes.get("train", there - valid), "valid": valid, "test": sizes.get("test", there)}
    needed = wanted["test"] if split == "test" else wanted["train"] + wanted["valid"]
    if needed > there or wanted[split] < 1:
        raise ValueError(f"split_sizes: {wanted} do not fit into the {there} digits of {folder}")
    part = slice(there - valid, there) if split == "valid" else slice(wanted[split])
    return ScannedDigits(LabelledImages(scans.images[part], scans.labels[part]))
