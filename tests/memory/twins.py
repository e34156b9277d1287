"""The slow twin of every core, by the core's name; one row each."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from engram.memory import State

from . import twins_classic, twins_pools, twins_rims, twins_windows

Twin = Callable[[Any, Tensor, State, Tensor], tuple[Tensor, State]]
"""Core, inputs (T, B, F), state, resets (T, B) -> outputs and the state after; differentiable."""

TWINS: dict[str, Twin] = {
    "low_pass": twins_pools.low_pass,
    "lstm": twins_classic.lstm,
    "mlp": twins_windows.mlp,
    "rims": twins_rims.rims,
}
