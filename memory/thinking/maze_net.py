"""The maze networks of paper 1: recurrent, feed-forward and dilated.

B problems, C channels, F features, H rows, W columns.
"""

import dataclasses

from engram.memory.options import choice, integer
from engram.memory.thinking.convolutional import ConvolutionalThinker
from engram.memory.thinking.thinker import Answers, RepeatedOptions, thinking_steps_option


@dataclasses.dataclass(frozen=True, kw_only=True)
class MazeNetOptions(RepeatedOptions):
    """Options of `maze_net`."""

    width: int = integer(128, "features of a thought", unit="features", high=4096)
    dilation: str = choice(
        "none",
        "convolutions that skip every other position: all of them, or those which the authors' later "
        "networks dilate (the first, the second of each basic block, the head)",
        ("none", "all", "sister"),
    )
    thinking_steps: int = thinking_steps_option(5)


class MazeNet(ConvolutionalThinker):
    """Effective depth 4n + 4 after n iterations; the tables of paper 1 count 4n + 3.

    Paper 1 gives no dilation factor for Table 2; here it is 2.
    """

    Options = MazeNetOptions

    def __init__(self, shape: tuple[int, ...], outputs: Answers, options: MazeNetOptions) -> None:
        """Builds the network.

        Raises:
            ValueError: problems are not (C, H, W), or labels were asked for.
        """
        if len(shape) != 3:
            raise ValueError(f"type: expected problems (C, H, W), got the shape {tuple(shape)}")
        super().__init__(
            shape,
            outputs,
            options,
            width=options.width,
            head=(32, 8),
            dilate=options.dilation != "none",
            dilate_all=options.dilation == "all",
        )
