"""Spaces as what JSON can hold, and back."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from engram.agents.models.spaces import (
    Box,
    Dict,
    Discrete,
    MultiBinary,
    MultiDiscrete,
    Space,
    Tokens,
    Tuple,
    Words,
    frames_in,
    named,
)

MOST_NUMBERS = 2**28
"""More than any observation or action has."""

_INFINITE = {math.inf: "inf", -math.inf: "-inf"}  # which JSON does not have


def space_data(space: Any, path: str) -> dict[str, Any]:
    """Describes a space by what JSON can hold.

    Args:
        space: Gymnasium's, or one of `engram.agents.models.spaces`.
        path: What it is called in errors.

    Raises:
        ValueError: A space that no network of this package is made for.
    """
    if isinstance(space, Dict) and all(isinstance(name, str) for name in space.spaces):
        parts = {name: space_data(part, f"{path}.{name}") for name, part in space.items()}
        return {"type": "Dict", "spaces": parts}
    if isinstance(space, Tuple):
        each = [space_data(part, f"{path}.{place}") for place, part in enumerate(space.spaces)]
        return {"type": "Tuple", "spaces": each}
    if isinstance(space, MultiBinary):
        return {"type": "MultiBinary", "shape": list(space.shape)}
    if not isinstance(space, Box | Discrete | MultiDiscrete):
        known = "Box, Discrete, MultiDiscrete, MultiBinary, Dict with texts as keys, Tuple"
        raise ValueError(f"{path}: cannot write {named(space)}; known: {known}")
    return _numbers(space) | {"dtype": np.dtype(space.dtype).name}


def _numbers(space: Box | Discrete | MultiDiscrete) -> dict[str, Any]:
    if isinstance(space, Box):
        bounds = {"low": _short(space.low), "high": _short(space.high)}
        frames = {"frames": frames_in(space)} if frames_in(space) > 1 else {}
        return {"type": "Box", "shape": list(space.shape), **bounds, **frames}
    if isinstance(space, Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    numbers = {"type": "MultiDiscrete", "nvec": space.nvec.tolist(), "start": _short(space.start)}
    if not hasattr(space, "vocabulary"):
        return numbers
    unit, words = (getattr(space.vocabulary, key, ()) for key in Words._fields)
    return numbers | {"type": "Tokens", "unit": str(unit), "words": list(words)}


def _short(values: Any) -> Any:
    """An array as lists of numbers, without the axes along which it stays the same."""
    array = np.asarray(values)
    while array.ndim and array.size and (array == array[0]).all():
        array = array[0]
    return _plain(array.tolist() if array.size else 0)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return _INFINITE.get(value, value)


def space_of(data: Any, path: str) -> Space:
    """Makes the space that `space_data` has described; arguments and errors as there."""
    try:
        return _made(data)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: describes no space: {type(error).__name__}: {error}") from None


def _made(data: Mapping[str, Any]) -> Space:
    kind = data["type"]
    if kind == "Dict":
        return Dict({str(name): _made(part) for name, part in data["spaces"].items()})
    if kind == "Tuple":
        return Tuple(_made(part) for part in data["spaces"])
    if kind == "MultiBinary":
        return MultiBinary(_shape(data))
    if kind == "Box":
        frames = _whole(data.get("frames", 1))
        return Box(_numeric(data["low"]), _numeric(data["high"]), _shape(data), data["dtype"], frames)
    if kind == "Discrete":
        return Discrete(_whole(data["n"]), _whole(data["start"]), data["dtype"])
    if kind == "Tokens":
        return Tokens(data["nvec"], Words(data["unit"], tuple(data["words"])))
    if kind == "MultiDiscrete":
        return MultiDiscrete(data["nvec"], data["start"], data["dtype"])
    raise ValueError(f"type {kind!r}")


def _shape(data: Mapping[str, Any]) -> tuple[int, ...]:
    shape = tuple(_whole(size) for size in data["shape"])
    if min(shape, default=0) < 0 or math.prod(shape) > MOST_NUMBERS:
        raise ValueError(f"shape {shape}")
    return shape


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no whole number")
    return value


def _numeric(value: Any) -> Any:
    if isinstance(value, list):
        return [_numeric(one) for one in value]
    return float(value) if value in _INFINITE.values() else value  # float("inf")
