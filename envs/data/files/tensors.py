"""Tensor files (`.pth`, `.pt`) as arrays, read without PyTorch.

Such a file is a zip archive: `data.pkl`, a pickle that names storages, and one member per storage with its
numbers.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.envs.data.files.unpickling import SafeUnpickler

_DTYPES = {
    "BoolStorage": "?",
    "ByteStorage": "u1",
    "CharStorage": "i1",
    "ShortStorage": "i2",
    "IntStorage": "i4",
    "LongStorage": "i8",
    "HalfStorage": "f2",
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
}


def read_tensor(path: str | Path) -> NDArray[Any]:
    """Read one tensor that `torch.save` wrote, PyTorch 1.6 or later.

    Args:
        path: of the file.

    Returns:
        an array of the tensor's shape and type; read-only.

    Raises:
        ValueError: there is no such file, or it holds something else than one tensor.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            [index] = [name for name in archive.namelist() if name.endswith("data.pkl")]
            tensor = _TensorUnpickler(archive, index).load()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise ValueError(
            f"path: {path} is not a file of one tensor (PyTorch 1.6 or later): {error}"
        ) from None
    if not isinstance(tensor, np.ndarray):
        raise ValueError(f"path: {path} holds a {type(tensor).__name__}; legal: one tensor")
    return tensor


class _TensorUnpickler(SafeUnpickler):
    """Makes arrays of tensors."""

    def __init__(self, archive: zipfile.ZipFile, index: str) -> None:
        names: dict[tuple[str, str], Any] = {("torch", name): code for name, code in _DTYPES.items()}
        names["torch._utils", "_rebuild_tensor_v2"] = _rebuild
        names["collections", "OrderedDict"] = dict
        super().__init__(archive.read(index), names)
        self._archive, self._folder = archive, index.removesuffix("data.pkl")

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        """Return the numbers of a storage."""
        _, dtype, key, *_ = pid
        return np.frombuffer(self._archive.read(f"{self._folder}data/{key}"), f"<{dtype}")


def _rebuild(storage: NDArray[Any], offset: int, shape: Any, strides: Any, *_: Any) -> NDArray[Any]:
    steps = [stride * storage.itemsize for stride in strides]
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if min(*shape, *strides, offset, 1) < 0 or (0 not in shape and last >= len(storage)):
        raise ValueError(f"a tensor {tuple(shape)} does not fit into {len(storage)} numbers")
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)
