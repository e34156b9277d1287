"""Missions: the words of all of them, their tokens, and the things they name."""

from __future__ import annotations

import functools

import numpy as np

from engram.envs.arrays import Array, Flags
from engram.envs.forms.words import Tokens, Vocabulary
from engram.envs.minigrid.cells import CELLS, COLORS

_TEXT = """
a after and at avoid ball behind blue box door end fetch find from front get go goal green grey hallway in key
lava left matching must near next object of on open opening pick purple put reach red right room rooms square
the then to traverse unlock up use yellow you your ,
"""
WORDS = tuple(_TEXT.split())
VOCABULARY = Vocabulary(WORDS)
"""Words, and the comma, of the missions of all ids of minigrid 3.2.0 but those that need networkx."""

MISSION_LENGTH = 13
"""Words of the longest mission of the levels here, that of DoorKey."""

SPACE = Tokens(VOCABULARY, MISSION_LENGTH)

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
    words = VOCABULARY.split(text)
    return target_named(
        *(next((word for word in reversed(words) if word in names), None) for names in (_KINDS, COLORS))
    )


@functools.lru_cache(maxsize=4096)
def tokens_of(text: str) -> Array:
    """Return the tokens of a mission, read-only int64 (13,).

    Raises:
        ValueError: the text is too long.
    """
    row = SPACE.encode(text)
    row.flags.writeable = False
    return row


def _matches(kind: str, color: str) -> list[bool]:
    return [
        cell.kind not in ("unseen", "empty") and kind in ("object", cell.kind) and color in (_ANY, cell.color)
        for cell in CELLS
    ]


MATCHES: Flags = np.array([_matches(kind, color) for kind in _KINDS for color in _COLORS], np.bool_)
"""Table from descriptions and codes to whether a cell is of the description; walls are grey objects."""
