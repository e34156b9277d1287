"""Playing both forms of a game through one interface."""

import warnings
from functools import partial

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

FORMS = ("single", "batched")
WATCHED = 2  # lanes whose observations are kept


def make(env_id, form, lanes=1, **arguments):
    """Lanes of one form; a finished lane begins anew in the same step."""
    name = f"engram.envs:{env_id}"
    if form == "batched":
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return gymnasium.make_vec(name, lanes, vectorization_mode="vector_entry_point", **arguments)
    one = partial(gymnasium.make, name, disable_env_checker=True, **arguments)
    return SyncVectorEnv([one] * lanes, autoreset_mode=AutoresetMode.SAME_STEP)


def play(env, act, options=None, seed=0):
    """First episode of each lane: observations of the first two, rewards (T, B), returns, lengths, last info.

    After a lane's end its rewards are 0 and its observations another episode's.
    """
    observation, info = env.reset(seed=seed, options=options)
    running, lengths = np.ones(env.num_envs, bool), np.zeros(env.num_envs, int)
    observations, rewards, last = [observation[:WATCHED]], [np.zeros(env.num_envs)], {}
    while running.any():
        observation, reward, terminated, truncated, info = env.step(act(observation))
        assert not truncated.any()
        observations.append(observation[:WATCHED])
        rewards.append(running * reward)
        lengths += running
        for lane in np.flatnonzero(running & terminated):
            for name, values in info["final_info"].items():
                last.setdefault(name, {})[lane] = values[lane]
        running &= ~terminated
    facts = {
        name: np.array([values[lane] for lane in range(env.num_envs)])
        for name, values in last.items()
        if not name.startswith("_")
    }
    return np.stack(observations), np.stack(rewards), np.sum(rewards, axis=0), lengths, facts


def drawn(env, lane):
    """Hidden choices of one lane of either form."""
    return (
        env.envs[lane].unwrapped.hidden_choices
        if hasattr(env, "envs")
        else env.unwrapped.hidden_choices(lane)
    )
