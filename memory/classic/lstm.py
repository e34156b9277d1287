"""Long short-term memory, the baseline.

T time, B lanes, F features, H units.

Source: Hochreiter and Schmidhuber, Long short-term memory, 1997; forget gates with a bias of 1 as in Gers et
al., 2000 and Jozefowicz et al., 2015.
"""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from engram.memory.classic.recurrent_layer import RecurrentLayer, RecurrentLayerOptions
from engram.memory.core import CoreOptions, State


@dataclasses.dataclass(frozen=True, kw_only=True)
class LSTMOptions(RecurrentLayerOptions):
    """Options of `lstm`."""


class LSTM(RecurrentLayer):
    """One layer of LSTM cells; state `hidden` and `cell`, each (B, H), zero at the start of an episode."""

    Options: ClassVar[type[CoreOptions]] = LSTMOptions
    leaves: ClassVar[tuple[str, ...]] = ("hidden", "cell")

    def __init__(self, input_size: int, options: LSTMOptions) -> None:
        super().__init__(input_size, options)
        self.lstm = nn.LSTM(input_size, options.size)
        forget = slice(options.size, 2 * options.size)  # PyTorch's order: input, forget, cell, output
        with torch.no_grad():
            for name, bias in self.lstm.named_parameters():
                if name.startswith("bias"):
                    bias.zero_()[forget] = 1.0 if name == "bias_ih_l0" else 0.0

    def run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """PyTorch's layer without its checks, which cost time at every reset; see `RecurrentLayer.run`."""
        carried = (state["hidden"].unsqueeze(0), state["cell"].unsqueeze(0))
        weights, train = tuple(self.lstm.all_weights[0]), torch.is_grad_enabled()
        outputs, hidden, cell = torch.lstm(inputs, carried, weights, True, 1, 0.0, train, False, False)
        return outputs, {"hidden": hidden[0], "cell": cell[0]}

    def step(self, inputs: Tensor, state: State) -> State:
        """PyTorch's cell, faster than its layer for a single step; see `RecurrentLayer.step`."""
        hidden, cell = torch.lstm_cell(inputs, (state["hidden"], state["cell"]), *self.lstm.all_weights[0])
        return {"hidden": hidden, "cell": cell}
