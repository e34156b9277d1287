"""The picture of runs over a delay: what counts, what is left out, what is drawn; on made-up runs."""

import json

import pytest
from made_up_runs import make_trial, report

from engram.memory.options import parse_options
from engram.train.console.errors import ExperimentError
from engram.train.pictures import canvas, draw
from engram.train.pictures.delay_scores import value_at
from engram.train.pictures.delays import DelayOptions, scores
from engram.train.pictures.delays import draw as draw_scores
from engram.train.runs.results import read_reports, read_trials


@pytest.fixture
def runs(tmp_path):
    """Makes the trials of an experiment: delay, seed, success."""

    def make(name, *trials):
        for delay, seed, success in trials:
            make_trial(
                tmp_path / name,
                env_config={"limbo_time": delay, "level": [0, 1]},
                config={"seed": seed},
                success_rate=[success],
                episode_return_mean=[-success],
            )
        return str(tmp_path / name)

    return make


def found(*folders, **options):
    values = {"runs": [str(folder) for folder in folders], **options}
    return scores(parse_options(DelayOptions, values, "--options"))


def drawn(result):
    """The axes of the picture."""
    with canvas.style():
        (axes,) = draw_scores(result).axes
    return axes


def test_means_over_seeds_for_each_experiment_and_delay(runs):
    lstm = runs("lstm", (70, 0, 0.5), (20, 0, 1.0), (20, 1, 0.75), (70, 1, 0.25))
    gru = runs("gru", (20, 0, 0.5), (140, 0, 0.0))
    result = found(lstm, gru)
    assert result.setting == "env_config.limbo_time"
    assert result.metric == "success_rate"
    assert result.by_experiment() == {
        "lstm": {20: [1.0, 0.75], 70: [0.5, 0.25]},
        "gru": {20: [0.5], 140: [0.0]},
    }
    assert result.text().splitlines()[2:] == [
        "| experiment | trials | 20 | 70 | 140 |",
        "|---|---|---|---|---|",
        "| `lstm` | 2 | 0.88 | 0.38 | - |",
        "| `gru` | 1 | 0.50 | - | 0.00 |",
    ]
    assert list(result.rows())[:2] == [
        ("experiment", "env_config.limbo_time", "seed", "success_rate", "reports", "trial"),
        ("lstm", 70, 0, 0.5, 1, "lstm/trial_00"),
    ]


def test_a_run_that_is_named_twice_counts_once(runs):
    lstm = runs("lstm", (20, 0, 1.0), (70, 0, 0.5))
    assert len(found(lstm, f"{lstm}/../lstm").scores) == 2


@pytest.mark.parametrize(
    ("values", "mean", "count"),
    [
        ([0.2], 0.2, 1),
        ([9.0] * 9 + [0.4], 0.4, 1),
        ([9.0] * 9 + [0.4, 0.6], 0.5, 2),
        ([9.0] * 18 + [0.4, 0.6], 0.5, 2),
        ([9.0] * 27 + [0.1, 0.2, 0.6], 0.3, 3),
    ],
)
def test_the_last_tenth_of_the_reports_counts(values, mean, count, tmp_path):
    make_trial(tmp_path / "run", env_config={"limbo_time": 3}, success_rate=values)
    (score,) = found(tmp_path / "run", delay="env_config.limbo_time").scores
    assert score.value == pytest.approx(mean)
    assert score.reports == count


def test_reports_without_a_number_or_an_ended_episode_do_not_count(tmp_path):
    returns = [*[0.0] * 27, float("nan"), 0.7, 9.0]
    trial = make_trial(tmp_path / "run", env_config={"limbo_time": 3}, episode_return_mean=returns)
    lines = (trial / "result.json").read_text().splitlines()
    lines[-1] = lines[-1].replace('"num_episodes_in_window": 9', '"num_episodes_in_window": 0')
    (trial / "result.json").write_text("\n".join(lines))
    (score,) = found(tmp_path / "run", delay="env_config.limbo_time").scores
    assert (score.value, score.reports) == (0.7, 1)


def test_a_delay_drawn_per_episode_takes_the_groups(tmp_path, runs):
    groups = {
        "20": {"success_rate": [0.0, 1.0]},
        "280": {"success_rate": [0.0, 0.5]},
    }
    make_trial(
        tmp_path / "drawn", env_config={"limbo_time": [20, 280]}, groups=groups, success_rate=[0.0, 0.75]
    )
    result = found(tmp_path / "drawn", runs("lstm", (20, 0, 0.25), (70, 0, 0.0)))
    assert result.by_experiment() == {"drawn": {20: [1.0], 280: [0.5]}, "lstm": {20: [0.25], 70: [0.0]}}


def test_a_delay_drawn_from_one_value_is_that_value(tmp_path):
    make_trial(
        tmp_path / "run",
        env_config={"limbo_time": [20]},
        groups={"4": {"success_rate": [0.0]}},  # by level
        success_rate=[1.0],
    )
    (score,) = found(tmp_path / "run", delay="env_config.limbo_time").scores
    assert (score.delay, score.value) == (20, 1.0)


