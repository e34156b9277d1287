"""From the name in a section of options to a class: a row of a table, or ``package.module:Class``."""

import difflib
import importlib
import re
import sys
import types
from collections.abc import Mapping
from typing import Any, TypeVar

from engram.memory.blame import explain, place
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
        base: the class that it must be derived from.

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
    """Replaces ``preset`` by the options it stands for; options given beside it take precedence.

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


def build_class(made: type[Class], path: str, name: object, *arguments: Any) -> Class:
    """Instantiates the class that a section of options names; any error becomes a ValueError.

    Args:
        made: the class, from `choose_class`.
        path: where the options were written, dotted; only used in messages.
        name: what was written there as ``type``.
        arguments: of the constructor.

    Raises:
        ValueError: the constructor raised something; a ValueError of its own starts with the key it is about.
    """
    try:
        return made(*arguments)
    except (Exception, SystemExit) as error:
        text = str(error)
        if isinstance(error, ValueError) and text.startswith((f"{path}.", f"{path}:")):
            raise
        if isinstance(error, ValueError) and re.match(r"\w+(\.\w+)*: ", text):
            raise ValueError(f"{path}.{text}") from error
        raise ValueError(f"{path}: {name!r} cannot be built: {explain(error)}") from error


def check_output_size(built: Any, path: str, name: object) -> None:
    """Raises ValueError where what was built does not say how many features it gives."""
    size = getattr(built, "output_size", None)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"{path}: output_size of {name!r} is {size!r}, expected an integer >= 1")


def _find(name: object, path: str, table: Mapping[str, type[Class]], base: type[Any]) -> type[Class]:
    if isinstance(name, str) and ":" in name:
        return _load(name, path, base)
    if isinstance(name, str) and "." in name and name not in table:
        module, _, attribute = name.rpartition(".")
        raise ValueError(f"{path}: unknown {name!r}; a class of your own is written {module}:{attribute}")
    if not isinstance(name, str) or name not in table:
        raise ValueError(unknown_message(path, name, table))
    return table[name]


def _load(name: str, path: str, base: type[Any]) -> type[Any]:
    found = load_object(name, path)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ValueError(f"{path}: {name!r} is no subclass of {_home(base)}.{base.__name__}")
    return found


def _home(base: type[Any]) -> str:
    """Returns the outermost package or module that has a class under its name: where users import it from."""
    parts = base.__module__.split(".")
    homes = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return next(home for home in homes if getattr(sys.modules.get(home), base.__name__, None) is base)


def load_object(name: str, path: str) -> Any:
    """Imports what ``package.module:Name`` names.

    Args:
        name: module and name in it; ``Outer.Inner`` for a class inside a class.
        path: where it was written, dotted; only used in messages.

    Raises:
        ValueError: there is no such module, its import fails, or it has no such name: where, and the nearest.
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = load_module(module)
    except ValueError as error:
        raise ValueError(f"{path}: cannot load {name!r}: {error}") from error
    for part in attribute.split("."):
        if not part or not hasattr(found, part):
            raise ValueError(f"{path}: cannot load {name!r}: {_no_such_name(found, part)}")
        found = getattr(found, part)
    return found


def load_module(name: str) -> types.ModuleType:
    """Imports a module, which may be a user's own.

    Args:
        name: dotted.

    Raises:
        ValueError: it cannot be imported: why, and in which line.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        where = place(error)
        hint = (
            f" ({where})" if where else "; modules are looked for in the working directory and on PYTHONPATH"
        )
        raise ValueError(f"{error}{hint}") from error
    except (Exception, SystemExit) as error:  # importing a user's module may raise anything
        raise ValueError(f"its import raises {explain(error)}" if place(error) else str(error)) from error


def _no_such_name(found: Any, part: str) -> str:
    kind, home = (
        ("module", found.__name__) if isinstance(found, types.ModuleType) else ("class", found.__module__)
    )
    own = [
        key
        for key, value in vars(found).items()
        if callable(value) and getattr(value, "__module__", "") == home
    ]
    nearest = difflib.get_close_matches(part, own, n=1, cutoff=0.7)
    hint = (
        f"; did you mean {nearest[0]!r}?"
        if nearest
        else f"; it has {', '.join(own)}"
        if 0 < len(own) < 9
        else ""
    )
    return f"{kind} {found.__name__!r} has no attribute {part!r}{hint}"
