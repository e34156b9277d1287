"""Slow twins of the windows: plain loops, straight from the equations. T time, B lanes, F features."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from engram.memory import State
from engram.memory.windows.frame_stack import FrameStack
from engram.memory.windows.gtrxl import GTrXL
from engram.memory.windows.mlp import MLP


def mlp(core: MLP | FrameStack, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """relu(W x + b), layer after layer, step by step; shapes as in `Core.forward`."""
    steps = []
    for x in inputs:
        for layer in core.layers:
            if isinstance(layer, nn.Linear):
                x = torch.relu(x @ layer.weight.T + layer.bias)
        steps.append(x)
    return torch.stack(steps), {}


def frame_stack(core: FrameStack, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """A list of the last inputs per lane, emptied into zeros; then the layers of `mlp`."""
    lanes = []
    left = []
    for lane in range(inputs.shape[1]):
        frames = list(state["frames"][lane])
        stacks = []
        for t in range(len(inputs)):
            if resets[t, lane]:
                frames = [torch.zeros_like(frame) for frame in frames]
            frames.append(inputs[t, lane])
            stacks.append(torch.cat(frames))
            frames = frames[1:]
        lanes.append(torch.stack(stacks))
        left.append(torch.stack(frames))
    outputs, _ = mlp(core, torch.stack(lanes, 1), {}, resets)
    return outputs, {"frames": torch.stack(left)}


def gtrxl(core: GTrXL, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """Per lane and step: every layer attends to a list of what it was given before in the episode."""
    lanes, memories, valid = [], [], []
    for lane in range(inputs.shape[1]):
        count = math.ceil(state["valid"][lane].item())
        pasts = [list(memory[core.memory - count :]) for memory in state["memory"][lane]]
        outputs = []
        for t in range(len(inputs)):
            if resets[t, lane]:
                pasts = [[] for _ in pasts]
            x = core.embed.weight @ inputs[t, lane] + core.embed.bias
            for layer, past in zip(core.layers, pasts, strict=True):
                past.append(x)
                x = gtrxl_layer(core, layer, past[-core.memory - 1 :])
            outputs.append(x)
        lanes.append(torch.stack(outputs))
        pasts = [past[-core.memory :] for past in pasts]
        missing = core.memory - len(pasts[0])
        blank = torch.zeros_like(state["memory"][lane, 0, 0])
        memories.append(torch.stack([torch.stack([blank] * missing + past) for past in pasts]))
        valid.append(float(len(pasts[0])))
    return torch.stack(lanes, 1), {"memory": torch.stack(memories), "valid": inputs.new_tensor(valid)}


def gtrxl_layer(core: GTrXL, layer: Any, past: list[Tensor]) -> Tensor:
    """One layer at one step of one lane; the last of `past` is its input."""
    x = past[-1]
    y = gtrxl_attention(layer.attention, [normalized(layer.norm_attention, e) for e in past])
    y = gtrxl_gate(layer.gate_attention, x, torch.relu(y))
    first, _, second = layer.feedforward
    hidden = torch.relu(first.weight @ normalized(layer.norm_feedforward, y) + first.bias)
    return gtrxl_gate(layer.gate_feedforward, y, torch.relu(second.weight @ hidden + second.bias))


def gtrxl_attention(attention: Any, past: list[Tensor]) -> Tensor:
    """Dai et al., 2019: A_ij = q k + q r + u k + v r for every head."""
    size = len(past[-1])
    width = size // attention.heads
    reads = []
    for head in range(attention.heads):
        part = slice(head * width, (head + 1) * width)
        q = (attention.query.weight @ past[-1])[part]
        u, v = attention.content_bias[head], attention.position_bias[head]
        scores, values = [], []
        for distance, e in enumerate(reversed(past)):
            angles = [distance / 10000 ** (2 * k / size) for k in range((size + 1) // 2)]
            waves = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            r = (attention.position.weight @ e.new_tensor(waves[:size]))[part]
            k = (attention.key.weight @ e)[part]
            scores.append((q @ k + q @ r + u @ k + v @ r) / math.sqrt(width))
            values.append((attention.value.weight @ e)[part])
        weights = torch.exp(torch.stack(scores) - max(scores).detach())
        reads.append(sum(w * value for w, value in zip(weights / weights.sum(), values, strict=True)))
    return attention.output.weight @ torch.cat(reads)


def gtrxl_gate(gate: Any, x: Tensor, y: Tensor) -> Tensor:
    """Parisotto et al., 2019, the GRU-type gate."""
    w_r, w_z, w_h = gate.from_output.weight.chunk(3)
    u_r, u_z = gate.from_input.weight.chunk(2)
    r = torch.sigmoid(w_r @ y + u_r @ x)
    z = torch.sigmoid(w_z @ y + u_z @ x - gate.bias)
    h = torch.tanh(w_h @ y + gate.from_reset.weight @ (r * x))
    return (1 - z) * x + z * h


def normalized(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """Layer norm: mean 0 and variance 1, then scale and shift."""
    centered = x - x.mean()
    return centered / torch.sqrt((centered**2).mean() + norm.eps) * norm.weight + norm.bias
