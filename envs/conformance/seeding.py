"""Checks of seeds: equal seeds give equal play, other seeds other play.

Where nothing random is seen, which is where a play without a seed equals the one with a seed, nothing needs
to differ.
"""

from __future__ import annotations

from engram.envs.conformance.compare import BrokenPromiseError, first_difference
from engram.envs.conformance.fixture import Fixture, Frame

OTHER_SEEDS = 8
"""Seeds that are tried before all are found to give the same."""

NOT_RANDOM = "nothing random was seen, so nothing needs to differ"


def check_same_seed(fixture: Fixture) -> str:
    """Check that a seed decides everything, in a second environment and again in a used one."""
    with fixture.opened() as env:
        for which in ("in another copy", "the second time in one environment"):
            found = fixture.difference_of_rollouts(fixture.rollout, fixture.play(env, fixture.seed))
            if found:
                raise BrokenPromiseError(f"{found}; with the same seed and actions, {which}")
    return f"three plays with seed {fixture.seed} are the same"


def check_other_seed(fixture: Fixture) -> str:
    """Check that at least one of several other seeds gives something else."""
    if not fixture.is_random:
        return NOT_RANDOM
    last = fixture.seed + OTHER_SEEDS
    with fixture.opened() as env:
        for seed in range(fixture.seed + 1, last + 1):
            found = fixture.difference_of_rollouts(fixture.rollout, fixture.play(env, seed))
            if found:
                return f"seeds {fixture.seed} and {seed} differ at {found}"
    raise BrokenPromiseError(
        f"expected seeds {fixture.seed} to {last} to differ somewhere, got the same from all, though plays "
        "without a seed differ"
    )


def check_lanes_differ(fixture: Fixture) -> str:
    """Check that lanes draw independently: under equal actions they differ for some seed."""
    if fixture.lanes == 1 or not fixture.is_random:
        return NOT_RANDOM
    last = fixture.seed + OTHER_SEEDS
    actions = [[chosen[0]] * fixture.lanes for chosen in fixture.actions]
    with fixture.opened() as env:
        for seed in range(fixture.seed, last + 1):
            for frame in fixture.play(env, seed, actions):
                lane = _unlike_lane(fixture, frame)
                if lane:
                    return f"lanes 0 and {lane} differ at {frame.where} with seed {seed}"
    raise BrokenPromiseError(
        f"expected lanes to differ under seeds {fixture.seed} to {last}, got all {fixture.lanes} alike given "
        "the same actions; draw for each lane"
    )


def _unlike_lane(fixture: Fixture, frame: Frame) -> int | None:
    """Return the first lane that differs from lane 0."""
    columns = [fixture.split(frame.observations)]
    if frame.is_step:
        columns += [list(frame.rewards), list(frame.ended)]
    lanes = list(zip(*columns, strict=True))
    return next((lane for lane in range(1, fixture.lanes) if first_difference(lanes[0], lanes[lane])), None)
