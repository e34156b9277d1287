"""Parameters and depths of every network, as they are published (spec of papers 1 and 2)."""

from typing import Any

import pytest
import torch

from engram.memory.thinking import Answers, Thinker, make_thinker

BITS = Answers()
MAZE, CIFAR, EMNIST = (3, 24, 24), (3, 32, 32), (1, 28, 28)
UNUSED_NORM = 512
"""Parameters of a batch norm in the authors' recurrent `res_net_bn` that nothing uses; this one has none."""

Row = tuple[tuple[int, ...], int | None, dict[str, Any], int]

DEEP_THINKING: list[Row] = [
    ((1, 32), None, {"width": 400}, 3_123_600),
    ((1, 32), None, {"preset": "prefix_sums"}, 3_123_600),
    ((1, 32), None, {"width": 400, "recall": False}, 2_642_400),
    ((1, 32), None, {"width": 32}, 20_256),
    ((1, 32), None, {"width": 64}, 80_448),
    ((1, 32), None, {"width": 128}, 320_640),
    ((1, 32), None, {"width": 200}, 781_800),
    (MAZE, None, {"width": 128}, 783_504),
    (MAZE, None, {"preset": "mazes"}, 783_504),
    (MAZE, None, {"preset": "mazes", "group_norm": True}, 783_504),
    (MAZE, None, {"width": 128, "recall": False}, 632_592),
    (MAZE, None, {"width": 16}, 19_440),
    (MAZE, None, {"width": 32}, 59_472),
    (MAZE, None, {"width": 64}, 208_656),
    (MAZE, None, {"width": 128, "feed_forward": True, "thinking_steps": 30}, 17_888_400),
    ((12, 8, 8), None, {"width": 512}, 12_056_976),
    ((12, 8, 8), None, {"preset": "chess"}, 12_056_976),
    ((12, 8, 8), None, {"width": 32}, 64_656),
    ((12, 8, 8), None, {"width": 64}, 219_024),
    ((12, 8, 8), None, {"width": 128}, 804_240),
]
MAZE_NET: list[Row] = [
    *((MAZE, None, {"thinking_steps": n}, 632_592) for n in (1, 5, 10, 20)),
    *((MAZE, None, {"thinking_steps": 5, "dilation": dilation}, 632_592) for dilation in ("all", "sister")),
    *(
        (MAZE, None, {"thinking_steps": n, "feed_forward": True}, parameters)
        for n, parameters in [
            (1, 632_592),
            (2, 1_222_416),
            (3, 1_812_240),
            (4, 2_402_064),
            (5, 2_991_888),
            (6, 3_581_712),
            (7, 4_171_536),
            (8, 4_761_360),
            (9, 5_351_184),
            (10, 5_941_008),
            (20, 11_839_248),
        ]
    ),
]
MLP: list[Row] = [
    (CIFAR, 10, {"width": 200}, 656_810),
    (CIFAR, 10, {"width": 200, "feed_forward": True, "thinking_steps": 1}, 656_810),
    (CIFAR, 10, {"width": 200, "feed_forward": True, "thinking_steps": 2}, 656_810 + 40_200),
    (CIFAR, 10, {"width": 200, "feed_forward": True, "thinking_steps": 5}, 817_610),
    (CIFAR, 10, {"width": 500}, 1_792_010),
    (CIFAR, 10, {"width": 500, "feed_forward": True, "thinking_steps": 2}, 1_792_010 + 250_500),
    (EMNIST, 47, {"width": 500}, 666_547),
    (EMNIST, 47, {"width": 500, "feed_forward": True, "thinking_steps": 3}, 666_547 + 2 * 250_500),
]
CONV_NET: list[Row] = [
    (CIFAR, 10, {"thinking_steps": 5}, 135_306),
    (CIFAR, 10, {"feed_forward": True, "thinking_steps": 1}, 135_306),
    (CIFAR, 10, {"feed_forward": True, "thinking_steps": 2}, 135_306 + 36_928),
    (CIFAR, 10, {"feed_forward": True, "thinking_steps": 5}, 283_018),
    (EMNIST, 47, {}, 153_711),
]
RES_NET: list[Row] = [
    (CIFAR, 10, {}, 11_815_434),
    (CIFAR, 10, {"feed_forward": True, "thinking_steps": 1}, 11_815_434),
    (CIFAR, 10, {"feed_forward": True, "thinking_steps": 2}, 21_252_618),
    (CIFAR, 10, {"feed_forward": True, "thinking_steps": 3}, 30_689_802),
    (CIFAR, 10, {"feed_forward": True, "thinking_steps": 4}, 40_126_986),
    (EMNIST, 47, {}, 11_825_199),
]
RES_NET_BN: list[Row] = [
    *(
        (shape, labels, {"thinking_steps": n}, parameters - UNUSED_NORM)
        for shape, labels, counts in [
            (CIFAR, 10, (3_555_082, 3_557_130, 3_559_178, 3_561_226)),
            (EMNIST, 47, (3_569_455, 3_571_503, 3_573_551, 3_575_599)),
        ]
        for n, parameters in enumerate(counts, start=1)
    ),
    *(
        (CIFAR, 10, {"thinking_steps": n, "feed_forward": True}, parameters)
        for n, parameters in enumerate((3_554_570, 5_915_914, 8_277_258, 10_638_602), start=1)
    ),
]
RES_NET18: list[Row] = [(CIFAR, 10, {}, 11_173_962), (EMNIST, 47, {}, 11_191_791)]

