"""What LRU and S5 share: a complex diagonal recurrence, read by a complex map and a path around it.

T time, B lanes, F features, N complex units, H outputs. Complex numbers are pairs of reals, real parts first.
"""

import abc

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from engram.memory.core import CoreOptions, Info, State
from engram.memory.linear.blocks import BlockedCore
from engram.memory.linear.scan import scan_pairs


class DiagonalCore(BlockedCore):
    """h_t = a * h_{t-1} + B u_t; y_t = Re(C h_t) + D u_t; subclasses say what a, B, C and the output are.

    D is a diagonal where there are as many inputs as outputs, as in the papers' layers; else a matrix.
    State `state` (B, 2, N), zero at first.

    Attributes:
        units: complex units N.
        feedthrough: D, (H,) or (H, F).
    """

    def __init__(self, input_size: int, options: CoreOptions, size: int, units: int) -> None:
        super().__init__(input_size, options)
        self.output_size = size
        self.units = units
        square = input_size == size
        feedthrough = torch.randn(size) if square else torch.randn(size, input_size) / input_size**0.5
        self.feedthrough = nn.Parameter(feedthrough)

    @abc.abstractmethod
    def recurrence(self) -> tuple[Tensor, Tensor, Tensor]:
        """The decay a (2, N), the input map B (2, N, F) and the output map C (H, 2, N)."""

    def activate(self, outputs: Tensor) -> Tensor:
        """What becomes of y (T, B, H); here nothing."""
        return outputs

    @override
    def initial_state(self, lanes: int) -> State:
        return {"state": self.feedthrough.new_zeros(lanes, 2, self.units)}

    def unroll_block(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """One scan; info: `state` (T, B, 2, N)."""
        decay, write, read = self.recurrence()
        driven = functional.linear(inputs, write.flatten(0, 1)).view(*inputs.shape[:2], 2, self.units)
        states = scan_pairs(decay, driven, state["state"], resets)
        real, imaginary = read.unbind(1)
        diagonal = self.feedthrough.ndim == 1
        around = inputs * self.feedthrough if diagonal else functional.linear(inputs, self.feedthrough)
        outputs = around.add_(functional.linear(states.flatten(2), torch.cat([real, -imaginary], 1)))
        return self.activate(outputs), {"state": states[-1]}, {"state": states} if return_info else {}


def polar(log_modulus: Tensor, phase: Tensor) -> Tensor:
    """The complex numbers exp(log_modulus + i phase), (N,) each, as pairs (2, N)."""
    return log_modulus.exp() * torch.stack([phase.cos(), phase.sin()])


def log_spaced_times(low: float, high: float, count: int) -> Tensor:
    """So many times (count,), spaced evenly on a log scale from `low` to `high`, in steps."""
    return low * torch.logspace(0, 1, count, base=high / low)
