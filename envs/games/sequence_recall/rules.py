"""Rules of Sequence Recall, shared by both forms: parameters, timetable, hidden choices, board.

Frame n is the board after n env steps. B lanes, L lights in a sequence.
Source: LP-RNN ("Concrete"), arXiv 1805.04955, section 5.2.3 and appendix B.3.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from engram.envs.arguments import (
    MOST_STEPS,
    check_at_least,
    check_choices,
    check_keys,
    check_timeout,
    shown,
    spread,
)
from engram.envs.arrays import Ints
from engram.envs.forms.boards import Look
from engram.envs.forms.rules import Rules

Mask = NDArray[np.bool_]

ROWS, COLS = 17, 21
START = (8, 10)
LIGHTS = "1234"  # left, top, right, bottom
NONE = 0  # instead of a light

STEP_REWARD = -0.005
LIGHT_REWARD = 1.0
MOST_LIGHTS = 1_000_000
SHORTEST = 2  # env steps: shorter flashes and pauses last as long
FAREWELL = 3  # env steps from the last light to the end

LOOK = Look(
    rows=ROWS,
    cols=COLS,
    planes="P1234M# ",
    repaint={"%": "#"},
    colours={
        "P": (0, 255, 255),
        "1": (0, 255, 0),
        "2": (255, 0, 0),
        "3": (0, 0, 255),
        "4": (255, 255, 0),
        "M": (64, 64, 64),
        "#": (128, 0, 128),
    },
)
Z_ORDER = "1234MP%"  # back to front

TIMES = ("sequence_length", "demo_light_on_frames", "demo_light_off_frames", "pause_frames")
HIDDEN = ("sequence", *TIMES)

_CENTRES = ((8, 4), (3, 10), (8, 16), (13, 10))
_DISC = ("..###..", "#######", "#######", "#######", "..###..")


@functools.cache
def light_cells(light: int) -> Mask:
    """Return the cells (17, 21) of a light, 1 to 4."""
    row, col = _CENTRES[light - 1]
    disc = np.array([list(line) for line in _DISC]) == "#"
    cells = np.zeros((ROWS, COLS), np.bool_)
    cells[row - 2 : row + 3, col - 3 : col + 4] = disc
    cells.flags.writeable = False
    return cells


@functools.cache
def wall_cells() -> Mask:
    """Return the cells (17, 21) of the border."""
    cells = np.ones((ROWS, COLS), np.bool_)
    cells[1:-1, 1:-1] = False
    cells.flags.writeable = False
    return cells


@functools.cache
def pen_cells() -> Mask:
    """Return the cells (17, 21) of the pen around the player's start."""
    row, col = START
    cells = np.zeros((ROWS, COLS), np.bool_)
    cells[row - 1 : row + 2, col - 1 : col + 2] = True
    cells[row, col] = False
    cells.flags.writeable = False
    return cells


@functools.cache
def lights_by_cell() -> Ints:
    """Return the light each cell belongs to, 0 for none, (17, 21)."""
    lights = np.zeros((ROWS, COLS), np.int64)
    for light in range(1, len(LIGHTS) + 1):
        lights[light_cells(light)] = light
    lights.flags.writeable = False
    return lights


class Hidden(NamedTuple):
    """Hidden choices of an episode in B lanes.

    Attributes:
        sequence: lights 1 to 4 in the order they flash, 0 beyond the lane's length, int64 (B, longest L).
        length: number of lights (B,).
        on: env steps that each light is lit (B,).
        off: env steps of darkness before each light (B,).
        pause: env steps from the last light to the opening of the pen (B,).
    """

    sequence: Ints
    length: Ints
    on: Ints
    off: Ints
    pause: Ints

    @property
    def opening(self) -> Ints:
        """Frame on which the pen is open, (B,); the action before it is the first that moves the player."""
        return self.length * (self.on + self.off) + self.pause

    @property
    def delay(self) -> Ints:
        """Env steps from the last sight of the first light to the first observation whose action counts."""
        return self.opening - (self.on + self.off)

    def choices(self, lane: int) -> dict[str, Any]:
        """Return one lane's choices as reset options."""
        length = int(self.length[lane])
        return {
            "sequence": "".join(map(str, self.sequence[lane, :length])),
            "demo_light_on_frames": int(self.on[lane]),
            "demo_light_off_frames": int(self.off[lane]),
            "pause_frames": int(self.pause[lane]),
        }