def test_a_drawn_delay_by_which_results_are_not_split_is_left_out(tmp_path, runs):
    drawn = tmp_path / "drawn"
    make_trial(
        drawn, env_config={"limbo_time": [20, 70]}, groups={"20": {"success_rate": [1]}}, success_rate=[1.0]
    )
    result = found(drawn, delay="config.env_config.limbo_time")
    assert [(score.delay, score.value) for score in result.scores] == [(20, 1.0)]
    assert result.left_out == [
        "left out: drawn/trial_00: no env_runners/groups/70/success_rate in its last reports"
    ]


def test_trials_that_have_not_finished_are_left_out_and_named(tmp_path, runs):
    folder = runs("run", (20, 0, 1.0))
    running = make_trial(tmp_path / "run", env_config={"limbo_time": 70}, done=False, success_rate=[0.5, 0.6])
    with (running / "result.json").open("a") as file:
        file.write('{"training_iteration": 3, "don')
    failed = make_trial(tmp_path / "run", env_config={"limbo_time": 140}, done=False, success_rate=[0.5])
    (failed / "error.txt").write_text("Traceback (most recent call last):\nValueError: no way\n")
    make_trial(tmp_path / "run", env_config={"limbo_time": 280})
    result = found(folder)
    assert [score.delay for score in result.scores] == [20]
    assert result.left_out == [
        "left out: run/trial_01: still running or stopped, at 2,000 env steps",
        "left out: run/trial_02: failed: ValueError: no way",
        "left out: run/trial_03: no report: still in its first iteration, or stopped before it had ended",
    ]
    assert result.text().splitlines()[-3:] == result.left_out
    assert "3 left out" in drawn(result).get_title(loc="left")


def test_a_trial_that_failed_and_was_resumed_to_its_end_has_finished(tmp_path):
    folder = make_trial(tmp_path / "run", env_config={}, success_rate=[1.0])
    (folder / "error.txt").write_text("ValueError: once")
    (trial,) = read_trials(tmp_path / "run")
    assert trial.unfinished() == ""


def test_reports_made_twice_count_once(tmp_path):
    lines = [report(iteration, False, {"run": run}) for iteration, run in ((1, 1), (2, 1), (3, 1), (2, 2))]
    (tmp_path / "result.json").write_text("\n".join(map(json.dumps, lines)))
    kept = [(line["training_iteration"], line["env_runners"]["run"]) for line in read_reports(tmp_path)]
    assert kept == [(1, 1), (2, 2)]


def test_the_return_where_successes_tell_nothing(tmp_path):
    for name, env, metrics in (
        ("catch", "engram.envs:engram/CuedCatch-v0", {"success_rate": [0.0], "episode_return_mean": [59.5]}),
        ("other", "CartPole-v1", {"episode_return_mean": [59.5]}),
    ):
        make_trial(tmp_path / name, env_config={"reward_free_trials": 40}, env=env, **metrics)
        result = found(tmp_path / name, delay="env_config.reward_free_trials")
        assert (result.metric, result.scores[0].value) == ("episode_return_mean", 59.5)
        assert result.axis_label == "reward_free_trials (trials)"
    forced = found(tmp_path / "catch", delay="env_config.reward_free_trials", metric="success_rate")
    assert forced.scores[0].value == 0.0


def test_a_delay_between_experiments_is_found_and_any_setting_can_be_named(tmp_path, runs):
    one, other = runs("one", (20, 0, 1.0)), runs("other", (70, 0, 0.5))
    assert found(one, other).by_experiment() == {"one": {20: [1.0]}, "other": {70: [0.5]}}
    for steps in (3, 20):
        make_trial(
            tmp_path / "window",
            env_config={"limbo_time": 20},
            config={"model": {"core": {"bptt_steps": steps}}},
            success_rate=[1.0],
        )
    result = found(tmp_path / "window", delay="model.core.bptt_steps")
    assert result.delays == [3, 20]
    assert result.axis_label == "bptt_steps (env steps)"


def test_means_over_other_settings_are_noted(tmp_path):
    for index, delay in enumerate((20, 70)):
        make_trial(
            tmp_path / "run",
            env_config={"limbo_time": delay},
            config={"seed": index, "lr": index, "model": {"core": {"size": index}}},
            success_rate=[1.0],
        )
    assert found(tmp_path / "run").notes == [
        "note: trials of run also differ in lr, model.core.size; means mix them"
    ]


def test_references():
    falling = ((0.0, 100.0), (40.0, 60.0))
    assert [value_at(falling, delay) for delay in (0, 5, 40, 41)] == [100, 95, 60, None]
    assert value_at(0.5, 7) == 0.5


