"""The picture of returns over env steps: which trials make up a line, what is drawn; on made-up runs."""

import csv
import json
import math

import numpy as np
import pytest
from made_up_runs import make_trial, report

from engram.memory.options import parse_options
from engram.train.console.errors import ExperimentError
from engram.train.pictures import canvas
from engram.train.pictures.curves import CurveOptions, curves
from engram.train.pictures.curves import draw as draw_curves


def found(*folders, **options):
    values = {"runs": [str(folder) for folder in folders], "points": 5, **options}
    return curves(parse_options(CurveOptions, values, "--options"))


def seeds(experiment, *series, **settings):
    """A trial for each list of returns; reports come every 1000 env steps."""
    return [
        make_trial(
            experiment, env_config={}, config={"seed": seed, **settings}, episode_return_mean=list(values)
        )
        for seed, values in enumerate(series)
    ]


def with_reports(folder, reports):
    (folder / "result.json").write_text("".join(json.dumps(each) + "\n" for each in reports))


def values_of(line):
    return [None if math.isnan(value) else round(float(value), 6) for value in line.mean]


def test_mean_and_band_over_seeds_on_a_common_grid(tmp_path):
    first, second = seeds(tmp_path / "lstm", [0, 1, 2, 3, 4], [2])
    reports = [report(step, False, {"episode_return_mean": 2.0}) for step in (1, 3, 5)]  # at other steps
    with_reports(second, reports)
    result = found(tmp_path / "lstm")
    (line,) = result.means
    assert (line.name, line.trials) == ("lstm", 2)
    assert list(line.steps) == [1000, 2000, 3000, 4000, 5000]
    assert values_of(line) == [1, 1.5, 2, 2.5, 3]
    assert list(line.low) == [0, 1, 2, 2, 2]
    assert list(line.high) == [2, 2, 2, 3, 4]
    assert first.name != second.name


def test_lines_are_told_apart_by_settings_and_experiments(tmp_path):
    seeds(tmp_path / "a" / "grid", [1, 1], [1, 1], lr=0.1)
    seeds(tmp_path / "a" / "grid", [2, 2], lr=0.01)
    seeds(tmp_path / "b" / "grid", [3, 3], lr=0.01)
    result = found(tmp_path / "a" / "grid", tmp_path / "b" / "grid")
    assert {line.name: line.trials for line in result.means} == {
        "a/grid lr=0.1": 2,
        "a/grid lr=0.01": 1,
        "b/grid": 1,
    }


def test_a_trial_a_run_named_twice_and_a_folder_without_runs(tmp_path):
    one, _ = seeds(tmp_path / "lstm", [1, 1], [2, 2])
    (tmp_path / "empty").mkdir()
    result = found(one, one, tmp_path / "empty")
    assert [(line.name, line.trials) for line in result.means] == [("lstm", 1)]
    assert result.notes == [
        f"left out: {tmp_path}/empty: no trial of `rllib train` in it; expected the folder of an "
        "experiment or a trial"
    ]
    assert found(tmp_path / "lstm", one).means[0].trials == 2
    with pytest.raises(ExperimentError, match="empty: no trial of"):
        found(tmp_path / "empty")


@pytest.mark.parametrize("nothing", [{}, {"episode_return_mean": math.nan}])
def test_a_report_without_finished_episodes_draws_nothing(tmp_path, nothing):
    (trial,) = seeds(tmp_path / "lstm", [0])
    early = report(1, False, {"num_episodes_in_window": 0, **nothing})
    with_reports(trial, [early, *(report(step, False, {"episode_return_mean": step}) for step in (2, 3))])
    (line,) = found(tmp_path / "lstm", points=3).means
    assert list(line.steps) == [2000, 2500, 3000]
    assert values_of(line) == [2, 2.5, 3]


def test_a_gap_is_not_drawn_over(tmp_path):
    (trial,) = seeds(tmp_path / "lstm", [0])
    values = [1.0, 1.0, math.nan, 2.0, 2.0]
    with_reports(
        trial, [report(step, False, {"episode_return_mean": v}) for step, v in enumerate(values, start=1)]
    )
    result = found(tmp_path / "lstm", points=9)
    (line,) = result.means
    assert values_of(line) == [1, 1, 1, None, None, None, 2, 2, 2]
    assert [row[2] for row in list(result.rows())[1:]] == [1000, 1500, 2000, 4000, 4500, 5000]


