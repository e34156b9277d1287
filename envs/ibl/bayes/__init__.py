"""Bayesian players of the IBL task: beliefs of stimulus and block, and when to act on them.

`stimulus` weighs the observations of a trial, `filters` follow the block from trial to trial; an
`Observer` joins both into beliefs, whoever acts. `actors` holds players that act on them, `stopping` the
one that stops when it pays most. All are made with a number of lanes and the task's rules, and choose by
`act(observations, resets, infos)`; only those that say so look at `infos`.
"""

from engram.envs.ibl.bayes.actors import (
    BayesianActor,
    BlocklessActor,
    ExactActor,
    ExponentialAverageActor,
    GuessingActor,
    LegacyActor,
    MarkovActor,
    OracleBlockActor,
)
from engram.envs.ibl.bayes.observer import Observer
from engram.envs.ibl.bayes.stopping import OptimalStopping

__all__ = [
    "BayesianActor",
    "BlocklessActor",
    "ExactActor",
    "ExponentialAverageActor",
    "GuessingActor",
    "LegacyActor",
    "MarkovActor",
    "Observer",
    "OptimalStopping",
    "OracleBlockActor",
]
