"""The cores that the conformance tests run over: every row of the table as it is, and in its variants."""

from typing import Any

from engram.memory import CORES

SMALL_RIMS: dict[str, Any] = {
    "num_rims": 3,
    "rim_size": 4,
    "input_key_size": 6,
    "comm_heads": 2,
    "comm_key_size": 3,
    "comm_value_size": 2,
}

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "ema": [
        {"size": 5, "learned": True},
        {"size": 4, "time_constants": 3, "tau_min": 1.5, "tau_max": 50},
        {"size": 3, "time_constants": 2, "learned": True},
    ],
    "ffm": [
        {"size": 5, "trace_size": 3, "context_size": 2},
        {"size": 4, "trace_size": 1, "context_size": 1, "longest": 20, "left": 0.1},
        {"size": 6, "trace_size": 4, "context_size": 3, "learned": False},
    ],
    "frame_stack": [{"frames": 2, "hidden": [5]}, {"frames": 20, "hidden": [7, 3]}],
    "gru": [{"size": 1}, {"size": 6, "horizon": 20}],
    "gtrxl": [
        {"size": 4, "layers": 1, "heads": 1, "memory": 1, "feedforward": 3},
        {"size": 6, "layers": 3, "heads": 3, "memory": 4, "feedforward": 5},
        {"size": 8, "layers": 2, "heads": 2, "memory": 30, "feedforward": 8},
    ],
    "ind_rnn": [{"size": 1}, {"size": 6, "horizon": 5}],
    "linear_attention": [
        {"size": 6, "heads": 2, "key_size": 3},
        {"size": 4, "heads": 1, "key_size": 2, "decay": [0.9]},
        {"size": 6, "heads": 3, "key_size": 1, "decay": [0.5, 0.9, 1.0]},
    ],
    "low_pass": [
        {"pools": 1, "size": 5},
        {"pools": 4, "size": 5, "base": 1.5, "read_p0": True},
        {"pools": 3, "size": 9, "coefficients": [0.5, 1.0, 0.01]},
        {"pools": 4, "size": 5, "parallel": True},
        {"pools": 4, "size": 9, "parallel": True, "normalize": "running"},
        {"pools": 4, "size": 5, "links": "orthonormal_tanh"},
        {
            "pools": 3,
            "size": 7,
            "links": "orthonormal_tanh",
            "normalize": "running",
            "block_gradients": False,
        },
        {"pools": 3, "size": 5, "block_gradients": False},
        {"pools": 3, "size": 5, "parallel": True, "block_gradients": False, "normalize": "layer"},
        {"pools": 4, "size": 5, "normalize": "layer"},
        {"pools": 4, "size": 5, "normalize": "running", "read_p0": True},
        {
            "pools": 4,
            "size": 5,
            "normalize": "running",
            "train_input": False,
            "normalize_input": True,
            "orthonormal": True,
        },
        {"pools": 3, "size": 5, "parallel": True, "normalize": "layer", "orthonormal": True},
        {"pools": 4, "size": 5, "parallel": True, "train_input": False, "read_p0": True},
    ],
    "lru": [
        {"size": 5, "state_size": 3},
        {"size": 6, "state_size": 4, "r_min": 0.0, "r_max": 0.5, "max_phase": 6.28},
    ],
    "lstm": [{"size": 1}, {"size": 6, "horizon": 20}],
    "min_gru": [{"size": 1}, {"size": 5, "horizon": 20}],
    "mlp": [{"hidden": [4]}, {"hidden": [7, 3]}],
    "rims": [
        {**SMALL_RIMS, "num_active": 2},
        {**SMALL_RIMS, "num_active": 3, "dynamics": "gru", "input_heads": 2, "initial_state": "learned"},
        {**SMALL_RIMS, "num_active": 2, "elements": 3, "input_bias": True, "comm_value_size": None},
        {**SMALL_RIMS, "num_active": 1, "communication": False, "selection": "logit", "bias": False},
        {**SMALL_RIMS, "num_active": 3, "input_attention": False, "dynamics": "gru"},
        {**SMALL_RIMS, "num_active": 2, "compete": "rims", "input_heads": 2},
        {**SMALL_RIMS, "num_active": 2, "preset": "authors"},
        {**SMALL_RIMS, "num_active": 2, "preset": "authors_atari"},
        {**SMALL_RIMS, "num_active": 3, "compete": "rims", "margin": True},
        {**SMALL_RIMS, "num_active": 2, "preset": "dido", "initial_state": "zeros"},
    ],
    "rnn": [{"size": 1}, {"size": 6}, {"size": 6, "nonlinearity": "relu"}],
    "s5": [
        {"size": 5, "state_size": 4, "blocks": 1},
        {"size": 6, "state_size": 8, "blocks": 2, "gated": True},
        {"size": 4, "state_size": 2, "blocks": 1, "step_min": 0.1, "step_max": 1.0},
    ],
}

CASES: list[dict[str, Any]] = [
    {"type": name, **options} for name in CORES for options in [{}, *VARIANTS.get(name, [])]
]


def label(options: dict[str, Any]) -> str:
    """A readable test id."""
    return "-".join(str(value) if key == "type" else f"{key}={value}" for key, value in options.items())
