"""`check_vector_env`: good vector environments pass, and one that breaks one promise fails there.

B lanes.
"""

import copy
import re
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from engram.envs.conformance import (
    BrokenPromiseError,
    CheckResult,
    check_vector_env,
    checker,
    require_vector_env,
)

SAME_STEP, NEXT_STEP, DISABLED = (
    AutoresetMode.SAME_STEP,
    AutoresetMode.NEXT_STEP,
    AutoresetMode.DISABLED,
)


class Walk(VectorEnv):
    """A walk on a line, the environments below break it in one place each.

    Where it starts and how long it lasts is drawn; action 2 takes twice as long. The observation is where
    the walk is and how long it has taken, float32 (B, 2).
    """

    metadata = {"render_modes": ["ansi", "rgb_array"]}  # noqa: RUF012

    def __init__(self, num_envs, mode=SAME_STEP, render_mode=None):
        self.num_envs, self.mode, self.render_mode = num_envs, mode, render_mode
        self.metadata = {**type(self).metadata, "autoreset_mode": mode}
        self.single_observation_space = gymnasium.spaces.Box(-20, 20, (2,), np.float32)
        self.single_action_space = gymnasium.spaces.Discrete(3)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.places, self.ages, self.limits = np.zeros((3, num_envs))
        self.over = np.zeros(num_envs, np.bool_)
        self.started = False

    def begin(self, lanes):
        self.places[lanes] = self.np_random.uniform(-5, 5, lanes.size)
        self.limits[lanes] = self.np_random.integers(3, 9, lanes.size)
        self.ages[lanes] = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        chosen = (options or {}).get("reset_mask", np.ones(self.num_envs, np.bool_))
        self.started = True
        self.over[:] = False
        self.begin(np.flatnonzero(chosen))
        return self.see(), self.tell(chosen)

    def step(self, actions):
        if not self.started:
            raise ResetNeeded("reset first")
        begun = self.over.copy()
        self.move(actions)
        rewards = self.pay()
        terminated, truncated = self.places > 6, self.ages >= self.limits
        final = {}
        if self.mode is NEXT_STEP:
            self.begin(np.flatnonzero(begun))
            rewards, terminated, truncated = self.begun_anew(begun, rewards, terminated, truncated)
            self.over = terminated | truncated
        elif self.mode is SAME_STEP and (terminated | truncated).any():
            ended = terminated | truncated
            final = self.final(ended)
            self.begin_after(ended)
        return self.see(), rewards, terminated, truncated, final | self.tell(np.ones_like(terminated))

    def move(self, actions):
        self.places += 0.5 * (np.asarray(actions) - 1)
        self.ages += 1 + (np.asarray(actions) == 2)

    def pay(self):
        return np.ones(self.num_envs)

    def begun_anew(self, begun, rewards, terminated, truncated):
        return np.where(begun, 0.0, rewards), terminated & ~begun, truncated & ~begun

    def begin_after(self, ended):
        self.begin(np.flatnonzero(ended))

    def see(self):
        return np.stack([self.places, self.ages], axis=1).astype(np.float32)

    def tell(self, lanes):
        return {"limit": np.where(lanes, self.limits, 0), "_limit": lanes.copy()}

    def final(self, ended):
        observations, seen = np.full(self.num_envs, None, dtype=object), self.see().copy()
        for lane in np.flatnonzero(ended):
            observations[lane] = seen[lane]
        return {
            "final_obs": observations,
            "_final_obs": ended.copy(),
            "final_info": self.tell(ended),
            "_final_info": ended.copy(),
        }

    def render(self):
        if self.render_mode is None:
            return None
        if self.render_mode == "ansi":
            return tuple(f"at {place}" for place in self.places)
        return tuple(np.zeros((4, 4, 3), np.uint8) for _ in range(self.num_envs))

    def get_state(self):
        arrays = {name: getattr(self, name).copy() for name in ("places", "ages", "limits", "over")}
        return {"arrays": arrays, "random": self.np_random.bit_generator.state}

    def set_state(self, state):
        for name, values in state["arrays"].items():
            setattr(self, name, values.copy())
        self.np_random.bit_generator.state = state["random"]
        self.started = True


