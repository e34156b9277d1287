"""Image classification, one picture at a time; `image_classification.batched` is its batched form."""

from __future__ import annotations

from collections.abc import Mapping

from engram.envs.puzzles import Puzzle
from engram.envs.puzzles.image_classification.puzzles import make_images


class ImageClassification(Puzzle):
    """A picture is shown; answer with its class.

    Description:
        A supervised puzzle as an episode of one step, the one of paper 1 that more thinking does not help
        with. Two data sets are there at once: scikit-learn's handwritten digits, and drawn pictures of ten
        shapes at the size of CIFAR-10's. CIFAR-10, the Street View House Numbers and EMNIST are read from the
        files that their authors publish; nothing is ever downloaded.

    Observation:
        `Box((C, H, W), float32)`: (pixels / 255 - mean) / std, mean and standard deviation fixed for each
        channel; or pixels, `Box(0, 255, (C, H, W), uint8)`. `digits` (1, 8, 8), `shapes`, `cifar10` and
        `svhn` (3, 32, 32), `emnist` (1, 28, 28), upright.

    Action:
        `Discrete(k)`: the class; k = 10, for `emnist` 47.

    Reward:
        1 if the class is right, else 0.

    End:
        After one step, always a termination.

    Info:
        `target` (int): the class; `mask` (bool): that it counts, here always; `success` (bool): the class was
        right.

    Arguments:
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
        reward: "exact" (default) or "fraction", here the same.
        render_mode: None or "rgb_array".

    Reset options:
        `problem`: an `engram.envs.puzzles.Problems` of one picture, instead of a drawn one.

    Source:
        "Thinking Deeply with Recurrence" (paper 1, 2021); A. Krizhevsky, "Learning Multiple Layers of
        Features from Tiny Images" (CIFAR-10); Y. Netzer et al., "Reading Digits in Natural Images" (SVHN); G.
        Cohen et al., "EMNIST", arXiv 1702.05373; E. Alpaydin and C. Kaynak, "Optical Recognition of
        Handwritten Digits" (UCI). The shapes are this package's own.
    """

    def __init__(
        self,
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
    ) -> None:
        """See the class.

        Raises:
            ValueError: an argument is not legal.
        """
        puzzles = make_images(data, split, data_seed, split_sizes, path, size, crop, flip, normalise)
        super().__init__(puzzles, reward, render_mode)
