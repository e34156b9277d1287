"""The rules of chess: attacks, legal moves, and the position after a move.

Boards are lists of 64 that are copied for every move; where a piece can go on an empty board is looked up in
tables, one entry per square.
"""

from __future__ import annotations

from collections.abc import Iterator

from engram.envs.puzzles.chess.position import (
    BISHOP,
    BLACK,
    KING,
    KNIGHT,
    NOWHERE,
    PAWN,
    QUEEN,
    ROOK,
    SQUARES,
    WHITE,
    Move,
    Position,
)

Steps = tuple[tuple[int, int], ...]
Squares = tuple[int, ...]

_STRAIGHT: Steps = ((1, 0), (-1, 0), (0, 1), (0, -1))
_DIAGONAL: Steps = ((1, 1), (1, -1), (-1, 1), (-1, -1))
_JUMPS: Steps = ((1, 2), (1, -2), (-1, 2), (-1, -2), (2, 1), (2, -1), (-2, 1), (-2, -1))
_PROMOTIONS = (QUEEN, ROOK, BISHOP, KNIGHT)


def _ray(square: int, step: tuple[int, int], length: int = 7) -> Squares:
    """Return the squares on the way from `square` to the edge of the board."""
    row, column = divmod(square, 8)
    way = ((row + n * step[0], column + n * step[1]) for n in range(1, length + 1))
    return tuple(8 * r + c for r, c in way if 0 <= r < 8 and 0 <= c < 8)


def _rays(steps: Steps) -> list[tuple[Squares, ...]]:
    return [tuple(ray for step in steps if (ray := _ray(square, step))) for square in range(SQUARES)]


def _leaps(steps: Steps) -> list[Squares]:
    return [tuple(end for step in steps for end in _ray(square, step, 1)) for square in range(SQUARES)]


SLIDES = {
    ROOK: _rays(_STRAIGHT),
    BISHOP: _rays(_DIAGONAL),
    QUEEN: _rays(_STRAIGHT + _DIAGONAL),
}
LEAPS = {KING: _leaps(_STRAIGHT + _DIAGONAL), KNIGHT: _leaps(_JUMPS)}
PAWN_CAPTURES = {side: _leaps(((side, 1), (side, -1))) for side in (WHITE, BLACK)}
LINES = [frozenset({square}.union(*rays)) for square, rays in enumerate(SLIDES[QUEEN])]
"""Squares on a line with a square, and that square itself: a move from elsewhere opens no line to it."""

_HOMES = {WHITE: 4, BLACK: 60}  # of the kings
_ROOK_JUMPS = {
    2: (3, 1),
    -2: (-4, -1),
}  # the king's steps -> the rook's square before and after, from the king's
_LOST_RIGHTS = {0: 0b0010, 4: 0b0011, 7: 0b0001, 56: 0b1000, 60: 0b1100, 63: 0b0100}
_KEPT_RIGHTS = [0b1111 & ~_LOST_RIGHTS.get(square, 0) for square in range(SQUARES)]


def is_attacked(board: list[int], square: int, side: int) -> bool:
    """Return whether a piece of `side` attacks `square`."""
    for kind, leaps in LEAPS.items():
        attacker = kind * side
        for start in leaps[square]:
            if board[start] == attacker:
                return True
    # A pawn attacks the squares from which an enemy's pawn would attack it.
    for start in PAWN_CAPTURES[-side][square]:
        if board[start] == PAWN * side:
            return True
    queen = QUEEN * side
    for kind in (ROOK, BISHOP):
        attacker = kind * side
        for ray in SLIDES[kind][square]:
            for start in ray:
                if piece := board[start]:
                    if piece in (attacker, queen):
                        return True
                    break
    return False


def is_check(board: list[int], side: int) -> bool:
    """Return whether the king of `side` is attacked."""
    return is_attacked(board, board.index(KING * side), -side)


