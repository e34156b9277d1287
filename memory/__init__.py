"""Recurrent cores as plain PyTorch modules. One row in `CORES` makes a core exist."""

from collections.abc import Mapping
from typing import Any

from engram.memory.classic.gru import GRU
from engram.memory.classic.ind_rnn import IndRNN
from engram.memory.classic.lstm import LSTM
from engram.memory.classic.rnn import RNN
from engram.memory.core import Core, CoreOptions, Info, State, detach_state
from engram.memory.layer import LayerState, RecurrentLayer
from engram.memory.linear.ema import EMA
from engram.memory.linear.ffm import FFM
from engram.memory.linear.linear_attention import LinearAttention
from engram.memory.linear.lru import LRU
from engram.memory.linear.min_gru import MinGRU
from engram.memory.linear.s5 import S5
from engram.memory.options import parse_options
from engram.memory.pools.low_pass import LowPass
from engram.memory.registry import build_class, check_output_size, choose_class, expand_preset
from engram.memory.rims.rims import RIMs
from engram.memory.windows.frame_stack import FrameStack
from engram.memory.windows.gtrxl import GTrXL
from engram.memory.windows.mlp import MLP

__all__ = [
    "CORES",
    "Core",
    "CoreOptions",
    "Info",
    "LayerState",
    "RecurrentLayer",
    "State",
    "core_options",
    "detach_state",
    "make_core",
]

CORES: dict[str, type[Core]] = {
    "ema": EMA,
    "ffm": FFM,
    "frame_stack": FrameStack,
    "gru": GRU,
    "gtrxl": GTrXL,
    "ind_rnn": IndRNN,
    "linear_attention": LinearAttention,
    "low_pass": LowPass,
    "lru": LRU,
    "lstm": LSTM,
    "min_gru": MinGRU,
    "mlp": MLP,
    "rims": RIMs,
    "rnn": RNN,
    "s5": S5,
}


def make_core(input_size: int, options: Mapping[str, Any], path: str = "core") -> Core:
    """Builds a core: the only place where a core's name becomes a class.

    Args:
        input_size: features in.
        options: ``{"type": name, ...}``, the rest being the options of that core, among them, where the core
            has any, ``preset``: the name of a set of options. A name is a row of `CORES` or, for a class of
            your own, ``package.module:Class``.
        path: where the options were written, dotted; only used in messages.

    Raises:
        ValueError: no such core, unknown option, wrong type or out of range; the message names the key.
    """
    if isinstance(input_size, bool) or not isinstance(input_size, int) or input_size < 1:
        raise ValueError(f"input_size: expected an integer >= 1, got {input_size!r}")
    core, parsed = core_options(options, path)
    built = build_class(core, path, options["type"], input_size, parsed)
    check_output_size(built, path, options["type"])
    return built


def core_options(options: Mapping[str, Any], path: str = "core") -> tuple[type[Core], CoreOptions]:
    """Checks the options of a core without building it; arguments and errors as in `make_core`."""
    core, values = choose_class(options, path, CORES, Core)
    return core, parse_options(core.Options, expand_preset(core.PRESETS, values, path), path)
