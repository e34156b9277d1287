"""Chrono initialisation. A gate that forgets 1 / (1 + u) per step, with u spread over the horizon."""

from typing import Any

import pytest
import torch
from torch import Tensor

from engram.memory import Core, make_core
from engram.memory.chrono import chrono_bias

HORIZON = 50


def test_biases_are_logarithms_of_times_up_to_the_horizon() -> None:
    torch.manual_seed(0)
    times = chrono_bias(10_000, HORIZON).exp()
    assert times.min() >= 1
    assert times.max() <= HORIZON - 1
    torch.testing.assert_close(times.mean().item(), HORIZON / 2, rtol=0.02, atol=0)
    torch.testing.assert_close(times.std().item(), (HORIZON - 2) / 12**0.5, rtol=0.02, atol=0)


def keep_bias(core: Core) -> Tensor:
    """Bias of what a state is multiplied by in a step, before the sigmoid."""
    weights = core.state_dict()
    if "lstm.bias_ih_l0" in weights:
        into, forget, *_ = (weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"]).chunk(4)
        assert torch.equal(into, -forget)
        return forget
    if "gru.bias_ih_l0" in weights:
        return (weights["gru.bias_ih_l0"] + weights["gru.bias_hh_l0"]).chunk(3)[1]
    return -weights["gate.bias"]


@pytest.mark.parametrize("name", ["lstm", "gru", "min_gru"])
def test_gates_start_with_them(name: str) -> None:

    torch.manual_seed(0)
    core = make_core(4, {"type": name, "size": 400, "horizon": HORIZON})
    times = keep_bias(core).exp()
    assert times.min() >= 1
    assert 40 < times.max() <= HORIZON - 1


@pytest.mark.parametrize("name", ["lstm", "gru", "min_gru"])
@pytest.mark.parametrize("horizon", [2, 0, "long", 1.5])
def test_wrong_horizons(name: str, horizon: Any) -> None:
    with pytest.raises(ValueError, match=r"core.horizon: expected an integer >= 3, or none, got"):
        make_core(4, {"type": name, "horizon": horizon})
