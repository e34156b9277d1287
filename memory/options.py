"""Options of a core, or of anything built from a YAML section: declared once, checked once.

A section is a frozen, keyword-only dataclass whose fields are made by the functions below. Each field carries
its default, a one-line description, its unit and its legal values as JSON Schema; `parse_options` turns a
plain mapping into the dataclass. Every error is a `ValueError` that names the key by its dotted path.
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
Schema = dict[str, Any]
"""A part of JSON Schema, from which an option's check, its range in words and `json_schema` are made."""

Section = TypeVar("Section")


def unknown_message(path: str, name: object, known: Iterable[str], limit: int | None = None) -> str:
    """Words the error that the value `name` at `path` is none of `known`; names the nearest.

    Where there are more than `limit`, only the nearest are listed, and how many there are.

    Example: ``core.type: unknown 'lowpass'; did you mean 'low_pass'? known: ..., low_pass, ...``.
    """
    return f"{path}: unknown {name!r}; {_known(name, known, limit)}"


def unknown_key_message(path: str, key: object, known: Iterable[str], limit: int | None = None) -> str:
    """Words the error that the section at `path` has no such key; names the nearest.

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


MOST = 2**31
"""The largest integer where no smaller one is given."""


def _option(default: Any, doc: str, unit: str, schema: Schema, *, or_none: bool = False) -> Any:
    """Makes a field for what `schema` admits; `None` is legal too where it is the default."""
    none = or_none or default is None

    def check(value: Any) -> Any:
        return None if value is None and none else _checked(value, schema, none)

    return dataclasses.field(
        default=default,
        metadata={
            "doc": doc,
            "unit": unit,
            "check": check,
            "type": _kind_in_words(schema),
            "legal": _legal(schema) + (", or null" if none else ""),
            "schema": {"anyOf": [schema, {"type": "null"}]} if none else schema,
        },
    )


def integer(
    default: int | None, doc: str, *, unit: str = "", low: int = 1, high: int = MOST, or_none: bool = False
) -> Any:
    """A field for an integer in [low, high]; `None` is legal where it is the default or with `or_none`."""
    return _option(default, doc, unit, _integer_schema(low, high), or_none=or_none)


def number(
    default: float | None,
    doc: str,
    *,
    unit: str = "",
    above: float = -math.inf,
    low: float = -math.inf,
    high: float,
) -> Any:
    """A field for a number in (above, high] or, where `low` is given, in [low, high]."""
    lower = {"exclusiveMinimum": above} if low == -math.inf else {"minimum": low}
    return _option(default, doc, unit, _number_schema(lower, high))


def boolean(default: bool, doc: str) -> Any:
    """A field for true or false."""
    return _option(default, doc, "", {"type": "boolean"})


def choice(default: str, doc: str, names: tuple[str, ...]) -> Any:
    """A field for one of `names`."""
    return _option(default, doc, "", {"enum": list(names)})


def text(default: str | None, doc: str, legal: str) -> Any:
    """A field for a text that others check; `legal` says in words what it may be."""
    made = _option(default, doc, "", {"type": "string"})
    return dataclasses.field(default=default, metadata={**made.metadata, "legal": legal})


def integers(default: tuple[int, ...], doc: str, *, unit: str = "", low: int = 1, high: int = MOST) -> Any:
    """A field for a list of integers, each in [low, high]; empty is legal where the default is."""
    schema = {"type": "array", "items": _integer_schema(low, high), "minItems": 1 if default else 0}
    return _option(default, doc, unit, schema)


def numbers(default: tuple[float, ...] | None, doc: str, *, unit: str = "", above: float, high: float) -> Any:
    """A field for a list of at least one number in (above, high]."""
    items = _number_schema({"exclusiveMinimum": above}, high)
    return _option(default, doc, unit, {"type": "array", "items": items, "minItems": 1})


def section(default: Mapping[str, Any] | None, doc: str, *, typed: bool = False) -> Any:
    """A field for a mapping of options that others check, `typed` by its `type`; default None: required."""
    made = _option({}, doc, "", {"type": "object", "required": ["type"]} if typed else {"type": "object"})
    if default is None:
        return dataclasses.field(metadata=made.metadata)
    return dataclasses.field(default_factory=lambda: dict(default), metadata=made.metadata)


def _integer_schema(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _number_schema(lower: Mapping[str, float], high: float) -> Schema:
    bounds = {**lower, "maximum": high}
    return {"type": "number", **{name: bound for name, bound in bounds.items() if math.isfinite(bound)}}


def _kind(schema: Schema) -> str:
    return str(schema.get("type", "enum"))


def _kind_in_words(schema: Schema) -> str:
    """The type of an option, such as `integer` or `list of numbers`."""
    if _kind(schema) == "array":
        return f"list of {_kind(schema['items'])}s"
    words = {"boolean": "true or false", "enum": "text", "string": "text", "object": "mapping"}
    return words.get(_kind(schema), _kind(schema))


def _legal(schema: Schema) -> str:
    """The range of an option, such as `1 to 64`, `> 0, <= 1` or `>= 1`."""
    kind = _kind(schema)
    if kind == "array":
        return f"each {_legal(schema['items'])}{'' if schema['minItems'] else '; may be empty'}"
    if kind not in ("integer", "number"):
        return {"boolean": "true, false", "object": "any", "string": "any"}.get(kind) or ", ".join(
            schema["enum"]
        )
    least, above, high = (schema.get(name) for name in ("minimum", "exclusiveMinimum", "maximum"))
    most = "" if high is None or (kind == "integer" and high >= MOST) else f"{high:,.10g}"
    if least is not None and most:
        return f"{least:,.10g} to {most}"
    lower = f">= {least:g}" if least is not None else f"> {above:g}" if above is not None else ""
    return ", ".join(part for part in (lower, most and f"<= {most}") if part) or "any"


def _in_range(value: Any, schema: Schema) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    least, above = schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf)
    return bool(least <= value <= schema.get("maximum", math.inf) and above < value)


def _checked(value: Any, schema: Schema, none: bool = False) -> Any:
    """Returns what to store, lists as tuples and numbers as floats; ValueError: it is not admitted."""
    match _kind(schema):
        case "integer":
            low, high = schema["minimum"], schema["maximum"]
            whole = isinstance(value, int) and not isinstance(value, bool)
            if whole and low <= value <= high:
                return value
            above = whole and value > high
            expected = (
                f"an integer <= {high}" if above else f"an integer >= {low}{', or none' if none else ''}"
            )
        case "number":
            if _in_range(value, schema):
                return float(value)
            least, high = schema.get("minimum"), schema.get("maximum")
            lower = f"> {schema.get('exclusiveMinimum', -math.inf):g}" if least is None else f">= {least:g}"
            expected = f"a number {lower}{', finite' if high is None else f' and <= {high:g}'}"
        case "boolean":
            if isinstance(value, bool):
                return value
            expected = "true or false"
        case "string":
            if isinstance(value, str):
                return value
            expected = "a text"
        case "enum":
            if value in schema["enum"]:
                return str(value)
            raise ValueError(unknown_message("", value, schema["enum"]).removeprefix(": "))
        case "array":
            if isinstance(value, list | tuple) and len(value) >= schema["minItems"]:
                return tuple(_checked(item, schema["items"]) for item in value)
            expected = "a list of at least one entry"
        case _:
            if isinstance(value, Mapping):
                return value
            expected = "a mapping with the key 'type'" if "required" in schema else "a mapping"
    raise ValueError(f"expected {expected}, got {value!r}")


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
    """Checks values of fields of a dataclass, by the field's schema or else by its annotation.

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
    except Exception as error:  # a user's own dataclass may raise anything
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
