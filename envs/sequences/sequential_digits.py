"""Sequential digits: the pixels of a digit one by one; then say which it was.

P sequences, L steps of the longest one, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from typing_extensions import override

from engram.envs.arguments import check_drawn
from engram.envs.arrays import Ints
from engram.envs.data.digits.sets import DigitSet, open_digits
from engram.envs.data.digits.strokes import CLASSES
from engram.envs.forms.parameters import Parametrized
from engram.envs.sequences.batched import BatchedSequences
from engram.envs.sequences.single import SingleSequence
from engram.envs.sequences.task import Chance, Colour, IntegerRange, Sequences, SequenceTask

MOST_PIXELS = 512  # a side
Drawn = int | Sequence[int] | Mapping[str, int]


@dataclass(frozen=True)
class SequentialDigitsTask(SequenceTask):
    """Parameters of Sequential Digits, checked, and how its sequences are drawn; see `SequentialDigits`.

    Tokens: 0 paper, 1 ink.

    Args:
        size: pixels a side (default 14), at least 2: a number, a list to draw from in each episode, or a
            range `{low: 10, high: 18}`, both ends included. A larger picture is to be remembered for longer,
            with the square.
        split: "online" (default): digits drawn by strokes, without end; "train", "valid" or "test": a finite
            set, drawn from with equal odds. No digit is in two of them.
        path: folder with MNIST's files, gzipped or not: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
            `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`; of the first 60,000 the last 12,000 are
            "valid". Pixels are the nearest ones, and ink from half gray on. None (default): digits drawn by
            strokes, each turned, slanted, stretched, shifted and inked in its own way; classes are balanced.
        data_seed: of digits drawn by strokes (default 0), at least 0.
        split_sizes: digits in the finite splits, such as `{train: 1000}`; by default 48,000, 12,000 and
            10,000.

    Raises:
        ValueError: a value is not legal, or a file is missing or broken.
    """

    size: Drawn = 14
    split: str = "online"
    path: str | None = None
    data_seed: int = 0
    split_sizes: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        self.sizes, self.digits  # noqa: B018 (checks, and reads files)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Sides of pictures to draw from (S)."""
        return check_drawn("size", self.size, 2, "pixels a side", MOST_PIXELS)

    @cached_property
    def digits(self) -> DigitSet:
        """Digits to draw from."""
        return open_digits(self.split, self.path, self.data_seed, self.split_sizes)

    @property
    @override
    def alphabet(self) -> str:
        return ".#"

    @property
    @override
    def colours(self) -> Mapping[str, Colour]:
        return {".": (48, 48, 48), "#": (255, 255, 255)}

    @property
    @override
    def width(self) -> int:
        return max(self.sizes)

    @override
    def columns(self, facts: Mapping[str, Ints]) -> Ints:
        return facts["size"]

    @property
    @override
    def classes(self) -> int:
        return CLASSES

    @property
    @override
    def longest(self) -> int:
        return max(self.sizes) ** 2

    @property
    @override
    def group_by(self) -> str:
        return "size"

    @property
    @override
    def memory_delay(self) -> int:
        return self.longest - 1

    @property
    @override
    def chance(self) -> Chance:
        """Chance level; makes no use of the last pixel, which hardly ever has ink."""
        return Chance.of_classes(self.digits.shares)

    @cached_property
    @override
    def hidden(self) -> Mapping[str, IntegerRange]:
        return {"size": IntegerRange(2, max(self.sizes)), "digit": IntegerRange(0, self.digits.count - 1)}

    @override
    def draw(self, rng: np.random.Generator, count: int) -> dict[str, Ints]:
        return {
            "size": rng.choice(self.sizes, size=count),
            "digit": rng.integers(self.digits.count, size=count),
        }

    @override
    def lay_out(self, hidden: Mapping[str, Ints]) -> Sequences:
        size, digit = hidden["size"], hidden["digit"]
        label, length = self.digits.labels(digit), size**2
        tokens = np.zeros((len(size), self.longest), np.uint8)
        for side in np.unique(size).tolist():
            alike = np.flatnonzero(size == side)
            tokens[alike, : side**2] = self.digits.pixels(digit[alike], side).reshape(len(alike), -1)
        last = np.arange(self.longest) == length[:, None] - 1
        return Sequences(
            tokens=tokens,
            targets=np.where(last, label[:, None], 0),
            masks=last,
            scored=last,
            lengths=length,
            facts={"size": size, "label": label, "delay": length - 1},
        )


class BatchedSequentialDigits(Parametrized, BatchedSequences, task=SequentialDigitsTask):
    """`SequentialDigits` in B lanes, each at its own place; see there for the task."""


class SequentialDigits(SingleSequence, of=BatchedSequentialDigits):
    """The pixels of a handwritten digit, one by one; at the last, say which digit it is.

    Description:
        A picture of `size` x `size` pixels, each paper or ink, is shown in raster order: row by row from the
        top, each from the left. The digit is to be named at the last pixel. An episode takes `size`^2 steps,
        196 with the defaults. Training at one size and testing at a larger one asks for a memory that is not
        disturbed by more paper in between.

    Observation:
        `Box(0, 1, (2,), uint8)`, one-hot: 0 paper, 1 ink. All zeros once the episode is over. (Paper is no
        zero: a network whose null input is zero can tell them apart.)

    Action:
        `Discrete(10)`: the digit. An action answers the observation it is chosen at; all but the last are
        ignored.

    Reward:
        1 for the right digit at the last pixel, 0 else. Best: 1. Guessing earns 0.1.

    End:
        After the last pixel's answer; a termination.

    Info:
        Of the present observation: `target` (int), the digit at the last pixel, 0 before; `mask` (bool),
        whether its answer counts in a loss, and `scored` (bool), whether it earns reward, both true at the
        last pixel alone. Of the episode: `size` (int); `label` (int), the digit; `delay` (int), env steps
        from the first pixel to the answer; `correct` (int) answers and `success` (bool). Results are split by
        `size`. The attribute `chance` is the chance level.

    Arguments:
        render_mode: None, "ansi" (text: `#` ink, `.` paper) or "rgb_array".

    Reset options:
        `size` (int) and `digit` (int), the number of a digit in its split, replace what the seed would have
        drawn, for one episode; a digit drawn by strokes is of class `digit` modulo 10. `start` (int, or
        "random") is the step at which it begins.

    Source:
        RIMs, arXiv 1909.10893, section 4.1.2 and appendix C.6: MNIST at 14 x 14 for training, 16, 19 and 24
        for testing. The digits drawn by strokes are this package's.
    """
