"""A bank of k low-pass filters with a carried state, run over whole fragments by matrix products.

T time, B lanes, D width of a pool, k pools, V any number of channels per pool, S steps that are asked for.

Pool n follows ``p_t = a_n x_t + (1 - a_n) p_{t-1}``, where x is the new content of pool n-1 (chain) or the
bank's input (parallel). The first pool takes its input with gain 1: its link has a_1 inside its weights.
Stacked over pools that is ``P_t = A P_{t-1} + B u_t`` with constant A (k, k) and B (k), the same for every
unit of a pool, so that

    P_t = A^(t+1) P_before + sum over s <= t of A^(t-s) B u_s.

Reading the carried contents P_before as k extra input steps in front of the fragment, both terms are one
product with a constant matrix of T rows and k + T columns per pool: its kernel. A reset at step r only means
that outputs from r on must not see columns before r; the few lanes where that happens inside a fragment get
kernels of their own.

Source: the LP-RNN paper, arXiv 1805.04955, section 2 (chain and parallel pools) and appendix G (linear
operator).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

RIDGE = 1e-3  # of a pool's variance
SLOWEST = 1e-12  # gain below which 1 - a_n has too few digits left to tell how a pool fills


class Restarts(NamedTuple):
    """The lanes in which an episode starts inside a stretch, and what their outputs may see."""

    lanes: Tensor  # (R,) indices into B
    visible: Tensor  # (R, T, k + T) ones and zeros

    def at(self, steps: slice) -> "Restarts":
        """The same lanes, for outputs at some of the steps."""
        return Restarts(self.lanes, self.visible[:, steps])


class FilterBank:
    """The constant matrices of k filters, for stretches of at most `longest` steps."""

    longest = 32  # longer kernels waste arithmetic on their empty upper half, shorter ones cost more calls

    def __init__(self, coefficients: Sequence[float], parallel: bool) -> None:
        """Prepares a bank.

        Args:
            coefficients: a_n in (0, 1], one per pool.
            parallel: every pool from the second on reads the bank's input, not the pool before it.
        """
        self.pools = len(coefficients)
        self.coefficients = tuple(coefficients)
        self._kernel = make_kernel(*transition(coefficients, parallel), self.longest)
        self._parallel = parallel
        self._cast: dict[tuple[str, int, torch.dtype, torch.device], Tensor] = {}

    def kernel(self, steps: int, like: Tensor) -> Tensor:
        """The kernels (k, T, k + T) for T = `steps` <= `longest`, dtype and device as `like`."""
        return self._constant(("kernel", steps), like, lambda: self._kernel[:, :steps, : self.pools + steps])

    def orthonormal(self, like: Tensor) -> Tensor:
        """The weights (k, k) of `orthonormal_weights`, dtype and device as `like`."""
        return self._constant(
            ("orthonormal", 0), like, lambda: orthonormal_weights(self.coefficients, self._parallel)
        )

    def _constant(self, name: tuple[str, int], like: Tensor, make: Callable[[], Tensor]) -> Tensor:
        key = (*name, like.dtype, like.device)
        if key in self._cast:
            return self._cast[key]
        if torch.compiler.is_compiling():  # a tensor that stands for others must not outlive the tracing
            return _cast_to(make(), like)
        with torch.inference_mode(False):  # what is kept here will be used in training too
            self._cast[key] = _cast_to(make(), like)
        return self._cast[key]

    def restarts(self, resets: Tensor, like: Tensor) -> Restarts | None:
        """Finds the lanes that reset after the first step of a stretch; `resets` is (T, B) bool."""
        if len(resets) == 1:
            return None
        later = resets[1:]
        lanes = later.any(0).nonzero()[:, 0]
        if not len(lanes):
            return None
        episode = torch.zeros(len(lanes), len(resets), dtype=torch.long, device=resets.device)
        episode[:, 1:] = later[:, lanes].long().cumsum(0).T
        column_episode = torch.cat([episode.new_zeros(len(lanes), self.pools), episode], 1)
        visible = episode.unsqueeze(2) == column_episode.unsqueeze(1)
        return Restarts(lanes, visible.to(like.dtype))


def _cast_to(values: Tensor, like: Tensor) -> Tensor:
    cast = values.to(like.dtype)
    regular = cast.abs() >= torch.finfo(like.dtype).tiny  # subnormal numbers are slow
    return (cast * regular).contiguous().to(like.device)


def transition(coefficients: Sequence[float], parallel: bool) -> tuple[Tensor, Tensor]:
    """The matrices A (k, k) and B (k) of one step, in float64."""
    gain = torch.tensor(coefficients, dtype=torch.float64)
    step, entry = torch.diag(1 - gain), gain.clone()
    entry[0] = 1.0
    if not parallel:
        for pool in range(1, len(gain)):
            step[pool] += gain[pool] * step[pool - 1]
            entry[pool] = gain[pool] * entry[pool - 1]
    return step, entry


def orthonormal_weights(coefficients: Sequence[float], parallel: bool) -> Tensor:
    """Weights (k, k) that make orthonormal combinations of k pools, in float64.

    Combination n uses pools 1..n. Fed with white noise of variance 1, all of them have variance 1 and none is
    correlated with another; so do their impulse responses. The contents' covariance S under such noise solves
    ``S = A S A^T + B B^T``, the first pool's gain included; the weights are the inverse of its Cholesky
    factor. A ridge on the correlations keeps combinations that hardly ever move from being magnified without
    bound. Gains below `SLOWEST` are too small for float64.
    """
    step, entry = transition(coefficients, parallel)
    first = slice(0, 1) if parallel else slice(None)  # the pools that hear through the first pool's link
    entry[first] *= coefficients[0]  # its gain, which the link's weights hold
    pools = len(entry)
    identity = torch.eye(pools, dtype=step.dtype)
    system = torch.eye(pools**2, dtype=step.dtype) - torch.kron(step, step)
    covariance = torch.linalg.solve(system, torch.outer(entry, entry).flatten()).view(pools, pools)
    deviations = covariance.diagonal().sqrt()
    correlation = covariance / torch.outer(deviations, deviations)
    factor = torch.linalg.cholesky(correlation + RIDGE * identity)
    weights: Tensor = torch.linalg.solve_triangular(factor, torch.diag(1 / deviations), upper=False)
    return weights


def make_kernel(step: Tensor, entry: Tensor, steps: int) -> Tensor:
    """Lays out A^(t+1) and A^(t-s) B as (k, T, k + T); the kernel of fewer steps is its top left corner."""
    powers = [torch.eye(len(step), dtype=step.dtype)]
    for _ in range(steps):
        powers.append(step @ powers[-1])
    stacked = torch.stack(powers)  # (T + 1, k, k)
    response = (stacked[:-1] @ entry).T  # (k, T): contents t steps after a unit impulse
    lag = torch.arange(steps).unsqueeze(1) - torch.arange(steps)
    within = torch.where(lag >= 0, response[:, lag.clamp(min=0)], 0.0)
    return torch.cat([stacked[1:].transpose(0, 1), within], 2)


def run_filters(kernel: Tensor, columns: Tensor, restarts: Restarts | None) -> Tensor:
    """Applies the kernels of n pools along time.

    Args:
        kernel: (n, S, C), some pools and some steps of a bank's kernels.
        columns: (C, B, D), the same for every pool, or (n, C, B, V): carried contents, then the inputs.
        restarts: the lanes that reset, for the same S steps.

    Returns:
        (n, S, B, D) or (n, S, B, V).
    """
    out = torch.matmul(kernel, columns.flatten(-2)).view(*kernel.shape[:-1], *columns.shape[-2:])
    if restarts is None:
        return out
    own_kernels = kernel.unsqueeze(1) * restarts.visible  # (n, R, S, C)
    own_columns = columns.index_select(-2, restarts.lanes).transpose(-2, -3)  # (..., R, C, D)
    finite = own_columns.isfinite()
    if finite.all():
        own = torch.matmul(own_kernels, own_columns)
    else:  # zero times infinity is not zero: what broke in one episode would reach the next
        own = torch.matmul(own_kernels, own_columns.where(finite, 0))
        own = own.masked_fill(torch.matmul(restarts.visible, (~finite).to(own.dtype)) > 0, math.nan)
    return out.index_copy(2, restarts.lanes, own.transpose(1, 2))
