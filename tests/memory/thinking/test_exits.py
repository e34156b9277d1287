"""Exit rules on hand-made answers, and against their definitions. B problems, N positions, T iterations."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from engram.memory.thinking import (
    EXIT_RULES,
    ExitSweep,
    confidence,
    drop_after_best,
    exact,
    make_exit_rule,
    predict,
    steps_to_best,
)


def logits_of(picture: str, sure: float = 2.0) -> Tensor:
    """Logits (1, 2, N) of answers such as ``0110``; `sure` is the difference of the two."""
    bits = torch.tensor([int(bit) for bit in picture])
    return torch.stack((-bits + 0.0, bits - 1.0)).unsqueeze(0) * sure


def sweep_of(
    options: dict[str, Any], answers: list[tuple[str, float]], target: str, mask: str | None = None
) -> tuple[list[float], list[int]]:
    """Accuracy for every budget and exits, given the answers to one problem and how sure they are."""
    sweep = ExitSweep({"rule": make_exit_rule(options)}, budget=len(answers))
    targets = torch.tensor([[int(bit) for bit in target]])
    sweep.start(targets, torch.tensor([[bit == "1" for bit in mask or "1" * len(target)]]))
    for picture, sure in answers:
        sweep.observe(logits_of(picture, sure))
    return sweep.accuracy("rule").tolist(), sweep.exits("rule").tolist()


def plain(*pictures: str) -> list[tuple[str, float]]:
    return [(picture, 2.0) for picture in pictures]


def test_every_rule_is_tested() -> None:
    assert set(EXIT_RULES) == {"agreement", "confidence", "last", "n_plus_k"}


def test_last() -> None:
    right = sweep_of({"type": "last"}, plain("00", "01", "11", "01"), target="01")
    assert right == ([0, 1, 0, 1], [0, 0, 0, 1])


def test_n_plus_k() -> None:
    answers = plain("00", "01", "11", "01", "00")
    assert sweep_of({"type": "n_plus_k", "trained": 2}, answers, "01") == ([0, 1, 1, 1, 1], [0, 1, 0, 0, 0])
    right, exits = sweep_of({"type": "n_plus_k", "trained": 2, "extra": 2}, answers, "01")
    assert (right, exits) == ([0, 1, 0, 1, 1], [0, 0, 0, 1, 0])
    assert sweep_of({"type": "n_plus_k"}, answers, "00")[1] == [0, 0, 0, 0, 1]


def test_agreement_is_with_any_earlier_answer() -> None:
    answers = plain("000", "001", "111", "001", "110")
    assert sweep_of({"type": "agreement"}, answers, "001") == ([0, 1, 0, 1, 1], [0, 0, 0, 1, 0])


def test_agreement_gives_the_last_answer_if_there_is_none() -> None:
    answers = plain("000", "001", "011", "111")
    assert sweep_of({"type": "agreement"}, answers, "111") == ([0, 0, 0, 1], [0, 0, 0, 1])


def test_agreement_looks_back_no_further_than_its_window() -> None:
    answers = plain("000", "001", "011", "000", "001", "111")
    assert sweep_of({"type": "agreement"}, answers, "000")[1] == [0, 0, 0, 1, 0, 0]
    assert sweep_of({"type": "agreement", "window": 2}, answers, "000")[1] == [0, 0, 0, 0, 0, 1]


def test_agreement_does_not_look_at_positions_that_do_not_count() -> None:
    answers = plain("0101", "1001", "0100")
    assert sweep_of({"type": "agreement"}, answers, "0001", mask="0011")[1] == [0, 1, 0]


def picture(positions: int, wrong: int) -> str:
    return "1" * wrong + "0" * (positions - wrong)


@pytest.mark.parametrize(
    ("positions", "budget", "differing", "same"),
    [
        (1024, 10, 1, True),  # 32 x 32, share 0.999: more than 1022.976 are equal
        (1024, 10, 2, False),
        (1024, 11, 0, True),  # share 0.9999: more than 1023.9
        (1024, 11, 1, False),
        (576, 10, 1, False),  # 24 x 24
        (15376, 30, 1, True),  # 124 x 124: more than 15374.4624
        (15376, 30, 2, False),
    ],
)
def test_tolerance_of_agreement(positions: int, budget: int, differing: int, same: bool) -> None:
    first, second = picture(positions, 0), picture(positions, differing)
    others = [picture(positions, 50 * t) for t in range(1, budget - 1)]
    exits = sweep_of({"type": "agreement"}, plain(first, second, *others), first)[1]
    assert exits == ([0, 1, *[0] * (budget - 2)] if same else [*[0] * (budget - 1), 1])


def test_share_of_agreement() -> None:
    answers = plain("0000", "0001", "1111")
    assert sweep_of({"type": "agreement", "same": 0.75}, answers, "0000")[1] == [0, 0, 1]
    assert sweep_of({"type": "agreement", "same": 0.7}, answers, "0000")[1] == [0, 1, 0]
    assert sweep_of({"type": "agreement", "same": 0}, answers, "0000")[1] == [0, 1, 0]


def test_confidence_is_a_running_maximum() -> None:
    answers = [("00", 1.0), ("01", 3.0), ("00", 2.0), ("11", 3.0), ("00", 4.0), ("01", 0.5)]
    right, exits = sweep_of({"type": "confidence"}, answers, "01")
    assert (right, exits) == ([0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 0])


def test_confidence_is_a_mean_over_positions_that_count() -> None:
    logits = torch.tensor([[[0.0, 0.0, 9.0], [0.0, torch.tensor(3.0).log(), 0.0]]])
    sure = confidence(logits, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(sure, torch.tensor([(1 / 2 + 3 / 4) / 2]))
    labels = torch.tensor([[0.0, 0.0, torch.tensor(2.0).log()]])
    torch.testing.assert_close(confidence(labels, torch.tensor([True])), torch.tensor([0.5]))


def test_predictions() -> None:
    logits = torch.stack((torch.zeros(2, 5), torch.tensor([[1.0, 2, 3, 4, 5], [-1, -2, -3, 4, -5]])), 1)
    everywhere = torch.ones(2, 5, dtype=torch.bool)
    assert predict(logits, everywhere).tolist() == [[1, 1, 1, 1, 1], [0, 0, 0, 1, 0]]
    assert predict(logits, everywhere, top=2).tolist() == [[0, 0, 0, 1, 1], [1, 0, 0, 1, 0]]
    some = torch.tensor([[True, True, True, False, False], [False, True, True, True, True]])
    assert predict(logits, some).tolist() == [[1, 1, 1, 0, 0], [0, 0, 0, 1, 0]]
    assert predict(logits, some, top=2).tolist() == [[0, 1, 1, 0, 0], [0, 1, 0, 1, 0]]
    labels = torch.tensor([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    assert predict(labels, torch.tensor([True, True])).tolist() == [[1], [0]]


def test_exact() -> None:
    predictions = torch.tensor([[0, 1, 1], [0, 1, 1], [0, 1, 0]])
    targets = torch.tensor([[0, 1, 1], [0, 1, 0], [0, 1, 1]], dtype=torch.int8)
    mask = torch.tensor([[True, True, True], [True, True, False], [True, True, True]])
    assert exact(predictions, targets, mask).tolist() == [True, True, False]


Chosen = Callable[[list[Tensor], list[float], int], int]
"""From a problem's answers, their confidences and a budget to the iteration whose answer is given, from 0."""


