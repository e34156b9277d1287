"""The slow twin of every core, by the core's name; one row each."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from engram.memory import State

from . import twins_classic, twins_linear, twins_pools, twins_rims, twins_windows

Twin = Callable[[Any, Tensor, State, Tensor], tuple[Tensor, State]]
"""Core, inputs (T, B, F), state, resets (T, B) -> outputs and the state after; differentiable."""

TWINS: dict[str, Twin] = {
    "ema": twins_linear.ema,
    "ffm": twins_linear.ffm,
    "frame_stack": twins_windows.frame_stack,
    "gru": twins_classic.gru,
    "gtrxl": twins_windows.gtrxl,
    "ind_rnn": twins_classic.ind_rnn,
    "linear_attention": twins_linear.linear_attention,
    "low_pass": twins_pools.low_pass,
    "lru": twins_linear.lru,
    "lstm": twins_classic.lstm,
    "min_gru": twins_linear.min_gru,
    "mlp": twins_windows.mlp,
    "rims": twins_rims.rims,
    "rnn": twins_classic.rnn,
    "s5": twins_linear.s5,
}
