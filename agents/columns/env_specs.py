"""Resolves `env:` to a Gymnasium spec: a registered id, or a user's own class by its path.

A class path is `package.module:MyEnv` or, as RLlib has it, `package.module.MyEnv`. Every process resolves it
for itself, so that nothing has to be registered in the workers.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import VectorEnv
from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.tune.registry import register_env

from engram.agents.columns.wrappers import Wrapping, split_settings, wrap_single
from engram.memory.registry import load_module, load_object

_MAPPING_NAMES = ("config", "env_config", "env_context", "context", "cfg")
_NAME = r"[A-Za-z_]\w*"
_DOTTED = rf"{_NAME}(\.{_NAME})+"
_EDGE = "engram.envs.wrappers:at_edge"  # named and not imported: the agents know no environment
_FORMS = {  # so are forms of ours that train, in place of a package's own
    "ale_py.vector_env:AtariVectorEnv": {
        "entry_point": "engram.envs.atari.single:Atari",
        "vector_entry_point": "engram.envs.atari.lanes:AtariLanes",
    },
}
_DOTTED_OR_NOT = rf"{_NAME}(\.{_NAME})*"


def split_module(env: str) -> tuple[str, str]:
    """The module that has to be imported for an environment, empty where there is none, and what it names.

    Args:
        env: `Name-v0`, `module:Name-v0`, `module:Class` or `module.Class`.
    """
    if ":" not in env and env not in gym.registry and re.fullmatch(_DOTTED, env):
        module, _, name = env.rpartition(".")
        return module, name
    module, _, name = env.rpartition(":")
    return module, name


def find_spec(env: str, worker_index: int = 0) -> EnvSpec:
    """The spec by which `gymnasium.make` and `gymnasium.make_vec` build an environment.

    A class of a `VectorEnv`, or a function with the argument `num_envs`, gives a spec without a single form.
    Whatever has one argument for all of its settings, as RLlib's own environments have, is given them so.
    Atari games of ALE are made in forms of ours, `engram.envs.atari`.

    Args:
        env: A Gymnasium id, with or without `module:` in front, or a class path.
        worker_index: Index of the runner, for an `EnvContext`.

    Raises:
        ValueError: The module cannot be imported, or what it names is no environment.
        gymnasium.error.Error: There is no such id.
    """
    module, name = split_module(env)
    if module:
        try:
            load_module(module)
        except ValueError as error:
            raise ValueError(f"env: {env!r}: module {module!r} cannot be imported: {error}") from error
    if module and name not in gym.registry and re.fullmatch(_DOTTED_OR_NOT, name):
        path = f"{module}:{name}"
        return _own_spec(load_object(path, "env"), path, worker_index)
    return _in_our_forms(gym.spec(name))


def _in_our_forms(spec: EnvSpec) -> EnvSpec:
    forms: dict[str, Any] = _FORMS.get(str(spec.vector_entry_point), {})
    return dataclasses.replace(spec, **forms)


def _own_spec(creator: Any, path: str, worker_index: int) -> EnvSpec:
    if not callable(creator):
        raise ValueError(f"env: {path!r} is {creator!r:.60}, no environment; {_EXPECTED}")
    if isinstance(creator, type):
        _check_class(creator, path)
    parameters = _parameters(creator)
    batched = issubclass(creator, VectorEnv) if isinstance(creator, type) else "num_envs" in parameters
    made = InOneMapping(creator, parameters, worker_index) if _takes_mapping(parameters) else creator
    name = path.rpartition(":")[2].replace(".", "-")
    return EnvSpec(
        id=name, entry_point=None if batched else made, vector_entry_point=made if batched else None
    )


def _check_class(creator: type[Any], path: str) -> None:
    if issubclass(creator, MultiAgentEnv):
        raise ValueError(f"env: {path!r} is a multi-agent environment of RLlib; {_EXPECTED}, of one agent")
    if not issubclass(creator, gym.Env | VectorEnv):
        bases = [base.__module__.partition(".")[0] for base in creator.__mro__]
        old = " (it is of the older package gym; gymnasium.Env has taken its place)" if "gym" in bases else ""
        raise ValueError(f"env: {path!r} is no environment{old}; {_EXPECTED}")


_EXPECTED = (
    "expected a class derived from gymnasium.Env or gymnasium.vector.VectorEnv, or a function making one"
)


def _parameters(creator: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(creator).parameters
    except (ValueError, TypeError):  # of a class that is not written in Python
        return {}


def _takes_mapping(parameters: Mapping[str, inspect.Parameter]) -> bool:
    """Returns whether the first argument takes all settings and the others may be left out."""
    if not parameters:
        return False
    first, *others = parameters.values()
    positional = first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD)
    named = first.name in _MAPPING_NAMES or first.annotation in (EnvContext, "EnvContext")
    optional = all(
        each.default is not each.empty or each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        for each in others
        if each.name != "num_envs"
    )
    return positional and named and optional


class InOneMapping:
    """Makes an environment whose first argument is a mapping of its settings.

    Args:
        creator: The class or function.
        parameters: Its arguments.
        worker_index: Index of the runner, which the mapping knows as an `EnvContext`.
    """

    def __init__(
        self, creator: Callable[..., Any], parameters: Mapping[str, inspect.Parameter], worker_index: int
    ) -> None:
        self.metadata = getattr(creator, "metadata", {})
        self._creator, self._worker_index = creator, worker_index
        first, *others = parameters.values()
        self._first = first.name
        self._others = {
            each.name for each in others if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        }

    def __call__(self, **settings: Any) -> Any:
        """Passes settings of other arguments by name and the rest in the mapping.

        A mapping that is given under the first argument's own name is that argument.
        """
        named = {key: value for key, value in settings.items() if key in self._others}
        rest = {key: value for key, value in settings.items() if key not in self._others}
        if list(rest) == [self._first] and isinstance(rest[self._first], Mapping):
            rest = rest[self._first]
        return self._creator(EnvContext(rest, worker_index=self._worker_index), **named)


class OwnEnv:
    """What RLlib's own runners call for an environment.

    Args:
        path: An id or a class path, as `find_spec` takes it.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, context: Mapping[str, Any]) -> Any:
        """The environment; a batched one where the runner asks for a number of environments.

        Args:
            context: Its settings, an `EnvContext` of RLlib's, or one with `num_envs`.
        """
        spec = find_spec(self.path, getattr(context, "worker_index", 0))
        settings, wrappings = split_settings(context)
        if "num_envs" in settings:
            return gym.make_vec(spec, vectorization_mode="vector_entry_point", **settings)
        # RLlib makes it by an id of its own, and Gymnasium's checker watches it there.
        return make_single(spec, {"disable_env_checker": True, **settings}, wrappings)


def register_own(env: str) -> None:
    """Lets RLlib's own runners make an environment as ours do.

    Args:
        env: As `find_spec` takes it.
    """
    register_env(env, OwnEnv(env))


def make_single(
    spec: EnvSpec, settings: Mapping[str, Any], wrappings: Sequence[Wrapping] = ()
) -> gym.Env[Any, Any]:
    """One environment in its wrappers, those of all lanes left out.

    Args:
        spec: From `find_spec`.
        settings: Its keyword arguments, and those of `gymnasium.make`.
        wrappings: From `split_settings`.
    """
    return at_edge(wrap_single(gym.make(spec, **settings), wrappings))


def at_edge(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """An environment that gives arrays: texts become tokens."""
    edge: Callable[[gym.Env[Any, Any]], gym.Env[Any, Any]] = load_object(_EDGE, "env")
    return edge(env)
