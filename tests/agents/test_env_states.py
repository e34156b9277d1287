"""States of environments: taken and restored, they play on as they would have; or the reason why not."""

import threading
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils import EzPickle
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import NormalizeReward, RecordEpisodeStatistics

import engram.envs  # noqa: F401  registers the tasks
from engram.agents.columns import env_states
from engram.agents.columns.env_states import UnsavedError, restore_env, save_env
from engram.agents.columns.packing import is_plain, pack, unpack

LANES = 3


class Walk(gym.Env):
    """A random walk to 2 or -2."""

    observation_space = gym.spaces.Box(-2, 2, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = 0
        return self._seen(), {}

    def step(self, action):
        self.at += int(self.np_random.integers(-1, 2))
        return self._seen(), float(self.at), abs(self.at) == 2, False, {}

    def _seen(self):
        return np.array([self.at], np.float32)


class Locked(Walk):
    """A walk that cannot be pickled."""

    def __init__(self):
        self.lock = threading.Lock()


class Remade(Walk, EzPickle):
    """What is pickled of it are its constructor's arguments, as of Box2D's, MuJoCo's and ALE's."""

    def __init__(self):
        EzPickle.__init__(self)


class Holding(Walk):
    """Its state lies in such a one."""

    def __init__(self):
        self.inner = Remade()


class Telling(Locked):
    """It tells its state, and so do its copies."""

    def get_state(self):
        return {"at": self.at, "rng": self.np_random.bit_generator.state}

    def set_state(self, state):
        self.at = state["at"]
        self.np_random.bit_generator.state = state["rng"]


class RemadeTelling(Telling, EzPickle):
    """One that is pickled as it was made, but tells its state."""

    def __init__(self):
        super().__init__()
        EzPickle.__init__(self)


class TellingAnObject(Telling):
    """Its state is no plain data."""

    def get_state(self):
        return {"at": self.at, "rng": self.np_random}

    def set_state(self, state):
        self.at, self.np_random = state["at"], state["rng"]


class HalfTelling(Walk):
    """What MuJoCo's environments call `set_state` is another thing."""

    def set_state(self, positions, velocities):
        raise NotImplementedError


class Large(Walk):
    """A walk with a megabyte."""

    def __init__(self):
        self.ballast = np.random.default_rng(0).bytes(2**20)


def copies(make):
    return SyncVectorEnv([make] * LANES, autoreset_mode=AutoresetMode.SAME_STEP)


def limited(make):
    return copies(lambda: TimeLimit(make(), 5))


def made(name, **settings):
    return gym.make_vec(
        f"engram/{name}-v0", LANES, vectorization_mode=gym.VectorizeMode.VECTOR_ENTRY_POINT, **settings
    )


def normalised(make):
    return RecordEpisodeStatistics(NormalizeReward(limited(make)))


ENVS = {
    "batched": partial(made, "TMaze", level=0, teleport_delay=2, limbo_time=3, timeout_frames=30),
    "batched, wrapped": lambda: RecordEpisodeStatistics(made("CuedCatch")),
    "grid": partial(made, "Memory"),
    "puzzle": partial(made, "PrefixSums", bits=4),
    "single": partial(limited, Walk),
    "single, tells": partial(limited, Telling),
    "single, remade, tells": partial(limited, RemadeTelling),
    "single, tells an object": partial(limited, TellingAnObject),
    "single, another set_state": partial(limited, HalfTelling),
    "single, lanes wrapped": partial(normalised, Walk),
    "single, tells, lanes wrapped": partial(normalised, Telling),
    "CartPole": partial(copies, partial(gym.make, "CartPole-v1")),
}


def play(env, actions):
    steps = [env.step(action) for action in actions]
    return [(seen, *others) for seen, *others, _ in steps]


def leaves(steps):
    for seen, *others in steps:
        yield from seen.values() if isinstance(seen, dict) else (seen,)
        yield from others


@pytest.mark.parametrize("name", ENVS)
def test_a_restored_environment_plays_on(name):
    env, other = ENVS[name](), ENVS[name]()
    env.action_space.seed(1)
    before, after = ([env.action_space.sample() for _ in range(9)] for _ in range(2))
    env.reset(seed=3)
    other.reset(seed=4)
    play(env, before)
    state = save_env(env)
    assert is_plain(state)
    expected, told = play(env, after), unpack(pack(state))
    restored = restore_env(other, told)
    for one, two in zip(leaves(expected), leaves(play(restored, after)), strict=True):
        np.testing.assert_array_equal(one, two)
    without_reset = restore_env(ENVS[name](), told)
    for one, two in zip(leaves(expected), leaves(play(without_reset, after)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_tells_its_state_is_not_pickled():
    """Nothing of a class is loaded again but of the wrappers around it."""
    (lane, *_) = save_env(restarted(limited(Telling)))["lanes"]
    assert set(lane) == {"own", "wrappers"}
    assert b"Telling" not in lane["wrappers"]
    assert set(save_env(restarted(made("Copying")))) == {"own"}


def restarted(env):
    env.reset(seed=0)
    return env


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (partial(limited, Locked), r"^Locked cannot be pickled \(TypeError: cannot pickle '_thread.lock'"),
        (partial(limited, Remade), r"^Remade is pickled as it was made \(EzPickle\), without its state$"),
        (Holding, r"^Remade is pickled as it was made"),
        (lambda: SyncVectorEnv([Remade] * LANES), r"^Remade is pickled as it was made"),
        (lambda: AsyncVectorEnv([Walk] * LANES), "^its lanes are processes of their own"),
    ],
)
def test_what_cannot_be_saved_says_why(make, why):
    env = restarted(make())
    with pytest.raises(UnsavedError, match=why):
        save_env(env)
    env.close()


def test_large_environments_are_not_saved(monkeypatch):
    env = restarted(copies(Large))
    save_env(env)
    monkeypatch.setattr(env_states, "MOST_BYTES", LANES * 2**20)
    with pytest.raises(UnsavedError, match=r"^its environments are more than 3 MiB$"):
        save_env(env)


def test_another_number_of_lanes_is_refused():
    for name in ("single", "batched"):
        state = save_env(restarted(ENVS[name]()))
        fewer = SyncVectorEnv([Walk]) if name == "single" else gym.make_vec("engram/TMaze-v0", 1)
        with pytest.raises(ValueError):  # noqa: PT011 (of whoever notices)
            restore_env(fewer, state)
