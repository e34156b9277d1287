"""Checks of arguments: every refusal names the offender, the legal values and the nearest one."""

from __future__ import annotations

import difflib
import functools
import operator
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

MOST_STEPS = 1_000_000_000
"""Env steps that a wait or a time limit may last: sums of a few of them are far from what 64 bits hold."""

MOST_BYTES = 2**31
"""Memory that the lanes of an environment, or one of its data sets, may take."""

_LONGEST = 80  # characters of a value in a message
_UNNAMED = (
    "Cc",
    "Cs",
    "Zl",
    "Zp",
)  # kinds of characters: control, half ones, separators of lines and paragraphs


def shown(value: Any) -> str:
    """Format a value for a message: on one line, and cut where it is long."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python does not write out whole numbers of more than 4300 digits
        text = f"{type(value).__name__} of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def check_known(name: str, value: Any, known: Sequence[str]) -> str:
    """Return `value` if it is one of `known`.

    Raises:
        ValueError: it is not; the message holds the known values and the nearest one.
    """
    if isinstance(value, str) and value in known:
        return value
    raise ValueError(f"{name}: unknown {shown(value)}; {hint(value, known)}known: {', '.join(sorted(known))}")


def hint(value: Any, known: Sequence[str]) -> str:
    """Return what may have been meant, to be put into a message; nothing where none of `known` is near."""
    near = difflib.get_close_matches(value if isinstance(value, str) else shown(value), known, n=1)
    return f"did you mean {near[0]!r}? " if near else ""


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
        raise ValueError(f"{name}: {shown(value)} is not a whole number; legal: {legal}") from None


def check_flag(name: str, value: Any) -> bool:
    """Return `value` if it is a boolean.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}: {shown(value)} is not a boolean; legal: true, false")
    return bool(value)


def check_at_least(name: str, value: Any, low: int, legal: str, high: int | None = None) -> int:
    """Return `value` as an `int` if it is a whole number from `low` on, up to `high` where there is one.

    Raises:
        ValueError: it is not; `legal` says in words what would be, but for `high`.
    """
    number = check_whole(name, value, legal)
    if number < low:
        raise ValueError(f"{name}: {shown(number)} is too small; legal: {legal}; nearest: {low}")
    if high is not None and number > high:
        raise ValueError(
            f"{name}: {shown(number)} is too large; legal: {legal}, at most {high}; nearest: {high}"
        )
    return number


def check_number(name: str, value: Any, low: float, high: float) -> float:
    """Return `value` as a `float` if it is a number from `low` to `high`; booleans are none.

    Raises:
        ValueError: it is not.
    """
    legal = f"{low:g} to {high:g}"
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not real or value != value:
        raise ValueError(f"{name}: {shown(value)} is no number; legal: {legal}")
    if not low <= value <= high:
        nearest = low if value < low else high
        raise ValueError(f"{name}: {shown(value)} is out of range; legal: {legal}; nearest: {nearest:g}")
    return float(value)


def check_fits(name: str, value: int, each: int, unit: str) -> int:
    """Return `value` if that number of items fits into `MOST_BYTES`.

    Args:
        name: of the parameter.
        value: a whole number.
        each: bytes that one takes.
        unit: what is counted, in words.

    Raises:
        ValueError: they take more.
    """
    most = MOST_BYTES // each
    if value > most:
        raise ValueError(
            f"{name}: {shown(value)} {unit} would take more than {MOST_BYTES // 2**30} GiB of memory; legal: "
            f"at most {most}; nearest: {most}"
        )
    return value


def check_path(name: str, value: Any) -> Path | None:
    """Return a path, whether or not anything is there; None for None.

    Raises:
        ValueError: it is neither text nor a path, is empty, holds what cannot be printed on one line, or the
            system refuses to look there.
    """
    if value is None:
        return None
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else ""
    if not text or not isinstance(text, str) or any(unicodedata.category(char) in _UNNAMED for char in text):
        raise ValueError(f"{name}: {shown(value)} is no path; legal: the name of a file or a folder, or none")
    try:
        Path(value).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # ValueError: a name that no system can have
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{name}: {shown(value)} cannot be read: {reason}; legal: a path, or none") from None
    return Path(value)


def check_mapping(name: str, value: Any, legal: str) -> dict[str, Any]:
    """Return a mapping as a dict; None becomes an empty one.

    Raises:
        ValueError: it is something else; `legal` says in words what would be.
    """
    if not isinstance(value, Mapping | None):
        raise ValueError(f"{name}: {shown(value)} is no mapping; legal: {legal}, or none")
    return dict(value or {})


