"""What is drawn for a session: blocks, sides, strengths, noise; and how reset options say it instead.

T trials, M steps of a trial that show noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.envs.arguments import check_keys, check_number, hint, shown, spread
from engram.envs.arrays import Array, Floats, Ints
from engram.envs.ibl.blocks import draw_by_odds
from engram.envs.ibl.rules import MOST_STRENGTH, IBLRules

Noise = NDArray[np.float32]

SIDES: Mapping[Any, int] = {"left": -1, "right": 1, -1: -1, 1: 1}
OPTIONS = ("blocks", "first_block", "sides", "mus", "noise")
_LEGAL_SIDES = "left (or -1), right (or 1)"


class Session(NamedTuple):
    """One session, trial by trial.

    Attributes:
        block: number of the block that a trial is in, (T,); unbiased trials are block 0.
        trial_in_block: trials of the block before it, (T,).
        block_side: side that the block favours, -1 left, 1 right, 0 none, (T,).
        side: side of the stimulus, -1 or 1, also where the strength is 0, (T,).
        mu: strength of the stimulus, (T,).
        noise: what is added to the left and the right side on each step, float32 (T, M, 2).
    """

    block: Ints
    trial_in_block: Ints
    block_side: Ints
    side: Ints
    mu: Floats
    noise: Noise


def draw_session(rng: np.random.Generator, rules: IBLRules, given: Mapping[str, Any]) -> Session:
    """Draw a session; what is given is not drawn.

    Args:
        rng: where draws come from.
        rules: the parameters.
        given: of one lane, from `read_options`.
    """
    lengths, first = given.get("blocks"), given.get("first_block")
    if lengths is None:
        lengths = draw_by_odds(rng, rules.length_odds, rules.blocks_per_session)
    if first is None:
        first = 2 * rng.integers(2) - 1
    favoured = first * (1 - 2 * (np.arange(len(lengths)) % 2))
    if rules.unbiased_trials:
        lengths, favoured = np.insert(lengths, 0, rules.unbiased_trials), np.insert(favoured, 0, 0)
    trials = int(lengths.sum())
    block = np.repeat(np.arange(len(lengths)), lengths)
    block_side = favoured[block]
    side, mu, noise = given.get("sides"), given.get("mus"), given.get("noise")
    if side is None:
        side = 2 * (rng.random(trials) < rules.right_odds[block_side + 1]) - 1
    if mu is None:
        mu = rules.strength_values[draw_by_odds(rng, rules.strength_odds, trials)]
    if noise is None:
        noise = rng.standard_normal((trials, rules.shown_steps, 2), np.float32)
    trial_in_block = np.arange(trials) - (np.cumsum(lengths) - lengths)[block]
    return Session(block, trial_in_block, block_side, side[:trials], mu[:trials], noise[:trials])


def read_options(options: Mapping[str, Any], rules: IBLRules, lanes: int) -> list[dict[str, Any]]:
    """Read reset options, each one for all lanes or one per lane, into what is given for each lane.

    Args:
        options: `blocks` (trials of each block), `first_block` (its side); `sides`, `mus` and `noise`, one
            for all trials or, with `blocks`, one per trial.
        rules: the parameters.
        lanes: number of lanes.

    Raises:
        ValueError: an unknown or illegal option, or one that contradicts another.
    """
    check_keys("options", options, OPTIONS)
    read: dict[str, Array] = {}
    trials = None
    if "blocks" in options:
        read["blocks"] = _read_blocks(options["blocks"], rules, lanes)
        trials = rules.unbiased_trials + int(read["blocks"].sum(axis=1).max())
    if "first_block" in options:
        read["first_block"] = _read_sides("first_block", options["first_block"], (lanes,))
    for name, (read_one, shape) in _BY_TRIAL.items():
        if name in options:
            _check_number_of_trials(name, options[name], trials)
            most = rules.most_trials if trials is None else trials
            read[name] = read_one(name, options[name], (lanes, most, *shape(rules)))
    return [{name: values[lane] for name, values in read.items()} for lane in range(lanes)]


def _check_number_of_trials(name: str, value: Any, trials: int | None) -> None:
    """Refuse what lists trials where their number is drawn."""
    if trials is None and isinstance(value, list | tuple | np.ndarray) and np.ndim(_plain(name, value)):
        raise ValueError(
            f"options.{name}: lists trials, and their number is drawn; legal: one value for all trials, or a "
            "list beside options.blocks"
        )


def _read_blocks(value: Any, rules: IBLRules, lanes: int) -> Ints:
    """Return the trials of each block, (lanes, blocks)."""
    given, most = _plain("blocks", value), rules.most_trials - rules.unbiased_trials
    counts = given.ndim in (1, 2) and given.size and given.dtype.kind in "iu"
    if not counts or (given < 1).any() or (given > most).any() or (given.sum(axis=-1) > most).any():
        raise ValueError(
            f"options.blocks: {shown(value)}; legal: trials of each block, whole numbers >= 1, at most "
            f"{most} in all"
        )
    return spread("blocks", given, (lanes, given.shape[-1])).astype(np.int64)


def _read_sides(name: str, value: Any, shape: tuple[int, ...]) -> Ints:
    """Return sides as -1 and 1."""
    given = spread(name, value, shape)
    sides = np.zeros(given.shape, np.int64)
    for side, number in SIDES.items():
        if given.dtype.kind in ("UO" if isinstance(side, str) else "iO"):
            sides[given == side] = number
    if not sides.all():
        wrong = given[sides == 0].tolist()[0]
        meant = hint(wrong, ("left", "right"))
        raise ValueError(f"options.{name}: {shown(wrong)} is no side; {meant}legal: {_LEGAL_SIDES}")
    return sides


def _read_strengths(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """Return strengths of stimuli."""
    return _read_numbers(name, value, shape, 0.0)


def _read_noise(name: str, value: Any, shape: tuple[int, ...]) -> Noise:
    """Return what is added to stimuli."""
    return _read_numbers(name, value, shape, -MOST_STRENGTH).astype(np.float32)


_BY_TRIAL: Mapping[str, tuple[Callable[..., Array], Callable[[IBLRules], tuple[int, ...]]]] = {
    "sides": (_read_sides, lambda rules: ()),
    "mus": (_read_strengths, lambda rules: ()),
    "noise": (_read_noise, lambda rules: (rules.shown_steps, 2)),
}
"""Options given by trial: what reads them, and the shape of a trial's."""


def _read_numbers(name: str, value: Any, shape: tuple[int, ...], low: float) -> Floats:
    given = spread(name, value, shape)
    numbers = given.dtype.kind in "iuf"
    wrong = ~((given >= low) & (given <= MOST_STRENGTH)) if numbers else np.ones(given.shape, np.bool_)
    for each in given[wrong].tolist():
        check_number(f"options.{name}", each, low, MOST_STRENGTH)
    return given.astype(np.float64)


def _plain(name: str, value: Any) -> Array:
    """Return an option as an array."""
    try:
        return np.asarray(value)
    except ValueError:  # lists of different lengths
        raise ValueError(
            f"options.{name}: {shown(value)} is no array; legal: lists of equal lengths"
        ) from None
