"""Options of a core, or of anything built from a YAML section: declared once, checked once.

A section is a frozen, keyword-only dataclass whose fields are made by the functions below. Each field carries
its default, a one-line description, its unit, its type and its range in words; `parse_options` turns a plain
mapping into the dataclass. Every complaint is a `ValueError` that names the offending key by its dotted path.
"""

import dataclasses
import difflib
import inspect
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

from engram.memory.annotations import annotated_checks
from engram.memory.blame import explain

Check = Callable[[Any], Any]
Section = TypeVar("Section")


def unknown_message(path: str, name: object, known: Iterable[str], limit: int | None = None) -> str:
    """Says that the value `name` at `path` is none of `known`, and which one is nearest.

    Where there are more than `limit`, only the nearest are listed, and how many there are.

    Example: ``core.type: unknown 'lowpass'; did you mean 'low_pass'? known: ..., low_pass, ...``.
    """
    return f"{path}: unknown {name!r}; {_known(name, known, limit)}"


def unknown_key_message(path: str, key: object, known: Iterable[str], limit: int | None = None) -> str:
    """Says that the section at `path` has no such key, and which one is nearest.

    Where there are more than `limit`, only the nearest are listed, and how many there are.

    Example: ``core.pols: unknown key; did you mean 'pools'? known: base, pools``.
    """
    return f"{path}.{key}: unknown key; {_known(key, known, limit)}"


def check_keys(values: Iterable[str], known: Collection[str], path: str) -> None:
    """Raises ValueError for the first key that the section at `path` does not have.

    Args:
        values: keys that the user wrote, or a mapping of them.
        known: the section's keys.
        path: where the user wrote them, dotted; only used in messages.
    """
    for key in values:
        if key not in known:
            raise ValueError(unknown_key_message(path, key, known))


def _known(name: object, known: Iterable[str], limit: int | None) -> str:
    names = sorted(set(known))
    nearest = difflib.get_close_matches(str(name), names, n=1)
    question = f"did you mean {nearest[0]!r}? " if nearest else ""
    if limit is None or len(names) <= limit:
        return f"{question}known: {', '.join(names)}"
    alike = difflib.get_close_matches(str(name), names, n=_SHOWN, cutoff=0.3)
    shown = ", ".join(alike or names[:_SHOWN])
    return f"{question}{'nearest' if alike else f'the first {_SHOWN}'} of {len(names)}: {shown}"


_SHOWN = 8  # names, where there are too many to list


def _option(default: Any, doc: str, unit: str, check: Check, kind: str, legal: str) -> Any:
    metadata = {"doc": doc, "unit": unit, "check": check, "type": kind, "legal": legal}
    return dataclasses.field(default=default, metadata=metadata)


MOST = 2**31
"""Where no largest integer is given, it is this one."""


def _span(low: float, high: float, *, above: bool = False, most: float = math.inf) -> str:
    """A range in words: `1 to 64`, `> 0, <= 1`, `>= 1` where `high` is not less than `most`."""
    lower = "" if low == -math.inf else f"> {low:g}" if above else f">= {low:g}"
    if high >= most:
        return lower or "any"
    return (
        f"{low:,.10g} to {high:,.10g}"
        if lower and not above
        else f"{lower}, <= {high:,.10g}".removeprefix(", ")
    )


def _or_none(legal: str, none: bool) -> str:
    return f"{legal}, or null" if none else legal


def integer(
    default: int | None,
    doc: str,
    *,
    unit: str = "",
    low: int = 1,
    high: int = MOST,
    or_none: bool = False,
) -> Any:
    """A field for an integer in [low, high]; `None` is legal where it is the default or with `or_none`."""
    none = or_none or default is None

    def check(value: Any) -> int | None:
        if value is None and none:
            return None
        return _integer(value, low, high, or_none=none)

    return _option(default, doc, unit, check, "integer", _or_none(_span(low, high, most=MOST), none))


def number(
    default: float | None,
    doc: str,
    *,
    unit: str = "",
    above: float = -math.inf,
    low: float = -math.inf,
    high: float,
) -> Any:
    """A field for a number in (above, high] or, where `low` is given, in [low, high].

    `None` is legal where it is the default.
    """

    def check(value: Any) -> float | None:
        if value is None and default is None:
            return None
        if low == -math.inf:
            return _number(value, above, high)
        return _number(value, low, high, closed=True)

    span = _span(above, high, above=True) if low == -math.inf else _span(low, high)
    return _option(default, doc, unit, check, "number", _or_none(span, default is None))


def boolean(default: bool, doc: str) -> Any:
    """A field for true or false."""

    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false, got {value!r}")
        return value

    return _option(default, doc, "", check, "true or false", "true, false")


