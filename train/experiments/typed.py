"""Sections of an experiment whose `type` names a row of a table of options."""

from collections.abc import Mapping
from typing import Any

from engram.memory.options import Options, parse_options
from engram.train.console.errors import ExperimentError, unknown


def parse_typed(
    section: Mapping[str, Any] | None, path: str, table: Mapping[str, type[Options]], default: str
) -> Options:
    """Check such a section.

    Args:
        section: As `read_experiments` returns it, with its `type`; None: the default.
        path: Its key.
        table: Name to options.
        default: The name where nothing is said.

    Raises:
        ExperimentError: an unknown type or key, or a value out of range.
    """
    values = dict(section or {"type": default})
    name = values.pop("type", None)
    if name is None:
        raise ExperimentError(f"{path}.type: missing; known: {', '.join(sorted(table))}")
    if name not in table:
        raise unknown(f"{path}.type", name, table)
    try:
        return parse_options(table[name], values, path)
    except ValueError as error:
        raise ExperimentError(str(error)) from None
