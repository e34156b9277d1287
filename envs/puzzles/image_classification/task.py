"""Image classification as a `PuzzleTask`.

P pictures, C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from gymnasium.spaces import Box, Discrete
from typing_extensions import override

from engram.envs.arguments import check_flag, check_known, check_path
from engram.envs.arrays import Array, Bytes
from engram.envs.data.splits import (
    ONLINE,
    check_data_seed,
    check_split,
)
from engram.envs.puzzles import FixedProblems, Problems, PuzzleTask
from engram.envs.puzzles.image_classification.data_sets import DATA_SETS
from engram.envs.puzzles.image_classification.pictures import Pictures, Pixels, fit, random_crop, random_flip
from engram.envs.puzzles.task import PICTURE_PIXELS

_SHADES = 255  # the brightest

Sample = Callable[[np.random.Generator, int], Pictures]


class ImageTask(PuzzleTask):
    """Draws pictures and their classes without end.

    A set of them (`FixedProblems`) holds raw pixels, uint8; what is done to them is done when they are shown.

    Args:
        sample: draws pictures.
        classes: number of classes.
        mean: of each channel, 1 = brightest.
        std: standard deviation of each channel.
        crop: whether to move pictures at random.
        flip: whether to mirror pictures at random.
        normalise: whether to show (pixels / 255 - mean) / std, float32, instead of pixels.

    Raises:
        ValueError: a switch is not a boolean.
    """

    def __init__(
        self,
        sample: Sample,
        classes: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        crop: bool = False,
        flip: bool = False,
        normalise: bool = True,
    ) -> None:
        self.crop, self.flip = check_flag("crop", crop), check_flag("flip", flip)
        self.normalise = check_flag("normalise", normalise)
        self._sample = sample
        self._mean, self._std = (np.array(each, np.float32)[:, None, None] for each in (mean, std))
        shape = sample(np.random.default_rng(0), 1).images.shape[1:]
        low, high = (self._shown(np.full(shape, shade, np.uint8)) for shade in (0, _SHADES))
        self.observation_space = Box(low, high, dtype=low.dtype.type)
        self.action_space = Discrete(classes)

    @override
    def draw(self, rng: np.random.Generator, count: int) -> Problems:
        return self.present(rng, problems_of(self._sample(rng, count)))

    def present(self, rng: np.random.Generator, problems: Problems) -> Problems:
        """Crop, mirror and normalise pictures, as the parameters say."""
        images = problems.observations
        if self.crop:
            images = random_crop(rng, images)
        if self.flip:
            images = random_flip(rng, images)
        return problems._replace(observations=self._shown(images))

    @override
    def picture(self, observation: Array) -> Bytes:
        """Render an observation as RGB pixels, in the picture's own colours."""
        shades = observation * self._std + self._mean if self.normalise else observation / _SHADES
        image = np.rint(shades * _SHADES).clip(0, _SHADES).astype(np.uint8)
        pixels = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0)
        return pixels.repeat(PICTURE_PIXELS, axis=0).repeat(PICTURE_PIXELS, axis=1)

    def _shown(self, images: Pixels) -> Array:
        if not self.normalise:
            return images
        return (images * np.float32(1 / _SHADES) - self._mean) / self._std


def problems_of(pictures: Pictures) -> Problems:
    """Return pictures as problems, their pixels as they are."""
    return Problems(pictures.images, pictures.labels, np.ones(len(pictures.labels), np.bool_), {})


def make_images(
    data: str = "digits",
    split: str = ONLINE,
    data_seed: int = 0,
    split_sizes: Mapping[str, int] | None = None,
    path: str | None = None,
    size: int | None = None,
    crop: bool = False,
    flip: bool = False,
    normalise: bool = True,
) -> PuzzleTask:
    """Make the task of the environment `ImageClassification`.

    Args:
        data: "digits" (default), "shapes", "cifar10", "svhn" or "emnist" (balanced).
        split: "online" (default): pictures drawn one by one for ever, from the training set or, of shapes,
            fresh; "train", "valid" or "test": a finite set, drawn epoch by epoch. "train" and "valid" divide
            the authors' training set, "test" is their test set (of digits: the last 497 of 1797).
        data_seed: by which "train" and "valid" are divided, and shapes are drawn (default 0), at least 0.
        split_sizes: numbers of pictures. Default for shapes 10 000, 2 000 and 2 000, for digits 1 000, 300
            and 497; for the others all, as in the paper, and nothing is left for "valid" unless it is asked
            for, as in `{"valid": 5000}`.
        path: the folder that holds the unpacked files of `cifar10` (`data_batch_1` to `_5` and `test_batch`,
            or the same with `.bin`), `svhn` (`train_32x32.mat`, `test_32x32.mat`) or `emnist`
            (`emnist-balanced-train-images-idx3-ubyte` and three more, with or without `.gz`).
        size: side of a picture that is larger than the set's own: enlarged by a whole factor, with a black
            border around it (default None: as it is).
        crop: whether pictures of "online" and "train" are moved by up to 4 pixels each way (default False).
        flip: whether half of them are mirrored, which makes other signs of digits and letters (default
            False).
        normalise: whether to subtract the mean and divide by the standard deviation (default True).

    Raises:
        ValueError: an argument is not legal, or `path` holds something else.
    """
    known = DATA_SETS[check_known("data", data, list(DATA_SETS))]
    split, data_seed = check_split(split), check_data_seed(data_seed)
    source = known.choose(split, data_seed, split_sizes, check_path("path", path))
    learns = split in (ONLINE, "train")  # only there pictures are varied
    task = ImageTask(
        partial(_sample_fitted, source.sample, size),
        known.classes,
        known.mean,
        known.std,
        check_flag("crop", crop) and learns,
        check_flag("flip", flip) and learns,
        normalise,
    )
    if split == ONLINE or not isinstance(source, Pictures):
        return task
    return FixedProblems(task, problems_of(fit(source, size)))


def _sample_fitted(sample: Sample, size: int | None, rng: np.random.Generator, count: int) -> Pictures:
    return fit(sample(rng, count), size)
