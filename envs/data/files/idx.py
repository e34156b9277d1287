"""IDX files, the format of MNIST and EMNIST: an array of whole or real numbers of any rank.

Layout: two zero bytes, a type code, the number of axes n; n sizes as big-endian uint32; the numbers,
big-endian, last axis fastest.
Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", the IDX file format.
P images, H rows, W columns.
"""

from __future__ import annotations

import glob
import gzip
import math
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.envs.arguments import check_known

PARTS = {"train": ("train",), "test": ("t10k", "test")}
"""Parts of a data set, and how the names of their files begin (after a prefix)."""

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"


class LabelledImages(NamedTuple):
    """Gray images and their classes.

    Attributes:
        images: uint8 (P, H, W).
        labels: int64 (P,).
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_idx(path: str | Path) -> NDArray[Any]:
    """Read an IDX file, gzipped or not, whatever its name ends in.

    Args:
        path: of the file.

    Returns:
        the array in the machine's byte order, writeable.

    Raises:
        ValueError: there is no such file, or it is no complete IDX file; the message says what is wrong.
    """
    path = Path(path)
    data = _unpacked(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        raise ValueError(f"{path}: not an IDX file: it begins with {data[:4].hex(' ') or 'nothing'}")
    dtype, axes = np.dtype(_TYPES[data[2]]), data[3]
    begin = 4 + 4 * axes
    if len(data) < begin:
        raise ValueError(f"{path}: cut short: {len(data)} bytes, the sizes of {axes} axes need {begin}")
    shape = tuple(np.frombuffer(data, ">u4", axes, offset=4).tolist())
    expected = begin + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        fault = "cut short" if len(data) < expected else "too long"
        raise ValueError(f"{path}: {fault}: {len(data)} bytes, {dtype.name} {shape} needs {expected}")
    return np.frombuffer(data, dtype, offset=begin).reshape(shape).astype(dtype.newbyteorder("="))


def _unpacked(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == _GZIP else data
    except (OSError, EOFError, zlib.error) as error:  # EOFError: a gzip stream that is cut short
        raise ValueError(f"{path}: cannot be read: {error}") from None


def read_labelled_images(folder: str | Path, part: str, prefix: str = "") -> LabelledImages:
    """Read one part of a data set laid out as MNIST is: one file of images, one of labels.

    Args:
        folder: that holds the files, such as `train-images-idx3-ubyte.gz` and `train-labels-idx1-ubyte.gz`;
            `.idx3-ubyte` and missing `.gz` do as well.
        part: "train" or "test"; MNIST's own name for the latter, `t10k`, does too.
        prefix: what stands before that in the names of files, `emnist-letters-` for instance.

    Raises:
        ValueError: a file is missing or broken, or images and labels do not fit together.
    """
    check_known("part", part, list(PARTS))
    pictures = _find(Path(folder), part, prefix, "images")
    classes = _find(Path(folder), part, prefix, "labels")
    images, labels = read_idx(pictures), read_idx(classes)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ValueError(f"{pictures}: holds {images.dtype} {images.shape}; expected uint8 (P, H, W)")
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(f"{classes}: holds {labels.dtype} {labels.shape}; expected ({len(images)},) labels")
    return LabelledImages(images, labels.astype(np.int64))


def _find(folder: Path, part: str, prefix: str, what: str) -> Path:
    """Find the file of a part."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: is no folder; legal: one that holds a data set as IDX files")
    patterns = [f"{glob.escape(prefix)}{name}-{what}?idx*" for name in PARTS[part]]
    found = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    if not found:
        there = ", ".join(sorted(file.name for file in folder.iterdir())[:8]) or "nothing"
        raise ValueError(f"{folder}: no file {' or '.join(patterns)}; it holds {there}")
    return found[0]  # of a packed and an unpacked copy, the unpacked one
