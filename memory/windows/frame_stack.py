"""Frame stacking: the last few inputs side by side, as if they were one.

T time, B lanes, F features, N frames.

Source: Mnih et al., Human-level control through deep reinforcement learning, 2015 (there: 4 frames).
"""

import dataclasses

import torch
from torch import Tensor
from typing_extensions import override

from engram.memory.core import Core, CoreOptions, Info, State
from engram.memory.options import integer, integers
from engram.memory.windows.mlp import relu_layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameStackOptions(CoreOptions):
    """Options of `frame_stack`."""

    frames: int = integer(
        4, "inputs side by side, the present one included", unit="env steps", low=2, high=4096
    )
    hidden: tuple[int, ...] = integers(
        (128,), "sizes of the hidden layers, the last being the output", unit="units", high=4096
    )


class FrameStack(Core):
    """The last N inputs, oldest first, zeros for those before the episode; then layers of ReLU units.

    State `frames` (B, N - 1, F): the inputs before the next one, oldest first.
    """

    Options = FrameStackOptions
    carries_gradient = False

    def __init__(self, input_size: int, options: FrameStackOptions) -> None:
        super().__init__(input_size, options)
        self.past = options.frames - 1
        self.layers = relu_layers(options.frames * input_size, options.hidden)
        self.output_size = options.hidden[-1]

    @override
    def initial_state(self, lanes: int) -> State:
        like = next(self.parameters())
        return {"frames": like.new_zeros(lanes, self.past, self.input_size)}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Shifts the whole fragment once for every frame."""
        steps = len(inputs)
        sequence = torch.cat([state["frames"].transpose(0, 1), inputs])
        episode = with_past(episodes(inputs, resets), self.past)
        present = episode[self.past :]
        stack = []
        for shift in range(self.past):
            foreign = episode[shift : shift + steps] != present
            stack.append(sequence[shift : shift + steps].masked_fill(foreign.unsqueeze(2), 0.0))
        outputs = self.layers(torch.cat([*stack, inputs], 2))
        foreign = episode[steps:] != episode[-1]
        frames = sequence[steps:].masked_fill(foreign.unsqueeze(2), 0.0).transpose(0, 1)
        return outputs, {"frames": frames}, {}


def episodes(inputs: Tensor, resets: Tensor | None) -> Tensor:
    """Numbers the episodes of each lane within a fragment, 0 being the one that came in: (T, B) integers.

    Args:
        inputs: (T, B, ...), for the shape.
        resets: (T, B) bool, or None: no resets.
    """
    if resets is None:
        return torch.zeros(inputs.shape[:2], dtype=torch.long, device=inputs.device)
    return resets.long().cumsum(0)


def with_past(episode: Tensor, past: int) -> Tensor:
    """Puts `past` steps before the fragment in front, as steps of the episode that came in: (W + T, B)."""
    return torch.cat([episode.new_zeros(past, episode.shape[1]), episode])
