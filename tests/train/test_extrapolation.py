"""Runs against sizes: what is asked for, what is refused, against evaluations one by one."""

import json
from pathlib import Path

import pytest
from made_up_thinkers import SUMS, make_checkpoint

from engram.train.commands.extrapolate import parse_budgets, parse_sizes
from engram.train.console.errors import ExperimentError
from engram.train.evaluation.seeds import over_seeds


@pytest.fixture(scope="module")
def sums(tmp_path_factory):
    """Untrained networks for strings: of 3 bits, and of the default's."""
    folder = tmp_path_factory.mktemp("sums")
    made = {"three": {"bits": 3}, "default": {}}
    return [make_checkpoint(folder / name, SUMS, config) for name, config in made.items()]


def typed_json(typed, *arguments):
    code, printed, error = typed(*arguments, "--json")
    assert (code, error) == (0, "")
    return json.loads(printed.splitlines()[-1]), printed


def test_every_run_at_every_size_as_evaluate_finds_it(sums, typed, tmp_path):
    asked = ("--episodes", "200", "--seed", "4", "--exit-rule", "confidence", "--exit-rule", "last")
    out = tmp_path / "grid.json"
    cells, printed = typed_json(
        *(typed, "extrapolate", *sums, "--sizes", "bits=1,2,3", "--thinking-steps", "2,5,9"),
        *(*asked, "--out", out),
    )
    assert json.loads(out.read_text()) == cells
    assert [(cell["run"], cell["size"]) for cell in cells] == [(run, n) for run in sums for n in (1, 2, 3)]
    assert [cell["trained"] for cell in cells] == [3] * 3 + [None] * 3
    for cell in cells:
        steps = {1: 2, 2: 5, 3: 9}[cell["size"]]
        alone, _ = typed_json(
            *(typed, "evaluate", cell["run"], "--env-config", f"{{bits: {cell['size']}}}"),
            *("--thinking-steps", steps, *asked),
        )
        assert cell["measures"] == {rule: found["accuracy"] for rule, found in alone["rules"].items()}
        assert cell["thinking_steps"] == steps
    shares = [cell["measures"]["last"] for cell in cells]
    assert len(set(shares)) > 2, "this test cannot tell sizes apart"
    table = printed.splitlines()[printed.splitlines().index("solved, exit rule last:") + 1 :][:3]
    assert "interquartile" not in printed, "these differ in more than the seed"
    assert [line.split() for line in table] == [
        ["run", "trained", "at", "1", "2", "3"],
        ["three", "3", *(f"{share:.4f}" for share in shares[:3])],
        ["default", "default", *(f"{share:.4f}" for share in shares[3:])],
    ]


def test_policies_play(sums, typed):
    cells, printed = typed_json(typed, "extrapolate", sums[0], "--sizes", "bits=1,2", "--episodes", "64")
    for cell in cells:
        alone, _ = typed_json(
            *(typed, "evaluate", sums[0], "--env-config", f"{{bits: {cell['size']}}}", "--episodes", "64")
        )
        assert cell["measures"] == {name: alone[name] for name in ("return_mean", "success_rate")}
        assert cell["thinking_steps"] is None
    assert "return_mean, by bits:" in printed


def test_what_was_measured_is_not_lost(sums, typed, tmp_path):
    """The second size is none: what the first came to is written and printed."""
    out = tmp_path / "grid.json"
    code, printed, error = typed("extrapolate", sums[0], "--sizes", "bits=2,0", "--out", out)
    assert code == 2
    assert "bits: 0" in error
    assert [cell["size"] for cell in json.loads(out.read_text())] == [2]
    assert "return_mean, by bits:" in printed


def test_runs_are_told_apart_and_count_once(sums, typed, tmp_path):
    other = make_checkpoint(tmp_path / "other" / "three", SUMS, {"bits": 3})
    runs = (sums[0], other, sums[0])
    cells, printed = typed_json(typed, "extrapolate", *runs, "--sizes", "bits=2", "--episodes", "8")
    assert [cell["run"] for cell in cells] == [sums[0], other]
    assert [line.split()[0] for line in printed.splitlines()[2:4]] == [
        f"{Path(sums[0]).parent.name}/three",
        "other/three",
    ]


def test_runs_that_differ_in_the_seed_alone_are_summed_up(typed, tmp_path):
    """Untrained networks of the same weights: all have the same score."""
    runs = [make_checkpoint(tmp_path / "sums" / f"trial_{seed}", SUMS, {"bits": 3}) for seed in range(3)]
    for seed, run in enumerate(runs):
        record = json.loads(Path(run, "run.json").read_text())
        record["experiment"]["name"] = "sums"
        record["trial_config"]["seed"] = seed
        Path(run, "run.json").write_text(json.dumps(record))
    cells, printed = typed_json(typed, "extrapolate", *runs, "--sizes", "bits=2,3", "--episodes", "64")
    assert {cell["experiment"] for cell in cells} == {"sums"}
    lines = printed.splitlines()
    title = "success_rate, interquartile mean over seeds (95 % interval):"
    scores = [cell["measures"]["success_rate"] for cell in cells[:2]]
    assert lines[lines.index(title) + 2].split() == [
        "sums", "3", *(part for x in scores for part in (f"{x:.4f}", f"({x:.4f}", "to", f"{x:.4f})"))
    ]  # fmt: skip


def test_the_interquartile_mean_is_that_of_the_middle_half():
    """Of 8 scores the outer two at each end do not count."""
    found = over_seeds([0.0, 0.1, 0.4, 0.5, 0.6, 0.7, 0.9, 8.0])
    assert found.trials == 8
    assert found.mean == pytest.approx((0.4 + 0.5 + 0.6 + 0.7) / 4)
    assert 0.1 < found.low < found.mean < found.high < 8
    assert over_seeds([0.25, 0.25]) == (2, 0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sizes", "bits"), "--sizes 'bits': expected SETTING=VALUE,VALUE,... such as bits=32,64,512"),
        (("--sizes", "bits="), "--sizes 'bits=': expected SETTING=VALUE"),
        (("--sizes", "bit=3"), "unknown key; did you mean 'bits'?"),
        (("--sizes", "bits=3,4", "--thinking-steps", "0"), "--thinking-steps '0': expected integers >= 1"),
        (
            ("--sizes", "bits=3,4", "--thinking-steps", "5,6,7"),
            "--thinking-steps: 3 numbers for 2 sizes; expected one, or one for each",
        ),
        (("--sizes", "bits=3", "--exit-rule", "last"), "--exit-rule: needs --thinking-steps"),
        (
            ("--sizes", "bits=3", "--thinking-steps", "5", "--exit-rule", "lst"),
            "--exit-rule: unknown 'lst'; did you mean 'last'?",
        ),
    ],
)
def test_what_is_refused(sums, typed, options, message):
    code, _, error = typed("extrapolate", sums[0], *options)
    assert code != 0
    assert message in error


def test_one_budget_serves_all_sizes():
    assert parse_budgets("7", 2) == [7, 7]
    assert parse_budgets("7, 8", 2) == [7, 8]
    assert parse_budgets(None, 2) == [None, None]


def test_sizes_are_yaml():
    assert parse_sizes("span=[1, 2],{low: 3, high: 4}") == ("span", [[1, 2], {"low": 3, "high": 4}])
    with pytest.raises(ExperimentError, match="not valid YAML"):
        parse_sizes("span=[1")
