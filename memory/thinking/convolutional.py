"""Fully convolutional thinking networks: a bit for every position of problems of any size.

B problems, C channels, F features, *S sizes: (N,) or (H, W).
"""

import functools
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.memory.thinking.blocks import Block, Norm, Repeated, convolution
from engram.memory.thinking.thinker import Answers, RepeatedOptions, Thinker

GROUPS = 4
"""Groups of features that a group norm normalises together (paper 2's code)."""


class ConvolutionalThinker(Thinker):
    """h_0 = ReLU(conv(x)); each iteration h = Block(h) or, with recall, h = Block(ReLU(conv([h, x]))).

    The head is three convolutions with ReLUs in between; no convolution has a bias. The iterations share
    their weights or, in the feed-forward twin, each has its own block; a recall convolution is shared always.
    """

    outer_layers = 4
    layers_not_in_tables = 1

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: Answers,
        options: RepeatedOptions,
        *,
        width: int,
        head: Sequence[int],
        recall: bool = False,
        recall_relu: bool = True,
        group_norm: bool = False,
        dilate: bool = False,
        dilate_all: bool = False,
    ) -> None:
        """Builds the network.

        Args:
            shape: (C, *S).
            outputs: a bit per position.
            options: the options that all networks have.
            width: features of a thought.
            head: widths of the head's two inner layers.
            recall: whether each iteration sees the problem again.
            recall_relu: whether a ReLU follows the recall convolution.
            group_norm: whether a group norm without parameters follows each convolution of a block.
            dilate: whether the first convolution, every other one in the blocks, and the head are dilated.
            dilate_all: whether the rest is dilated too.

        Raises:
            ValueError: labels were asked for, or problems are neither (C, N) nor (C, H, W).
        """
        super().__init__(shape, outputs, options)
        if outputs.labels is not None:
            raise ValueError(f"type: this network answers per position, not one of {outputs.labels} labels")
        if len(shape) not in (2, 3):
            raise ValueError(f"type: expected problems (C, N) or (C, H, W), got the shape {tuple(shape)}")
        axes, channels = len(shape) - 1, shape[0]
        outer, inner = 2 if dilate else 1, 2 if dilate_all else 1
        self.layers_per_iteration = 5 if recall else 4
        self.recall_relu = recall_relu
        norm = functools.partial(functional.group_norm, num_groups=GROUPS)
        self.norms: tuple[Norm, ...] = (norm,) * 4 if group_norm else ()
        self.projection = convolution(axes, channels, width, dilation=outer)
        self.recall = convolution(axes, channels + width, width, dilation=inner) if recall else None
        self.blocks = Repeated(lambda: Block(axes, width, (inner, outer)), self.iteration_limit or 1)
        widths = (width, *head, self.classes)
        self.head = nn.ModuleList(
            convolution(axes, before, after, dilation=outer) for before, after in itertools.pairwise(widths)
        )

    def begin(self, problems: Tensor) -> Tensor:
        """A convolution and a ReLU: (B, F, *S)."""
        projected: Tensor = self.projection(self.prepare(problems))
        return projected.relu_()

    def iterate(self, thought: Tensor, problems: Tensor, iteration: int) -> Tensor:
        """Recall, if any, and a block of four convolutions."""
        if self.recall is not None:
            thought = self.recall(torch.cat((thought, problems.to(thought.dtype)), 1))
            thought = thought.relu_() if self.recall_relu else thought
        after: Tensor = self.blocks.at(iteration)(thought, self.norms)
        return after

    def answer(self, thought: Tensor) -> Tensor:
        """Three convolutions: (B, 2, *S)."""
        inner: Tensor = self.head[0](thought)
        inner = self.head[1](inner.relu_())
        logits: Tensor = self.head[2](inner.relu_())
        return logits

    def recurrent_parameters(self) -> list[nn.Parameter]:
        """The block's, if it is shared, and the recall convolution's."""
        shared = [*self.blocks] if self.iteration_limit is None else []
        shared += [] if self.recall is None else [self.recall]
        return [parameter for part in shared for parameter in part.parameters()]
