"""Fast and forgetful memory: gated inputs summed into traces that decay and oscillate.

T time, B lanes, F features, M traces, C contexts, H outputs. Complex numbers are pairs of reals, real parts
first.

Source: Morad et al., Reinforcement learning with fast and forgetful memory, 2023, sec. 3.
"""

import dataclasses
import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from engram.memory.core import CoreOptions, Info, State
from engram.memory.linear.blocks import BlockedCore
from engram.memory.linear.diagonal import log_spaced_times, polar
from engram.memory.linear.scan import scan_pairs
from engram.memory.options import boolean, integer, number


@dataclasses.dataclass(frozen=True, kw_only=True)
class FFMOptions(CoreOptions):
    """Options of `ffm`."""

    size: int = integer(128, "width of the output", unit="units", high=4096)
    trace_size: int = integer(32, "traces, each with a decay of its own", unit="traces", high=4096)
    context_size: int = integer(4, "contexts, each with a frequency of its own", unit="contexts", high=256)
    longest: float = number(
        1024.0,
        "the slowest trace has nearly faded, the longest period ends",
        unit="env steps",
        above=1.0,
        high=1e6,
    )
    left: float = number(0.01, "what is left of the slowest trace by then", above=0.0, high=0.99)
    learned: bool = boolean(True, "train decays and frequencies")


class FFM(BlockedCore):
    """A trace S (M x C) per lane, written and read through gates.

    With l1 .. l5 linear maps, * elementwise, sigma the sigmoid and LN layer normalisation without parameters:

        x~_t = l1(x_t) * sigma(l2(x_t))
        S_t = g * S_{t-1} + x~_t 1^T,  g_mc = exp(-|alpha_m| + i omega_c)
        z_t = l3(Re S_t, Im S_t)
        y_t = LN(z_t) * sigma(l4(x_t)) + l5(x_t) * (1 - sigma(l4(x_t)))

    Decays start with half-lives spaced evenly on a log scale, from one step to that of a trace of which
    `left` remains after `longest` steps; frequencies with periods spaced likewise, from two steps (the
    shortest there is) to `longest`. The spacing is this module's own choice.
    State `trace` (B, 2, C * M), zero at first.
    """

    Options = FFMOptions

    def __init__(self, input_size: int, options: FFMOptions) -> None:
        super().__init__(input_size, options)
        self.output_size = options.size
        self.contexts, self.traces = options.context_size, options.trace_size
        self.write = nn.Linear(input_size, self.traces)
        self.write_gate = nn.Linear(input_size, self.traces)
        self.mix = nn.Linear(2 * self.contexts * self.traces, options.size)
        self.read_gate = nn.Linear(input_size, options.size)
        self.skip = nn.Linear(input_size, options.size)
        slowest = max(options.longest * math.log(2) / -math.log(options.left), 1.0)
        self.alpha = nn.Parameter(math.log(2) / log_spaced_times(1.0, slowest, self.traces), options.learned)
        self.omega = nn.Parameter(
            2 * math.pi / log_spaced_times(2.0, max(options.longest, 2.0), self.contexts), options.learned
        )

    @override
    def initial_state(self, lanes: int) -> State:
        return {"trace": self.alpha.new_zeros(lanes, 2, self.contexts * self.traces)}

    def unroll_block(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """One scan; info: `trace` (T, B, 2, C * M) and the `read_gate` (T, B, H)."""
        maps = (self.write, self.write_gate, self.read_gate, self.skip)
        weight, bias = torch.cat([part.weight for part in maps]), torch.cat([part.bias for part in maps])
        heard = functional.linear(inputs, weight, bias)
        write, write_gate, read_gate, skip = torch.split(heard, [part.out_features for part in maps], -1)
        written = (write * torch.sigmoid(write_gate))[:, :, None, None]
        spread = written.expand(-1, -1, 1, self.contexts, -1).flatten(3)
        decay = polar(-self.alpha.abs(), self.omega.unsqueeze(1)).flatten(1)
        driven = functional.pad(spread, (0, 0, 0, 1))  # inputs are real
        trace = scan_pairs(decay, driven, state["trace"], resets)
        read = functional.layer_norm(self.mix(trace.flatten(2)), (self.output_size,))
        gate = torch.sigmoid(read_gate)
        outputs = torch.lerp(skip, read, gate)
        return outputs, {"trace": trace[-1]}, {"trace": trace, "read_gate": gate} if return_info else {}
