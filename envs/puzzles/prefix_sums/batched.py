"""Prefix sums in batched form."""

from __future__ import annotations

from collections.abc import Mapping

from gymnasium.vector import AutoresetMode

from engram.envs.puzzles import BatchedPuzzle
from engram.envs.puzzles.prefix_sums.puzzles import make_prefix_sums


class BatchedPrefixSums(BatchedPuzzle):
    """`engram.envs.puzzles.prefix_sums.env.PrefixSums` in B lanes; see there for task and arguments."""

    def __init__(
        self,
        num_envs: int = 1,
        bits: int = 32,
        split: str = "online",
        data_seed: int = 0,
        split_sizes: Mapping[str, int] | None = None,
        path: str | None = None,
        reward: str = "exact",
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """See `PrefixSums` for the puzzle's arguments, `BatchedPuzzle` for the others.

        Raises:
            ValueError: an argument is not legal.
        """
        puzzles = make_prefix_sums(bits, split, data_seed, split_sizes, path)
        super().__init__(puzzles, num_envs, reward, render_mode, autoreset_mode)
