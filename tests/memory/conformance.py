"""What the tests over all cores share. T time, B lanes, F features."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engram.memory import Core, State, make_core

T, B, F = 11, 4, 6


def build(options: dict[str, Any]) -> Core:
    """A float64 core, off its special initial values; running statistics, if any, have seen something."""
    torch.manual_seed(0)
    core = make_core(F, options).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    inputs, state, resets = fragment(core)
    core(inputs, state, resets)
    return core.eval()


def fragment(core: Core, steps: int = T, lanes: int = B) -> tuple[Tensor, State, Tensor]:
    """Inputs, a state that is not the initial one, resets at the first, middle and last steps."""
    torch.manual_seed(1)
    inputs = torch.randn(steps, lanes, F, dtype=torch.float64, requires_grad=True)
    state = {name: torch.rand_like(leaf) for name, leaf in core.initial_state(lanes).items()}
    resets = torch.zeros(steps, lanes, dtype=torch.bool)
    resets[0, 1 % lanes] = resets[steps // 2, 1 % lanes] = resets[steps - 1, 1 % lanes] = True
    resets[steps // 3, 2 % lanes] = True
    return inputs, state, resets


def gradients(
    core: Core, inputs: Tensor, outputs: Tensor, others: Sequence[Tensor] = ()
) -> list[Tensor | None]:
    """Gradients of a fixed random mix of the outputs, w.r.t. inputs, trainable parameters and others."""
    torch.manual_seed(2)
    leaves = [inputs, *(p for p in core.parameters() if p.requires_grad), *others]
    loss = (outputs * torch.randn_like(outputs)).sum()
    return list(torch.autograd.grad(loss, leaves, allow_unused=True))
