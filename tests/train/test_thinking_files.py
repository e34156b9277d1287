"""Evaluations on disk: read back, drawn, compared; files made by hand."""

import json
import math

import numpy as np
import pytest
import ray
from made_up_thinkers import MAZE, SUMS, make_checkpoint, make_evaluation

from engram.memory.options import parse_options
from engram.train.console.errors import ExperimentError
from engram.train.pictures import KINDS, canvas
from engram.train.thinking.record import Curve, Evaluation, read_evaluation

SOLVED = [True] * 6 + [False] * 4


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def numbers(kind, *files, **options):
    found = KINDS[kind]
    return found.numbers(parse_options(found.options, {"files": [*files], **options}, "--options"))


def drawn(kind, found):
    with canvas.style():
        return KINDS[kind].draw(found).axes


def test_what_is_written_is_read(tmp_path):
    curve = Curve([0.0, 1.0], [1, 1], 2, 0.0)
    written = Evaluation("runs/a", SUMS, {"bits": 8}, 3, {"last": curve}, [True, False])
    written.write("a.json")
    assert read_evaluation("a.json", "FILE") == written
    assert written.steps == 2


def test_evaluate_writes_what_is_read(typed, tmp_path):
    folder = make_checkpoint(tmp_path / "maze", MAZE, {"positions": 3, "pixels": 1})
    code, out, err = typed(
        *("evaluate", folder, "--thinking-steps", 5, "--episodes", 7, "--out", "a.json", "--json"),
        *("--exit-rule", "agreement", "--exit-rule", "last"),
    )
    assert (code, err) == (0, "")
    found = read_evaluation("a.json", "FILE")
    assert (found.env, found.env_config, found.seed) == (MAZE, {"positions": 3, "pixels": 1}, 0)
    assert list(found.curves) == ["agreement", "last"]
    assert found.curves["last"].accuracy[-1] == np.mean(found.solved)
    assert found.curves["last"].exits == [0, 0, 0, 0, 7]
    assert sum(found.curves["agreement"].exits) == len(found.solved) == 7
    told = json.loads(out.splitlines()[-1])
    assert told["rules"]["last"]["best"] == max(found.curves["last"].accuracy)
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("exits", "share", "iteration"),
    [([1, 2, 3, 4], 0.1, 1), ([1, 2, 3, 4], 0.11, 2), ([1, 2, 3, 4], 0.5, 3), ([0, 0, 5], 0.5, 3)],
)
def test_exit_after(exits, share, iteration):
    assert Curve([0.0] * len(exits), exits, 1, 0.0).exit_after(share) == iteration


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", "{}", '{"curves": {}}', '{"curves": {"last": {"accuracy": [1]}}}'],
)
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ExperimentError, match=r"^--options.files: a.json: "):
        numbers("accuracy-curves", "a.json")


def test_accuracy_curves(tmp_path):
    delta = make_evaluation(tmp_path / "delta.json", SOLVED, accuracy=(0, 0.25, 1, 0.5))
    final = make_evaluation(tmp_path / "final.json", SOLVED, accuracy=(0, 0.5))
    found = numbers("accuracy-curves", delta, final, delta)
    (axes,) = drawn("accuracy-curves", found)
    assert axes.get_xscale() == "log"
    lines = {line.get_label(): [list(values) for values in line.get_data()] for line in axes.lines}
    assert lines == {"delta": [[1, 2, 3, 4], [0, 0.25, 1, 0.5]], "final": [[1, 2], [0, 0.5]]}
    assert list(found.rows())[:3] == [
        ("file", "rule", "iterations", "accuracy"),
        (delta, "last", 1, 0),
        (delta, "last", 2, 0.25),
    ]
    assert found.text().splitlines()[2:] == [
        f"| `{delta}` | last | 100.0% | 3 | 50.0% (4) | 50.0% |",
        f"| `{final}` | last | 50.0% | 2 | 50.0% (2) | 0.0% |",
    ]
    (axes,) = drawn("accuracy-curves", numbers("accuracy-curves", delta, log=False))
    assert axes.get_xscale() == "linear"


def test_labels_tell_curves_apart(tmp_path):
    exits = {"confidence": [1, 9, 0, 0]}
    one = make_evaluation(tmp_path / "one/delta.json", SOLVED, exits=exits)
    other = make_evaluation(tmp_path / "two/delta.json", SOLVED)
    assert [curve.label for curve in numbers("accuracy-curves", one).curves] == [
        "delta, last",
        "delta, confidence",
    ]
    labels = [curve.label for curve in numbers("accuracy-curves", one, other, rule="last").curves]
    assert labels == [one, other]
    with pytest.raises(ExperimentError, match="unknown 'confidenc'; did you mean 'confidence'"):
        numbers("accuracy-curves", one, rule="confidenc")


