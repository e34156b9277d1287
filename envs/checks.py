"""Checks of arguments: every refusal names the offender, the legal values and the nearest one."""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray


def check_known(name: str, value: Any, known: Sequence[str]) -> str:
    """Return `value` if it is one of `known`.

    Raises:
        ValueError: it is not; the message holds the known values and the nearest one.
    """
    if isinstance(value, str) and value in known:
        return value
    near = difflib.get_close_matches(str(value), known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"{name}: unknown {value!r}; {hint}known: {', '.join(sorted(known))}")


def check_keys(name: str, keys: Iterable[str], known: Sequence[str]) -> None:
    """Refuse the first of `keys` that is not among `known`.

    Raises:
        ValueError: see `check_known`.
    """
    for key in keys:
        check_known(f"{name}.{key}", key, known)


def check_whole(name: str, value: Any, legal: str) -> int:
    """Return `value` as an `int`; NumPy integers pass, booleans and floats do not.

    Raises:
        ValueError: it is not a whole number; `legal` says in words what would be.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name}: {value!r} is not a whole number; legal: {legal}") from None


def check_flag(name: str, value: Any) -> bool:
    """Return `value` if it is a boolean.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}: {value!r} is not a boolean; legal: true, false")
    return bool(value)


def check_at_least(name: str, value: Any, low: int, legal: str) -> int:
    """Return `value` as an `int` if it is a whole number from `low` on.

    Raises:
        ValueError: it is not; `legal` says in words what would be.
    """
    number = check_whole(name, value, legal)
    if number < low:
        raise ValueError(f"{name}: {number} is too small; legal: {legal}; nearest: {low}")
    return number


def check_timeout(name: str, value: Any) -> int:
    """Return `value` if it is a number of env steps after which an episode may end, or -1 for never.

    Raises:
        ValueError: it is not.
    """
    legal = "-1 (never) or >= 1 env steps"
    if check_at_least(name, value, -1, legal) == 0:
        raise ValueError(f"{name}: 0 would end an episode before its first step; legal: {legal}; nearest: 1")
    return int(value)


def check_choices(name: str, value: Any, legal: str, check: Callable[[str, Any], int]) -> tuple[int, ...]:
    """Return one value, or a sequence of values to draw from in each episode, as a tuple.

    Args:
        name: of the parameter.
        value: one value or a sequence.
        legal: what is legal, in words.
        check: returns one value as an `int` or raises `ValueError`; called with the name and the value.

    Raises:
        ValueError: no value, or an illegal one.
    """
    choices = tuple(check(name, one) for one in listed(value))
    if not choices:
        raise ValueError(f"{name}: the list is empty; legal: {legal}")
    return choices


def check_drawn(name: str, value: Any, low: int, unit: str) -> tuple[int, ...]:
    """Return the whole numbers that a parameter is drawn from in each episode, as a tuple.

    Args:
        name: of the parameter.
        value: a number, a list of numbers, or a range `{"low": ..., "high": ...}`, both ends included.
        low: the smallest legal number.
        unit: what is counted, in words.

    Raises:
        ValueError: no number, or an illegal one.
    """
    legal = f">= {low} {unit}, a list of these, or a range {{low: ..., high: ...}}"
    if isinstance(value, Mapping):
        check_keys(name, value, ("low", "high"))
        if len(value) < 2:
            raise ValueError(f"{name}: {dict(value)} is no range; legal: {legal}")
        first = check_at_least(f"{name}.low", value["low"], low, f">= {low} {unit}")
        last = check_at_least(f"{name}.high", value["high"], first, f">= {name}.low, {first} {unit}")
        return tuple(range(first, last + 1))
    return check_choices(name, value, legal, functools.partial(check_at_least, low=low, legal=legal))


def listed(value: Any) -> Iterable[Any]:
    """Return a list, tuple or array as it is, anything else, arrays without axes too, as a list of one."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    return value if isinstance(value, list | tuple | np.ndarray) else [value]


def spread(name: str, values: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Spread one value over all lanes, or take one per lane.

    Args:
        name: of the reset option.
        values: of shape `shape[1:]`, or `shape`.
        shape: lanes first.

    Raises:
        ValueError: the values have another shape.
    """
    given = np.asarray(values)
    try:
        return np.broadcast_to(given, shape)
    except ValueError:
        legal = f"{shape[1:] or 'one value'} or one per lane {shape}"
        raise ValueError(f"options.{name}: shape {given.shape} does not fit; legal: {legal}") from None


def check_autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """Return SAME_STEP or NEXT_STEP, given as the enum, its name or its value.

    Raises:
        ValueError: another mode.
    """
    modes = (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP)
    known = {each.name: each for each in modes} | {each.value: each for each in modes}
    name = mode.name if isinstance(mode, AutoresetMode) else mode
    return known[check_known("autoreset_mode", name, list(known))]


def check_shapes(
    name: str, arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...] | None]
) -> None:
    """Refuse arrays, given by name, that are others than expected or have another shape.

    Raises:
        ValueError: see above.
    """
    if set(arrays) != set(shapes):
        raise ValueError(f"{name}: holds {sorted(arrays)}; expected {sorted(shapes)}")
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            raise ValueError(f"{name}.{key}: shape {arrays[key].shape}; expected {shape}")
