"""Search spaces of numbers, as files write them: draws, perturbations and bounds.

A space is a list of values, or a mapping of a kind to its arguments: `{loguniform: [1e-5, 1e-2]}`.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

LISTS = ("grid_search", "choice")


def arguments(space: Any) -> tuple[str, list[Any]]:
    """Splits a space into its kind and its arguments; a list is a choice."""
    if isinstance(space, list | tuple):
        return "choice", list(space)
    ((kind, values),) = space.items()
    return str(kind).removeprefix("tune."), list(values)


def drawn(space: Any, generator: np.random.Generator) -> Any:
    """A value of a space.

    Args:
        space: As written.
        generator: Random numbers.
    """
    kind, values = arguments(space)
    if kind in LISTS:
        return values[int(generator.integers(len(values)))]
    if kind == "randint":
        return int(generator.integers(*values))
    return at(space, generator.random())


def at(space: Any, share: float) -> Any:
    """The value of a range that lies a share of the way from its lower to its upper bound.

    Args:
        space: As written, a range; of a `loguniform`, the way is that of the logarithm.
        share: From 0 to 1.
    """
    kind, values = arguments(space)
    low, high = values[:2]
    if kind == "loguniform":
        low, high = math.log(low), math.log(high)
    value = low + (high - low) * share
    return clamped(space, math.exp(value) if kind == "loguniform" else value)


def share_of(space: Any, value: float) -> float:
    """How far a value lies from a range's lower to its upper bound, from 0 to 1; what `at` turns round."""
    kind, values = arguments(space)
    low, high, inside = *values[:2], clamped(space, value)
    if kind == "loguniform":
        low, high, inside = math.log(low), math.log(high), math.log(inside)
    return float((inside - low) / (high - low))


def perturbed(space: Any, value: float, factors: Sequence[float], generator: np.random.Generator) -> Any:
    """A value near another: one of a list's neighbours, or a number times one of `factors`."""
    kind, values = arguments(space)
    if kind not in LISTS:
        return value * float(generator.choice(np.asarray(factors)))
    nearest = min(range(len(values)), key=lambda index: abs(values[index] - value))
    moved = nearest + (1 if generator.random() < 0.5 else -1)
    return values[min(max(moved, 0), len(values) - 1)]


def clamped(space: Any, value: float) -> Any:
    """The value of a space that is nearest to another, which may lie outside."""
    kind, values = arguments(space)
    if kind in LISTS:
        return min(values, key=lambda each: abs(each - value))
    low, high = values[:2]
    if kind == "randint":
        return int(min(max(round(value), low), high - 1))
    inside = float(min(max(value, low), high))
    return _stepped(inside, values) if kind == "quniform" else inside


def _stepped(value: float, values: Sequence[float]) -> float:
    low, high, step = values
    return float(min(max(round(value / step) * step, low), high))
