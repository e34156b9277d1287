"""Symbols that lanes show, against what their space says; one outside of it would be read as nothing.

B lanes.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from engram.agents.columns.fragment import Nest


class _Symbols(NamedTuple):
    """A part of an observation that consists of symbols.

    Attributes:
        path: Keys and places that lead to it.
        space: What it may be.
        low, high: The same as bounds, each one number or an array of the part's shape.
    """

    path: tuple[str | int, ...]
    space: spaces.Space[Any]
    low: Any
    high: Any


class SymbolBounds:
    """Bounds of symbols in an observation: `Discrete`, `MultiDiscrete`, `MultiBinary`, texts as tokens."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        """Finds them.

        Args:
            space: Of one lane.
        """
        self._parts = list(_symbols(space, ()))

    def finding(self, observations: Nest) -> tuple[int, str] | None:
        """Returns the lane of the first symbol outside of its space and what it is; None: there is none.

        Args:
            observations: A nest of (B, ...) arrays.
        """
        for part in self._parts:
            shown = observations
            for key in part.path:
                shown = shown[key]
            strange = (shown < part.low) | (shown > part.high)
            if strange.any():
                lane, *inside = np.argwhere(strange)[0].tolist()
                keys = "".join(f"[{key!r}]" for key in (*part.path, *inside))
                return lane, f"observation{keys} is {shown[(lane, *inside)]}, its space says {part.space}"
        return None


def _symbols(space: Any, path: tuple[str | int, ...]) -> Iterator[_Symbols]:
    if isinstance(space, spaces.Dict):
        for name, part in space.spaces.items():
            yield from _symbols(part, (*path, name))
    elif isinstance(space, spaces.Tuple):
        for place, part in enumerate(space.spaces):
            yield from _symbols(part, (*path, place))
    elif isinstance(space, spaces.Discrete):
        yield _Symbols(path, space, int(space.start), int(space.start) + int(space.n) - 1)
    elif isinstance(space, spaces.MultiDiscrete):
        first = np.asarray(space.start, np.int64)
        yield _Symbols(path, space, first, first + np.asarray(space.nvec, np.int64) - 1)
    elif isinstance(space, spaces.MultiBinary):
        yield _Symbols(path, space, 0, 1)
