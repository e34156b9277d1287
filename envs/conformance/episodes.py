"""Checks of ends: final observations and infos, and how a lane begins anew in each autoreset mode.

B lanes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import AutoresetMode

from engram.envs.conformance.compare import BrokenPromiseError, first_difference
from engram.envs.conformance.fixture import (
    FINAL_KEYS,
    Fixture,
    Frame,
    LaneActions,
    Rollout,
    form_of,
    lane_info,
)
from engram.envs.conformance.forms import misfit

START_SEEDS = 16
"""Resets that show how episodes can begin."""

TRIES = 4
"""Other actions to try where an action must not matter."""


def check_ends(fixture: Fixture) -> str:
    """Check that random actions end an episode in every lane; the other checks of ends need it."""
    ends = np.sum([frame.ended for frame in fixture.rollout if frame.is_step], axis=0)
    for lane in np.flatnonzero(ends == 0):
        raise BrokenPromiseError(
            f"lane {lane}: expected an end within {len(fixture.actions)} steps of random actions, got none; "
            "make episodes shorter, or raise max_steps"
        )
    return f"ends per lane {ends.tolist()}"


def check_final(fixture: Fixture) -> str:
    """Check that infos hold the last observations and infos of ended lanes, with SAME_STEP and only there.

    `final_obs` is an object array, None for lanes that did not end. `final_info` has all keys that every
    step within an episode has; the reset after it may have others, and an end may have more.
    """
    steady = _steady_keys(fixture)
    count = 0
    for frame in fixture.rollout:
        ended = frame.ended if frame.is_step else np.zeros(fixture.lanes, np.bool_)
        expected = FINAL_KEYS if fixture.mode is AutoresetMode.SAME_STEP and ended.any() else ()
        got = tuple(key for key in FINAL_KEYS if key in frame.infos)
        if got != expected:
            raise BrokenPromiseError(
                f"{frame.where}: infos: expected {list(expected) or 'no final ones'}, got {list(got)}; lanes "
                f"ended: {np.flatnonzero(ended).tolist()}"
            )
        if expected:
            count += 1
            _expect_final_masks(frame, ended)
            _expect_final_obs(fixture, frame, ended)
            _expect_final_info(frame, ended, steady)
    return f"in {count} of {len(fixture.rollout)} resets and steps"


def _steady_keys(fixture: Fixture) -> set[str]:
    """Return the keys that every step within an episode has."""
    steps = [frame for frame in fixture.rollout if frame.is_step]
    told = [
        set(lane_info(frame.infos, lane))
        for frame in steps
        for lane in range(fixture.lanes)
        if not frame.ended[lane]
    ]
    return set.intersection(*told) if told else set()


def _expect_final_masks(frame: Frame, ended: Any) -> None:
    for name in ("_final_obs", "_final_info"):
        for lane in np.flatnonzero(frame.infos[name] != ended):
            raise BrokenPromiseError(
                f"{frame.where}, lane {lane}: infos[{name!r}]: expected {ended[lane]}, got "
                f"{frame.infos[name][lane]}"
            )


def _expect_final_obs(fixture: Fixture, frame: Frame, ended: Any) -> None:
    observations = frame.infos["final_obs"]
    if form_of(observations) != f"object ({fixture.lanes},)":
        got = form_of(observations)
        raise BrokenPromiseError(f"{frame.where}: infos['final_obs']: expected an object array, got {got}")
    for lane, last in enumerate(observations):
        place = f"{frame.where}, lane {lane}: final_obs"
        if not ended[lane]:
            if last is not None:
                raise BrokenPromiseError(f"{place}: expected None, its episode goes on; got an observation")
            continue
        wrong = misfit(fixture.single_observation_space, last)
        if wrong or last not in fixture.single_observation_space:
            raise BrokenPromiseError(
                f"{place}{wrong or f': expected one in {fixture.single_observation_space}, got another'}"
            )


def _expect_final_info(frame: Frame, ended: Any, steady: set[str]) -> None:
    info = frame.infos["final_info"]
    if not isinstance(info, dict):
        raise BrokenPromiseError(f"{frame.where}: infos['final_info']: expected a dict, got {form_of(info)}")
    for lane in range(len(ended)):
        told = set(lane_info(info, lane))
        place = f"{frame.where}, lane {lane}: final_info"
        if told and not ended[lane]:
            raise BrokenPromiseError(f"{place}: expected nothing, its episode goes on; got {sorted(told)}")
        if ended[lane] and not steady <= told:
            raise BrokenPromiseError(
                f"{place}: expected the keys {sorted(steady)} of other steps, got {sorted(told)}"
            )


def check_new_episode(fixture: Fixture) -> str:
    """Check that a lane shows the first observation of a new episode after its end.

    Where nothing random was seen it must be the first one of the rollout. Otherwise it must at least not be
    the last one of the old episode, each time; that can happen by chance, and where episodes are seen to
    begin like that it is no mistake.
    """
    turns = list(_turns(fixture))
    starts = _starts(fixture) if turns else []
    odd = [turn for turn in turns if not any(_same(start, turn.first) for start in starts[turn.lane])]
    stale = [turn for turn in odd if _same(turn.last, turn.first)]
    for kind in ("termination", "truncation"):
        count = sum(turn.kind == kind for turn in turns)
        again = [turn for turn in stale if turn.kind == kind]
        if count > 1 and len(again) == count:
            raise BrokenPromiseError(_not_first(again[0], "the last of the old episode"))
    if odd and not fixture.is_random:
        raise BrokenPromiseError(_not_first(odd[0], "another"))
    return f"{len(turns)} new episodes" + ("" if fixture.is_random else ", all with the same beginning")


class _Turn(NamedTuple):
    """The boundary of two episodes: the last observation before it, the first one after."""

    where: str
    lane: int
    kind: str
    last: Any
    first: Any


def _not_first(turn: _Turn, got: str) -> str:
    return (
        f"{turn.where}, lane {turn.lane}, after a {turn.kind}: observation: expected the first of a new "
        f"episode, got {got}"
    )


def _same(one: Any, other: Any) -> bool:
    return first_difference(one, other) is None


def _turns(fixture: Fixture) -> Iterator[_Turn]:
    """Return all episode boundaries of the rollout."""
    same_step = fixture.mode is AutoresetMode.SAME_STEP
    after = fixture.rollout if same_step else fixture.rollout[1:]
    for end, begin in zip(fixture.rollout, after, strict=False):
        if not end.is_step or (same_step and not isinstance(end.infos.get("final_obs"), np.ndarray)):
            continue
        last = end.infos["final_obs"] if same_step else fixture.split(end.observations)
        first = fixture.split(begin.observations)
        for lane in np.flatnonzero(end.ended):
            kind = "termination" if end.terminated[lane] else "truncation"
            yield _Turn(begin.where, int(lane), kind, last[lane], first[lane])


def _starts(fixture: Fixture) -> list[list[Any]]:
    """Return first observations under several seeds, by lane."""
    with fixture.opened() as env:
        rollouts = [fixture.play(env, fixture.seed + salt, ()) for salt in range(START_SEEDS)]
    return [
        list(lane)
        for lane in zip(*(fixture.split(rollout[0].observations) for rollout in rollouts), strict=True)
    ]


def check_step_after_end(fixture: Fixture) -> str:
    """Check that with NEXT_STEP the step after an end has no reward, no end, and ignores its action."""
    if fixture.mode is not AutoresetMode.NEXT_STEP:
        return "not for this autoreset mode"
    for end, begin in zip(fixture.rollout, fixture.rollout[1:], strict=False):
        for lane in np.flatnonzero(end.ended) if end.is_step else ():
            place = f"{begin.where}, lane {lane}, which begins anew"
            if begin.rewards[lane] != 0:
                raise BrokenPromiseError(f"{place}: reward: expected 0, got {begin.rewards[lane]}")
            if begin.ended[lane]:
                raise BrokenPromiseError(f"{place}: expected no end, got one")
    return f"no reward, no end, {_expect_ignored_actions(fixture)} other actions ignored"


def _expect_ignored_actions(fixture: Fixture) -> int:
    """Play with other actions at the first boundary; return how many were tried."""
    end = next(
        (place for place, frame in enumerate(fixture.rollout) if frame.is_step and frame.ended.any()), None
    )
    if end is None or end >= len(fixture.actions):
        return 0
    lanes = np.flatnonzero(fixture.rollout[end].ended)
    with fixture.opened() as env:
        for salt in range(1, TRIES + 1):
            found = fixture.difference_of_rollouts(
                fixture.rollout, _play_otherwise(fixture, env, end, lanes, salt)
            )
            if found:
                raise BrokenPromiseError(
                    f"{found}; only actions of step {end + 1} differed, in lanes {lanes.tolist()} that began "
                    "anew there, where actions are ignored"
                )
    return TRIES


def _play_otherwise(fixture: Fixture, env: Any, step: int, lanes: Any, salt: int) -> Rollout:
    """Play the rollout again with other actions in one step and some lanes."""
    actions: list[LaneActions] = [list(chosen) for chosen in fixture.actions]
    other = next(fixture.draw_actions(salt))
    for lane in lanes:
        actions[step][lane] = other[lane]
    return fixture.play(env, fixture.seed, actions)


def check_masked_reset(fixture: Fixture) -> str:
    """Check that with DISABLED `reset(options={"reset_mask": mask})` leaves the other lanes alone."""
    if fixture.mode is not AutoresetMode.DISABLED:
        return "not for this autoreset mode"
    count = 0
    for end, begin in zip(fixture.rollout, fixture.rollout[1:], strict=False):
        if begin.is_step:
            continue
        count += 1
        before, after = fixture.split(end.observations), fixture.split(begin.observations)
        for lane in np.flatnonzero(~end.ended):
            found = first_difference(before[lane], after[lane])
            if found:
                raise BrokenPromiseError(
                    f"{begin.where}, lane {lane}, not in the mask: observation changed: {found.text}"
                )
    return f"{count} masked resets"
