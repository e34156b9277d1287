"""Converts observations to floats, the first step of every encoder.

Whole numbers are scaled element by element, so that none drowns in the bounds of another; symbols become
one-hot. N stands for any number of observations at once.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from engram.agents.models import spaces
from engram.agents.models.reader import Reader, constant
from engram.agents.models.spaces import AnySpace, named
from engram.agents.models.symbols import BitsReader, CodeReader, OneHotReader, symbols_of

WIDEST = 1000
"""Where bounds of whole numbers lie further apart, they are those of a counter or of the dtype, and most of
what occurs is small beside them: it is its logarithm that is scaled."""

CODES_SIDE = 32  # cells; pictures of 0 to 255 that are smaller may as well be boards of codes
LARGE_FLOATS = 100.0  # bounds of floats that are worth a remark
UNBOUNDED = 1e30  # bounds of floats that mean none
TINY = float(np.finfo(np.float64).tiny)

SCALES = ("auto", "bounds", "symlog", "none")


def make_reader(space: AnySpace, scale: str, path: str, cells: str = "raw") -> Reader:
    """Makes the reader of the observations of a space.

    Args:
        space: Of one lane. Of a `Dict` or `Tuple` all parts are read, and put side by side.
        scale: `auto`: whole numbers by the bounds of each element to 0..1, or to -1..1 where they may be
            negative; where the bounds lie further apart than `WIDEST`, their `symlog` is, counted from the
            lower bound or, where they may be negative, from 0. Floats stay as they are. `bounds`: all
            elements by their bounds. `symlog`: sign(x) log(1 + |x|) of all elements. `none`: as they are.
        path: Where the encoder's options were written, dotted; only used in messages.
        cells: `raw`: numbers are numbers, as `scale` says. `one_hot`, `embed`: those of a board are symbols.

    Raises:
        ValueError: A space that cannot be read, or not so.
    """
    if cells != "raw":
        return _cell_reader(space, scale, path, cells)
    if isinstance(space, _NESTS):
        return FlatReader(space, _part_readers(space, scale, path), path)
    if isinstance(space, spaces.Box):
        return BoxReader(space, scale, path)
    if not isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        raise ValueError(f"{path}: cannot encode the observation space {named(space)}; {_known(space)}")
    if scale != "auto":
        raise ValueError(f"{path}.scale: {scale!r} is for a Box; {named(space)} has nothing to scale")
    if isinstance(space, spaces.MultiBinary):
        return BitsReader(space)
    return OneHotReader(symbols_of(space, path))


_NESTS = (spaces.Dict, spaces.Tuple)


def _part_readers(space: spaces.Dict | spaces.Tuple, scale: str, path: str) -> dict[str, Reader]:
    """Readers of all parts, numbers scaled as asked for."""
    parts = parts_of(space)
    if scale != "auto" and not any(isinstance(part, (spaces.Box, *_NESTS)) for part in parts.values()):
        raise ValueError(f"{path}.scale: {scale!r} is for a Box; {named(space)} has nothing to scale")
    readers = {}
    for name, part in parts.items():
        scaled = isinstance(part, (spaces.Box, *_NESTS))
        where = path if isinstance(part, spaces.Box) else f"{path}.{name}"
        readers[name] = make_reader(part, scale if scaled else "auto", where)
    return readers


def _cell_reader(space: AnySpace, scale: str, path: str, cells: str) -> Reader:
    if scale != "auto":
        raise ValueError(f"{path}.scale: {scale!r} is for numbers; with cells: {cells} they are symbols")
    symbols = symbols_of(space, f"{path}.cells", board=True)
    return OneHotReader(symbols) if cells == "one_hot" else CodeReader(symbols)


def _known(space: AnySpace) -> str:
    if space.dtype is not None and np.dtype(space.dtype).kind == "U":
        return (
            "an encoder reads texts as rows of tokens (MultiDiscrete, 0 behind the end), which a wrapper has "
            "to make of them"
        )
    return "known: Box, Discrete, MultiDiscrete, MultiBinary, Dict and Tuple of these, and texts as tokens"


def parts_of(space: spaces.Dict | spaces.Tuple) -> dict[str, AnySpace]:
    """Returns the parts of a space by name; those of a `Tuple` are called "0", "1", ..."""
    parts = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
    return {str(name): part for name, part in parts}


class PartsReader(Reader):
    """`Dict` and `Tuple`: each part by a reader of its own, a dict of name to what that makes.

    A part without a reader is not read.
    """

    def __init__(self, space: spaces.Dict | spaces.Tuple, readers: Mapping[str, Reader]) -> None:
        super().__init__()
        self.shape = (len(readers),)
        self._names = tuple(readers)
        keys = space.spaces if isinstance(space, spaces.Dict) else range(len(space.spaces))
        self._keys = tuple(key for key in keys if str(key) in readers)
        self.readers = nn.ModuleList(readers.values())

    def read(self, observations: Any, dtype: torch.dtype) -> dict[str, Any]:
        """What each part becomes, by name."""
        rows = zip(self._names, self._keys, self.readers, strict=True)
        return {name: reader(observations[key], dtype) for name, key, reader in rows}

    @override
    def forward(self, observations: Any, dtype: torch.dtype) -> Any:
        return self.read(observations, dtype)

    @override
    def described(self) -> str | None:
        return self._joined("; ", [reader.described() for reader in self._each()])

    @override
    def remark(self) -> str | None:
        return self._joined("; ", [reader.remark() for reader in self._each()])

    def _each(self) -> list[Reader]:
        return [reader for reader in self.readers if isinstance(reader, Reader)]

    def _joined(self, separator: str, texts: Sequence[str | None]) -> str | None:
        rows = zip(self._names, texts, strict=True)
        return separator.join(f"{name}: {text}" for name, text in rows if text is not None) or None


class FlatReader(PartsReader):
    """`Dict` and `Tuple` as one row of floats (N, F), the parts side by side."""

    def __init__(self, space: spaces.Dict | spaces.Tuple, readers: Mapping[str, Reader], path: str) -> None:
        super().__init__(space, readers)
        self.shape = (sum(math.prod(reader.shape) for reader in readers.values()),)
        if not readers:
            raise ValueError(f"{path}: there is nothing to encode in {named(space)}")

    @override
    def forward(self, observations: Any, dtype: torch.dtype) -> Tensor:
        return torch.cat([part.flatten(1) for part in self.read(observations, dtype).values()], dim=1)


class BoxReader(Reader):
    """`Box`: see `make_reader` for what is done to it.

    Attributes:
        factor: Where all elements are only multiplied, by one number, that number; else None.
    """

    low: Tensor
    gain: Tensor
    shift: Tensor
    compressed: Tensor

    def __init__(self, space: spaces.Box, scale: str, path: str) -> None:
        super().__init__()
        self.shape = tuple(space.shape) or (1,)
        self._space, self._scale, self._path = space, scale, path
        self._whole = not np.issubdtype(space.dtype, np.floating)
        low, span = space.low, self._span()
        by_bounds, compressed = self._rules(span, path)
        signed = low < 0
        gain, shift = np.ones_like(span), np.zeros_like(span)
        ranges = by_bounds & (span > 0)
        gain[ranges] = (np.where(signed, 2.0, 1.0) / np.maximum(span, TINY))[ranges]
        shift[ranges & signed] = -1.0
        logarithms = compressed & (scale == "auto")
        reach = np.where(signed, np.maximum(-low.astype(np.float64), space.high), span)
        gain[logarithms] = 1.0 / np.log1p(reach[logarithms])
        moved = (by_bounds | (logarithms & ~signed)) & (low != 0)
        self.factor: float | None = None
        fits = not gain.size or gain.max() <= np.finfo(np.float32).max
        alike = (gain.ravel() == gain.ravel()[:1]).all()
        if fits and alike and not moved.any() and not compressed.any():
            self.factor = float(gain.flat[0]) if gain.size else 1.0
            return
        offset = low.astype(np.int64 if self._whole else np.float64)
        self._wraps = self._whole and bool((span >= 2.0**63).any())
        constant(self, "low", np.where(moved, offset, 0))
        constant(self, "gain", gain)
        constant(self, "shift", shift)
        constant(self, "compressed", compressed)
        self._compresses = bool(compressed.any())

    def _span(self) -> NDArray[np.float64]:
        """Upper less lower bound; of whole numbers exactly, since those of 64 bits are not all floats."""
        kind = np.int64 if self._whole else np.float64
        low, high = (np.atleast_1d(bound).astype(kind) for bound in (self._space.low, self._space.high))
        with np.errstate(over="ignore"):
            span = high - low
        span = span.view(np.uint64).astype(np.float64) if self._whole else span
        return np.asarray(span.reshape(self._space.shape))

    def _rules(self, span: NDArray[Any], path: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Which elements are scaled by their bounds, and which by `symlog`; the others stay as they are."""
        everywhere, nowhere = np.ones(span.shape, bool), np.zeros(span.shape, bool)
        if self._scale == "auto" and self._whole:
            return span <= WIDEST, span > WIDEST
        if self._scale == "symlog":
            return nowhere, everywhere
        if self._scale != "bounds":
            return nowhere, nowhere
        unbounded = int((span >= np.finfo(np.float32).max).sum())
        if unbounded:
            raise ValueError(
                f"{path}.scale: 'bounds' needs finite bounds, {unbounded} of {span.size} elements of the "
                "observation have none; legal here: auto, symlog, none"
            )
        return everywhere, nowhere

    @override
    def forward(self, observations: Tensor, dtype: torch.dtype) -> Tensor:
        observations = observations.reshape(observations.shape[0], *self.shape)
        if self.factor is not None:
            scaled = observations.to(dtype)
            return scaled if self.factor == 1.0 else scaled * self.factor
        exact = dtype if self._whole else torch.float64  # of floats, bounds may be of any size
        raised = self._raised(observations, exact)
        scaled = raised * self.gain.to(exact) + self.shift.to(exact)
        if self._compresses:
            scaled = torch.where(self.compressed, symlog(raised) * self.gain.to(exact), scaled)
        return scaled.to(dtype)

    def _raised(self, observations: Tensor, dtype: torch.dtype) -> Tensor:
        """Subtracts what they are counted from before the conversion: float32 would lose the difference."""
        difference = observations.to(self.low.dtype) - self.low
        raised = difference.to(dtype)
        if self._wraps:  # differences that int64 does not hold have wrapped around
            raised = torch.where(difference < 0, raised + 2.0**64, raised)
        return raised

    @override
    def described(self) -> str | None:
        if self.factor == 1.0:
            return None
        if self.factor is not None:
            return f"0 to {float(np.max(self._space.high)):g} by their bounds to 0 to 1"
        compressed, count = int(self.compressed.sum()), self.compressed.numel()
        if self._scale == "symlog":
            return "sign(x) log(1 + |x|) of each element"
        reach = "-1 to 1" if np.any(self._space.low < 0) else "0 to 1"
        if not compressed:
            return f"each element by its bounds to {reach}"
        logarithm = f"logarithm, since bounds more than {WIDEST:,} apart do not tell what occurs"
        if compressed == count:
            return f"each element by its bounds to {reach}, its {logarithm}"
        return f"each element by its bounds to {reach}; of {compressed} of {count} the {logarithm}"

    def remark(self) -> str | None:
        """Numbers that may not be what they look like, or larger than a network likes."""
        if self._scale != "auto":
            return None
        if self._whole:
            board = len(self.shape) > 1 and max(self.shape) < CODES_SIDE
            if not board or self.factor != 1 / 255:
                return None
            return (
                f"observations {self.shape} of 0 to 255 are scaled as pixels are; if they are codes of a few "
                f"values, they hardly differ: config.model.{self._path}.scale: none leaves them as they are"
            )
        bounds = np.abs(np.concatenate([self._space.low.reshape(-1), self._space.high.reshape(-1)]))
        meant = bounds[bounds < UNBOUNDED]
        if not meant.size or meant.max() <= LARGE_FLOATS:
            return None
        ways = "symlog makes" if meant.size < bounds.size else "bounds, or symlog, makes"
        return (
            f"observations are floats of up to {meant.max():g} and reach the network as they are; "
            f"config.model.{self._path}.scale: {ways} them small"
        )


def symlog(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|): small numbers nearly as they are, large ones by their order of magnitude.

    Source: Hafner et al., Mastering diverse domains through world models, arXiv 2301.04104, equation 9.
    """
    return values.sign() * values.abs().log1p()
