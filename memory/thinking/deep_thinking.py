"""Deep Thinking networks, with recall or without, over one axis or two (paper 2, section 4 and appendix).

B problems, C channels, F features, *S sizes: (N,) or (H, W).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from engram.memory.options import boolean, integer
from engram.memory.thinking.convolutional import GROUPS, ConvolutionalThinker
from engram.memory.thinking.thinker import Answers, RepeatedOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepThinkingOptions(RepeatedOptions):
    """Options of `deep_thinking`."""

    width: int = integer(128, "features of a thought", unit="features", high=4096)
    recall: bool = boolean(True, "whether each iteration sees the problem again")
    recall_relu: bool = boolean(True, "ReLU after the recall convolution; the feed-forward twin has none")
    group_norm: bool = boolean(False, "normalise after each convolution of a block, in four groups")


class DeepThinking(ConvolutionalThinker):
    """DT-Recall or, without recall, DT: (C, N) problems such as prefix sums, or (C, H, W) such as mazes.

    Inner widths of the head are F and F / 2 over one axis, 32 and 8 over two.
    """

    Options = DeepThinkingOptions
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "prefix_sums": {"width": 400},
        "mazes": {"width": 128},
        "chess": {"width": 512},
    }
    """Paper 2's networks, with recall and 30 iterations."""

    def __init__(self, shape: tuple[int, ...], outputs: Answers, options: DeepThinkingOptions) -> None:
        """Builds the network.

        Raises:
            ValueError: the width does not divide as asked, or as in `ConvolutionalThinker`.
        """
        divisor = GROUPS if options.group_norm else 2
        if options.width % divisor:
            raise ValueError(f"width: expected a multiple of {divisor}, got {options.width}")
        width = options.width
        super().__init__(
            shape,
            outputs,
            options,
            width=width,
            head=(width, width // 2) if len(shape) == 2 else (32, 8),
            recall=options.recall,
            recall_relu=options.recall_relu,
            group_norm=options.group_norm,
        )
