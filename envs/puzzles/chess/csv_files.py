"""Puzzle files as published by Lichess (database.lichess.org, CC0): reading and writing.

Every release is read: without a header (2021) or with one, with or without opening tags, with the `GameId`
column of the mirror on Hugging Face, as `.csv` or as `.csv.zst`.
"""

from __future__ import annotations

import csv
import importlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO, cast

import numpy as np

from engram.envs.arguments import shown
from engram.envs.puzzles.chess.puzzle import ChessPuzzle

HEADER = (
    "PuzzleId",
    "FEN",
    "Moves",
    "Rating",
    "RatingDeviation",
    "Popularity",
    "NbPlays",
    "Themes",
    "GameUrl",
    "OpeningTags",
)
_READ = ("FEN", "Moves", "Rating")


def write_csv(path: str | Path, puzzles: Iterable[ChessPuzzle]) -> None:
    """Write puzzles as Lichess does, so that they need to be generated only once.

    Args:
        path: of the file, which is overwritten.
        puzzles: in any order, `read_csv` sorts them.
    """
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, restval="")
        writer.writeheader()
        for number, puzzle in enumerate(puzzles):
            writer.writerow(
                {
                    "PuzzleId": f"own{number:06d}",
                    "FEN": puzzle.fen,
                    "Moves": f"{puzzle.lead} {puzzle.solution}",
                    "Rating": puzzle.rating,
                    "Themes": puzzle.theme,
                }
            )


def read_csv(path: str | Path, first: int = 0, last: int | None = None) -> list[ChessPuzzle]:
    """Read the puzzles that are `first` (inclusive) to `last` (exclusive) by rating, the easiest first.

    The file is read twice, so that of millions of rows only the wanted ones are held. Of equal ratings the
    one that is earlier in the file comes first.

    Args:
        path: of a `.csv`, or of a `.csv.zst`, which needs Python 3.14 or the `zstandard` package
            (`pip install "engram[zst]"`).
        first: index of the first one by rating.
        last: index after the last one; None for all.

    Raises:
        ValueError: not such a file, or a row that cannot be read.
        ImportError: a `.zst` file, and nothing there to read it.
    """
    ratings = np.fromiter((rating for _, _, rating in _rows(path)), np.int64)
    wanted = np.argsort(ratings, kind="stable")[first:last].tolist()
    places = {row: place for place, row in enumerate(wanted)}
    puzzles: list[ChessPuzzle | None] = [None] * len(wanted)
    for row, (fen, moves, rating) in enumerate(_rows(path)):
        if row in places:
            lead, solution = _two_moves(path, row, moves)
            puzzles[places[row]] = ChessPuzzle(fen, lead, solution, rating)
    return cast(list[ChessPuzzle], puzzles)


def _rows(path: str | Path) -> Iterator[tuple[str, str, int]]:
    """Yield FEN, moves and rating of each row."""
    try:
        with _opened(Path(path)) as file:
            reader = csv.reader(file)
            top = next(reader, [])
            columns = _columns(path, top)
            puzzles = reader if _is_header(top) else itertools.chain([top], reader)
            for row, fields in enumerate(puzzles):
                yield _read_row(path, row, fields, columns)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"path: {path} cannot be read as a table of puzzles: {error}") from None


def _is_header(top: Sequence[str]) -> bool:
    return set(_READ) <= set(top)


def _columns(path: str | Path, top: Sequence[str]) -> tuple[int, int, int]:
    """Find the columns of FEN, moves and rating, by the header or by where the first row has a FEN."""
    if _is_header(top):
        return (top.index("FEN"), top.index("Moves"), top.index("Rating"))
    for column, field in enumerate(top[:3]):
        if field.count("/") == 7 and len(top) >= column + len(_READ):
            return (column, column + 1, column + 2)
    raise ValueError(
        f"path: {path} begins with {shown(top)}; legal: a header with {', '.join(_READ)}, or a puzzle"
    )


def _read_row(
    path: str | Path, row: int, fields: Sequence[str], columns: tuple[int, int, int]
) -> tuple[str, str, int]:
    try:
        fen, moves, rating = (fields[column] for column in columns)
        return fen, moves, int(np.int64(int(rating)))
    except (IndexError, OverflowError, ValueError):
        raise ValueError(
            f"path: {path}, puzzle {row}: {shown(fields)} has no FEN, moves and rating"
        ) from None


def _two_moves(path: str | Path, row: int, moves: str) -> tuple[str, str]:
    listed = moves.split()
    if len(listed) < 2:
        raise ValueError(f"path: {path}, puzzle {row}: moves {moves!r}; legal: two moves or more")
    return listed[0], listed[1]


def _opened(path: Path) -> AbstractContextManager[TextIO]:
    if path.suffix != ".zst":
        return path.open(newline="", encoding="utf-8")
    with suppress(ImportError):  # in the standard library from Python 3.14 on
        zstd = importlib.import_module("compression.zstd")
        return cast(TextIO, zstd.open(path, "rt", newline="", encoding="utf-8"))
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        raise ImportError(
            f"path: {path} needs Python 3.14 or the zstandard package to be read; "
            'pip install "engram[zst]", or unpack it with `unzstd`'
        ) from None
    unpacked = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True)
    return TextIOWrapper(unpacked, encoding="utf-8", newline="")
