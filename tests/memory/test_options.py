"""Options: defaults, errors by their text, and a fuzz."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.memory import CORES, Core, core_options, make_core
from engram.memory.options import unknown_key_message, unknown_message

KNOWN = ", ".join(sorted(CORES))

ERRORS: list[tuple[Any, str]] = [
    (
        {"type": "lowpass"},
        f"core.type: unknown 'lowpass'; did you mean 'low_pass'? known: {KNOWN}",
    ),
    ({"type": "zebra"}, f"core.type: unknown 'zebra'; known: {KNOWN}"),
    ({"type": 3}, f"core.type: unknown 3; known: {KNOWN}"),
    ({"type": ["lstm"]}, f"core.type: unknown ['lstm']; did you mean 'lstm'? known: {KNOWN}"),
    (
        {"type": "no.such.module:Core"},
        "core.type: cannot load 'no.such.module:Core': No module named 'no'; modules are looked for in the "
        "working directory and on PYTHONPATH",
    ),
    ({"type": "torch:nope"}, "core.type: cannot load 'torch:nope': module 'torch' has no attribute 'nope'"),
    ({"type": "torch.nn:LSTM"}, "core.type: 'torch.nn:LSTM' is no subclass of engram.memory.Core"),
    ({"type": "lstm", "preset": "paper"}, "core.preset: unknown key; known: bptt_steps, horizon, size"),
    ({"type": "rims", "preset": 1}, "core.preset: unknown 1; known: authors, authors_atari, dido, paper"),
    ({}, f"core.type: missing; known: {KNOWN}"),
    ("lstm", "core: expected a mapping with the key 'type', got 'lstm'"),
    (
        {"type": "low_pass", "pols": 3},
        "core.pols: unknown key; did you mean 'pools'? known: base, block_gradients, bptt_steps, "
        "coefficients, links, normalize, normalize_input, orthonormal, parallel, pools, read_p0, size, "
        "summariser, train_input, viewports",
    ),
    ({"type": "lstm", "size": "big"}, "core.size: expected an integer >= 1, got 'big'"),
    ({"type": "lstm", "size": 0}, "core.size: expected an integer >= 1, got 0"),
    ({"type": "lstm", "size": True}, "core.size: expected an integer >= 1, got True"),
    ({"type": "lstm", "size": 64.0}, "core.size: expected an integer >= 1, got 64.0"),
    ({"type": "lstm", "size": None}, "core.size: expected an integer >= 1, got None"),
    ({"type": "lstm", "size": 10**6}, "core.size: expected an integer <= 4096, got 1000000"),
    ({"type": "lstm", "bptt_steps": 0}, "core.bptt_steps: expected an integer >= 1, or none, got 0"),
    ({"type": "low_pass", "base": 1}, "core.base: expected a number > 1 and <= 1000, got 1"),
    ({"type": "low_pass", "base": float("nan")}, "core.base: expected a number > 1 and <= 1000, got nan"),
    ({"type": "low_pass", "base": "2"}, "core.base: expected a number > 1 and <= 1000, got '2'"),
    ({"type": "low_pass", "parallel": 1}, "core.parallel: expected true or false, got 1"),
    (
        {"type": "low_pass", "normalize": "layers"},
        "core.normalize: unknown 'layers'; did you mean 'layer'? known: layer, none, running",
    ),
    (
        {"type": "low_pass", "normalize": False},
        "core.normalize: unknown False; known: layer, none, running",
    ),
    (
        {"type": "low_pass", "coefficients": 0.5},
        "core.coefficients: expected a list of at least one entry, got 0.5",
    ),
    ({"type": "low_pass", "coefficients": [0]}, "core.coefficients: expected a number > 0 and <= 1, got 0"),
    (
        {"type": "low_pass", "coefficients": [0.5]},
        "core.coefficients: expected 9 numbers, one per pool, got 1",
    ),
    (
        {"type": "low_pass", "pools": 1, "base": 3, "coefficients": [0.5]},
        "core.base: expected either base or coefficients, got both",
    ),
    (
        {"type": "low_pass", "parallel": True, "links": "orthonormal_tanh"},
        "core.links: parallel pools have none, expected identity, got 'orthonormal_tanh'",
    ),
    ({"type": "mlp", "hidden": []}, "core.hidden: expected a list of at least one entry, got []"),
    ({"type": "mlp", "hidden": [8, -1]}, "core.hidden: expected an integer >= 1, got -1"),
    ({"type": "mlp", 3: 4}, "core.3: unknown key; known: bptt_steps, hidden"),
]


@pytest.mark.parametrize(("options", "message"), ERRORS, ids=[message[:50] for _, message in ERRORS])
def test_errors(options: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared below
        make_core(4, options)
    assert str(error.value) == message


def test_path_in_errors() -> None:
    with pytest.raises(ValueError, match=r"^model\.core\.size: expected an integer >= 1, got 0$"):
        core_options({"type": "lstm", "size": 0}, path="model.core")


@pytest.mark.parametrize("size", [0, -1, True, 2.0, None, "4"])
def test_input_size(size: Any) -> None:
    with pytest.raises(ValueError, match=r"^input_size: expected an integer >= 1, got "):
        make_core(size, {"type": "mlp"})


@pytest.mark.parametrize("name", CORES)
def test_every_option_is_described(name: str) -> None:
    for field in dataclasses.fields(CORES[name].Options):
        assert field.metadata["doc"]
        assert "unit" in field.metadata


def test_a_class_of_ones_own() -> None:
    core = make_core(4, {"type": "engram.memory.windows.mlp:MLP", "hidden": [3]})
    assert type(core) is CORES["mlp"]
    assert core.output_size == 3


def test_a_preset_gives_way_to_what_stands_beside_it() -> None:
    _, options = core_options({"type": "rims", "preset": "authors", "comm_key_size": 8})
    chosen = dataclasses.asdict(options)
    assert (chosen["comm_key_size"], chosen["comm_value_size"], chosen["gated"]) == (8, 16, True)


@pytest.mark.parametrize(("name", "preset"), [(n, p) for n, core in CORES.items() for p in core.PRESETS])
def test_every_preset_builds(name: str, preset: str) -> None:
    assert make_core(8, {"type": name, "preset": preset}).output_size > 0


def test_whole_numbers_and_lists_are_taken_as_they_come() -> None:
    _, options = core_options({"type": "low_pass", "pools": 2, "coefficients": [1, 0.5]})
    assert dataclasses.asdict(options)["coefficients"] == (1.0, 0.5)
    _, options = core_options({"type": "low_pass", "base": 3})
    assert dataclasses.asdict(options)["base"] == 3.0


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 40),
    st.just(10**9),
    st.floats(),
    st.floats(0, 1),
    st.text(max_size=8),
)
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
)
KEYS = sorted({field.name for core in CORES.values() for field in dataclasses.fields(core.Options)})
NAMES = st.one_of(st.sampled_from(["none", "layer", "running"]), VALUES)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.sampled_from(sorted(CORES)), VALUES),
    st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=8), st.integers()), NAMES, max_size=4),
)
def test_a_core_or_a_value_error(name: Any, options: dict[Any, Any]) -> None:
    message, core = "", None
    try:
        core = make_core(3, {**options, "type": name})
    except ValueError as error:
        message = str(error)
    assert isinstance(core, Core) or message.startswith("core")


def test_a_list_that_is_too_long_says_of_how_many_it_is_the_nearest():
    names = [f"row{index}" for index in range(40)]
    assert unknown_message("a", "row1", names[2:], limit=38).count("row") == 40
    said = unknown_message("a", "row1x", names, limit=39)
    assert said.startswith("a: unknown 'row1x'; did you mean 'row1'? nearest of 40: row1, ")
    assert said.count(", ") == 7
    assert unknown_key_message("a", "??", names, limit=39) == (
        "a.??: unknown key; the first 8 of 40: row0, row1, row10, row11, row12, row13, row14, row15"
    )
