"""The arguments that make an environment: which there are, and what a user gives for them."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator

from engram.train.console.errors import Errors, ExperimentError, quotes_hint, reason, unknown_key
from engram.train.environments import hints
from engram.train.environments.ids import NAMESPACE, quiet

_MAKE_KEYS: dict[str, Any] = {  # gymnasium.make's own
    "max_episode_steps": int | None,
    "render_mode": str | None,
    "disable_env_checker": bool | None,
}


# How the runners of an algorithm make an environment: lanes of the columnar path (batched where one fits) or
# a process for each lane there, copies of the single form under stock RLlib, or the batched form that the
# user asked it for.
Form = Literal["lanes", "processes", "copies", "batched"]


def attempt(make: Callable[[], Any], path: str) -> Any:
    """Make something of somebody else's, in silence.

    Raises:
        ExperimentError: it raises anything; in one line that starts with `path`, or names the wrapper.
    """
    try:
        with quiet():
            return make()
    except Exception as error:  # an environment may raise anything for a setting it does not like
        from engram.agents.columns.wrappers import WrapperError  # here, because they import torch
        from engram.memory.blame import explain

        if isinstance(error, WrapperError):
            raise ExperimentError(f"{error}{hints.for_import(error)}") from None
        meant = isinstance(error, ValueError | OSError | ImportError | gym.error.Error)
        raise ExperimentError(f"{path}: {reason(error) if meant else explain(error)}") from None


def check_keys(
    spec: EnvSpec, env_config: Mapping[str, Any], form: Form, path: str = "config.env_config"
) -> None:
    """Refuse arguments that an environment does not take, or not so.

    Args:
        spec: The environment.
        env_config: Its keyword arguments, without wrappers.
        form: How the runners make it.
        path: Dotted path of the arguments, for errors.

    Raises:
        ExperimentError: all that is wrong with them, or it has no such form.
    """
    batched = spec.vector_entry_point
    if form == "batched" and batched is None:
        raise ExperimentError(
            "config.gym_env_vectorize_mode: 'vector_entry_point' needs a batched form, "
            f"{spec.id} has none; legal: sync, async"
        )
    parameters = _parameters(batched if form == "batched" else spec.entry_point or batched)
    errors = Errors()
    with errors.kept():
        _check_required(parameters, {*spec.kwargs, *env_config, "num_envs"}, path)
    if not spec.id.startswith(NAMESPACE):  # ours say more than their types
        errors.lines += _wrong_types(parameters, env_config, path)
    if not _takes_any(parameters):
        known = parameters.keys() - {"self", "num_envs"}
        extra = _MAKE_KEYS.keys() if form != "batched" else set()
        if form == "lanes" and batched is not None:
            taken = _parameters(batched)
            extra = extra if _takes_any(taken) else extra & taken.keys()
        for key in env_config:
            if key not in known | extra:
                errors.add(unknown_key(path, key, known))
    errors.check()


def _wrong_types(
    parameters: Mapping[str, inspect.Parameter], env_config: Mapping[str, Any], path: str
) -> Iterator[str]:
    """Values that an environment of somebody else's would take for what they are not.

    What counts is the annotation, or a default of true or false; a value of the default's type is taken too.
    """
    from engram.memory.annotations import annotated_check  # here, because it imports torch

    for key, value in env_config.items():
        parameter = parameters.get(key, inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY))
        if type(value) is type(parameter.default):
            continue
        hint = _hint(parameter)
        try:
            annotated_check(hint)(value)
        except ValueError as error:
            yield f"{path}.{key}: {error}{quotes_hint(value) if hint is str else ''}"


def _hint(parameter: inspect.Parameter) -> Any:
    """Return the annotation of an argument, or a type that follows from its default."""
    if parameter.annotation is not parameter.empty and not isinstance(parameter.annotation, str):
        return parameter.annotation
    return _MAKE_KEYS.get(parameter.name, bool if isinstance(parameter.default, bool) else Any)


def signature(function: Callable[..., Any]) -> inspect.Signature:
    """A signature with its annotations; they stay text where they cannot be resolved.

    Raises:
        TypeError, ValueError: it has none.
    """
    try:
        return inspect.signature(function, eval_str=True)
    except Exception:  # names that only a type checker imports, or anything an annotation may raise
        return inspect.signature(function)


def creator(named: Any) -> Any:
    """What makes an environment, imported where it is only named."""
    return attempt(lambda: load_env_creator(named), "env") if isinstance(named, str) else named


def _parameters(named: Any) -> Mapping[str, inspect.Parameter]:
    """The arguments that make an environment."""
    try:
        return signature(creator(named)).parameters
    except (TypeError, ValueError):  # of a class that is not written in Python
        return {"any": inspect.Parameter("any", inspect.Parameter.VAR_KEYWORD)}


def _takes_any(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def _check_required(parameters: Mapping[str, inspect.Parameter], given: set[str], path: str) -> None:
    for name, each in parameters.items():
        variable = each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        if each.default is each.empty and not variable and name not in given:
            raise ExperimentError(f"{path}.{name}: missing; the environment cannot be made without it")
