"""The multi-layer perceptron of paper 1. B problems, F features."""

import dataclasses
import math

from torch import Tensor, nn

from engram.memory.options import integer
from engram.memory.thinking.blocks import Repeated
from engram.memory.thinking.labels import LabelOptions, LabelThinker
from engram.memory.thinking.thinker import Answers


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThinkingMLPOptions(LabelOptions):
    """Options of `thinking_mlp`."""

    width: int = integer(
        200, "features of a thought; paper 1: 200 for CIFAR-10, 500 for the others", unit="features"
    )


class ThinkingMLP(LabelThinker):
    """Linear, n times the same (or n) linear maps of F features, linear; ReLUs in between. Depth n + 2."""

    Options = ThinkingMLPOptions
    outer_layers = 2
    layers_per_iteration = 1

    def __init__(self, shape: tuple[int, ...], outputs: Answers, options: ThinkingMLPOptions) -> None:
        super().__init__(shape, outputs, options)
        width = options.width
        self.first = nn.Linear(math.prod(shape), width)
        self.blocks = Repeated(lambda: nn.Linear(width, width), self.iteration_limit or 1)
        self.last = nn.Linear(width, self.classes)

    def begin(self, problems: Tensor) -> Tensor:
        """All numbers of a problem into one linear map, and a ReLU: (B, F)."""
        features: Tensor = self.first(self.prepare(problems).flatten(1))
        return features.relu_()

    def iterate(self, thought: Tensor, problems: Tensor, iteration: int) -> Tensor:
        """A linear map and a ReLU."""
        after: Tensor = self.blocks.at(iteration)(thought)
        return after.relu_()

    def answer(self, thought: Tensor) -> Tensor:
        """A linear map: (B, labels)."""
        logits: Tensor = self.last(thought)
        return logits
