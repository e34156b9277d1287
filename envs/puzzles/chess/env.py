"""Chess puzzles: the environment, in both forms."""

from __future__ import annotations

from engram.envs.forms.parameters import Parametrized
from engram.envs.puzzles import BatchedPuzzle, SinglePuzzle
from engram.envs.puzzles.chess.task import make_chess


class BatchedChess(Parametrized, BatchedPuzzle, task=make_chess):
    """`Chess` in B lanes; see there for the task."""


class Chess(SinglePuzzle, of=BatchedChess):
    """A chess position with exactly one right move is shown; answer with the two squares of that move.

    Description:
        A supervised puzzle as an episode of one step. Positions are generated, or come from a file of
        Lichess's puzzles. Generated ones hold exactly one move that mates at once, or (level "two") one that
        forces mate in two. The board is shown from the mover's side: for black it is turned over, rank 8
        first; files stay, so that the king side is always on the right. Rights to castle and to capture en
        passant are not shown.

    Observation:
        `Box(0, 1, (12, 8, 8), uint8)`: planes of king, queens, bishops, knights, rooks and pawns of the side
        to move, then those of the other side. Row 0 is the mover's first rank, column 0 is file a.

    Action:
        `MultiBinary(64)`: 1 on the square that the piece leaves and on the one where it goes, 0 elsewhere;
        square 8 row + column. The piece that a pawn becomes is not asked for.

    Reward:
        "exact": 1 if all squares are right, else 0. "fraction": the share of squares that are right;
        answering nothing earns 62/64.

    End:
        After one step, always a termination.

    Info:
        `target` (int8, 64): the right answer; `mask` (bool, 64): the squares that count, here all; `rating`
        (int): Lichess's, or 500, 1000, 1500 for the levels in order; `men` (int): pieces on the board;
        `white_to_move` (bool); `success` (bool): all squares were right. Results are split by `men`. The
        published tensors have neither `rating` nor `white_to_move`.

    Arguments:
        render_mode: None or "rgb_array" (the mover's pieces green, the other's red).

    Reset options:
        `problem`: an `engram.envs.puzzles.Problems` of one puzzle, instead of a drawn one.

    Source:
        Puzzles of database.lichess.org (CC0), as used in "Datasets for Studying Generalization from Easy to
        Hard Examples", arXiv 2108.06011, and "A Simple Loss Function for Convergent Algorithm Synthesis using
        RNNs" (Delta loss, 2023). The generated ones are this package's own.
    """
