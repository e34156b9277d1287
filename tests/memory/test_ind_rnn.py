"""What the recurrent weights of independent units may be."""

import torch

from engram.memory import make_core
from engram.memory.classic.ind_rnn import IndRNN


def build() -> IndRNN:
    torch.manual_seed(0)
    core = make_core(3, {"type": "ind_rnn", "size": 50, "horizon": 10})
    assert isinstance(core, IndRNN)
    return core


def test_start() -> None:
    core = build()
    assert 0.0 <= core.recurrent.min() < 0.2
    assert 0.8 < core.recurrent.max() <= 2**0.1


def test_weights_act_clipped_but_learn() -> None:
    core = build()
    with torch.no_grad():
        core.recurrent[:2] = torch.tensor([5.0, -5.0])
    weights = core.clipped()
    weights.sum().backward()
    torch.testing.assert_close(weights[:2], torch.tensor([2**0.1, -(2**0.1)]))
    torch.testing.assert_close(weights[2:], core.recurrent[2:])
    assert core.recurrent.grad is not None
    assert core.recurrent.grad.tolist() == [1.0] * 50


def test_memory_at_most_doubles_over_the_horizon() -> None:
    core = build()
    with torch.no_grad():
        core.recurrent.fill_(100.0)
        core.project.weight.zero_()
        core.project.bias.zero_()
    outputs, _ = core(torch.zeros(10, 1, 3), {"hidden": torch.ones(1, 50)})
    torch.testing.assert_close(outputs[-1], torch.full((1, 50), 2.0))
