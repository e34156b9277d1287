"""Comparison of what environments return: the first difference and its place.

A tree is what observations and infos are made of: dicts, tuples and lists of arrays and plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class BrokenPromiseError(Exception):
    """Raised by a check that fails; its message becomes that of the result."""


class Difference(NamedTuple):
    """The first place where two trees differ.

    Attributes:
        path: names of dict entries on the way there, as a suffix: `['agent']['position']`.
        place: positions in tuples and arrays on the way there.
        text: what was expected there and what was got.
    """

    path: str
    place: tuple[int, ...]
    text: str


def first_difference(expected: Any, got: Any) -> Difference | None:
    """Compare two trees, dtypes and shapes included; nan equals nan.

    Returns:
        the first difference, or None.
    """
    if isinstance(expected, Mapping) or isinstance(got, Mapping):
        return _in_dicts(expected, got)
    if _is_sequence(expected) or _is_sequence(got):
        return _in_sequences(expected, got)
    return _in_arrays(np.asarray(expected), np.asarray(got))


def _is_sequence(value: Any) -> bool:
    return isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.dtype == object)


def _in_dicts(expected: Any, got: Any) -> Difference | None:
    names = [sorted(map(str, each)) if isinstance(each, Mapping) else type(each) for each in (expected, got)]
    if names[0] != names[1]:
        return Difference("", (), f"expected the keys {names[0]}, got {names[1]}")
    for key in expected:
        found = first_difference(expected[key], got[key])
        if found:
            return found._replace(path=f"[{key!r}]{found.path}")
    return None


def _in_sequences(expected: Any, got: Any) -> Difference | None:
    forms = [
        f"{type(each).__name__} of {len(each)}" if _is_sequence(each) else type(each).__name__
        for each in (expected, got)
    ]
    if forms[0] != forms[1]:
        return Difference("", (), f"expected a {forms[0]}, got a {forms[1]}")
    for number, pair in enumerate(zip(expected, got, strict=True)):
        found = first_difference(*pair)
        if found:
            return found._replace(place=(number, *found.place))
    return None


def _in_arrays(expected: Any, got: Any) -> Difference | None:
    forms = [f"{each.dtype} {each.shape}" for each in (expected, got)]
    if forms[0] != forms[1]:
        return Difference("", (), f"expected {forms[0]}, got {forms[1]}")
    apart = np.asarray(expected != got)
    if expected.dtype.kind in "fc":
        apart &= ~(np.isnan(expected) & np.isnan(got))
    if not apart.any():
        return None
    place = tuple(int(number) for number in np.argwhere(apart)[0])
    return Difference("", place, f"expected {expected[place]}, got {got[place]}")
