"""Environments by id: does it exist, does it take these settings, what does it know about itself."""

import importlib
import inspect
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator

from engram.train.errors import ExperimentError, reason, unknown, unknown_key

NAMESPACE = "engram/"
MODULE = "engram.envs:"  # what makes a Ray worker import our registrations
_MAKE_KEYS = ("max_episode_steps", "render_mode", "disable_env_checker")  # gymnasium.make's own


@dataclass(frozen=True)
class EnvFacts:
    """What the header and the model need to know of an environment.

    Attributes:
        id: The id with its module, as `gymnasium.make` takes it in every process.
        memory_delay: Env steps from the last sight of the cue to the first action that needs it, or None.
        group_by: The info key by which results are split, or None.
    """

    id: str
    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    memory_delay: int | None
    group_by: str | None


def qualified(env_id: str) -> str:
    """The id with the module that registers it: `engram/X-v0` -> `engram.envs:engram/X-v0`.

    Args:
        env_id: An id as a user writes it.
    """
    return MODULE + env_id if env_id.startswith(NAMESPACE) else env_id


def find_spec(env_id: str) -> EnvSpec:
    """Look an environment up.

    Args:
        env_id: A Gymnasium id, with or without `module:`.

    Raises:
        ExperimentError: no such module or environment; names the nearest.
    """
    module, _, name = qualified(env_id).rpartition(":")
    importlib.import_module("engram.envs")
    if module:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", module):
            raise ExperimentError(
                f"env: {module!r} in {env_id!r} is no module; legal: Name-v0, module:Name-v0"
            )
        try:
            importlib.import_module(module)
        except Exception as error:  # whatever a foreign module does when imported
            raise ExperimentError(
                f"env: {env_id!r}: module {module!r} cannot be imported: {reason(error)}"
            ) from None
    if name not in gym.registry:
        raise unknown("env", name, gym.registry, limit=8)
    return gym.registry[name]


@contextmanager
def _quiet() -> Iterator[None]:
    """Gymnasium's advice on versions and render modes is not ours to repeat."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        previous = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(previous)


def _attempt(make: Callable[[], Any], path: str) -> Any:
    try:
        with _quiet():
            return make()
    except Exception as error:  # an environment may raise anything for a setting it does not like
        raise ExperimentError(f"{path}: {reason(error)}") from None


def probe(env_id: str, env_config: Mapping[str, Any]) -> EnvFacts:
    """Build the environment once and read what it says about itself.

    Args:
        env_id: Its id.
        env_config: Its keyword arguments, `config.env_config` in an experiment.

    Raises:
        ExperimentError: no such environment, an unknown setting, a value it refuses.
    """
    spec = find_spec(env_id)
    _check_keys(spec, env_config)
    env = _attempt(
        lambda: gym.make(qualified(env_id), **env_config), "config.env_config" if env_config else "env"
    )
    facts = EnvFacts(
        id=qualified(env_id),
        observation_space=env.observation_space,
        action_space=env.action_space,
        memory_delay=getattr(env.unwrapped, "memory_delay", None),
        group_by=env.unwrapped.metadata.get("group_by"),
    )
    env.close()
    return facts


def _check_keys(spec: EnvSpec, env_config: Mapping[str, Any]) -> None:
    creator: Any = spec.entry_point or spec.vector_entry_point
    if isinstance(creator, str):
        name = creator
        creator = _attempt(lambda: load_env_creator(name), "env")
    parameters = inspect.signature(creator).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters if parameter.name != "self"]
    for key in env_config:
        if key not in known and key not in _MAKE_KEYS:
            raise unknown_key("config.env_config", key, known)


def make_batched(
    env_id: str, lanes: int, env_config: Mapping[str, Any]
) -> gym.vector.VectorEnv[Any, Any, Any]:
    """A batched environment that resets a lane in the step that ends its episode (SAME_STEP).

    Args:
        env_id: Its id.
        lanes: Number of parallel environments.
        env_config: Its keyword arguments.

    Raises:
        ExperimentError: as `probe`.
    """
    from engram.agents.lanes import vectorize

    _check_keys(find_spec(env_id), env_config)
    env: gym.vector.VectorEnv[Any, Any, Any] = _attempt(
        lambda: vectorize(qualified(env_id), lanes, env_config), "env_config"
    )
    return env


def make_rendered(env_id: str, env_config: Mapping[str, Any]) -> gym.Env[Any, Any]:
    """A single environment that renders to pixel arrays.

    Args:
        env_id: Its id.
        env_config: Its keyword arguments.

    Raises:
        ExperimentError: it cannot render, or as `probe`.
    """
    modes = _render_modes(find_spec(env_id))
    if "rgb_array" not in modes:
        raise ExperimentError(
            f"--gif: {env_id} cannot render to pixels; its render modes: {', '.join(modes) or 'none'}"
        )
    env: gym.Env[Any, Any] = _attempt(
        lambda: gym.make(qualified(env_id), render_mode="rgb_array", **env_config), "--gif"
    )
    return env


def _render_modes(spec: EnvSpec) -> list[str]:
    creator: Any = spec.entry_point
    if isinstance(creator, str):
        name = creator
        creator = _attempt(lambda: load_env_creator(name), "env")
    return list(getattr(creator, "metadata", {}).get("render_modes", []))
