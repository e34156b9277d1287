"""Splits of generated puzzles: problems without end, or one of three finite sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from engram.envs.arguments import check_at_least, check_keys, check_known, check_mapping

ONLINE = "online"
SETS = ("train", "valid", "test")
SPLITS = (ONLINE, *SETS)

MOST_IN_A_SPLIT = 1_000_000_000

DrawnT = TypeVar("DrawnT")


def check_split(split: Any) -> str:
    """Return `split` if it is one of `SPLITS`.

    Raises:
        ValueError: it is not.
    """
    return check_known("split", split, SPLITS)


def check_data_seed(seed: Any) -> int:
    """Return the seed of the finite sets as an `int`.

    Raises:
        ValueError: it is not a whole number from 0 on.
    """
    return check_at_least("data_seed", seed, 0, ">= 0")


def check_split_sizes(
    sizes: Mapping[str, int] | None, defaults: Mapping[str, int], unit: str = "problems"
) -> dict[str, int]:
    """Return the size of each set: `defaults`, where `sizes` does not give it.

    Raises:
        ValueError: an unknown set, or one that is no positive whole number.
    """
    given = check_mapping("split_sizes", sizes, "numbers by name, such as {train: 1000}")
    check_keys("split_sizes", given, SETS)
    for name, size in given.items():
        given[name] = check_at_least(f"split_sizes.{name}", size, 1, f">= 1 {unit}", MOST_IN_A_SPLIT)
    return {**defaults, **given}


def split_rng(data_seed: int, split: str) -> np.random.Generator:
    """Return the random generator of one finite set; sets of one seed have independent streams."""
    return np.random.default_rng(np.random.SeedSequence(data_seed, spawn_key=(SPLITS.index(split),)))


def draw_split(
    draw: Callable[[np.random.Generator, int], DrawnT], data_seed: int, split: str, count: int
) -> DrawnT:
    """Draw the items of one finite set with that set's own generator."""
    return draw(split_rng(data_seed, split), count)
