"""Mazes: the environment, in both forms."""

from __future__ import annotations

from engram.envs.forms.parameters import Parametrized
from engram.envs.puzzles import BatchedPuzzle, SinglePuzzle
from engram.envs.puzzles.maze.task import make_mazes


class BatchedMaze(Parametrized, BatchedPuzzle, task=make_mazes):
    """`Maze` in B lanes; see there for the task."""


class Maze(SinglePuzzle, of=BatchedMaze):
    """A maze is shown from above; answer with the pixels of the way from start to end.

    Description:
        A supervised puzzle as an episode of one step. A maze of `positions` x `positions` positions has
        n x n cells, n = (positions + 1) / 2, and between neighbouring cells either a wall or an opening: the
        papers' "9x9" is 9 positions, 5 cells a side. Start and end cells are drawn uniformly; from the start
        a depth-first search knocks walls down until it has been everywhere, so cells and openings form a
        tree and the way is the only one. Mazes of another size are another environment with other spaces; a
        fully convolutional network does them all.

    Observation:
        `Box(0, 1, (3, S, S), uint8)`, red, green, blue: walls black, open positions white, the start green,
        the end red. A position is 2 x 2 pixels, and a black border of 3 pixels around (a frame of 1, the
        outer wall of 2) makes S = 2 positions + 6: 24 for 9, 124 for 59. With `pixels` = 1 a position is one
        pixel, the border too, S = positions + 2. With a `canvas`, S = `canvas`.

    Action:
        `MultiBinary(S * S)`, row by row: 1 for every pixel of the way, both ends included.

    Reward:
        "exact": 1 if every open pixel is right, else 0. "fraction": the share of open pixels that are right;
        answers for walls do not count.

    End:
        After one step, always a termination.

    Info:
        `target` (int8, S * S): the right answer; `mask` (bool, S * S): open pixels, both ends included;
        `size` (int): `positions`; `path_length` (int): positions of the way, both ends included, on average
        22.6 for 9 (3 to 49), 31.2 for 11, 40.9 for 13; `start` and `goal` (int): positions of its ends,
        row * `positions` + column; `success` (bool): every open pixel was right. Results are split by `size`.

    Reset options:
        `problem`: an `engram.envs.puzzles.Problems` of one maze, instead of a drawn one.

    Source:
        Paper 1: "Thinking Deeply with Recurrence: Generalizing from Easy to Hard Sequential Reasoning
        Problems" (2021). Paper 2: "A Simple Loss Function for Convergent Algorithm Synthesis using RNNs"
        (Delta loss, 2023), on the mazes of "Datasets for Studying Generalization from Easy to Hard Examples",
        version 1.0, which are those of style "v1".
    """