def agreeing(pictures: list[Tensor], sure: list[float], budget: int) -> int:
    for late in range(budget):
        for early in range(late):
            if int((pictures[late] == pictures[early]).sum()) > 0.8 * pictures[late].numel():
                return late
    return budget - 1


DEFINITIONS: dict[str, tuple[dict[str, Any], Chosen]] = {
    "last": ({}, lambda pictures, sure, budget: budget - 1),
    "n_plus_k": ({"trained": 4, "extra": 2}, lambda pictures, sure, budget: min(budget, 6) - 1),
    "agreement": ({"same": 0.8}, agreeing),
    "confidence": ({}, lambda pictures, sure, budget: sure.index(max(sure[:budget]))),
}


def test_sweep_equals_choosing_from_all_answers_afterwards() -> None:
    torch.manual_seed(0)
    budget, problems, height, width = 12, 23, 2, 3
    all_logits = torch.randn(budget, problems, 2, height, width)
    targets = all_logits[5].argmax(1).to(torch.int8)  # the sixth answer is right, others by chance
    mask = torch.rand(problems, height, width) < 0.6
    mask[:, 0, 0] = True
    rules = {name: make_exit_rule({"type": name, **options}) for name, (options, _) in DEFINITIONS.items()}
    sweep = ExitSweep(rules, budget)
    for rows in (slice(0, 10), slice(10, 11), slice(11, None)):
        sweep.start(targets[rows], mask[rows])
        for logits in all_logits[:, rows]:
            sweep.observe(logits)
    assert sweep.problems == problems
    for name, (_, chosen) in DEFINITIONS.items():
        right = torch.zeros(budget, dtype=torch.float64)
        exits = torch.zeros(budget, dtype=torch.int64)
        for b in range(problems):
            pictures = [logits[b].argmax(0) * mask[b] for logits in all_logits]
            sure = [float(logits[b].softmax(0).amax(0)[mask[b]].mean()) for logits in all_logits]
            for allowed in range(1, budget + 1):
                given = pictures[chosen(pictures, sure, allowed)]
                right[allowed - 1] += bool((given == targets[b])[mask[b]].all())
            exits[chosen(pictures, sure, budget)] += 1
        assert right.sum() > 0
        torch.testing.assert_close(sweep.accuracy(name), right / problems)
        assert torch.equal(sweep.exits(name), exits)


