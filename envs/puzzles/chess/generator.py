"""Generator of chess puzzles: unique mates on random boards.

Measured on one core of an AMD EPYC, puzzles per CPU-second and men on the board in the mean: `few` 113
(7 men), `full` 38 (20 men), `two` 6 (7 men); `benchmarks/puzzles.py` measures them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from engram.envs.arguments import check_at_least, check_known
from engram.envs.puzzles.chess.mates import unique_mate, unique_mate_in_two
from engram.envs.puzzles.chess.moves import is_check, legal_moves, play
from engram.envs.puzzles.chess.position import (
    BISHOP,
    BLACK,
    KING,
    KNIGHT,
    PAWN,
    QUEEN,
    ROOK,
    SQUARES,
    START,
    WHITE,
    Move,
    Position,
    read_fen,
)
from engram.envs.puzzles.chess.puzzle import ChessPuzzle

FEWEST_MEN, MOST_MEN = 5, 9  # of a random placement, kings included
MAX_PLIES = 200  # of a random game

_KINDS = (QUEEN, ROOK, BISHOP, KNIGHT, PAWN)

Leads = Iterator[tuple[Position, Move]]
"""Positions, and a move in each; what may be a puzzle is the position after it."""


def random_placements(rng: np.random.Generator) -> Leads:
    """Yield boards of 5 to 9 men put down anywhere, each with a random move."""
    while True:
        position = _place(rng)
        moves = list(legal_moves(position))
        if not is_check(position.board, -position.side) and moves:
            yield position, moves[rng.integers(len(moves))]


def random_games(rng: np.random.Generator) -> Leads:
    """Yield the positions of games played at random, each with the move played there."""
    while True:
        position = read_fen(START)
        for _ in range(MAX_PLIES):
            moves = list(legal_moves(position))
            if not moves:
                break
            move = moves[rng.integers(len(moves))]
            yield position, move
            position = play(position, move)


@dataclass(frozen=True)
class Level:
    """Recipe for puzzles of one difficulty.

    Args:
        leads: makes positions, and the move before the puzzle.
        solve: the one solution of a puzzle, or None where there is none, or more.
        rating: puts the levels in order; what Lichess would rate them is not known.
        theme: Lichess's word for such a puzzle.
    """

    leads: Callable[[np.random.Generator], Leads]
    solve: Callable[[Position], Move | None]
    rating: int
    theme: str


LEVELS: Mapping[str, Level] = {
    "few": Level(random_placements, unique_mate, 500, "mateIn1"),
    "full": Level(random_games, unique_mate, 1000, "mateIn1"),
    "two": Level(random_placements, unique_mate_in_two, 1500, "mateIn2"),
}


def generate(level: str, rng: np.random.Generator, count: int) -> list[ChessPuzzle]:
    """Make puzzles with exactly one solution.

    Args:
        level: `few`: mate in one, 5 to 9 men put down at random; `full`: mate in one, from random games;
            `two`: the first move of a mate in two, on boards as in `few`.
        rng: draws the boards.
        count: number of puzzles.

    Raises:
        ValueError: an unknown level or a negative count.
    """
    made = LEVELS[check_known("level", level, list(LEVELS))]
    check_at_least("count", count, 0, ">= 0 puzzles")
    return [_search(made, rng) for _ in range(count)]


def _search(level: Level, rng: np.random.Generator) -> ChessPuzzle:
    """Return the first puzzle found; at most one per game, as its positions are much alike."""
    found = ((before, lead, level.solve(play(before, lead))) for before, lead in level.leads(rng))
    return next(
        ChessPuzzle.of(before, lead, solution, level.rating, level.theme)
        for before, lead, solution in found
        if solution is not None
    )


def _place(rng: np.random.Generator) -> Position:
    men = int(rng.integers(FEWEST_MEN, MOST_MEN, endpoint=True))
    squares = rng.permutation(SQUARES)[:men].tolist()
    kinds = rng.choice(_KINDS, men - 2).tolist()
    sides = rng.choice((WHITE, BLACK), men - 1).tolist()
    board = [0] * SQUARES
    board[squares[0]], board[squares[1]] = KING, -KING
    for square, kind, side in zip(squares[2:], kinds, sides[1:], strict=True):
        # A pawn cannot stand on the first or the last rank.
        board[square] = side * (QUEEN if kind == PAWN and square // 8 in (0, 7) else kind)
    return Position(board, sides[0])
