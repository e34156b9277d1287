"""What is particular to the linear cores: initial values and options."""

import math
from typing import Any

import pytest
import torch

from engram.memory import make_core
from engram.memory.linear.s5 import hippo_normal

LINEAR = ("ema", "ffm", "linear_attention", "lru", "min_gru", "s5")


def test_hippo_normal_is_diagonalised() -> None:
    """HiPPO-LegS plus the rank-one term that makes it normal: V diag(L) V^H over both halves."""
    size = 8
    n = torch.arange(size, dtype=torch.float64)
    legs = -torch.sqrt(torch.outer(2 * n + 1, 2 * n + 1)).tril(-1) - torch.diag(n + 1)
    low_rank = (n + 0.5).sqrt()
    eigenvalues, vectors = hippo_normal(size)
    half = vectors @ torch.diag(eigenvalues) @ vectors.mH
    normal = legs + torch.outer(low_rank, low_rank)
    torch.testing.assert_close(2 * half.real.double(), normal, rtol=0, atol=1e-4)
    assert (eigenvalues.imag > 0).all()


def test_lru_starts_on_its_ring() -> None:
    torch.manual_seed(0)
    options = {"type": "lru", "state_size": 500, "r_min": 0.4, "r_max": 0.8, "max_phase": 1.0}
    core: Any = make_core(3, options)
    decay, _, _ = core.recurrence()
    modulus, phase = decay.norm(dim=0), torch.atan2(decay[1], decay[0])
    assert 0.4 <= modulus.min() < 0.45
    assert 0.75 < modulus.max() <= 0.8
    assert 0 <= phase.min() < 0.05
    assert 0.95 < phase.max() <= 1.0
    torch.testing.assert_close(core.gamma.exp() ** 2 + modulus**2, torch.ones(500))


def test_ema_time_constants() -> None:
    """Step response: after tau steps of ones, 1 - (1 - 1/tau)^tau has arrived."""
    core: Any = make_core(1, {"type": "ema", "size": 3, "tau_min": 2, "tau_max": 200})
    with torch.no_grad():
        core.listen.weight.fill_(1.0)
        core.listen.bias.zero_()
        _, _, info = core(torch.ones(200, 1, 1), core.initial_state(1), return_info=True)
    for unit, tau in enumerate((2, 20, 200)):
        expected = 1 - (1 - 1 / tau) ** tau
        assert info["averages"][tau - 1, 0, 0, unit].item() == pytest.approx(expected, rel=1e-4)


def test_ffm_slowest_trace_fades_as_asked() -> None:
    options = {"type": "ffm", "trace_size": 5, "context_size": 3, "longest": 100.0, "left": 0.05}
    core: Any = make_core(2, options)
    assert math.exp(-100 * core.alpha.min().item()) == pytest.approx(0.05, rel=1e-4)
    assert math.exp(-core.alpha.max().item()) == pytest.approx(0.5)
    assert (2 * math.pi / core.omega).tolist() == pytest.approx([2, math.sqrt(200), 100], rel=1e-4)


def test_linear_attention_of_equal_keys_is_the_mean() -> None:
    core: Any = make_core(2, {"type": "linear_attention", "size": 4, "heads": 2, "key_size": 3})
    inputs = torch.randn(50, 1, 2)
    with torch.no_grad():
        core.key.weight.zero_()
        outputs, _ = core(inputs, core.initial_state(1))
        means = core.value(inputs).cumsum(0) / torch.arange(1, 51)[:, None, None]
    torch.testing.assert_close(outputs, means, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("poison", [math.inf, math.nan, 1e300])
@pytest.mark.parametrize("name", LINEAR)
def test_what_is_not_finite_stays_in_its_episode(name: str, poison: float) -> None:
    core = make_core(6, {"type": name, "size": 8}).double()
    inputs, state = torch.randn(40, 3, 6).double(), core.initial_state(3)
    resets = torch.zeros(40, 3, dtype=torch.bool)
    resets[21, :2] = True
    poisoned = inputs.clone()
    poisoned[:21, 1:] = poison
    poisoned.requires_grad_()
    outputs, after = core(poisoned, {leaf: torch.full_like(state[leaf], poison) for leaf in state}, resets)
    clean, clean_after = core(inputs, state, resets)
    torch.testing.assert_close(outputs[21:, :2], clean[21:, :2])
    for leaf in state:
        torch.testing.assert_close(after[leaf][:2], clean_after[leaf][:2])
    (gradient,) = torch.autograd.grad(outputs[21:, :2].sum(), poisoned)
    assert gradient[21:, :2].isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"type": "ema", "tau_min": 9, "tau_max": 3}, r"tau_max: expected a number >= tau_min \(9\), got 3$"),
        ({"type": "lru", "r_min": 0.9, "r_max": 0.5}, r"r_max: expected a number > r_min \(0.9\), got 0.5$"),
        ({"type": "s5", "state_size": 12}, r"state_size: expected a multiple of 2 \* blocks \(16\), got 12$"),
        ({"type": "s5", "step_min": 0.5}, r"step_max: expected a number >= step_min \(0.5\), got 0.1$"),
        ({"type": "linear_attention", "heads": 3}, r"size: expected a multiple of heads \(3\), got 128$"),
        (
            {"type": "linear_attention", "decay": [0.5, 0.9]},
            r"decay: expected 1 or heads \(4\) entries, got 2$",
        ),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^core\.{message}"):
        make_core(4, options)
