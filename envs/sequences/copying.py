"""Copying: a string, a long blank, a marker; then say the string.

P sequences, L steps of the longest one.
"""

from __future__ import annotations

import math
import statistics
import string as characters
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from typing_extensions import override

from engram.envs.arguments import check_at_least, check_drawn, check_known, shown
from engram.envs.arrays import Ints
from engram.envs.forms.parameters import Parametrized
from engram.envs.sequences.batched import BatchedSequences
from engram.envs.sequences.single import SingleSequence
from engram.envs.sequences.task import Chance, Colour, IntegerRange, Sequences, SequenceTask

MASKS = ("recall", "all")
MOST_DRAWN = 1_000_000  # env steps of a span, symbols of a string
Drawn = int | Sequence[int] | Mapping[str, int]

_NAMES = characters.digits[1:] + characters.ascii_letters
_MAX_SYMBOLS = len(_NAMES)
_COLOURS: tuple[Colour, ...] = (
    (255, 64, 64),
    (255, 160, 0),
    (255, 255, 0),
    (64, 255, 64),
    (0, 255, 255),
    (64, 128, 255),
    (160, 64, 255),
    (255, 64, 255),
)


def chance_cross_entropy(
    symbols: int = 8, span: float = 50, length: float = 10, mask: str = "recall"
) -> float:
    """Return the cross-entropy, in nats, of the best policy that remembers nothing of the string.

    They know when to be blank, and give each symbol the same probability at the steps of recall: ln(symbols)
    there, 0 elsewhere. Over all span + 2 length steps that is length / (span + 2 length) ln(symbols): 0.297
    for span 50 and 0.0945 for span 200, with 8 symbols and length 10, which look small and are chance.

    Args:
        symbols: see `Copying`, as are the others.
        span: its mean, where it is drawn.
        length: likewise.
        mask: "recall" or "all": the steps over which the mean is taken.
    """
    check_known("mask", mask, MASKS)
    share = length / (span + 2 * length) if mask == "all" else 1.0
    return share * math.log(symbols)


def chance_accuracy(symbols: int = 8) -> float:
    """Return the expected return of guessing, the share of symbols recalled: 1 / symbols.

    Args:
        symbols: see `Copying`.
    """
    return 1.0 / symbols


