"""Transfer scores of made-up runs, whose areas are known in closed form."""

import csv
import json

import numpy as np
import pytest
from made_up_runs import TMAZE, make_trial

from engram.train.console.errors import ExperimentError
from engram.train.pictures.transfer_scores import area, interval, transfer_scores

SOURCE = "/results/short/RecurrentPPO_TMaze-v0_1a2b3_0000{}/checkpoint_000010"


def run(experiment, *series, source=None, env=TMAZE, env_config=None, core="lstm", **settings):
    """A trial for each list of returns, reported every 1,000 env steps; all start from `source`."""
    for seed, returns in enumerate(series):
        model = {"core": {"type": core}}
        if source is not None:
            model |= {"init_from": source, "init": {"heads": False}, "freeze": []}
        make_trial(
            experiment,
            env=env,
            env_config=env_config or {"limbo_time": 20},
            config={"seed": seed, "model": model, **settings},
            episode_return_mean=list(returns),
        )
    return str(experiment)


def scores(*runs, metric="return", floor=0.0):
    return transfer_scores(runs, metric, floor)


@pytest.mark.parametrize(
    ("steps", "values", "first", "last", "floor", "expected"),
    [
        ([0, 10], [0, 10], 0, 10, 0, 50),  # a triangle
        ([0, 10], [0, 10], 5, 10, 0, 37.5),  # the upper part of it
        ([0, 10], [0, 10], 2, 4, 0, 6),
        ([0, 4, 10], [2, 2, 8], 0, 10, 0, 38),  # a rectangle and a trapezoid
        ([0, 4, 10], [2, 2, 8], 1, 7, 0, 6 + 3 * 3.5),
        ([0, 10], [-1, 1], 0, 10, 0, 0),
        ([0, 10], [-1, 1], 0, 10, -1, 10),
        ([3, 5, 6, 11], [1, 1, 1, 1], 3, 11, 0.25, 6),
    ],
)
def test_areas(steps, values, first, last, floor, expected):
    assert area(np.array(steps, float), np.array(values, float), first, last, floor) == pytest.approx(
        expected
    )


def test_a_run_that_starts_high_against_one_that_rises(tmp_path):
    """From 0 to 4 over 4,000 steps: area 8,000; at 4 from the start: 16,000; at 1: 4,000."""
    scratch = run(tmp_path / "scratch", [0, 1, 2, 3, 4])
    good = run(tmp_path / "good", [4, 4, 4, 4, 4], [1, 1, 1, 1, 1], source=SOURCE.format(0))
    found = scores(good, scratch)
    assert [(each.area, each.baseline, each.score, each.seed) for each in found.scores] == [
        (16_000, 8_000, 2.0, 0),
        (4_000, 8_000, 0.5, 1),
    ]
    (first, _) = found.scores
    assert (first.run, first.first, first.last) == ("good", 1000, 5000)
    assert first.target == 'engram/TMaze-v0 {"limbo_time": 20}'
    (summary,) = found.summaries
    assert (summary.run, summary.source) == ("good", "short-00000")
    assert (summary.trials, summary.from_scratch, summary.mean) == (2, 1, 1.25)
    assert (summary.low, summary.high) == (0.5, 2.0)  # of two trials a quarter of all draws are one twice
    assert found.notes == []


def test_curves_are_compared_up_to_the_step_that_all_have(tmp_path):
    """The baseline is 1, then 3 (mean of two trials); what one trial has beyond that does not count."""
    scratch = run(tmp_path / "scratch", [1, 1, 1, 100], [3, 3, 3])
    better = run(tmp_path / "better", [4, 4, 4, 4, 900], source=SOURCE.format(0))
    (score,) = scores(scratch, better).scores
    assert (score.first, score.last, score.area, score.baseline, score.score) == (1000, 3000, 8000, 4000, 2.0)


def test_the_floor_is_what_counts_as_nothing(tmp_path):
    scratch = run(tmp_path / "scratch", [-1, 0, 1])
    better = run(tmp_path / "better", [1, 1, 1], source=SOURCE.format(0))
    with pytest.raises(
        ExperimentError, match=r"better's baseline has no area above 0 \(its mean is 0\); legal: "
    ):
        scores(scratch, better)
    assert scores(scratch, better, floor=-1.0).scores[0].score == 2.0


