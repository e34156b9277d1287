"""Slow twins of the pools: plain loops over steps, lanes and pools, straight from the equations.

T time, B lanes, F features, k pools, D width of a pool.
"""

import torch
from torch import Tensor
from torch.nn import functional

from engram.memory import State
from engram.memory.pools.filter_bank import RIDGE
from engram.memory.pools.low_pass import LowPass
from engram.memory.pools.normalize import RunningScale


def pool_contents(core: LowPass, inputs: Tensor, before: Tensor, resets: Tensor) -> Tensor:
    """p_t^(1) = W h_t + (1 - a_1) p_{t-1}^(1); p_t^(n) = a_n x_t + (1 - a_n) p_{t-1}^(n), blocked for n > 1.

    x is the new content of pool n-1 (chain), tanh(R_n p_t^(n-1)) (appendix A), or h_t (parallel); h_t is the
    input, embedded if parallel.
    inputs (T, B, F), before (B, k, D), resets (T, B); returns (T, B, k, D).
    """
    gains = core.bank.coefficients
    rows = []
    for lane in range(inputs.shape[1]):
        pools = list(before[lane])
        row = []
        for t in range(len(inputs)):
            if resets[t, lane]:
                pools = [torch.zeros_like(pool) for pool in pools]
            h = inputs[t, lane]
            if core.embedding is not None:
                h = torch.relu(core.embedding.weight @ h + core.embedding.bias)
            new = [core.link @ h + (1 - gains[0]) * pools[0]]
            for n in range(1, len(gains)):
                x = new[n - 1] if core.embedding is None else h
                if core.links is not None:
                    x = torch.tanh(core.links.orthonormal[n - 1] @ x)
                old = pools[n]
                if core.block_gradients:
                    x, old = x.detach(), old.detach()
                new.append(gains[n] * x + (1 - gains[n]) * old)
            pools = new
            row.append(torch.stack(pools))
        rows.append(torch.stack(row))
    return torch.stack(rows, 1)


def low_pass(core: LowPass, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """Pools, then a viewport each, then the summariser; shapes as in `Core.forward`."""
    if core.input_scale is not None:
        inputs = standardised(core.input_scale, inputs.unsqueeze(2)).squeeze(2)
    heard = inputs if core.train_input else inputs.detach()
    contents = pool_contents(core, heard, state["pools"], resets)
    after = {"pools": contents[-1]}
    if core.orthonormal:
        weights = orthonormal_combinations(core.bank.coefficients, core.embedding is not None)
        contents = torch.einsum("nm,tbmd->tbnd", weights, contents)
    if core.layer_norm:
        contents = functional.layer_norm(contents, (core.size,))
    if core.scale is not None:
        contents = standardised(core.scale, contents)
    views = [] if core.input_viewport is None else [torch.relu(core.input_viewport(heard))]
    for n in range(contents.shape[2]):
        views.append(torch.relu(contents[:, :, n] @ core.viewport_weight[:, n] + core.viewport_bias[n]))
    return torch.relu(core.summariser(torch.cat(views, 2))), after


def orthonormal_combinations(gains: tuple[float, ...], parallel: bool) -> Tensor:
    """Gram-Schmidt, with the ridge, on the responses to an impulse, watched until nothing of it is left."""
    pools = torch.zeros(len(gains), dtype=torch.float64)
    responses = []
    for t in range(200 * 2 ** len(gains)):
        x = impulse = 1.0 if t == 0 else 0.0
        new = []
        for gain, old in zip(gains, pools, strict=True):
            new.append(gain * x + (1 - gain) * old)
            x = impulse if parallel else new[-1]
        pools = torch.tensor(new, dtype=torch.float64)
        responses.append(pools)
    covariance = torch.stack(responses).T @ torch.stack(responses)
    covariance += torch.diag(RIDGE * covariance.diagonal())
    rows: list[Tensor] = []
    for row in torch.eye(len(gains), dtype=torch.float64):
        for done in rows:
            row = row - (row @ covariance @ done) * done
        rows.append(row / (row @ covariance @ row).sqrt())
    return torch.stack(rows)


def standardised(scale: RunningScale, contents: Tensor) -> Tensor:
    """Contents (T, B, k, D) with mean 0 and variance 1, as far as the statistics know."""
    floor = RunningScale.FLOOR * scale.var.mean(1, keepdim=True)
    return (contents - scale.mean) / (scale.var + floor + RunningScale.EPSILON).sqrt()


def appendix_g_operator(base: float, pools: int) -> Tensor:
    """M of appendix G: (1 - b^-i) times the product of b^-m over m = i+1..j, for i <= j; i, j from 1."""
    matrix = torch.zeros(pools, pools, dtype=torch.float64)
    for i in range(1, pools + 1):
        for j in range(i, pools + 1):
            entry = 1 - base**-i
            for m in range(i + 1, j + 1):
                entry *= base**-m
            matrix[i - 1, j - 1] = entry
    return matrix
