"""Independently recurrent units: each sees of the past only itself.

T time, B lanes, F features, H units.

Source: Li et al., Independently recurrent neural network (IndRNN): building a longer and deeper RNN, 2018:
h' = relu(W x + u h + b), with one recurrent weight u for each unit (equation 2).
"""

import dataclasses

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.memory.classic.layer_core import LayerCore, LayerCoreOptions
from engram.memory.core import State
from engram.memory.options import integer


@dataclasses.dataclass(frozen=True, kw_only=True)
class IndRNNOptions(LayerCoreOptions):
    """Options of `ind_rnn`."""

    horizon: int = integer(
        1000, "steps over which a unit's memory, or its gradient, at most doubles", unit="env steps"
    )


class IndRNN(LayerCore):
    """One layer of independently recurrent ReLU units; state `hidden` (B, H), zero when an episode starts.

    Recurrent weights start uniform in [0, 2^(1/horizon)] and act as if clipped to +-2^(1/horizon), so that
    nothing explodes within the horizon. The paper clips the parameters after every update; here the clipping
    is in the forward pass, and gradients go through it unchanged.
    """

    Options = IndRNNOptions

    def __init__(self, input_size: int, options: IndRNNOptions) -> None:
        super().__init__(input_size, options)
        self.limit = 2.0 ** (1.0 / options.horizon)
        self.project = nn.Linear(input_size, options.size)
        self.recurrent = nn.Parameter(torch.empty(options.size).uniform_(0.0, self.limit))

    def clipped(self) -> Tensor:
        """The recurrent weights as they act, (H)."""
        weights = self.recurrent.detach()
        return weights.clamp(-self.limit, self.limit) + (self.recurrent - weights)  # adds 0, and the gradient

    def run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """One matmul for all steps, then unit by unit."""
        weights, hidden = self.clipped(), state["hidden"]
        outputs = []
        for driven in self.project(inputs).unbind(0):
            hidden = torch.addcmul(driven, weights, hidden).relu()
            outputs.append(hidden)
        return torch.stack(outputs), {"hidden": hidden}

    @override
    def step(self, inputs: Tensor, state: State) -> State:
        return {"hidden": torch.addcmul(self.project(inputs), self.clipped(), state["hidden"]).relu()}
