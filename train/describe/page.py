"""The description of a thing that a configuration may name, as data; `show` prints it."""

import dataclasses
import enum
import math
from collections.abc import Iterable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Option:
    """One setting.

    Attributes:
        name: Its key.
        type: What kind of value it takes.
        default: Its default, plain data.
        unit: Its unit; empty where it has none.
        legal: Which values are legal, in words.
        meaning: What it does.
    """

    name: str
    type: str
    default: Any
    unit: str
    legal: str
    meaning: str


@dataclasses.dataclass(frozen=True)
class Section:
    """Settings that stand together.

    Attributes:
        title: Where they are written, and what they are for.
        options: The settings.
        hidden: How many more there are; `--all` shows them.
    """

    title: str
    options: list[Option]
    hidden: int = 0


@dataclasses.dataclass(frozen=True)
class Page:
    """The description of one thing.

    Attributes:
        kind: `core`, `env`, ...
        name: As a configuration names it.
        summary: One line.
        text: Paragraphs, by heading; the one without a heading comes first.
        facts: Short facts, by label.
        sections: Its settings.
        presets: Name -> values of settings, for `preset:`.
        source: Where it comes from.
        experiments: Of a config, its experiments with what they build on.
    """

    kind: str
    name: str
    summary: str
    text: Mapping[str, str] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sections: list[Section] = dataclasses.field(default_factory=list)
    presets: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    source: str = ""
    experiments: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """Return the page as strict JSON can hold it."""
        plain_page: dict[str, Any] = plain(dataclasses.asdict(self))
        return plain_page


def plain(value: Any) -> Any:
    """Convert a value to what JSON and YAML can hold: tuples as lists, infinities and objects as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: ".inf", -math.inf: "-.inf"}.get(value, ".nan")
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in _ordered(value)]
    return getattr(value, "__name__", None) or str(value)


def _ordered(values: Iterable[Any]) -> list[Any]:
    return sorted(values, key=str) if isinstance(values, set | frozenset) else list(values)
