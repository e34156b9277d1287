"""Environments that raise or hang, whoever plays them: one line names the environment, the place and lane."""

import signal
import sys
import time

import gymnasium as gym
import numpy as np
import pytest
import test_finite
from gymnasium.vector.utils import batch_space
from ray.exceptions import RayActorError
from test_finite import LANES, iterate

from engram.agents.columns.clock import keep_steady
from engram.agents.columns.failures import EnvError


class Unlucky(gym.Env):
    """Episodes of 10 steps; in lane `lane`, the step `at` of a lane, or the reset behind it, goes wrong.

    Args:
        what: `raise`, `exit`, `hang`, `stubborn` (hangs, and holds on to its exceptions), or nothing.
        at: Steps of a lane.
        where: `step` or `reset`.
        lane: Copies are counted as they are made.
    """

    made = 0

    def __init__(self, what="raise", at=7, where="step", lane=2):
        self.observation_space = gym.spaces.Box(0, 1, (2,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self._what, self._at, self._where = what, at, where
        self._mine = Unlucky.made % LANES == lane
        self._steps = 0
        Unlucky.made += 1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if self._where == "reset" and self._steps >= self._at:
            self._go_wrong()
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self._steps += 1
        if self._where == "step" and self._steps == self._at:
            self._go_wrong()
        return np.zeros(2, np.float32), 0.0, self._steps % 10 == 0, False, {}

    def _go_wrong(self):
        if not self._mine:
            return
        if self._what == "raise":
            raise KeyError("no such board")
        if self._what == "exit":
            sys.exit(3)
        while self._what in ("hang", "stubborn"):
            try:
                time.sleep(0.01)
            except Exception:
                assert self._what == "stubborn"


gym.register("engram_tests/Unlucky-v0", Unlucky, disable_env_checker=True)


def config(run="RecurrentPPO", env_config=None, **settings):
    """A fragment has 5 steps of 4 lanes; an iteration one fragment."""
    Unlucky.made = 0
    return test_finite.config(run, env_config, "engram_tests/Unlucky-v0", **settings)


def failure(made):
    """What a runner in this process raises."""
    runner = made.env_runner_cls(config=made)
    with pytest.raises(EnvError) as caught:
        sample(runner)
    return str(caught.value)


def sample(runner):
    """Fifteen steps of each lane."""
    for _ in range(3):
        runner.sample()


PLACE = "(tests/agents/test_failures.py:"


@pytest.mark.parametrize(
    ("run", "settings", "step"),
    [("RecurrentPPO", {}, 28), ("PPO", {}, 24), ("RecurrentPPO", {"where": "reset"}, 40)],
)
def test_who_raised_and_where(run, settings, step, monkeypatch, pytestconfig):
    monkeypatch.chdir(pytestconfig.rootpath)
    said = failure(config(run, settings))
    assert said.startswith(f"engram_tests/Unlucky-v0: its step raises KeyError: 'no such board' {PLACE}"), (
        said
    )
    assert said.endswith(f" at env step {step} (lane 2, env runner 0)")


@pytest.mark.parametrize("where", ["step", "reset"])
def test_an_exit_is_a_failure_like_any_other(where):
    said = failure(config("RecurrentPPO", {"what": "exit", "where": where}))
    assert said.startswith("engram_tests/Unlucky-v0: its step raises SystemExit: 3"), said


class Symbols(gym.Env):
    """Shows numbers that its spaces do not know, from the step `at` on."""

    def __init__(self, part="sign", at=7):
        self.observation_space = gym.spaces.Dict(
            sign=gym.spaces.Discrete(4, start=2),
            tiles=gym.spaces.MultiDiscrete([3, 5], start=[0, 1]),
            lamps=gym.spaces.MultiBinary(2),
            place=gym.spaces.Box(0, 1, (1,)),
        )
        self.action_space = gym.spaces.Discrete(2)
        self._part, self._at, self._steps = part, at, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._look(), {}

    def step(self, action):
        self._steps += 1
        return self._look(), 0.0, False, False, {}

    def _look(self):
        seen = {"sign": 5, "tiles": np.array([2, 5]), "lamps": np.array([1, 0], np.int8)}
        if self._steps >= self._at:
            seen |= {
                "sign": {"sign": 6},
                "tiles": {"tiles": np.array([2, 0])},
                "lamps": {"lamps": np.array([1, 2], np.int8)},
            }[self._part]
        return seen | {"place": np.zeros(1, np.float32)}


gym.register("engram_tests/Symbols-v0", Symbols, disable_env_checker=True)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("sign", "observation['sign'] is 6, its space says Discrete(4, start=2)"),
        ("tiles", "observation['tiles'][1] is 0, its space says MultiDiscrete([3 5], start=[0 1])"),
        ("lamps", "observation['lamps'][1] is 2, its space says MultiBinary(2)"),
    ],
)
def test_a_symbol_that_its_space_does_not_know(part, said):
    """At the seventh step of four lanes; before, the last of the legal ones are shown without a word."""
    made = test_finite.config("RecurrentPPO", {"part": part}, "engram_tests/Symbols-v0")
    assert failure(made) == f"engram_tests/Symbols-v0: its {said} at env step 28 (lane 0, env runner 0)"


