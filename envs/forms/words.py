"""Texts as rows of numbers: a vocabulary, and the space of the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from engram.envs.arguments import shown
from engram.envs.arrays import Ints

PADDING = 0
"""Number behind the end of a text."""

UNKNOWN = 1
"""Number of every word that a vocabulary lacks."""

_FIRST = 2
_WORD = re.compile(r"\w+|[^\w\s]")


class Vocabulary:
    """Words, or characters, by number: `PADDING`, `UNKNOWN`, then the words in alphabetical order.

    Args:
        words: the words; upper and lower case are one, and a word that is given twice counts once.
        unit: `words`: texts are cut into words and signs of punctuation; `characters`: into characters, whose
            case counts.

    Raises:
        ValueError: there is no word.
    """

    def __init__(self, words: Iterable[str], unit: Literal["words", "characters"] = "words") -> None:
        self.unit = unit
        self.words = tuple(sorted({self._alike(word) for word in words}))
        if not self.words:
            raise ValueError("vocabulary: there is no word in it; legal: at least one")
        self._numbers = {word: number for number, word in enumerate(self.words, _FIRST)}

    def __len__(self) -> int:
        """How many numbers there are, those of padding and of unknown words included."""
        return len(self.words) + _FIRST

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and (self.unit, self.words) == (other.unit, other.words)

    def __hash__(self) -> int:
        return hash((self.unit, self.words))

    def split(self, text: str) -> list[str]:
        """Cut a text into the units of the vocabulary."""
        return _WORD.findall(self._alike(text)) if self.unit == "words" else list(text)

    def encode(self, text: str, length: int) -> Ints:
        """Return the numbers of a text, padded to `length`, int64 (length,).

        Raises:
            ValueError: the text is longer.
        """
        units = self.split(text)
        if len(units) > length:
            raise ValueError(f"{shown(text)} has {len(units)} {self.unit}; legal: at most {length}")
        row = np.full(length, PADDING, np.int64)
        row[: len(units)] = [self._numbers.get(unit, UNKNOWN) for unit in units]
        return row

    def decode(self, row: Ints) -> str:
        """Return the text of a row of numbers; what was unknown is shown as `?`."""
        units = ["?" if number == UNKNOWN else self.words[number - _FIRST] for number in row if number]
        return (" " if self.unit == "words" else "").join(units)

    def _alike(self, text: str) -> str:
        return text.lower() if self.unit == "words" else text


class Tokens(spaces.MultiDiscrete):
    """Space of texts of at most `length` units, as numbers of a vocabulary, int64 (length,).

    Attributes:
        vocabulary: what the numbers stand for.
    """

    def __init__(self, vocabulary: Vocabulary, length: int, seed: Any = None) -> None:
        super().__init__(np.full(length, len(vocabulary), np.int64), seed=seed)
        self.vocabulary = vocabulary

    @property
    def length(self) -> int:
        """Units that the longest text may have."""
        return int(self.shape[0])

    def encode(self, text: str) -> Ints:
        """Return the row of a text; see `Vocabulary.encode`."""
        return self.vocabulary.encode(text, self.length)

    def __repr__(self) -> str:
        return f"Tokens({self.length} of {len(self.vocabulary)} {self.vocabulary.unit})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokens) and super().__eq__(other) and self.vocabulary == other.vocabulary
