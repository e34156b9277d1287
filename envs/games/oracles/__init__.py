"""Scripted players with the best possible returns, for tests and as a reference for learning curves.

`ORACLES[env_id](lanes).act(observations)` plays any of the tasks, seeing nothing but observations.
"""

from collections.abc import Callable, Mapping

from engram.envs.games.oracles.cued_catch import CuedCatchOracle
from engram.envs.games.oracles.oracle import Oracle
from engram.envs.games.oracles.sequence_recall import SequenceRecallOracle
from engram.envs.games.oracles.tmaze import TMazeOracle

ORACLES: Mapping[str, Callable[[int], Oracle]] = {
    "engram/CuedCatch-v0": CuedCatchOracle,
    "engram/SequenceRecall-v0": SequenceRecallOracle,
    "engram/TMaze-v0": TMazeOracle,
}

__all__ = ["ORACLES", "CuedCatchOracle", "Oracle", "SequenceRecallOracle", "TMazeOracle"]