class Whole(gym.vector.VectorEnv):
    """Lanes that are reset to whole numbers and go on with others; `cut` at a step without its last sight."""

    metadata = {"autoreset_mode": gym.vector.AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, num_envs=1, cut=False):
        self.num_envs, self._cut = num_envs, cut
        self.single_observation_space, self.single_action_space = (
            gym.spaces.Box(0, 1, (1,)),
            gym.spaces.Discrete(2),
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros((self.num_envs, 1), np.int64), {}

    def step(self, actions):
        never = np.zeros(self.num_envs, bool)
        cut = np.full(self.num_envs, self._cut)
        return np.full((self.num_envs, 1), 0.5, np.float32), np.ones(self.num_envs), never, cut, {}


gym.register("engram_tests/Whole-v0", vector_entry_point=Whole)


def test_a_fragment_holds_numbers_as_the_space_says():
    made = test_finite.config("RecurrentPPO", {}, "engram_tests/Whole-v0")
    (fragment,) = made.env_runner_cls(config=made).sample()
    assert fragment.observations.dtype == np.float32
    np.testing.assert_array_equal(fragment.observations[:, 0, 0], [0, *[0.5] * 5])


def test_an_end_without_its_last_observation_is_told():
    said = failure(test_finite.config("RecurrentPPO", {"cut": True}, "engram_tests/Whole-v0"))
    assert said == (
        "engram_tests/Whole-v0: its step truncates an episode without info['final_obs'] at env step 4 "
        "(lane 0, env runner 0)"
    )


@pytest.mark.parametrize("what", ["hang", "stubborn"])
def test_what_does_not_come_back_is_interrupted(what, monkeypatch, pytestconfig):
    monkeypatch.chdir(pytestconfig.rootpath)
    before = signal.getsignal(signal.SIGALRM)
    said = failure(config("RecurrentPPO", {"what": what}, env_timeout_s=0.2))
    assert said.startswith(f"engram_tests/Unlucky-v0: its step has not ended after 0.2 s (in {PLACE[1:]}"), (
        said
    )
    assert said.endswith(" at env step 28 (lane 2, env runner 0); config.env_timeout_s: .inf waits for ever")
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_restarts_that_are_asked_for_are_made():
    made = config(env_config={"what": "raise"}, restart_failed_sub_environments=True)
    runner = made.env_runner_cls(config=made)
    Unlucky.made = (
        1  # of the copies that replace these, none is the one that goes wrong: they are lanes 1 to 4
    )
    sample(runner)


class Remote:
    """A runner as it is in a process of its own."""

    def __init__(self, **settings):
        made = config(**settings)
        self.runner = made.env_runner_cls(config=made)
        self.runner.worker_index = 1

    def call(self, function):
        return self.runner.apply(function)


def fall(error):
    def function(runner):
        raise error

    return function


def test_a_remote_runner_outlives_its_failure_and_tells_of_it():
    remote = Remote()
    with pytest.raises(RuntimeError, match="its step raises KeyError"):
        remote.call(sample)
    assert remote.call(lambda runner: runner.ping()) == "pong"
    failure = remote.call(lambda runner: runner.failure)
    assert failure.kind is EnvError
    assert "lane 2, env runner 1" in failure.message
    assert "KeyError: 'no such board'" in failure.trace
    with pytest.raises(RuntimeError, match="its step raises KeyError"):
        remote.call(lambda runner: runner.sample())


def test_what_is_no_fault_of_its_environment_is_told_too():
    remote = Remote()
    with pytest.raises(RuntimeError, match=r"env runner 1: ZeroDivisionError: by nought \(.*test_failures"):
        remote.call(fall(ZeroDivisionError("by nought")))


@pytest.mark.parametrize(
    ("error", "settings"),
    [(RayActorError(), {}), (ZeroDivisionError(), {"ignore_env_runner_failures": True})],
)
def test_failures_of_ray_and_those_to_ignore_end_the_process(error, settings):
    """RLlib starts another one."""
    remote = Remote(delay_between_env_runner_restarts_s=0.0, **settings)
    with pytest.raises(SystemExit):
        remote.call(fall(error))


@pytest.mark.parametrize("run", ["RecurrentPPO", pytest.param("PPO", marks=pytest.mark.slow)])
def test_a_trial_ends_with_the_failure_of_its_remote_runner(ray_cluster, run):
    made = config(run, num_env_runners=1).environment("test_failures:engram_tests/Unlucky-v0")
    algorithm = made.build_algo()
    try:
        with pytest.raises(EnvError, match=r"its step raises KeyError.* \(lane 2, env runner 1\)$") as caught:
            iterate(algorithm)
        assert "KeyError: 'no such board'" in str(caught.value.__cause__)
    finally:
        algorithm.stop()


def test_rays_clock_goes_on_when_the_other_one_jumps(monkeypatch):
    from ray.tune.trainable import trainable

    for name in (
        "ray.tune.trainable.trainable",
        "ray.rllib.algorithms.algorithm",
        "ray.train._internal.syncer",
    ):
        monkeypatch.setattr(f"{name}.time", time)
    keep_steady()
    before = trainable.time.time()
    assert abs(before - time.time()) < 5
    for jump in (-1e6, 1e6):
        monkeypatch.setattr(time, "time", lambda jump=jump: before + jump)
        assert 0 <= trainable.time.time() - before < 60
    assert trainable.time.mktime is time.mktime
