"""Rules of Cued Catch, shared by both forms: parameters, timetable, hidden choices, painted cells.

Frame n is the board after n env steps. B lanes, N trials, R rows, C columns.
Source: LP-RNN ("Concrete"), arXiv 1805.04955, section 5.2.1 and appendix B.1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from engram.envs.arguments import (
    MOST_STEPS,
    check_at_least,
    check_choices,
    check_flag,
    check_keys,
    listed,
    shown,
    spread,
)
from engram.envs.forms.boards import Look
from engram.envs.forms.rules import Rules

ROWS, COLS = 7, 12
CUES = 4
PLAYER_COL = 3
BALL_ROWS = (1, 2)  # of the top and the bottom ball; the player's rows too
BALL_START = 8  # column
TRIAL_FRAMES = 7
MOST_LESSON = 100_000  # env steps of each cue; each frame has a row in the timetable
MOST_TRIALS = 100_000
MOST_SIGMA = 1e9
NO_BALLS = -1  # instead of the frames since the trial began

MARKERS = ((slice(1, 3), slice(0, 2)), (slice(1, 3), slice(10, 12)))
BAR_ROWS, BAR_WIDTH = slice(3, 5), 6
CUE_ROWS, CUE_WIDTH = slice(5, 7), 3

LOOK = Look(
    rows=ROWS,
    cols=COLS,
    planes="PabQ ",
    colours={"P": (255, 255, 255), "a": (255, 255, 0), "b": (0, 255, 255), "Q": (0, 255, 0)},
)
Z_ORDER = "PabQ"  # back to front

ASSOCIATIONS = np.array(sorted(set(itertools.permutations((True, True, False, False)))))  # (6, 4)
HIDDEN = (
    "cue_is_top",
    "trial_cues",
    "noise",
    "reward_free_trials",
    "trial_reset_frames",
    "noise_frames",
)


def cue_cells(cue: int) -> tuple[slice, slice]:
    """Return rows and columns of a cue, 0 to 3."""
    return (CUE_ROWS, slice(CUE_WIDTH * cue, CUE_WIDTH * (cue + 1)))


def bar_cells(top: bool) -> tuple[slice, slice]:
    """Return rows and columns of the bar that stands for the top or the bottom ball."""
    return (BAR_ROWS, slice(0, BAR_WIDTH) if top else slice(BAR_WIDTH, COLS))


class Hidden(NamedTuple):
    """Hidden choices of an episode in B lanes.

    Attributes:
        cue_is_top: whether the top ball is the one to catch, of each cue, bool (B, 4).
        trial_cues: cue of each trial and of the one that ends the episode, int8 (B, N + 1).
        noise: added to the reward of each trial, (B, N); zero where a trial is reward-free.
        reward_free_trials: (B,).
    """

    cue_is_top: NDArray[np.bool_]
    trial_cues: NDArray[np.int8]
    noise: NDArray[np.float64]
    reward_free_trials: NDArray[np.int64]

    def choices(self, lane: int) -> dict[str, Any]:
        """Return one lane's choices as reset options."""
        free = int(self.reward_free_trials[lane])
        return {
            "cue_is_top": self.cue_is_top[lane].tolist(),
            "trial_cues": self.trial_cues[lane].tolist(),
            "noise": self.noise[lane, free:].tolist(),
            "reward_free_trials": free,
        }


