"""Reads pickled arrays without running code from the file."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np

# How NumPy's arrays were pickled, under the names of NumPy 1 (Python 2 too) and of NumPy 2.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
NUMPY_NAMES: Mapping[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class SafeUnpickler(pickle.Unpickler):
    """Unpickler that resolves the names it is given and refuses all others.

    Args:
        data: the pickled bytes.
        names: module and name, as pickled -> what it stands for.
    """

    def __init__(self, data: bytes, names: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(BytesIO(data), encoding="bytes")  # as Python 2 wrote strings
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name stands for.

        Raises:
            pickle.UnpicklingError: it is not one of the known ones.
        """
        if (module, name) not in self._names:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not read")
        return self._names[module, name]
