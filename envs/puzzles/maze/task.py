"""Mazes as a `PuzzleTask`.

P positions a side, n = (P + 1) / 2 cells a side, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from gymnasium.spaces import Box, MultiBinary
from typing_extensions import override

from engram.envs.arguments import check_at_least, check_fits, check_known, check_path, shown
from engram.envs.data.splits import (
    ONLINE,
    check_data_seed,
    check_split,
    check_split_sizes,
    draw_split,
)
from engram.envs.puzzles import FixedProblems, Problems, PuzzleTask
from engram.envs.puzzles.files import load_set
from engram.envs.puzzles.maze.files import read_pairs
from engram.envs.puzzles.maze.grids import STYLES, carve
from engram.envs.puzzles.maze.render import PIXELS, canvas_offsets, natural_side, place, render
from engram.envs.puzzles.maze.trees import grow_trees

SPLIT_SIZES = {"train": 40_000, "valid": 10_000, "test": 10_000}
"""Paper 2: 50 000 mazes split 40 000 / 10 000, and 10 000 for the test; published for P = 9 .. 17."""

LARGE_SPLIT_SIZES = {"train": 1_000, "valid": 1_000, "test": 1_000}
"""For larger mazes: the published data have a test set only, of this size (P = 19 .. 37 and 59)."""

LARGE_ABOVE = 17  # positions
MOST_POSITIONS = 999
MOST_CANVAS = 4096  # pixels a side
LEGAL_POSITIONS = "odd numbers >= 3"


class MazeTask(PuzzleTask):
    """Draws mazes of P x P positions without end.

    Args:
        positions: positions a side (P), odd.
        style: "v1" or "feb2021", see `engram.envs.puzzles.maze.grids.carve`.
        pixels: side of a position in pixels, 1 or 2.
        canvas: pixels a side of the canvas on which each maze shown is put at random; None: the picture is
            as large as the maze needs.

    Raises:
        ValueError: an argument is not legal.
    """

    group_by = "size"

    def __init__(
        self, positions: int = 9, style: str = "v1", pixels: int = 2, canvas: int | None = None
    ) -> None:
        self.positions = _check_positions(positions)
        self.style = check_known("style", style, STYLES)
        self.pixels = check_at_least("pixels", pixels, 1, "1 or 2")
        if self.pixels not in PIXELS:
            raise ValueError(f"pixels: {shown(self.pixels)} is too large; legal: 1 or 2; nearest: 2")
        self.canvas = None if canvas is None else self._check_canvas(canvas)
        side = self.canvas or natural_side(self.positions, self.pixels)
        self.observation_space = Box(0, 1, (3, side, side), np.uint8)
        self.action_space = MultiBinary(side * side)

    def _check_canvas(self, canvas: int) -> int:
        first, last = canvas_offsets(self.positions, self.pixels, 0)
        least = first - last
        legal = f">= {least} pixels for this maze, or none"
        return check_at_least("canvas", canvas, least, legal, MOST_CANVAS)

    def generate(self, rng: np.random.Generator, count: int) -> Problems:
        """Make mazes at their natural size, before they are put on a canvas."""
        cells = (self.positions + 1) // 2
        return render(carve(grow_trees(rng, count, cells), cells, self.style), self.pixels)

    def present(self, rng: np.random.Generator, problems: Problems) -> Problems:
        """Put mazes on the canvas, where there is one."""
        if self.canvas is None:
            return problems
        return place(rng, problems, self.positions, self.pixels, self.canvas)

    @override
    def draw(self, rng: np.random.Generator, count: int) -> Problems:
        return self.present(rng, self.generate(rng, count))


def make_mazes(
    positions: int = 9,
    style: str = "v1",
    pixels: int = 2,
    canvas: int | None = None,
    split: str = ONLINE,
    data_seed: int = 0,
    split_sizes: Mapping[str, int] | None = None,
    path: str | None = None,
) -> PuzzleTask:
    """Make the task of the environment `Maze`.

    Args:
        positions: positions a side, odd, from 3 on (default 9).
        style: "v1" (default) as described. "feb2021": as the first published renderer paints them, where some
            pillars between four cells stay open: those without a wall to their south, to their east, and to
            their north or west. Most mazes then have a way shorter than the tree's, and a third more than one
            shortest way, of which the answer is one: no player can be right always.
        pixels: side of a position in pixels, 2 (default) or 1 (a quarter of the picture, half of the way).
        canvas: pixels a side of a black canvas on which a maze is put at random each time it is shown, at
            least the S of the maze without one. Paper 1 has 32 for sizes 9, 11 and 13, in training and test.
            Without it (default) the picture is as large as the maze needs.
        split: "online" (default): fresh mazes without end, from the seed of `reset`; "train", "valid" or
            "test": one of three finite sets made from `data_seed`, drawn epoch by epoch.
        data_seed: of the finite sets (default 0), at least 0.
        split_sizes: numbers of mazes, such as `{"train": 40000, "valid": 10000, "test": 10000}` (the default,
            as in paper 2; 1000 each above 17 positions, where the published data have a test set only).
        path: a folder with `inputs.npy` and `solutions.npy`, the published mazes of this size and style, to
            be used instead of generated ones: of "v1" pictures of their natural size, of "feb2021" mazes in
            the middle of 32 x 32 pixels. "test" takes all of them, "train" and "valid" share them 4 : 1.

    Raises:
        ValueError: an argument is not legal, or the files at `path` hold something else.
    """
    task = MazeTask(positions, style, pixels, canvas)
    split, data_seed = check_split(split), check_data_seed(data_seed)
    folder = check_path("path", path)
    if folder is not None:
        pairs = read_pairs(folder, task.positions, task.style, task.pixels)
        return load_set(task, pairs, split, data_seed, split_sizes)
    defaults = SPLIT_SIZES if task.positions <= LARGE_ABOVE else LARGE_SPLIT_SIZES
    sizes = check_split_sizes(split_sizes, defaults)
    if split == ONLINE:
        return task
    natural = MazeTask(task.positions, pixels=task.pixels)
    check_fits(f"split_sizes.{split}", sizes[split], natural.problem_bytes, "mazes")
    return FixedProblems(task, partial(draw_split, task.generate, data_seed, split, sizes[split]))


def _check_positions(positions: int) -> int:
    number = check_at_least("positions", positions, 3, LEGAL_POSITIONS, MOST_POSITIONS)
    if number % 2 == 0:
        raise ValueError(f"positions: {number} is even; legal: {LEGAL_POSITIONS}; nearest: {number + 1}")
    return number
