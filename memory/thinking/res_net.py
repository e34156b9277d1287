"""The residual networks of paper 1, without and with batch norm.

B problems, F features, H rows, W columns.
"""

import dataclasses

from torch import Tensor, nn

from engram.memory.options import integer
from engram.memory.thinking.blocks import Block, Repeated, convolution
from engram.memory.thinking.labels import ImageThinker, LabelOptions
from engram.memory.thinking.thinker import Answers

LAST_WIDTH = 512
"""Features of the last convolution with batch norm, whatever the width of a thought."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNetOptions(LabelOptions):
    """Options of `res_net`."""

    width: int = integer(512, "features of a thought", unit="features")


class ResNet(ImageThinker):
    """Convolution (stride 2), n times the same (or n) blocks of four, convolution (stride 2), mean, linear.

    No convolution has a bias. Depth 4n + 3.
    """

    Options = ResNetOptions
    outer_layers = 3
    layers_per_iteration = 4

    def __init__(self, shape: tuple[int, ...], outputs: Answers, options: ResNetOptions) -> None:
        super().__init__(shape, outputs, options)
        width, last_width = options.width, self.last_width(options)
        self.first = convolution(2, shape[0], width, stride=2)
        self.blocks = Repeated(lambda: Block(2, width), self.iteration_limit or 1)
        self.last = convolution(2, width, last_width, stride=2)
        self.head = nn.Linear(last_width, self.classes)

    def last_width(self, options: ResNetOptions) -> int:
        """Features of the last convolution."""
        return options.width

    def begin(self, problems: Tensor) -> Tensor:
        """A convolution of stride 2 and a ReLU: (B, F, H / 2, W / 2)."""
        features: Tensor = self.first(self.prepare(problems))
        return features.relu_()

    def iterate(self, thought: Tensor, problems: Tensor, iteration: int) -> Tensor:
        """A block of four convolutions."""
        after: Tensor = self.blocks.at(iteration)(thought)
        return after

    def answer(self, thought: Tensor) -> Tensor:
        """A convolution of stride 2 and a ReLU, the mean over positions, linear: (B, labels)."""
        features: Tensor = self.last(thought)
        logits: Tensor = self.head(features.relu_().mean((2, 3)))
        return logits


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNetBNOptions(ResNetOptions):
    """Options of `res_net_bn`."""

    width: int = integer(256, "features of a thought", unit="features")


class ResNetBN(ResNet):
    """`ResNet` with batch norm: one after each convolution of each iteration, even where weights are shared.

    Beyond the trained number of iterations those of the last one are used. Paper 1 reads the last thought
    only: in training every call of `answer` counts towards the statistics of the norm in the head, so train
    with a loss of the last iteration.
    """

    Options = ResNetBNOptions

    def __init__(self, shape: tuple[int, ...], outputs: Answers, options: ResNetBNOptions) -> None:
        super().__init__(shape, outputs, options)
        width = options.width
        self.first_norm = nn.BatchNorm2d(width)
        self.norms = Repeated(
            lambda: nn.ModuleList(nn.BatchNorm2d(width) for _ in range(self.layers_per_iteration)),
            options.thinking_steps,
        )
        self.last_norm = nn.BatchNorm2d(LAST_WIDTH)

    def last_width(self, options: ResNetOptions) -> int:
        """Features of the last convolution."""
        return LAST_WIDTH

    def begin(self, problems: Tensor) -> Tensor:
        """A convolution of stride 2, batch norm and a ReLU: (B, F, H / 2, W / 2)."""
        features: Tensor = self.first_norm(self.first(self.prepare(problems)))
        return features.relu_()

    def iterate(self, thought: Tensor, problems: Tensor, iteration: int) -> Tensor:
        """A block of four convolutions with the norms of this iteration."""
        after: Tensor = self.blocks.at(iteration)(thought, list(self.norms.at(iteration).children()))
        return after

    def answer(self, thought: Tensor) -> Tensor:
        """A convolution of stride 2, batch norm and a ReLU, the mean over positions, linear: (B, labels)."""
        features: Tensor = self.last_norm(self.last(thought))
        logits: Tensor = self.head(features.relu_().mean((2, 3)))
        return logits
