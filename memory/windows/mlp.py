"""The memory-free control: what can be done by looking at the present alone.

T time, B lanes, F features.
"""

import dataclasses
import itertools
from collections.abc import Sequence

from torch import Tensor, nn
from typing_extensions import override

from engram.memory.core import Core, CoreOptions, Info, State
from engram.memory.options import integers


@dataclasses.dataclass(frozen=True, kw_only=True)
class MLPOptions(CoreOptions):
    """Options of `mlp`."""

    hidden: tuple[int, ...] = integers(
        (128,), "sizes of the hidden layers, the last being the output", unit="units", high=4096
    )


class MLP(Core):
    """Layers of ReLU units over each step on its own; its state is empty."""

    Options = MLPOptions
    carries_gradient = False

    def __init__(self, input_size: int, options: MLPOptions) -> None:
        super().__init__(input_size, options)
        self.layers = relu_layers(input_size, options.hidden)
        self.output_size = options.hidden[-1]

    @override
    def initial_state(self, lanes: int) -> State:
        return {}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Applies the layers to every step."""
        return self.layers(inputs), {}, {}


def relu_layers(input_size: int, sizes: Sequence[int]) -> nn.Sequential:
    """Layers of ReLU units of these sizes, one after the other."""
    layers: list[nn.Module] = []
    for size_in, size_out in itertools.pairwise((input_size, *sizes)):
        layers += [nn.Linear(size_in, size_out), nn.ReLU()]
    return nn.Sequential(*layers)
