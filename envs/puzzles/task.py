"""Base of puzzles: spaces, a generator of problems, a score of answers.

P problems; N positions of an answer; C channels, H rows, W columns of a picture.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from engram.envs.arrays import Array, Bytes, Flags, Floats

PICTURE_PIXELS = 8  # pixels on the screen for one of the observation


class Problems(NamedTuple):
    """A batch of problems and their right answers.

    Attributes:
        observations: (P, *observation shape), of the observation space's dtype.
        targets: the right answers: int8 (P, N) for `MultiBinary(N)`, int64 (P,) for `Discrete(k)`.
        masks: the positions that count, of the targets' shape.
        facts: numbers about each problem by name, (P,) each, of dtype int64, float64 or bool.
    """

    observations: Array
    targets: Array
    masks: Flags
    facts: dict[str, Array]

    @property
    def size(self) -> int:
        """Number of problems (P)."""
        return len(self.observations)

    def take(self, rows: Array) -> Problems:
        """Copy some of the problems; rows may repeat."""
        facts = {name: values[rows] for name, values in self.facts.items()}
        return Problems(self.observations[rows], self.targets[rows], self.masks[rows], facts)


class PuzzleTask(ABC):
    """Draws problems and scores answers.

    Attributes:
        observation_space: of one problem, with finite bounds.
        action_space: of one answer.
        group_by: the fact by which results are split, if any.
    """

    observation_space: gymnasium.spaces.Box
    action_space: gymnasium.spaces.MultiBinary | gymnasium.spaces.Discrete[Any]
    group_by: str | None = None

    @property
    def problem_bytes(self) -> int:
        """Bytes of one problem of a set: observation, answer and mask."""
        return self.observation_space.low.nbytes + 2 * math.prod(self.action_space.shape or ())

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int) -> Problems:
        """Draw the next `count` problems, as fresh arrays."""

    def present(self, rng: np.random.Generator, problems: Problems) -> Problems:
        """Vary problems of a fixed set each time they are shown, such as by a crop; here not at all."""
        return problems

    def solved(self, actions: Array, targets: Array, masks: Flags) -> Flags:
        """Return which answers are right at every position that counts, (P,)."""
        right = (actions == targets) | ~masks
        solved: Flags = right.reshape(len(right), -1).all(axis=1)
        return solved

    def fraction(self, actions: Array, targets: Array, masks: Flags) -> Floats:
        """Return the share of right positions among those that count, (P,)."""
        right = ((actions == targets) & masks).reshape(len(masks), -1)
        counted = masks.reshape(len(masks), -1).sum(axis=1)
        shares: Floats = right.sum(axis=1) / np.maximum(counted, 1)
        return shares

    def picture(self, observation: Array) -> Bytes:
        """Render an observation (C, H, W) or (C, W) as RGB pixels.

        One channel is shown in grey, three as colours; of any other number their maximum, in grey.
        """
        low, high = float(self.observation_space.low.min()), float(self.observation_space.high.max())
        planes = observation.reshape(len(observation), -1, observation.shape[-1])
        if len(planes) not in (1, 3):
            planes = planes.max(axis=0, keepdims=True)
        shades = np.rint((planes - low) * (255 / (high - low))).astype(np.uint8)
        pixels = np.broadcast_to(shades, (3, *shades.shape[1:])).transpose(1, 2, 0)
        return pixels.repeat(PICTURE_PIXELS, axis=0).repeat(PICTURE_PIXELS, axis=1)

    def restart(self) -> None:  # noqa: B027 (a task without a set has nothing to forget)
        """Forget earlier draws: from here on the generator given to `draw` decides everything."""

    def get_state(self) -> dict[str, Any]:
        """Return what, besides the random generator, decides the next problems."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:  # noqa: B027 (nor anything to take up)
        """Restore `get_state()` of the same task."""
