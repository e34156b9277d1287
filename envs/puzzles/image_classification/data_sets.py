"""Data sets of labelled pictures: drawn, from scikit-learn, or from files that the user has.

Nothing is ever downloaded.

P pictures.
"""

from __future__ import annotations

import functools
import pickle
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from scipy.io import loadmat
from typing_extensions import override

from engram.envs.arguments import check_fits
from engram.envs.data.files.idx import read_labelled_images
from engram.envs.data.files.unpickling import NUMPY_NAMES, SafeUnpickler
from engram.envs.data.splits import ONLINE, check_split_sizes, split_rng
from engram.envs.puzzles.image_classification.pictures import Pictures
from engram.envs.puzzles.image_classification.shapes import SHAPES, SIDE, draw_shapes

DIGITS_TRAIN = 1300  # the first of scikit-learn's 1797 digits; the others are the test

_CIFAR_BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
_CIFAR_SHAPE = (3, 32, 32)
# What comes of unpickling something else, or something that is cut short.
_BROKEN = (OSError, EOFError, KeyError, TypeError, AttributeError, ValueError, pickle.UnpicklingError)


class Sampler(Protocol):
    """Draws pictures at random."""

    @property
    def sample(self) -> Callable[[np.random.Generator, int], Pictures]:
        """Draws a number of pictures."""


@dataclass(frozen=True, kw_only=True)
class DataSet(ABC):
    """A data set and its splits.

    Args:
        classes: number of classes.
        mean: of each channel, 1 = brightest.
        std: standard deviation of each channel.
    """

    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @abstractmethod
    def choose(
        self, split: str, data_seed: int, split_sizes: Mapping[str, int] | None, path: str | Path | None
    ) -> Sampler:
        """Return the pictures of a split, or what "online" samples from.

        Raises:
            ValueError: there are fewer than are asked for; files are wanted that cannot be read, or that are
                not there or not needed.
        """


@dataclass(frozen=True, kw_only=True)
class DrawnSet(DataSet):
    """A data set that a generator draws.

    Args:
        sample: makes them.
        sizes: of the finite splits.
        picture_bytes: memory that a picture takes while it is made.
    """

    sample: Callable[[np.random.Generator, int], Pictures]
    sizes: Mapping[str, int]
    picture_bytes: int

    @override
    def choose(
        self, split: str, data_seed: int, split_sizes: Mapping[str, int] | None, path: str | Path | None
    ) -> Sampler:
        _check_no_path(path)
        sizes = check_split_sizes(split_sizes, self.sizes)
        if split != ONLINE:
            check_fits(f"split_sizes.{split}", sizes[split], self.picture_bytes, "pictures")
        return self if split == ONLINE else self.sample(split_rng(data_seed, split), sizes[split])


@dataclass(frozen=True, kw_only=True)
class StoredSet(DataSet):
    """A data set that is stored as a training and a test part.

    Args:
        read: reads a part, "train" or "test", from a folder.
        files: what the folder holds, in words; None if no folder is needed.
        valid: number of the training part's pictures that are set apart where nothing else is said.
    """

    read: Callable[[Path, str], Pictures]
    files: str | None = None
    valid: int = 0

    @override
    def choose(
        self, split: str, data_seed: int, split_sizes: Mapping[str, int] | None, path: str | Path | None
    ) -> Sampler:
        """Divides the training part into "train" and "valid"; "test" begins as its file does."""
        pictures = self.read(self._folder(path), "test" if split == "test" else "train")
        there = len(pictures.labels)
        sizes = check_split_sizes(split_sizes, {"train": 0, "valid": self.valid, "test": there})
        sizes["train"] = sizes["train"] or max(there - sizes["valid"], 0)
        needed = sizes["test"] if split == "test" else sizes["train"] + sizes["valid"]
        if needed > there:
            raise ValueError(
                f"split_sizes: {needed} pictures asked for; legal: at most {there}, as there are"
            )
        if split == "valid" and not sizes["valid"]:
            raise ValueError(
                "split: no pictures are set apart for 'valid', all are for 'train'; legal: split_sizes with "
                "'valid', such as {'valid': 5000}"
            )
        if split == "test":
            return pictures.take(np.arange(needed))
        rows = split_rng(data_seed, ONLINE).permutation(there)[:needed]
        return pictures.take(rows[sizes["train"] :] if split == "valid" else rows[: sizes["train"]])

    def _folder(self, path: str | Path | None) -> Path:
        if self.files is None:
            _check_no_path(path)
            return Path()
        if path is None or not Path(path).is_dir():
            raise ValueError(f"path: {path}; legal: the folder that holds {self.files}")
        return Path(path)


