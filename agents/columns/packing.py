"""Plain data as compressed bytes: nests of arrays, numbers and texts, read back without running anything."""

import io
import json
import math
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLAIN = (type(None), bool, int, float, str)
_HEAD_BYTES = 8  # of the number that says how long the head is


def pack(nest: Any) -> bytes:
    """Packs dicts, lists and tuples of arrays, NumPy numbers, numbers, texts, bytes and None.

    Types and bits come back as they were: dicts with any plain keys, tuples, numbers of NumPy, NaN, arrays of
    texts and of objects that are plain data themselves. Bytes of numbers are sorted by their significance,
    for those that are alike lie side by side then.

    Raises:
        TypeError: There is something else in it.
    """
    arrays: list[NDArray[Any]] = []
    head = json.dumps(_encoded(nest, arrays)).encode()
    parts = [len(head).to_bytes(_HEAD_BYTES, "little"), head, *map(_sorted_bytes, arrays)]
    return zlib.compress(b"".join(parts))


def unpack(data: bytes) -> Any:
    """Returns what was packed; its arrays are the caller's own."""
    stream = io.BytesIO(zlib.decompress(data))
    head = stream.read(int.from_bytes(stream.read(_HEAD_BYTES), "little"))
    return _decoded(json.loads(head), stream)


def is_plain(nest: Any) -> bool:
    """Whether something can be packed."""
    try:
        _encoded(nest, [])
    except TypeError:
        return False
    return True


def _encoded(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """A value as JSON, where {kind: what} stands for what JSON does not have; its arrays go into a list."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return [_encoded(item, arrays) for item in value]
    if kind is tuple:
        return {"tuple": _encoded([*value], arrays)}
    if kind is dict:
        return {"dict": _encoded([[*pair] for pair in value.items()], arrays)}
    if kind is np.ndarray and value.dtype == object:
        return {"objects": [value.shape, _encoded([*value.ravel()], arrays)]}
    name = {bytes: "bytes", np.ndarray: "array"}.get(kind, "number")
    if name == "number" and not isinstance(value, np.generic):
        raise TypeError(f"{kind.__name__} is no plain data")
    array = np.frombuffer(value, np.uint8) if kind is bytes else np.asarray(value)
    if array.dtype.hasobject or array.dtype.names:
        raise TypeError(f"{kind.__name__} of {array.dtype} is no plain data")
    arrays.append(array)
    return {name: [array.dtype.str, array.shape]}


def _decoded(value: Any, stream: io.BytesIO) -> Any:
    """What a value stands for; arrays come from a stream in the order of their names."""
    if isinstance(value, list):
        return [_decoded(item, stream) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "tuple":
        return tuple(_decoded(inner, stream))
    if kind == "dict":
        return dict(_decoded(inner, stream))
    if kind == "objects":
        return _of_objects(_decoded(inner[1], stream), inner[0])
    array = _from_bytes(stream, np.dtype(inner[0]), inner[1])
    return array.tobytes() if kind == "bytes" else array[()] if kind == "number" else array


def _sorted_bytes(array: NDArray[Any]) -> bytes:
    """The bytes of an array: the first one of each number, then the second one of each, and so on."""
    if not array.nbytes:
        return b""
    rows = np.ascontiguousarray(array).reshape(-1, 1).view(np.uint8)
    return rows.T.tobytes()


def _from_bytes(stream: io.BytesIO, dtype: np.dtype[Any], shape: Iterable[int]) -> NDArray[Any]:
    """The next array of a stream, as `_sorted_bytes` left it."""
    count = math.prod(shape)
    rows = np.frombuffer(stream.read(count * dtype.itemsize), np.uint8).reshape(dtype.itemsize, count)
    array = np.empty((count, 1), dtype)
    if array.nbytes:
        array.view(np.uint8)[:] = rows.T
    return array.reshape(tuple(shape))


def _of_objects(items: list[Any], shape: Iterable[int]) -> NDArray[Any]:
    """An array of objects, which may be arrays themselves."""
    array = np.empty(len(items), object)
    for place, item in enumerate(items):
        array[place] = item
    return array.reshape(tuple(shape))
