"""Lanes: B copies of the configured environment as one Gymnasium vector environment."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.env.env_context import EnvContext
from ray.tune.registry import ENV_CREATOR, _global_registry

from engram.agents.columns.env_specs import OwnEnv, at_edge, find_spec, make_single
from engram.agents.columns.wrappers import Wrapping, split_settings, wrap_lanes, wrap_single


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
    if creator is None:
        return vectorize(config.env, lanes, config.env_config, config.gym_env_vectorize_mode, worker_index)
    settings, wrappings = split_settings(config.env_config)
    context = EnvContext(settings, worker_index=worker_index)
    copies = SyncVectorEnv(
        [lambda: at_edge(wrap_single(creator(context), wrappings))] * lanes,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    return wrap_lanes(copies, wrappings)


def vectorize(
    env_id: str,
    lanes: int,
    env_config: Mapping[str, Any],
    mode: str | gym.VectorizeMode = "sync",
    worker_index: int = 0,
    autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
) -> VectorEnv[Any, Any, Any]:
    """Lanes of an environment, in their wrappers.

    A batched environment (`vector_entry_point`) is taken where the environment has one that resets as asked
    and no wrapper is of single environments; otherwise copies of the single environment run one after the
    other, or as processes under mode `async`.

    Args:
        env_id: A Gymnasium id, with or without `module:` in front, or a class path.
        lanes: Number of parallel environments.
        env_config: The environment's keyword arguments, and its wrappers, see `split_settings`.
        mode: One of Gymnasium's vectorisation modes.
        worker_index: Index of the runner, for an environment that takes an `EnvContext`.
        autoreset_mode: When a lane resets whose episode ends; SAME_STEP: in the step that ends it.

    Raises:
        ValueError: There is a batched form only, and it does not reset so, or processes or wrappers of single
            environments are asked for; or a wrapper is wrong.
    """
    mode, spec = gym.VectorizeMode(mode), find_spec(env_id, worker_index)
    settings, wrappings = split_settings(env_config)
    if mode is not gym.VectorizeMode.ASYNC and all(wrapping.batched for wrapping in wrappings):
        batched = _batched(spec, lanes, settings, autoreset_mode)
        if batched is not None:
            return wrap_lanes(batched, wrappings)
    if spec.entry_point is None:
        raise ValueError(f"{env_id} has a batched form only; {_why_not_batched(wrappings)}")
    make = partial(make_single, spec, settings, wrappings)
    kind = AsyncVectorEnv if mode is gym.VectorizeMode.ASYNC else SyncVectorEnv
    return wrap_lanes(kind([make] * lanes, autoreset_mode=autoreset_mode), wrappings)


def _why_not_batched(wrappings: Sequence[Wrapping]) -> str:
    singles = [wrapping for wrapping in wrappings if not wrapping.batched]
    if singles:
        return f"{singles[0].path}: {singles[0].wrapper.__name__} wraps a single environment"
    return (
        "its metadata['autoreset_mode'] is to be SAME_STEP, as a lane resets in the step that ends its "
        "episode"
    )


def _batched(
    spec: EnvSpec, lanes: int, settings: Mapping[str, Any], autoreset_mode: AutoresetMode
) -> VectorEnv[Any, Any, Any] | None:
    """The environment's own batched form, if it has one that resets so."""
    if spec.vector_entry_point is None:
        return None
    env = gym.make_vec(
        spec, num_envs=lanes, vectorization_mode=gym.VectorizeMode.VECTOR_ENTRY_POINT, **settings
    )
    if env.metadata.get("autoreset_mode") is autoreset_mode:
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
