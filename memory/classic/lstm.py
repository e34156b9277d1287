"""Long short-term memory, the baseline.

T time, B lanes, F features, H units.

Source: Hochreiter and Schmidhuber, Long short-term memory, 1997; forget gates with a bias of 1 as in Gers et
al., 2000 and Jozefowicz et al., 2015.
"""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.memory.chrono import chrono_bias, horizon_option
from engram.memory.classic.layer_core import LayerCore, LayerCoreOptions
from engram.memory.core import State


@dataclasses.dataclass(frozen=True, kw_only=True)
class LSTMOptions(LayerCoreOptions):
    """Options of `lstm`."""

    horizon: int | None = horizon_option()


class LSTM(LayerCore):
    """One layer of LSTM cells; state `hidden` and `cell`, each (B, H), zero at the start of an episode.

    Forget gates start with a bias of 1, or, given a `horizon`, as Tallec and Ollivier (2018) have them.
    """

    Options = LSTMOptions
    leaves: ClassVar[tuple[str, ...]] = ("hidden", "cell")

    def __init__(self, input_size: int, options: LSTMOptions) -> None:
        super().__init__(input_size, options)
        self.lstm = nn.LSTM(input_size, options.size)
        bias, recurrent_bias = self.lstm.all_weights[0][2:]
        with torch.no_grad():
            recurrent_bias.zero_()
            into, forget, *_ = bias.zero_().chunk(4)  # cell and output follow
            forget.fill_(1.0)
            if options.horizon is not None:
                forget.copy_(chrono_bias(options.size, options.horizon))
                into.copy_(-forget)

    @override
    def run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        carried = (state["hidden"].unsqueeze(0), state["cell"].unsqueeze(0))
        outputs, hidden, cell = self.run_layer(torch.lstm, self.lstm, inputs, carried)
        return outputs, {"hidden": hidden[0], "cell": cell[0]}

    def step(self, inputs: Tensor, state: State) -> State:
        """PyTorch's cell, faster than its layer for a single step."""
        hidden, cell = torch.lstm_cell(inputs, (state["hidden"], state["cell"]), *self.lstm.all_weights[0])
        return {"hidden": hidden, "cell": cell}
