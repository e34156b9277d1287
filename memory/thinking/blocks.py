"""Parts of thinking networks. B problems, F features, *S sizes: (N,) or (H, W)."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}
"""Number of axes to convolution."""

Norm = Callable[[Tensor], Tensor]
"""Applied to the result of a convolution."""


def convolution(axes: int, inputs: int, outputs: int, *, dilation: int = 1, stride: int = 1) -> nn.Module:
    """A convolution of 3 (x 3) positions without bias, which keeps the size where the stride is 1."""
    return CONVOLUTIONS[axes](
        inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
    )


class Repeated(nn.ModuleList):
    """The parts that the iterations apply in turn; later iterations use the last one.

    One part is shared by all iterations.
    """

    def __init__(self, make: Callable[[], nn.Module], parts: int) -> None:
        super().__init__(make() for _ in range(parts))

    def at(self, iteration: int) -> nn.Module:
        """The part that this iteration applies."""
        return self[min(iteration, len(self) - 1)]


class Block(nn.Module):
    """One iteration of papers 1 and 2: two basic blocks, four convolutions.

    A basic block is y = ReLU(conv(ReLU(conv(x))) + x), each convolution followed by a norm, if there is any.
    """

    def __init__(self, axes: int, width: int, dilations: tuple[int, int] = (1, 1)) -> None:
        """Builds the convolutions; `dilations` are those of the two in a basic block."""
        super().__init__()
        inner, outer = dilations
        self.conv1 = convolution(axes, width, width, dilation=inner)
        self.conv2 = convolution(axes, width, width, dilation=outer)
        self.conv3 = convolution(axes, width, width, dilation=inner)
        self.conv4 = convolution(axes, width, width, dilation=outer)

    def forward(self, x: Tensor, norms: Sequence[Norm] = ()) -> Tensor:
        """Applies the block; x is (B, F, *S), there are four norms or none."""
        y = _basic_block(x, self.conv1, self.conv2, norms[:2])
        return _basic_block(y, self.conv3, self.conv4, norms[2:])


def _basic_block(x: Tensor, first: nn.Module, second: nn.Module, norms: Sequence[Norm]) -> Tensor:
    # Sums and ReLUs work in place: no convolution or norm needs its own result for the backward pass.
    y: Tensor = first(x)
    if norms:
        y = norms[0](y)
    y = second(y.relu_())
    if norms:
        y = norms[1](y)
    return y.add_(x).relu_()
