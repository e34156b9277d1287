"""Readers of symbols: numbers that name something, and measure nothing.

N stands for any number of observations at once, S for the sizes of a board, C for the symbols of a cell.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from engram.agents.models import spaces
from engram.agents.models.reader import Reader, constant
from engram.agents.models.spaces import PADDING, AnySpace, named

MOST_SYMBOLS = 2**16
"""Columns of a one-hot observation, or rows of a table of embeddings, that there may be."""


class Symbols(NamedTuple):
    """The symbols of a space.

    Attributes:
        places: S, the sizes of a board of cells; empty where there is one cell.
        counts: How many values each symbol of a cell may have, (C,).
        starts: The least value of each, (C,).
    """

    places: tuple[int, ...]
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]


def symbols_of(space: AnySpace, path: str, board: bool = False) -> Symbols:
    """Reads the symbols off the bounds of a space.

    Args:
        space: `Discrete`, `MultiDiscrete`, `MultiBinary` or `Box` of whole numbers.
        path: Where the encoder's options were written, dotted; only used in messages.
        board: Whether the axes before the last are those of a board, whose cells have bounds in common; else
            the whole observation is one cell.

    Raises:
        ValueError: Another space, or more symbols than `MOST_SYMBOLS`.
    """
    low, high = _bounds(space, path)
    rows = (-1, low.shape[-1]) if board else (1, -1)
    low, high = low.reshape(rows).min(0), high.reshape(rows).max(0)
    counts = high - low + 1
    if counts.sum() > MOST_SYMBOLS:
        raise ValueError(
            f"{path}: cannot encode {named(space)} as one-hot of {counts.sum():,} columns; "
            f"at most {MOST_SYMBOLS:,}"
        )
    places = tuple(space.shape or ())[:-1] if board else ()
    starts = np.array(
        [start - 2**64 * (start >= 2**63) for start in low], np.int64
    )  # as uint64 becomes int64
    return Symbols(places, counts.astype(np.int64), starts)


def _bounds(space: AnySpace, path: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The least and the largest value of each element, as whole numbers of any size."""
    if isinstance(space, spaces.Box) and not np.issubdtype(space.dtype, np.floating):
        low, high = space.low, space.high
    elif isinstance(space, spaces.MultiBinary):
        low, high = np.zeros(space.shape, np.int64), np.ones(space.shape, np.int64)
    elif isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        low = np.asarray(space.start)
        high = low + np.asarray(space.n if isinstance(space, spaces.Discrete) else space.nvec) - 1
    else:
        known = "Discrete, MultiDiscrete, MultiBinary and Box of whole numbers"
        raise ValueError(f"{path}: there are no symbols in {named(space)}; known: {known}")
    return np.atleast_1d(low).astype(object), np.atleast_1d(high).astype(object)


class BitsReader(Reader):
    """`MultiBinary`: zeros and ones as they are."""

    def __init__(self, space: spaces.MultiBinary) -> None:
        super().__init__()
        self.shape = tuple(space.shape) or (1,)

    @override
    def forward(self, observations: Tensor, dtype: torch.dtype) -> Tensor:
        return observations.to(dtype)

    @override
    def described(self) -> None:
        return


class OneHotReader(Reader):
    """Symbols as one column for each value of each, (N, *S, columns).

    What is not in the space, as the zeros with which RLlib pads sequences, is all zeros.
    """

    symbol: Tensor  # (columns,), which one a column belongs to
    value: Tensor  # (columns,), the value that it stands for

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        places, counts, starts = symbols
        values = [start + np.arange(count) for start, count in zip(starts, counts, strict=True)]
        constant(self, "symbol", np.repeat(np.arange(len(counts)), counts))
        value = np.concatenate([*values, np.zeros(0, np.int64)])
        constant(self, "value", value)
        self._in_bytes = bool(((value >= 0) & (value <= 255)).all())
        self._places = places
        self.shape = (*places, int(counts.sum()))

    @override
    def forward(self, observations: Tensor, dtype: torch.dtype) -> Tensor:
        cells = observations.reshape(observations.shape[0], *self._places, -1)
        if not (cells.dtype == torch.uint8 and self._in_bytes):  # bytes take an eighth of the memory
            cells = cells.to(torch.int64)
        return (cells.index_select(-1, self.symbol) == self.value.to(cells.dtype)).to(dtype)

    @override
    def described(self) -> str:
        each = " for each cell" if self._places else ""
        return f"one-hot, {self.shape[-1]} columns{each}"


class CodeReader(Reader):
    """Symbols as rows of one table, (N, *S, C) whole numbers: those of the second symbol follow the first's.

    What is not in the space becomes the nearest symbol that is.

    Attributes:
        symbols: Rows of the table.
    """

    start: Tensor
    last: Tensor
    first_row: Tensor

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        places, counts, starts = symbols
        constant(self, "start", starts)
        constant(self, "last", counts - 1)
        constant(self, "first_row", np.cumsum(counts) - counts)
        self.symbols = int(counts.sum())
        self.shape = (*places, len(counts))

    @override
    def forward(self, observations: Tensor, dtype: torch.dtype) -> Tensor:
        codes = observations.reshape(observations.shape[0], *self.shape).to(torch.int64) - self.start
        return torch.minimum(codes.clamp(min=0), self.last) + self.first_row

    @override
    def described(self) -> str:
        return f"{self.symbols} symbols, each with a vector that is learned"


class TokenReader(Reader):
    """Texts as rows of tokens, (N, L) whole numbers, as they are.

    Attributes:
        tokens: How many there are, that of padding included.
    """

    def __init__(self, space: AnySpace, path: str) -> None:
        super().__init__()
        rows = isinstance(space, spaces.MultiDiscrete | spaces.Box) and len(space.shape) == 1
        whole = rows and np.issubdtype(space.dtype or float, np.integer)
        low, high = _bounds(space, path) if whole else (np.empty(0), np.empty(0))
        if not low.size or low.min() < PADDING:
            raise ValueError(
                f"{path}: a text is a row of tokens, one MultiDiscrete or Box of whole numbers >= {PADDING} "
                f"of one dimension, got {named(space)}"
            )
        self.tokens, self.shape = int(high.max()) + 1, low.shape
        if self.tokens > MOST_SYMBOLS:
            raise ValueError(f"{path}: {self.tokens:,} tokens in {named(space)}; at most {MOST_SYMBOLS:,}")

    @override
    def forward(self, observations: Tensor, dtype: torch.dtype) -> Tensor:
        return observations.reshape(observations.shape[0], *self.shape).to(torch.int64)

    @override
    def described(self) -> str:
        return f"texts of up to {self.shape[0]} of {self.tokens} tokens"
