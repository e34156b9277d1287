"""The linear recurrent unit: a complex diagonal recurrence, stable by its parameters.

T time, B lanes, F features, N complex units, H outputs. Complex numbers are pairs of reals, real parts first.

Source: Orvieto et al., Resurrecting recurrent neural networks for long sequences, 2023, sec. 3 and app. A.
"""

import dataclasses
import math

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.memory.core import CoreOptions
from engram.memory.linear.diagonal import DiagonalCore, polar
from engram.memory.options import integer, number


@dataclasses.dataclass(frozen=True, kw_only=True)
class LRUOptions(CoreOptions):
    """Options of `lru`."""

    size: int = integer(128, "width of the output", unit="units", high=4096)
    state_size: int = integer(64, "complex units, two numbers each", unit="units", high=4096)
    r_min: float = number(0.9, "smallest modulus of an initial eigenvalue", low=0.0, high=0.999999)
    r_max: float = number(0.999, "largest modulus of an initial eigenvalue", above=0.0, high=0.999999)
    max_phase: float = number(
        math.pi / 10,
        "largest phase of an initial eigenvalue",
        unit="rad per env step",
        above=0.0,
        high=2 * math.pi,
    )

    def __post_init__(self) -> None:
        """Checks the ring too.

        Raises:
            ValueError: `r_max` is not above `r_min`.
        """
        super().__post_init__()
        if self.r_max <= self.r_min:
            raise ValueError(f"r_max: expected a number > r_min ({self.r_min:g}), got {self.r_max:g}")


class LRU(DiagonalCore):
    """h_t = a * h_{t-1} + exp(gamma) * (B u_t), a = exp(-exp(nu) + i exp(theta)); y_t = Re(C h_t) + D u_t.

    The eigenvalues a start uniformly on the ring between `r_min` and `r_max`, with phases uniform in
    [0, `max_phase`] (lemma 3.2); gamma starts where exp(gamma) = sqrt(1 - |a|^2) (eq. 7) and is learned.
    Without the normalisation, MLP or GLU, and skip that the paper puts around the layer: y_t is linear in the
    inputs. State `state` (B, 2, N), zero at first.
    """

    Options = LRUOptions

    def __init__(self, input_size: int, options: LRUOptions) -> None:
        super().__init__(input_size, options, options.size, options.state_size)
        units = options.state_size
        squares = torch.empty(units).uniform_(options.r_min**2, options.r_max**2)
        # An eigenvalue of exactly 0 or a phase of exactly 0 has no logarithm.
        squares = squares.clamp(min=1e-12)
        phases = (options.max_phase * torch.rand(units)).clamp(min=1e-6)
        self.nu = nn.Parameter((-0.5 * squares.log()).log())
        self.theta = nn.Parameter(phases.log())
        self.gamma = nn.Parameter(0.5 * (1 - squares).log())
        self.write = nn.Parameter(torch.randn(2, units, input_size) / math.sqrt(2 * input_size))
        self.read = nn.Parameter(torch.randn(options.size, 2, units) / math.sqrt(units))

    @override
    def recurrence(self) -> tuple[Tensor, Tensor, Tensor]:
        decay = polar(-self.nu.exp(), self.theta.exp())
        return decay, self.gamma.exp().unsqueeze(1) * self.write, self.read
