"""Every thinking network at a size that tests can afford. B problems, T iterations."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from engram.memory.thinking import Answers, Thinker, make_thinker

B, T = 3, 4


class Case(NamedTuple):
    """A network, the problems it is built for and the labels it gives; None: a bit per position."""

    shape: tuple[int, ...]
    labels: int | None
    options: dict[str, Any]


LINE, SQUARE, IMAGE = (1, 9), (3, 8, 8), (2, 20, 19)
SMALL = {"width": 8, "thinking_steps": T}

CASES = [
    Case(LINE, None, {"type": "deep_thinking", **SMALL}),
    Case(LINE, None, {"type": "deep_thinking", **SMALL, "recall": False}),
    Case(LINE, None, {"type": "deep_thinking", **SMALL, "recall_relu": False, "feed_forward": True}),
    Case(SQUARE, None, {"type": "deep_thinking", **SMALL}),
    Case(SQUARE, None, {"type": "deep_thinking", **SMALL, "recall_relu": False}),
    Case(SQUARE, None, {"type": "deep_thinking", **SMALL, "group_norm": True}),
    Case(SQUARE, None, {"type": "deep_thinking", **SMALL, "feed_forward": True, "channels_last": True}),
    Case(SQUARE, None, {"type": "maze_net", **SMALL}),
    Case(SQUARE, None, {"type": "maze_net", **SMALL, "feed_forward": True}),
    Case(SQUARE, None, {"type": "maze_net", **SMALL, "dilation": "all", "channels_last": True}),
    Case(SQUARE, None, {"type": "maze_net", **SMALL, "dilation": "sister"}),
    Case(IMAGE, 5, {"type": "thinking_mlp", **SMALL}),
    Case(IMAGE, 5, {"type": "thinking_mlp", **SMALL, "feed_forward": True}),
    Case(IMAGE, 5, {"type": "conv_net", **SMALL}),
    Case(IMAGE, 5, {"type": "conv_net", **SMALL, "feed_forward": True, "channels_last": True}),
    Case(IMAGE, 5, {"type": "res_net", **SMALL}),
    Case(IMAGE, 5, {"type": "res_net", **SMALL, "feed_forward": True}),
    Case(IMAGE, 5, {"type": "res_net_bn", **SMALL}),
    Case(IMAGE, 5, {"type": "res_net_bn", **SMALL, "feed_forward": True}),
    Case(IMAGE, 5, {"type": "res_net18"}),
]


def label(case: object) -> str:
    """The name of a case."""
    if not isinstance(case, Case):
        return str(case)
    rest = [str(value) for key, value in case.options.items() if key not in ("type", *SMALL)]
    return "-".join([case.options["type"], f"{len(case.shape) - 1}d", *rest])


def build(case: Case, **others: Any) -> Thinker:
    """The network in float64."""
    torch.manual_seed(0)
    return make_thinker(case.shape, Answers(case.labels), {**case.options, **others}).double()


def problems(case: Case, count: int = B) -> Tensor:
    """Problems of zeros and ones."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 2, (count, *case.shape), generator=generator).double()
