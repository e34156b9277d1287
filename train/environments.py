"""Environments by id: does it exist, does it take these settings, what does it know about itself."""

import importlib
import inspect
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AutoresetMode

from engram.train.errors import Errors, ExperimentError, reason, unknown, unknown_key

NAMESPACE = "engram/"
MODULE = "engram.envs:"  # what makes a Ray worker import our registrations
_MAKE_KEYS = ("max_episode_steps", "render_mode", "disable_env_checker")  # gymnasium.make's own


# How the runners of an algorithm make an environment: lanes of the columnar path (batched where one fits),
# copies of the single form, or the batched form that the user asked stock RLlib for.
Form = Literal["lanes", "copies", "batched"]


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


def probe(
    env_id: str, env_config: Mapping[str, Any], form: Form = "lanes", path: str = "config.env_config"
) -> EnvFacts:
    """Build the environment once, as the runners will, and read what it says about itself.

    Args:
        env_id: Its id.
        env_config: Its keyword arguments, `config.env_config` in an experiment.
        form: How the runners make it.
        path: Dotted path of its keyword arguments, for errors.

    Raises:
        ExperimentError: no such environment, an unknown setting, a value it refuses.
    """
    spec = find_spec(env_id)
    _check_keys(spec, env_config, form, path)
    path = path if env_config else "env"
    if form == "batched":
        return _facts(env_id, _attempt(lambda: _stock_batched(env_id, env_config), path))
    facts = _facts(env_id, _attempt(lambda: gym.make(qualified(env_id), **env_config), path))
    if form == "lanes":
        make_batched(env_id, 1, env_config, path).close()
    return facts


def info_keys(env_id: str, env_config: Mapping[str, Any]) -> set[str]:
    """The keys of what an environment tells beside its first observation.

    One that says so in its `metadata`, under `tells`, is not reset: first problems may take minutes to make.

    Args:
        env_id: Its id.
        env_config: Its keyword arguments, as probed.

    Raises:
        ExperimentError: it cannot be reset.
    """
    env = make_batched(env_id, 1, env_config, "config.env_config")
    try:
        if "tells" in env.metadata:
            return set(env.metadata["tells"])
        return {key for key in _attempt(env.reset, "env")[1] if not key.startswith("_")}
    finally:
        env.close()


def _facts(env_id: str, env: Any) -> EnvFacts:
    """Read a single environment, or a batched one, and close it."""
    facts = EnvFacts(
        id=qualified(env_id),
        observation_space=getattr(env, "single_observation_space", env.observation_space),
        action_space=getattr(env, "single_action_space", env.action_space),
        memory_delay=getattr(env.unwrapped, "memory_delay", None),
        group_by=env.unwrapped.metadata.get("group_by"),
    )
    env.close()
    return facts


def with_autoreset(env_config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with `autoreset_mode: next_step` spelled as Gymnasium's AutoresetMode spells it.

    Args:
        env_config: The environment's keyword arguments.
    """
    mode = env_config.get("autoreset_mode")
    named = isinstance(mode, str) and mode.upper() in AutoresetMode.__members__
    return {**env_config, "autoreset_mode": str(mode).upper()} if named else dict(env_config)


def _stock_batched(env_id: str, env_config: Mapping[str, Any]) -> Any:
    env = gym.make_vec(
        qualified(env_id), num_envs=1, vectorization_mode="vector_entry_point", **with_autoreset(env_config)
    )
    if env.metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP:
        env.close()
        raise ValueError("autoreset_mode: RLlib's own runners need next_step from a batched environment")
    return env


def _check_keys(
    spec: EnvSpec, env_config: Mapping[str, Any], form: Form, path: str = "config.env_config"
) -> None:
    batched = spec.vector_entry_point
    if form == "batched" and batched is None:
        raise ExperimentError(
            "config.gym_env_vectorize_mode: 'vector_entry_point' needs a batched form, "
            f"{spec.id} has none; legal: sync, async"
        )
    known = _parameters(batched if form == "batched" else spec.entry_point or batched)
    if known is None:
        return
    known -= {"self", "num_envs"}
    extra = set(_MAKE_KEYS) if form != "batched" else set()
    if form == "lanes" and batched is not None:
        taken = _parameters(batched)
        extra = extra if taken is None else extra & taken
    errors = Errors()
    for key in env_config:
        if key not in known | extra:
            errors.add(unknown_key(path, key, known))
    errors.check()


def _parameters(creator: Any) -> set[str] | None:
    """Names of the arguments that make an environment; None: it takes any."""
    if isinstance(creator, str):
        name = creator
        creator = _attempt(lambda: load_env_creator(name), "env")
    parameters = inspect.signature(creator).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def make_batched(
    env_id: str, lanes: int, env_config: Mapping[str, Any], path: str = "env_config"
) -> gym.vector.VectorEnv[Any, Any, Any]:
    """A batched environment that resets a lane in the step that ends its episode (SAME_STEP).

    Args:
        env_id: Its id.
        lanes: Number of parallel environments.
        env_config: Its keyword arguments.
        path: Their dotted path, for errors.

    Raises:
        ExperimentError: as `probe`.
    """
    from engram.agents.lanes import vectorize

    _check_keys(find_spec(env_id), env_config, "lanes")
    env: gym.vector.VectorEnv[Any, Any, Any] = _attempt(
        lambda: vectorize(qualified(env_id), lanes, env_config), path
    )
    return env


def make_rendered(
    env_id: str, env_config: Mapping[str, Any], mode: Literal["rgb_array", "ansi"], wanted_by: str
) -> gym.Env[Any, Any]:
    """A single environment that renders.

    Args:
        env_id: Its id.
        env_config: Its keyword arguments.
        mode: Render mode.
        wanted_by: The command or option that needs it, for errors.

    Raises:
        ExperimentError: it cannot render so, or as `probe`.
    """
    spec = find_spec(env_id)
    modes = _render_modes(spec)
    if mode not in modes:
        kind = {"rgb_array": "to pixels", "ansi": "as text"}[mode]
        raise ExperimentError(
            f"{wanted_by}: {env_id} cannot render {kind}; its render modes: {', '.join(modes) or 'none'}"
        )
    if "render_mode" in env_config:
        raise ExperimentError(f"--env-config.render_mode: {wanted_by} sets it to {mode!r}; leave it out")
    _check_keys(spec, env_config, "copies", "--env-config")
    env: gym.Env[Any, Any] = _attempt(
        lambda: gym.make(qualified(env_id), render_mode=mode, **env_config), wanted_by
    )
    return env


def _render_modes(spec: EnvSpec) -> list[str]:
    creator: Any = spec.entry_point
    if isinstance(creator, str):
        name = creator
        creator = _attempt(lambda: load_env_creator(name), "env")
    return list(getattr(creator, "metadata", {}).get("render_modes", []))
