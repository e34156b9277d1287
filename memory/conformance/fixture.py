"""The fixture of a check: a copy of the core, inputs, and states that the core itself has made.

T time, B lanes, F features.
"""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from engram.memory.core import Core, State

STEPS, LANES = 40, 4

SHOCK = 100.0
"""Added to inputs that must not matter."""


class Fixture(NamedTuple):
    """A copy of the core with inputs and states to run it on."""

    core: Core
    inputs: Tensor  # (T, B, F)
    state: State  # after some steps, so not the initial one
    other_state: State  # after some more steps of other, larger inputs
    rebuild: Callable[[], Core]  # makes a core of this kind with other weights

    def fresh(self) -> "Fixture":
        """Returns an independent copy."""
        core, inputs, state, other_state = copy.deepcopy(self[:4])
        return Fixture(core, inputs, state, other_state, self.rebuild)


Check = Callable[[Fixture], str]
"""Returns what was measured, or raises `BrokenPromiseError`."""


def float64_copy(core: Core) -> Core:
    """A copy on the CPU, in float64 and eval mode, that shares nothing with the core."""
    return copy.deepcopy(core).cpu().double().eval()


def make_fixture(original: Core, rebuild: Callable[[], Core] | None) -> Fixture:
    """A copy, its parameters moved off zero, with random inputs and states.

    Args:
        original: the core.
        rebuild: makes another; None: a copy with zeros for weights will do.
    """
    core = float64_copy(original)
    with torch.no_grad():
        for parameter in core.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    inputs = torch.randn(STEPS, LANES, core.input_size, dtype=torch.float64)
    states = _state_after(core, 3, 1.0), _state_after(core, 7, 10.0)
    return Fixture(core, inputs, *states, lambda: float64_copy(rebuild()) if rebuild else _zeroed(core))


def _zeroed(core: Core) -> Core:
    other = copy.deepcopy(core)
    for tensor in other.state_dict().values():
        tensor.zero_()
    return other


@torch.no_grad()
def _state_after(core: Core, steps: int, scale: float) -> State:
    """A legal state, made by the core itself; the initial one where it cannot."""
    initial = core.initial_state(LANES)
    try:
        after = core(scale * torch.randn(steps, LANES, core.input_size, dtype=torch.float64), initial)[1]
        return {name: leaf.clone() for name, leaf in after.items()}
    except Exception:  # the checks of form, which come first, say what is wrong
        return initial


def no_resets() -> Tensor:
    """(T, B), none set."""
    return torch.zeros(STEPS, LANES, dtype=torch.bool)


def scattered_resets() -> Tensor:
    """At the first, some middle and the last step, alone and together, and never in lane 0; (T, B)."""
    resets = no_resets()
    resets[[0, 13, 14, STEPS - 1], 1] = True
    resets[[14, 33], 2] = True
    resets[5, 3] = True
    return resets


def single_steps(core: Core, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """Runs a core one step at a time; arguments and results as those of the core."""
    outputs = []
    for t in range(len(inputs)):
        output, state = core(inputs[t : t + 1], state, resets[t : t + 1])
        outputs.append(output)
    return torch.cat(outputs), state
