"""Baselines of the IBL task by name, and the numbers that sum up what a player did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from engram.envs.arrays import Array, Flags
from engram.envs.ibl.bayes import (
    BayesianActor,
    BlocklessActor,
    ExactActor,
    ExponentialAverageActor,
    GuessingActor,
    LegacyActor,
    MarkovActor,
    OptimalStopping,
    OracleBlockActor,
)
from engram.envs.ibl.play import Trials
from engram.envs.ibl.radd import TwoUnitActor

PLAYERS: Mapping[str, Callable[..., Any]] = {
    "exact": ExactActor,
    "exact_revealed": partial(BayesianActor, timeouts="revealed"),
    "markov": MarkovActor,
    "markov_soft": partial(BayesianActor, blocks="markov"),
    "markov_opposite": partial(MarkovActor, timeouts="opposite"),
    "markov_redrawn": partial(MarkovActor, evidence="redrawn"),
    "markov_block_prior": partial(MarkovActor, prior="block"),
    "legacy": LegacyActor,
    "oracle_block": OracleBlockActor,
    "blockless": BlocklessActor,
    "exponential_average": ExponentialAverageActor,
    "guessing": GuessingActor,
    "stopping_per_trial": OptimalStopping,
    "stopping_per_step": partial(OptimalStopping, objective="step"),
    "two_units": TwoUnitActor,
}
"""Each is made with a number of lanes and the task's rules."""


def summarise(trials: Trials, where: Flags | None = None) -> dict[str, float]:
    """Return the numbers that sum up trials.

    Args:
        trials: from `engram.envs.ibl.play.play_sessions`.
        where: of which trials, bool (N,); all without it.

    Returns:
        `trials`; shares of them: `accuracy` (timeouts are wrong), `accuracy_acted` (of those with an action),
        `acted`, `concordant` and `discordant` (accuracy of these), and where the player has beliefs `forced`
        (the likelier side at the end of a trial is right) and `block` (that of the block, once the result is
        seen); means: `n_obs`, `reward_per_step`, `reward_per_trial`. NaN where there is no such trial.
    """
    columns = trials if where is None else {name: values[where] for name, values in trials.items()}
    correct, side, concordant = columns["correct"], columns["side"], columns["concordant"]
    found = {
        "trials": float(correct.size),
        "accuracy": _mean(correct),
        "accuracy_acted": _mean(correct[columns["acted"]]),
        "acted": _mean(columns["acted"]),
        "concordant": _mean(correct[concordant]),
        "discordant": _mean(correct[~concordant]),
        "n_obs": _mean(columns["n_obs"]),
        "reward_per_step": _mean(columns["reward"]) / _mean(columns["steps"]),
        "reward_per_trial": _mean(columns["reward"]),
    }
    if "stimulus_belief" in columns:
        found["forced"] = _mean((columns["stimulus_belief"] > 0.5) == (side > 0))
    if "block_belief" in columns:
        seen = ~np.isnan(columns["block_belief"])
        right = (columns["block_belief"] > 0.5) == (columns["block_side"] > 0)
        found["block"] = _mean(right[seen])
    return found


def _mean(values: Array) -> float:
    """Return a mean, NaN of nothing."""
    return float(values.mean()) if values.size else float("nan")
