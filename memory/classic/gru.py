"""Gated recurrent units.

T time, B lanes, F features, H units.

Source: Cho et al., Learning phrase representations using RNN encoder-decoder, 2014, in the form that PyTorch
and cuDNN compute, where the reset gate acts after the recurrent weights:

    r = sigmoid(W_r x + U_r h + b_r),  z = sigmoid(W_z x + U_z h + b_z)
    n = tanh(W_n x + b_n + r (U_n h + c_n)),  h' = (1 - z) n + z h
"""

import dataclasses

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.memory.chrono import chrono_bias, horizon_option
from engram.memory.classic.layer_core import LayerCore, LayerCoreOptions
from engram.memory.core import State


@dataclasses.dataclass(frozen=True, kw_only=True)
class GRUOptions(LayerCoreOptions):
    """Options of `gru`."""

    horizon: int | None = horizon_option()


class GRU(LayerCore):
    """One layer of gated recurrent units; state `hidden` (B, H), zero at the start of an episode.

    Given a `horizon`, the update gates start as Tallec and Ollivier (2018) have them.
    """

    Options = GRUOptions

    def __init__(self, input_size: int, options: GRUOptions) -> None:
        super().__init__(input_size, options)
        self.gru = nn.GRU(input_size, options.size)
        if options.horizon is not None:
            bias, recurrent_bias = self.gru.all_weights[0][2:]
            with torch.no_grad():
                recurrent_bias.zero_()
                _, update, _ = bias.zero_().chunk(3)  # z is the share of the old state that stays
                update.copy_(chrono_bias(options.size, options.horizon))

    @override
    def run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        outputs, hidden = self.run_layer(torch.gru, self.gru, inputs, state["hidden"].unsqueeze(0))
        return outputs, {"hidden": hidden[0]}

    @override
    def step(self, inputs: Tensor, state: State) -> State:
        return {"hidden": torch.gru_cell(inputs, state["hidden"], *self.gru.all_weights[0])}
