"""The LSTM against its equations."""

import torch

from engram.memory import make_core
from engram.memory.lstm import LSTM

from .reference import lstm_outputs


def build() -> LSTM:
    torch.manual_seed(0)
    core = make_core(3, {"type": "lstm", "size": 4})
    assert isinstance(core, LSTM)
    return core.double()


def test_outputs_against_the_equations() -> None:
    core = build()
    inputs = torch.randn(12, 5, 3, dtype=torch.float64)
    state = {"hidden": torch.randn(5, 4).double(), "cell": torch.randn(5, 4).double()}
    resets = torch.rand(12, 5) < 0.2
    expected = lstm_outputs(core.lstm, inputs, state["hidden"], state["cell"], resets)
    outputs, after, info = core(inputs, state, resets, return_info=True)
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(after["hidden"], expected[-1])
    assert info["hidden"] is outputs


def test_forget_gate_starts_open() -> None:
    core = build()
    bias = (core.lstm.bias_ih_l0 + core.lstm.bias_hh_l0).view(4, 4)
    assert bias.tolist() == [[0.0] * 4, [1.0] * 4, [0.0] * 4, [0.0] * 4]
