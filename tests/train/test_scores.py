"""Runs in numbers, on made-up reports."""

import json
import math

import pytest
from made_up_runs import make_trial

from engram.train.console.errors import ExperimentError
from engram.train.runs.results import read_trials
from engram.train.runs.scores import score, show_results


def only_score(experiment):
    (trial,) = read_trials(experiment)
    return score(trial, {})


def with_reports(folder, **changes):
    """Changes each report: name -> its values, one for each."""
    file = folder / "result.json"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for name, values in changes.items():
        for line, value in zip(lines, values, strict=True):
            if value is not None:
                line[name] = value
    file.write_text("\n".join(map(json.dumps, lines)))


def judged(value):
    return None if value is None else {"env_runners": {"episode_return_mean": value}}


def test_the_best_evaluation_counts_where_it_was_first_reported(tmp_path):
    folder = make_trial(
        tmp_path / "runs",
        env_config={},
        config={"seed": 3, "lr_epochs": {"size": 1500}},
        episode_return_mean=[0.1, 0.9, 0.6, 0.7],
    )
    evaluations = [judged(value) for value in (None, 0.5, 0.5, 0.4)]
    with_reports(folder, evaluation=evaluations, time_total_s=[900, 1800, 2700, 3600])
    found = only_score(tmp_path / "runs")
    assert (found.seed, found.training, found.validation, found.best) == (3, 0.7, 0.4, 0.5)
    assert (found.best_env_steps, found.best_epoch, found.env_steps) == (2000, 2, 4000)
    assert found.hours == 1.0
    assert found.hours_per_epoch == pytest.approx(1.0 * 1500 / 4000)
    assert found.unfinished == ""


def test_without_evaluations_the_best_of_training(tmp_path):
    make_trial(tmp_path / "runs", env_config={}, episode_return_mean=[0.1, 0.9, 0.6], done=False)
    found = only_score(tmp_path / "runs")
    assert (found.validation, found.best, found.best_env_steps) == (None, 0.9, 2000)
    assert (found.best_epoch, found.hours_per_epoch) == (None, None)
    assert found.unfinished == "still running or stopped, at 3,000 env steps"


def test_a_report_without_a_finished_episode_is_not_the_best(tmp_path):
    """What older versions told of episodes under way, and what today's tell: NaN."""
    returns = [-20.0, math.nan, -500.0, -480.0]
    make_trial(
        tmp_path / "runs", env_config={}, episode_return_mean=returns, num_episodes_in_window=[0, 0, 3, 9]
    )
    found = only_score(tmp_path / "runs")
    assert (found.training, found.best, found.best_env_steps) == (-480.0, -480.0, 4000)
    make_trial(tmp_path / "none", env_config={}, episode_return_mean=[-20.0], num_episodes_in_window=[0])
    found = only_score(tmp_path / "none")
    assert (found.training, found.best, found.best_env_steps) == (None, None, None)


def test_a_trial_that_has_not_reported(tmp_path):
    make_trial(tmp_path / "runs", env_config={}, done=False)
    found = only_score(tmp_path / "runs")
    assert (found.training, found.best, found.best_env_steps, found.hours) == (None, None, None, 0.0)


def test_a_line_for_each_trial_of_each_folder(tmp_path, capsys):
    for name, values in (("one", [0.25]), ("two", [0.125])):
        make_trial(tmp_path / name, env_config={}, episode_return_mean=values)
        make_trial(tmp_path / name, env_config={}, episode_return_mean=values, done=False)
    rows = show_results([str(tmp_path / "one"), str(tmp_path / "two")], as_json=True)
    assert [row["experiment"] for row in rows] == ["one", "one", "two", "two"]
    assert [row["trial"] for row in rows] == ["trial_00", "trial_01", "trial_00", "trial_01"]
    lines = capsys.readouterr().out.splitlines()
    numbers = ["0", "0.2500", "-", "0.2500", "1,000", "-", "-", "0.000"]
    assert [line.split() for line in lines[1:3]] == [["one", *numbers]] * 2
    assert lines[5] == "one/trial_01: still running or stopped, at 1,000 env steps"
    assert json.loads(lines[-1]) == rows


def test_what_tells_the_trials_of_an_experiment_apart(tmp_path, capsys):
    for bits, width in ((8, 4), (16, 4), (16, 2)):
        make_trial(
            tmp_path / "grid",
            env_config={"bits": bits, "split": "train"},
            config={"seed": bits, "model": {"core": {"width": width}}},
            episode_return_mean=[0.5],
        )
    rows = show_results([str(tmp_path / "grid")], as_json=False)
    assert [row["settings"] for row in rows] == [
        {"env_config.bits": 8, "model.core.width": 4},
        {"env_config.bits": 16, "model.core.width": 4},
        {"env_config.bits": 16, "model.core.width": 2},
    ]
    assert "grid bits=16 width=2" in capsys.readouterr().out


def test_what_is_no_experiment_is_passed_over(tmp_path, capsys):
    make_trial(tmp_path / "one", env_config={}, episode_return_mean=[0.25])
    (tmp_path / "stray").mkdir()
    folders = [str(tmp_path / name) for name in ("stray", "none", "one")]
    assert len(show_results(folders, as_json=False)) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"passed over: {folders[0]}: no trial of `rllib train` in it; "
        "expected the folder of an experiment or a trial",
        f"passed over: {folders[1]}: no such folder",
    ]
    with pytest.raises(ExperimentError, match=r"stray: no trial of .*; .*none: no such folder"):
        show_results(folders[:2], as_json=False)
