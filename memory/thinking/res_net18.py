"""ResNet-18 in its form for small pictures, which paper 1 compares with. B problems, F features."""

import dataclasses

from torch import Tensor, nn
from torch.nn import functional

from engram.memory.options import integer
from engram.memory.thinking.labels import ImageThinker
from engram.memory.thinking.thinker import Answers, ThinkerOptions

WIDTHS = (64, 128, 256, 512)
"""Features of the four stages of two blocks each."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNet18Options(ThinkerOptions):
    """Options of `res_net18`."""

    thinking_steps: int = integer(1, "there is one iteration", unit="iterations", high=1)


class ResNet18(ImageThinker):
    """He et al., Deep residual learning, 2016, with a first convolution of 3 x 3 and stride 1 and no pool.

    It does not repeat anything: its one iteration is all of its eight blocks.
    """

    Options = ResNet18Options
    outer_layers = 2
    layers_per_iteration = 16

    def __init__(self, shape: tuple[int, ...], outputs: Answers, options: ResNet18Options) -> None:
        super().__init__(shape, outputs, options)
        self.iteration_limit = 1
        self.first = nn.Conv2d(shape[0], WIDTHS[0], 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(WIDTHS[0])
        stages = zip((WIDTHS[0], *WIDTHS), WIDTHS, strict=False)
        self.stages = nn.Sequential(*(block for before, after in stages for block in _stage(before, after)))
        self.head = nn.Linear(WIDTHS[-1], self.classes)

    def begin(self, problems: Tensor) -> Tensor:
        """The first convolution, batch norm and a ReLU: (B, 64, H, W)."""
        features: Tensor = self.first_norm(self.first(self.prepare(problems)))
        return features.relu_()

    def iterate(self, thought: Tensor, problems: Tensor, iteration: int) -> Tensor:
        """All blocks: (B, 512, H / 8, W / 8)."""
        features: Tensor = self.stages(thought)
        return features

    def answer(self, thought: Tensor) -> Tensor:
        """The mean over positions, and a linear map: (B, labels)."""
        logits: Tensor = self.head(thought.mean((2, 3)))
        return logits

    def recurrent_parameters(self) -> list[nn.Parameter]:
        """None."""
        return []


class StageBlock(nn.Module):
    """A basic block with batch norm that may change width and, along with it, halve rows and columns."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        stride = 1 if before == after else 2
        self.first = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Applies the block to (B, before, H, W)."""
        inner: Tensor = functional.relu_(self.first_norm(self.first(x)))
        outer: Tensor = self.second_norm(self.second(inner))
        return outer.add_(self.shortcut(x)).relu_()


def _stage(before: int, after: int) -> tuple[StageBlock, StageBlock]:
    return StageBlock(before, after), StageBlock(after, after)
