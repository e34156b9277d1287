"""The convolutional network of paper 1. B problems, F features, H rows, W columns."""

import dataclasses

from torch import Tensor, nn
from torch.nn import functional

from engram.memory.options import integer
from engram.memory.thinking.blocks import Repeated
from engram.memory.thinking.labels import ImageThinker, LabelOptions
from engram.memory.thinking.thinker import Answers

EDGE = 4
"""Rows and columns that two convolutions without padding lose."""
POOL = 3
"""Side of the squares that are pooled."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvNetOptions(LabelOptions):
    """Options of `conv_net`."""

    width: int = integer(64, "features of a thought", unit="features")


class ConvNet(ImageThinker):
    """Two convolutions, n times the same one (or n), pool, convolution, pool, linear; all with biases.

    Pictures of 28 x 28 and of 32 x 32 both end in 2 x 2 positions of 2F features. Depth n + 4, of which the
    tables of paper 1 count n + 3.
    """

    Options = ConvNetOptions
    outer_layers = 4
    layers_per_iteration = 1
    layers_not_in_tables = 1
    smallest = EDGE + (POOL + 2) * POOL

    def __init__(self, shape: tuple[int, ...], outputs: Answers, options: ConvNetOptions) -> None:
        super().__init__(shape, outputs, options)
        channels, height, width = shape
        features = options.width
        self.first = nn.Conv2d(channels, features // 2, 3)
        self.second = nn.Conv2d(features // 2, features, 3)
        self.blocks = Repeated(lambda: nn.Conv2d(features, features, 3, padding=1), self.iteration_limit or 1)
        self.last = nn.Conv2d(features, 2 * features, 3)
        pooled = _pooled(height) * _pooled(width)
        self.head = nn.Linear(2 * features * pooled, self.classes)

    def begin(self, problems: Tensor) -> Tensor:
        """Two convolutions without padding, and ReLUs: (B, F, H - 4, W - 4)."""
        features: Tensor = self.first(self.prepare(problems))
        features = self.second(features.relu_())
        return features.relu_()

    def iterate(self, thought: Tensor, problems: Tensor, iteration: int) -> Tensor:
        """A convolution and a ReLU."""
        after: Tensor = self.blocks.at(iteration)(thought)
        return after.relu_()

    def answer(self, thought: Tensor) -> Tensor:
        """Pool, convolution and ReLU, pool, linear: (B, labels)."""
        features: Tensor = self.last(functional.max_pool2d(thought, POOL))
        features = functional.max_pool2d(features.relu_(), POOL)
        logits: Tensor = self.head(features.flatten(1))
        return logits


def _pooled(size: int) -> int:
    """Returns the rows or columns that the head leaves of a picture's."""
    return ((size - EDGE) // POOL - 2) // POOL
