"""Every core against its slow twin: outputs, state and gradients in float64. T time, B lanes, F features."""

from typing import Any

import pytest
import torch

from engram.memory import CORES

from .cases import CASES, label
from .conformance import B, T, build, fragment, gradients
from .twins import TWINS


def test_every_core_has_a_twin() -> None:
    assert TWINS.keys() == CORES.keys()


@pytest.mark.parametrize("options", CASES, ids=label)
@pytest.mark.parametrize("steps", [1, T, 25])
def test_against_the_twin(options: dict[str, Any], steps: int) -> None:
    core = build(options)
    inputs, state, resets = fragment(core, steps, B)
    resets |= torch.rand(steps, B) < 0.1
    state = {name: leaf.requires_grad_() for name, leaf in state.items()}
    fast, fast_after = core(inputs, state, resets)
    slow, slow_after = TWINS[options["type"]](core, inputs, state, resets)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-10)
    assert fast_after.keys() == slow_after.keys()
    for name in fast_after:
        torch.testing.assert_close(fast_after[name], slow_after[name], rtol=0, atol=1e-10)
    leaves = list(state.values())
    for one, other in zip(
        gradients(core, inputs, fast, leaves), gradients(core, inputs, slow, leaves), strict=True
    ):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