def check_options(options: Any) -> dict[str, Any]:
    """Return reset options as a dict.

    Raises:
        ValueError: they are no mapping.
    """
    return check_mapping("options", options, "hidden choices by name")


def check_timeout(name: str, value: Any) -> int:
    """Return `value` if it is a number of env steps after which an episode may end, or -1 for never.

    Raises:
        ValueError: it is not.
    """
    legal = "-1 (never) or >= 1 env steps"
    if check_at_least(name, value, -1, legal, MOST_STEPS) == 0:
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


def check_drawn(name: str, value: Any, low: int, unit: str, high: int) -> tuple[int, ...]:
    """Return the whole numbers that a parameter is drawn from in each episode, as a tuple.

    Args:
        name: of the parameter.
        value: a number, a list of numbers, or a range `{"low": ..., "high": ...}`, both ends included.
        low: the smallest legal number.
        unit: what is counted, in words.
        high: the largest legal number.

    Raises:
        ValueError: no number, or an illegal one.
    """
    legal = f">= {low} {unit}, a list of these, or a range {{low: ..., high: ...}}"
    if isinstance(value, Mapping):
        check_keys(name, value, ("low", "high"))
        if len(value) < 2:
            raise ValueError(f"{name}: {shown(dict(value))} is no range; legal: {legal}")
        first = check_at_least(f"{name}.low", value["low"], low, f">= {low} {unit}", high)
        last = check_at_least(f"{name}.high", value["high"], first, f">= {name}.low, {first} {unit}", high)
        return tuple(range(first, last + 1))
    check = functools.partial(check_at_least, low=low, legal=legal, high=high)
    return check_choices(name, value, legal, check)


def listed(value: Any) -> Iterable[Any]:
    """Return a list, tuple or array as it is, anything else (and an array without axes) as a list of one."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    return value if isinstance(value, list | tuple | np.ndarray) else [value]


def spread(name: str, values: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Spread one value over all lanes, or take one per lane.

    Args:
        name: of the reset option.
        values: of shape `shape`, lanes being 1 for all alike, or of the last axes of `shape`.
        shape: lanes first.

    Raises:
        ValueError: the values have another shape.
    """
    legal = f"{shape[1:] or 'one value'} or one per lane {shape}"
    try:
        given = np.asarray(values)
    except ValueError:  # lists of different lengths
        raise ValueError(f"options.{name}: {shown(values)} is no array; legal: shape {legal}") from None
    if given.shape not in (shape[len(shape) - given.ndim :], (1, *shape[1:])):
        raise ValueError(f"options.{name}: shape {given.shape} does not fit; legal: {legal}")
    return np.broadcast_to(given, shape)


def check_autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """Return SAME_STEP or NEXT_STEP, given as the enum, its name or its value.

    Raises:
        ValueError: another mode.
    """
    modes = (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP)
    known = {each.name: each for each in modes} | {each.value: each for each in modes}
    name = mode.name if isinstance(mode, AutoresetMode) else mode
    return known[check_known("autoreset_mode", name, list(known))]


def check_actions(actions: Any, lanes: int, count: int, legal: str) -> NDArray[np.int64]:
    """Return actions that are whole numbers from 0 on as an array, (lanes,).

    Args:
        actions: one per lane.
        lanes: number of lanes.
        count: number of actions that there are.
        legal: these in words.

    Raises:
        ValueError: not one legal action per lane.
    """
    given = np.asarray(actions)
    if given.shape != (lanes,) or given.dtype.kind not in "iu":
        raise ValueError(
            f"actions: {given.dtype} {given.shape}; legal: whole numbers, one per lane ({lanes},)"
        )
    whole = given.astype(np.int64, copy=False)
    if whole.view(np.uint64).max() >= count:  # as unsigned, a negative one is large
        lane = int(np.flatnonzero((whole < 0) | (whole >= count))[0])
        raise ValueError(f"actions[{lane}]: {given[lane]} is not legal; legal: {legal}")
    return whole


def check_shapes(
    name: str, arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...] | None]
) -> None:
    """Refuse named arrays that are missing, unexpected, or of another shape.

    Raises:
        ValueError: see above.
    """
    if set(arrays) != set(shapes):
        raise ValueError(f"{name}: holds {sorted(arrays)}; expected {sorted(shapes)}")
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            raise ValueError(f"{name}.{key}: shape {arrays[key].shape}; expected {shape}")