@dataclass(frozen=True)
class SequenceRecallRules(Rules):
    """Parameters of Sequence Recall, checked; the defaults are the paper's.

    The first four may each be a sequence of values, one of which is drawn uniformly at each reset.

    Args:
        sequence_length: number of flashes (default 4), at least 1, or a list to draw from uniformly in each
            episode, as may the next three be. A longer sequence is more to remember, 2 bits a flash, and for
            longer.
        demo_light_on_frames: env steps that each light is lit (default 60); below 2 counts as 2.
        demo_light_off_frames: env steps of darkness before each light (default 30); below 2 counts as 2.
        pause_frames: env steps from the last flash until the pen opens (default 1); below 2 counts as 2.
            Longer flashes, darkness and pauses ask for the same four lights to be remembered for longer: 272
            steps with the defaults for the first, (`sequence_length` - 1) (on + off) + pause; long flashes
            also fill a memory that counts steps.
        timeout_frames: env steps (default 1000); -1 for never.

    Raises:
        ValueError: a value is not legal.
    """

    sequence_length: int | Sequence[int] = 4
    demo_light_on_frames: int | Sequence[int] = 60
    demo_light_off_frames: int | Sequence[int] = 30
    pause_frames: int | Sequence[int] = 1
    timeout_frames: int = 1000

    def __post_init__(self) -> None:
        for name in TIMES:
            self.choices(name)
        check_timeout("timeout_frames", self.timeout_frames)

    def choices(self, name: str) -> tuple[int, ...]:
        """Return the values that a parameter is drawn from; times below 2 frames become 2.

        Args:
            name: one of `TIMES`.
        """
        return _check_times(name, name, getattr(self, name))

    @property
    def group_by(self) -> str:
        """The info key by which results are split: `delay` where flashes or pauses are drawn."""
        return "delay" if any(len(self.choices(name)) > 1 for name in TIMES[1:]) else "sequence_length"

    @property
    @override
    def memory_delay(self) -> int:
        """The delay of the first light, which must be remembered the longest."""
        length, *times = (np.array([max(self.choices(name))]) for name in TIMES)
        return int(Hidden(np.empty((1, 0), np.int64), length, *times).delay[0])

    def draw(self, rng: np.random.Generator, options: Mapping[str, Any], lanes: int) -> Hidden:
        """Draw the hidden choices of an episode in each of B lanes, or take them from reset options.

        Args:
            rng: where draws come from; it moves on by as much whatever is given.
            options: any of `sequence` (a text such as "4413", or a list of lights) and the parameters that
                may be sequences; each for all lanes or one per lane. A sequence decides its length.
            lanes: B.

        Raises:
            ValueError: an unknown or illegal option.
        """
        check_keys("options", options, HIDDEN)
        drawn = {name: rng.choice(self.choices(name), size=lanes) for name in TIMES}
        for name in TIMES:
            if name in options:
                values = _check_times(name, f"options.{name}", options[name])
                drawn[name] = spread(name, values, (lanes,))
        length, *times = (drawn[name] for name in TIMES)
        longest = max(self.choices("sequence_length"))
        lights = rng.integers(1, len(LIGHTS) + 1, size=(lanes, longest))
        if "sequence" in options:
            given = self._read_sequences(options["sequence"], lanes)
            length = np.array([len(one) for one in given])
            self._check_lengths(length, longest)
            for lane, one in enumerate(given):
                lights[lane, : len(one)] = one
        self._check_lengths(length, longest)
        lights[np.arange(longest) >= length[:, None]] = NONE
        return Hidden(lights, length, *times)

    def _read_sequences(self, value: Any, lanes: int) -> list[list[int]]:
        """Read sequences of lights, one per lane.

        A list of single lights is one sequence; but as texts, to several lanes that may have sequences of one
        light, it is one for each.
        """
        plain = value.tolist() if isinstance(value, np.ndarray) else value
        sequences = [plain] * lanes if self._is_one_sequence(plain, lanes) else list(plain)
        if len(sequences) != lanes:
            raise ValueError(
                f"options.sequence: {len(sequences)} sequences; legal: one, or one per lane ({lanes})"
            )
        return [_read_sequence(one) for one in sequences]

    def _is_one_sequence(self, value: Any, lanes: int) -> bool:
        if not isinstance(value, list | tuple):
            return True
        if all(isinstance(part, str) and len(part) == 1 for part in value):
            return lanes == 1 or 1 not in self.choices("sequence_length")
        return not any(isinstance(part, str | list | tuple | np.ndarray) for part in value)

    def _check_lengths(self, lengths: Ints, longest: int) -> None:
        if lengths.max() > longest:
            raise ValueError(
                f"options: a sequence of {lengths.max()} lights is longer than the environment's longest; "
                f"legal: 1 to {longest} lights; nearest: {longest}"
            )


def _check_times(parameter: str, name: str, value: Any) -> tuple[int, ...]:
    """Return one value of a parameter in `TIMES`, or a sequence of them, as a tuple.

    Args:
        parameter: which.
        name: what the user calls it.
        value: what the user gave.
    """
    is_length = parameter == "sequence_length"
    low, shortest, unit = (1, 1, "lights") if is_length else (0, SHORTEST, "env steps")
    legal = f">= {low} {unit}, or a list of these"
    high = MOST_LIGHTS if is_length else MOST_STEPS
    check = functools.partial(check_at_least, low=low, legal=legal, high=high)
    return tuple(max(one, shortest) for one in check_choices(name, value, legal, check))


def _read_sequence(value: Any) -> list[int]:
    lights = list(map(str, value)) if isinstance(value, str | list | tuple | np.ndarray) else []
    if not lights or any(light not in tuple(LIGHTS) for light in lights):
        raise ValueError(
            f"options.sequence: {shown(value)}; legal: lights 1 left, 2 top, 3 right, 4 bottom, such as "
            "'4413'"
        )
    return [int(light) for light in lights]