def read_cifar10(folder: Path, part: str) -> Pictures:
    """Read CIFAR-10's binary version, or its Python version, whichever the folder holds.

    Raises:
        ValueError: neither, or a broken file.
    """
    names = _CIFAR_BATCHES[part]
    if (folder / f"{names[0]}.bin").exists():
        batches = [_read_binary(folder / f"{name}.bin") for name in names]
    else:
        batches = [_read_python(folder / name) for name in names]
    return Pictures(*(np.concatenate(arrays) for arrays in zip(*batches, strict=True)))


def read_svhn(folder: Path, part: str) -> Pictures:
    """Read the Street View House Numbers, format 2 (cropped digits); their label 10 is the digit 0.

    Raises:
        ValueError: there is no such file, or it holds something else.
    """
    path = folder / f"{part}_32x32.mat"
    try:
        held = loadmat(str(path), variable_names=["X", "y"])
        images, labels = held["X"], held["y"].reshape(-1)
        if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
            raise ValueError(f"it holds {images.dtype} {images.shape} and {len(labels)} labels")
    except (OSError, KeyError, TypeError, NotImplementedError, ValueError, zlib.error) as error:
        raise ValueError(f"path: {path} is not SVHN's: {error}") from None
    return Pictures(np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels.astype(np.int64) % 10)


def read_emnist(folder: Path, part: str) -> Pictures:
    """Read EMNIST balanced; its files hold pictures column by column, here they are upright.

    Raises:
        ValueError: a file is missing or broken.
    """
    try:
        images, labels = read_labelled_images(folder, part, prefix="emnist-balanced-")
    except ValueError as error:
        raise ValueError(f"path: {error}") from None
    return Pictures(np.ascontiguousarray(images.transpose(0, 2, 1))[:, None], labels)


def read_digits(folder: Path, part: str) -> Pictures:
    """Scikit-learn's digits, 8 x 8 pixels: test set of UCI's "Optical Recognition of Handwritten Digits"."""
    rows = slice(DIGITS_TRAIN) if part == "train" else slice(DIGITS_TRAIN, None)
    digits = _all_digits()
    return Pictures(digits.images[rows], digits.labels[rows])


@functools.cache
def _all_digits() -> Pictures:
    from sklearn.datasets import load_digits  # slow to import, and of no use to the other sets

    digits = load_digits()
    pictures = Pictures(
        np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None], digits.target.astype(np.int64)
    )
    for array in pictures:
        array.flags.writeable = False
    return pictures


DATA_SETS: Mapping[str, DataSet] = {
    # Means and standard deviations: of the first three, paper 1's code; of the others, measured.
    "cifar10": StoredSet(
        read=read_cifar10,
        classes=10,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2023, 0.1994, 0.2010),
        files="CIFAR-10: data_batch_1 to 5 and test_batch, or the same with .bin",
    ),
    "svhn": StoredSet(
        read=read_svhn,
        classes=10,
        mean=(0.4377, 0.4438, 0.4728),
        std=(0.1980, 0.2010, 0.1970),
        files="SVHN: train_32x32.mat and test_32x32.mat",
    ),
    "emnist": StoredSet(
        read=read_emnist,
        classes=47,
        mean=(0.1307,),
        std=(0.3081,),
        files="EMNIST balanced: emnist-balanced-train-images-idx3-ubyte.gz and three more",
    ),
    "digits": StoredSet(read=read_digits, classes=10, mean=(0.3053,), std=(0.3759,), valid=300),
    "shapes": DrawnSet(
        sample=draw_shapes,
        classes=len(SHAPES),
        mean=(0.5, 0.5, 0.5),
        std=(0.29, 0.29, 0.29),
        sizes={"train": 10_000, "valid": 2_000, "test": 2_000},
        picture_bytes=3 * SIDE * SIDE * np.dtype(np.float64).itemsize,
    ),
}


def _check_no_path(path: str | Path | None) -> None:
    if path is not None:
        raise ValueError(f"path: {path}; this data set is not read from files; legal: None")


def _read_binary(path: Path) -> tuple[Any, Any]:
    row = 1 + int(np.prod(_CIFAR_SHAPE))  # a label and its pixels
    try:
        rows = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, row)
    except (OSError, ValueError) as error:
        raise ValueError(f"path: {path} is not CIFAR-10's: {error}") from None
    return rows[:, 1:].reshape(-1, *_CIFAR_SHAPE), rows[:, 0].astype(np.int64)


def _read_python(path: Path) -> tuple[Any, Any]:
    try:
        held = SafeUnpickler(path.read_bytes(), NUMPY_NAMES).load()
        return held[b"data"].reshape(-1, *_CIFAR_SHAPE), np.array(held[b"labels"], np.int64)
    except _BROKEN as error:
        raise ValueError(f"path: {path} is not CIFAR-10's: {error}") from None
