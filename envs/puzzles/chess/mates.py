"""Positions that mate: in one move, and in two by force."""

from __future__ import annotations

from engram.envs.puzzles.chess.moves import (
    LEAPS,
    LINES,
    PAWN_CAPTURES,
    SLIDES,
    board_after,
    is_attacked,
    is_check,
    legal_moves,
    play,
    pseudo_moves,
)
from engram.envs.puzzles.chess.position import (
    BLACK,
    KINDS,
    KING,
    KNIGHT,
    PAWN,
    SQUARES,
    WHITE,
    Move,
    Position,
)


def _sights(kind: int, side: int) -> list[frozenset[int]]:
    """Return, for each square, those from which a piece attacks it on an empty board."""
    if kind == PAWN:
        return [frozenset(PAWN_CAPTURES[-side][square]) for square in range(SQUARES)]
    if kind == KING:
        return [frozenset()] * SQUARES  # kings do not give check
    if kind == KNIGHT:
        return [frozenset(leaps) for leaps in LEAPS[KNIGHT]]
    return [frozenset().union(*rays) for rays in SLIDES[kind]]


_SIGHTS = {side * kind: _sights(kind, side) for kind in KINDS for side in (WHITE, BLACK)}


def is_mate(position: Position) -> bool:
    """Return whether the side to move is in check and has no legal move."""
    return is_check(position.board, position.side) and next(legal_moves(position), None) is None


def mating_moves(position: Position) -> list[Move]:
    """Return the legal moves that mate."""
    board, side = position.board, position.side
    enemy = board.index(-side * KING)
    # What neither attacks the king from its new square nor opens a line to him gives no check;
    # en passant opens the line of the pawn that is taken, castling moves a rook.
    candidates = (
        move
        for move in pseudo_moves(position)
        if move.end in _SIGHTS[move.promotion * side or board[move.start]][enemy]
        or move.start in LINES[enemy]
        or move.end == position.en_passant
        or board[move.start] == KING * side
    )
    return [move for move in candidates if _mates(position, move, enemy)]


def unique_mate(position: Position) -> Move | None:
    """Return the move that mates, if no other pair of squares does."""
    return _only(mating_moves(position))


def mates_in_two(position: Position) -> list[Move]:
    """Return the legal moves that allow replies, each of which can be answered by mate."""
    return [move for move in legal_moves(position) if _forces_mate(play(position, move))]


def unique_mate_in_two(position: Position) -> Move | None:
    """Return the move that forces mate in two, if it is the only one and nothing mates at once."""
    return None if mating_moves(position) else _only(mates_in_two(position))


def _mates(position: Position, move: Move, enemy: int) -> bool:
    board = board_after(position, move)
    return (
        is_attacked(board, enemy, position.side)
        and not is_check(board, position.side)
        and is_mate(play(position, move))
    )


def _forces_mate(position: Position) -> bool:
    replied = False
    for reply in legal_moves(position):
        if not mating_moves(play(position, reply)):
            return False
        replied = True
    return replied


def _only(moves: list[Move]) -> Move | None:
    """Return the only pair of squares among the moves, whatever they promote to."""
    return moves[0] if len({(move.start, move.end) for move in moves}) == 1 else None
