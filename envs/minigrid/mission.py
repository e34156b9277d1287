"""Missions of the levels here: their tokens, and the things that they name."""

from __future__ import annotations

import functools

import numpy as np

from engram.envs.arrays import Array, Flags
from engram.envs.minigrid.cells import CELLS, COLORS
from engram.envs.minigrid.words import MISSIONS

LENGTH = 13
"""Words of the longest mission of the levels here, that of DoorKey."""

_KINDS = ("object", "box", "ball", "key", "door")
_ANY = "any"
_COLORS = (_ANY, *COLORS)


def target_named(kind: str | None, color: str | None) -> int:
    """Return the number of a description by kind and colour, a place in `MATCHES`."""
    return _KINDS.index(kind or "object") * len(_COLORS) + _COLORS.index(color or _ANY)


def named(kind: str | None, color: str | None) -> str:
    """Return the words for things of a kind and colour; None where it may be any."""
    return " ".join(filter(None, (color, kind or "object")))


@functools.lru_cache(maxsize=4096)
def target_of(text: str) -> int:
    """Return the number of what a mission asks for, of the last thing that it names, a place in `MATCHES`."""
    words = MISSIONS.split(text)
    return target_named(
        *(next((word for word in reversed(words) if word in names), None) for names in (_KINDS, COLORS))
    )


@functools.lru_cache(maxsize=4096)
def tokens_of(text: str) -> Array:
    """Return the tokens of a mission, read-only int64 (13,).

    Raises:
        ValueError: the text is too long.
    """
    row = MISSIONS.encode(text, LENGTH)
    row.flags.writeable = False
    return row


def _matches(kind: str, color: str) -> list[bool]:
    return [
        cell.kind not in ("unseen", "empty") and kind in ("object", cell.kind) and color in (_ANY, cell.color)
        for cell in CELLS
    ]


MATCHES: Flags = np.array([_matches(kind, color) for kind in _KINDS for color in _COLORS], np.bool_)
"""Table from descriptions and codes to whether a cell is of the description; walls are grey objects."""
