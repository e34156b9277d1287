"""Recurrent cores as plain PyTorch modules. One row in `CORES` makes a core exist."""

import importlib
from collections.abc import Mapping
from typing import Any

from engram.memory.classic.gru import GRU
from engram.memory.classic.ind_rnn import IndRNN
from engram.memory.classic.lstm import LSTM
from engram.memory.classic.rnn import RNN
from engram.memory.core import Core, CoreOptions, Info, State, Tokens, detach_state
from engram.memory.layer import LayerState, RecurrentLayer
from engram.memory.linear.ema import EMA
from engram.memory.linear.ffm import FFM
from engram.memory.linear.linear_attention import LinearAttention
from engram.memory.linear.lru import LRU
from engram.memory.linear.min_gru import MinGRU
from engram.memory.linear.s5 import S5
from engram.memory.options import parse_options, unknown_message
from engram.memory.pools.low_pass import LowPass
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
    "Tokens",
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
    try:
        return core(input_size, parsed)
    except ValueError as error:
        raise ValueError(f"{path}.{error}") from error


def core_options(options: Mapping[str, Any], path: str = "core") -> tuple[type[Core], CoreOptions]:
    """Checks the options of a core without building it; arguments and errors as in `make_core`."""
    if not isinstance(options, Mapping):
        raise ValueError(f"{path}: expected a mapping with the key 'type', got {options!r}")
    if "type" not in options:
        raise ValueError(f"{path}.type: missing; known: {', '.join(sorted(CORES))}")
    core = _find(options["type"], f"{path}.type")
    values = {key: options[key] for key in options if key != "type"}
    if core.PRESETS and "preset" in values:
        values = _expand(core.PRESETS, values, f"{path}.preset")
    return core, parse_options(core.Options, values, path)


def _find(name: object, path: str) -> type[Core]:
    """The class of a core: a row of `CORES`, or ``package.module:Class``."""
    if isinstance(name, str) and ":" in name:
        return _load(name, path)
    if not isinstance(name, str) or name not in CORES:
        raise ValueError(unknown_message(path, name, CORES))
    return CORES[name]


def _load(name: str, path: str) -> type[Core]:
    module, _, attribute = name.partition(":")
    try:
        core = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: cannot load {name!r}: {error}") from error
    if not (isinstance(core, type) and issubclass(core, Core)):
        raise ValueError(f"{path}: {name!r} is no subclass of engram.memory.Core")
    return core


def _expand(presets: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The options with their preset written out; what is given beside it has the last word."""
    name = values["preset"]
    if not isinstance(name, str) or name not in presets:
        raise ValueError(unknown_message(path, name, presets))
    return {**presets[name], **{key: value for key, value in values.items() if key != "preset"}}
