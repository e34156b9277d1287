"""Slow twins of the classic networks: plain loops over steps and lanes, straight from the equations.

T time, B lanes, F features, H units.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from engram.memory import State
from engram.memory.classic.gru import GRU
from engram.memory.classic.ind_rnn import IndRNN
from engram.memory.classic.lstm import LSTM
from engram.memory.classic.rnn import RNN


def lstm(core: LSTM, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """The LSTM's six equations; shapes as in `Core.forward`."""
    weights = core.lstm
    rows, last = [], []
    for lane in range(inputs.shape[1]):
        h, c = state["hidden"][lane], state["cell"][lane]
        row = []
        for t in range(len(inputs)):
            if resets[t, lane]:
                h, c = torch.zeros_like(h), torch.zeros_like(c)
            gates = (
                weights.weight_ih_l0 @ inputs[t, lane]
                + weights.bias_ih_l0
                + weights.weight_hh_l0 @ h
                + weights.bias_hh_l0
            )
            i, f, g, o = gates.chunk(4)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            row.append(h)
        rows.append(torch.stack(row))
        last.append((h, c))
    hidden, cell = (torch.stack(leaves) for leaves in zip(*last, strict=True))
    return torch.stack(rows, 1), {"hidden": hidden, "cell": cell}


def gru(core: GRU, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """Reset and update gates, the reset gate acting after the recurrent weights."""
    weights = core.gru

    def step(x: Tensor, h: Tensor) -> Tensor:
        x_r, x_z, x_n = (weights.weight_ih_l0 @ x + weights.bias_ih_l0).chunk(3)
        h_r, h_z, h_n = (weights.weight_hh_l0 @ h + weights.bias_hh_l0).chunk(3)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        return (1 - z) * torch.tanh(x_n + r * h_n) + z * h

    return run_hidden(step, inputs, state, resets)


def rnn(core: RNN, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """f(W x + b + U h + c)."""
    weights = core.rnn
    f = {"tanh": torch.tanh, "relu": torch.relu}[weights.nonlinearity]

    def step(x: Tensor, h: Tensor) -> Tensor:
        driven = weights.weight_ih_l0 @ x + weights.bias_ih_l0
        return f(driven + weights.weight_hh_l0 @ h + weights.bias_hh_l0)

    return run_hidden(step, inputs, state, resets)


def ind_rnn(core: IndRNN, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """relu(W x + b + u h), u clipped for the value, not for the gradient."""

    def step(x: Tensor, h: Tensor) -> Tensor:
        u = core.recurrent
        u = u + (u.detach().clamp(-core.limit, core.limit) - u.detach())
        return torch.relu(core.project.weight @ x + core.project.bias + u * h)

    return run_hidden(step, inputs, state, resets)


def run_hidden(
    step: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, state: State, resets: Tensor
) -> tuple[Tensor, State]:
    """Lane by lane and step by step: x (F), h (H) -> h (H)."""
    rows = []
    for lane in range(inputs.shape[1]):
        h = state["hidden"][lane]
        row = []
        for t in range(len(inputs)):
            if resets[t, lane]:
                h = torch.zeros_like(h)
            h = step(inputs[t, lane], h)
            row.append(h)
        rows.append(torch.stack(row))
    outputs = torch.stack(rows, 1)
    return outputs, {"hidden": outputs[-1]}