def test_what_is_drawn(runs):
    result = found(
        runs("lstm", (0, 0, 1.0), (0, 1, 0.5), (40, 0, 0.25)), chance=0.5, best=[[0, 1], [20, 0.75]]
    )
    assert result.text().splitlines()[-2:] == [
        "| best possible |  | 1.00 | - |",
        "| chance |  | 0.50 | 0.50 |",
    ]
    axes = drawn(result)
    lines = {line.get_label(): [list(values) for values in line.get_data()] for line in axes.lines}
    assert lines["lstm"] == [[0, 40], [0.75, 0.25]]
    assert lines["best possible"] == [[0, 20], [1, 0.75]]
    assert lines["chance"][1] == [0.5, 0.5]
    assert axes.collections[0].get_offsets().tolist() == [[0, 1.0], [0, 0.5], [40, 0.25]]
    assert axes.get_xlabel() == "limbo_time (env steps)"
    assert axes.get_ylabel() == "share of successes"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "--options.runs: expected a list of at least one text, got ()"),
        ({"runs": "run"}, "--options.runs: expected a list of at least one text, got 'run'"),
        ({"runs": ["none"]}, "--options.runs: {here}/none: no such folder"),
        (
            {"runs": ["."]},
            "--options.runs: {here}: no trial of `rllib train` in it; expected",
        ),
        (
            {"runs": ["going"]},
            "--options.runs: no finished trial has a score; left out: going/trial_00: ",
        ),
        (
            {"runs": ["same"]},
            "--options.delay: the trials do not differ in any number of env_config; "
            "known: env_config.level, env_config.limbo_time",
        ),
        (
            {"runs": ["two"]},
            "--options.delay: trials differ in several settings; "
            "name one: env_config.limbo_time, env_config.timeout_frames",
        ),
        (
            {"runs": ["two"], "delay": "env_config.limbo_tim"},
            "--options.delay: two/trial_00: unknown 'env_config.limbo_tim'; "
            "did you mean 'env_config.limbo_time'? known: env_config.limbo_time, env_config.timeout_frames",
        ),
        (
            {"runs": ["two"], "delay": "env_config"},
            "--options.delay: env_config of two/trial_00: expected a number, or several, got {{",
        ),
        ({"runs": ["two"], "metric": "returns"}, "--options.metric: unknown 'returns'; "),
        ({"runs": ["two"], "best": "1"}, "--options.best: expected a number, or points [[x, number], "),
        ({"runs": ["two"], "best": True}, "--options.best: expected a number, or points"),
        ({"runs": ["two"], "best": [[0, 1]]}, "--options.best: expected a number, or points"),
        ({"runs": ["two"], "chance": [[0, 1, 2], [3, 4]]}, "--options.chance: expected a number, or points"),
        ({"runs": ["two"], "chance": [[5, 1], [5, 2]]}, "--options.chance: expected points with rising x"),
    ],
)
def test_errors(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_trial(tmp_path / "going", env_config={"limbo_time": 20}, done=False, success_rate=[0.5])
    make_trial(tmp_path / "going", env_config={"limbo_time": 70}, done=False)
    for seed in range(2):
        level = {"level": [0, 1], "limbo_time": 20, "cue_after_teleport": bool(seed)}
        make_trial(tmp_path / "same", env_config=level, success_rate=[0.5])
        times = {"limbo_time": 20 + seed, "timeout_frames": 100 + seed}
        make_trial(tmp_path / "two", env_config=times, success_rate=[0.5])
    with pytest.raises(ExperimentError) as raised:
        draw("delays", options, tmp_path / "a.png")
    assert str(raised.value).startswith(message.format(here=tmp_path))
    assert not list(tmp_path.glob("a.*"))


def test_the_command(typed, runs, tmp_path):
    folder = runs("lstm", (20, 0, 1.0), (70, None, 0.5))
    code, out, err = typed("picture", "delays", "--options", f"{{runs: [{folder}], chance: 0.5}}")
    assert (code, err) == (0, "")
    assert out == (
        "success_rate by limbo_time (env steps): "
        "means over trials, each over the last tenth of its reports\n\n"
        "| experiment | trials | 20 | 70 |\n|---|---|---|---|\n| `lstm` | 1 | 1.00 | 0.50 |\n"
        "| chance |  | 0.50 | 0.50 |\n\nwritten: delays.png, delays.csv\n"
    )
    assert (tmp_path / "delays.csv").read_text().splitlines() == [
        "experiment,env_config.limbo_time,seed,success_rate,reports,trial",
        "lstm,20,0,1.0,1,lstm/trial_00",
        "lstm,70,,0.5,1,lstm/trial_01",
    ]
    assert (tmp_path / "delays.png").stat().st_size > 1000


def test_a_table_that_cannot_be_written(typed, runs, tmp_path):
    folder = runs("lstm", (20, 0, 1.0), (70, 0, 0.5))
    (tmp_path / "delays.csv").mkdir()
    code, _, err = typed("picture", "delays", "--options", f"{{runs: [{folder}]}}")
    assert code == 2
    assert err.startswith("error: --out delays.csv: is a folder, expected a file")
