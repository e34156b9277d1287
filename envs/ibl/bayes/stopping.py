"""When does one more observation pay? Optimal stopping by dynamic programming, and the player that stops so.

B lanes, G values of the sum of right minus left, P priors of the right side, N observations of a trial.
The sum, the number of observations and the prior decide everything. (That an action reveals the side,
which helps in later trials, is left out; it is no loss, as this player lets no trial time out.)
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from engram.envs.arguments import check_known
from engram.envs.arrays import Array, Floats, Ints
from engram.envs.ibl.bayes.actors import BayesianActor
from engram.envs.ibl.bayes.filters import SemiMarkovFilter
from engram.envs.ibl.bayes.stimulus import VARIANCE, StimulusEvidence, logit, sigmoid
from engram.envs.ibl.rules import WAIT, IBLRules
from engram.envs.ibl.session import draw_session

OBJECTIVES = ("trial", "step")
_SPACING = 0.2  # of sums
_PRIORS = 25
_SESSIONS = 64  # over which priors are averaged


class Stopping(NamedTuple):
    """Values of a trial under optimal stopping, for a cost of time.

    Attributes:
        rate: what an env step costs, beside the rewards of the task.
        sums: grid, (G,).
        priors: grid, (P,).
        waiting: value of waiting after each number of observations but the last, (N - 1, G, P).
        before: value of a trial before its first observation, by prior, (P,).
    """

    rate: float
    sums: Floats
    priors: Floats
    waiting: Floats
    before: Floats


@functools.lru_cache(maxsize=64)
def solve(rules: IBLRules, rate: float = 0.0) -> Stopping:
    """Compute when to stop, backwards from a trial's last observation.

    Args:
        rules: of the task.
        rate: what an env step costs, beside the rewards of the task.
    """
    evidence = StimulusEvidence(rules)
    reach = np.ceil((10 + 4 * evidence.strengths.max()) / _SPACING)
    sums = _SPACING * np.arange(-reach, reach + 1)
    low, high = sorted((rules.p_s, 1 - rules.p_s))
    priors = np.clip(np.linspace(low - 0.01, high + 0.01, _PRIORS), 1e-6, 1 - 1e-6)
    moves = _moves(sums, evidence.strengths)
    last = rules.max_observations
    value = _acting(evidence, sums, last, priors)
    waiting = np.zeros((last - 1, len(sums), len(priors)))
    for count in range(last - 1, 0, -1):
        ahead = _expect(evidence, moves, sums, count, priors, value)
        waiting[count - 1] = rules.wait_reward - rate + ahead
        value = np.maximum(_acting(evidence, sums, count, priors), waiting[count - 1])
    before = _expect(evidence, moves, sums, 0, priors, value)[len(sums) // 2]
    return Stopping(rate, sums, priors, waiting, before)


def trial_worth(rules: IBLRules, rate: float = 0.0) -> float:
    """Compute the most reward per trial.

    Args:
        rules: of the task.
        rate: what each env step of waiting costs, beside the rewards of the task.
    """
    found = solve(rules, rate)
    value = np.interp(_usual_priors(rules), found.priors, found.before).mean()
    return float(value + rules.zero_steps * rules.blank_reward - rules.trial_cost)


@functools.lru_cache(maxsize=64)
def best_rate(rules: IBLRules) -> float:
    """Compute the most reward per env step: the cost of time at which a trial is worth its time."""
    from scipy.optimize import brentq

    steps = rules.zero_steps + (rules.feedback == "noisy") + 1  # without any waiting
    least = rules.zero_steps * rules.blank_reward - rules.trial_cost
    return float(
        brentq(
            lambda rate: trial_worth(rules, rate) - rate * steps,
            least / steps,
            (1 + least) / steps,
            xtol=1e-5,
        )
    )


@functools.lru_cache(maxsize=64)
def _usual_priors(rules: IBLRules) -> Floats:
    """Return the priors of the right side in trials of some sessions whose sides are all revealed."""
    rng = np.random.default_rng(0)
    sessions = [draw_session(rng, rules, {"noise": np.zeros((0, 0))}) for _ in range(_SESSIONS)]
    trials = np.array([len(session.side) for session in sessions])
    sides = np.zeros((_SESSIONS, trials.max()))
    for lane, session in enumerate(sessions):
        sides[lane, : trials[lane]] = session.side > 0
    blocks, priors = SemiMarkovFilter(_SESSIONS, rules), []
    for trial, right in enumerate(sides.T):
        plays, biased = trial < trials, trial >= rules.unbiased_trials
        priors.append(blocks.side[plays] if biased else np.full(plays.sum(), 0.5))
        if biased:
            blocks.update(right, plays)
    return np.concatenate(priors)


def _moves(sums: Floats, strengths: Floats) -> Floats:
    """Return P(next sum | sum, signed strength), (strengths, 2, G, G): on the left, on the right."""
    from scipy.special import ndtr

    edges = np.concatenate([[-np.inf], (sums[1:] + sums[:-1]) / 2, [np.inf]])
    means = np.stack([-strengths, strengths], axis=1)[:, :, None, None] + sums[:, None]
    return np.diff(np.asarray(ndtr((edges - means) / np.sqrt(VARIANCE))), axis=-1)


def _acting(evidence: StimulusEvidence, sums: Floats, count: int, priors: Floats) -> Floats:
    """Return the value of acting: the likelier side is right, or it is wrong, (G, P)."""
    ratio = evidence.log_ratio(sums, np.full_like(sums, count))
    return np.abs(2 * sigmoid(logit(priors) + ratio[:, None]) - 1)


def _expect(
    evidence: StimulusEvidence, moves: Floats, sums: Floats, count: int, priors: Floats, value: Floats
) -> Floats:
    """Return the expected value after one more observation, (G, P)."""
    left, right = evidence.by_strength(sums, np.full_like(sums, count))
    sides = np.log(np.stack([1 - priors, priors]))
    logs = np.stack([left.T, right.T], axis=1)[..., None] + sides[:, None]  # strengths, 2, G, P
    shares = np.exp(logs - logs.max(axis=(0, 1)))
    return np.asarray((shares * (moves @ value)).sum(axis=(0, 1)) / shares.sum(axis=(0, 1)))


class OptimalStopping(BayesianActor):
    """Knows the task exactly, and acts when no further observation is worth its price.

    Args:
        lanes: number of lanes (B).
        rules: of the task; without them those of its defaults.
        objective: what it earns most of: "trial", reward per trial, or "step", reward per env step.
        beliefs: see `Observer`.

    Raises:
        ValueError: an argument is not legal.
    """

    def __init__(
        self, lanes: int = 1, rules: IBLRules | None = None, *, objective: str = "trial", **beliefs: str
    ) -> None:
        super().__init__(lanes, rules, threshold=0.5, deadline="guess", **beliefs)
        check_known("objective", objective, OBJECTIVES)
        self.stopping = solve(self.rules, best_rate(self.rules) if objective == "step" else 0.0)

    def _decide(self) -> Ints:
        early = self.n_obs < self.rules.max_observations
        gain = np.abs(2 * self.stimulus_belief - 1)
        count = np.clip(self.n_obs, 1, max(self.rules.max_observations - 1, 1))
        if self.rules.max_observations > 1:
            early &= self._waiting(count) > gain
        return np.where(early, WAIT, self._likelier())

    def _waiting(self, count: Ints) -> Floats:
        """Return the value of waiting in each lane, between the points of the grid, (B,)."""
        found = self.stopping
        row, down = _place(found.sums, self._total)
        column, across = _place(found.priors, self.expected_side)
        corners = found.waiting[count - 1]
        lanes = np.arange(self.lanes)
        top = corners[lanes, row, column] * (1 - across) + corners[lanes, row, column + 1] * across
        bottom = corners[lanes, row + 1, column] * (1 - across) + corners[lanes, row + 1, column + 1] * across
        return np.asarray(top * (1 - down) + bottom * down)


def _place(grid: Floats, values: Array) -> tuple[Ints, Floats]:
    """Return the cell of an even grid that values are in, and how far into it they are, 0 to 1."""
    places = np.clip((values - grid[0]) / (grid[1] - grid[0]), 0, len(grid) - 1)
    cells = np.minimum(places.astype(np.int64), len(grid) - 2)
    return cells, places - cells
