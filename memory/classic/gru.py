"""Gated recurrent units.

T time, B lanes, F features, H units.

Source: Cho et al., Learning phrase representations using RNN encoder-decoder, 2014, in the form that PyTorch
and cuDNN compute, where the reset gate acts after the recurrent weights:

    r = sigmoid(W_r x + U_r h + b_r),  z = sigmoid(W_z x + U_z h + b_z)
    n = tanh(W_n x + b_n + r (U_n h + c_n)),  h' = (1 - z) n + z h
"""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from engram.memory.classic.recurrent_layer import RecurrentLayer, RecurrentLayerOptions
from engram.memory.core import CoreOptions, State


@dataclasses.dataclass(frozen=True, kw_only=True)
class GRUOptions(RecurrentLayerOptions):
    """Options of `gru`."""


class GRU(RecurrentLayer):
    """One layer of gated recurrent units; state `hidden` (B, H), zero at the start of an episode."""

    Options: ClassVar[type[CoreOptions]] = GRUOptions

    def __init__(self, input_size: int, options: GRUOptions) -> None:
        super().__init__(input_size, options)
        self.gru = nn.GRU(input_size, options.size)

    def run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """PyTorch's layer; see `RecurrentLayer.run`."""
        outputs, hidden = self.gru(inputs, state["hidden"].unsqueeze(0))
        return outputs, {"hidden": hidden[0]}

    def step(self, inputs: Tensor, state: State) -> State:
        """PyTorch's cell; see `RecurrentLayer.step`."""
        return {"hidden": torch.gru_cell(inputs, state["hidden"], *self.gru.all_weights[0])}
