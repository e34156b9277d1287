"""Pools whose links are not identities: a pool hears tanh(R p) of the pool before it, R random orthonormal.

T time, B lanes, k pools, D width of a pool.

Source: arXiv 1805.04955, appendix A.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engram.memory.pools.filter_bank import FilterBank, run_filters


class TanhLinks(nn.Module):
    """The chain ``p_t^(n) = a_n tanh(R_n p_t^(n-1)) + (1 - a_n) p_{t-1}^(n)`` with fixed orthonormal R_n.

    The chain as a whole is not linear, but every pool is a linear filter of a series that is known once the
    pool before it has been run. So whole stretches are run pool after pool, not step after step.
    """

    orthonormal: Tensor

    def __init__(self, coefficients: Sequence[float], size: int) -> None:
        """Draws the matrices R.

        Args:
            coefficients: a_n in (0, 1], one per pool.
            size: D.
        """
        super().__init__()
        self.coefficients = tuple(coefficients)
        self.banks = [FilterBank([coefficient], parallel=False) for coefficient in coefficients]
        self.register_buffer(
            "orthonormal", random_orthonormal(len(coefficients) - 1, size)
        )  # of pools 2 to k

    def forward(
        self, entering: Tensor, pools: Tensor, resets: Tensor | None, block_gradients: bool
    ) -> Tensor:
        """Runs a stretch of at most `FilterBank.longest` steps.

        Args:
            entering: (T, B, D), what the first pool adds to its contents, a_1 included.
            pools: (k, B, D) contents before the first step.
            resets: (T, B) bool, or None: no resets. Those of the first step are in `pools` already.
            block_gradients: pools from the second on are data to the optimiser.

        Returns:
            Contents (k, T, B, D).
        """
        restarts = None if resets is None else self.banks[0].restarts(resets, entering)
        contents: list[Tensor] = []
        for pool, bank in enumerate(self.banks):
            before = pools[pool : pool + 1]
            if pool:
                source = contents[-1][0]
                if block_gradients:
                    source, before = source.detach(), before.detach()
                turned = torch.tanh(source @ self.orthonormal[pool - 1].T)
                entering = self.coefficients[pool] * turned
            columns = torch.cat([before, entering])
            contents.append(run_filters(bank.kernel(len(entering), entering), columns, restarts))
        return torch.cat(contents)


def random_orthonormal(count: int, size: int) -> Tensor:
    """Orthonormal matrices (count, size, size), uniformly distributed."""
    q, r = torch.linalg.qr(torch.randn(count, size, size))
    # Which of the many factorisations the library finds is its own affair; that with a positive diagonal is
    # unique, and its q uniform.
    orthonormal: Tensor = q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    return orthonormal
