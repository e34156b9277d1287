"""Slow twins of the linear cores: plain loops over steps, complex arithmetic written out.

T time, B lanes, F features.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from engram.memory import State
from engram.memory.linear.diagonal import DiagonalCore
from engram.memory.linear.ema import EMA
from engram.memory.linear.ffm import FFM
from engram.memory.linear.linear_attention import LinearAttention
from engram.memory.linear.lru import LRU
from engram.memory.linear.min_gru import MinGRU
from engram.memory.linear.s5 import S5

Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""One step: inputs (B, F) and state -> outputs (B, ...) and state."""


def loop(step: Step, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    outputs = []
    for t in range(len(inputs)):
        for name, leaf in state.items():
            restarted = resets[t][(..., *(None,) * (leaf.ndim - 1))]
            state = {**state, name: torch.where(restarted, torch.zeros_like(leaf), leaf)}
        output, state = step(inputs[t], state)
        outputs.append(output)
    return torch.stack(outputs), state


def ema(core: EMA, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """h = (1 - 1/tau) h + u / tau, all time constants of a unit; then relu of a linear map."""
    tau = 1 + torch.exp(-core.logit)

    def step(x: Tensor, state: State) -> tuple[Tensor, State]:
        h = (1 - 1 / tau) * state["averages"] + core.listen(x).unsqueeze(1) / tau
        return torch.relu(core.read(h.flatten(1))), {"averages": h}

    return loop(step, inputs, state, resets)


def min_gru(core: MinGRU, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    def step(x: Tensor, state: State) -> tuple[Tensor, State]:
        z = torch.sigmoid(core.gate(x))
        h = (1 - z) * state["hidden"] + z * core.candidate(x)
        return h, {"hidden": h}

    return loop(step, inputs, state, resets)


def diagonal(
    core: DiagonalCore,
    decay: tuple[Tensor, Tensor],
    write: tuple[Tensor, Tensor],
    scale: float,
    inputs: Tensor,
    state: State,
    resets: Tensor,
) -> tuple[Tensor, State]:
    """x = a x + B u and y = scale Re(C x) + D u, real and imaginary parts apart."""
    d = torch.diag(core.feedthrough) if core.feedthrough.ndim == 1 else core.feedthrough

    def step(u: Tensor, state: State) -> tuple[Tensor, State]:
        real, imaginary = state["state"][:, 0], state["state"][:, 1]
        real, imaginary = (
            decay[0] * real - decay[1] * imaginary + u @ write[0].T,
            decay[0] * imaginary + decay[1] * real + u @ write[1].T,
        )
        y = scale * (real @ core.read[:, 0].T - imaginary @ core.read[:, 1].T) + u @ d.T
        return y, {"state": torch.stack([real, imaginary], 1)}

    return loop(step, inputs, state, resets)


def lru(core: LRU, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """a = exp(-exp(nu)) (cos exp(theta) + i sin exp(theta)); B scaled by exp(gamma)."""
    modulus, phase = torch.exp(-torch.exp(core.nu)), torch.exp(core.theta)
    decay = modulus * torch.cos(phase), modulus * torch.sin(phase)
    scale = torch.diag(torch.exp(core.gamma))
    return diagonal(core, decay, (scale @ core.write[0], scale @ core.write[1]), 1, inputs, state, resets)


def s5(core: S5, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """a = exp(L step), B_ = (a - 1) / L B, in PyTorch's complex numbers; then GELU, perhaps a gate."""
    eigenvalues = torch.complex(core.eigenvalues[0].clamp(max=core.SLOWEST), core.eigenvalues[1])
    a = torch.exp(eigenvalues * torch.exp(core.log_step))
    b = torch.diag((a - 1) / eigenvalues) @ torch.complex(core.write[0], core.write[1])
    y, after = diagonal(core, (a.real, a.imag), (b.real, b.imag), 2, inputs, state, resets)
    y = functional.gelu(y)
    return (y if core.gate is None else y * torch.sigmoid(core.gate(y))), after


def ffm(core: FFM, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """Context by context, trace by trace: S = exp(-|alpha|) (cos omega + i sin omega) S + x~."""
    size = core.traces

    def step(x: Tensor, state: State) -> tuple[Tensor, State]:
        written = core.write(x) * torch.sigmoid(core.write_gate(x))
        reals, imaginaries = [], []
        for c in range(core.contexts):
            own = slice(c * size, (c + 1) * size)
            real, imaginary = state["trace"][:, 0, own], state["trace"][:, 1, own]
            modulus = torch.exp(-core.alpha.abs())
            cos, sin = modulus * torch.cos(core.omega[c]), modulus * torch.sin(core.omega[c])
            reals.append(cos * real - sin * imaginary + written)
            imaginaries.append(cos * imaginary + sin * real)
        trace = torch.stack([torch.cat(reals, 1), torch.cat(imaginaries, 1)], 1)
        z = core.mix(trace.flatten(1))
        centred = z - z.mean(1, keepdim=True)
        normalised = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
        gate = torch.sigmoid(core.read_gate(x))
        return normalised * gate + core.skip(x) * (1 - gate), {"trace": trace}

    return loop(step, inputs, state, resets)


def linear_attention(
    core: LinearAttention, inputs: Tensor, state: State, resets: Tensor
) -> tuple[Tensor, State]:
    """Head by head: S = g S + phi(k) v^T, z = g z + phi(k), y = phi(q) S / (phi(q) z)."""
    keys, values = core.key_size, core.value_size

    def step(x: Tensor, state: State) -> tuple[Tensor, State]:
        q, k = functional.elu(core.query(x)) + 1, functional.elu(core.key(x)) + 1
        v = core.value(x)
        outputs, memories, normalisers = [], [], []
        for n in range(core.heads):
            own = slice(n * keys, (n + 1) * keys)
            decay = math.exp(core.log_decay[n])
            memory = decay * state["memory"][:, n]
            memory = memory + k[:, own, None] * v[:, None, n * values : (n + 1) * values]
            normaliser = decay * state["normaliser"][:, n] + k[:, own]
            above = (q[:, own, None] * memory).sum(1)
            below = (q[:, own] * normaliser).sum(1, keepdim=True)
            outputs.append(above / (below + core.EPSILON))
            memories.append(memory)
            normalisers.append(normaliser)
        after = {"memory": torch.stack(memories, 1), "normaliser": torch.stack(normalisers, 1)}
        return torch.cat(outputs, 1), after

    return loop(step, inputs, state, resets)
