"""Trials: what an environment tells of each of the many trials in an episode, as means over all of them.

An environment whose episodes consist of trials says so in its metadata: under `per_trial`, name to the key of
its info that holds a number (or a flag) at the step that decides a trial, and 0 at other steps. Its info says
by `trial_end` (bool) at which steps one is decided.

B lanes.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PER_TRIAL = "per_trial"
"""Key of an environment's metadata."""

TRIAL_END = "trial_end"
"""Key of its info: the step decided a trial."""

TRIALS = "trials"
"""Section of the metrics: the means, and `count`, how many trials were decided."""

COUNT, REWARD = "count", "reward"


class TrialLog:
    """Sums up what is told of trials, and the rewards of all steps, since the last report."""

    def __init__(self, measures: Mapping[str, str]) -> None:
        """Starts with nothing; `measures` are those of `per_trial`, name to info key."""
        self._keys = dict(measures)
        self.forget()

    def forget(self) -> None:
        """Forgets what was not reported."""
        self._sums = dict.fromkeys((COUNT, REWARD, *self._keys), 0.0)

    def step(
        self,
        rewards: NDArray[Any],
        ended: NDArray[np.bool_],
        infos: Mapping[str, Any],
        counting: NDArray[np.bool_],
    ) -> None:
        """Takes in one step of every lane.

        Args:
            rewards: (B,).
            ended: Lanes whose episode ended with it, (B,).
            infos: As a SAME_STEP vector environment gives them.
            counting: Lanes that count, (B,).
        """
        if not self._keys:
            return
        decides = self._of_step(infos, TRIAL_END, ended).astype(bool) & counting
        self._sums[COUNT] += float(decides.sum())
        self._sums[REWARD] += float(np.sum(rewards, where=counting))
        if decides.any():
            for name, key in self._keys.items():
                self._sums[name] += float(self._of_step(infos, key, ended)[decides].sum())

    @staticmethod
    def _of_step(infos: Mapping[str, Any], key: str, ended: NDArray[np.bool_]) -> NDArray[Any]:
        """An entry of info about the step just taken, of episodes that ended with it too, (B,)."""
        now: NDArray[Any] = np.asarray(infos[key])
        return np.where(ended, infos["final_info"][key], now) if ended.any() else now

    def report(self, metrics: Any) -> None:
        """Hands the sums over to RLlib's metrics and forgets them."""
        for name, value in self._sums.items() if self._keys else ():
            metrics.log_value((TRIALS, name), value, reduce="sum")
        self.forget()

    def get_state(self) -> dict[str, float]:
        """What was not reported yet, as plain data."""
        return dict(self._sums)

    def set_state(self, state: Mapping[str, float]) -> None:
        """Goes on from `get_state()`."""
        self._sums |= state


def per_trial(sums: Mapping[str, Any]) -> dict[str, float]:
    """Computes means over trials from the sums of reports: `count`, `reward`, and those of the environment.

    Means of no trial are NaN. Names are in the order of the alphabet.
    """
    count = float(sums[COUNT])
    means = {name: float(sums[name]) / count if count else math.nan for name in sorted(sums)}
    return means | {COUNT: count}
