"""Dataclasses of options as rows: made by `engram.memory.options`, or plain ones of a user."""

import dataclasses
import types
import typing
from typing import Any

from engram.train.describe.docstrings import arguments, document
from engram.train.describe.page import Option, plain

_NAMES = {bool: "true or false", int: "integer", float: "number", str: "text", list: "list", dict: "mapping"}


def rows(section: type[Any]) -> list[Option]:
    """List the options of a dataclass.

    Args:
        section: A dataclass; of fields that no maker of `engram.memory.options` made, annotations tell the
            type, and the docstring's `Attributes:` or `Args:` the meaning.
    """
    found: dict[str, str] = {}
    for base in reversed(section.__mro__):
        found |= arguments(document(base)) if dataclasses.is_dataclass(base) else {}
    annotations = typing.get_type_hints(section)
    return [
        _row(field, annotations.get(field.name), found.get(field.name, ""))
        for field in dataclasses.fields(section)
        if field.init
    ]


def _row(field: dataclasses.Field[Any], annotation: Any, meaning: str) -> Option:
    known = field.metadata
    return Option(
        name=field.name,
        type=known.get("type") or type_name(annotation),
        default=_default(field),
        unit=known.get("unit", ""),
        legal=known.get("legal", ""),
        meaning=known.get("doc") or meaning,
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return plain(field.default_factory())
    return "(required)" if field.default is dataclasses.MISSING else plain(field.default)


def type_name(annotation: Any) -> str:
    """Write a type in words: `integer or null`, `list of integers`.

    Args:
        annotation: As evaluated, or as written.
    """
    if annotation in (None, type(None)):
        return "null"
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin, members = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(member) for member in members)
    if origin is typing.Literal:
        return ", ".join(map(str, members))
    if origin is not None:
        return _container(origin, members)
    return str(getattr(annotation, "__name__", annotation))


def _container(origin: Any, members: tuple[Any, ...]) -> str:
    if issubclass(origin, typing.Mapping):
        return "mapping"
    if issubclass(origin, typing.Iterable):
        inner = dict.fromkeys(type_name(member) for member in members if member is not Ellipsis)
        return f"list of {' or '.join(f'{name}s' for name in inner)}" if inner else "list"
    return str(getattr(origin, "__name__", origin))