class Steady(Walk):
    """Nothing is random."""

    def begin(self, lanes):
        self.places[lanes], self.limits[lanes], self.ages[lanes] = 0, 6, 0


class Unmakeable(Walk):
    def __init__(self, num_envs):
        raise OSError("no such map")


class AlwaysTwoLanes(Walk):
    def __init__(self, num_envs):
        super().__init__(2)


class UnbatchedSpace(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs)
        self.observation_space = self.single_observation_space


class NamedMode(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs)
        self.metadata = {"autoreset_mode": "SameStep"}


class FourValues(Walk):
    def step(self, actions):
        observations, rewards, terminated, _, infos = super().step(actions)
        return observations, rewards, terminated, infos


class IntegerEnds(Walk):
    def step(self, actions):
        observations, rewards, terminated, truncated, infos = super().step(actions)
        return observations, rewards, terminated.astype(np.int64), truncated, infos


class RaisingStep(Walk):
    def move(self, actions):
        super().move(actions)
        if self.ages.max() > 2:
            raise KeyError("tile")


class ColumnOfRewards(Walk):
    def pay(self):
        return super().pay()[:, None]

    def begun_anew(self, begun, rewards, terminated, truncated):
        return rewards, terminated, truncated


class UndefinedReward(Walk):
    def pay(self):
        return np.where(self.ages == 2, np.nan, 1.0)


class DoublePrecision(Walk):
    def see(self):
        return super().see().astype(np.float64)


class BeyondBounds(Walk):
    def see(self):
        return super().see() + np.float32([0, 18])


class UnmaskedInfo(Walk):
    def tell(self, lanes):
        return {"limit": self.limits.copy()}


class ListOfInfos(Walk):
    def tell(self, lanes):
        return {"limit": list(self.limits), "_limit": lanes}


class IntegerMask(Walk):
    def tell(self, lanes):
        return {"limit": self.limits.copy(), "_limit": lanes.astype(np.int8)}


class GlobalRandomness(Walk):
    def begin(self, lanes):
        super().begin(lanes)
        self.places[lanes] = np.random.default_rng().uniform(-5, 5, lanes.size)


