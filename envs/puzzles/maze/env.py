"""Mazes, one at a time; `maze.batched` is its batched form."""

from __future__ import annotations

from collections.abc import Mapping

from engram.envs.puzzles import Puzzle
from engram.envs.puzzles.maze.puzzles import make_mazes


class Maze(Puzzle):
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

    Arguments:
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
        reward: "exact" (default) or "fraction".
        render_mode: None or "rgb_array".

    Reset options:
        `problem`: an `engram.envs.puzzles.Problems` of one maze, instead of a drawn one.

    Source:
        Paper 1: "Thinking Deeply with Recurrence: Generalizing from Easy to Hard Sequential Reasoning
        Problems" (2021). Paper 2: "A Simple Loss Function for Convergent Algorithm Synthesis using RNNs"
        (Delta loss, 2023), on the mazes of "Datasets for Studying Generalization from Easy to Hard Examples",
        version 1.0, which are those of style "v1".
    """

    def __init__(
        self,
        positions: int = 9,
        style: str = "v1",
        pixels: int = 2,
        canvas: int | None = None,
        split: str = "online",
        data_seed: int = 0,
        split_sizes: Mapping[str, int] | None = None,
        path: str | None = None,
        reward: str = "exact",
        render_mode: str | None = None,
    ) -> None:
        """See the class.

        Raises:
            ValueError: an argument is not legal.
        """
        puzzles = make_mazes(positions, style, pixels, canvas, split, data_seed, split_sizes, path)
        super().__init__(puzzles, reward, render_mode)
