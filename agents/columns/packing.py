"""Plain data as compressed bytes: nests of arrays, numbers and texts, read back without running anything."""

import io
import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLAIN = (type(None), bool, int, float, str)
_HEAD_BYTES = 8  # of the number that says how long the head is

Foreign = Callable[[Any], bytes]
"""Makes bytes of an object that is no plain data."""


def refuse(value: Any) -> bytes:
    """Takes nothing but plain data.

    Raises:
        TypeError: Always.
    """
    raise TypeError(f"{type(value).__name__} is no plain data")


def pack(nest: Any, foreign: Foreign = refuse) -> bytes:
    """Packs dicts, lists and tuples of arrays, NumPy numbers, numbers, texts, bytes and None.

    Types and bits come back as they were: dicts with any plain keys, tuples, numbers of NumPy, NaN.

    Args:
        nest: What to pack.
        foreign: Makes bytes of any other object; by default there may be none.
    """
    arrays: list[NDArray[Any]] = []
    head = json.dumps(_encoded(nest, arrays, foreign)).encode()
    body = io.BytesIO()
    for array in arrays:
        np.lib.format.write_array(body, array, allow_pickle=False)
    return zlib.compress(len(head).to_bytes(_HEAD_BYTES, "little") + head + body.getvalue())


def unpack(data: bytes, foreign: Callable[[bytes], Any] = refuse) -> Any:
    """Returns what was packed.

    Args:
        data: From `pack`.
        foreign: Makes an object of the bytes that stand for it; by default there may be none.

    Raises:
        TypeError: There is one.
    """
    stream = io.BytesIO(zlib.decompress(data))
    head = stream.read(int.from_bytes(stream.read(_HEAD_BYTES), "little"))
    arrays = []
    while stream.tell() < len(stream.getbuffer()):
        arrays.append(np.lib.format.read_array(stream, allow_pickle=False))
    return _decoded(json.loads(head), arrays, foreign)


def _encoded(value: Any, arrays: list[NDArray[Any]], foreign: Foreign) -> Any:
    """A value as JSON, in which {kind: index or items} stands for what JSON does not have."""

    def put(array: NDArray[Any]) -> int:
        arrays.append(array)
        return len(arrays) - 1

    def each(items: Any) -> list[Any]:
        return [_encoded(item, arrays, foreign) for item in items]

    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return each(value)
    if kind is tuple:
        return {"tuple": each(value)}
    if kind is dict:
        return {"dict": [each(pair) for pair in value.items()]}
    if kind is bytes:
        return {"bytes": put(np.frombuffer(value, np.uint8))}
    if kind is np.ndarray and not value.dtype.hasobject:
        return {"array": put(value)}
    if kind is np.ndarray and value.dtype == object:
        return {"objects": [list(value.shape), each(value.ravel())]}
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return {"number": put(np.asarray(value))}
    return {"foreign": put(np.frombuffer(foreign(value), np.uint8))}


def _decoded(value: Any, arrays: list[NDArray[Any]], foreign: Callable[[bytes], Any]) -> Any:
    def each(items: Any) -> list[Any]:
        return [_decoded(item, arrays, foreign) for item in items]

    if isinstance(value, list):
        return each(value)
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "tuple":
        return tuple(each(inner))
    if kind == "dict":
        return dict(each(pair) for pair in inner)
    if kind == "objects":
        shape, items = inner
        return _of_objects(each(items), shape)
    array = arrays[inner]
    if kind == "array":
        return array
    if kind == "number":
        return array[()]
    return array.tobytes() if kind == "bytes" else foreign(array.tobytes())


def _of_objects(items: list[Any], shape: list[int]) -> NDArray[Any]:
    """An array of objects, which may be arrays themselves."""
    array = np.empty(len(items), object)
    for place, item in enumerate(items):
        array[place] = item
    return array.reshape(shape)
