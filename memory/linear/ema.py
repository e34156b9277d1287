"""A bank of leaky integrators: exponential moving averages of what a linear map sees.

T time, B lanes, F features, M time constants, H units.

Source: Mozer, Induction of multiscale temporal structure, 1992 (units with time constants of their own).
"""

import dataclasses

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.memory.core import CoreOptions, Info, State
from engram.memory.linear.blocks import BlockedCore
from engram.memory.linear.diagonal import log_spaced_times
from engram.memory.linear.scan import scan
from engram.memory.options import boolean, integer, number


@dataclasses.dataclass(frozen=True, kw_only=True)
class EMAOptions(CoreOptions):
    """Options of `ema`."""

    size: int = integer(128, "units, and width of the output", unit="units", high=4096)
    time_constants: int = integer(
        1,
        "integrators per unit; 1: one each, the time constants spread over the units",
        unit="integrators",
        high=64,
    )
    tau_min: float = number(2.0, "shortest time constant", unit="env steps", above=1.0, high=1e6)
    tau_max: float = number(1000.0, "longest time constant", unit="env steps", above=1.0, high=1e6)
    learned: bool = boolean(False, "train the time constants")

    def __post_init__(self) -> None:
        """Checks the range of time constants too.

        Raises:
            ValueError: `tau_max` is below `tau_min`.
        """
        super().__post_init__()
        if self.tau_max < self.tau_min:
            raise ValueError(
                f"tau_max: expected a number >= tau_min ({self.tau_min:g}), got {self.tau_max:g}"
            )


class EMA(BlockedCore):
    """u_t = W x_t + b; h_t = (1 - 1/tau) h_{t-1} + u_t / tau; output relu(V h_t + c).

    The time constants are spaced evenly on a log scale from `tau_min` to `tau_max`: over the units if each
    has one integrator, else over the integrators of every unit. State `averages` (B, M, H), zero at first.
    """

    Options = EMAOptions

    def __init__(self, input_size: int, options: EMAOptions) -> None:
        super().__init__(input_size, options)
        self.output_size = options.size
        self.listen = nn.Linear(input_size, options.size)
        self.read = nn.Linear(options.time_constants * options.size, options.size)
        per_unit = options.time_constants > 1
        count = options.time_constants if per_unit else options.size
        tau = log_spaced_times(options.tau_min, options.tau_max, count)
        tau = tau.unsqueeze(1).expand(count, options.size) if per_unit else tau.unsqueeze(0)
        logit = -(tau - 1).log()  # 1 / tau = sigmoid(logit) stays within (0, 1), whatever is learned
        if options.learned:
            self.logit = nn.Parameter(logit.contiguous())
        else:
            self.register_buffer("logit", logit.contiguous())

    @override
    def initial_state(self, lanes: int) -> State:
        return {"averages": self.logit.new_zeros(lanes, *self.logit.shape)}

    def unroll_block(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """One scan; info: `averages` (T, B, M, H)."""
        rate = self.logit.sigmoid()
        heard = self.listen(inputs).unsqueeze(2) * rate
        averages = scan((-self.logit).sigmoid(), heard, state["averages"], resets)
        outputs = torch.relu(self.read(averages.flatten(2)))
        return outputs, {"averages": averages[-1]}, {"averages": averages} if return_info else {}
