"""Slow twins of the windows: plain loops, straight from the equations. T time, B lanes, F features."""

import torch
from torch import Tensor, nn

from engram.memory import State
from engram.memory.windows.mlp import MLP


def mlp(core: MLP, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """relu(W x + b), layer after layer, step by step; shapes as in `Core.forward`."""
    steps = []
    for x in inputs:
        for layer in core.layers:
            if isinstance(layer, nn.Linear):
                x = torch.relu(x @ layer.weight.T + layer.bias)
        steps.append(x)
    return torch.stack(steps), {}
