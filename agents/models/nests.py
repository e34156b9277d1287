"""Nests of tensors: observations of `Dict` and `Tuple` spaces, time and lanes first.

T time, B lanes.
"""

from typing import Any

import tree


def leading(nest: Any) -> tuple[int, int]:
    """Returns the sizes of the first two axes, (T, B) of (T, B, ...)."""
    first, second = tree.flatten(nest)[0].shape[:2]
    return first, second


def flat_steps(nest: Any) -> Any:
    """Makes one axis of the first two, (T, B, ...) -> (T * B, ...)."""
    return tree.map_structure(lambda leaf: leaf.flatten(0, 1), nest)


def swapped(nest: Any) -> Any:
    """Swaps the first two axes, (B, T, ...) -> (T, B, ...)."""
    return tree.map_structure(lambda leaf: leaf.transpose(0, 1), nest)