def choice(default: str, doc: str, names: tuple[str, ...]) -> Any:
    """A field for one of `names`."""

    def check(value: Any) -> str:
        if value not in names:
            raise ValueError(unknown_message("", value, names).removeprefix(": "))
        return str(value)

    return _option(default, doc, "", check, "text", ", ".join(names))


def integers(default: tuple[int, ...], doc: str, *, unit: str = "", low: int = 1, high: int = MOST) -> Any:
    """A field for a list of integers, each in [low, high]; empty is legal where the default is."""

    def check(value: Any) -> tuple[Any, ...]:
        if not default and isinstance(value, list | tuple) and not value:
            return ()
        return _list(value, lambda item: _integer(item, low, high))

    legal = f"each {_span(low, high, most=MOST)}{'; may be empty' if not default else ''}"
    return _option(default, doc, unit, check, "list of integers", legal)


def numbers(default: tuple[float, ...] | None, doc: str, *, unit: str = "", above: float, high: float) -> Any:
    """A field for a list of at least one number in (above, high]; `None` is legal where it is the default."""

    def check(value: Any) -> tuple[Any, ...] | None:
        if value is None and default is None:
            return None
        return _list(value, lambda item: _number(item, above, high))

    legal = _or_none(f"each {_span(above, high, above=True)}", default is None)
    return _option(default, doc, unit, check, "list of numbers", legal)


def _integer(value: Any, low: int, high: int, or_none: bool = False) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        suffix = ", or none" if or_none else ""
        raise ValueError(f"expected an integer >= {low}{suffix}, got {value!r}")
    if value > high:
        raise ValueError(f"expected an integer <= {high}, got {value!r}")
    return value


def _number(value: Any, low: float, high: float, closed: bool = False) -> float:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not low <= value <= high or (value == low and not closed):
        sign = ">=" if closed else ">"
        most = f" and <= {high:g}" if math.isfinite(high) else ", finite"
        raise ValueError(f"expected a number {sign} {low:g}{most}, got {value!r}")
    return float(value)


def _list(value: Any, check: Check) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"expected a list of at least one entry, got {value!r}")
    return tuple(check(item) for item in value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """A section of options; subclasses add fields made by `integer`, `number`, `boolean`, `choice`, ...

    A plain field, `size: int = 64`, does too; what is checked of it is its type.
    """

    def __post_init__(self) -> None:
        """Checks every field on its own and stores the checked value: lists become tuples, numbers floats.

        Raises:
            ValueError: a value has the wrong type or is out of range; the message starts with the key.
        """
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name, checked in check_values(type(self), values).items():
            object.__setattr__(self, name, checked)


def check_values(section: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Checks values of fields of a dataclass, by what a field's maker says or else by its annotation.

    Args:
        section: the dataclass.
        values: field name to value.

    Returns:
        What to store in each field.

    Raises:
        ValueError: a value has the wrong type or is out of range; the message starts with the key.
    """
    made = {f.name: f.metadata["check"] for f in dataclasses.fields(section) if "check" in f.metadata}
    checks = made if values.keys() <= made.keys() else annotated_checks(section) | made
    checked = {}
    for name, value in values.items():
        try:
            checked[name] = checks[name](value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return checked


def parse_options(section: type[Section], values: Mapping[str, Any], path: str) -> Section:
    """Turns a plain mapping into `section`; keys that are left out take their defaults.

    Args:
        section: the dataclass, derived from `Options` or not.
        values: what the user wrote.
        path: where the user wrote it, dotted (``core``, ``model.core``); only used in messages.

    Raises:
        ValueError: unknown key, wrong type or out of range; a key without a default is left out; `section` is
            no dataclass.
    """
    fields = {field.name: field for field in _fields(section, path) if field.init}
    check_keys(values, fields, path)
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise ValueError(f"{path}.{name}: missing; it has no default")
    try:
        return section(**(values if issubclass(section, Options) else check_values(section, values)))
    except ValueError as error:
        raise ValueError(f"{path}.{error}") from None
    except Exception as error:  # whatever a user's own dataclass does with what it is given
        raise ValueError(f"{path}: {section.__name__} raises {explain(error)}") from error


def _fields(section: type[Any], path: str) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a dataclass; ValueError: it is none, or its own fields were never made into some."""
    name = getattr(section, "__qualname__", repr(section))
    made = isinstance(section, type) and "__dataclass_fields__" in vars(section)
    if not made and (not dataclasses.is_dataclass(section) or inspect.get_annotations(section)):
        raise ValueError(
            f"{path}: {name} is no dataclass; put @dataclass(frozen=True, kw_only=True) above it"
        )
    return dataclasses.fields(section)
