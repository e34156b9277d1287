"""Slow twins of the classic networks: plain loops over steps and lanes, straight from the equations.

T time, B lanes, F features, H units.
"""

import torch
from torch import Tensor

from engram.memory import State
from engram.memory.classic.lstm import LSTM


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
