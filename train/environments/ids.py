"""Ids and class paths of environments: as users write them, as every process finds them, looked up."""

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from engram.train.console.errors import ExperimentError, unknown
from engram.train.environments import hints

NAMESPACE = "engram/"
MODULE = "engram.envs:"  # what makes a Ray worker import our registrations
NAMESPACES = {NAMESPACE: MODULE, "ALE/": "ale_py:"}


def qualified(env_id: str) -> str:
    """The name under which every process finds an environment.

    `engram/X-v0` -> `engram.envs:engram/X-v0` and `ALE/X-v5` -> `ale_py:ALE/X-v5`, with the module that
    registers it; a class path `package.module.MyEnv` -> `package.module:MyEnv`.

    Args:
        env_id: An id or a class path as a user writes it.
    """
    for namespace, registers in NAMESPACES.items():
        if env_id.startswith(namespace):
            return registers + env_id
    module, name = _split(env_id)
    return f"{module}:{name}" if module else env_id


def written(env_id: str) -> str:
    """An environment as a user writes it: without the module that makes ours known."""
    return env_id.removeprefix(MODULE)


def short_name(env_id: str) -> str:
    """What to call an environment in names and tables: `TMaze-v0`, `MyEnv`."""
    return qualified(env_id).rpartition(":")[2].rpartition("/")[2]


def _split(env_id: str) -> tuple[str, str]:
    """The module that has to be imported, or an empty text, and the name that it makes known."""
    if ":" in env_id or "." not in env_id or env_id in gym.registry:
        module, _, name = env_id.rpartition(":")
        return module, name
    from engram.agents.columns.env_specs import split_module

    return split_module(env_id)


def find_spec(env_id: str) -> EnvSpec:
    """Look an environment up.

    Args:
        env_id: A Gymnasium id, with or without `module:`, or a class path.

    Raises:
        ExperimentError: no such module or environment; names the nearest, or what to import or install.
    """
    importlib.import_module("engram.envs")
    module, name = _split(qualified(env_id))
    if module in ("", MODULE.rstrip(":")):
        if name not in gym.registry:
            raise _unregistered(name, hints.hint(name))
        return gym.registry[name]
    if not all(part.isidentifier() for part in module.split(".")):
        raise ExperimentError(
            f"env: {module!r} in {env_id!r} is no module; legal: Name-v0, module:Name-v0, module:Class"
        )
    from engram.agents.columns import env_specs

    try:
        with quiet():
            return env_specs.find_spec(qualified(env_id))
    except gym.error.Error:
        raise _unregistered(name, hints.newest_version(name)) from None
    except ValueError as error:
        install = hints.how_to_install(module)
        raise ExperimentError(f"{error}{f'; {install}' if install else ''}") from None


def _unregistered(name: str, hint: str | None) -> ExperimentError:
    if hint is not None:
        return ExperimentError(f"env: {name!r} is not registered; {hint}")
    return unknown("env", name, gym.registry, limit=8)


@contextmanager
def quiet() -> Iterator[None]:
    """Gymnasium's advice on versions and render modes is not ours to repeat."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        previous = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(previous)
