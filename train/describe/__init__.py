"""`rllib describe`: everything about a thing that a configuration may name."""

import importlib
from collections.abc import Callable
from typing import Any

from engram.train.console.errors import unknown

KINDS = {
    "algorithm": "algorithms",
    "config": "configs",
    "core": "cores",
    "encoder": "encoders",
    "env": "envs",
    "exit-rule": "exit-rules",
    "loss": "losses",
    "picture": "pictures",
    "scheduler": "schedulers",
    "search-algorithm": "search-algorithms",
    "policy": "policies",
}
"""Kind -> its plural; both are understood."""

_ALIASES = {plural: kind for kind, plural in KINDS.items()} | {
    "environment": "env",
    "environments": "env",
    "thinking": "core",
}
_MODULES = {"algorithm": "algorithms", "config": "configs", "env": "envs", "policy": "policies"}


def kind_of(text: str) -> str:
    """Return the singular of a kind.

    Args:
        text: Singular or plural.

    Raises:
        ExperimentError: there is no such kind.
    """
    kind = _ALIASES.get(text, text)
    if kind not in KINDS:
        raise unknown("describe", text, KINDS)
    return kind


def describe(kind: str, name: str, as_json: bool, everything: bool = False) -> dict[str, Any]:
    """Print all that is known about a thing, and return it as data.

    Args:
        kind: One of `KINDS`, singular or plural.
        name: As a configuration names it; for cores, encoders, losses and exit rules also
            `package.module:Class`, for environments any Gymnasium id, for configs and policies a path.
        as_json: Print one line of JSON instead.
        everything: Of an algorithm, show the keys that are seldom named, too.

    Raises:
        ExperimentError: there is no such kind or thing; names the nearest.
    """
    kind = kind_of(kind)
    module = importlib.import_module(f"engram.train.describe.{_MODULES.get(kind, 'cores')}")
    maker: Callable[..., Any] = getattr(module, kind.replace("-", "_"))
    page = maker(name, everything or as_json) if kind == "algorithm" else maker(name)
    data: dict[str, Any] = page.data()
    from engram.train.console.screen import show
    from engram.train.describe.show import parts

    show(*([] if as_json else parts(page)), result=data if as_json else None)
    return data