def test_what_is_not_in_every_report_is_joined(tmp_path):
    (trial,) = seeds(tmp_path / "lstm", [0])
    reports = [report(step, False, {}) for step in (1, 2, 3)]
    for index, value in ((0, 0.0), (2, 1.0)):
        reports[index]["evaluation"] = {"env_runners": {"episode_return_mean": value}}
    with_reports(trial, reports)
    result = found(tmp_path / "lstm", metric="evaluation", points=3)
    assert result.metric == "evaluation/env_runners/episode_return_mean"
    assert values_of(result.means[0]) == [0, 0.5, 1]


def test_a_line_ends_with_its_shortest_trial_and_says_so(tmp_path):
    seeds(tmp_path / "lstm", [1, 1, 1], [1, 1])
    result = found(tmp_path / "lstm")
    assert result.means[0].steps[-1] == 2000
    assert result.notes == [
        "note: lstm ends at 2,000 env steps, as its shortest trial; the longest has 3,000"
    ]


def test_bands(tmp_path):
    rng = np.random.default_rng(0)
    returns = rng.normal(size=40)
    seeds(tmp_path / "lstm", *[[float(value)] * 2 for value in returns])
    low, high = (getattr(found(tmp_path / "lstm", band="ci95").means[0], end)[0] for end in ("low", "high"))
    half = 1.96 * returns.std() / math.sqrt(40)
    assert low == pytest.approx(returns.mean() - half, abs=0.05)
    assert high == pytest.approx(returns.mean() + half, abs=0.05)
    (line,) = found(tmp_path / "lstm", band="none").means
    assert (line.low == line.mean).all()


def test_the_legend_says_how_many_and_what_the_band_is(tmp_path):
    seeds(tmp_path / "lstm", [1, 2], [2, 3])
    seeds(tmp_path / "gru", [1, 2])
    with canvas.style():
        (axes,) = draw_curves(found(tmp_path / "lstm", tmp_path / "gru")).axes
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["lstm, n = 2", "gru, n = 1", "min to max over trials"]
    assert axes.get_xlabel() == "env steps"
    assert len(axes.lines) == 2
    assert len(axes.collections) == 1  # one trial has no band


def test_a_metric_that_was_never_reported(tmp_path):
    seeds(tmp_path / "lstm", [1, 2])
    with pytest.raises(ExperimentError, match=r"--options.metric: never reported: unknown '.*/success_rate'"):
        found(tmp_path / "lstm", metric="success")
    with pytest.raises(ExperimentError, match="unknown 'retrun'; did you mean 'return'"):
        found(tmp_path / "lstm", metric="retrun")


def test_the_command(typed, tmp_path):
    seeds(tmp_path / "lstm", [1, 2], [2, 3])
    code, out, err = typed("picture", "curves", tmp_path / "lstm", "--options", "{points: 2}")
    assert (code, err) == (0, "")
    assert "| `lstm` | 2 | 2,000 | 2.5 | 2 to 3 | 2.5 | 2,000 |" in out
    assert out.endswith("written: curves.png, curves.csv\n")
    with (tmp_path / "curves.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0][:4] == ["line", "trials", "env_steps", "env_runners/episode_return_mean"]
    assert rows[1:] == [
        ["lstm", "2", "1000.0", "1.5", "1.0", "2.0"],
        ["lstm", "2", "2000.0", "2.5", "2.0", "3.0"],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["curves"], "--options.runs: expected a list of at least one text"),
        (["curves", "a", "--options", "{runs: [b]}"], "--options.runs: stands behind curves already (a)"),
        (["impulse-responses", "a"], "picture impulse-responses a: is drawn from its --options alone"),
        (["thoughts", "a", "b"], "picture thoughts b: expected one checkpoint, got 2"),
        (["delays", "none"], "--options.runs: "),
        (["accuracy-curves", "none.json"], "--options.files: none.json: cannot be read"),
        (["thoughts", "none"], "none: no such folder"),
        (["curve", "a"], "picture: unknown 'curve'; did you mean 'curves'?"),
    ],
)
def test_what_stands_behind_the_kind(typed, arguments, message):
    code, out, err = typed("picture", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
