"""Spaces without Gymnasium: all that a network has to know of what is seen and done.

`isinstance(space, Box)` is true of Gymnasium's own `Box`, too, so that networks are built from either, alike.
Those of this module neither draw nor check; `engram.agents.models.space_data` makes them of what was written.
"""

import re
import sys
from abc import ABC
from collections.abc import ItemsView, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

PADDING = 0
"""The token behind the end of a text."""

UNKNOWN = 1
"""The token of every word that a vocabulary lacks."""

AnySpace = Any
"""A space of this module, or Gymnasium's own."""

_LONGEST = 100
"""Characters of a space in a message that are no trouble to read."""

_WORD = re.compile(r"\w+|[^\w\s]")


class Space(ABC):  # noqa: B024 (for its hook)
    """Base of all spaces.

    Attributes:
        shape: Of one element; None where it has parts.
        dtype: Of one element; None where it has parts.
    """

    shape: tuple[int, ...] | None = None
    dtype: np.dtype[Any] | None = None

    @classmethod
    def __subclasshook__(cls, other: type[Any]) -> Any:
        """Whether `other` is Gymnasium's class of the same name: whoever holds one has imported it."""
        theirs = getattr(sys.modules.get("gymnasium.spaces"), cls.__name__, None)
        return True if theirs is not None and issubclass(other, theirs) else NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shape}, {self.dtype})"


class Box(Space):
    """Numbers within bounds `low` and `high`, arrays of the same shape; pictures of so many `frames`."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __init__(
        self,
        low: ArrayLike,
        high: ArrayLike,
        shape: Iterable[int],
        dtype: Any = np.float32,
        frames: int = 1,
    ) -> None:
        self.shape, self.dtype, self.frames = tuple(shape), np.dtype(dtype), frames
        self.low, self.high = (_filled(bound, self.shape, self.dtype) for bound in (low, high))


class Discrete(Space):
    """One of `n` whole numbers from `start`."""

    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any]

    def __init__(self, n: int, start: int = 0, dtype: Any = np.int64) -> None:
        self.n, self.start, self.dtype = n, start, np.dtype(dtype)

    def __repr__(self) -> str:
        return f"Discrete({self.n}, start={self.start})" if self.start else f"Discrete({self.n})"


class MultiDiscrete(Space):
    """Whole numbers, each one of `nvec` from `start`."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __init__(self, nvec: ArrayLike, start: ArrayLike = 0, dtype: Any = np.int64) -> None:
        self.dtype = np.dtype(dtype)
        self.nvec = np.asarray(nvec, self.dtype)
        self.shape = self.nvec.shape
        self.start = _filled(start, self.shape, self.dtype)


class Words(NamedTuple):
    """A vocabulary.

    Attributes:
        unit: What texts are cut into: `words` and signs of punctuation, or `characters`.
        words: In the order of their tokens.
    """

    unit: str
    words: tuple[str, ...]


class Tokens(MultiDiscrete):
    """Texts as rows of tokens: `PADDING`, `UNKNOWN`, then the words of a vocabulary.

    Args:
        nvec: How many tokens there are at each place.
        vocabulary: The words.
    """

    def __init__(self, nvec: ArrayLike, vocabulary: Words) -> None:
        super().__init__(nvec)
        self.vocabulary = vocabulary
        self._tokens = {word: token for token, word in enumerate(vocabulary.words, UNKNOWN + 1)}

    def encode(self, text: str) -> NDArray[np.int64]:
        """Returns the row of a text.

        Raises:
            ValueError: The text is longer.
        """
        unit, (length,) = self.vocabulary.unit, self.shape
        units = _WORD.findall(text.lower()) if unit == "words" else list(text)
        if len(units) > length:
            raise ValueError(f"{text!r} has {len(units)} {unit}; legal: at most {length}")
        row = np.full(length, PADDING, np.int64)
        row[: len(units)] = [self._tokens.get(one, UNKNOWN) for one in units]
        return row


class MultiBinary(Space):
    """Zeros and ones."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __init__(self, shape: Iterable[int]) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(np.int8)


class Dict(Space):
    """Parts by name."""

    def __init__(self, spaces: Mapping[str, Any]) -> None:
        self.spaces = dict(spaces)

    def __getitem__(self, name: str) -> Any:
        """Returns a part."""
        return self.spaces[name]

    def items(self) -> ItemsView[str, Any]:
        """Names and parts."""
        return self.spaces.items()

    def __repr__(self) -> str:
        return f"Dict({', '.join(f'{name!r}: {part}' for name, part in self.spaces.items())})"


class Tuple(Space):
    """Parts by place."""

    def __init__(self, spaces: Iterable[Any]) -> None:
        self.spaces = tuple(spaces)

    def __repr__(self) -> str:
        return f"Tuple({', '.join(map(str, self.spaces))})"


def _filled(values: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """One number for all, or one for each, as an array."""
    return np.broadcast_to(np.asarray(values, dtype), shape).copy()


def leaf_spaces(space: AnySpace, name: str = "observation") -> dict[str, AnySpace]:
    """Returns the innermost spaces by name, in the order of the leaves of an observation."""
    if isinstance(space, Dict):
        inside: list[tuple[Any, AnySpace]] = sorted(space.spaces.items())
    elif isinstance(space, Tuple):
        inside = list(enumerate(space.spaces))
    else:
        return {name: space}
    return {
        found: leaf for key, part in inside for found, leaf in leaf_spaces(part, f"{name}[{key!r}]").items()
    }


def frames_in(space: AnySpace) -> int:
    """Returns how many frames a picture has in its planes, the newest one last; 1 where it says nothing."""
    return int(getattr(space, "frames", 1))


def without(space: AnySpace, name: str) -> AnySpace:
    """Returns a `Dict`, of this module or Gymnasium's as the given one is, without one of its parts."""
    kind: Any = next(base for base in type(space).__mro__ if base.__name__ == "Dict")
    return kind({key: part for key, part in space.items() if key != name})


def in_short(space: AnySpace) -> str:
    """Returns a space in one line: names of parts, shapes, and the widest bounds."""
    parts = getattr(space, "spaces", None)
    if parts is not None:
        keys = parts if isinstance(parts, Mapping) else dict(enumerate(parts))
        inside = ", ".join(f"{key}: {in_short(part)}" for key, part in keys.items())
        return f"{type(space).__name__}({inside})"
    low, high = getattr(space, "low", None), getattr(space, "high", None)
    if low is None or high is None or not np.size(low):
        return " ".join(str(space).split())
    return f"Box{space.shape} {space.dtype}, {low.min():g} to {high.max():g}"


def named(space: AnySpace) -> str:
    """Returns a space in one line, for messages: as it writes itself, or `in_short` where that is long."""
    written = " ".join(str(space).split())
    return written if len(written) <= _LONGEST else in_short(space)
