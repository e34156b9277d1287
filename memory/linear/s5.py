"""S5: one diagonalised state space model with many inputs and outputs, discretised by zero-order hold.

T time, B lanes, F features, P state size, N = P/2 conjugate pairs, H outputs, J blocks. Complex numbers are
pairs of reals, real parts first.

Source: Smith et al., Simplified state space layers for sequence modeling, 2023, sec. 3 and app. B;
resets as in Lu et al., Structured state space models for in-context reinforcement learning, 2023.
"""

import dataclasses
import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from engram.memory.core import CoreOptions
from engram.memory.linear.diagonal import DiagonalCore, polar
from engram.memory.options import boolean, integer, number


@dataclasses.dataclass(frozen=True, kw_only=True)
class S5Options(CoreOptions):
    """Options of `s5`."""

    size: int = integer(128, "width of the output", unit="units", high=4096)
    state_size: int = integer(
        128, "state size P; P/2 complex numbers are kept", unit="units", low=2, high=4096
    )
    blocks: int = integer(
        8, "blocks of the initial state matrix; P is a multiple of 2 * blocks", unit="blocks"
    )
    step_min: float = number(0.001, "smallest initial step size", unit="per env step", above=0.0, high=1.0)
    step_max: float = number(0.1, "largest initial step size", unit="per env step", above=0.0, high=1.0)
    gated: bool = boolean(False, "multiply GELU(y) by sigmoid(W GELU(y))")

    def __post_init__(self) -> None:
        """Checks what concerns two options.

        Raises:
            ValueError: the blocks do not divide the state, or `step_max` is below `step_min`.
        """
        super().__post_init__()
        if self.state_size % (2 * self.blocks):
            legal = f"a multiple of 2 * blocks ({2 * self.blocks})"
            raise ValueError(f"state_size: expected {legal}, got {self.state_size}")
        if self.step_max < self.step_min:
            legal = f"a number >= step_min ({self.step_min:g})"
            raise ValueError(f"step_max: expected {legal}, got {self.step_max:g}")


class S5(DiagonalCore):
    """x' = L x + B u, y = 2 Re(C x) + D u, L diagonal; the output is GELU(y).

    Over a step of learned size D_n per unit the input is held: a = exp(L D), B_ = (a - 1) / L * B (eq. 6).
    L starts with the eigenvalues of HiPPO-N, P/J at a time, B and C in the basis of their eigenvectors
    (app. B.1). Only one of each conjugate pair is kept. `gated` adds the paper's activation
    GELU(y) * sigmoid(W GELU(y)). Without the normalisation and skip that the paper puts around the layer.
    State `state` (B, 2, N), zero at first.
    """

    Options = S5Options
    SLOWEST: ClassVar[float] = -1e-4
    """Real parts of L are kept below this, so that the state cannot explode."""

    def __init__(self, input_size: int, options: S5Options) -> None:
        units, blocks = options.state_size // 2, options.blocks
        super().__init__(input_size, options, options.size, units)
        eigenvalues, vectors = hippo_normal(options.state_size // blocks)
        basis = torch.kron(torch.eye(blocks), vectors)  # (P, N), block diagonal
        write = torch.randn(options.state_size, input_size) / math.sqrt(input_size)
        read = torch.randn(options.size, options.state_size) / math.sqrt(options.state_size)
        low, high = math.log(options.step_min), math.log(options.step_max)
        self.eigenvalues = nn.Parameter(_pairs(eigenvalues.repeat(blocks), 0))
        self.write = nn.Parameter(_pairs(basis.mH @ write.to(basis), 0))
        self.read = nn.Parameter(_pairs(read.to(basis) @ basis, 1))
        self.log_step = nn.Parameter(torch.empty(units).uniform_(low, high))
        self.gate = nn.Linear(options.size, options.size) if options.gated else None

    @override
    def recurrence(self) -> tuple[Tensor, Tensor, Tensor]:
        real, imaginary = self.eigenvalues[0].clamp(max=self.SLOWEST), self.eigenvalues[1]
        step = self.log_step.exp()
        decay = polar(real * step, imaginary * step)
        # (a - 1) / L, numerator times the conjugate of L over |L|^2.
        over, up, square = decay[0] - 1, decay[1], real**2 + imaginary**2
        gain_real = ((over * real + up * imaginary) / square).unsqueeze(1)
        gain_imaginary = ((up * real - over * imaginary) / square).unsqueeze(1)
        b_real, b_imaginary = self.write.unbind(0)
        write = torch.stack(
            [
                gain_real * b_real - gain_imaginary * b_imaginary,
                gain_real * b_imaginary + gain_imaginary * b_real,
            ]
        )
        return decay, write, 2 * self.read

    def activate(self, outputs: Tensor) -> Tensor:
        """GELU, and the gate if there is one."""
        outputs = functional.gelu(outputs)
        return outputs if self.gate is None else outputs * torch.sigmoid(self.gate(outputs))


def hippo_normal(size: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of the normal part of HiPPO-LegS, one of each conjugate pair (app. B.1.1).

    Its entries are -1/2 on the diagonal, -sqrt((n + 1/2)(k + 1/2)) below and the opposite above.

    Args:
        size: rows of the matrix, even.

    Returns:
        Eigenvalues (size/2,) with positive imaginary parts, and unit eigenvectors (size, size/2); complex64.
    """
    roots = (torch.arange(size, dtype=torch.float64) + 0.5).sqrt()
    outer = torch.outer(roots, roots)
    skew = outer.triu(1) - outer.tril(-1)
    frequencies, vectors = torch.linalg.eigh(-1j * skew)  # a skew-symmetric matrix is i times a Hermitian one
    half = slice(size // 2, None)  # in ascending order, so the positive ones
    eigenvalues = torch.complex(torch.full_like(frequencies, -0.5), frequencies)
    return eigenvalues[half].to(torch.complex64), vectors[:, half].to(torch.complex64).contiguous()


def _pairs(numbers: Tensor, axis: int) -> Tensor:
    return torch.stack([numbers.real, numbers.imag], axis).to(torch.get_default_dtype())
