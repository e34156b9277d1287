"""Chess puzzles in batched form."""

from __future__ import annotations

from collections.abc import Mapping

from gymnasium.vector import AutoresetMode

from engram.envs.puzzles import BatchedPuzzle
from engram.envs.puzzles.chess.puzzles import make_chess


class BatchedChess(BatchedPuzzle):
    """`engram.envs.puzzles.chess.env.Chess` in B lanes; see there for task and arguments."""

    def __init__(
        self,
        num_envs: int = 1,
        level: str = "few",
        split: str = "online",
        data_seed: int = 0,
        split_sizes: Mapping[str, int] | None = None,
        path: str | None = None,
        reward: str = "exact",
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """See `Chess` for the puzzle's arguments, `BatchedPuzzle` for the others.

        Raises:
            ValueError: an argument is not legal.
        """
        puzzles = make_chess(level, split, data_seed, split_sizes, path)
        super().__init__(puzzles, num_envs, reward, render_mode, autoreset_mode)
