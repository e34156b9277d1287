"""Long short-term memory, the baseline.

T time, B lanes, F features, H units.

Source: Hochreiter and Schmidhuber, Long short-term memory, 1997; forget gates with a bias of 1 as in Gers et
al., 2000 and Jozefowicz et al., 2015.
"""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from engram.memory.core import Core, CoreOptions, Info, State, split_at_resets
from engram.memory.options import integer


@dataclasses.dataclass(frozen=True, kw_only=True)
class LSTMOptions(CoreOptions):
    """Options of `lstm`."""

    size: int = integer(128, "cells, and width of the output", unit="units", high=4096)


class LSTM(Core):
    """One layer of LSTM cells; state `hidden` and `cell`, each (B, H), zero at the start of an episode."""

    Options: ClassVar[type[CoreOptions]] = LSTMOptions
    carries_gradient: ClassVar[bool] = True

    def __init__(self, input_size: int, options: LSTMOptions) -> None:
        super().__init__(input_size, options)
        self.output_size = options.size
        self.lstm = nn.LSTM(input_size, options.size)
        forget = slice(options.size, 2 * options.size)  # PyTorch's order: input, forget, cell, output
        with torch.no_grad():
            for name, bias in self.lstm.named_parameters():
                if name.startswith("bias"):
                    bias.zero_()[forget] = 1.0 if name == "bias_ih_l0" else 0.0

    def initial_state(self, lanes: int) -> State:
        """Zeros."""
        like = next(self.parameters())
        return {name: like.new_zeros(lanes, self.output_size) for name in ("hidden", "cell")}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Makes one call of PyTorch's LSTM per stretch without resets; see `Core.unroll`."""
        if len(inputs) == 1:
            return self._step(inputs, state, resets, return_info)
        pieces = []
        for stretch, starting in split_at_resets(len(inputs), resets):
            if starting is not None:
                state = self.reset_state(state, starting)
            carried = (state["hidden"].unsqueeze(0), state["cell"].unsqueeze(0))
            output, (hidden, cell) = self.lstm(inputs[stretch], carried)
            state = {"hidden": hidden[0], "cell": cell[0]}
            pieces.append(output)
        outputs = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        return outputs, state, {"hidden": outputs} if return_info else {}

    def _step(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """A single step, for which PyTorch's cell is faster than its layer."""
        if resets is not None:
            state = self.reset_state(state, resets[0])
        hidden, cell = torch.lstm_cell(inputs[0], (state["hidden"], state["cell"]), *self.lstm.all_weights[0])
        outputs = hidden.unsqueeze(0)
        return outputs, {"hidden": hidden, "cell": cell}, {"hidden": outputs} if return_info else {}
