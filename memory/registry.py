"""From the name in a section of options to a class: a row of a table, or ``package.module:Class``."""

import importlib
from collections.abc import Mapping
from typing import Any, TypeVar

from engram.memory.options import unknown_message

Class = TypeVar("Class")


def choose_class(
    options: Mapping[str, Any], path: str, table: Mapping[str, type[Class]], base: type[Any]
) -> tuple[type[Class], dict[str, Any]]:
    """Finds the class that a section of options names.

    Args:
        options: ``{"type": name, ...}``; a name is a key of `table` or ``package.module:Class``.
        path: where the options were written, dotted; only used in messages.
        table: the classes that have a name.
        base: what a class must be derived from.

    Returns:
        The class, and the options without ``type``.

    Raises:
        ValueError: no mapping, no ``type``, no such class, or one that is not derived from `base`.
    """
    if not isinstance(options, Mapping):
        raise ValueError(f"{path}: expected a mapping with the key 'type', got {options!r}")
    if "type" not in options:
        raise ValueError(f"{path}.type: missing; known: {', '.join(sorted(table))}")
    values = {key: options[key] for key in options if key != "type"}
    return _find(options["type"], f"{path}.type", table, base), values


def expand_preset(
    presets: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any], path: str
) -> dict[str, Any]:
    """The options with their ``preset``, if any, written out; what is given beside it has the last word.

    Args:
        presets: named sets of options; where there are none, ``preset`` is a key like any other.
        values: the options.
        path: where the options were written, dotted; only used in messages.

    Raises:
        ValueError: no such preset.
    """
    if not presets or "preset" not in values:
        return dict(values)
    name = values["preset"]
    if not isinstance(name, str) or name not in presets:
        raise ValueError(unknown_message(f"{path}.preset", name, presets))
    return {**presets[name], **{key: value for key, value in values.items() if key != "preset"}}


def _find(name: object, path: str, table: Mapping[str, type[Class]], base: type[Any]) -> type[Class]:
    if isinstance(name, str) and ":" in name:
        return _load(name, path, base)
    if not isinstance(name, str) or name not in table:
        raise ValueError(unknown_message(path, name, table))
    return table[name]


def _load(name: str, path: str, base: type[Any]) -> type[Any]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: cannot load {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        package = base.__module__.rpartition(".")[0]  # a base class is exported by the package of its module
        raise ValueError(f"{path}: {name!r} is no subclass of {package}.{base.__name__}")
    return found
