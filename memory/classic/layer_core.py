"""Base class of the cores made of PyTorch's recurrent layers. T time, B lanes, F features, H units."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.memory.core import Core, CoreOptions, Info, State, split_at_resets
from engram.memory.options import integer


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerCoreOptions(CoreOptions):
    """Options common to these cores."""

    size: int = integer(128, "units, and width of the output", unit="units", high=4096)


Kernel = Callable[..., tuple[Tensor, ...]]
"""`torch.lstm`, `torch.gru` and their like: outputs (T, B, H), then every leaf of the state (1, B, H)."""


class LayerCore(Core):
    """One recurrent layer; state `hidden` (B, H), and more if `leaves` says so, zero when an episode starts.

    Subclasses hold the layer and write `run` and `step`.

    Attributes:
        leaves: names of the state.
    """

    Options = LayerCoreOptions
    leaves: ClassVar[tuple[str, ...]] = ("hidden",)

    def __init__(self, input_size: int, options: LayerCoreOptions) -> None:
        super().__init__(input_size, options)
        self.output_size = options.size

    @abc.abstractmethod
    def run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Runs a stretch (T, B, F) without resets: outputs (T, B, H) and the state after it."""

    @abc.abstractmethod
    def step(self, inputs: Tensor, state: State) -> State:
        """Runs a single step on inputs (B, F) and returns the state after it."""

    @override
    def initial_state(self, lanes: int) -> State:
        like = next(self.parameters())
        return {name: like.new_zeros(lanes, self.output_size) for name in self.leaves}

    def reset_state(self, state: State, resets: Tensor) -> State:
        """As in `Core`, knowing that all starts at zero."""
        return {name: leaf.masked_fill(resets.unsqueeze(1), 0.0) for name, leaf in state.items()}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Steps, or runs from reset to reset."""
        if len(inputs) == 1:
            if resets is not None:
                state = self.reset_state(state, resets[0])
            state = self.step(inputs[0], state)
            outputs = state["hidden"].unsqueeze(0)
        else:
            outputs, state = self.run_stretches(inputs, state, resets)
        return outputs, state, {"hidden": outputs} if return_info else {}

    @staticmethod
    def run_layer(kernel: Kernel, layer: nn.RNNBase, inputs: Tensor, carried: Any) -> tuple[Tensor, ...]:
        """PyTorch's layer without its module's checks, which cost as much as two steps.

        On a GPU the kernel keeps what a backward pass needs whenever there may be one; the module would ask
        whether it is in training mode.

        Args:
            kernel: what the layer computes.
            layer: holds the weights.
            inputs: (T, B, F).
            carried: the state, each leaf (1, B, H).
        """
        return kernel(
            inputs, carried, tuple(layer.all_weights[0]), True, 1, 0.0, torch.is_grad_enabled(), False, False
        )

    def run_stretches(self, inputs: Tensor, state: State, resets: Tensor | None) -> tuple[Tensor, State]:
        """One call of `run` per stretch without resets."""
        stretches = list(split_at_resets(len(inputs), resets))
        lengths = [stretch.stop - stretch.start for stretch, _ in stretches]
        outputs = []
        # One split, because every slice would have a gradient as large as all inputs.
        for piece, (_, starting) in zip(torch.split(inputs, lengths), stretches, strict=True):
            if starting is not None:
                state = self.reset_state(state, starting)
            output, state = self.run(piece, state)
            outputs.append(output)
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs), state
