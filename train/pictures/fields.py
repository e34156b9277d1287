"""Options of pictures that cores do not have: texts, mappings, and numbers that depend on another."""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

from engram.memory.options import Check, Options

Points = float | tuple[tuple[float, float], ...]
"""A number, or points (x, number) with rising x that straight lines join."""


def _metadata(doc: str, check: Check, kind: str, legal: str) -> dict[str, Any]:
    return {"doc": doc, "unit": "", "check": check, "type": kind, "legal": legal}


def text(default: str, doc: str, *, needed: bool = False) -> Any:
    """Make a field for a text of at least one character, unless it is empty by default and not needed."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or (not value and (default or needed)):
            raise ValueError(f"expected a text, got {value!r}")
        return value

    return dataclasses.field(
        default=default,
        metadata=_metadata(doc, check, "text", "any" if not (default or needed) else "not empty"),
    )


def texts(doc: str) -> Any:
    """Make a field for a list of at least one text; it has to be given."""

    def check(value: Any) -> tuple[str, ...]:
        if isinstance(value, list | tuple) and value and all(isinstance(one, str) and one for one in value):
            return tuple(value)
        raise ValueError(f"expected a list of at least one text, got {value!r}")

    return dataclasses.field(default=(), metadata=_metadata(doc, check, "list of texts", "at least one"))


def number_or_points(doc: str) -> Any:
    """Make a field for `Points`: a finite number, or [[x, number], ...] with rising x; none is legal."""

    def check(value: Any) -> Points | None:
        if value is None:
            return None
        if _is_finite(value):
            return float(value)
        pairs = value if isinstance(value, list | tuple) else ()
        whole = all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs)
        if len(pairs) < 2 or not whole or not all(_is_finite(one) for pair in pairs for one in pair):
            raise ValueError(f"expected a number, or points [[x, number], [x, number], ...], got {value!r}")
        points = tuple((float(x), float(y)) for x, y in pairs)
        if any(before >= after for (before, _), (after, _) in itertools.pairwise(points)):
            raise ValueError(f"expected points with rising x, got {value!r}")
        return points

    return dataclasses.field(
        default=None,
        metadata=_metadata(doc, check, "number, or points", "[[x, number], ...] with rising x, or null"),
    )


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def mapping(default: Mapping[str, Any], doc: str) -> Any:
    """Make a field for a mapping."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected a mapping, got {value!r}")
        return dict(value)

    return dataclasses.field(
        default_factory=lambda: dict(default), metadata=_metadata(doc, check, "mapping", "any")
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AgentOptions(Options):
    """Options of a picture of a trained network."""

    checkpoint: str = text("", "a checkpoint, or a trial's or experiment's folder", needed=True)
    env_config: dict[str, Any] = mapping({}, "settings merged over those of training")  # noqa: RUF009
