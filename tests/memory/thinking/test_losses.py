"""Losses against their definitions. B problems, N positions, T iterations, L_t mean cross-entropy."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from engram.memory.thinking import LOSSES, Answers, Diagnostics, Thinker, make_loss, make_thinker

from .cases import CASES, IMAGE, Case, build, problems
from .reference import delta, entropies, losses
from .scripted import N, Scripted, as_bad_as

T = 6
CLOSE: dict[str, float] = {"rtol": 1e-9, "atol": 1e-12}
RECURRENT = [case for case in CASES[:6] if not case.options.get("feed_forward")]


def batch(case: Case, count: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Problems, targets and a mask with as good as no two problems alike in what counts."""
    torch.manual_seed(3)
    shape = (count,) if case.labels else (count, *case.shape[1:])
    targets = torch.randint(0, case.labels or 2, shape)
    mask = torch.rand(shape) < torch.linspace(0.2, 0.9, count).view(-1, *[1] * (len(shape) - 1))
    mask.view(count, -1)[:, 0] = True
    return problems(case, count), targets, mask


def all_zero(thinker: Scripted) -> tuple[Tensor, Tensor, Tensor]:
    lanes = thinker.table.shape[1]
    return (
        torch.zeros(lanes, 1, N),
        torch.zeros(lanes, N, dtype=torch.int8),
        torch.ones(lanes, N, dtype=torch.bool),
    )


def run(
    thinker: Thinker, options: dict[str, Any], given: tuple[Tensor, Tensor, Tensor], seed: int = 0
) -> tuple[Tensor, Diagnostics]:
    return make_loss(options)(thinker, *given, torch.Generator().manual_seed(seed))


