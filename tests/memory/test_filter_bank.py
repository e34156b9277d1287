"""The pools of the core against closed forms: lags, gain, modal form, appendix G. k pools, T time."""

import functools
import math

import pytest
import torch
from torch import Tensor

from engram.memory import make_core
from engram.memory.pools.filter_bank import transition
from engram.memory.pools.low_pass import LowPass

from .twins_pools import appendix_g_operator

POOLS = 12


def gains(base: float) -> list[float]:
    return [base**-n for n in range(1, POOLS + 1)]


def run_core(series: Tensor, base: float, parallel: bool = False, before: float = 0.0) -> Tensor:
    """What a core of one unit per pool holds, (k, T), as a series (T,) comes in, fragment after fragment."""
    core = make_core(1, {"type": "low_pass", "pools": POOLS, "size": 1, "base": base, "parallel": parallel})
    assert isinstance(core, LowPass)
    core.double()
    torch.nn.init.constant_(core.link, 1 / base)  # to the last digit
    if core.embedding is not None:
        torch.nn.init.ones_(core.embedding.weight)
        torch.nn.init.zeros_(core.embedding.bias)
    state = {"pools": torch.full_like(core.initial_state(1)["pools"], before)}
    pieces = []
    with torch.no_grad():
        for fragment in series[:, None, None].split(500):
            _, state, info = core(fragment, state, return_info=True)
            pieces.append(info["pools"][:, 0, :, 0])
    return torch.cat(pieces).T


@functools.cache
def impulse_response(base: float, parallel: bool = False) -> Tensor:
    """(k, 6000) contents of the pools after a unit impulse."""
    impulse = torch.zeros(6000, dtype=torch.float64)
    impulse[0] = 1
    return run_core(impulse, base, parallel)


@pytest.mark.parametrize(
    ("base", "peaks"),
    [
        (2.0, [0, 1, 5, 15, 34, 74, 155, 317, 643, 1296, 2603, 5218]),
        (1.5, [0, 0, 2, 5, 10, 17, 29, 48, 77, 120, 185, 284]),
    ],
)
def test_peak_lags(base: float, peaks: list[int]) -> None:
    assert impulse_response(base).argmax(1).tolist() == peaks


@pytest.mark.parametrize(("pool", "first", "last"), [(7, 70, 316), (8, 147, 642), (9, 302, 1295)])
def test_half_height_bands(pool: int, first: int, last: int) -> None:
    response = impulse_response(2.0)[pool - 1]
    above = (response >= response.max() / 2).nonzero()[:, 0]
    assert above.tolist() == list(range(first, last + 1))


@pytest.mark.parametrize(("base", "pools"), [(1.5, POOLS), (2.0, 8)])
def test_mean_lags(base: float, pools: int) -> None:
    """Pool n looks back sum over m <= n of (b^m - 1) steps on average: 1, 4, 11, 26, ... for base 2.

    Slower pools than these have not seen the last of an impulse after 6000 steps.
    """
    lags = impulse_response(base)[:pools] @ torch.arange(6000, dtype=torch.float64)
    expected = torch.tensor([base**m - 1 for m in range(1, pools + 1)], dtype=torch.float64).cumsum(0)
    torch.testing.assert_close(lags, expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("base", [1.5, 2.0, 3.0])
def test_unit_gain(base: float, parallel: bool) -> None:
    """A constant input that fills all pools keeps them filled, and an impulse leaves its area behind."""
    contents = run_core(torch.full((100,), 3.0, dtype=torch.float64), base, parallel, before=3.0)
    torch.testing.assert_close(contents, torch.full_like(contents, 3.0), rtol=0, atol=1e-12)
    fast = impulse_response(base, parallel)[:5]
    torch.testing.assert_close(fast.sum(1), torch.ones(5, dtype=torch.float64), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("base", "condition", "largest"), [(1.5, 63, 24.5), (2.0, 8.9, 3.5), (2.3, 5.4, 2.5), (3.0, 3.0, 1.8)]
)
def test_chain_is_a_mix_of_parallel_pools(base: float, condition: float, largest: float) -> None:
    """Modal form: pool n of the chain = sum over m of C_nm times parallel pool m, rows of C sum to 1.

    C is well conditioned, so that the chain and the parallel pools span the same space in float32 too.
    """
    a = gains(base)
    mix = torch.zeros(POOLS, POOLS, dtype=torch.float64)
    for n in range(POOLS):
        for m in range(n + 1):
            poles = [(1 - a[m]) / (a[j] - a[m]) for j in range(n + 1) if j != m]
            mix[n, m] = math.prod(a[: n + 1]) / a[m] * math.prod(poles)
    torch.testing.assert_close(mix.sum(1), torch.ones(POOLS, dtype=torch.float64))
    torch.testing.assert_close(
        impulse_response(base), mix @ impulse_response(base, parallel=True), rtol=0, atol=1e-12
    )
    assert torch.linalg.cond(mix).item() == pytest.approx(condition, rel=0.02)
    assert mix.abs().max().item() == pytest.approx(largest, rel=0.02)


@pytest.mark.parametrize("base", [1.5, 2.0, 3.0])
def test_appendix_g(base: float) -> None:
    """Y_t = (X_t + Y_{t-1}) M is b - 1 times the chain; so is Z J, J the first rows of powers of M."""
    operator, steps = appendix_g_operator(base, POOLS), 300
    torch.testing.assert_close(operator.T, transition(gains(base), parallel=False)[0], rtol=0, atol=1e-15)
    series = torch.randn(steps, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    chain = run_core(series, base) * (base - 1)
    after = torch.zeros(POOLS, dtype=torch.float64)
    rows, power = [], torch.eye(POOLS, dtype=torch.float64)
    for t in range(steps):
        entering = torch.zeros(POOLS, dtype=torch.float64)
        entering[0] = series[t]
        after = (entering + after) @ operator  # Y_t = (X_t + Y_{t-1}) M
        torch.testing.assert_close(after, chain[:, t], rtol=0, atol=1e-12)
        power = power @ operator
        rows.append(power[0])
    torch.testing.assert_close(series.flip(0) @ torch.stack(rows), chain[:, -1], rtol=0, atol=1e-12)
