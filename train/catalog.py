"""`rllib list`: what a configuration may name."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from engram.train.errors import unknown

Entries = list[tuple[str, str]]


def _first_line(thing: Any) -> str:
    text = inspect.getdoc(thing) or ""
    return text.split("\n", maxsplit=1)[0]


def _envs() -> Entries:
    import gymnasium
    from gymnasium.envs.registration import load_env_creator

    from engram.train.environments import NAMESPACE

    importlib.import_module("engram.envs")
    specs = [spec for name, spec in sorted(gymnasium.registry.items()) if name.startswith(NAMESPACE)]
    return [(spec.id, _first_line(load_env_creator(str(spec.entry_point)))) for spec in specs]


def _table(module: str, name: str) -> Entries:
    table: Mapping[str, Any] = getattr(importlib.import_module(module), name)
    return [(key, _first_line(value)) for key, value in sorted(table.items())]


def _algorithms() -> Entries:
    from engram.train.build import algorithms

    return list(algorithms().items())


def _configs() -> Entries:
    from engram.train.loading import shipped_configs

    return [(name, _comment(text)) for name, text in shipped_configs().items()]


def _comment(text: str) -> str:
    first = text.split("\n", maxsplit=1)[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


KINDS: dict[str, Callable[[], Entries]] = {
    "envs": _envs,
    "cores": lambda: _table("engram.memory", "CORES"),
    "encoders": lambda: _table("engram.agents", "ENCODERS"),
    "algorithms": _algorithms,
    "configs": _configs,
}


def entries(kind: str) -> Entries:
    """Name and one-line description of everything of a kind.

    Args:
        kind: One of `KINDS`.

    Raises:
        ExperimentError: an unknown kind.
    """
    if kind not in KINDS:
        raise unknown("list", kind, KINDS)
    return KINDS[kind]()
