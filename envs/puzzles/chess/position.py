"""Chess positions: squares, pieces, moves and how they are written (FEN, UCI).

A square is 8 * row + column, row 0 = rank 1, column 0 = file a. A piece is a kind, 1 to 6 in the order of the
planes of an observation, positive for white, negative for black; 0 is an empty square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

LETTERS = "KQBNRP"  # in the order of the planes
KING, QUEEN, BISHOP, KNIGHT, ROOK, PAWN = KINDS = range(1, 7)
WHITE, BLACK = 1, -1
SQUARES = 64
NOWHERE = -1  # no square
START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"

_CASTLINGS = "KQkq"  # bit 0 to bit 3 of `Position.castling`
_SIDES = {"w": WHITE, "b": BLACK}
_NAMES = [file + rank for rank in "12345678" for file in "abcdefgh"]
_SQUARES = {name: square for square, name in enumerate(_NAMES)}
_PIECES = {letter: kind for kind, letter in enumerate(LETTERS, 1)} | {
    letter.lower(): -kind for kind, letter in enumerate(LETTERS, 1)
}
_SYMBOLS = {piece: letter for letter, piece in _PIECES.items()}


class Move(NamedTuple):
    """From square `start` to square `end`; castling is written as the king's move."""

    start: int
    end: int
    promotion: int = 0
    """The kind that a pawn becomes; 0 where it stays a pawn, and for other pieces."""


@dataclass(slots=True)
class Position:
    """A position; nothing changes one, `engram.envs.puzzles.chess.moves.play` makes the next."""

    board: list[int]
    """The piece on each square, 64."""
    side: int
    """Who is to move, `WHITE` or `BLACK`."""
    castling: int = 0
    """Rights to castle: bits 0 to 3 for white's king side and queen side and black's."""
    en_passant: int = NOWHERE
    """The square that a pawn has just jumped over."""
    halfmoves: int = 0
    """Moves of either side since the last capture or pawn move."""
    number: int = 1
    """Number of the move, counted up after black's."""


def read_move(text: str) -> Move:
    """Read a move as UCI writes it: `e2e4`, `e7e8q`.

    Raises:
        ValueError: it is not of this form.
    """
    start, end, letter = text[:2], text[2:4], text[4:]
    if start not in _SQUARES or end not in _SQUARES or (letter and letter not in "qrbn"):
        raise ValueError(f"move: {text!r}; legal: two squares and a promotion's letter, as in e2e4 or e7e8q")
    return Move(_SQUARES[start], _SQUARES[end], -_PIECES[letter] if letter else 0)


def write_move(move: Move) -> str:
    """Write a move as UCI does."""
    promotion = _SYMBOLS[-move.promotion] if move.promotion else ""
    return _NAMES[move.start] + _NAMES[move.end] + promotion


def read_fen(text: str) -> Position:
    """Read a position in Forsyth-Edwards notation; both counters at the end may be missing.

    Raises:
        ValueError: it is not such a text, or a side has not exactly one king.
    """
    fields = text.split()
    if len(fields) == 4:
        fields += ["0", "1"]
    try:
        placement, side, castling, en_passant, halfmoves, number = fields
        position = Position(
            _read_placement(placement),
            _SIDES[side],
            sum(1 << _CASTLINGS.index(letter) for letter in castling.replace("-", "")),
            NOWHERE if en_passant == "-" else _SQUARES[en_passant],
            int(halfmoves),
            int(number),
        )
        if any(position.board.count(side * KING) != 1 for side in (WHITE, BLACK)):
            raise ValueError
    except (KeyError, ValueError):
        raise ValueError(f"FEN: {text!r}; legal: as in {START!r}, with one king a side") from None
    return position


def write_fen(position: Position) -> str:
    """Write a position in Forsyth-Edwards notation."""
    castling = "".join(letter for bit, letter in enumerate(_CASTLINGS) if position.castling >> bit & 1)
    return " ".join(
        (
            _write_placement(position.board),
            "w" if position.side == WHITE else "b",
            castling or "-",
            "-" if position.en_passant == NOWHERE else _NAMES[position.en_passant],
            str(position.halfmoves),
            str(position.number),
        )
    )


def _read_placement(text: str) -> list[int]:
    ranks = [_read_rank(rank) for rank in text.split("/")]
    if len(ranks) != 8 or any(len(rank) != 8 for rank in ranks):
        raise ValueError
    return [piece for rank in reversed(ranks) for piece in rank]


def _read_rank(text: str) -> list[int]:
    rank: list[int] = []
    for symbol in text:
        rank += [0] * int(symbol) if symbol.isdigit() else [_PIECES[symbol]]
    return rank


def _write_placement(board: list[int]) -> str:
    ranks = []
    for row in reversed(range(8)):
        rank = "".join(_SYMBOLS.get(piece, ".") for piece in board[8 * row : 8 * row + 8])
        for empty in range(8, 0, -1):
            rank = rank.replace("." * empty, str(empty))
        ranks.append(rank)
    return "/".join(ranks)