def test_the_floor_of_an_atari_game_is_what_random_actions_score(tmp_path):
    """1,598 in Krull and -18.6 in Double Dunk, as published; of anything else nothing is known."""
    runs = []
    for game, floor in (("Krull", 1598.0), ("DoubleDunk", -18.6)):
        settings = {"env": f"ale_py:ALE/{game}-v5", "env_config": {"repeat_action_probability": 0}}
        runs += [run(tmp_path / f"{game}_scratch", [floor + 1, floor + 1], **settings)]
        runs += [run(tmp_path / game, [floor + 3, floor + 3], source=SOURCE.format(0), **settings)]
    found = scores(*runs, floor="random")
    assert {each.run: each.score for each in found.scores} == pytest.approx({"Krull": 3.0, "DoubleDunk": 3.0})
    assert {each.run: each.floor for each in found.scores} == {"Krull": 1598.0, "DoubleDunk": -18.6}
    assert found.notes == []
    by_path = scores(*runs, floor="random", metric="env_runners/episode_return_mean")
    assert by_path.scores == found.scores
    assert scores(*runs[:2], floor="1598").scores[0].score == pytest.approx(3.0)
    mazes = [
        run(tmp_path / "scratch", [1, 1]),
        run(tmp_path / "better", [2, 2], source=SOURCE.format(0)),
    ]
    with pytest.raises(ExperimentError, match=r"--floor: better/trial_00 plays .*TMaze-v0, no Atari game"):
        scores(*mazes, floor="random")
    assert scores(*runs, *mazes, floor="random").notes == [
        "left out: --floor: better/trial_00 plays engram/TMaze-v0, no Atari game; legal: ALE/Game-v5"
    ]
    for floor in ("rndom", "nan", "inf"):
        with pytest.raises(ExperimentError, match=f"--floor: expected a number or random, got '{floor}'"):
            scores(*mazes, floor=floor)
    with pytest.raises(ExperimentError, match="--floor random: it is a return, not --metric success"):
        scores(*mazes, metric="success", floor="random")


def test_sticky_actions_beside_published_scores_are_noted(tmp_path):
    """ALE's ids have them where nothing is said."""
    scratch = run(tmp_path / "scratch", [1600, 1600], env="ALE/Krull-v5", env_config={"stack_num": 4})
    started = {"source": SOURCE.format(0), "env": "ALE/Krull-v5", "env_config": {"stack_num": 4}}
    better = run(tmp_path / "better", [1602, 1602], **started)
    assert scores(scratch, better, floor="random").notes == [
        "note: with sticky actions; published scores are without"
    ]
    assert scores(scratch, better, floor=1598).notes == []


def test_what_cannot_be_scored_is_left_out_and_said(tmp_path):
    """A trial that has not finished would cut all curves short; of two targets one has no area."""
    scratch = run(tmp_path / "scratch", [0, 1, 2, 3, 4])
    good = run(tmp_path / "good", [4, 4, 4, 4, 4], source=SOURCE.format(0))
    model = {"core": {"type": "lstm"}, "init_from": SOURCE.format(0)}
    stopped = {"config": {"model": model}, "done": False}
    make_trial(tmp_path / "good", env_config={"limbo_time": 20}, episode_return_mean=[9, 9], **stopped)
    below = run(tmp_path / "below", [-1, -1, -1], env_config={"limbo_time": 70})
    above = run(tmp_path / "above", [1, 1, 1], env_config={"limbo_time": 70}, source=SOURCE.format(0))
    found = scores(scratch, good, below, above)
    assert [(each.run, each.last, each.score) for each in found.scores] == [("good", 5000, 2.0)]
    assert found.notes == [
        "left out: good/trial_01: still running or stopped, at 2,000 env steps",
        "left out: the curve of above's baseline has no area above 0 (its mean is -1); legal: a lower "
        "--floor, such as a random policy's",
    ]


def test_one_experiment_over_sources_and_seeds(tmp_path):
    """As `init_from: {grid_search: [null, A, B]}` with seeds leaves it: scratch 2, A 3 and 5, B 1 and 1."""
    experiment = tmp_path / "grid"
    run(experiment, [2, 2], [2, 2])
    run(experiment, [3, 3], [5, 5], source=SOURCE.format(0))
    run(experiment, [1, 1], [1, 1], source=SOURCE.format(1))
    found = scores(str(experiment))
    by_source = {each.source: each for each in found.summaries}
    assert {name: (each.mean, each.trials) for name, each in by_source.items()} == {
        "short-00000": (2.0, 2),
        "short-00001": (0.5, 2),
    }
    assert (by_source["short-00000"].low, by_source["short-00000"].high) == (1.5, 2.5)
    assert (by_source["short-00001"].low, by_source["short-00001"].high) == (0.5, 0.5)


