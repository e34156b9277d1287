"""Base of sequence tasks: how sequences are drawn, what they look like, what must be answered.

P sequences, L steps of the longest one that can be drawn, K kinds of tokens.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from engram.envs.arguments import shown, spread
from engram.envs.arrays import Bytes, Flags, Floats, Ints
from engram.envs.forms.rules import Rules

Colour = tuple[int, int, int]


class Sequences(NamedTuple):
    """A batch of whole sequences; what lies beyond a sequence's own length is not looked at.

    Attributes:
        tokens: what is shown at each step, 0 .. K - 1, uint8 (P, L).
        targets: the right answer at each step, int64 (P, L); any where nothing is asked.
        masks: steps whose answers count in a loss, bool (P, L).
        scored: steps whose answers earn reward, bool (P, L); among them each sequence's last one.
        lengths: steps of each sequence, int64 (P,).
        facts: numbers about each sequence for `info`, name -> (P,); `delay` among them.
    """

    tokens: Bytes
    targets: Ints
    masks: Flags
    scored: Flags
    lengths: Ints
    facts: dict[str, Ints]


class Chance(NamedTuple):
    """Chance level: the scores of the best policy that sees no observations.

    It knows the step, what is asked there, and how often each answer is right. Scores are those of whole
    sequences, as drawn.

    Attributes:
        accuracy: expected return of an episode.
        cross_entropy: of the answers that count in a loss (`mask`), nats, mean over their steps.
        cross_entropy_scored: of the answers that earn reward (`scored`), likewise.
    """

    accuracy: float
    cross_entropy: float
    cross_entropy_scored: float

    @classmethod
    def of_classes(cls, shares: Floats) -> Chance:
        """Return the chance level where one answer counts and is scored: always the most frequent class.

        Args:
            shares: how often each class is right, in sum 1.
        """
        entropy = -sum(share * math.log(share) for share in shares.tolist() if share)
        return cls(float(shares.max()), entropy, entropy)


@dataclass(frozen=True)
class IntegerRange:
    """The legal values of a hidden choice: whole numbers, both ends included.

    Args:
        low: smallest, one number or one for each entry of the choice.
        high: largest, likewise; its shape is that of the choice.
    """

    low: int | Ints
    high: int | Ints

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sequence's choice."""
        return np.shape(self.high)

    def check(self, name: str, value: Any, count: int) -> Ints:
        """Return a reset option as one choice per sequence, int64 (count, *shape).

        Raises:
            ValueError: another shape, no whole numbers, or one out of range.
        """
        given = spread(name, value, (count, *self.shape))
        if given.dtype.kind not in "iu":
            raise ValueError(
                f"options.{name}: {shown(value)} is not whole, or beyond 64 bits; legal: whole numbers"
            )
        wrong = np.argwhere((given < self.low) | (given > self.high))
        if wrong.size:
            place = tuple(wrong[0])
            low, high = (np.broadcast_to(end, given.shape)[place] for end in (self.low, self.high))
            raise ValueError(
                f"options.{name}: {given[place]} is out of range; legal: {low} to {high}; nearest: "
                f"{np.clip(given[place], low, high)}"
            )
        return given.astype(np.int64)


class SequenceTask(Rules):
    """Draws sequences of tokens with targets.

    Drawing has two halves, so that an episode can be repeated: `draw` makes all random choices, as whole
    numbers under names; `lay_out` makes sequences of them and draws nothing.
    """

    @property
    @abstractmethod
    def alphabet(self) -> str:
        """One character for each kind of token, for rendering; their number is K."""

    @property
    @abstractmethod
    def classes(self) -> int:
        """Number of answers to choose from."""

    @property
    @abstractmethod
    def longest(self) -> int:
        """Steps of the longest sequence that can be drawn (L)."""

    @property
    @abstractmethod
    def chance(self) -> Chance:
        """Chance level, see `Chance`."""

    @property
    @abstractmethod
    def hidden(self) -> Mapping[str, IntegerRange]:
        """The legal values of all hidden choices, by name."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int) -> dict[str, Ints]:
        """Draw the hidden choices of some sequences.

        Args:
            rng: where draws come from.
            count: number of sequences (P).

        Returns:
            name -> int64 (P, *shape), for each name in `hidden`.
        """

    @abstractmethod
    def lay_out(self, hidden: Mapping[str, Ints]) -> Sequences:
        """Make the sequences that follow from hidden choices; draws nothing.

        Args:
            hidden: as `draw` returns them.
        """

    @property
    def width(self) -> int:
        """Largest number of tokens in a rendered row."""
        return min(50, self.longest)

    def columns(self, facts: Mapping[str, Ints]) -> int | Ints:
        """Return the tokens in a rendered row, one number or one per sequence (P,).

        Args:
            facts: see `Sequences`.
        """
        return self.width

    @property
    def colours(self) -> Mapping[str, Colour]:
        """RGB of each character of the alphabet when rendered; what is not named is gray."""
        return {}
