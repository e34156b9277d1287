"""How the LSTM starts."""

import torch

from engram.memory import make_core
from engram.memory.classic.lstm import LSTM


def build() -> LSTM:
    torch.manual_seed(0)
    core = make_core(3, {"type": "lstm", "size": 4})
    assert isinstance(core, LSTM)
    return core.double()


def test_forget_gate_starts_open() -> None:
    core = build()
    bias = (core.lstm.bias_ih_l0 + core.lstm.bias_hh_l0).view(4, 4)
    assert bias.tolist() == [[0.0] * 4, [1.0] * 4, [0.0] * 4, [0.0] * 4]
