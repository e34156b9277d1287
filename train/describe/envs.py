"""Environments: parameters, spaces, info keys, the delay that a memory has to bridge."""

import importlib
import inspect
import itertools
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

from engram.agents.models.spaces import in_short
from engram.train.console.errors import ExperimentError
from engram.train.describe.docstrings import arguments, document, parts, sentence, tidy
from engram.train.describe.options import type_name
from engram.train.describe.page import Option, Page, Section, plain
from engram.train.environments import hints
from engram.train.environments.facts import info_keys, probe
from engram.train.environments.ids import find_spec

_SHOWN_APART = ("Arguments", "Args", "Source")


def env(name: str) -> Page:
    """Describe an environment.

    Args:
        name: Any Gymnasium id, with or without `module:`; of ours, `TMaze` will do.

    Raises:
        ExperimentError: there is no such environment.
    """
    spec = find_spec(_full(name))
    creator = _creator(spec.entry_point or spec.vector_entry_point)
    text = parts(document(creator))
    said = {heading: own for heading, own in text.items() if heading not in _SHOWN_APART}
    return Page(
        kind="env",
        name=spec.id,
        summary=_summary(document(creator)),
        text=said,
        facts=_facts(spec.id if ":" not in name else name, creator, spec),
        sections=[Section("config.env_config", _parameters(creator, spec.kwargs))],
        source=tidy(text.get("Source", "")),
    )


def _summary(text: str) -> str:
    """The first sentence that is no heading."""
    lines = itertools.dropwhile(lambda line: not line or line.startswith("#"), text.split("\n"))
    return sentence("\n".join(lines))


def _full(name: str) -> str:
    """Our ids may be written without their namespace and version."""
    importlib.import_module("engram.envs")  # registers them
    return hints.of_ours(name) or name


def _creator(entry_point: Any) -> Any:
    from gymnasium.envs.registration import load_env_creator

    if not isinstance(entry_point, str):
        return entry_point
    try:
        return load_env_creator(entry_point)
    except Exception as error:  # whatever a foreign module does when imported
        raise ExperimentError(f"describe env: {entry_point} cannot be imported: {error}") from None


def _facts(env_id: str, creator: Any, spec: Any) -> dict[str, Any]:
    """Facts of the environment with its defaults, or why it cannot be made with them."""
    facts: dict[str, Any] = {
        "class": f"{creator.__module__}:{creator.__qualname__}",
        "batched form": spec.vector_entry_point or "none: copies are stepped side by side",
        "time limit": f"{spec.max_episode_steps:,} env steps (truncated)" if spec.max_episode_steps else None,
    }
    try:
        made = probe(env_id, {}, "copies")
        facts |= {
            "observation": in_short(made.observation_space),
            "action": in_short(made.action_space),
            "memory delay": None
            if made.memory_delay is None
            else f"{made.memory_delay:,} env steps from cue to choice, with the defaults",
            "results split by": made.group_by,
            "info at reset": ", ".join(sorted(info_keys(env_id, {}))) or "nothing",
        }
    except ExperimentError as error:
        facts["with defaults"] = f"cannot be made: {error}"
    facts["renders"] = ", ".join(getattr(creator, "metadata", {}).get("render_modes", [])) or "nothing"
    facts["best return"] = getattr(creator, "best_return", None)
    return {label: fact for label, fact in facts.items() if fact is not None}


def _parameters(creator: Callable[..., Any], fixed: Mapping[str, Any]) -> list[Option]:
    """List the arguments that make an environment, with their descriptions."""
    meanings = arguments(document(creator))
    for base in inspect.getmro(creator) if inspect.isclass(creator) else ():
        meanings = arguments(document(vars(base).get("__init__"))) | arguments(document(base)) | meanings
    signature = inspect.signature(creator)
    hints = _hints(creator)
    return [
        _option(parameter, hints.get(parameter.name), fixed, meanings)
        for parameter in signature.parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]


def _option(
    parameter: inspect.Parameter, annotation: Any, fixed: Mapping[str, Any], meanings: Mapping[str, str]
) -> Option:
    default = fixed.get(parameter.name, parameter.default)
    missing = default is inspect.Parameter.empty
    meaning = meanings.get(parameter.name, "")
    unit = _UNIT.match(meaning)
    return Option(
        name=parameter.name,
        type=type_name(annotation) if annotation is not None else _type_of(default, missing),
        default="(required)" if missing else plain(default),
        unit=unit[0] if unit else "",
        legal="",
        meaning=meaning,
    )


_UNIT = re.compile(r"(env steps|steps|observations|positions|pixels)\b")
"""Docstrings of environments begin with the unit, where there is one."""


def _type_of(default: Any, missing: bool) -> str:
    return "any" if missing or default is None else type_name(type(default))


def _hints(creator: Any) -> Mapping[str, Any]:
    made = creator.__init__ if inspect.isclass(creator) else creator
    try:
        return typing.get_type_hints(made)
    except Exception:  # names that only a type checker imports
        return {}
