"""The rules of a step, applied once to every case that there is; playing looks the results up.

A step depends on little: how far the trial is, whether it is the session's last one, which side is right, and
the action. Looked up, it takes the same few array operations whatever happens in it.

C cases, P places.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engram.envs.arrays import Array, Flags, Floats, Ints
from engram.envs.ibl.rules import ACTIONS, RIGHT_REWARD, WAIT, WRONG_REWARD, IBLRules

COUNTS = ("trial", "decided", "right")
"""What is counted in a session: trials left behind, trials decided, and those that were right."""

TOLD_INTS = ("k", "n_obs", "observations")
TOLD_FLAGS = ("is_blank", "mask", "trial_end", "acted", "correct", "timeout", "ignored")

_STAGES = 3  # of a trial: it is played; its result is seen; so it is after a step of its own, in the last one
_KINDS = (2, 2, len(ACTIONS))  # cases at a place: whether the trial is the last one, target, action


class Steps(NamedTuple):
    """What each case leads to. A case is a place in a trial, the trial's kind (see `kinds_of`), an action.

    Attributes:
        counts: what is added to `COUNTS`, (3, C).
        rewards: (C,).
        seen: the reward as it is seen, (C,).
        over: whether the session is, (C,).
        decided: whether a trial is, (C,).
        next: first case at the place that is next, (C,).
        frame: what is seen there: 0 blank, n the nth noisy step of the trial, (C,).
        ints: facts of the step, and of the place that is next, `TOLD_INTS`, (3, C).
        flags: likewise `TOLD_FLAGS`, (7, C).
        start: a case that leads where sessions start, and has nothing to tell of itself.
    """

    counts: Ints
    rewards: Floats
    seen: Floats
    over: Flags
    decided: Flags
    next: Ints
    frame: Ints
    ints: Ints
    flags: Flags
    start: int


class _Places(NamedTuple):
    """How far a trial is: its stage, steps and observations, and whether it awaits an action; each (P,)."""

    stage: Ints
    k: Ints
    n_obs: Ints
    observing: Flags

    def at(self, places: Ints) -> _Places:
        """Return some of them."""
        return _Places(self.stage[places], self.k[places], self.n_obs[places], self.observing[places])


def kinds_of(last: Array, target: Array) -> Ints:
    """Return what trials add to a case: of whether each is the last one, and of the right action, (...)."""
    kinds: Ints = (2 * last + target) * len(ACTIONS)
    return kinds


def make_steps(rules: IBLRules) -> Steps:
    """Return what all cases lead to."""
    length = rules.zero_steps + rules.max_observations
    places = _make_places(rules, length)
    place, last, target, action = (each.ravel() for each in np.indices((places.k.size, *_KINDS)))
    here, last, acts = places.at(place), last > 0, action != WAIT
    sees_result = here.stage > 0
    acted = here.observing & acts
    correct = acted & (action == target)
    timeout = here.observing & ~acts & (here.n_obs == rules.max_observations)
    decided = acted | timeout
    seen = _rewards_seen(rules, here, decided, correct)

    leaving = sees_result | (decided & ~_has_result_step(rules, last))
    enters, over = leaving & ~last, leaving & last
    onward = np.where(decided | sees_result, place + length, place + 1)
    following = np.where(enters, 0, onward % places.k.size)  # beyond them only what is thrown away leads
    there = places.at(following)
    shows = there.observing | ((there.stage > 0) & (rules.feedback == "noisy"))
    told_ints = (there.k, there.n_obs, here.n_obs * decided)
    told_flags = (~shows, there.observing, decided, acted, correct, timeout, acts & ~here.observing)
    return Steps(
        counts=np.stack((enters, decided, correct)).astype(np.int64),
        rewards=seen - rules.trial_cost * decided,
        seen=seen,
        over=over,
        decided=decided,
        next=following * np.prod(_KINDS),
        frame=(there.n_obs + (there.stage > 0)) * shows,
        ints=np.stack(told_ints),
        flags=np.stack(told_flags),
        start=int(np.flatnonzero(sees_result & enters & ~acts)[0]),
    )


def _make_places(rules: IBLRules, length: int) -> _Places:
    """Return the places of a trial: each stage has one for each step at which a trial may be decided."""
    stage, step = (each.ravel() for each in np.indices((_STAGES, length)))
    n_obs = np.maximum(step - rules.zero_steps + 1, 0)
    return _Places(stage, step + stage, n_obs, (stage == 0) & (n_obs > 0))


def _rewards_seen(rules: IBLRules, here: _Places, decided: Flags, correct: Flags) -> Floats:
    """Return what each step earns but for the costs of trials, which are not seen, (C,)."""
    rewards = np.where(here.observing, float(rules.wait_reward), float(rules.blank_reward))
    rewards[here.stage > 0] = 0.0
    rewards[decided] = WRONG_REWARD  # a timeout looks alike
    rewards[correct] = RIGHT_REWARD
    return rewards


def _has_result_step(rules: IBLRules, last: Flags) -> Flags:
    """Return which trials end with a step of its own for the result, (C,)."""
    return np.where(last, rules.final_feedback_step, rules.feedback == "noisy")
