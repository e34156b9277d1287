"""The cores that the conformance tests run over: every row of the table as it is, and in its variants."""

from typing import Any

from engram.memory import CORES

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "frame_stack": [{"frames": 2, "hidden": [5]}, {"frames": 20, "hidden": [7, 3]}],
    "gru": [{"size": 1}, {"size": 6}],
    "gtrxl": [
        {"size": 4, "layers": 1, "heads": 1, "memory": 1, "feedforward": 3},
        {"size": 6, "layers": 3, "heads": 3, "memory": 4, "feedforward": 5},
        {"size": 8, "layers": 2, "heads": 2, "memory": 30, "feedforward": 8},
    ],
    "ind_rnn": [{"size": 1}, {"size": 6, "horizon": 5}],
    "low_pass": [
        {"pools": 1, "size": 5},
        {"pools": 4, "size": 5, "base": 1.5, "read_p0": True},
        {"pools": 3, "size": 9, "coefficients": [0.5, 1.0, 0.01]},
        {"pools": 4, "size": 5, "parallel": True},
        {"pools": 4, "size": 9, "parallel": True, "normalize": "running"},
        {"pools": 4, "size": 5, "normalize": "layer"},
        {"pools": 4, "size": 5, "normalize": "running", "read_p0": True},
        {"pools": 4, "size": 5, "normalize": "running", "train_input": False},
        {"pools": 4, "size": 5, "parallel": True, "train_input": False, "read_p0": True},
    ],
    "lstm": [{"size": 1}, {"size": 6}],
    "mlp": [{"hidden": [4]}, {"hidden": [7, 3]}],
    "rnn": [{"size": 1}, {"size": 6}, {"size": 6, "nonlinearity": "relu"}],
}

CASES: list[dict[str, Any]] = [
    {"type": name, **options} for name in CORES for options in [{}, *VARIANTS.get(name, [])]
]


def label(options: dict[str, Any]) -> str:
    """A readable test id."""
    return "-".join(str(value) if key == "type" else f"{key}={value}" for key, value in options.items())
