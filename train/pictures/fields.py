"""Options of pictures that cores do not have: texts and mappings."""

import dataclasses
from collections.abc import Mapping
from typing import Any


def text(default: str, doc: str) -> Any:
    """A field for a text of at least one character, unless it is empty by default."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not (value or not default):
            raise ValueError(f"expected a text, got {value!r}")
        return value

    return dataclasses.field(default=default, metadata={"doc": doc, "unit": "", "check": check})


def mapping(default: Mapping[str, Any], doc: str) -> Any:
    """A field for a mapping."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected a mapping, got {value!r}")
        return dict(value)

    return dataclasses.field(
        default_factory=lambda: dict(default), metadata={"doc": doc, "unit": "", "check": check}
    )
