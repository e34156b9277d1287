"""`json_schema` says of options what their checks say."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator

from engram.agents import ENCODERS
from engram.agents.models.recurrent_network import ModelConfig
from engram.memory import CORES, core_options
from engram.memory.options import parse_options
from engram.memory.schema import json_schema, table_schema
from engram.memory.thinking import EXIT_RULES, LOSSES, THINKERS

TABLES: dict[str, Mapping[str, type[Any]]] = {
    "cores": CORES,
    "thinkers": THINKERS,
    "losses": LOSSES,
    "exit rules": EXIT_RULES,
    "encoders": ENCODERS,
}
CLASSES = [getattr(row, "Options", row) for table in TABLES.values() for row in table.values()]
VALUES = (None, True, 0, 1, -1, 3, 10**6, 0.5, -0.5, 2.5, "x", "none", "auto", [], [1], [0.5], ["a"], {})


def admits(schema: dict[str, Any], document: Any) -> bool:
    return bool(Draft202012Validator(schema).is_valid(document))


@pytest.mark.parametrize("section", CLASSES, ids=lambda section: section.__name__)
def test_a_schema_admits_what_the_check_of_an_option_admits(section: type[Any]) -> None:
    schema = json_schema(section)
    Draft202012Validator.check_schema(schema)
    assert admits(schema, {})
    assert not admits(schema, {"no such key": 1})
    for field in dataclasses.fields(section):
        part = schema["properties"][field.name]
        assert part["description"] == field.metadata["doc"]
        assert admits(part, part["default"])
        for value in VALUES:
            try:
                field.metadata["check"](value)
            except ValueError:
                assert not admits(part, value), (field.name, value)
            else:
                assert admits(part, value), (field.name, value)


def test_the_schema_of_an_option() -> None:
    assert json_schema(CORES["lstm"].Options)["properties"]["size"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 4096,
        "description": "units, and width of the output",
        "x-unit": "units",
        "default": 128,
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_table_admits_its_rows_and_classes_of_ones_own(name: str) -> None:
    schema = table_schema(TABLES[name])
    Draft202012Validator.check_schema(schema)
    for row in TABLES[name]:
        assert admits(schema, {"type": row})
        assert not admits(schema, {"type": row, "no such key": 1})
    assert admits(schema, {"type": "package.module:Class", "anything": 1})
    for wrong in ({}, {"type": "no such row"}, "lstm"):
        assert not admits(schema, wrong)


def test_presets() -> None:
    schema = table_schema(CORES)
    assert admits(schema, {"type": "rims", "preset": "paper", "num_active": 2})
    assert not admits(schema, {"type": "rims", "preset": "papers"})
    core_options({"type": "rims", "preset": "paper", "num_active": 2})


def test_the_model_section() -> None:
    schema = json_schema(ModelConfig)
    assert admits(schema, {"core": {"type": "lstm"}, "skip": True})
    assert not admits(schema, {"core": 3})
    assert not admits(schema, {"skip": "yes"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Own:
    """Mine.

    More.
    """

    size: int
    rate: float | None = None
    kind: Literal["a", "b"] = "a"
    layers: tuple[int, ...] = (1, 2)
    pair: tuple[int, str] = (1, "x")
    extra: dict[str, int] = dataclasses.field(default_factory=dict)
    anything: object = None


def test_a_plain_dataclass_is_described_by_its_annotations() -> None:
    schema = json_schema(Own)
    assert (schema["description"], schema["required"]) == ("Mine.", ["size"])
    assert schema["properties"]["layers"] == {
        "type": "array",
        "items": {"type": "integer"},
        "default": [1, 2],
    }
    legal = {"size": 1, "rate": 1, "kind": "b", "layers": [3], "pair": [2, "y"], "extra": {"a": 1}}
    assert admits(schema, legal)
    parse_options(Own, legal, "core")
    for key, value in {"size": "1", "rate": "1", "kind": "c", "layers": 3, "pair": [1], "extra": []}.items():
        assert not admits(schema, legal | {key: value}), key
        with pytest.raises(ValueError, match=rf"^core\.{key}: "):
            parse_options(Own, legal | {key: value}, "core")