def test_sweep_of_labels_and_of_chess() -> None:
    sweep = ExitSweep({"last": make_exit_rule({"type": "last"})}, 2)
    sweep.start(torch.tensor([2, 0]), torch.tensor([True, True]))
    sweep.observe(torch.tensor([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]))
    sweep.observe(torch.tensor([[0.0, 1.0, 2.0], [3.0, 1.0, 2.0]]))
    assert sweep.accuracy("last").tolist() == [0.5, 1.0]

    chess = ExitSweep({"last": make_exit_rule({"type": "last"})}, 1, top=2)
    board = torch.zeros(1, 8, 8, dtype=torch.int8)
    board[0, 0, 1] = board[0, 2, 2] = 1
    chess.start(board, torch.ones_like(board, dtype=torch.bool))
    chess.observe(torch.stack((torch.zeros(1, 8, 8), board * 0.1 - 5), 1))  # two squares less unlikely
    assert chess.accuracy("last").tolist() == [1.0]


def test_memory_does_not_grow_with_iterations() -> None:
    rules = {name: make_exit_rule({"type": name}) for name in EXIT_RULES}
    sweep = ExitSweep(rules, budget=401)
    sweep.start(torch.zeros(2, 64, dtype=torch.int8), torch.ones(2, 64, dtype=torch.bool))
    torch.manual_seed(0)
    held = []
    for _ in range(400):
        sweep.observe(torch.randn(2, 2, 64))  # never twice the same
        judges: list[Any] = list(sweep._judges.values())
        kept = [vars(judge) for judge in judges if hasattr(judge, "__dict__")]
        held.append(
            sum(len(value) for state in kept for value in state.values() if hasattr(value, "__len__"))
        )
    assert held[399] == held[99] > 64


@pytest.mark.parametrize(
    ("accuracy", "steps", "drop"),
    [([0.1, 0.9, 1.0, 1.0, 1.0], 3, 0.0), ([0.1, 1.0, 0.7, 0.9], 2, 0.3), ([0.5], 1, 0.0)],
)
def test_peak(accuracy: list[float], steps: int, drop: float) -> None:
    curve = torch.tensor(accuracy, dtype=torch.float64)
    assert steps_to_best(curve) == steps
    assert drop_after_best(curve) == pytest.approx(drop)


def test_wrong_use() -> None:
    with pytest.raises(ValueError, match="budget: expected an integer >= 1, got 0"):
        ExitSweep({}, 0)
    sweep = ExitSweep({"last": make_exit_rule({"type": "last"})}, 2)
    with pytest.raises(ValueError, match="observe: expected start"):
        sweep.observe(logits_of("01"))
    sweep.start(torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool))
    sweep.observe(logits_of("01"))
    with pytest.raises(ValueError, match="start: expected 2 iterations before, got 1"):
        sweep.start(torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool))
    sweep.observe(logits_of("01"))
    with pytest.raises(ValueError, match="observe: expected start"):
        sweep.observe(logits_of("01"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"type": "agree"}, "exit_rule.type: unknown 'agree'; did you mean 'agreement'"),
        ({"type": "agreement", "same": 2}, "exit_rule.same: expected a number"),
        ({"type": "last", "trained": 2}, "exit_rule.trained: unknown key"),
        ({"type": "n_plus_k", "extra": -1}, "exit_rule.extra: expected an integer >= 0, got -1"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_exit_rule(options)
