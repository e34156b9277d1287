"""`rllib list`: what a configuration may name."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from engram.train.console import screen
from engram.train.console.errors import unknown
from engram.train.describe.docstrings import first_line, sentence

Entries = list[tuple[str, str]]
Groups = dict[str, Entries]
"""Heading -> names with a line of text each; a kind without groups has one, without a heading."""

CARRIED, THOUGHT = "carry a memory from step to step", "think in iterations over one step"
SEQUENCES = "give answers in sequences"


def _envs() -> Groups:
    import gymnasium
    from gymnasium.envs.registration import load_env_creator

    from engram.train.environments.ids import NAMESPACE

    importlib.import_module("engram.envs")
    specs = [spec for name, spec in sorted(gymnasium.registry.items()) if name.startswith(NAMESPACE)]
    return {"": [(spec.id, first_line(load_env_creator(str(spec.entry_point)))) for spec in specs]}


def _table(module: str, name: str) -> Entries:
    table: Mapping[str, Any] = getattr(importlib.import_module(module), name)
    return [(key, first_line(value)) for key, value in sorted(table.items())]


def _cores() -> Groups:
    table: Mapping[str, Any] = importlib.import_module("engram.memory").CORES
    carried = [(name, first_line(sys.modules[cls.__module__])) for name, cls in sorted(table.items())]
    return {CARRIED: carried, THOUGHT: _table("engram.memory.thinking", "THINKERS")}


def _algorithms() -> Groups:
    from engram.train.plans.build import algorithms

    return {"": list(algorithms().items())}


def _configs() -> Groups:
    """By the environment of their first experiment."""
    from engram.train.describe.configs import split_header, values_of
    from engram.train.experiments.inheritance import read_whole_document
    from engram.train.experiments.loading import shipped_configs

    groups: Groups = {}
    for name, text in shipped_configs().items():
        env = next(iter(values_of(read_whole_document(f"configs/{name}.yaml"), "env")), "")
        groups.setdefault(env, []).append((name, sentence(split_header(text)[0])))
    return dict(sorted(groups.items()))


def _pictures() -> Groups:
    from engram.train.pictures import KINDS as PICTURES

    modules = {name: sys.modules[kind.options.__module__] for name, kind in PICTURES.items()}
    return {"": [(name, first_line(module)) for name, module in modules.items()]}


KINDS: dict[str, Callable[[], Groups]] = {
    "envs": _envs,
    "cores": _cores,
    "thinking": lambda: {"": _table("engram.memory.thinking", "THINKERS")},
    "encoders": lambda: {"": _table("engram.agents", "ENCODERS")},
    "algorithms": _algorithms,
    "configs": _configs,
    "losses": lambda: {
        THOUGHT: _table("engram.memory.thinking", "LOSSES"),
        SEQUENCES: _table("engram.memory.losses", "SEQUENCE_LOSSES"),
    },
    "exit-rules": lambda: {"": _table("engram.memory.thinking", "EXIT_RULES")},
    "pictures": _pictures,
    "schedulers": lambda: {"": _table("engram.train.population.schedulers", "SCHEDULERS")},
    "search-algorithms": lambda: {
        "": _table("engram.train.experiments.search_algorithms", "SEARCH_ALGORITHMS")
    },
}


MORE = {
    "envs": "Any other Gymnasium id, too: CartPole-v1, ALE/Breakout-v5 (104 Atari games), module:Name-v0."
}
"""What people are told below a list."""


def groups(kind: str) -> Groups:
    """List everything of a kind, name and one-line description, by heading.

    Args:
        kind: One of `KINDS`.

    Raises:
        ExperimentError: an unknown kind.
    """
    if kind not in KINDS:
        raise unknown("list", kind, KINDS)
    return KINDS[kind]()


def entries(kind: str) -> Entries:
    """List the same without headings; arguments and errors as in `groups`."""
    return [entry for group in groups(kind).values() for entry in group]


def show(kind: str, as_json: bool) -> None:
    """Print a kind for people or, as one line of JSON, for programs; errors as in `groups`.

    Args:
        kind: One of `KINDS`.
        as_json: Print a list of {name, text, group}.
    """
    found = groups(kind)
    if as_json:
        rows = [
            {"name": name, "text": text, "group": heading}
            for heading, group in found.items()
            for name, text in group
        ]
        screen.show(result=rows)
        return
    width = max(len(name) for group in found.values() for name, _ in group)
    for heading, group in found.items():
        title = [Text(heading, "bold")] if heading else []
        screen.show(*title, _lines(group, width, "  " if heading else ""))
    if kind in MORE:
        screen.show(MORE[kind])


def _lines(group: Entries, width: int, indent: str) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, min_width=len(indent) + width)
    table.add_column(overflow="fold")
    for name, text in group:
        table.add_row(f"{indent}{name}", Text(text))
    return table