def pseudo_moves(position: Position) -> Iterator[Move]:
    """Return moves of the side to move, including those that leave its king attacked."""
    board, side = position.board, position.side
    for start, piece in enumerate(board):
        kind = piece * side
        if kind <= 0:
            continue
        if kind == PAWN:
            yield from _pawn_moves(position, start)
        elif kind in LEAPS:
            for end in LEAPS[kind][start]:
                if board[end] * side <= 0:
                    yield Move(start, end)
        else:
            for ray in SLIDES[kind][start]:
                for end in ray:
                    taken = board[end] * side
                    if taken > 0:
                        break
                    yield Move(start, end)
                    if taken:
                        break
    if position.castling:
        yield from _castlings(position)


def legal_moves(position: Position) -> Iterator[Move]:
    """Return the legal moves of the side to move."""
    board, side = position.board, position.side
    king = board.index(KING * side)
    if is_attacked(board, king, -side):
        risky: frozenset[int] = frozenset(range(SQUARES))
    else:
        risky = LINES[king]
    for move in pseudo_moves(position):
        # En passant also takes a piece from a third square, which may open a line.
        if (move.start not in risky and move.end != position.en_passant) or not is_check(
            board_after(position, move), side
        ):
            yield move


def board_after(position: Position, move: Move) -> list[int]:
    """Return the board after a move."""
    start, end, promotion = move
    board = position.board.copy()
    piece = board[start]
    board[start] = 0
    board[end] = promotion * position.side or piece
    kind = piece * position.side
    if kind == PAWN and end == position.en_passant:
        board[end - 8 * position.side] = 0
    elif kind == KING and end - start in _ROOK_JUMPS and start == _HOMES[position.side]:
        before, after = _ROOK_JUMPS[end - start]
        board[start + before], board[start + after] = 0, board[start + before]
    return board


def play(position: Position, move: Move) -> Position:
    """Return the position after a move, without a check that it is legal."""
    start, end, _ = move
    pawn = position.board[start] == PAWN * position.side
    return Position(
        board_after(position, move),
        -position.side,
        position.castling & _KEPT_RIGHTS[start] & _KEPT_RIGHTS[end],
        (start + end) // 2 if pawn and abs(end - start) == 16 else NOWHERE,
        0 if pawn or position.board[end] else position.halfmoves + 1,
        position.number + (position.side == BLACK),
    )


def count_leaves(position: Position, depth: int) -> int:
    """Count the ways to play `depth` moves ("perft", the usual test of move generators)."""
    if depth == 0:
        return 1
    return sum(count_leaves(play(position, move), depth - 1) for move in legal_moves(position))


def _pawn_moves(position: Position, start: int) -> Iterator[Move]:
    board, side = position.board, position.side
    ends = []
    ahead = start + 8 * side
    if not board[ahead]:
        ends.append(ahead)
        if start // 8 == (1 if side == WHITE else 6) and not board[ahead + 8 * side]:
            ends.append(ahead + 8 * side)
    for end in PAWN_CAPTURES[side][start]:
        if board[end] * side < 0 or end == position.en_passant:
            ends.append(end)
    promotes = ahead // 8 in (0, 7)
    for end in ends:
        if promotes:
            for kind in _PROMOTIONS:
                yield Move(start, end, kind)
        else:
            yield Move(start, end)


def _castlings(position: Position) -> Iterator[Move]:
    board, side = position.board, position.side
    home = _HOMES[side]
    rights = position.castling if side == WHITE else position.castling >> 2
    for bit, steps in enumerate((2, -2)):
        rook, way = home + _ROOK_JUMPS[steps][0], home + steps // 2
        between = range(min(home, rook) + 1, max(home, rook))
        if (
            rights >> bit & 1
            and board[home] == KING * side
            and board[rook] == ROOK * side
            and not any(board[square] for square in between)
            and not is_attacked(board, home, -side)
            and not is_attacked(board, way, -side)
        ):
            yield Move(home, home + steps)
