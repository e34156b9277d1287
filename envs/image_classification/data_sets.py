"""Data sets of labelled pictures, from scikit-learn or from files that the user has; nothing is downloaded.

P pictures.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from engram.envs.files.idx import read_labelled_images
from engram.envs.files.unpickling import NUMPY_NAMES, SafeUnpickler
from engram.envs.image_classification.pictures import Pictures

DIGITS_TRAIN = 1300  # the first of scikit-learn's 1797 digits; the others, by other writers in part, are the test

_CIFAR_BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
_CIFAR_SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class DataSet:
    """A data set in two parts.

    Args:
        read: reads a part, "train" or "test", from a folder.
        classes: number of classes.
        mean: of each channel, 1 = brightest.
        std: standard deviation of each channel.
        files: what the folder holds, in words; none if it is not read from files.
        valid: how many of the training part's pictures are set apart where nothing is said.
    """

    read: Callable[[Path, str], Pictures]
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    files: str | None = None
    valid: int = 0


def read_cifar10(folder: Path, part: str) -> Pictures:
    """Read CIFAR-10's binary version, or its Python version, whichever the folder holds.

    Raises:
        ValueError: neither, or a broken file.
    """
    names = _CIFAR_BATCHES[part]
    binary = (folder / f"{names[0]}.bin").exists()
    batches = [_read_binary(folder / f"{name}.bin") if binary else _read_python(folder / name) for name in names]
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
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"path: {path} is not SVHN's: {error}") from None
    return Pictures(np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels.astype(np.int64) % 10)


def read_emnist(folder: Path, part: str) -> Pictures:
    """Read EMNIST balanced; its files hold pictures column by column, here they are upright.

    Raises:
        ValueError: a file is missing or broken.
    """
    images, labels = read_labelled_images(folder, part, prefix="emnist-balanced-")
    return Pictures(np.ascontiguousarray(images.transpose(0, 2, 1))[:, None], labels)


def read_digits(folder: Path, part: str) -> Pictures:
    """Scikit-learn's digits, 8 x 8 pixels (UCI, "Optical Recognition of Handwritten Digits", its test set)."""
    from sklearn.datasets import load_digits  # slow to import, and of no use to the other sets

    rows = slice(DIGITS_TRAIN) if part == "train" else slice(DIGITS_TRAIN, None)
    digits = load_digits()
    images = np.rint(digits.images[rows] * (255 / 16)).astype(np.uint8)
    return Pictures(images[:, None], digits.target[rows].astype(np.int64))


DATA_SETS: Mapping[str, DataSet] = {
    # Means and standard deviations of the first three: paper 1's code; of the digits: measured, 8 x 8 pixels.
    "cifar10": DataSet(
        read_cifar10,
        10,
        (0.4914, 0.4822, 0.4465),
        (0.2023, 0.1994, 0.2010),
        "data_batch_1.bin or data_batch_1 (unpacked) and so on",
    ),
    "svhn": DataSet(
        read_svhn,
        10,
        (0.4377, 0.4438, 0.4728),
        (0.1980, 0.2010, 0.1970),
        "train_32x32.mat and test_32x32.mat",
    ),
    "emnist": DataSet(
        read_emnist, 47, (0.1307,), (0.3081,), "emnist-balanced-train-images-idx3-ubyte.gz and so on"
    ),
    "digits": DataSet(read_digits, 10, (0.3053,), (0.3760,), valid=300),
}


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
    except (OSError, EOFError, KeyError, TypeError, AttributeError, ValueError, pickle.UnpicklingError) as error:
        raise ValueError(f"path: {path} is not CIFAR-10's: {error}") from None
