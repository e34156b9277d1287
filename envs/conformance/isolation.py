"""Checks that lanes do not affect each other, and that steps do not change earlier inputs and outputs.

B lanes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from engram.envs.conformance.compare import BrokenPromiseError, first_difference
from engram.envs.conformance.fixture import Fixture, Frame, lane_info


def check_lane_leak(fixture: Fixture) -> str:
    """Check that other actions in one lane change nothing in the others, up to the first end of any lane.

    Beyond it they may: lanes can share one generator, and then draw in the order of their ends. Within it
    what a lane draws must not depend on what other lanes do.
    """
    compared = 0
    with fixture.opened() as env:
        for changed in range(fixture.lanes):
            actions = [
                [*chosen[:changed], other[changed], *chosen[changed + 1 :]]
                for chosen, other in zip(fixture.actions, fixture.draw_actions(salt=1), strict=False)
            ]
            for expected, got in zip(fixture.rollout, fixture.play(env, fixture.seed, actions), strict=False):
                for lane in set(range(fixture.lanes)) - {changed}:
                    _expect_same_lane(fixture, expected, got, lane, changed)
                    compared += 1
                if any(frame.is_step and frame.ended.any() for frame in (expected, got)):
                    break
    return f"{compared} frames of other lanes are the same"


def _expect_same_lane(fixture: Fixture, expected: Frame, got: Frame, lane: int, changed: int) -> None:
    for view in (_outcome, _sight):
        one, other = view(fixture, expected, lane), view(fixture, got, lane)
        for name in [name for name in one if name in other]:
            found = first_difference(one[name], other[name])
            if found:
                rest = "".join(f"[{number}]" for number in found.place)
                raise BrokenPromiseError(
                    f"{expected.where}, lane {lane}: {name}{found.path}{rest}: {found.text}, when only the "
                    f"actions of lane {changed} are others"
                )


def _outcome(fixture: Fixture, frame: Frame, lane: int) -> dict[str, Any]:
    """Return reward and ends of a lane."""
    names = ("rewards", "terminated", "truncated") if frame.is_step else ()
    return {name: getattr(frame, name)[lane] for name in names}


def _sight(fixture: Fixture, frame: Frame, lane: int) -> dict[str, Any]:
    """Return what is seen of a lane's episode, not of one that may follow it in the same step.

    Infos are left out where a lane begins anew in the same step: SyncVectorEnv gives an entry the type that
    the first lane has there, and resets often return another type than steps do.
    """
    same_step = fixture.mode is AutoresetMode.SAME_STEP and frame.is_step
    ended = frame.ended if same_step else np.zeros(fixture.lanes, np.bool_)
    if ended[lane]:
        return _final_view(frame, lane)
    seen = {"observations": fixture.split(frame.observations)[lane]}
    return seen if ended.any() else seen | {"infos": lane_info(frame.infos, lane)}


def _final_view(frame: Frame, lane: int) -> dict[str, Any]:
    """Return the last observation and info of a lane, where infos hold them."""
    observations, infos = (frame.infos.get(name) for name in ("final_obs", "final_info"))
    if not isinstance(observations, np.ndarray) or not isinstance(infos, Mapping):
        return {}
    return {"final_obs": observations[lane], "final_info": lane_info(infos, lane)}


def check_results_stay(fixture: Fixture) -> str:
    """Check that later steps do not change what was returned before.

    Of observations this is not asked where the environment says `copy = False`, as Gymnasium's
    `SyncVectorEnv(copy=False)` does.
    """
    with fixture.opened() as env:
        reused = getattr(env.unwrapped, "copy", True) is False
        batches = [fixture.join(chosen) for chosen in fixture.actions]
        kept = [(frame, copy.deepcopy(frame)) for frame in fixture.frames(env, fixture.seed, batches)]
        fixture.play(env, None)
    for frame, before in kept:
        if reused:
            frame, before = (each._replace(observations=before.observations) for each in (frame, before))
        found = fixture.difference(before, frame)
        if found:
            raise BrokenPromiseError(f"{found} after later steps; return copies")
    return f"{len(kept)} frames stay" + (", observations left out for copy=False" if reused else "")


def check_actions_stay(fixture: Fixture) -> str:
    """Check that a step does not edit the actions it is given."""
    batches = [fixture.join(chosen) for chosen in fixture.actions]
    before = copy.deepcopy(batches)
    with fixture.opened() as env:
        for _ in fixture.frames(env, fixture.seed, batches):
            pass
    for step, pair in enumerate(zip(before, batches, strict=True), 1):
        found = first_difference(*pair)
        if found:
            place = ", ".join([f"step {step}", *(f"lane {lane}" for lane in found.place[:1])])
            raise BrokenPromiseError(f"{place}: actions{found.path}: {found.text} after the step")
    return f"{len(batches)} batches of actions stay"
