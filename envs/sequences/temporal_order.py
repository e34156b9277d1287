"""Temporal order: which markers came, in which order, among a hundred distractors.

P sequences, L steps of the longest one, M places of a marker, V ways to show a marker, W steps each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from typing_extensions import override

from engram.envs.arguments import check_known, shown
from engram.envs.arrays import Ints
from engram.envs.forms.parameters import Parametrized
from engram.envs.sequences.batched import BatchedSequences
from engram.envs.sequences.single import SingleSequence
from engram.envs.sequences.task import Chance, Colour, IntegerRange, Sequences, SequenceTask

ALPHABET = "EBabcdXY"  # start, end, four distractors, two markers
START, END = ALPHABET.index("E"), ALPHABET.index("B")
DISTRACTORS = tuple(map(ALPHABET.index, "abcd"))

MOST_SCALE = 10_000

Range = tuple[int, int]


class Variant(NamedTuple):
    """A kind of sequences; ranges are in steps, both ends included, at scale 1.

    Attributes:
        lengths: of the whole sequence.
        windows: where each of the M markers begins, the first step of a sequence being 0.
        edge: steps that the start lasts, and the end.
        ways: for marker X and for marker Y, the V ways to show it, each W tokens.
        smallest_scale: below it markers would run into each other.
    """

    lengths: Range
    windows: tuple[Range, ...]
    edge: int
    ways: tuple[tuple[str, ...], tuple[str, ...]]
    smallest_scale: float

    @property
    def tokens(self) -> Ints:
        """The ways as tokens, int64 (2, V, W)."""
        return np.array([[[ALPHABET.index(char) for char in way] for way in ways] for ways in self.ways])


VARIANTS: Mapping[str, Variant] = {
    "two_symbols": Variant((100, 110), ((10, 20), (50, 60)), 1, (("X",), ("Y",)), 0.1),
    "three_symbols": Variant((100, 110), ((10, 20), (33, 43), (66, 76)), 1, (("X",), ("Y",)), 0.1),
    "low_frequency": Variant(
        (98, 133),
        ((10, 20), (50, 60)),
        4,
        (
            ("aaaaaaaa", "bbbbbbbb", "aaaabbbb", "bbbbaaaa", "aabbbbaa"),
            ("cccccccc", "dddddddd", "ccccdddd", "ddddcccc", "ccddddcc"),
        ),
        0.4,
    ),
    "order_only": Variant(
        (98, 133),
        ((10, 20), (50, 60)),
        4,
        (
            ("aaaabbbb", "bbbbcccc", "ccccdddd", "ddddaaaa", "aaaacccc"),
            ("bbbbaaaa", "ccccbbbb", "ddddcccc", "aaaadddd", "ccccaaaa"),
        ),
        0.4,
    ),
}
"""All kinds of sequences, by name."""


@dataclass(frozen=True)
class TemporalOrderTask(SequenceTask):
    """Parameters of Temporal Order, checked, and how its sequences are drawn; see `TemporalOrder`.

    Args:
        variant: "two_symbols" (default), "three_symbols", "low_frequency" or "order_only".
        scale: factor on lengths and places (default 1.0), rounded; at least 0.1, or 0.4 where a marker is 8
            steps long. A larger one is to be remembered for longer: 99 steps at most with the defaults.

    Raises:
        ValueError: a value is not legal.
    """

    variant: str = "two_symbols"
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_known("variant", self.variant, list(VARIANTS))
        smallest = VARIANTS[self.variant].smallest_scale
        if isinstance(self.scale, bool) or not isinstance(self.scale, int | float):
            raise ValueError(f"scale: {shown(self.scale)} is not a number; legal: >= {smallest}")
        if not smallest <= self.scale < float("inf"):
            raise ValueError(
                f"scale: {shown(self.scale)} is too small for {self.variant!r}, or endless; legal: >= "
                f"{smallest}; nearest: {smallest}"
            )
        if self.scale > MOST_SCALE:
            raise ValueError(
                f"scale: {shown(self.scale)} is too large; legal: >= {smallest}, at most {MOST_SCALE}; "
                f"nearest: {MOST_SCALE}"
            )

    @cached_property
    def _kind(self) -> Variant:
        """The variant, scaled."""
        kind = VARIANTS[self.variant]
        return kind._replace(
            lengths=_scaled(kind.lengths, self.scale),
            windows=tuple(_scaled(window, self.scale) for window in kind.windows),
        )

    @property
    @override
    def alphabet(self) -> str:
        return ALPHABET

    @property
    @override
    def colours(self) -> Mapping[str, Colour]:
        return {
            "E": (255, 255, 255),
            "B": (255, 255, 255),
            "a": (128, 0, 0),
            "b": (128, 96, 0),
            "c": (0, 96, 0),
            "d": (0, 0, 160),
            "X": (255, 0, 255),
            "Y": (0, 255, 255),
        }

    @property
    @override
    def classes(self) -> int:
        return 1 << len(self._kind.windows)

    @property
    @override
    def longest(self) -> int:
        return self._kind.lengths[1]

    @property
    @override
    def group_by(self) -> str:
        return "label"

    @property
    @override
    def memory_delay(self) -> int:
        earliest = self._kind.windows[0][0]
        return self.longest - earliest - len(self._kind.ways[0][0])

    @property
    @override
    def chance(self) -> Chance:
        return Chance.of_classes(np.full(self.classes, 1 / self.classes))

    @cached_property
    @override
    def hidden(self) -> Mapping[str, IntegerRange]:
        kind = self._kind
        first, last = np.array(kind.windows).T
        return {
            "length": IntegerRange(*kind.lengths),
            "places": IntegerRange(first, last),
            "markers": IntegerRange(0, np.ones_like(first)),
            "ways": IntegerRange(0, np.full_like(first, len(kind.ways[0]) - 1)),
            "distractors": IntegerRange(min(DISTRACTORS), np.full(self.longest, max(DISTRACTORS))),
        }

    @override
    def draw(self, rng: np.random.Generator, count: int) -> dict[str, Ints]:
        return {
            name: rng.integers(legal.low, legal.high, size=(count, *legal.shape), endpoint=True)
            for name, legal in self.hidden.items()
        }

    @override
    def lay_out(self, hidden: Mapping[str, Ints]) -> Sequences:
        length, places, markers = hidden["length"], hidden["places"], hidden["markers"]
        shown = self._kind.tokens[markers, hidden["ways"]]  # (P, M, W)
        steps = shown.shape[-1]
        time, sequence = np.arange(self.longest), np.arange(len(length))
        tokens = hidden["distractors"].astype(np.uint8)
        tokens[sequence[:, None, None], places[..., None] + np.arange(steps)] = shown
        tokens[:, : self._kind.edge] = START
        tokens[time >= length[:, None] - self._kind.edge] = END
        last = time == length[:, None] - 1
        label = markers @ (1 << np.arange(markers.shape[1])[::-1])  # the first marker most significant
        return Sequences(
            tokens=tokens,
            targets=np.where(last, label[:, None], 0),
            masks=last,
            scored=last,
            lengths=length,
            facts={"label": label, "delay": length - places[:, 0] - steps},
        )


def _scaled(ends: Range, scale: float) -> Range:
    first, last = (round(end * scale) for end in ends)
    return first, last


class BatchedTemporalOrder(Parametrized, BatchedSequences, task=TemporalOrderTask):
    """`TemporalOrder` in B lanes, each with a length of its own; see there for the task."""


class TemporalOrder(SingleSequence, of=BatchedTemporalOrder):
    """Markers among distractors; at the end, say which they were, in their order.

    Description:
        A sequence begins with `E` and ends with `B`; in between are distractors `a`, `b`, `c` and `d`, each
        drawn anew, but for two or three markers, each `X` or `Y` with equal odds. Only where they stand tells
        when to answer: at the last symbol, once, with the class of the sequence. Lengths and places are drawn
        uniformly, both ends included; the first symbol is at place 0.

        | variant | length | markers begin at | start and end | a marker is |
        |---|---|---|---|---|
        | two_symbols (6a) | 100-110 | 10-20, 50-60 | 1 step each | `X` or `Y` |
        | three_symbols (6b) | 100-110 | 10-20, 33-43, 66-76 | 1 step each | `X` or `Y` |
        | low_frequency | 98-133 | 10-20, 50-60 | 4 steps each | 8 steps of `a` and `b`, or of `c` and `d` |
        | order_only | 98-133 | 10-20, 50-60 | 4 steps each | 4 + 4 steps: `ab`, `ba` and the like |

        In low_frequency a marker is one of five runs of distractors: for X `a`, `b`, `ab` and `ba` in halves,
        `aabbbbaa`; for Y the same with `c` and `d`. In order_only X is `ab`, `bc`, `cd`, `da` or `ac` in
        halves, Y the same backwards: both hold the same symbols equally often, and a sum over time, however
        weighted, hardly tells them apart.

    Observation:
        `Box(0, 1, (8,), uint8)`, one-hot in the order `E B a b c d X Y`; in low_frequency and order_only the
        last two never occur. All zeros once the episode is over.

    Action:
        `Discrete(4)`, or `Discrete(8)` for three_symbols: the class, a binary number with X for 0 and Y for
        1, the first marker most significant: XX, XY, YX, YY. An action answers the observation it is chosen
        at; all but the last are ignored.

    Reward:
        1 for the right class at the last symbol, 0 else. Best: 1. Guessing earns 1/4, or 1/8.

    End:
        After the last symbol's answer; a termination.

    Info:
        Of the present observation: `target` (int), the class at the last symbol, 0 before; `mask` (bool),
        whether its answer counts in a loss, and `scored` (bool), whether it earns reward, both true at the
        last symbol alone. Of the episode: `label` (int), the class; `delay` (int), env steps from the last
        sight of the first marker to the answer; `correct` (int) answers and `success` (bool). Results are
        split by `label`. The attribute `chance` is the chance level.

    Arguments:
        render_mode: None, "ansi" (text, with the letters above) or "rgb_array".

    Reset options:
        `length` (int), `places` (of each marker), `markers` (0 for X, 1 for Y), `ways` (which run of
        distractors shows each) and `distractors` (2 to 5 for `a` to `d`, as many as the longest sequence)
        replace what the seed would have drawn, for one episode; `start` (int, or "random") is the step at
        which it begins.

    Source:
        Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997, experiments 6a and
        6b. LP-RNN ("Concrete"), arXiv 1805.04955, section 5.1, names what low_frequency is made of; its runs,
        and order_only, are this package's.
    """
