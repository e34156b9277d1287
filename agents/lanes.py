"""Lanes: B copies of the configured environment as one Gymnasium vector environment."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.env.env_context import EnvContext
from ray.tune.registry import ENV_CREATOR, _global_registry


def make_lanes(config: AlgorithmConfig, worker_index: int) -> VectorEnv[Any, Any, Any]:
    """Builds `num_envs_per_env_runner` lanes that reset in the step that ends an episode.

    Args:
        config: `env` is an id, or a name registered with Ray, or a callable that takes an `EnvContext`.
        worker_index: Index of the runner, for the `EnvContext`.
    """
    lanes = config.num_envs_per_env_runner
    creator = _registered_creator(config)
    if creator is not None:
        context = EnvContext(config.env_config, worker_index=worker_index)
        return SyncVectorEnv([lambda: creator(context)] * lanes, autoreset_mode=AutoresetMode.SAME_STEP)
    return vectorize(config.env, lanes, config.env_config, config.gym_env_vectorize_mode)


def vectorize(
    env_id: str, lanes: int, env_config: Mapping[str, Any], mode: str | gym.VectorizeMode = "sync"
) -> VectorEnv[Any, Any, Any]:
    """Lanes of a Gymnasium id that reset in the step that ends an episode.

    A batched environment (`vector_entry_point`) is taken where the environment has one that resets so;
    otherwise copies of the single environment run one after the other, or as processes under mode `async`.

    Args:
        env_id: A Gymnasium id, with or without `module:` in front.
        lanes: Number of parallel environments.
        env_config: The environment's keyword arguments.
        mode: One of Gymnasium's vectorisation modes.
    """
    mode = gym.VectorizeMode(mode)
    if mode is not gym.VectorizeMode.ASYNC:
        batched = _batched(env_id, lanes, env_config)
        if batched is not None:
            return batched
        mode = gym.VectorizeMode.SYNC
    return gym.make_vec(
        env_id,
        num_envs=lanes,
        vectorization_mode=mode,
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        **env_config,
    )


def _batched(env_id: str, lanes: int, env_config: Mapping[str, Any]) -> VectorEnv[Any, Any, Any] | None:
    """The environment's own batched form, if it has one that resets in the same step."""
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    if gym.spec(name).vector_entry_point is None:
        return None
    env = gym.make_vec(
        env_id, num_envs=lanes, vectorization_mode=gym.VectorizeMode.VECTOR_ENTRY_POINT, **env_config
    )
    if env.metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP:
        return env
    env.close()
    return None


def _registered_creator(config: AlgorithmConfig) -> Callable[[EnvContext], gym.Env[Any, Any]] | None:
    """The creator of an environment that is not a Gymnasium id."""
    if callable(config.env):
        creator: Callable[[EnvContext], gym.Env[Any, Any]] = config.env
        return creator
    if _global_registry.contains(ENV_CREATOR, config.env):
        creator = _global_registry.get(ENV_CREATOR, config.env)
        return creator
    return None
