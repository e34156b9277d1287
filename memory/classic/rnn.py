"""The simple recurrent network.

T time, B lanes, F features, H units.

Source: Elman, Finding structure in time, 1990: h' = f(W x + b + U h + c), f being tanh or ReLU.
"""

import dataclasses

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.memory.classic.layer_core import LayerCore, LayerCoreOptions
from engram.memory.core import State
from engram.memory.options import choice


@dataclasses.dataclass(frozen=True, kw_only=True)
class RNNOptions(LayerCoreOptions):
    """Options of `rnn`."""

    nonlinearity: str = choice("tanh", "activation of the units", ("tanh", "relu"))


class RNN(LayerCore):
    """One layer of fully recurrent units; state `hidden` (B, H), zero at the start of an episode."""

    Options = RNNOptions

    def __init__(self, input_size: int, options: RNNOptions) -> None:
        super().__init__(input_size, options)
        self.rnn = nn.RNN(input_size, options.size, nonlinearity=options.nonlinearity)

    @override
    def run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        kernel = torch.rnn_tanh if self.rnn.nonlinearity == "tanh" else torch.rnn_relu
        outputs, hidden = self.run_layer(kernel, self.rnn, inputs, state["hidden"].unsqueeze(0))
        return outputs, {"hidden": hidden[0]}

    @override
    def step(self, inputs: Tensor, state: State) -> State:
        cell = torch.rnn_tanh_cell if self.rnn.nonlinearity == "tanh" else torch.rnn_relu_cell
        return {"hidden": cell(inputs, state["hidden"], *self.rnn.all_weights[0])}
