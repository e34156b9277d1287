"""Checks of arguments: every refusal names the offender, the legal values and the nearest one."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable, Sequence
from typing import Any


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
    if not isinstance(value, bool):
        raise ValueError(f"{name}: {value!r} is not a boolean; legal: true, false")
    return value
