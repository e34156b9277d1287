"""Wrappers by class path, with their arguments: what an experiment puts around its environment."""

import inspect
import itertools
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv, VectorWrapper

from engram.memory.annotations import annotated_check
from engram.memory.blame import explain
from engram.memory.options import unknown_key_message, unknown_message
from engram.memory.registry import load_module, load_object

WRAPPERS = "wrappers"
"""Key of `env_config` that holds them: they go wherever the environment's own arguments go."""

_HOMES = ("engram.envs.wrappers", "gymnasium.wrappers", "gymnasium.wrappers.vector")
"""Modules whose wrappers have bare names; the first one that has a name gives the class.

Ours are named and not imported, like a class of a user's: the agents know no environment.
"""

_NAMES = ("type", "class")  # keys that may hold the class path
_OBJECT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


class WrapperError(ValueError):
    """A wrapper that there is not, that does not take its arguments, or that raises."""


@dataclass(frozen=True)
class Wrapping:
    """One wrapper.

    Attributes:
        path: Where it was written, `wrappers[0]`, for errors.
        wrapper: The class.
        arguments: Its keyword arguments.
    """

    path: str
    wrapper: type[Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def batched(self) -> bool:
        """Whether it goes around all lanes, not around each single environment."""
        return issubclass(self.wrapper, VectorWrapper)

    def wrap(self, env: Any) -> Any:
        """The environment with the wrapper around it.

        Raises:
            WrapperError: Its constructor raised something.
        """
        try:
            return self.wrapper(env, **self.arguments)
        except Exception as error:  # a user's own may raise anything
            said = f"{self.path}: {self.wrapper.__name__} raises {explain(error)}"
            if self.batched and isinstance(error, AssertionError):  # as Gymnasium's do, without a word
                said += f"; lanes reset in mode {env.metadata.get('autoreset_mode')}, which it may not take"
            raise WrapperError(said) from error


def split_settings(env_config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Wrapping]]:
    """The environment's own arguments, and the wrappers, the innermost one first.

    Args:
        env_config: Of an experiment; under `WRAPPERS` a class path for each wrapper, or a mapping of `type`,
            a class path, and arguments. Those of `_HOMES` have bare names.

    Raises:
        WrapperError: There is no such wrapper, it has no such argument, or one of all lanes comes before one
            of single environments.
    """
    own = {key: value for key, value in env_config.items() if key != WRAPPERS}
    rows = env_config.get(WRAPPERS) or []
    if not isinstance(rows, list | tuple):
        raise WrapperError(f"{WRAPPERS}: expected a list of class paths, got {rows!r}")
    try:
        wrappings = [_read(row, f"{WRAPPERS}[{number}]") for number, row in enumerate(rows)]
    except ValueError as error:
        raise WrapperError(str(error)) from error
    _check_order(wrappings)
    return own, wrappings


def wrap_single(env: gym.Env[Any, Any], wrappings: Sequence[Wrapping]) -> gym.Env[Any, Any]:
    """A single environment with those wrappers around it that are of single environments."""
    for wrapping in wrappings:
        env = env if wrapping.batched else wrapping.wrap(env)
    return env


def wrap_lanes(env: VectorEnv[Any, Any, Any], wrappings: Sequence[Wrapping]) -> VectorEnv[Any, Any, Any]:
    """B lanes with those wrappers around them that are of all lanes."""
    for wrapping in wrappings:
        env = wrapping.wrap(env) if wrapping.batched else env
    return env


def _check_order(wrappings: Sequence[Wrapping]) -> None:
    for before, after in itertools.pairwise(wrappings):
        if before.batched and not after.batched:
            raise WrapperError(
                f"{before.path}: {before.wrapper.__name__} wraps all lanes at once, and {after.path}: "
                f"{after.wrapper.__name__} each single environment; put those of single environments first"
            )


def _read(row: Any, path: str) -> Wrapping:
    row = {"type": row} if isinstance(row, str) else row
    named = [key for key in _NAMES if isinstance(row, Mapping) and key in row]
    if len(named) != 1:
        raise ValueError(
            f"{path}: expected a class path, or {{type: class path, argument: value}}, got {row!r}"
        )
    wrapper = _find(row[named[0]], path)
    given = {key: value for key, value in row.items() if key != named[0]}
    return Wrapping(path, wrapper, dict(_checked(wrapper, given, path)))


def _find(name: Any, path: str) -> type[Any]:
    if not isinstance(name, str):
        raise ValueError(f"{path}.type: expected a class path, got {name!r}")
    module, _, attribute = name.rpartition(":" if ":" in name else ".")
    found = load_object(f"{module}:{attribute}", path) if module else _bare().get(name)
    if found is None:
        others = "those of other packages and your own by module:Class, as minigrid.wrappers:FullyObsWrapper"
        raise ValueError(f"{unknown_message(path, name, _bare(), limit=8)}; {others}")
    if not (isinstance(found, type) and issubclass(found, gym.Wrapper | VectorWrapper)):
        raise ValueError(
            f"{path}: {name!r} is no wrapper; expected a class derived from gymnasium.Wrapper or "
            "gymnasium.vector.VectorWrapper"
        )
    return found


def _bare() -> dict[str, type[Any]]:
    """Wrappers by their bare names."""
    found: dict[str, type[Any]] = {}
    for home in reversed(_HOMES):
        members = vars(load_module(home)).items()
        found |= {name: each for name, each in members if _is_wrapper(each)}
    return found


def _is_wrapper(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, gym.Wrapper | VectorWrapper)


def _checked(wrapper: type[Any], given: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """The arguments of a wrapper, with what is named in place of names.

    Raises:
        ValueError: an unknown or missing argument, or one of another type than its annotation says.
    """
    parameters = _parameters(wrapper)[1:]  # the first is the environment
    known = {
        each.name: each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    for key, value in given.items():
        if key not in known and not takes_any:
            raise ValueError(unknown_key_message(path, key, known))
        yield key, _argument(value, known.get(key), f"{path}.{key}")
    missing = [name for name, each in known.items() if each.default is each.empty and name not in given]
    if missing:
        raise ValueError(f"{path}.{missing[0]}: missing; {wrapper.__name__} cannot be made without it")


def _parameters(wrapper: type[Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(wrapper, eval_str=True).parameters.values())
    except Exception:  # names that only a type checker imports, or anything an annotation may raise
        return list(inspect.signature(wrapper).parameters.values())


def _argument(value: Any, parameter: inspect.Parameter | None, path: str) -> Any:
    hint = Any if parameter is None else parameter.annotation
    if isinstance(value, str) and _OBJECT.fullmatch(value) and _wants_object(hint):
        return load_object(value, path)
    if hint in (Any, inspect.Parameter.empty) or isinstance(hint, str):
        return value
    try:
        return annotated_check(hint)(value)
    except ValueError as error:
        default = None if parameter is None else parameter.default
        if type(value) is type(default) and typing.get_origin(hint) is not typing.Literal:
            return value  # an annotation that its own default does not fit
        raise ValueError(f"{path}: {error}") from error


def _wants_object(hint: Any) -> bool:
    """Whether an argument is a function, a class or a space, which a file can only name."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return any(_wants_object(each) for each in typing.get_args(hint))
    origin = typing.get_origin(hint) or hint
    return origin in (Callable, type) or (isinstance(origin, type) and issubclass(origin, gym.Space))