def test_exits(tmp_path):
    file = make_evaluation(tmp_path / "a.json", SOLVED, exits={"agreement": [1, 5, 4, 0]})
    found = numbers("exits", file)
    assert list(found.rows())[1:] == [(file, "agreement", i, n) for i, n in enumerate([1, 5, 4, 0], 1)]
    assert found.text().splitlines()[2] == f"| `{file}` | agreement | 10 | 1 | 2 | 3 | 4 | 75.0% |"
    (axes,) = drawn("exits", found)
    (bars,) = axes.patches
    assert list(bars.get_data().values) == [0.1, 0.5, 0.4]
    assert list(bars.get_data().edges) == [0.5, 1.5, 2.5, 3.5]
    assert axes.get_title(loc="left") == "a: median 2"
    assert [curve.rule for curve in numbers("exits", file, rule="last").curves] == ["last"]


def test_rules_that_do_not_choose_have_no_histogram(tmp_path):
    with pytest.raises(ExperimentError, match="no exit rule that chooses when to stop"):
        numbers("exits", make_evaluation(tmp_path / "a.json", SOLVED))


def test_mcnemar_between_two_files(typed, tmp_path):
    """6 differ, 1 of them to the one side: p = 2 (1 + 6) / 2^6."""
    solved = {"a.json": [True] * 9 + [False], "b.json": [True] * 4 + [False] * 5 + [True]}
    for name, each in solved.items():
        make_evaluation(tmp_path / name, each)
    code, out, err = typed("compare-thinking", "a.json", "b.json", "--json")
    assert (code, err) == (0, "")
    summary = json.loads(out.splitlines()[-1])
    assert (summary["first_only"], summary["second_only"]) == (5, 1)
    assert summary["p_value"] == pytest.approx(2 * (math.comb(6, 0) + math.comb(6, 1)) / 2**6)
    assert (summary["first"]["solved"], summary["second"]["solved"]) == (0.9, 0.5)
    assert "p = 0.219" in out


def test_the_number_of_iterations_may_differ(typed, tmp_path):
    one = make_evaluation(tmp_path / "a.json", SOLVED)
    other = make_evaluation(
        tmp_path / "b.json", SOLVED, accuracy=(0, 1), env_config={"bits": 8, "path": None}
    )
    _, out, _ = typed("compare-thinking", one, other, "--json")
    found = json.loads(out.splitlines()[-1])
    assert (found["first"]["thinking_steps"], found["second"]["thinking_steps"]) == (4, 2)
    assert found["p_value"] == 1


@pytest.mark.parametrize(
    ("others", "solved", "difference"),
    [
        ({"env": MAZE}, SOLVED, f'env is "{SUMS}" in a.json, "{MAZE}" in b.json'),
        ({"env_config": {"bits": 9}}, SOLVED, "env_config.bits is 8 in a.json, 9 in b.json"),
        ({"env_config": {}}, SOLVED, "env_config.bits is 8 in a.json, left to its default in b.json"),
        ({"seed": 1}, SOLVED, "seed is 0 in a.json, 1 in b.json"),
        ({}, SOLVED[1:], "the number of problems is 10 in a.json, 9 in b.json"),
    ],
)
def test_other_puzzles_are_not_compared(typed, tmp_path, others, solved, difference):
    make_evaluation(tmp_path / "a.json", SOLVED)
    make_evaluation(tmp_path / "b.json", solved, **others)
    code, out, err = typed("compare-thinking", "a.json", "b.json")
    assert (code, out, err) == (2, "", f"error: compare-thinking: not the same puzzles: {difference}\n")
    code, _, err = typed("compare-thinking", "a.json", "none.json")
    assert code == 2
    assert err.startswith("error: compare-thinking: none.json: cannot be read: ")


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("engram/Ponder-v0", "its episodes take more than one step"),
        ("engram/TMaze-v0", "made for answers in "),
    ],
)
def test_only_puzzles_of_one_step_are_asked(typed, tmp_path, env_id, message):
    folder = make_checkpoint(tmp_path / "sums", SUMS, {})
    record = tmp_path / "sums/run.json"
    record.write_text(record.read_text().replace(SUMS, env_id))
    code, out, err = typed("evaluate", folder, "--thinking-steps", 2, "--episodes", 101)
    assert (code, out) == (2, "")
    assert message in err