@dataclass(frozen=True)
class CuedCatchRules(Rules):
    """Parameters of Cued Catch, checked; the defaults are the paper's.

    Args:
        initial_cue_duration: env steps that each cue is taught (default 10), at least 1.
        cue_duration: env steps that the cue of a trial is shown (default 10), at least 1; a trial takes 7,
            and with less the cue is gone when the balls arrive.
        num_trials: number of trials (default 100), at least 1.
        reward_free_trials: 0 to all of them, from the first, earn nothing (default 40); or a list to draw
            from uniformly in each episode. This is what the memory is tested by: nothing rewards the use of a
            cue before 7 steps a trial have passed, so each one more asks for 7 steps' longer memory (285 with
            the default), and takes 1 from the best return.
        always_show_ball_symbol: show the bar with every cue (default False): then no memory is needed.
        reward_sigma: standard deviation of the noise on rewards (default 0), at least 0.

    Raises:
        ValueError: a value is not legal.
    """

    initial_cue_duration: int = 10
    cue_duration: int = 10
    num_trials: int = 100
    reward_free_trials: int | Sequence[int] = 40
    always_show_ball_symbol: bool = False
    reward_sigma: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (("initial_cue_duration", MOST_LESSON), ("cue_duration", MOST_STEPS)):
            check_at_least(name, getattr(self, name), 1, ">= 1 env steps", most)
        check_at_least("num_trials", self.num_trials, 1, ">= 1 trials", MOST_TRIALS)
        self.check_reward_free("reward_free_trials", self.reward_free_trials)
        check_flag("always_show_ball_symbol", self.always_show_ball_symbol)
        sigma = self.reward_sigma
        if isinstance(sigma, bool) or not isinstance(sigma, int | float) or not 0 <= sigma <= MOST_SIGMA:
            raise ValueError(
                f"reward_sigma: {shown(sigma)} is no standard deviation; legal: a finite number >= 0, at "
                f"most {MOST_SIGMA:g}"
            )

    @cached_property
    def reward_free_choices(self) -> tuple[int, ...]:
        """The numbers that an episode's number of reward-free trials is drawn from."""
        return self.check_reward_free("reward_free_trials", self.reward_free_trials)

    @property
    def group_by(self) -> str:
        """The info key by which results are split."""
        return "reward_free_trials"

    @property
    def first_trial(self) -> int:
        """Frame on which the first trial begins, the last one of the lesson."""
        return CUES * self.initial_cue_duration - 1

    @property
    def last_frame(self) -> int:
        """Frame on which an episode ends."""
        return self.first_trial + TRIAL_FRAMES * self.num_trials

    @property
    @override
    def memory_delay(self) -> int:
        return int(self.delays(max(self.reward_free_choices)))

    def delays(self, reward_free_trials: Any) -> Any:
        """Return env steps from the end of the lesson to the first action that decides a paid trial.

        Args:
            reward_free_trials: of one episode, or of each lane's (B,).
        """
        if self.always_show_ball_symbol:
            return np.zeros_like(reward_free_trials)
        return TRIAL_FRAMES * reward_free_trials + TRIAL_FRAMES - 2

    def taught_cue(self, frame: int) -> int | None:
        """Return the cue that the lesson shows on a frame; None after the lesson."""
        return CUES - 1 - frame // self.initial_cue_duration if frame <= self.first_trial else None

    def shown_trial(self, frame: int) -> int | None:
        """Return the trial whose cue is visible on a frame; None if there is none.

        The first trial's appears one frame late: the lesson's last screen is still there.
        """
        if frame <= self.first_trial:
            return None
        trial, age = divmod(frame - self.first_trial, TRIAL_FRAMES)
        first_seen = 1 if trial == 0 else 0
        return trial if age - first_seen < self.cue_duration else None

    def ball_age(self, frame: int) -> int:
        """Return frames since the balls of the trial started, `NO_BALLS` while there are none."""
        return NO_BALLS if frame <= self.first_trial else (frame - self.first_trial) % TRIAL_FRAMES

    def draw(self, rng: np.random.Generator, options: Mapping[str, Any], lanes: int) -> Hidden:
        """Draw the hidden choices of an episode in each of B lanes, or take them from reset options.

        Args:
            rng: where draws come from; it moves on by as much whatever is given.
            options: any of `cue_is_top` (4 booleans, two of them true), `trial_cues` (N + 1 cues),
                `noise` (one number per trial that is not reward-free), `reward_free_trials`; each for all
                lanes or one per lane. `trial_reset_frames` and `noise_frames` follow from the parameters:
                they are let in because a recorded episode holds them, and must be right.
            lanes: B.

        Raises:
            ValueError: an unknown or illegal option.
        """
        check_keys("options", options, HIDDEN)
        free = rng.choice(self.reward_free_choices, size=lanes)
        taught = ASSOCIATIONS[rng.integers(len(ASSOCIATIONS), size=lanes)]
        cues = rng.integers(CUES, size=(lanes, self.num_trials + 1), dtype=np.int8)
        noise = np.zeros((lanes, self.num_trials))
        if self.reward_sigma:
            noise = rng.normal(0.0, self.reward_sigma, noise.shape)
        if "reward_free_trials" in options:
            free = self._read_reward_free(options["reward_free_trials"], lanes)
        if "cue_is_top" in options:
            taught = _read_associations(options["cue_is_top"], lanes)
        if "trial_cues" in options:
            cues = _read_cues(options["trial_cues"], cues.shape)
        noise[np.arange(self.num_trials) < free[:, None]] = 0.0
        if "noise" in options:
            self._read_noise(options["noise"], noise, free)
        self._check_frames(options, free)
        return Hidden(taught, cues, noise, free)

    def check_reward_free(self, name: str, value: Any) -> tuple[int, ...]:
        """Return one number of reward-free trials or a sequence of them as a tuple.

        Raises:
            ValueError: empty, or something that is no such number.
        """
        legal = f"0 to {self.num_trials} trials, or a list of these"

        def check(name: str, one: Any) -> int:
            number = check_at_least(name, one, 0, legal)
            if number > self.num_trials:
                raise ValueError(
                    f"{name}: {shown(number)} is too large; legal: {legal}; nearest: {self.num_trials}"
                )
            return number

        return check_choices(name, value, legal, check)

    def _read_reward_free(self, value: Any, lanes: int) -> NDArray[np.int64]:
        return spread(
            "reward_free_trials", self.check_reward_free("options.reward_free_trials", value), (lanes,)
        )

    def _read_noise(self, value: Any, noise: NDArray[np.float64], free: NDArray[np.int64]) -> None:
        """Write noise, given for the trials that are not reward-free, into (B, N)."""
        for lane, values in enumerate(_read_lists_of_numbers("options.noise", value, len(free))):
            paid = self.num_trials - free[lane]
            if not self.reward_sigma:
                if np.any(values):
                    raise ValueError("options.noise: there is none where reward_sigma is 0; leave it out")
                continue
            if len(values) != paid:
                raise ValueError(
                    f"options.noise: {len(values)} numbers; legal: one per trial that is paid, {paid}"
                )
            noise[lane, free[lane] :] = values

    def _check_frames(self, options: Mapping[str, Any], free: NDArray[np.int64]) -> None:
        resets = self.first_trial + TRIAL_FRAMES * np.arange(self.num_trials + 1)
        for lane, first_paid in enumerate(free):
            paid = resets[first_paid:-1] + TRIAL_FRAMES - 1 if self.reward_sigma else resets[:0]
            for name, expected in (("trial_reset_frames", resets), ("noise_frames", paid)):
                if name not in options:
                    continue
                given = _read_lists_of_numbers(f"options.{name}", options[name], len(free))[lane]
                if not np.array_equal(given, expected):
                    raise ValueError(
                        f"options.{name}: these are not the frames that the parameters give; leave them out, "
                        f"or make the environment with the parameters of the recorded episode"
                    )


