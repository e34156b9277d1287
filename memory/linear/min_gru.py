"""minGRU: a gated recurrent unit whose gate and candidate look at the input alone.

T time, B lanes, F features, H units.

Source: Feng et al., Were RNNs all we needed?, 2024, sec. 3.1 (minGRU).
"""

import dataclasses

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.memory.chrono import chrono_bias, horizon_option
from engram.memory.core import CoreOptions, Info, State
from engram.memory.linear.blocks import BlockedCore
from engram.memory.linear.scan import scan
from engram.memory.options import integer


@dataclasses.dataclass(frozen=True, kw_only=True)
class MinGRUOptions(CoreOptions):
    """Options of `min_gru`."""

    size: int = integer(128, "units, and width of the output", unit="units", high=4096)
    horizon: int | None = horizon_option()


class MinGRU(BlockedCore):
    """z_t = sigmoid(W_z x_t), h~_t = W_h x_t, h_t = (1 - z_t) * h_{t-1} + z_t * h~_t; the output is h_t.

    Both maps have a bias. This is the form of the paper's algorithm 2: the positive candidate g() of its
    log-space form serves a scan over logarithms, which this one is not. Given a `horizon`, gates start as
    Tallec and Ollivier (2018) have them. State `hidden` (B, H), zero at first.
    """

    Options = MinGRUOptions

    def __init__(self, input_size: int, options: MinGRUOptions) -> None:
        super().__init__(input_size, options)
        self.output_size = options.size
        self.gate = nn.Linear(input_size, options.size)
        self.candidate = nn.Linear(input_size, options.size)
        if options.horizon is not None:
            with torch.no_grad():
                self.gate.bias.copy_(-chrono_bias(options.size, options.horizon))

    @override
    def initial_state(self, lanes: int) -> State:
        return {"hidden": self.gate.bias.new_zeros(lanes, self.output_size)}

    def unroll_block(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """One scan; info: `hidden` and the update `gate`, each (T, B, H)."""
        gate = torch.sigmoid(self.gate(inputs))
        hidden = scan(1 - gate, gate * self.candidate(inputs), state["hidden"], resets)
        return hidden, {"hidden": hidden[-1]}, {"hidden": hidden, "gate": gate} if return_info else {}
