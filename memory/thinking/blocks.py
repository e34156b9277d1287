"""Parts of thinking networks. B problems, F features, *S sizes: (N,) or (H, W)."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}
"""Convolutions over so many axes."""

Norm = Callable[[Tensor], Tensor]
"""What is done to the result of a convolution."""


def convolution(axes: int, inputs: int, outputs: int, *, dilation: int = 1, stride: int = 1) -> nn.Module:
    """A convolution of 3 (x 3) positions without bias, which keeps the size where the stride is 1."""
    return CONVOLUTIONS[axes](
        inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
    )


class Repeated(nn.ModuleList):
    """What the iterations apply: as many parts as there are; later iterations use the last one.

    One part is shared by all iterations.
    """

    def __init__(self, make: Callable[[], nn.Module], parts: int) -> None:
        super().__init__(make() for _ in range(parts))

    def at(self, iteration: int) -> nn.Module:
        """The part that this iteration applies."""
        return self[min(iteration, len(self) - 1)]


class BasicBlock(nn.Module):
    """y = ReLU(conv(ReLU(conv(x))) + x), each convolution followed by a norm, if there is any.

    Sums and ReLUs work in place: no convolution or norm needs its own result for the backward pass.
    """

    def __init__(self, axes: int, width: int, dilations: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.first = convolution(axes, width, width, dilation=dilations[0])
        self.second = convolution(axes, width, width, dilation=dilations[1])

    def forward(self, x: Tensor, norms: Sequence[Norm] = ()) -> Tensor:
        """Applies the block; x is (B, F, *S), there are two norms or none."""
        inner: Tensor = self.first(x)
        if norms:
            inner = norms[0](inner)
        outer: Tensor = self.second(inner.relu_())
        if norms:
            outer = norms[1](outer)
        return outer.add_(x).relu_()


class Block(nn.Module):
    """What an iteration of papers 1 and 2 does: two basic blocks, four convolutions."""

    def __init__(self, axes: int, width: int, dilations: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.first = BasicBlock(axes, width, dilations)
        self.second = BasicBlock(axes, width, dilations)

    def forward(self, x: Tensor, norms: Sequence[Norm] = ()) -> Tensor:
        """Applies the block; x is (B, F, *S), there are four norms or none."""
        y: Tensor = self.first(x, norms[:2])
        z: Tensor = self.second(y, norms[2:])
        return z
