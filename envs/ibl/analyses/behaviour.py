"""What players do, trial by trial: by strength, after a change of blocks, for what reward.

All take tables of trials, from `engram.envs.ibl.table.session_table` or `read_sessions`, and return tables.
K strengths.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engram.envs.arrays import Array, Floats

if TYPE_CHECKING:
    from pandas import DataFrame

SPLITS = ("all", "concordant", "discordant")
SIDES = {"left block": -1, "right block": 1}
_FEWEST = 5  # strengths that a curve of four parameters is fitted to


class Curve(NamedTuple):
    """A psychometric curve: P(right) = low + (1 - low - high) / (1 + exp(-slope (x - bias))).

    Attributes:
        bias: signed strength at which the sides are alike, but for lapses.
        slope: per unit of strength.
        low: lapses where the stimulus is on the left.
        high: lapses where it is on the right.
    """

    bias: float
    slope: float
    low: float
    high: float

    def __call__(self, signed: Array) -> Floats:
        """Return P(right) at signed strengths, (...)."""
        return _logistic(signed, *self)


def _logistic(signed: Array, bias: float, slope: float, low: float, high: float) -> Floats:
    return np.asarray(low + (1 - low - high) * 0.5 * (1 + np.tanh(0.5 * slope * (signed - bias))))


def fit_curve(signed: Array, right: Array, counts: Array) -> Curve:
    """Fit a psychometric curve by least squares, weighed by the spread of each share.

    Args:
        signed: signed strengths, (K,).
        right: shares of choices to the right, (K,).
        counts: choices, (K,).

    Returns:
        The curve; NaN where there are too few strengths, or no curve fits.
    """
    from scipy.optimize import curve_fit

    usable = counts > 0
    if usable.sum() < _FEWEST:
        return Curve(*[float("nan")] * 4)
    signed, right, counts = signed[usable], right[usable], counts[usable]
    softened = (right * counts + 0.5) / (counts + 1)  # so that a share of 0 or 1 has a spread, too
    spread = np.sqrt(softened * (1 - softened) / counts)
    bounds = ([-10.0, 0.0, 0.0, 0.0], [10.0, 100.0, 0.5, 0.5])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that no covariance can be given
            found, _ = curve_fit(
                _logistic, signed, right, p0=(0.0, 1.0, 0.02, 0.02), sigma=spread, bounds=bounds
            )
    except RuntimeError:  # it does not converge
        return Curve(*[float("nan")] * 4)
    return Curve(*map(float, found))


def split(table: DataFrame, name: str) -> DataFrame:
    """Return the trials of one of `SPLITS` or of `SIDES`."""
    if name in SIDES:
        return table[table["block_side"] == SIDES[name]]
    if name == "all":
        return table
    return table[table["concordant"] == (name == "concordant")]


def accuracy_by_strength(table: DataFrame) -> DataFrame:
    """Return the share of right trials by strength, timeouts being wrong, for each of `SPLITS`.

    Returns:
        Columns `trials`, `strength`, `count`, `accuracy`.
    """
    parts = {name: split(table, name).groupby("mu")["correct"].agg(["size", "mean"]) for name in SPLITS}
    return _joined(parts, "trials").rename(columns={"mu": "strength", "size": "count", "mean": "accuracy"})


def psychometric(table: DataFrame) -> DataFrame:
    """Return the share of choices to the right by signed strength, and in left and in right blocks.

    Returns:
        Columns `trials` ("all" or one of `SIDES`), `signed_strength`, `count`, `right`, `fitted` (P(right) of
        the curve through them), and the numbers of the `Curve`.
    """
    acted = table[table["acted"]]
    parts = {}
    for name in ("all", *SIDES):
        chosen = split(acted, name)
        part = (chosen["response"] > 0).groupby(chosen["signed_contrast"]).agg(["size", "mean"]).reset_index()
        curve = fit_curve(*(part[each].to_numpy() for each in ("signed_contrast", "mean", "size")))
        parts[name] = part.assign(fitted=curve(part["signed_contrast"].to_numpy()), **curve._asdict())
    return _joined(parts, "trials", reset=False).rename(
        columns={"signed_contrast": "signed_strength", "size": "count", "mean": "right"}
    )


def chronometric(table: DataFrame, blank_steps: int) -> DataFrame:
    """Return the mean steps of a trial by strength, whether it was right, and on the block's side.

    Args:
        table: of trials.
        blank_steps: env steps of a trial beside its observations, as the paper counts them; 0 for a mouse.

    Returns:
        Columns `correct`, `concordant`, `strength`, `count`, `steps`.
    """
    grouped = table.groupby(["correct", "concordant", "mu"])["n_obs"].agg(["size", "mean"]).reset_index()
    grouped["mean"] += blank_steps
    return grouped.rename(columns={"mu": "strength", "size": "count", "mean": "steps"})


def after_change(table: DataFrame, most: int = 30) -> DataFrame:
    """Return accuracy and belief of the block by the trial of the block, first blocks of a session left out.

    Args:
        table: of trials; `block_belief` need not be there.
        most: trials of a block that are looked at.

    Returns:
        Columns `trial` (from 1), `count`, `accuracy`, `accuracy_zero` (of strength 0 alone),
        `belief_in_block` (mean probability of the true block) and `block_known` (share of trials whose
        likelier block is the true one), both NaN without beliefs.
    """
    late = table[(table["block"] > 0) & (table["trial_in_block"] < most)]
    believed = late.get("block_belief", np.nan)
    true = np.where(late["block_side"] > 0, believed, 1 - believed)
    late = late.assign(
        zero=late["correct"].where(late["mu"] == 0).astype(float),
        belief_in_block=true,
        block_known=np.where(np.isnan(true), np.nan, true > 0.5),
    )
    grouped = late.groupby("trial_in_block").agg(
        count=("correct", "size"),
        accuracy=("correct", "mean"),
        accuracy_zero=("zero", "mean"),
        belief_in_block=("belief_in_block", "mean"),
        block_known=("block_known", "mean"),
    )
    found = grouped.reset_index().rename(columns={"trial_in_block": "trial"})
    return found.assign(trial=found["trial"] + 1)


def reward_by_observations(table: DataFrame, wait_reward: float) -> DataFrame:
    """Return the mean reward of a trial by its number of observations.

    Args:
        table: of trials, with `reward`.
        wait_reward: of the task.

    Returns:
        Columns `n_obs`, `count`, `reward` (as earned), and `reward_paper`, which counts the penalty of
        waiting once too often, as the paper's figure does: result + `wait_reward` * n_obs.
    """
    result = np.where(table["correct"], 1.0, -1.0)
    paper = table.assign(reward_paper=result + wait_reward * table["n_obs"])
    return (
        paper.groupby("n_obs")
        .agg(count=("reward", "size"), reward=("reward", "mean"), reward_paper=("reward_paper", "mean"))
        .reset_index()
    )


def prior_gap(table: DataFrame) -> float:
    """Return how much more often trials without a stimulus are right on the block's side than beside it."""
    zero = table[table["mu"] == table["mu"].min()]
    return float(split(zero, "concordant")["correct"].mean() - split(zero, "discordant")["correct"].mean())


def _joined(parts: dict[str, Any], name: str, reset: bool = True) -> DataFrame:
    """Return tables one below the other, with a first column that says which each row is of."""
    import pandas

    tables = [(part.reset_index() if reset else part).assign(**{name: key}) for key, part in parts.items()]
    whole = pandas.concat(tables, ignore_index=True)
    return whole[[name, *(column for column in whole.columns if column != name)]]