def scaled(thinker: Thinker, by: float) -> Thinker:
    """Larger weights: losses differ more from iteration to iteration."""
    with torch.no_grad():
        for parameter in thinker.parameters():
            parameter *= by
    return thinker


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", [CASES[0], CASES[3], CASES[11]], ids=["1d", "2d", "labels"])
@pytest.mark.parametrize("reduction", ["batch", "sample"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_lean_delta_equals_all_heads_in_the_graph(
    reduction: str, case: Case, seed: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(seed)
    thinker = make_thinker(case.shape, Answers(case.labels), case.options).to(dtype)
    scaled(thinker, 1.5)
    given = batch(case)
    loss, told = run(thinker, {"type": "delta", "iterations": T, "reduction": reduction}, given)
    own = losses(thinker, *given, iterations=T)
    expected = delta(own, reduction)
    close = CLOSE if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(loss, expected, check_dtype=False, **close)
    parameters = list(thinker.parameters())
    for one, other in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(one, other, **close)
    worst = own.sum(1, keepdim=True).argmax(0) if reduction == "batch" else own.argmax(0)
    torch.testing.assert_close(told["worst_iteration"], worst.float().mean())
    torch.testing.assert_close(told["loss_first"], own[0].sum(), **close)


@pytest.mark.parametrize("reduction", ["batch", "sample"])
def test_delta_is_the_last_loss_and_a_hinge(reduction: str) -> None:
    torch.manual_seed(0)
    for _ in range(20):
        table = torch.rand(T, 3, dtype=torch.float64) + 0.1
        thinker = as_bad_as(table.tolist())
        loss, _ = run(thinker, {"type": "delta", "reduction": reduction}, all_zero(thinker))
        own = table if reduction == "sample" else table.mean(1, keepdim=True)
        hinge = (own.max(0).values - own[0]).clamp(min=0).mean()
        torch.testing.assert_close(loss, table[-1].mean() + hinge, **CLOSE)


@pytest.mark.parametrize(
    ("values", "weights"),
    [
        ([5, 4, 3, 2, 1], {4: 1}),  # worst at first: the last loss alone
        ([3, 4, 5, 2, 1], {0: -1, 2: 1, 4: 1}),  # in the middle
        ([1, 2, 3, 4, 5], {0: -1, 4: 2}),  # at last
        ([3, 5, 5, 2, 1], {0: -1, 1: 1, 4: 1}),  # of equals, the first
        ([2, 2, 2, 2, 2], {4: 1}),
        ([2], {0: 1}),
    ],
)
def test_gradient_of_delta(values: list[float], weights: dict[int, float]) -> None:
    thinker = as_bad_as(values)
    given = all_zero(thinker)
    loss, _ = run(thinker, {"type": "delta"}, given)
    (gradient,) = torch.autograd.grad(loss, [thinker.table])
    each = torch.stack([entropies(step, given[1]).mean() for step in thinker.table])
    expected = sum(weight * each[t] for t, weight in weights.items())
    torch.testing.assert_close(loss, expected, check_dtype=False, **CLOSE)
    (wanted,) = torch.autograd.grad(expected, [thinker.table])  # type: ignore[arg-type, list-item]
    torch.testing.assert_close(gradient, wanted, **CLOSE)


@pytest.mark.parametrize(
    ("values", "answers"),
    [([[5, 5], [4, 4], [1, 1]], 2), ([[3, 3], [4, 4], [1, 1]], 6), ([[1, 1], [2, 2], [3, 3]], 6)],
)
def test_delta_answers_at_most_three_times_with_a_graph(values: list[list[float]], answers: int) -> None:
    thinker = as_bad_as(values)
    run(thinker, {"type": "delta"}, all_zero(thinker))
    assert thinker.answered == answers  # two problems, as often as so many answers have a graph


def test_sample_delta_answers_anew_only_for_problems_that_got_worse() -> None:
    thinker = as_bad_as([[3, 3, 3, 3], [2, 4, 2, 2], [1, 1, 5, 1], [1, 1, 1, 6]])
    loss, told = run(thinker, {"type": "delta", "reduction": "sample"}, all_zero(thinker))
    torch.testing.assert_close(loss.item(), (1 + (1 - 3 + 4) + (1 - 3 + 5) + (6 - 3 + 6)) / 4)
    assert thinker.answered == 4 + 2 * 3
    assert (told["worst_is_first"], told["worst_iteration"]) == (0.25, (0 + 1 + 2 + 3) / 4)


def test_delta_is_larger_for_samples() -> None:
    torch.manual_seed(0)
    thinker = Scripted(torch.randn(T, 50, 2, N, dtype=torch.float64))
    by_batch, by_sample = (
        run(thinker, {"type": "delta", "reduction": reduction}, all_zero(thinker))[0].item()
        for reduction in ("batch", "sample")
    )
    assert by_sample > by_batch + 0.1


@pytest.mark.parametrize("case", [*RECURRENT, CASES[13]], ids=lambda case: case.options["type"])
def test_losses_are_means_over_all_positions_of_the_batch_that_count(case: Case) -> None:
    thinker, given = build(case), batch(case)
    own = losses(thinker, *given, iterations=T).sum(1)
    for options, expected in [
        ({"type": "final"}, own[-1]),
        ({"type": "mean"}, own.mean()),
        ({"type": "progressive", "alpha": 0}, own[-1]),
    ]:
        loss, told = run(thinker, {**options, "iterations": T}, given)
        torch.testing.assert_close(loss, expected, **CLOSE)
        torch.testing.assert_close(told["loss_last"], own[-1].detach(), **CLOSE)
        torch.testing.assert_close(told["logits"], thinker(given[0], T)[-1].detach(), **CLOSE)
        assert told["iterations"] == T


def test_positions_that_do_not_count_have_no_gradient() -> None:
    thinker = Scripted(torch.randn(T, 2, 2, N))
    given, targets, mask = all_zero(thinker)
    mask[1, 2:] = False
    for name in LOSSES:
        loss, _ = run(thinker, {"type": name}, (given, targets, mask))
        (gradient,) = torch.autograd.grad(loss, [thinker.table])
        assert not gradient[:, 1, :, 2:].any()
        assert gradient[:, 1, :, :2].any()


def test_targets_may_be_flat_and_of_any_integer_type() -> None:
    thinker = build(CASES[3])
    given, targets, mask = batch(CASES[3])
    loss, _ = run(thinker, {"type": "delta"}, (given, targets, mask))
    flat, _ = run(
        thinker, {"type": "delta"}, (given.byte(), targets.flatten(1).to(torch.int8), mask.flatten(1))
    )
    torch.testing.assert_close(loss, flat)


def draws(name: str, count: int, **options: Any) -> Iterator[tuple[Scripted, Diagnostics]]:
    """A fresh network of T = 6 iterations and what was told, for each of so many seeds."""
    for seed in range(count):
        thinker = as_bad_as([1.0] * T)
        yield thinker, run(thinker, {"type": name, **options}, all_zero(thinker), seed)[1]


@pytest.mark.parametrize("name", ["final", "mean", "delta"])
def test_iterations_that_are_run(name: str) -> None:
    for thinker, told in draws(name, 1):
        assert thinker.iterations == thinker.tracked == told["iterations"] == T
        assert thinker.begun == 1


def test_delta_random_runs_half_of_the_iterations() -> None:
    run_ = []
    for thinker, told in draws("delta_random", 500):
        assert thinker.iterations == thinker.tracked == told["iterations"]
        run_.append(thinker.iterations)
    assert set(run_) == set(range(2, T + 1))
    assert sum(run_) / 500 == pytest.approx((T + 2) / 2, abs=0.2)  # standard error 0.06


def test_progressive_runs_only_what_it_needs() -> None:
    """With alpha = 1: E[n + k] iterations, of which E[k] = (T + 3) / 4 have a graph."""
    run_, tracked = [], []
    for thinker, told in draws("progressive", 500, alpha=1):
        assert thinker.iterations == told["detached"] + told["tracked"] == told["iterations"]
        assert thinker.tracked == told["tracked"]
        assert 0 <= told["detached"] < T
        assert 1 <= told["tracked"] <= T - told["detached"]
        run_.append(thinker.iterations)
        tracked.append(thinker.tracked)
    assert sum(tracked) / 500 == pytest.approx((T + 3) / 4, abs=0.2)  # standard error 0.06
    assert sum(run_) / 500 == pytest.approx((T - 1) / 2 + (T + 3) / 4, abs=0.2)


def test_progressive_of_both_kinds_runs_both() -> None:
    for thinker, told in draws("progressive", 20, alpha=0.5):
        assert thinker.iterations == T + told["detached"] + told["tracked"]
        assert thinker.tracked == T + told["tracked"]
    for thinker, told in draws("progressive", 5, alpha=0):
        assert thinker.iterations == thinker.tracked == T
        assert "detached" not in told


def detach_after(thinker: Thinker, given: Tensor, detached: int, tracked: int) -> Tensor:
    thought = thinker.begin(given)
    for iteration in range(detached):
        thought = thinker.think(thought, given, iteration)
    thought = thought.detach() if detached else thought
    for iteration in range(detached, detached + tracked):
        thought = thinker.think(thought, given, iteration)
    return thinker.answer(thought)


@pytest.mark.parametrize("alpha", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_progressive_is_its_definition(alpha: float, seed: int) -> None:
    thinker, given = build(CASES[0]), batch(CASES[0])
    loss, told = run(thinker, {"type": "progressive", "alpha": alpha, "iterations": T}, given, seed)
    full = losses(thinker, *given, iterations=T).sum(1)[-1]
    logits = detach_after(thinker, given[0], int(told["detached"]), int(told["tracked"]))
    partial = entropies(logits, given[1])[given[2]].mean()
    expected = (1 - alpha) * full + alpha * partial
    torch.testing.assert_close(loss, expected, **CLOSE)
    parameters = list(thinker.parameters())
    for one, other in zip(
        torch.autograd.grad(loss, parameters, allow_unused=True),
        torch.autograd.grad(expected, parameters),
        strict=True,
    ):
        torch.testing.assert_close(torch.zeros_like(other) if one is None else one, other, **CLOSE)


def test_progressive_reaches_the_projection_only_from_the_beginning() -> None:
    seen = set()
    for seed in range(30):
        thinker = build(CASES[0])
        loss, told = run(thinker, {"type": "progressive"}, batch(CASES[0]), seed)
        loss.backward()  # type: ignore[no-untyped-call]
        projection = next(thinker.get_submodule("projection").parameters())
        assert (projection.grad is None) == (told["detached"] > 0)
        assert all(parameter.grad is not None for parameter in thinker.recurrent_parameters())
        seen.add(int(told["detached"]) > 0)
    assert seen == {True, False}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_not_lost_under_autocast(name: str) -> None:
    """Weights that were cast without a graph must not be taken for those with one."""
    thinker = build(CASES[3]).float()
    scaled(thinker, 1.5)
    given = batch(CASES[3])
    for seed in range(4):
        thinker.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss, told = run(thinker, {"type": name}, given, seed)
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.dtype == torch.float32
        for key, parameter in thinker.named_parameters():
            unreached = key.startswith("projection") and told.get("detached", 0) > 0
            assert (parameter.grad is None) == unreached


@pytest.mark.parametrize("name", LOSSES)
def test_diagnostics_are_detached_and_seeded(name: str) -> None:
    thinker, given = build(CASES[0]), batch(CASES[0])
    loss, told = run(thinker, {"type": name}, given, 5)
    again, told_again = run(thinker, {"type": name}, given, 5)
    assert torch.equal(loss, again)
    assert told.keys() == told_again.keys() >= {"loss_last", "logits", "iterations"}
    for key, value in told.items():
        assert not value.requires_grad
        assert torch.equal(value, told_again[key])


@pytest.mark.parametrize("name", LOSSES)
def test_checkpointing_gives_the_same_gradients(name: str) -> None:
    given = batch(CASES[3])
    found = []
    for checkpointing in (False, True):
        thinker = build(CASES[3], checkpointing=checkpointing)
        loss, _ = run(thinker, {"type": name}, given, 1)
        found.append(torch.autograd.grad(loss, list(thinker.parameters()), allow_unused=True))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


@pytest.mark.parametrize("labels", [5])
def test_labels(labels: int) -> None:
    case = Case(IMAGE, labels, {"type": "thinking_mlp", "width": 8})
    thinker = build(case)
    given = batch(case, 7)
    given[2][3] = False
    loss, _ = run(thinker, {"type": "final"}, given)
    kept = given[2]
    logits = thinker(given[0], thinker.thinking_steps)[-1][kept]
    torch.testing.assert_close(loss, functional.cross_entropy(logits, given[1][kept]), **CLOSE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"type": "delta", "reduction": "mean"}, "loss.reduction: unknown 'mean'; known: batch, sample"),
        ({"type": "progressive", "alpha": 1.5}, "loss.alpha: expected a number >= 0 and <= 1, got 1.5"),
        ({"type": "deltarand"}, "loss.type: unknown 'deltarand'; did you mean 'delta_random'"),
        ({"type": "final", "alpha": 1}, "loss.alpha: unknown key; known: iterations"),
        ({"type": "torch:Tensor"}, "loss.type: 'torch:Tensor' is no subclass of engram.memory.thinking.Loss"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_loss(options)


def test_wrong_batches() -> None:
    thinker, (given, targets, mask) = build(CASES[3]), batch(CASES[3])
    with pytest.raises(ValueError, match=r"targets: expected 4, .* got targets \(4, 64\), mask \(4, 8, 8\)"):
        run(thinker, {"type": "final"}, (given, targets.flatten(1), mask))
    with pytest.raises(ValueError, match="targets: expected 4"):
        run(thinker, {"type": "final"}, (given, targets[:3], mask[:3]))
    with pytest.raises(ValueError, match="iterations: expected at least 2 to draw from, got 1"):
        run(thinker, {"type": "delta_random", "iterations": 1}, (given, targets, mask))
