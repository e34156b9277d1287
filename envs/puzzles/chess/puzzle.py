"""One chess puzzle, and puzzles as arrays.

P puzzles; 12 planes, 8 rows (row 0 = rank 1), 8 columns (column 0 = file a).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.envs.puzzles.chess.moves import play
from engram.envs.puzzles.chess.position import (
    KINDS,
    SQUARES,
    WHITE,
    Move,
    Position,
    read_fen,
    read_move,
    write_fen,
    write_move,
)

PLANES = 2 * len(KINDS)


class ChessPuzzle(NamedTuple):
    """A puzzle as Lichess's file has it."""

    fen: str
    """The position before the other side's last move."""
    lead: str
    """That move, after which the puzzle is shown."""
    solution: str
    """The move to be found."""
    rating: int = 0
    theme: str = ""

    @classmethod
    def of(cls, before: Position, lead: Move, solution: Move, rating: int, theme: str) -> ChessPuzzle:
        """Make the puzzle of these positions and moves."""
        return cls(write_fen(before), write_move(lead), write_move(solution), rating, theme)

    @property
    def shown(self) -> Position:
        """The position in which the solution is to be found.

        Raises:
            ValueError: FEN and moves cannot be read, or do not fit.
        """
        before, lead = read_fen(self.fen), read_move(self.lead)
        if before.board[lead.start] * before.side <= 0:
            raise ValueError(f"moves: {self.lead} moves no piece of the side to move in {self.fen!r}")
        return play(before, lead)


class Encoded(NamedTuple):
    """Puzzles as arrays, seen by the side to move: for black the board is turned over, files stay."""

    planes: NDArray[np.uint8]
    """(P, 12, 8, 8): king, queen, bishops, knights, rooks, pawns of the side to move, then the other's."""
    targets: NDArray[np.int8]
    """(P, 64): 1 on the two squares of the solution."""
    white_to_move: NDArray[np.bool_]
    """(P,)"""


def encode(puzzles: Sequence[ChessPuzzle]) -> Encoded:
    """Encode puzzles as arrays.

    Raises:
        ValueError: one cannot be read, or its solution moves none of the mover's pieces.
    """
    boards = np.zeros((len(puzzles), SQUARES), np.int8)
    squares = np.zeros((len(puzzles), 2), np.int64)
    sides = np.zeros(len(puzzles), np.int8)
    for row, puzzle in enumerate(puzzles):
        shown, solution = puzzle.shown, read_move(puzzle.solution)
        boards[row], sides[row], squares[row] = shown.board, shown.side, solution[:2]
    planes = encode_boards(boards, sides)
    targets = np.zeros((len(puzzles), SQUARES), np.int8)
    turned = np.where(sides[:, None] == WHITE, squares, _turn(squares))
    np.put_along_axis(targets, turned, 1, axis=1)
    check_orientation(planes, targets)
    return Encoded(planes, targets, sides == WHITE)


def encode_boards(boards: NDArray[np.int8], sides: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return planes (P, 12, 8, 8) of boards (P, 64), seen by the sides to move (P,)."""
    seen = (boards * sides[:, None]).reshape(-1, 8, 8)
    seen = np.where(sides[:, None, None] == WHITE, seen, seen[:, ::-1])
    pieces = np.array([*KINDS, *(-kind for kind in KINDS)], np.int8)
    planes: NDArray[np.uint8] = np.equal(seen[:, None], pieces[:, None, None]).astype(np.uint8)
    return planes


def check_orientation(planes: NDArray[np.uint8], targets: NDArray[np.int8]) -> None:
    """Check that planes and targets lie the same way round: of two squares, one holds the mover's piece.

    Raises:
        ValueError: not so in some puzzle.
    """
    wrong = np.flatnonzero(~_fits(planes, targets))
    if wrong.size:
        raise ValueError(
            f"puzzle {wrong[0]}: of the two squares of the solution, one must hold a piece of the side to "
            "move and the other none"
        )


def orient(planes: NDArray[np.uint8], targets: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return targets the same way round as the planes: as they are, or all turned over.

    The published files hold both the same way round, the published data set's class turns the targets over
    once more; this takes either.

    Raises:
        ValueError: neither fits all puzzles.
    """
    if _fits(planes, targets).all():
        return targets
    over = targets.reshape(-1, 8, 8)[:, ::-1].reshape(-1, SQUARES)
    check_orientation(planes, over)
    return over


def _fits(planes: NDArray[np.uint8], targets: NDArray[np.int8]) -> NDArray[np.bool_]:
    own = planes[:, : len(KINDS)].any(axis=1).reshape(-1, SQUARES)
    chosen = targets.astype(np.bool_)
    fits: NDArray[np.bool_] = (chosen.sum(axis=1) == 2) & ((chosen & own).sum(axis=1) == 1)
    return fits


def _turn(squares: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn a board over, rank 1 to rank 8."""
    turned: NDArray[np.int64] = squares ^ 56
    return turned
