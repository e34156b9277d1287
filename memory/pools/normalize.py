"""Running standardisation of pool contents, unit by unit.

k pools, D width of a pool, S steps, B lanes.
"""

import torch
from torch import Tensor, nn


class RunningScale(nn.Module):
    """Mean and variance of every unit of every pool, as a linear map that a reader's weights can absorb.

    Values are not clipped: clipping would forbid folding the map into the reader. What clipping is for, units
    that hardly ever move, is handled by a floor instead: the variance of a unit counts as at least `FLOOR`
    times the average over its pool, so that no unit is magnified more than ten times as much as a typical one
    of its pool.

    The statistics are the plain average over everything seen until `WINDOW` lane-steps, an exponential
    average with that window from then on. They begin as if `PRIOR` lane-steps of mean 0 and variance 1 had
    been seen: every pool starts empty and a slow one fills over hundreds of steps, so that early variances
    are many times too small, and a reader that believed them would see values grow without bound. The
    window is long because a cue of long ago is a small difference, which a drifting mean would drown.
    """

    WINDOW = 10_000_000  # lane-steps
    PRIOR = 5_000  # lane-steps
    FLOOR = 0.01  # of the average variance of the pool
    EPSILON = 1e-8  # variance; keeps an empty pool at zero

    mean: Tensor
    var: Tensor
    count: Tensor

    def __init__(self, pools: int, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(pools, size))
        self.register_buffer("var", torch.ones(pools, size))
        self.register_buffer("count", torch.tensor(float(self.PRIOR)))  # lane-steps, at most WINDOW
        self._pending: list[tuple[Tensor, Tensor, int, int]] = []

    def gain(self) -> Tensor:
        """One over the standard deviation, (k, D)."""
        return (self.var + self.FLOOR * self.var.mean(1, keepdim=True) + self.EPSILON).rsqrt()

    def forward(self, contents: Tensor) -> Tensor:
        """Standardises contents (k, S, B, D)."""
        gain = self.gain()
        return torch.addcmul((-self.mean * gain)[:, None, None], contents, gain[:, None, None])

    def fold(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The weight (D, k, V) and bias (k, V) that do to raw contents what these do to standardised ones."""
        gain = self.gain()
        offset = self.mean * gain  # a fresh tensor: the buffer itself may change before the backward pass
        return weight * gain.T.unsqueeze(2), bias - (weight * offset.T.unsqueeze(2)).sum(0)

    @torch.no_grad()
    def observe(self, contents: Tensor, lane_steps: int) -> None:
        """Adds contents (k, S, B, D) that represent a number of lane-steps; `commit` makes them count."""
        centred = contents.flatten(1, 2) - self.mean.unsqueeze(1)
        sums = centred.sum(1)
        squares = centred.mul_(centred).sum(1)
        self._pending.append((sums, squares, centred.shape[1], lane_steps))

    @torch.no_grad()
    def commit(self) -> None:
        """Updates the statistics by everything observed since the last time."""
        if not self._pending:
            return
        sums, squares, samples, lane_steps = zip(*self._pending, strict=True)
        self._pending = []
        shift = torch.stack(sums).sum(0) / sum(samples)
        square = torch.stack(squares).sum(0) / sum(samples)
        seen = self.count + sum(lane_steps)
        share = sum(lane_steps) / seen
        self.var.copy_(((1 - share) * self.var + share * square - (share * shift).square()).clamp(min=0))
        self.mean.copy_(self.mean + share * shift)
        self.count.copy_(seen.clamp(max=self.WINDOW))
