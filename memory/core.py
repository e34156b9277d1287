"""The contract of a recurrent core: inputs and a state in, outputs and a state out.

T time, B lanes (parallel streams), F features; time first everywhere.
"""

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from engram.memory.options import Options, integer

State = dict[str, Tensor]
"""The memory of B lanes, by name; every leaf is (B, ...). Empty for a core without memory."""

Info = dict[str, Tensor]
"""Internals worth looking at, by name; every leaf is (T, B, ...)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoreOptions(Options):
    """Options common to all cores."""

    bptt_steps: int | None = integer(
        None,
        "number of steps after which gradients are blocked inside a fragment; none: only at its ends",
        unit="env steps",
    )


class Core(nn.Module, abc.ABC):
    """A recurrent core. Subclasses set `Options`, `output_size`, and write `initial_state` and `unroll`.

    Gradients flow through the state that is handed in, if it has any: whoever carries a state from one
    fragment to the next detaches it. Inside `forward` they are blocked every `bptt_steps` steps.

    Attributes:
        Options: the dataclass of this core's options.
        PRESETS: named sets of options, for `preset`.
        carries_gradient: whether bridging a delay needs gradients through time.
        keeps_statistics: whether the core itself, not counting modules inside of it, updates running
            statistics where `training` is true, which then says nothing of dropout in it; None: so it does if
            it has buffers. Policy gradients train without dropout, see `engram.memory.modes`.
        input_size: features in.
        output_size: features out.
        bptt_steps: gradients are blocked after each this many steps, counted from the start of a fragment;
            None: never.
        train_input: whether anything upstream is trained through this core.
        random_start: whether initial states are drawn; policy gradients set it to false.
    """

    Options: ClassVar[type[CoreOptions]] = CoreOptions
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    carries_gradient: ClassVar[bool] = True
    keeps_statistics: ClassVar[bool | None] = None
    random_start: bool = False
    output_size: int

    def __init__(self, input_size: int, options: CoreOptions) -> None:
        super().__init__()
        self.input_size = input_size
        self.bptt_steps = getattr(options, "bptt_steps", None)  # a user's own options need not have it
        self.train_input = True

    @abc.abstractmethod
    def initial_state(self, lanes: int) -> State:
        """Returns the state before the first step of an episode; leaves (lanes, ...)."""

    @abc.abstractmethod
    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Runs the core over a stretch of time, gradients flowing freely inside.

        Args:
            inputs: (T, B, input_size), T >= 1.
            state: the state before the first step.
            resets: (T, B) bool, or None: no resets.
            return_info: whether the third result is wanted; it is empty otherwise.

        Returns:
            Outputs (T, B, output_size), the state after the last step, and the info.
        """

    def forward(
        self, inputs: Tensor, state: State, resets: Tensor | None = None, return_info: bool = False
    ) -> tuple[Tensor, State] | tuple[Tensor, State, Info]:
        """Runs the core over a fragment of T steps; T = 1 is a single step, and T steps equal T single steps.

        The arithmetic is done in the dtype of the parameters, under autocast too: a slow memory loses its
        small increments in half precision.

        Args:
            inputs: (T, B, input_size), T >= 1.
            state: the state before the first step, from `initial_state` or the last call.
            resets: (T, B) bool; true where step t is the first of an episode, so that the state of that
                lane is the initial one before that step. None: no resets.
            return_info: whether to return the info as well.

        Returns:
            Outputs (T, B, output_size) and the state after the last step; with `return_info` the info too.

        Raises:
            ValueError: `inputs` or `resets` have the wrong shape.
        """
        if len(inputs.shape) != 3 or inputs.shape[-1] != self.input_size or not len(inputs):
            raise ValueError(f"inputs: expected (T, B, {self.input_size}), T >= 1, got {tuple(inputs.shape)}")
        if resets is not None and (resets.shape != inputs.shape[:2] or resets.dtype != torch.bool):
            expected = f"(T, B) = {tuple(inputs.shape[:2])}, torch.bool"
            raise ValueError(f"resets: expected {expected}, got {tuple(resets.shape)}, {resets.dtype}")
        if torch.is_autocast_enabled(inputs.device.type):
            inputs = inputs.to(next(self.parameters()).dtype)
            precision: Any = torch.autocast(inputs.device.type, enabled=False)
        else:
            precision = contextlib.nullcontext()
        with precision:
            outputs, state, info = self._unroll_blocks(inputs, state, resets, return_info)
        return (outputs, state, info) if return_info else (outputs, state)

    def _unroll_blocks(
        self, inputs: Any, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Unrolls `bptt_steps` steps at a time, the state detached in between."""
        steps = len(inputs)
        if self.bptt_steps is None or steps <= self.bptt_steps:
            return self.unroll(inputs, state, resets, return_info)
        blocks = [slice(start, start + self.bptt_steps) for start in range(0, steps, self.bptt_steps)]
        pieces = [(inputs[block], None if resets is None else resets[block]) for block in blocks]
        return run_pieces(self.unroll, pieces, state, return_info, detach=True)

    def reset_state(self, state: State, resets: Tensor) -> State:
        """Returns the state with the lanes that start an episode re-initialised; `resets` is (B,) bool."""
        initial = self.initial_state(resets.shape[0]) if state else {}
        return {name: where_lanes(resets, initial[name], leaf) for name, leaf in state.items()}


def where_lanes(lanes: Tensor, chosen: Tensor, others: Tensor) -> Tensor:
    """Returns `chosen` where `lanes`, (B,) bool, is true and `others` elsewhere; leaves (B, ...)."""
    return torch.where(lanes.view(-1, *[1] * (others.ndim - 1)), chosen, others)


def detach_state(state: State) -> State:
    """Returns the state detached from its graph."""
    return {name: leaf.detach() for name, leaf in state.items()}


Unroll = Callable[[Any, State, Tensor | None, bool], tuple[Tensor, State, Info]]
"""`Core.unroll`, or what has its arguments and results."""


def run_pieces(
    unroll: Unroll,
    pieces: Iterable[tuple[Any, Tensor | None]],
    state: State,
    return_info: bool,
    detach: bool = False,
) -> tuple[Tensor, State, Info]:
    """Runs successive stretches of a fragment and concatenates their results.

    Args:
        unroll: runs one of them.
        pieces: inputs and resets of each, as `Core.unroll` takes them.
        state: the state before the first step.
        return_info: as in `Core.unroll`.
        detach: whether gradients stop between one piece and the next.

    Returns:
        As `Core.unroll` over the whole fragment.
    """
    outputs: list[Tensor] = []
    infos: list[Info] = []
    for inputs, resets in pieces:
        if detach and outputs:
            state = detach_state(state)
        output, state, info = unroll(inputs, state, resets, return_info)
        outputs.append(output)
        infos.append(info)
    return torch.cat(outputs), state, join_infos(infos)


def join_infos(infos: list[Info]) -> Info:
    """Concatenates the infos of successive stretches of time."""
    return {name: torch.cat([info[name] for info in infos]) for name in infos[0]}


def split_at_resets(steps: int, resets: Tensor | None) -> Iterator[tuple[slice, Tensor | None]]:
    """Cuts a fragment before every step at which any lane resets.

    Yields:
        A stretch of time, and the (B,) resets of its first step; None where no lane resets there.
    """
    cuts = [] if resets is None else resets.any(1).nonzero()[:, 0].tolist()
    starts = cuts if cuts[:1] == [0] else [0, *cuts]
    for start, stop in zip(starts, [*starts[1:], steps], strict=True):
        yield slice(start, stop), resets[start] if resets is not None and start in cuts else None
