"""Recurrent cores as plain PyTorch modules. One row in `CORES` makes a core exist."""

from collections.abc import Mapping
from typing import Any

from engram.memory.classic.gru import GRU
from engram.memory.classic.ind_rnn import IndRNN
from engram.memory.classic.lstm import LSTM
from engram.memory.classic.rnn import RNN
from engram.memory.core import Core, CoreOptions, Info, State, detach_state
from engram.memory.options import parse_options, unknown_message
from engram.memory.pools.low_pass import LowPass
from engram.memory.windows.frame_stack import FrameStack
from engram.memory.windows.gtrxl import GTrXL
from engram.memory.windows.mlp import MLP

__all__ = ["CORES", "Core", "CoreOptions", "Info", "State", "core_options", "detach_state", "make_core"]

CORES: dict[str, type[Core]] = {
    "frame_stack": FrameStack,
    "gru": GRU,
    "gtrxl": GTrXL,
    "ind_rnn": IndRNN,
    "low_pass": LowPass,
    "lstm": LSTM,
    "mlp": MLP,
    "rnn": RNN,
}


def make_core(input_size: int, options: Mapping[str, Any], path: str = "core") -> Core:
    """Builds a core: the only place where a core's name becomes a class.

    Args:
        input_size: features in.
        options: ``{"type": name, ...}``, the rest being the options of that core.
        path: where the options were written, dotted; only used in messages.

    Raises:
        ValueError: no such core, unknown option, wrong type or out of range; the message names the key.
    """
    if isinstance(input_size, bool) or not isinstance(input_size, int) or input_size < 1:
        raise ValueError(f"input_size: expected an integer >= 1, got {input_size!r}")
    core, parsed = core_options(options, path)
    return core(input_size, parsed)


def core_options(options: Mapping[str, Any], path: str = "core") -> tuple[type[Core], CoreOptions]:
    """Checks the options of a core without building it; arguments and errors as in `make_core`."""
    if not isinstance(options, Mapping):
        raise ValueError(f"{path}: expected a mapping with the key 'type', got {options!r}")
    if "type" not in options:
        raise ValueError(f"{path}.type: missing; known: {', '.join(sorted(CORES))}")
    name = options["type"]
    if not isinstance(name, str) or name not in CORES:
        raise ValueError(unknown_message(f"{path}.type", name, CORES))
    core = CORES[name]
    return core, parse_options(core.Options, {key: options[key] for key in options if key != "type"}, path)
