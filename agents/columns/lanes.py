"""Lanes: B copies of the configured environment as one Gymnasium vector environment."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.env.env_context import EnvContext
from ray.tune.registry import ENV_CREATOR, _global_registry

from engram.agents.columns.env_specs import OwnEnv, find_spec


def make_lanes(
    config: AlgorithmConfig, worker_index: int, lanes: int | None = None
) -> VectorEnv[Any, Any, Any]:
    """Builds lanes that reset in the step that ends an episode.

    Args:
        config: `env` is an id, a class path, or a name registered with Ray, or a callable that takes an
            `EnvContext`.
        worker_index: Index of the runner, for the `EnvContext`.
        lanes: How many; None: `num_envs_per_env_runner`.
    """
    lanes = lanes or config.num_envs_per_env_runner
    creator = _registered_creator(config)
    if creator is not None:
        context = EnvContext(config.env_config, worker_index=worker_index)
        return SyncVectorEnv([lambda: creator(context)] * lanes, autoreset_mode=AutoresetMode.SAME_STEP)
    return vectorize(config.env, lanes, config.env_config, config.gym_env_vectorize_mode, worker_index)


def vectorize(
    env_id: str,
    lanes: int,
    env_config: Mapping[str, Any],
    mode: str | gym.VectorizeMode = "sync",
    worker_index: int = 0,
) -> VectorEnv[Any, Any, Any]:
    """Lanes of an environment that reset in the step that ends an episode.

    A batched environment (`vector_entry_point`) is taken where the environment has one that resets so;
    otherwise copies of the single environment run one after the other, or as processes under mode `async`.

    Args:
        env_id: A Gymnasium id, with or without `module:` in front, or a class path.
        lanes: Number of parallel environments.
        env_config: The environment's keyword arguments.
        mode: One of Gymnasium's vectorisation modes.
        worker_index: Index of the runner, for an environment that takes an `EnvContext`.

    Raises:
        ValueError: There is a batched form only, and it does not reset so, or processes are asked for.
    """
    mode, spec = gym.VectorizeMode(mode), find_spec(env_id, worker_index)
    if mode is not gym.VectorizeMode.ASYNC:
        batched = _batched(spec, lanes, env_config)
        if batched is not None:
            return batched
        mode = gym.VectorizeMode.SYNC
    if spec.entry_point is None:
        raise ValueError(
            f"{env_id} has a batched form only; its metadata['autoreset_mode'] is to be SAME_STEP, as a lane "
            "resets in the step that ends its episode"
        )
    return gym.make_vec(
        spec,
        num_envs=lanes,
        vectorization_mode=mode,
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        **env_config,
    )


def _batched(spec: EnvSpec, lanes: int, env_config: Mapping[str, Any]) -> VectorEnv[Any, Any, Any] | None:
    """The environment's own batched form, if it has one that resets in the same step."""
    if spec.vector_entry_point is None:
        return None
    env = gym.make_vec(
        spec, num_envs=lanes, vectorization_mode=gym.VectorizeMode.VECTOR_ENTRY_POINT, **env_config
    )
    if env.metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP:
        return env
    env.close()
    return None


def _registered_creator(config: AlgorithmConfig) -> Callable[[EnvContext], gym.Env[Any, Any]] | None:
    """The creator of an environment that is neither a Gymnasium id nor a class path."""
    if callable(config.env):
        creator: Callable[[EnvContext], gym.Env[Any, Any]] = config.env
        return creator
    if _global_registry.contains(ENV_CREATOR, config.env):
        creator = _global_registry.get(ENV_CREATOR, config.env)
        return None if isinstance(creator, OwnEnv) else creator
    return None
