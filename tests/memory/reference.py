"""Slow twins: plain loops over steps, lanes and pools, straight from the equations.

T time, B lanes, F features, k pools, D width of a pool, H units.
"""

import torch
from torch import Tensor


def pool_contents(
    link: Tensor, inputs: Tensor, before: Tensor, gains: tuple[float, ...], parallel: bool, resets: Tensor
) -> Tensor:
    """p_t^(1) = W h_t + (1 - a_1) p_{t-1}^(1); p_t^(n) = a_n x_t + (1 - a_n) p_{t-1}^(n), blocked for n > 1.

    x is the new content of pool n-1 (chain) or the input, padded with zeros or cut to D (parallel).
    inputs (T, B, F), before (B, k, D), resets (T, B); returns (T, B, k, D).
    """
    size = len(link)
    rows = []
    for lane in range(inputs.shape[1]):
        pools = list(before[lane])
        row = []
        for t in range(len(inputs)):
            if resets[t, lane]:
                pools = [torch.zeros_like(pool) for pool in pools]
            h = inputs[t, lane]
            padded = torch.zeros(size, dtype=h.dtype)
            padded[: len(h)] = h[:size].detach()
            new = [link @ h + (1 - gains[0]) * pools[0]]
            for n in range(1, len(gains)):
                x = padded if parallel else new[n - 1].detach()
                new.append(gains[n] * x + (1 - gains[n]) * pools[n].detach())
            pools = new
            row.append(torch.stack(pools))
        rows.append(torch.stack(row))
    return torch.stack(rows, 1)


def lstm_outputs(lstm: torch.nn.LSTM, inputs: Tensor, hidden: Tensor, cell: Tensor, resets: Tensor) -> Tensor:
    """The LSTM's six equations, lane by lane; inputs (T, B, F), hidden and cell (B, H); returns (T, B, H)."""
    rows = []
    for lane in range(inputs.shape[1]):
        h, c = hidden[lane], cell[lane]
        row = []
        for t in range(len(inputs)):
            if resets[t, lane]:
                h, c = torch.zeros_like(h), torch.zeros_like(c)
            gates = (
                lstm.weight_ih_l0 @ inputs[t, lane]
                + lstm.bias_ih_l0
                + lstm.weight_hh_l0 @ h
                + lstm.bias_hh_l0
            )
            i, f, g, o = gates.chunk(4)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            row.append(h)
        rows.append(torch.stack(row))
    return torch.stack(rows, 1)


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