def test_each_target_and_core_has_its_own_baseline(tmp_path):
    for delay, height in ((20, 1), (70, 2)):
        settings = {"env_config": {"limbo_time": delay}}
        run(tmp_path / f"lstm_{delay}", [height, height], core="lstm", **settings)
        run(tmp_path / f"gru_{delay}", [4 * height, 4 * height], core="gru", **settings)
        run(tmp_path / f"lstm_from_{delay}", [4, 4], core="lstm", source=SOURCE.format(0), **settings)
        run(tmp_path / f"gru_from_{delay}", [4, 4], core="gru", source=SOURCE.format(0), **settings)
    found = scores(*(str(folder) for folder in sorted(tmp_path.iterdir())))
    assert {each.run: each.score for each in found.scores} == {
        "lstm_from_20": 4.0,
        "lstm_from_70": 2.0,
        "gru_from_20": 1.0,
        "gru_from_70": 0.5,
    }
    assert found.notes == []


def test_a_baseline_with_other_settings_is_named(tmp_path):
    scratch = run(tmp_path / "scratch", [1, 1], lr=0.01)
    other = run(tmp_path / "other", [1, 1], lr=0.001, source=SOURCE.format(0))
    assert scores(scratch, other).notes == ["note: other differs from scratch in lr, too"]


def test_intervals_cover_both_kinds_of_trials():
    assert interval(np.array([2.0]), np.array([1.0])) == (None, None)
    assert interval(np.array([2.0, 2.0]), np.array([1.0, -1.0])) == (None, None)
    assert interval(np.full(5, 3.0), np.full(4, 2.0)) == (1.5, 1.5)
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(100):  # areas around 3 and around 2: the score is 1.5
        low, high = interval(rng.normal(3, 0.3, 12), rng.normal(2, 0.2, 12))
        covered += low <= 1.5 <= high
    assert 85 <= covered <= 99


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["good"], "transfer: no trial from scratch (without init_from) in good"),
        (["scratch"], "transfer: no trial that starts from a checkpoint (init_from) in scratch"),
        (
            ["good", "far"],
            'transfer: good learns engram/TMaze-v0 {"limbo_time": 20}; from scratch there is only '
            'engram/TMaze-v0 {"limbo_time": 280}',
        ),
        (
            ["good", "slow", "fast"],
            'transfer: good: several runs from scratch learn engram/TMaze-v0 {"limbo_time": 20} (slow, '
            "fast); name one of them alone",
        ),
        (
            ["good", "one_report"],
            "transfer: good and its baseline have no env steps in common: one begins at 1,000, one ends at "
            "1,000",
        ),
        (["good", "scratch", "nowhere"], "nowhere: no such folder"),
        (
            ["good", "scratch", "--metric", "sucess"],
            "transfer: good/trial_00 never reported --metric: unknown 'sucess'; did you mean 'success'? ",
        ),
        (
            ["good", "scratch", "--out", "scores.txt"],
            "--out scores.txt: suffix: unknown '.txt'; known: .csv",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_line(tmp_path, typed, given, line):
    run(tmp_path / "good", [1, 2], source=SOURCE.format(0))
    run(tmp_path / "scratch", [1, 2])
    run(tmp_path / "far", [1, 2], env_config={"limbo_time": 280})
    run(tmp_path / "slow", [1, 2], lr=0.1)
    run(tmp_path / "fast", [1, 2], lr=0.2)
    run(tmp_path / "one_report", [1])
    code, _, err = typed("transfer", *given)
    assert code == 2
    assert err.replace(f"{tmp_path}/", "").startswith(f"error: {line}"), err
    assert err.count("\n") == 1


def test_the_verb_prints_and_writes(tmp_path, typed):
    scratch = run(tmp_path / "scratch", [0, 1, 2, 3, 4], [0, 1, 2, 3, 4])
    good = run(tmp_path / "good", [4, 4, 4, 4, 4], [1, 1, 1, 1, 1], source=SOURCE.format(0))
    code, out, _ = typed("transfer", scratch, good, "--out", "s.csv", "--out", "s.png", "--json")
    assert code == 0
    table, said, *written, last = out.splitlines()[1:]
    assert " ".join(table.split()) == "good short-00000 2 2 1,000 to 5,000 1.250 0.500 to 2.000 2.000, 0.500"
    assert said == "env_runners/episode_return_mean; more than 1 is positive transfer: 1 of 1"
    assert written == ["written: s.csv", "written: s.png"]
    result = json.loads(last)
    assert [each["score"] for each in result["scores"]] == [2.0, 0.5]
    assert result["summaries"][0]["mean"] == 1.25
    with (tmp_path / "s.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["seed"], row["score"]) for row in rows] == [
        ("good", "0", "2.0"),
        ("good", "1", "0.5"),
    ]
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
