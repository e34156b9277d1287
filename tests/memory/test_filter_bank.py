"""The filter bank against closed forms: impulse responses, gain, modal form, appendix G."""

import math

import pytest
import torch
from torch import Tensor

from engram.memory.pools.filter_bank import make_kernel, transition

from .twins_pools import appendix_g_operator


def gains(base: float, pools: int) -> list[float]:
    return [base**-n for n in range(1, pools + 1)]


def impulse_response(base: float, pools: int, steps: int, parallel: bool = False) -> Tensor:
    """(k, T) contents after a unit impulse, the first pool's gain a_1 included."""
    step, entry = transition(gains(base, pools), parallel)
    first_column = make_kernel(step, entry, steps)[:, :, pools]
    return first_column / base if not parallel else torch.cat([first_column[:1] / base, first_column[1:]])


def test_peaks_for_base_2() -> None:
    peaks = impulse_response(2.0, 9, 1000).argmax(1)
    assert peaks.tolist() == [0, 1, 5, 15, 34, 74, 155, 317, 643]


def test_peaks_for_base_1_5() -> None:
    peaks = impulse_response(1.5, 12, 600).argmax(1)
    assert peaks.tolist() == [0, 0, 2, 5, 10, 17, 29, 48, 77, 120, 185, 284]


@pytest.mark.parametrize("parallel", [False, True])
def test_constant_input_fills_every_pool(parallel: bool) -> None:
    response = impulse_response(2.0, 6, 1500, parallel)
    torch.testing.assert_close(response.sum(1), torch.ones(6, dtype=torch.float64), rtol=0, atol=1e-8)


def test_mean_lag() -> None:
    """Pool n looks back sum over m <= n of (b^m - 1) steps on average: 1, 4, 11, 26, 57 for base 2."""
    response = impulse_response(2.0, 5, 2000)
    lags = response @ torch.arange(2000, dtype=torch.float64)
    torch.testing.assert_close(lags, torch.tensor([1.0, 4, 11, 26, 57], dtype=torch.float64))


@pytest.mark.parametrize("base", [1.5, 2.0, 3.0])
def test_chain_is_a_mix_of_parallel_pools(base: float) -> None:
    """Modal form: pool n of the chain = sum over m of C_nm times parallel pool m, rows of C sum to 1."""
    pools, a = 8, gains(base, 8)
    mix = torch.zeros(pools, pools, dtype=torch.float64)
    for n in range(pools):
        for m in range(n + 1):
            poles = [(1 - a[m]) / (a[j] - a[m]) for j in range(n + 1) if j != m]
            mix[n, m] = math.prod(a[: n + 1]) / a[m] * math.prod(poles)
    torch.testing.assert_close(mix.sum(1), torch.ones(pools, dtype=torch.float64))
    chain, parallel = impulse_response(base, pools, 300), impulse_response(base, pools, 300, parallel=True)
    torch.testing.assert_close(chain, mix @ parallel, rtol=0, atol=1e-12)


@pytest.mark.parametrize("base", [1.5, 2.0, 3.0])
def test_appendix_g(base: float) -> None:
    """Y_T = Z J, J's rows being the first rows of the powers of M, is the chain times b - 1."""
    pools = steps = 12
    operator = appendix_g_operator(base, pools)
    torch.testing.assert_close(operator.T, transition(gains(base, pools), parallel=False)[0])
    rows = torch.stack([torch.linalg.matrix_power(operator, r)[0] for r in range(1, steps + 1)])
    sequence = torch.randn(steps, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    chain = impulse_response(base, pools, steps) @ sequence.flip(0)
    torch.testing.assert_close(sequence.flip(0) @ rows, chain * (base - 1), rtol=0, atol=1e-12)