def _read_associations(value: Any, lanes: int) -> NDArray[np.bool_]:
    taught = spread("cue_is_top", value, (lanes, CUES))
    if not (np.isin(taught, (0, 1)).all() and (taught.sum(axis=1) == CUES // 2).all()):
        raise ValueError(f"options.cue_is_top: {shown(value)}; legal: 4 booleans, two of them true")
    return taught.astype(np.bool_)


def _read_lists_of_numbers(name: str, value: Any, lanes: int) -> list[NDArray[np.float64]]:
    """Read one list of numbers for all lanes, or lists of any length, one per lane."""
    parts = list(listed(value))
    per_lane = parts if any(np.ndim(part) for part in parts) else [parts] * lanes
    if len(per_lane) != lanes:
        raise ValueError(f"{name}: {len(per_lane)} lists; legal: one list, or one per lane ({lanes})")
    try:
        numbers = [np.array(one, np.float64) for one in per_lane]
    except (TypeError, ValueError, OverflowError):
        numbers = [np.array(math.nan)]
    if not all(np.isfinite(one).all() for one in numbers):
        raise ValueError(f"{name}: {shown(value)}; legal: finite numbers")
    return numbers


def _read_cues(value: Any, shape: tuple[int, ...]) -> NDArray[np.int8]:
    cues = spread("trial_cues", value, shape)
    if cues.dtype.kind not in "iu" or not np.isin(cues, range(CUES)).all():
        raise ValueError(f"options.trial_cues: legal: cues 0 to {CUES - 1}, {shape[1]} of them")
    return cues.astype(np.int8)
