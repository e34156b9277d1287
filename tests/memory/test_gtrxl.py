"""What a window of attention may see. T time, B lanes, F features, W steps of memory."""

import pytest
import torch

from engram.memory import make_core


def test_one_layer_forgets_what_leaves_the_window() -> None:
    torch.manual_seed(0)
    core = make_core(3, {"type": "gtrxl", "layers": 1, "memory": 4}).double()
    inputs = torch.randn(10, 1, 3, dtype=torch.float64, requires_grad=True)
    outputs, _ = core(inputs, core.initial_state(1))
    (gradient,) = torch.autograd.grad(outputs[-1].sum(), inputs)
    assert gradient.abs().sum((1, 2)).bool().tolist() == [False] * 5 + [True] * 5


def test_gates_start_nearly_shut() -> None:
    """A bias of 2: with weights of zero, sigmoid(-2) of the way from x to tanh(0)."""
    core = make_core(3, {"type": "gtrxl", "layers": 1, "size": 4})
    gate = core.layers[0].gate_attention
    with torch.no_grad():
        for weight in (gate.from_output.weight, gate.from_input.weight, gate.from_reset.weight):
            weight.zero_()
    x = torch.randn(5, 4)
    torch.testing.assert_close(gate(x, torch.randn(5, 4)), x * torch.sigmoid(torch.tensor(2.0)))


def test_heads_divide_the_size() -> None:
    with pytest.raises(ValueError, match=r"^core.heads: expected a divisor of size 64, got 5$"):
        make_core(3, {"type": "gtrxl", "heads": 5})
