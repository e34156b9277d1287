"""Options as JSON Schema (draft 2020-12), for editors and other programs that check a file."""

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

from engram.memory.annotations import MAPPINGS, SEQUENCES, hints_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", types.NoneType: "null"}


def json_schema(section: type[Any]) -> dict[str, Any]:
    """Returns the JSON Schema of a dataclass of options.

    A property has its type, its range or legal names, its default, a description, and its unit as `x-unit`.
    Where no function of `engram.memory.options` made a field, its annotation says its type; an annotation
    that means nothing to JSON admits everything.

    Args:
        section: the dataclass, derived from `Options` or not.
    """
    return {"$schema": DIALECT, "title": section.__name__, **_object(section)}


def table_schema(table: Mapping[str, type[Any]]) -> dict[str, Any]:
    """Returns the JSON Schema of a section with the key `type`: one of a table's rows and that row's options.

    A class of your own, `package.module:Class`, is admitted with any options.

    Args:
        table: name to class: `CORES`, `THINKERS`, `LOSSES`, `EXIT_RULES` or `ENCODERS`.
    """
    own = {"type": "object", "properties": {"type": {"type": "string", "pattern": ":"}}, "required": ["type"]}
    rows = [_row(name, row) for name, row in table.items()]
    return {"$schema": DIALECT, "oneOf": [*rows, own]}


def _row(name: str, row: type[Any]) -> dict[str, Any]:
    schema = _object(getattr(row, "Options", row))
    first: dict[str, Any] = {"type": {"const": name}}
    if presets := getattr(row, "PRESETS", {}):
        first["preset"] = {"enum": sorted(presets), "description": "a named set of options"}
    schema["properties"] = {**first, **schema["properties"]}
    schema["required"] = ["type", *schema["required"]]
    return schema


def _object(section: type[Any]) -> dict[str, Any]:
    fields = [field for field in dataclasses.fields(section) if field.init]
    hints = hints_of(section)
    return {
        "description": inspect.cleandoc(section.__doc__ or "").partition("\n\n")[0],
        "type": "object",
        "properties": {field.name: _property(field, hints.get(field.name, Any)) for field in fields},
        "required": [field.name for field in fields if not _has_default(field)],
        "additionalProperties": False,
    }


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return not field.default is field.default_factory is dataclasses.MISSING


def _property(field: dataclasses.Field[Any], hint: Any) -> dict[str, Any]:
    known = field.metadata
    schema = dict(known.get("schema") or _annotated(hint))
    texts = {"description": known.get("doc"), "x-unit": known.get("unit")}
    schema |= {name: text for name, text in texts.items() if text}
    if _has_default(field):
        made: Any = field.default_factory
        default = field.default if made is dataclasses.MISSING else made()
        schema["default"] = list(default) if isinstance(default, tuple | set | frozenset) else default
    return schema


def _annotated(hint: Any) -> dict[str, Any]:
    """What an annotation admits; see `engram.memory.annotations`, which checks the same."""
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_annotated(each) for each in arguments]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in _TYPES:
        return {"type": _TYPES[origin]}
    if origin in SEQUENCES:
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            each = [_annotated(one) for one in arguments]
            return {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}
        return {"type": "array", "items": _annotated(arguments[0]) if arguments else {}}
    return {"type": "object"} if origin in MAPPINGS else {}
