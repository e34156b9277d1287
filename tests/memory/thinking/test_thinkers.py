"""What every thinking network must do. B problems, T iterations."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.memory.thinking import THINKERS, Answers, Thinker, make_thinker

from .cases import CASES, IMAGE, LINE, SQUARE, B, Case, T, build, label, problems

every_case = pytest.mark.parametrize("case", CASES, ids=label)
CLOSE: dict[str, float] = {"rtol": 1e-9, "atol": 1e-11}


def test_every_network_is_tested() -> None:
    assert {case.options["type"] for case in CASES} == set(THINKERS)


def steps(thinker: Thinker) -> int:
    return thinker.thinking_steps


@every_case
def test_shape_of_answers(case: Case) -> None:
    thinker = build(case)
    logits = thinker(problems(case), steps(thinker))
    answer = (case.labels,) if case.labels else (2, *case.shape[1:])
    assert logits.shape == (steps(thinker), B, *answer)
    assert logits.shape[2] == thinker.classes


@every_case
def test_single_steps_equal_many_at_once(case: Case) -> None:
    thinker = build(case).eval()
    given = problems(case)
    at_once = thinker(given, steps(thinker))
    thought = thinker.begin(given)
    for iteration, expected in enumerate(at_once):
        before = thought.clone()
        after = thinker.think(thought, given, iteration)
        torch.testing.assert_close(thought, before, rtol=0, atol=0)
        thought = after
        torch.testing.assert_close(thinker.answer(thought), expected, **CLOSE)


@every_case
def test_going_on_from_a_thought(case: Case) -> None:
    thinker = build(case).eval()
    if steps(thinker) < T:
        pytest.skip("there is one iteration")
    given = problems(case)
    *_, middle = thinker.thoughts(given, 2)
    torch.testing.assert_close(thinker(given, T - 2, middle, first=2), thinker(given, T)[2:], **CLOSE)


def gradients(thinker: Thinker, given: Tensor) -> list[Tensor]:
    torch.manual_seed(2)
    logits = thinker(given, steps(thinker))
    loss = (logits * torch.randn_like(logits)).sum()
    return list(torch.autograd.grad(loss, list(thinker.parameters())))


@every_case
def test_every_parameter_is_used(case: Case) -> None:
    thinker = build(case)
    given = problems(case)
    for (name, _), gradient in zip(thinker.named_parameters(), gradients(thinker, given), strict=True):
        assert gradient.abs().sum() > 0, name


@every_case
def test_checkpointing_changes_nothing_but_memory(case: Case) -> None:
    plain, frugal = build(case), build(case, checkpointing=True)
    given = problems(case)
    for one, other in zip(gradients(plain, given), gradients(frugal, given), strict=True):
        torch.testing.assert_close(one, other, **CLOSE)
    for (name, one), other in zip(plain.named_buffers(), frugal.buffers(), strict=True):
        torch.testing.assert_close(one, other, **CLOSE, msg=name)


def test_checkpointing_keeps_less() -> None:
    def kept(checkpointing: bool) -> int:
        thinker = build(CASES[3], checkpointing=checkpointing)
        elements = 0

        def keep(tensor: Tensor) -> Tensor:
            nonlocal elements
            elements += 0 if isinstance(tensor, nn.Parameter) else tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            for _ in thinker.thoughts(problems(CASES[3]), T):
                pass
        return elements

    assert kept(True) < kept(False) / 3


@every_case
def test_integer_problems_mean_the_same(case: Case) -> None:
    thinker = build(case).eval()
    given = problems(case)
    torch.testing.assert_close(thinker(given.byte(), steps(thinker)), thinker(given, steps(thinker)), **CLOSE)
    thought = thinker.begin(given.byte())
    torch.testing.assert_close(
        thinker.think(thought, given.byte(), 0), thinker.think(thought, given, 0), **CLOSE
    )


@pytest.mark.parametrize("case", [case for case in CASES if len(case.shape) == 3], ids=label)
def test_channels_last_changes_nothing_but_layout(case: Case) -> None:
    plain, last = build(case, channels_last=False).eval(), build(case, channels_last=True).eval()
    given = problems(case)
    torch.testing.assert_close(plain(given, steps(plain)), last(given, steps(last)), **CLOSE)
    thought = last.begin(given)
    if thought.ndim == 4:
        assert thought.is_contiguous(memory_format=torch.channels_last)
        after = last.think(thought, last.prepare(given), 0)
        assert after.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("case", [case for case in CASES if case.labels is None], ids=label)
def test_other_sizes_than_built_for(case: Case) -> None:
    thinker = build(case).eval()
    larger = Case((case.shape[0], *(2 * size + 1 for size in case.shape[1:])), None, case.options)
    assert thinker(problems(larger), T).shape == (T, B, 2, *larger.shape[1:])
    # Zeros around a picture are what padding adds: shifting the picture shifts the answers inside.
    torch.testing.assert_close(
        thinker(problems(larger), T), build(larger).eval()(problems(larger), T), **CLOSE
    )


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.options.get("feed_forward") or "18" in case.options["type"]],
    ids=label,
)
def test_feed_forward_networks_have_a_last_iteration(case: Case) -> None:
    thinker = build(case)
    last = steps(thinker)
    with pytest.raises(ValueError, match=rf"iteration: expected an integer < {last}, .*got {last}"):
        thinker(problems(case), last + 1)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if not case.options.get("feed_forward") and "18" not in case.options["type"]],
    ids=label,
)
def test_recurrent_networks_go_on(case: Case) -> None:
    thinker = build(case).eval()
    logits = thinker(problems(case), 3 * T)
    assert logits.isfinite().all()
    assert not torch.equal(logits[T], logits[T - 1])


def names(thinker: Thinker) -> set[str]:
    chosen = {id(parameter) for parameter in thinker.recurrent_parameters()}
    return {name.partition(".")[0] for name, value in thinker.named_parameters() if id(value) in chosen}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"type": "deep_thinking"}, {"recall", "blocks"}),
        ({"type": "deep_thinking", "recall": False}, {"blocks"}),
        ({"type": "deep_thinking", "feed_forward": True}, {"recall"}),
        ({"type": "maze_net"}, {"blocks"}),
        ({"type": "maze_net", "feed_forward": True}, set()),
    ],
)
def test_recurrent_parameters(options: dict[str, Any], expected: set[str]) -> None:
    assert names(build(Case(SQUARE, None, {**options, **SMALL_WIDTH}))) == expected


SMALL_WIDTH = {"width": 8, "thinking_steps": 2}


@pytest.mark.parametrize("name", ["thinking_mlp", "conv_net", "res_net", "res_net_bn"])
def test_recurrent_parameters_of_label_networks(name: str) -> None:
    assert names(build(Case(IMAGE, 5, {"type": name, **SMALL_WIDTH}))) == {"blocks"}
    assert not names(build(Case(IMAGE, 5, {"type": name, "feed_forward": True, **SMALL_WIDTH})))


def test_deep_thinking_is_what_the_paper_writes() -> None:
    """DT-Recall over one axis, from its weights alone."""
    thinker = build(CASES[0])
    weights = iter([parameter.detach() for parameter in thinker.parameters()])
    given = problems(CASES[0])

    def conv(x: Tensor, weight: Tensor) -> Tensor:
        padded = functional.pad(x, (1, 1))
        windows = padded.unfold(2, 3, 1)  # (B, inputs, N, 3)
        return torch.einsum("binw,oiw->bon", windows, weight)

    projection, recall, *rest = weights
    block, head = rest[:4], rest[4:]
    h = conv(given, projection).relu()
    for logits in thinker(given, T):
        z = conv(torch.cat([h, given], 1), recall).relu()
        y = (conv(conv(z, block[0]).relu(), block[1]) + z).relu()
        h = (conv(conv(y, block[2]).relu(), block[3]) + y).relu()
        expected = conv(conv(conv(h, head[0]).relu(), head[1]).relu(), head[2])
        torch.testing.assert_close(logits, expected, **CLOSE)


def test_recall_relu() -> None:
    thinker, bare = build(CASES[3]), build(CASES[4])
    bare.load_state_dict(thinker.state_dict())
    given = problems(CASES[3])
    before = thinker.begin(given)
    assert not torch.equal(thinker.think(before, given, 0), bare.think(before, given, 0))
    nn.init.constant_(next(iter(bare.recurrent_parameters()[-1:])), 0.01)  # positive: the ReLU does nothing
    thinker.load_state_dict(bare.state_dict())
    torch.testing.assert_close(thinker.think(before, given, 0), bare.think(before, given, 0), **CLOSE)


@pytest.mark.parametrize(("recall", "same"), [(True, False), (False, True)])
def test_recall_sees_the_problem_in_every_iteration(recall: bool, same: bool) -> None:
    thinker = build(CASES[0], recall=recall)
    given = problems(CASES[0])
    thought = thinker.begin(given)
    other = thinker.think(thought, 1 - given, 1)
    assert torch.equal(other, thinker.think(thought, given, 1)) == same


@pytest.mark.parametrize(
    ("dilation", "reach"), [("none", 1 + 4 + 3), ("sister", 2 + 2 + 4 + 6), ("all", 2 * 8)]
)
def test_reach_of_dilated_networks(dilation: str, reach: int) -> None:
    """How far one pixel is seen after one iteration: one position per convolution, two if it is dilated."""
    case = Case((3, 41, 41), None, {"type": "maze_net", "width": 8, "dilation": dilation})
    thinker = build(case)
    for parameter in thinker.parameters():
        nn.init.constant_(parameter, 0.1)
    given = torch.zeros(1, *case.shape, dtype=torch.float64)
    given[0, :, 20, 20] = 1
    seen = (thinker(given, 1)[0, 0, 0] != 0).nonzero()
    assert (seen.amin(0).tolist(), seen.amax(0).tolist()) == ([20 - reach] * 2, [20 + reach] * 2)


def test_group_norm_normalises_each_group() -> None:
    given = problems(CASES[5])
    thinker, plain = build(CASES[5]), build(CASES[3])
    doubled = build(CASES[5])
    doubled.load_state_dict(thinker.state_dict())
    for block in doubled.recurrent_parameters()[:4]:
        block.data *= 2
    thought = thinker.begin(given)
    once = thinker.think(thought, given, 0)
    torch.testing.assert_close(once, doubled.think(thought, given, 0), rtol=1e-2, atol=1e-2)
    assert not torch.allclose(once, plain.think(thought, given, 0), rtol=0.1, atol=0.1)


def batch_norm_case(**options: Any) -> Case:
    return Case(IMAGE, 5, {"type": "res_net_bn", "width": 8, "thinking_steps": 2, **options})


def test_each_iteration_has_its_own_batch_norms() -> None:
    thinker = build(batch_norm_case())
    *_, _ = thinker.thoughts(problems(CASES[-1]), 2)
    counts = [int(part.num_batches_tracked) for part in thinker.modules() if isinstance(part, nn.BatchNorm2d)]
    assert counts == [1] * 9 + [0]  # the first one, four for each iteration; not the head's
    means = [part.running_mean for part in thinker.modules() if isinstance(part, nn.BatchNorm2d)]
    assert not torch.allclose(means[1], means[5])  # type: ignore[arg-type]


def test_later_iterations_use_the_last_batch_norms() -> None:
    thinker = build(batch_norm_case())
    thinker(problems(CASES[-1]), 2)
    thinker.eval()
    thought = thinker.begin(problems(CASES[-1]))
    first, last, later = (thinker.think(thought, problems(CASES[-1]), t) for t in (0, 1, 17))
    assert torch.equal(last, later)
    assert not torch.equal(first, last)


@pytest.mark.parametrize(
    ("shape", "labels", "options", "message"),
    [
        (
            SQUARE,
            None,
            {"type": "deep_thinkin"},
            r"thinker.type: unknown 'deep_thinkin'; did you mean 'deep_thi",
        ),
        (SQUARE, None, {}, r"thinker.type: missing; known: conv_net, deep_thinking, "),
        (SQUARE, None, {"type": "torch.nn:LSTM"}, r"is no subclass of engram.memory.thinking.Thinker"),
        (
            SQUARE,
            None,
            {"type": "maze_net", "recall": True},
            r"thinker.recall: unknown key; known: .*dilation",
        ),
        (SQUARE, None, {"type": "maze_net", "width": 0}, r"thinker.width: expected an integer >= 1"),
        (LINE, None, {"type": "maze_net"}, r"thinker.type: expected problems \(C, H, W\), got .*\(1, 9\)"),
        ((3,), None, {"type": "deep_thinking"}, r"thinker.type: expected problems \(C, N\) or"),
        (
            SQUARE,
            5,
            {"type": "deep_thinking"},
            r"thinker.type: this network answers per position, not one of 5",
        ),
        (IMAGE, None, {"type": "res_net"}, r"thinker.type: this network gives labels"),
        (LINE, 5, {"type": "conv_net"}, r"thinker.type: expected problems \(C, H, W\), H and W >= 19"),
        ((3, 18, 30), 5, {"type": "conv_net"}, r"H and W >= 19, got the shape \(3, 18, 30\)"),
        (
            LINE,
            None,
            {"type": "deep_thinking", "channels_last": True},
            r"thinker.channels_last: expected problems",
        ),
        (
            LINE,
            None,
            {"type": "deep_thinking", "width": 7},
            r"thinker.width: expected a multiple of 2, got 7",
        ),
        (
            SQUARE,
            None,
            {"type": "deep_thinking", "width": 6, "group_norm": True},
            r"thinker.width: expected a multiple of 4, got 6",
        ),
        (
            SQUARE,
            None,
            {"type": "deep_thinking", "preset": "maze"},
            r"thinker.preset: unknown 'maze'; did you mea",
        ),
        (
            IMAGE,
            5,
            {"type": "res_net18", "thinking_steps": 2},
            r"thinking_steps: expected an integer <= 1, got 2",
        ),
    ],
)
def test_errors(shape: tuple[int, ...], labels: int | None, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_thinker(shape, Answers(labels), options)


@pytest.mark.parametrize(
    ("case", "shape", "message"),
    [
        (CASES[0], (2, 3, 9), r"problems: expected \(B, 1, N\), got \(2, 3, 9\)"),
        (CASES[3], (3, 8, 8), r"problems: expected \(B, 3, H, W\), got \(3, 8, 8\)"),
        (CASES[11], (2, 2, 20, 20), r"problems: expected \(B, 2, 20, 19\), got \(2, 2, 20, 20\)"),
    ],
)
def test_wrong_problems(case: Case, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(case).begin(torch.zeros(shape))
