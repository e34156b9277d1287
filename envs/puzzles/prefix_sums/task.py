"""Prefix sums as a `PuzzleTask`.

P problems, N bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from gymnasium.spaces import Box, MultiBinary
from typing_extensions import override

from engram.envs.arguments import check_at_least, check_fits, check_path
from engram.envs.data.splits import (
    ONLINE,
    SETS,
    check_data_seed,
    check_split,
    check_split_sizes,
    split_rng,
)
from engram.envs.puzzles import FixedProblems, Problems, PuzzleTask
from engram.envs.puzzles.files import load_set, read_binary
from engram.envs.puzzles.prefix_sums.strings import (
    DISTINCT_BELOW,
    Bits,
    Words,
    draw_distinct_words,
    draw_words,
    sum_words,
    unpack,
)

SPLIT_SIZES = {"train": 8_000, "valid": 2_000, "test": 10_000}
"""Paper 2, table 2: the 10 000 strings of a length are split 8 000 / 2 000, another 10 000 are the test."""


MOST_BITS = 1_000_000


class PrefixSumsTask(PuzzleTask):
    """Draws strings of N bits without end.

    Args:
        bits: length of a string (N).

    Raises:
        ValueError: `bits` is not legal.
    """

    group_by = "size"

    def __init__(self, bits: int = 32) -> None:
        self.bits = check_at_least("bits", bits, 1, ">= 1 bits", MOST_BITS)
        self.observation_space = Box(-0.5, 0.5, (1, self.bits), np.float32)
        self.action_space = MultiBinary(self.bits)

    @override
    def draw(self, rng: np.random.Generator, count: int) -> Problems:
        return self.of_words(draw_words(rng, count, self.bits))

    def of_words(self, words: Words) -> Problems:
        """Make the problems of packed strings."""
        return self._problems(unpack(words, self.bits), unpack(sum_words(words), self.bits))

    def of_bits(self, strings: Bits) -> Problems:
        """Make the problems of strings (P, N)."""
        return self._problems(strings, np.bitwise_xor.accumulate(strings, axis=1))

    def _problems(self, strings: Bits, sums: Bits) -> Problems:
        observations = strings.astype(np.float32)
        observations -= 0.5
        facts = {"size": np.full(len(strings), self.bits)}
        masks = np.ones(sums.shape, dtype=np.bool_)
        return Problems(observations[:, None], sums.view(np.int8), masks, facts)


def make_prefix_sums(
    bits: int = 32,
    split: str = ONLINE,
    data_seed: int = 0,
    split_sizes: Mapping[str, int] | None = None,
    path: str | None = None,
) -> PuzzleTask:
    """Make the task of the environment `PrefixSums`.

    Args:
        bits: length of a string (default 32), at least 1.
        split: "online" (default): fresh strings without end, from the seed of `reset`; "train", "valid" or
            "test": one of three finite sets made from `data_seed`, drawn epoch by epoch. Strings of a
            finite set that are shorter than 24 bits all differ, within and between the three sets.
        data_seed: of the finite sets (default 0), at least 0.
        split_sizes: numbers of strings, such as `{"train": 8000, "valid": 2000, "test": 10000}` (the
            default, as in the paper; strings of less than 15 bits are divided 2 : 1/2 : 5/2).
        path: a folder with `{bits}_data.npy` and `{bits}_targets.npy`, the published strings and sums
            (P, bits) of zeros and ones, or the same as `.pth`, to be used instead of generated ones. "test"
            takes all of them, "train" and "valid" share them 4 : 1.

    Raises:
        ValueError: an argument is not legal, or the files at `path` hold something else.
    """
    task = PrefixSumsTask(bits)
    split, data_seed = check_split(split), check_data_seed(data_seed)
    folder = check_path("path", path)
    if folder is not None:
        return load_set(task, _read(task, folder), split, data_seed, split_sizes)
    sizes = check_split_sizes(split_sizes, _default_sizes(task.bits))
    if split == ONLINE:
        return task
    check_fits(f"split_sizes.{split}", sizes[split], task.problem_bytes, "strings")
    if task.bits >= DISTINCT_BELOW:
        words = draw_words(split_rng(data_seed, split), sizes[split], task.bits)
    else:
        words = _distinct_words(task.bits, split, data_seed, sizes)
    return FixedProblems(task, task.of_words(words))


def _default_sizes(bits: int) -> dict[str, int]:
    """Return the paper's sizes, or 2/5, 1/10 and 1/2 of all strings where there are too few."""
    whole = sum(SPLIT_SIZES.values())
    if bits >= DISTINCT_BELOW or 2**bits >= whole:
        return SPLIT_SIZES
    return {name: size * 2**bits // whole for name, size in SPLIT_SIZES.items()}


def _distinct_words(bits: int, split: str, data_seed: int, sizes: Mapping[str, int]) -> Words:
    """Draw one of the three sets of short strings, which are disjoint."""
    needed, there = sum(sizes.values()), 2**bits
    if needed > there or sizes[split] == 0:
        raise ValueError(
            f"split_sizes: {dict(sizes)} of strings that all differ; legal: >= 1 in {split!r} and at most "
            f"{there} in all, for bits = {bits}"
        )
    words = draw_distinct_words(split_rng(data_seed, ONLINE), needed, bits)
    begins = sum(sizes[name] for name in SETS[: SETS.index(split)])
    return words[begins : begins + sizes[split]]


def _read(task: PrefixSumsTask, folder: Path) -> Problems:
    """Read the published pairs of one length, `{bits}_data.npy` and `{bits}_targets.npy`."""
    bits = task.bits
    strings, sums = (read_binary(folder / f"{bits}_{name}.npy") for name in ("data", "targets"))
    if strings.shape[1:] != (bits,) or sums.shape != strings.shape:
        raise ValueError(
            f"path: {folder} holds strings {strings.shape} and sums {sums.shape}; expected (problems, {bits})"
        )
    problems = task.of_bits(strings)
    wrong = np.flatnonzero((problems.targets != sums).any(axis=1))
    if wrong.size:
        raise ValueError(
            f"path: {folder}: row {wrong[0]} of {bits}_targets.npy is not its string's prefix sums"
        )
    return problems
