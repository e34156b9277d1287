"""Chess puzzles as a `PuzzleTask`: generated ones, and those of a file.

P puzzles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from gymnasium.spaces import Box, MultiBinary
from numpy.typing import NDArray
from typing_extensions import override

from engram.envs.arguments import check_fits, check_known, check_path
from engram.envs.arrays import Array, Bytes
from engram.envs.data.files.tensors import read_tensor
from engram.envs.data.splits import (
    ONLINE,
    SETS,
    check_data_seed,
    check_split,
    check_split_sizes,
    draw_split,
    split_rng,
)
from engram.envs.puzzles import FixedProblems, Problems, PuzzleTask
from engram.envs.puzzles.chess.csv_files import read_csv
from engram.envs.puzzles.chess.generator import LEVELS, generate
from engram.envs.puzzles.chess.position import KINDS, SQUARES
from engram.envs.puzzles.chess.puzzle import PLANES, ChessPuzzle, encode, orient
from engram.envs.puzzles.task import PICTURE_PIXELS

GENERATED_SIZES = {"train": 2_000, "valid": 500, "test": 500}
FILE_SIZES = {"train": 480_000, "valid": 120_000, "test": 100_000}
"""Of a file sorted by rating, as in the papers: the easiest 600 000, divided 4 : 1, and the next 100 000."""

_SQUARE_SHADES = (96, 128)  # dark and light
_OWN, _OTHER = np.array((80, 255, 80)), np.array((255, 80, 80))
_STRENGTHS = np.linspace(1.0, 0.5, len(KINDS))  # king to pawn


class ChessTask(PuzzleTask):
    """Generates puzzles without end.

    Args:
        level: of difficulty, one of `LEVELS`.

    Raises:
        ValueError: an unknown level.
    """

    group_by = "men"

    def __init__(self, level: str = "few") -> None:
        self.level = check_known("level", level, list(LEVELS))
        self.observation_space = Box(0, 1, (PLANES, 8, 8), np.uint8)
        self.action_space = MultiBinary(SQUARES)

    @override
    def draw(self, rng: np.random.Generator, count: int) -> Problems:
        return problems_of(generate(self.level, rng, count))

    def picture(self, observation: Array) -> Bytes:
        """Render a position as RGB pixels, (64, 64, 3), rank 1 below.

        The mover's pieces are green, the other's red, the brighter the nearer to the king in the order K Q B
        N R P.
        """
        shades = np.indices((8, 8)).sum(axis=0) % 2
        board = np.array(_SQUARE_SHADES)[shades, None].repeat(3, axis=-1)
        for plane, pieces in enumerate(observation.astype(np.bool_)):
            colour = _OWN if plane < len(KINDS) else _OTHER
            board[pieces] = colour * _STRENGTHS[plane % len(KINDS)]
        pixels = board[::-1].astype(np.uint8)
        return pixels.repeat(PICTURE_PIXELS, axis=0).repeat(PICTURE_PIXELS, axis=1)


def problems_of(puzzles: Sequence[ChessPuzzle]) -> Problems:
    """Encode puzzles as problems with `rating`, `men` (pieces on the board) and `white_to_move`.

    Raises:
        ValueError: a puzzle cannot be read.
    """
    planes, targets, white_to_move = encode(puzzles)
    ratings = np.array([puzzle.rating for puzzle in puzzles], np.int64)
    return _problems(planes, targets, {"rating": ratings, "white_to_move": white_to_move})


def make_chess(
    level: str = "few",
    split: str = ONLINE,
    data_seed: int = 0,
    split_sizes: Mapping[str, int] | None = None,
    path: str | None = None,
) -> PuzzleTask:
    """Make the task of the environment `Chess`.

    Args:
        level: of generated puzzles. "few" (default): mate in one with 5 to 9 men put down at random. "full":
            mate in one from games of random moves, 20 men in the mean. "two": mate in two on boards as in
            "few".
        split: "online" (default): fresh puzzles without end, from the seed of `reset`, some 100 a second on
            one core ("full": 40, "two": 6); "train", "valid" or "test": one of three finite sets, drawn epoch
            by epoch.
        data_seed: of the finite sets (default 0), at least 0: what is generated, or how a file's easy
            puzzles are divided.
        split_sizes: numbers of puzzles, `{"train": 2000, "valid": 500, "test": 500}` if they are generated,
            `{"train": 480000, "valid": 120000, "test": 100000}` of a file.
        path: a file of Lichess's puzzles (`.csv`, `.csv.zst`) or of `engram.envs.puzzles.chess.write_csv`; or
            a folder with the published tensors (`data.pth` and `targets.pth` or `segm.pth`). Sorted by
            rating, "train" and "valid" divide the easiest puzzles, "test" holds those that come next.

    Raises:
        ValueError: an argument is not legal, or `path` holds something else.
    """
    task = ChessTask(level)
    split, data_seed = check_split(split), check_data_seed(data_seed)
    file = check_path("path", path)
    if file is not None:
        sizes = check_split_sizes(split_sizes, FILE_SIZES)
        return FixedProblems(task, _load(file, split, data_seed, sizes))
    sizes = check_split_sizes(split_sizes, GENERATED_SIZES)
    if split == ONLINE:
        return task
    check_fits(f"split_sizes.{split}", sizes[split], task.problem_bytes, "puzzles")
    return FixedProblems(task, partial(draw_split, task.draw, data_seed, split, sizes[split]))


def _load(path: Path, split: str, data_seed: int, sizes: Mapping[str, int]) -> Problems:
    """Read a split of a file: "train" and "valid" share the easiest puzzles, "test" follows them."""
    if split == ONLINE:
        raise ValueError(f"split: {ONLINE!r} does not read files; with path, legal: {', '.join(SETS)}")
    easy = sizes["train"] + sizes["valid"]
    first, last = (easy, easy + sizes["test"]) if split == "test" else (0, easy)
    problems = _read(path, first, last)
    if problems.size < last - first:
        raise ValueError(
            f"split_sizes: {dict(sizes)} need {last} puzzles for {split!r}; path holds "
            f"{first + problems.size if problems.size else f'at most {first}'}"
        )
    if split == "test":
        return problems
    rows = split_rng(data_seed, ONLINE).permutation(easy)
    return problems.take(rows[: sizes["train"]] if split == "train" else rows[sizes["train"] :])


def _read(path: Path, first: int, last: int) -> Problems:
    """Read the puzzles `first` to `last` by rating, from a table or a folder of published tensors."""
    if not path.exists():
        raise ValueError(f"path: there is no {path}; legal: a file of puzzles, or a folder of tensors")
    return _read_tensors(path, first, last) if path.is_dir() else problems_of(read_csv(path, first, last))


def _read_tensors(folder: Path, first: int, last: int) -> Problems:
    """Read published puzzles, sorted by rating: planes (P, 12, 8, 8) and targets (P, 8, 8)."""
    answers = next((name for name in ("targets.pth", "segm.pth") if (folder / name).exists()), "targets.pth")
    planes, targets = (read_tensor(folder / name)[first:last] for name in ("data.pth", answers))
    if planes.shape[1:] != (PLANES, 8, 8) or targets.shape != (len(planes), 8, 8):
        raise ValueError(
            f"path: {folder} holds {planes.shape} and {targets.shape}; "
            f"expected (P, {PLANES}, 8, 8) and (P, 8, 8)"
        )
    inputs = planes.astype(np.uint8)
    return _problems(inputs, orient(inputs, targets.reshape(-1, SQUARES).astype(np.int8)), {})


def _problems(
    planes: NDArray[np.uint8], targets: NDArray[np.int8], facts: Mapping[str, NDArray[np.int64 | np.bool_]]
) -> Problems:
    men = planes.sum(axis=(1, 2, 3), dtype=np.int64)
    return Problems(planes, targets, np.ones_like(targets, np.bool_), {"men": men, **facts})