PARAMETERS = {
    "deep_thinking": DEEP_THINKING,
    "maze_net": MAZE_NET,
    "thinking_mlp": MLP,
    "conv_net": CONV_NET,
    "res_net": RES_NET,
    "res_net_bn": RES_NET_BN,
    "res_net18": RES_NET18,
}


def build(shape: tuple[int, ...], labels: int | None, options: dict[str, Any]) -> Thinker:
    with torch.device("meta"):
        return make_thinker(shape, Answers(labels), options)


@pytest.mark.parametrize(
    ("name", "row"),
    [(name, row) for name, rows in PARAMETERS.items() for row in rows],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]} {value[2]}",
)
def test_parameters(name: str, row: Row) -> None:
    shape, labels, options, expected = row
    thinker = build(shape, labels, {"type": name, **options})
    assert sum(parameter.numel() for parameter in thinker.parameters()) == expected


def test_depth_of_maze_nets() -> None:
    thinker = build(MAZE, None, {"type": "maze_net"})
    assert [thinker.effective_depth(n) for n in range(1, 11)] == [8, 12, 16, 20, 24, 28, 32, 36, 40, 44]
    assert thinker.effective_depth(20, "layers") == 84
    assert [thinker.effective_depth(n, "tables") for n in (1, 2, 3, 4, 10)] == [7, 11, 15, 19, 43]


@pytest.mark.parametrize(
    ("name", "shape", "labels", "iterations", "depths"),
    [
        ("thinking_mlp", CIFAR, 10, (1, 5, 8), [3, 7, 10]),
        ("conv_net", CIFAR, 10, (1, 5), [4, 8]),
        ("res_net", CIFAR, 10, (1, 2, 3, 4), [7, 11, 15, 19]),
        ("res_net_bn", CIFAR, 10, (1, 2, 3, 4), [7, 11, 15, 19]),
        ("res_net18", CIFAR, 10, (1,), [18]),
    ],
)
def test_depth_in_tables(
    name: str, shape: tuple[int, ...], labels: int, iterations: tuple[int, ...], depths: list[int]
) -> None:
    thinker = build(shape, labels, {"type": name})
    assert [thinker.effective_depth(n, "tables") for n in iterations] == depths


@pytest.mark.parametrize(("recall", "iterations", "depth"), [(False, 5, 24), (True, 5, 29), (True, 30, 154)])
def test_depth_counts_the_convolutions_that_are_run(recall: bool, iterations: int, depth: int) -> None:
    thinker = make_thinker((1, 8), BITS, {"type": "deep_thinking", "width": 4, "recall": recall})
    run = 0

    def count(*_: Any) -> None:
        nonlocal run
        run += 1

    for part in thinker.modules():
        if isinstance(part, torch.nn.Conv1d):
            part.register_forward_hook(count)
    *_, last = thinker.thoughts(torch.zeros(1, 1, 8), iterations)
    thinker.answer(last)
    assert run == thinker.effective_depth(iterations) == depth
