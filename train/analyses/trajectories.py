"""Two units fitted by gradient to whole trajectories, as the paper says (section 3.3.2).

T steps of a stretch, S stretches.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engram.envs.arrays import Array
from engram.envs.ibl.analyses.distillation import TwoUnits
from engram.envs.ibl.analyses.recording import Steps

STRETCH = 50
"""Steps that the two units go on by themselves."""

MOST_STRETCHES = 400


def distil_by_gradient(beliefs: Array, steps: Steps, start: TwoUnits, iterations: int = 20) -> TwoUnits:
    """Minimise the mean of (z_t - z'_t)^2 over stretches, z' going on by itself from the first z of each.

    Args:
        beliefs: z, (N, 2).
        steps: of the network, whose observations drive both.
        start: what to start from.
        iterations: of L-BFGS.

    Returns:
        The two units; `r2` is that of whole stretches.
    """
    targets, observations = (
        torch.as_tensor(_stretches(values, steps), dtype=torch.float64)
        for values in (beliefs, steps.observations)
    )
    weights = torch.as_tensor(np.concatenate([start.recurrent, start.inputs], axis=1)).requires_grad_()
    optimizer = torch.optim.LBFGS([weights], max_iter=iterations, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = _errors(weights, targets, observations).mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        spread = ((targets[1:] - targets[1:].mean(dim=(0, 1))) ** 2).mean()
        r2 = 1 - float(_errors(weights, targets, observations).mean() / spread)
    found = weights.detach().numpy()
    return TwoUnits(found[:, :2], found[:, 2:], r2)


def _errors(weights: Tensor, targets: Tensor, observations: Tensor) -> Tensor:
    """Return squared errors (T - 1, S, 2); targets are (T, S, 2), observations (T, S, 3)."""
    now, errors = targets[0], []
    for target, observation in zip(targets[1:], observations[1:], strict=True):
        now = torch.tanh(torch.cat([now, observation], dim=1) @ weights.T)
        errors.append((target - now) ** 2)
    return torch.stack(errors)


def _stretches(values: Array, steps: Steps) -> Array:
    """Cut sessions into stretches, evenly spread ones of more than `MOST_STRETCHES`, (T, S, ...)."""
    starts = [
        start for lane in steps.lanes() for start in range(lane.start, lane.stop - STRETCH + 1, STRETCH)
    ]
    if not starts:
        raise ValueError(f"no session has {STRETCH} steps")
    chosen = np.linspace(0, len(starts) - 1, min(len(starts), MOST_STRETCHES)).astype(int)
    return np.stack([values[start : start + STRETCH] for start in np.array(starts)[chosen]], axis=1)