class SeedOfTheFirst(Walk):
    """Only the first reset minds its seed."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=None if self.started else seed, options=options)


class OneLaneSqueezed(Walk):
    def see(self):
        return super().see() if self.num_envs > 1 else super().see()[0]


class Endless(Walk):
    """Lane 1 stands still."""

    def move(self, actions):
        places = self.places.copy()
        super().move(actions)
        if self.num_envs > 1:
            self.places[1], self.ages[1] = places[1], 0


class NoFinalInfo(Walk):
    def final(self, ended):
        final = super().final(ended)
        return {"final_obs": final["final_obs"], "_final_obs": final["_final_obs"]}


class FinalInNextStep(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs, NEXT_STEP)

    def step(self, actions):
        *others, terminated, truncated, infos = super().step(actions)
        ended = terminated | truncated
        return *others, terminated, truncated, infos | (self.final(ended) if ended.any() else {})


class FinalOfAllLanes(Walk):
    def final(self, ended):
        final = super().final(np.ones_like(ended))
        return final | {"_final_obs": ended, "final_info": self.tell(ended), "_final_info": ended}


class FinalMaskOfAll(Walk):
    def final(self, ended):
        return super().final(ended) | {"_final_obs": np.ones_like(ended)}


class StackedFinal(Walk):
    def final(self, ended):
        return super().final(ended) | {"final_obs": self.see()}


class FinalInDoublePrecision(Walk):
    def final(self, ended):
        final = super().final(ended)
        for lane in np.flatnonzero(ended):
            final["final_obs"][lane] = final["final_obs"][lane].astype(np.float64)
        return final


class FinalInfoOfAllLanes(Walk):
    def final(self, ended):
        return super().final(ended) | {"final_info": self.tell(np.ones_like(ended))}


class ObjectFinalInfo(Walk):
    def final(self, ended):
        return super().final(ended) | {"final_info": np.full(self.num_envs, None, dtype=object)}


class EmptyFinalInfo(Walk):
    def final(self, ended):
        return super().final(ended) | {"final_info": {}}


class LastSeenAgain(Walk):
    """After an end the last observation is returned, the first one of the new episode is not."""

    stale = None

    def final(self, ended):
        self.stale = ended, self.places.copy(), self.ages.copy()
        return super().final(ended)

    def see(self):
        seen = super().see()
        if self.stale is not None and (self.ages[self.stale[0]] == 0).all():
            ended, places, ages = self.stale
            seen[ended] = np.stack([places, ages], axis=1)[ended]
            self.stale = None
        return seen


class SkipsTheFirst(Steady):
    """An episode that begins anew is a step on; seen, as nothing is random."""

    def begin_after(self, ended):
        super().begin_after(ended)
        self.ages[ended] = 1


class PaidInBetween(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs, NEXT_STEP)

    def begun_anew(self, begun, rewards, terminated, truncated):
        return rewards, terminated & ~begun, truncated & ~begun


class EndInBetween(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs, NEXT_STEP)

    def begun_anew(self, begun, rewards, terminated, truncated):
        return np.where(begun, 0.0, rewards), terminated | begun, truncated


class ActsInBetween(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs, NEXT_STEP)

    def step(self, actions):
        self.chosen = np.asarray(actions)
        return super().step(actions)

    def begun_anew(self, begun, rewards, terminated, truncated):
        self.places[begun] += 0.01 * self.chosen[begun]
        return super().begun_anew(begun, rewards, terminated, truncated)


class MaskUnread(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs, DISABLED)

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)


class AlwaysSeedZero(Walk):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=None if seed is None else 0, options=options)


class OneDrawForAll(Walk):
    def begin(self, lanes):
        self.places[lanes] = self.np_random.uniform(-5, 5)
        self.limits[lanes] = self.np_random.integers(3, 9)
        self.ages[lanes] = 0


class DriftingTogether(Walk):
    def move(self, actions):
        super().move(actions)
        self.places += 0.001 * np.mean(actions)


class LoneLeak(Walk):
    """Lane 3 hears lane 2."""

    def move(self, actions):
        super().move(actions)
        if self.num_envs > 3:
            self.places[3] += 0.001 * actions[2]


class AllBeginAnew(Walk):
    def begin_after(self, ended):
        self.begin(np.arange(self.num_envs))


class ReusedObservations(Walk):
    board = None

    def see(self):
        if self.board is None:
            self.board = super().see()
        self.board[:] = super().see()
        return self.board


class ReusedInfo(Walk):
    def tell(self, lanes):
        return super().tell(lanes) | {"limit": self.limits}


class EditedActions(Walk):
    def move(self, actions):
        super().move(actions)
        actions -= 1


class StepsUnreset(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs)
        self.started = True


class NeverClosed(Walk):
    def close(self):
        pass


class ClosesOnce(Walk):
    def close(self):
        if self.closed:
            raise OSError("no such window")
        super().close()


class ListOfFrames(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs, render_mode="ansi")

    def render(self):
        return list(super().render())


class GreyFrames(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs, render_mode="rgb_array")

    def render(self):
        return tuple(frame[..., 0] for frame in super().render())


class BytesForText(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs, render_mode="ansi")

    def render(self):
        return tuple(frame.encode() for frame in super().render())


class UndeclaredMode(Walk):
    def __init__(self, num_envs):
        super().__init__(num_envs, render_mode="depth_array")


class StateWithoutRandomness(Walk):
    def get_state(self):
        return super().get_state() | {"random": np.random.default_rng(0).bit_generator.state}


class StateThatLives(Walk):
    def get_state(self):
        return super().get_state() | {"arrays": {"places": self.places, "ages": self.ages}}


class CopyLosesMemory(Walk):
    """Places are a part of what is seen, as long as the two share memory."""

    def __init__(self, num_envs):
        super().__init__(num_envs)
        self.table = np.zeros((num_envs, 2), np.float32)
        self.places = self.table[:, 0]

    def see(self):
        self.table[:, 1] = self.ages
        return self.table.copy()

    def set_state(self, state):
        super().set_state(state)
        self.table[:, 0] = self.places
        self.places = self.table[:, 0]


class CopyPlaysAlong(Walk):
    def __deepcopy__(self, memo):
        return copy.copy(self)


class CopyDrawsAnew(Walk):
    def __getstate__(self):
        return {**vars(self), "_np_random": None}


BROKEN = [
    (Unmakeable, "make", r"expected no exception, got OSError: no such map"),
    (AlwaysTwoLanes, "spaces", r"num_envs: expected 4, got 2"),
    (UnbatchedSpace, "spaces", r"observation_space: expected batch_space\(single_observation_space, 4\)"),
    (NamedMode, "autoreset mode", r"expected a gymnasium.vector.AutoresetMode, got 'SameStep'"),
    (FourValues, "reset and step", r"step 1: expected a tuple of 5 values, got 4 values"),
    (IntegerEnds, "reset and step", r"step 1: terminations: expected an array bool \(4,\), got int64 \(4,\)"),
    (RaisingStep, "reset and step", r"expected no exception, got KeyError: 'tile'"),
    (ColumnOfRewards, "rewards", r"step 1: rewards: expected float64 \(4,\), got float64 \(4, 1\)"),
    (UndefinedReward, "rewards", r"step \d, lane \d: reward: expected a finite one, got nan"),
    (
        DoublePrecision,
        "observations",
        r"reset: observations: expected float32 \(4, 2\), got float64 \(4, 2\)",
    ),
    (BeyondBounds, "observations", r"step \d, lane \d: observation: expected one in Box"),
    (UnmaskedInfo, "infos", r"reset: infos: expected the mask '_limit' beside 'limit', got none"),
    (ListOfInfos, "infos", r"infos\['limit'\]: expected an array \(4, ...\), got a list \(4,\)"),
    (IntegerMask, "infos", r"infos\['_limit'\]: expected an array bool \(4,\), got int8 \(4,\)"),
    (
        GlobalRandomness,
        "same seed, same play",
        r"reset, lane 0: observations\[0\]: expected .*, in another copy",
    ),
    (SeedOfTheFirst, "same seed, same play", r"reset, lane 0: .*, the second time in one environment"),
    (
        OneLaneSqueezed,
        "one lane",
        r"with num_envs=1: observations: reset: observations: expected float32 \(1, 2\)",
    ),
    (Endless, "episodes end", r"lane 1: expected an end within 60 steps"),
    (
        NoFinalInfo,
        "final observations",
        r"step \d: infos: expected \[.*'final_info', '_final_info'\], got \['final_obs', '_final_obs'\]; "
        r"lanes ended: \[\d",
    ),
    (FinalInNextStep, "final observations", r"step \d: infos: expected no final ones, got \['final_obs'"),
    (FinalOfAllLanes, "final observations", r"step \d, lane \d: final_obs: expected None"),
    (
        FinalMaskOfAll,
        "final observations",
        r"step \d, lane \d: infos\['_final_obs'\]: expected False, got True",
    ),
    (StackedFinal, "final observations", r"expected an object array, got float32 \(4, 2\)"),
    (
        FinalInDoublePrecision,
        "final observations",
        r"lane \d: final_obs: expected float32 \(2,\), got float64",
    ),
    (
        FinalInfoOfAllLanes,
        "final observations",
        r"lane \d: final_info: expected nothing, .* got \['limit'\]",
    ),
    (ObjectFinalInfo, "final observations", r"\['final_info'\]: expected a dict, got object \(4,\)"),
    (EmptyFinalInfo, "final observations", r"final_info: expected the keys \['limit'\] .*, got \[\]"),
    (
        LastSeenAgain,
        "new episodes",
        r"step \d, lane \d, .* first of a new episode, got the last of the old",
    ),
    (SkipsTheFirst, "new episodes", r"step \d, lane \d, .* first of a new episode, got another"),
    (PaidInBetween, "step after an end", r"step \d, lane \d, .*: reward: expected 0, got 1.0"),
    (EndInBetween, "step after an end", r"step \d+, lane \d, which begins anew: expected no end, got one"),
    (ActsInBetween, "step after an end", r"observations\[0\]: .* actions of step \d differed, in lanes \[\d"),
    (MaskUnread, "masked reset", r"masked reset after step \d, lane \d, not in the mask: observation"),
    (AlwaysSeedZero, "other seed, other play", r"expected seeds 0 to 8 to differ somewhere"),
    (OneDrawForAll, "lanes draw for themselves", r"expected lanes to differ under seeds 0 to 8, got all 4"),
    (
        DriftingTogether,
        "no leak over lanes",
        r"step \d, lane \d: observations\[0\]: .* only the actions of lane 0",
    ),
    (LoneLeak, "no leak over lanes", r"lane 3: observations\[0\]: .* only the actions of lane 2"),
    (AllBeginAnew, "no leak over lanes", r"step \d+, lane \d: observations\[\d\]"),
    (
        ReusedObservations,
        "returned arrays stay",
        r"reset, lane 0: observations\[0\]: .*after later steps; return copies",
    ),
    (ReusedInfo, "returned arrays stay", r"infos\['limit'\]: expected .* after later steps"),
    (EditedActions, "actions stay", r"step 1, lane 0: actions: expected \d, got -?\d after the step"),
    (StepsUnreset, "step before reset", r"expected an exception, got none"),
    (NeverClosed, "closing", r"closed: expected True after closing once, got False"),
    (ClosesOnce, "closing", r"expected no exception, got OSError: no such window"),
    (ListOfFrames, "rendering", r"mode 'ansi': expected a tuple of 4, got list of 4"),
    (GreyFrames, "rendering", r"lane 0: expected uint8 \(height, width, 3\), got uint8 \(4, 4\)"),
    (BytesForText, "rendering", r"lane 0: expected str, got bytes"),
    (UndeclaredMode, "rendering", r"\['ansi', 'rgb_array'\], got 'depth_array'"),
    (StateWithoutRandomness, "going on from a state", r"step \d+, lane \d: .*; going on from a state in the"),
    (StateThatLives, "going on from a state", r"going on from a state in the same environment"),
    (CopyLosesMemory, "copies", r"reset, lane \d: observations\[0\]: .*, in a copy by pickle before"),
    (CopyPlaysAlong, "copies", r"step \d+, lane \d: .*, in the original of a copy by copy.deepcopy after"),
    (CopyDrawsAnew, "copies", r"step \d+, lane \d: .*, in a copy by pickle after step \d+"),
]


def failures(make, **arguments):
    return [result for result in check_vector_env(make, **arguments) if not result.passed]


@pytest.mark.parametrize(("kind", "name", "message"), BROKEN, ids=[row[0].__name__ for row in BROKEN])
def test_a_broken_environment_fails_where_it_is_broken(kind, name, message):
    failed = failures(kind, max_steps=60)
    assert [result.name for result in failed] == [name], failed
    assert re.search(message, failed[0].message), failed[0].message
    assert "\n" not in failed[0].message


def test_every_check_has_an_environment_that_fails_it():
    assert set(checker.NAMES) == {name for _, name, _ in BROKEN}


@pytest.mark.parametrize("kind", [Walk, Steady])
@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
def test_the_unbroken_ones_pass(kind, mode, render_mode):
    results = check_vector_env(kind, mode=mode, render_mode=render_mode)
    assert [result for result in results if not result.passed] == []
    assert [result.name for result in results] == [*checker.PRECONDITIONS, *checker.PROMISES]


def copies(kind, env_id, count, /, mode, arguments=None, **others):
    return kind([lambda: gymnasium.make(env_id, **(arguments or {}))] * count, autoreset_mode=mode, **others)


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("env_id", ["CartPole-v1", "FrozenLake-v1", "Blackjack-v1"])
def test_gymnasiums_sync_vector_env_passes(env_id, mode):
    """Floats, a space of whole numbers, a tuple of such."""
    require_vector_env(partial(copies, SyncVectorEnv, env_id), mode=mode)


def test_reused_observations_are_no_mistake_where_they_are_announced():
    results = check_vector_env(partial(copies, SyncVectorEnv, "CartPole-v1"), mode=SAME_STEP, copy=False)
    assert all(result.passed for result in results)
    stay = next(result for result in results if result.name == "returned arrays stay")
    assert "left out for copy=False" in stay.message


@pytest.mark.parametrize("mode", [SAME_STEP, NEXT_STEP])
def test_gymnasiums_async_vector_env_passes(mode):
    """Its processes cannot be copied, which nobody promised."""
    results = check_vector_env(partial(copies, AsyncVectorEnv, "CartPole-v1"), mode=mode, num_envs=2)
    assert [result for result in results if not result.passed] == []
    assert results[-1].message.startswith("there are none by pickle: ")


def test_gymnasiums_vector_cart_pole_passes_but_for_what_is_known():
    cart_pole = partial(check_vector_env, "CartPole-v1", vectorization_mode="vector_entry_point")
    failed = {result.name for result in cart_pole() if not result.passed}
    assert "closing" in failed  # its close() overrides the one that sets `closed`
    assert failed <= {"closing", "rendering"}  # frames in a list; seen where pygame is installed
    assert all(result.passed for result in cart_pole(skip=["closing", "rendering"]))


def test_nothing_needs_to_differ_where_nothing_is_random():
    results = {result.name: result.message for result in check_vector_env(Steady)}
    for name in ("other seed, other play", "lanes draw for themselves"):
        assert results[name] == "nothing random was seen, so nothing needs to differ"


def test_what_rests_on_a_failed_check_is_left_out():
    names = [result.name for result in check_vector_env(DoublePrecision)]
    assert names == list(checker.PRECONDITIONS)[:5]


def test_the_raising_form_names_all_that_failed():
    class BrokenTwice(EditedActions, NeverClosed):
        pass

    with pytest.raises(BrokenPromiseError, match=r"^actions stay: step 1.*\nclosing: closed: expected True"):
        require_vector_env(BrokenTwice)
    require_vector_env(BrokenTwice, skip=["actions stay", "closing"])
    require_vector_env(Walk)


def test_an_illegal_argument_is_refused():
    with pytest.raises(ValueError, match=r"num_envs: 1 is too small; legal: >= 2 lanes"):
        check_vector_env(Walk, num_envs=1)
    with pytest.raises(ValueError, match=r"max_steps: 0 is too small"):
        check_vector_env(Walk, max_steps=0)
    with pytest.raises(ValueError, match=r"skip: unknown 'close'; did you mean 'closing'"):
        check_vector_env(Walk, skip=["close"])


def test_a_result_reads_well():
    assert str(CheckResult("closing", False, "why")) == "FAIL  closing: why"
    assert str(CheckResult("closing", True, "fine")) == "pass  closing: fine"
