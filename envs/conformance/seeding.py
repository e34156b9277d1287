"""Checks of seeds: equal seeds give equal play, other seeds other play.

Where nothing random is seen, which is where a play without a seed equals the one with a seed, nothing needs
to differ.
"""

from __future__ import annotations

from engram.envs.conformance.compare import BrokenPromiseError, first_difference
from engram.envs.conformance.trial import Frame, Trial

OTHER_SEEDS = 8
"""Seeds that are tried before all are found to give the same."""

NOT_RANDOM = "nothing random was seen, so nothing needs to differ"


def check_same_seed(trial: Trial) -> str:
    """Check that a seed decides everything, in a second environment and again in a used one."""
    with trial.opened() as env:
        for which in ("in another copy", "the second time in one environment"):
            found = trial.difference_of_rollouts(trial.rollout, trial.play(env, trial.seed))
            if found:
                raise BrokenPromiseError(f"{found}; with the same seed and actions, {which}")
    return f"three plays with seed {trial.seed} are the same"


def check_other_seed(trial: Trial) -> str:
    """Check that at least one of several other seeds gives something else."""
    if not trial.is_random:
        return NOT_RANDOM
    last = trial.seed + OTHER_SEEDS
    with trial.opened() as env:
        for seed in range(trial.seed + 1, last + 1):
            found = trial.difference_of_rollouts(trial.rollout, trial.play(env, seed))
            if found:
                return f"seeds {trial.seed} and {seed} differ at {found}"
    raise BrokenPromiseError(
        f"expected seeds {trial.seed} to {last} to differ somewhere, got the same from all, though plays "
        "without a seed differ"
    )


def check_lanes_differ(trial: Trial) -> str:
    """Check that lanes draw independently: under equal actions they differ for some seed."""
    if trial.lanes == 1 or not trial.is_random:
        return NOT_RANDOM
    last = trial.seed + OTHER_SEEDS
    actions = [[chosen[0]] * trial.lanes for chosen in trial.actions]
    with trial.opened() as env:
        for seed in range(trial.seed, last + 1):
            for frame in trial.play(env, seed, actions):
                lane = _unlike_lane(trial, frame)
                if lane:
                    return f"lanes 0 and {lane} differ at {frame.where} with seed {seed}"
    raise BrokenPromiseError(
        f"expected lanes to differ under seeds {trial.seed} to {last}, got all {trial.lanes} alike given the "
        "same actions; draw for each lane"
    )


def _unlike_lane(trial: Trial, frame: Frame) -> int | None:
    """Return the first lane that differs from lane 0."""
    columns = [trial.split(frame.observations)]
    if frame.is_step:
        columns += [list(frame.rewards), list(frame.ended)]
    lanes = list(zip(*columns, strict=True))
    return next((lane for lane in range(1, trial.lanes) if first_difference(lanes[0], lanes[lane])), None)
