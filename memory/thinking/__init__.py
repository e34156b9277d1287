"""Networks that answer after each of any number of iterations. One row in `THINKERS` makes one exist."""

from collections.abc import Mapping
from typing import Any

from engram.memory.options import parse_options
from engram.memory.registry import build_class, choose_class, expand_preset
from engram.memory.thinking.conv_net import ConvNet
from engram.memory.thinking.deep_thinking import DeepThinking
from engram.memory.thinking.exit_sweep import ExitSweep, drop_after_best, steps_to_best
from engram.memory.thinking.exits import EXIT_RULES, ExitRule, make_exit_rule
from engram.memory.thinking.losses import LOSSES, Diagnostics, Loss, make_loss
from engram.memory.thinking.maze_net import MazeNet
from engram.memory.thinking.predictions import confidence, exact, predict
from engram.memory.thinking.res_net import ResNet, ResNetBN
from engram.memory.thinking.res_net18 import ResNet18
from engram.memory.thinking.thinker import Answers, Thinker, ThinkerOptions
from engram.memory.thinking.thinking_mlp import ThinkingMLP

__all__ = [
    "EXIT_RULES",
    "LOSSES",
    "THINKERS",
    "Answers",
    "Diagnostics",
    "ExitRule",
    "ExitSweep",
    "Loss",
    "Thinker",
    "ThinkerOptions",
    "confidence",
    "drop_after_best",
    "exact",
    "make_exit_rule",
    "make_loss",
    "make_thinker",
    "predict",
    "steps_to_best",
    "thinker_options",
]

THINKERS: dict[str, type[Thinker]] = {
    "conv_net": ConvNet,
    "deep_thinking": DeepThinking,
    "maze_net": MazeNet,
    "res_net": ResNet,
    "res_net18": ResNet18,
    "res_net_bn": ResNetBN,
    "thinking_mlp": ThinkingMLP,
}


def make_thinker(
    shape: tuple[int, ...], outputs: Answers, options: Mapping[str, Any], path: str = "thinker"
) -> Thinker:
    """Builds a thinking network: the only place where its name becomes a class.

    Args:
        shape: (C, *S) of the problems: C channels, then (N,) positions or (H, W) rows and columns.
        outputs: the kind of answer.
        options: ``{"type": name, ...}``, the rest being the options of that network, among them, where it has
            any, ``preset``: the name of a set of options. A name is a row of `THINKERS` or, for a class of
            your own, ``package.module:Class``.
        path: where the options were written, dotted; only used in messages.

    Raises:
        ValueError: no such network, one that does not suit the problems, unknown option, wrong type or out of
            range; the message names the key.
    """
    thinker, parsed = thinker_options(options, path)
    built = build_class(thinker, path, options["type"], shape, outputs, parsed)
    built.lay_out()
    return built


def thinker_options(
    options: Mapping[str, Any], path: str = "thinker"
) -> tuple[type[Thinker], ThinkerOptions]:
    """Checks the options of a network without building it; arguments and errors as in `make_thinker`."""
    thinker, values = choose_class(options, path, THINKERS, Thinker)
    return thinker, parse_options(thinker.Options, expand_preset(thinker.PRESETS, values, path), path)
