"""Base classes of networks that classify."""

import dataclasses

from torch import Tensor, nn

from engram.memory.thinking.blocks import Repeated
from engram.memory.thinking.thinker import (
    Answers,
    RepeatedOptions,
    Thinker,
    ThinkerOptions,
    thinking_steps_option,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelOptions(RepeatedOptions):
    """Options of the networks of paper 1 that classify and repeat a layer or block."""

    thinking_steps: int = thinking_steps_option(3)


class LabelThinker(Thinker):
    """A network that gives one of k labels to problems of the size it was built for.

    Subclasses put what iterations repeat into `blocks`.
    """

    blocks: Repeated

    def __init__(self, shape: tuple[int, ...], outputs: Answers, options: ThinkerOptions) -> None:
        """Stores the options that all thinking networks have.

        Raises:
            ValueError: answers per position were asked for.
        """
        super().__init__(shape, outputs, options)
        if outputs.labels is None:
            raise ValueError("type: this network gives labels, not an answer per position")

    def prepare(self, problems: Tensor) -> Tensor:
        """As `Thinker.prepare`; the sizes must be those that the network was built for, too."""
        if tuple(problems.shape[1:]) != self.shape:
            expected = ", ".join(map(str, self.shape))
            raise ValueError(f"problems: expected (B, {expected}), got {tuple(problems.shape)}")
        return super().prepare(problems)

    def recurrent_parameters(self) -> list[nn.Parameter]:
        """Those of `blocks`, if they are shared."""
        return list(self.blocks.parameters()) if self.iteration_limit is None else []


class ImageThinker(LabelThinker):
    """A network that gives one of k labels to pictures (C, H, W) of at least `smallest` rows and columns."""

    smallest: int = 1

    def __init__(self, shape: tuple[int, ...], outputs: Answers, options: ThinkerOptions) -> None:
        """Stores the options that all thinking networks have.

        Raises:
            ValueError: answers per position were asked for, or problems are no pictures, or too small.
        """
        super().__init__(shape, outputs, options)
        if len(shape) != 3 or min(shape[1:]) < self.smallest:
            size = f"H and W >= {self.smallest}"
            raise ValueError(f"type: expected problems (C, H, W), {size}, got the shape {tuple(shape)}")
