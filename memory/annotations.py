"""Checks of options that are plain dataclass fields: what their annotations say is what they may be."""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    types.NoneType: "none",
}
SEQUENCES = (list, tuple, set, frozenset, Sequence)
MAPPINGS = (dict, Mapping)


def annotated_checks(section: type[Any]) -> dict[str, Callable[[Any], Any]]:
    """For each field of a dataclass, a check of values that come from YAML; it returns what to store.

    Numbers, text, true or false, lists, mappings, `Literal` and unions of these are checked, whole numbers
    become floats and lists tuples where such are due. What an annotation of another kind is given is taken
    as it is, and so is everything where annotations cannot be resolved.

    Args:
        section: a dataclass.
    """
    hints = hints_of(section)
    return {field.name: annotated_check(hints.get(field.name, Any)) for field in dataclasses.fields(section)}


def hints_of(section: type[Any]) -> dict[str, Any]:
    """Returns the annotations of a dataclass by field; none where they cannot be resolved."""
    try:
        return typing.get_type_hints(section)
    except Exception:  # names that only a type checker imports, or anything an annotation may raise
        return {}


def annotated_check(hint: Any) -> Callable[[Any], Any]:
    """Returns a check of one annotation's values; see `annotated_checks`.

    Args:
        hint: the annotation, no text.
    """

    def check(value: Any) -> Any:
        try:
            return _convert(value, hint)
        except TypeError:
            raise ValueError(f"expected {_name(hint)}, got {value!r}") from None

    return check


def _convert(value: Any, hint: Any) -> Any:
    """The value as its annotation has it; TypeError: it does not fit."""
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_to_one(value, arguments)
    if origin is typing.Literal:
        return _require(value, any(value == each and type(value) is type(each) for each in arguments))
    if origin is float and type(value) is int:
        return float(value)
    if origin in _NAMES:
        return _require(value, type(value) is origin)
    if origin in SEQUENCES:
        return _convert_items(value, origin, arguments)
    if origin in MAPPINGS:
        return _require(value, isinstance(value, Mapping))
    return value


def _require(value: Any, fits: bool) -> Any:
    if not fits:
        raise TypeError
    return value


def _convert_to_one(value: Any, hints: tuple[Any, ...]) -> Any:
    """The value as the first of some annotations that it fits has it, one that leaves it as it is first."""
    fitting = []
    for hint in hints:
        try:
            fitting.append(_convert(value, hint))
        except TypeError:
            continue
    _require(value, bool(fitting))
    return next((each for each in fitting if type(each) is type(value)), fitting[0])


def _convert_items(value: Any, origin: Any, arguments: tuple[Any, ...]) -> Any:
    _require(value, isinstance(value, list | tuple | set | frozenset))
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        _require(value, len(value) == len(arguments))
        return tuple(_convert(item, hint) for item, hint in zip(value, arguments, strict=True))
    hint = arguments[0] if arguments else Any
    made: Any = list if origin is Sequence else origin
    return made(_convert(item, hint) for item in value)


def _name(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_name(each) for each in arguments)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin in _NAMES:
        return _NAMES[origin]
    if origin in SEQUENCES:
        items = [each for each in arguments if each is not Ellipsis]
        return "a list" + (f", each entry {' or '.join(dict.fromkeys(map(_name, items)))}" if items else "")
    return "a mapping" if origin in MAPPINGS else str(hint)
