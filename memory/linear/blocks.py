"""A fragment taken in blocks of steps, so that what passes between a core's maps stays in the cache.

T time, B lanes, F features.
"""

import abc
import itertools
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from engram.memory.core import Core, Info, State, run_pieces


class BlockedCore(Core):
    """A core that unrolls block after block; gradients flow on between them.

    Attributes:
        BLOCK_STEPS: steps per block, on a CPU; elsewhere calls are what counts, and a fragment is one block.
    """

    BLOCK_STEPS: ClassVar[int] = 64

    @abc.abstractmethod
    def unroll_block(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Arguments and results as in `Core.unroll`."""

    @override
    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        steps = self.BLOCK_STEPS if inputs.device.type == "cpu" else len(inputs)
        if len(inputs) <= steps:
            return self.unroll_block(inputs, state, resets, return_info)
        # Slices would each hand back a gradient as large as all inputs; `split` joins them once.
        block_resets = itertools.repeat(None) if resets is None else torch.split(resets, steps)
        blocks = zip(torch.split(inputs, steps), block_resets, strict=False)
        return run_pieces(self.unroll_block, blocks, state, return_info)
