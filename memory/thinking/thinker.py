"""The contract of a thinking network: it answers after each of any number of iterations.

B problems of a batch, C channels of a problem, *S its sizes (N positions, or H rows and W columns),
F features of a thought.

Sources: Schwarzschild et al., Thinking Deeply with Recurrence, 2021 ("paper 1"); A Simple Loss Function for
Convergent Algorithm Synthesis using RNNs, 2023 ("paper 2").
"""

import abc
import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from engram.memory.options import Options, boolean, integer

Convention = Literal["layers", "tables"]
"""How layers are counted: all of them, or as in paper 1's tables, which leave one out for some families."""


@dataclasses.dataclass(frozen=True)
class Answers:
    """The kind of answer that a problem asks for.

    Attributes:
        labels: number of labels, one for the whole problem; None: a bit for every position, however many
            positions there are.
    """

    labels: int | None = None

    @property
    def classes(self) -> int:
        """Logits per answer."""
        return 2 if self.labels is None else self.labels


def thinking_steps_option(default: int) -> Any:
    """The field for the trained number of iterations."""
    return integer(
        default, "iterations in training, and elsewhere by default", unit="iterations", high=10_000
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThinkerOptions(Options):
    """Options common to all thinking networks."""

    thinking_steps: int = thinking_steps_option(30)
    checkpointing: bool = boolean(
        False, "keep one thought per iteration for the backward pass and compute the rest again: less memory"
    )
    channels_last: bool = boolean(False, "lay pictures out with channels last; often faster in 2-D")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RepeatedOptions(ThinkerOptions):
    """Options of a network whose iterations share their weights, or do not."""

    feed_forward: bool = boolean(
        False, "weights of its own for each of the `thinking_steps` iterations; no more than these can be run"
    )


class Thinker(nn.Module, abc.ABC):
    """A network that answers after each of any number of iterations.

    Its state is the thought, an ordinary tensor that whoever calls may keep, so that one iteration at a time
    equals any number at once:

        thought = thinker.begin(problems)
        for iteration in range(iterations):
            thought = thinker.think(thought, problems, iteration)
            logits = thinker.answer(thought)

    Subclasses set `Options` and the numbers of layers, and write `begin`, `iterate`, `answer` and
    `recurrent_parameters`.

    Attributes:
        Options: the dataclass of this network's options.
        PRESETS: named sets of options, for ``preset``.
        outer_layers: layers (convolutions, linear maps) outside of the iterations.
        layers_per_iteration: layers of one iteration.
        layers_not_in_tables: layers that the tables of paper 1 do not count.
        shape: (C, *S) of the problems that the network was built for; a fully convolutional one takes other
            *S too.
        classes: logits per answer.
        thinking_steps: iterations in training, and elsewhere by default.
        iteration_limit: no more iterations can be run; None: any number can.
        checkpointing: whether iterations are computed again in the backward pass.
        memory_format: how (B, F, H, W) lie in memory; `lay_out` makes the weights follow.
    """

    Options: ClassVar[type[ThinkerOptions]] = ThinkerOptions
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    outer_layers: int
    layers_per_iteration: int
    layers_not_in_tables: int = 0

    def __init__(self, shape: tuple[int, ...], outputs: Answers, options: ThinkerOptions) -> None:
        """Stores the options that all thinking networks have.

        Raises:
            ValueError: `channels_last` is for pictures.
        """
        super().__init__()
        self.shape = tuple(shape)
        if options.channels_last and len(self.shape) != 3:
            raise ValueError(f"channels_last: expected problems (C, H, W), got the shape {self.shape}")
        self.classes = outputs.classes
        self.thinking_steps = options.thinking_steps
        fixed = isinstance(options, RepeatedOptions) and options.feed_forward
        self.iteration_limit = options.thinking_steps if fixed else None
        self.checkpointing = options.checkpointing
        self.memory_format = torch.channels_last if options.channels_last else torch.contiguous_format

    @abc.abstractmethod
    def begin(self, problems: Tensor) -> Tensor:
        """The thought before the first iteration.

        Args:
            problems: (B, C, *S), of any dtype.

        Returns:
            (B, F, *S'), or (B, F) where a thought has no positions.

        Raises:
            ValueError: `problems` have a shape that the network does not take.
        """

    @abc.abstractmethod
    def iterate(self, thought: Tensor, problems: Tensor, iteration: int) -> Tensor:
        """Computes one iteration; callers use `think`."""

    @abc.abstractmethod
    def answer(self, thought: Tensor) -> Tensor:
        """Computes the answer from a thought: logits (B, classes, *S), or (B, classes) for labels."""

    @abc.abstractmethod
    def recurrent_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters that every iteration shares, whose learning rate a throttle divides."""

    def think(self, thought: Tensor, problems: Tensor, iteration: int) -> Tensor:
        """Computes one iteration.

        Args:
            thought: the last one, from `begin` or `think`; it is left as it is.
            problems: (B, C, *S), what `begin` was given.
            iteration: its index, counted from 0.

        Returns:
            The next thought, of the same shape.

        Raises:
            ValueError: the network has fewer iterations than that.
        """
        if self.iteration_limit is not None and iteration >= self.iteration_limit:
            raise ValueError(
                f"iteration: expected an integer < {self.iteration_limit}, since every iteration has weights "
                f"of its own, got {iteration}"
            )
        if not self.checkpointing or not torch.is_grad_enabled():
            return self.iterate(thought, problems, iteration)
        again: Tensor = checkpoint(
            self.iterate,
            thought,
            problems,
            iteration,
            use_reentrant=False,
            preserve_rng_state=False,  # nothing is drawn
            context_fn=lambda: (contextlib.nullcontext(), _statistics_at_rest(self)),
        )
        return again

    def lay_out(self) -> None:
        """Lays the weights out in memory as the pictures are; to be called once the network is built."""
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=self.memory_format)

    def prepare(self, problems: Tensor) -> Tensor:
        """Casts problems to the dtype of the weights and to the memory format of the network.

        `begin` and `think` take them as they come, too; a loop prepares them once.

        Raises:
            ValueError: wrong number of axes or channels.
        """
        if problems.ndim != len(self.shape) + 1 or problems.shape[1] != self.shape[0]:
            sizes = {2: ("N",), 3: ("H", "W")}.get(len(self.shape), self.shape[1:])
            expected = ", ".join(map(str, ("B", self.shape[0], *sizes)))
            raise ValueError(f"problems: expected ({expected}), got {tuple(problems.shape)}")
        return problems.to(dtype=next(self.parameters()).dtype, memory_format=self.memory_format)

    def thoughts(
        self, problems: Tensor, iterations: int, thought: Tensor | None = None, first: int = 0
    ) -> Iterator[Tensor]:
        """Yields the thought after each iteration; arguments as in `forward`."""
        problems = self.prepare(problems)
        thought = self.begin(problems) if thought is None else thought
        for iteration in range(first, first + iterations):
            thought = self.think(thought, problems, iteration)
            yield thought

    def forward(
        self, problems: Tensor, iterations: int, thought: Tensor | None = None, first: int = 0
    ) -> Tensor:
        """Computes the answers after each iteration.

        Args:
            problems: (B, C, *S).
            iterations: how many, at least 1.
            thought: what to go on from; None: from the beginning.
            first: how many iterations led to `thought`.

        Returns:
            Logits (iterations, B, classes, *S), or (iterations, B, classes) for labels.
        """
        return torch.stack(
            [self.answer(thought) for thought in self.thoughts(problems, iterations, thought, first)]
        )

    def effective_depth(self, iterations: int, convention: Convention = "layers") -> int:
        """Counts the layers that a problem passes (paper 1, section 2).

        Args:
            iterations: how many.
            convention: ``layers`` counts all of them; ``tables`` as the tables of paper 1 do, where a maze
                network of n iterations is 4n + 3 layers deep instead of 4n + 4.
        """
        depth = self.outer_layers + self.layers_per_iteration * iterations
        return depth - self.layers_not_in_tables if convention == "tables" else depth


@contextlib.contextmanager
def _statistics_at_rest(network: nn.Module) -> Iterator[None]:
    """Keeps batch norms from counting the same problems twice while an iteration is recomputed."""
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counted
