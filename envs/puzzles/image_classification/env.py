"""Image classification: the environment, in both forms."""

from __future__ import annotations

from engram.envs.forms.parameters import Parametrized
from engram.envs.puzzles import BatchedPuzzle, SinglePuzzle
from engram.envs.puzzles.image_classification.task import make_images


class BatchedImageClassification(Parametrized, BatchedPuzzle, task=make_images):
    """`ImageClassification` in B lanes; see there for the task."""


class ImageClassification(SinglePuzzle, of=BatchedImageClassification):
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
        reward: "exact" (default) or "fraction", here the same.

    Reset options:
        `problem`: an `engram.envs.puzzles.Problems` of one picture, instead of a drawn one.

    Source:
        "Thinking Deeply with Recurrence" (paper 1, 2021); A. Krizhevsky, "Learning Multiple Layers of
        Features from Tiny Images" (CIFAR-10); Y. Netzer et al., "Reading Digits in Natural Images" (SVHN); G.
        Cohen et al., "EMNIST", arXiv 1702.05373; E. Alpaydin and C. Kaynak, "Optical Recognition of
        Handwritten Digits" (UCI). The shapes are this package's own.
    """
