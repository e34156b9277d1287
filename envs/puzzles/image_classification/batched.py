"""Image classification in batched form."""

from __future__ import annotations

from collections.abc import Mapping

from gymnasium.vector import AutoresetMode

from engram.envs.puzzles import BatchedPuzzle
from engram.envs.puzzles.image_classification.puzzles import make_images


class BatchedImageClassification(BatchedPuzzle):
    """`engram.envs.puzzles.image_classification.env.ImageClassification` in B lanes; see there."""

    def __init__(
        self,
        num_envs: int = 1,
        data: str = "digits",
        split: str = "online",
        data_seed: int = 0,
        split_sizes: Mapping[str, int] | None = None,
        path: str | None = None,
        size: int | None = None,
        crop: bool = False,
        flip: bool = False,
        normalise: bool = True,
        reward: str = "exact",
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """See `ImageClassification` for the puzzle's arguments, `BatchedPuzzle` for the others.

        Raises:
            ValueError: an argument is not legal.
        """
        puzzles = make_images(data, split, data_seed, split_sizes, path, size, crop, flip, normalise)
        super().__init__(puzzles, num_envs, reward, render_mode, autoreset_mode)
