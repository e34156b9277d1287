"""Pictures of several frames that share them: stored frame by frame, each once, and stacked to learn from.

T time, B lanes, S frames of a picture, R rows, C columns, P planes of a frame. A picture of the space
(R, C, S * P) holds the latest S frames of its episode, the newest one last and zeros for those from before
it. T pictures of a lane, one step apart, are T + S - 1 frames.
"""

from typing import Any

import numpy as np
import torch
import tree
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from engram.agents.models.spaces import AnySpace, frames_in, leaf_spaces


def shares_frames(lanes: VectorEnv[Any, Any, Any]) -> bool:
    """Whether pictures of lanes share frames where their space says so.

    Only a batched environment itself can promise it: a wrapper, around all lanes or around each of them,
    keeps the space and may show other pictures.
    """
    return lanes.unwrapped is lanes and not isinstance(lanes, SyncVectorEnv | AsyncVectorEnv)


def frame_counts(space: AnySpace, shared: bool = True) -> list[int]:
    """Returns S of each leaf of an observation; 1 where nothing is shared.

    Args:
        space: Of one lane.
        shared: Whether pictures of several frames share them at all.
    """
    return [frames_in(leaf) if shared else 1 for leaf in leaf_spaces(space).values()]


def empty_rows(steps: int, lanes: int, leaf: NDArray[Any], frames: int) -> NDArray[Any]:
    """Makes room for T observations of B lanes, (T + S - 1, B, ...).

    Args:
        steps: T.
        lanes: B.
        leaf: One observation, for its shape and dtype.
        frames: S.
    """
    shape = leaf.shape if frames == 1 else (*leaf.shape[:-1], leaf.shape[-1] // frames)
    return np.empty((steps + frames - 1, lanes, *shape), leaf.dtype)


def write_row(rows: NDArray[Any], t: int, pictures: NDArray[Any], frames: int) -> None:
    """Writes what B lanes see in step `t`: the newest frame, and in the first step the older ones, too.

    Args:
        rows: As `empty_rows` makes them.
        t: From 0 on, one after the other.
        pictures: (B, ...).
        frames: S.
    """
    if frames == 1:
        rows[t] = pictures
        return
    planes = rows.shape[-1]
    for place in range(0 if t == 0 else frames - 1, frames):
        rows[t + place] = pictures[..., place * planes : (place + 1) * planes]


def stacked(observations: Any, resets: Tensor, space: AnySpace) -> Any:
    """Stacks the frames of all pictures in an observation that are shared.

    Args:
        observations: A nest of (T, B, ...), and of (T + S - 1, B, R, C, P).
        resets: True where a step is the first of an episode, (T, B).
        space: Of one lane.
    """
    spaces = leaf_spaces(space).values()
    leaves = [
        stack_frames(leaf, resets) if frames_in(of) > 1 and leaf.shape[-1] != of.shape[-1] else leaf
        for leaf, of in zip(tree.flatten(observations), spaces, strict=True)
    ]
    return tree.unflatten_as(observations, leaves)


def stack_frames(rows: Tensor, resets: Tensor) -> Tensor:
    """Stacks frames (T + S - 1, B, R, C, P) to pictures (T, B, R, C, S * P).

    Args:
        rows: Frames; the first S are those of the first picture, which is right as it is.
        resets: True where a step is the first of an episode, (T, B).
    """
    steps, count = len(resets), len(rows) - len(resets) + 1
    frames = torch.stack([rows[place : place + steps] for place in range(count)], dim=2)
    now = torch.arange(steps, device=rows.device).unsqueeze(1)
    begun = torch.where(resets & (now > 0), now, -count).cummax(0).values
    ages = torch.arange(count - 1, -1, -1, device=rows.device)
    frames[(now - begun).unsqueeze(2) < ages] = 0
    return frames.movedim(2, -2).flatten(-2)