@dataclass(frozen=True)
class CopyingTask(SequenceTask):
    """Parameters of Copying, checked, and how its sequences are drawn.

    Tokens: 0 blank, 1 .. `symbols` the symbols, `symbols` + 1 the marker. Answers are the same without the
    marker. See `Copying` for the arguments.

    Args:
        symbols: number of kinds of symbols (default 8), 1 to 61.
        span: env steps from the last symbol to the marker (default 50), at least 1: a number, a list to draw
            from in each episode, or a range `{low: 5, high: 50}`, both ends included. More is to be kept
            for longer.
        length: number of symbols in the string (default 10), likewise. More is to be kept, log2(`symbols`)
            bits for each.
        mask: "recall" (default): only the answers to the last `length` steps count in a loss; "all": every
            step does, and the right answer elsewhere is blank. Under "all" the mean cross-entropy of
            remembering nothing is small: `chance.cross_entropy`, 0.297 nats with the defaults and 0.0945 with
            a span of 200; read it beside the return, which counts the recall alone.

    Raises:
        ValueError: a value is not legal.
    """

    symbols: int = 8
    span: Drawn = 50
    length: Drawn = 10
    mask: str = "recall"

    def __post_init__(self) -> None:
        legal = f"1 to {_MAX_SYMBOLS} symbols"
        if check_at_least("symbols", self.symbols, 1, legal) > _MAX_SYMBOLS:
            raise ValueError(
                f"symbols: {shown(self.symbols)} is too large; legal: {legal}; nearest: {_MAX_SYMBOLS}"
            )
        check_known("mask", self.mask, MASKS)
        self.spans, self.lengths  # noqa: B018 (checks)

    @cached_property
    def spans(self) -> tuple[int, ...]:
        """Spans to draw from, env steps."""
        return check_drawn("span", self.span, 1, "env steps", MOST_DRAWN)

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Lengths of strings to draw from."""
        return check_drawn("length", self.length, 1, "symbols", MOST_DRAWN)

    @property
    @override
    def alphabet(self) -> str:
        return f".{_NAMES[: self.symbols]}*"

    @property
    @override
    def colours(self) -> Mapping[str, Colour]:
        symbols = {char: _COLOURS[place % len(_COLOURS)] for place, char in enumerate(_NAMES)}
        return {**symbols, ".": (48, 48, 48), "*": (255, 255, 255)}

    @property
    @override
    def classes(self) -> int:
        return self.symbols + 1

    @property
    @override
    def longest(self) -> int:
        return max(self.spans) + 2 * max(self.lengths)

    @property
    @override
    def group_by(self) -> str:
        return "span"

    @property
    @override
    def memory_delay(self) -> int:
        return max(self.spans) + max(self.lengths)

    @property
    @override
    def chance(self) -> Chance:
        span, length = statistics.fmean(self.spans), statistics.fmean(self.lengths)
        return Chance(
            chance_accuracy(self.symbols),
            chance_cross_entropy(self.symbols, span, length, self.mask),
            chance_cross_entropy(self.symbols, span, length, "recall"),
        )

    @cached_property
    @override
    def hidden(self) -> Mapping[str, IntegerRange]:
        most = max(self.lengths)
        return {
            "span": IntegerRange(1, max(self.spans)),
            "length": IntegerRange(1, most),
            "string": IntegerRange(1, np.full(most, self.symbols)),
        }

    @override
    def draw(self, rng: np.random.Generator, count: int) -> dict[str, Ints]:
        return {
            "span": rng.choice(self.spans, size=count),
            "length": rng.choice(self.lengths, size=count),
            "string": rng.integers(1, self.symbols + 1, size=(count, max(self.lengths))),
        }

    @override
    def lay_out(self, hidden: Mapping[str, Ints]) -> Sequences:
        span, length, string = hidden["span"][:, None], hidden["length"][:, None], hidden["string"]
        shape = (len(span), self.longest)
        time = np.broadcast_to(np.arange(self.longest), shape)
        reading, recall = time < length, (time >= length + span) & (time < span + 2 * length)
        said = string[np.arange(string.shape[1]) < length]  # lane by lane, each as long as its length
        tokens, targets = np.zeros(shape, np.uint8), np.zeros(shape, np.int64)
        tokens[reading] = targets[recall] = said
        tokens[time == length + span - 1] = self.symbols + 1
        return Sequences(
            tokens=tokens,
            targets=targets,
            masks=recall if self.mask == "recall" else np.ones(shape, np.bool_),
            scored=recall,
            lengths=hidden["span"] + 2 * hidden["length"],
            facts={"span": hidden["span"], "delay": hidden["span"] + hidden["length"]},
        )


class BatchedCopying(Parametrized, BatchedSequences, task=CopyingTask):
    """`Copying` in B lanes, each at its own place; see there for the task."""


class Copying(SingleSequence, of=BatchedCopying):
    """A string of symbols, a long blank, a marker; then say the string.

    Description:
        `length` symbols are shown one after the other, each drawn anew; then `span` - 1 blanks; then a
        marker; then `length` blanks, at which the symbols are to be said in their order. An episode takes
        `span` + 2 `length` steps, and every symbol must be kept for the same time.

    Observation:
        `Box(0, 1, (symbols + 2,), uint8)`, one-hot: 0 blank, 1 .. `symbols` the symbols, `symbols` + 1 the
        marker. All zeros once the episode is over.

    Action:
        `Discrete(symbols + 1)`: 0 blank, 1 .. `symbols` the symbols. An action answers the observation it
        is chosen at.

    Reward:
        1 / `length` for each symbol said right, 0 else: the return is the share recalled. Best: 1. Guessing
        earns 1 / `symbols`, 0.125 with the defaults. What is said before the recall earns nothing.

    End:
        After the last answer; a termination.

    Info:
        Of the present observation: `target` (int), the right answer; `mask` (bool), whether it counts in a
        loss; `scored` (bool), whether it earns reward, true at the recall. Of the episode: `span` (int);
        `delay` (int), env steps from the sight of a symbol to its answer, `span` + `length`; `correct` (int),
        symbols said right so far; `success` (bool), all of them. Results are split by `span`. The attribute
        `chance` is the chance level.

    Arguments:
        render_mode: None, "ansi" (text: `.` blank, `1` .. symbols, `*` marker) or "rgb_array".

    Reset options:
        `string` (symbols, as many as the longest `length`), `length` and `span` (int) replace what the seed
        would have drawn, for one episode; `start` (int, or "random") is the step at which it begins.

    Source:
        RIMs, arXiv 1909.10893, section 4.1 and appendix C.5: spans of 50 for training and 200 for testing, a
        loss over all steps. The paper writes of digits 0-8; its published code draws 8 symbols, as here.
    """
