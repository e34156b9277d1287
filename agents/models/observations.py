"""Converts observations to floats, the first step of every encoder.

Whole numbers are scaled element by element, so that none drowns in the bounds of another; symbols become
one-hot. N stands for any number of observations at once.
"""

from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from engram.agents.models.actions import named

WIDEST = 1000
"""Where bounds of whole numbers lie further apart, they are those of a counter or of the dtype, and most of
what occurs is small beside them: it is its logarithm that is scaled."""

MOST_SYMBOLS = 2**16
"""Columns that a one-hot observation may have."""

CODES_SIDE = 32  # cells; pictures of 0 to 255 that are smaller may as well be boards of codes
LARGE_FLOATS = 100.0  # bounds of floats that are worth a remark
UNBOUNDED = 1e30  # bounds of floats that mean none
TINY = float(np.finfo(np.float64).tiny)

SCALES = ("auto", "bounds", "symlog", "none")


class Reader(nn.Module, ABC):
    """Observations (N, *shape of the space) to floats (N, *shape).

    Attributes:
        shape: Of one observation as floats.
    """

    shape: tuple[int, ...]

    @abstractmethod
    def forward(self, observations: Tensor, dtype: torch.dtype) -> Tensor:
        """The observations as floats of that dtype."""

    @abstractmethod
    def described(self) -> str | None:
        """Describes the conversion in a few words; None where there is none."""

    def remark(self) -> str | None:
        """Returns what a user may want to know about it, or None."""
        return None


def make_reader(space: gym.Space[Any], scale: str, path: str) -> Reader:
    """Makes the reader of the observations of a space.

    Args:
        space: Of one lane.
        scale: `auto`: whole numbers by the bounds of each element to 0..1, or to -1..1 where they may be
            negative; where the bounds lie further apart than `WIDEST`, their `symlog` is, counted from the
            lower bound or, where they may be negative, from 0. Floats stay as they are. `bounds`: all
            elements by their bounds. `symlog`: sign(x) log(1 + |x|) of all elements. `none`: as they are.
        path: Where the encoder's options were written, dotted; only used in messages.

    Raises:
        ValueError: A space that cannot be read, or not so.
    """
    if isinstance(space, spaces.Box):
        return BoxReader(space, scale, path)
    if not isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        known = "Box, Discrete, MultiDiscrete, MultiBinary"
        raise ValueError(f"{path}: cannot encode the observation space {named(space)}; known: {known}")
    if scale != "auto":
        raise ValueError(f"{path}.scale: {scale!r} is for a Box; {named(space)} has nothing to scale")
    if isinstance(space, spaces.MultiBinary):
        return MultiBinaryReader(space)
    return OneHotReader(space, path)


class MultiBinaryReader(Reader):
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
    """`Discrete` and `MultiDiscrete`: one column for each value of each element, counted from its `start`.

    What is not in the space, as the zeros with which RLlib pads sequences, is all zeros.
    """

    element: Tensor  # (columns,), which one a column belongs to
    value: Tensor  # (columns,), the value that it stands for

    def __init__(self, space: Any, path: str) -> None:
        super().__init__()
        several = isinstance(space, spaces.MultiDiscrete)
        counts = np.atleast_1d(space.nvec if several else space.n).reshape(-1).astype(np.int64)
        if counts.sum() > MOST_SYMBOLS:
            raise ValueError(
                f"{path}: cannot encode {named(space)} as one-hot of {counts.sum():,} columns; "
                f"at most {MOST_SYMBOLS:,}"
            )
        starts = np.atleast_1d(space.start).reshape(-1).astype(np.int64)
        values = [start + np.arange(count) for start, count in zip(starts, counts, strict=True)]
        _constant(self, "element", np.repeat(np.arange(len(counts)), counts))
        _constant(self, "value", np.concatenate(values))
        self.shape = (int(counts.sum()),)

    @override
    def forward(self, observations: Tensor, dtype: torch.dtype) -> Tensor:
        elements = observations.reshape(len(observations), -1).to(torch.int64)
        return (elements[:, self.element] == self.value).to(dtype)

    @override
    def described(self) -> str:
        return f"one-hot, {self.shape[0]} columns"


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
        self._space, self._scale = space, scale
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
        if fits and not moved.any() and not compressed.any() and len(np.unique(gain)) <= 1:
            self.factor = float(gain.flat[0]) if gain.size else 1.0
            return
        offset = low.astype(np.int64 if self._whole else np.float64)
        self._wraps = self._whole and bool((span >= 2.0**63).any())
        _constant(self, "low", np.where(moved, offset, 0))
        _constant(self, "gain", gain)
        _constant(self, "shift", shift)
        _constant(self, "compressed", compressed)
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
        observations = observations.reshape(len(observations), *self.shape)
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
                "values, they hardly differ: config.model.encoder.scale: none leaves them as they are"
            )
        bounds = np.abs(np.concatenate([self._space.low.reshape(-1), self._space.high.reshape(-1)]))
        meant = bounds[bounds < UNBOUNDED]
        if not meant.size or meant.max() <= LARGE_FLOATS:
            return None
        ways = "symlog makes" if meant.size < bounds.size else "bounds, or symlog, makes"
        return (
            f"observations are floats of up to {meant.max():g} and reach the network as they are; "
            f"config.model.encoder.scale: {ways} them small"
        )


def symlog(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|): small numbers nearly as they are, large ones by their order of magnitude.

    Source: Hafner et al., Mastering diverse domains through world models, arXiv 2301.04104, equation 9.
    """
    return values.sign() * values.abs().log1p()


def _constant(module: nn.Module, name: str, values: NDArray[Any]) -> None:
    """A tensor that follows the module to its device and is no part of its weights."""
    module.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)), persistent=False)
