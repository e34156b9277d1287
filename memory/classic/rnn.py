"""The simple recurrent network.

T time, B lanes, F features, H units.

Source: Elman, Finding structure in time, 1990: h' = f(W x + b + U h + c), f being tanh or ReLU.
"""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from engram.memory.classic.layer_core import LayerCore, LayerCoreOptions
from engram.memory.core import CoreOptions, State
from engram.memory.options import choice


@dataclasses.dataclass(frozen=True, kw_only=True)
class RNNOptions(LayerCoreOptions):
    """Options of `rnn`."""

    nonlinearity: str = choice("tanh", "activation of the units", ("tanh", "relu"))


class RNN(LayerCore):
    """One layer of fully recurrent units; state `hidden` (B, H), zero at the start of an episode."""

    Options: ClassVar[type[CoreOptions]] = RNNOptions

    def __init__(self, input_size: int, options: RNNOptions) -> None:
        super().__init__(input_size, options)
        self.rnn = nn.RNN(input_size, options.size, nonlinearity=options.nonlinearity)

    def run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """PyTorch's layer; see `LayerCore.run`."""
        kernel = torch.rnn_tanh if self.rnn.nonlinearity == "tanh" else torch.rnn_relu
        outputs, hidden = self.run_layer(kernel, self.rnn, inputs, state["hidden"].unsqueeze(0))
        return outputs, {"hidden": hidden[0]}

    def step(self, inputs: Tensor, state: State) -> State:
        """PyTorch's cell; see `LayerCore.step`."""
        cell = torch.rnn_tanh_cell if self.rnn.nonlinearity == "tanh" else torch.rnn_relu_cell
        return {"hidden": cell(inputs, state["hidden"], *self.rnn.all_weights[0])}
