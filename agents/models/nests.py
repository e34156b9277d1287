"""Nests of arrays or tensors: observations of `Dict` and `Tuple` spaces.

T time, B lanes.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def map_leaves(change: Callable[[Any], Any], nest: Any) -> Any:
    """Returns a nest with every leaf changed."""
    if isinstance(nest, Mapping):
        return {name: map_leaves(change, part) for name, part in nest.items()}
    if isinstance(nest, tuple | list):
        return tuple(map_leaves(change, part) for part in nest)
    return change(nest)


def leaves_of(nest: Any) -> list[Any]:
    """Returns the leaves of a nest, those of a mapping in the order of its sorted names."""
    if isinstance(nest, Mapping):
        return [leaf for name in sorted(nest) for leaf in leaves_of(nest[name])]
    if isinstance(nest, tuple | list):
        return [leaf for part in nest for leaf in leaves_of(part)]
    return [nest]


def with_leaves(nest: Any, leaves: Iterator[Any]) -> Any:
    """Returns a nest with other leaves, in the order of `leaves_of`."""
    if isinstance(nest, Mapping):
        parts = {name: with_leaves(nest[name], leaves) for name in sorted(nest)}
        return {name: parts[name] for name in nest}
    if isinstance(nest, tuple | list):
        return tuple(with_leaves(part, leaves) for part in nest)
    return next(leaves)


def leading(nest: Any) -> tuple[int, int]:
    """Returns the sizes of the first two axes, (T, B) of (T, B, ...)."""
    first, second = leaves_of(nest)[0].shape[:2]
    return first, second


def flat_steps(nest: Any) -> Any:
    """Makes one axis of the first two, (T, B, ...) -> (T * B, ...)."""
    return map_leaves(lambda leaf: leaf.flatten(0, 1), nest)


def swapped(nest: Any) -> Any:
    """Swaps the first two axes, (B, T, ...) -> (T, B, ...)."""
    return map_leaves(lambda leaf: leaf.transpose(0, 1), nest)
