"""Scores of Atari games: published ones, and improvements of made-up runs, computed by hand."""

import csv
import json

import pytest
from made_up_runs import make_trial

from engram.envs.atari.published import published_scores
from engram.memory.options import parse_options
from engram.train.console.errors import ExperimentError
from engram.train.pictures import canvas
from engram.train.pictures.scores import ScoreOptions, draw, scores

LSTM, RIMS = {"type": "lstm", "size": 512}, {"type": "rims", "num_active": 4}
PLAIN = {"repeat_action_probability": 0}


@pytest.fixture
def run(tmp_path):
    """Makes an experiment of one core: a trial for each score of each game."""

    def make(name, core, games, env_config=None, done=True, **settings):
        for game, values in games.items():
            for seed, value in enumerate(values):
                env = f"ALE/{game}-v5"
                model = {} if core is None else {"core": core}
                make_trial(
                    tmp_path / name,
                    env_config=PLAIN if env_config is None else env_config,
                    env=env,
                    done=done,
                    config={"env": f"ale_py:{env}", "seed": seed, "model": model, **settings},
                    episode_return_mean=[*[0.0] * 9, value],
                )
        return str(tmp_path / name)

    return make


@pytest.fixture
def two(run):
    """LSTM and RIMs in three games, of which LSTM scores 0 in one."""
    lstm = run("lstm", LSTM, {"Pong": [-10, -14], "Breakout": [100], "Venture": [0.0]})
    rims = run("rims", RIMS, {"Pong": [3.3], "Breakout": [40, 60], "Venture": [118.75]})
    return lstm, rims


def found(*runs, **options):
    return scores(parse_options(ScoreOptions, {"runs": list(runs), **options}, "--options"))


def test_published_scores_of_57_games():
    known = published_scores()
    assert len(known) == 57
    assert list(known) == sorted(known)
    assert known["Pong"] == (-20.7, 14.6)
    assert known["Skiing"] == (-17098.1, -4336.9)
    assert all(each.random < each.human for each in known.values())
    assert known["Boxing"].normalised(0.1) == 0
    assert known["Boxing"].normalised(24.1) == pytest.approx(2)


def test_games_are_called_as_in_ids():
    ale_py = pytest.importorskip("ale_py", reason="ale_py is missing: engram[atari]")
    import gymnasium

    gymnasium.register_envs(ale_py)
    assert all(f"ALE/{game}-v5" in gymnasium.registry for game in published_scores())


def test_both_readings_by_hand(two):
    """Pong: -12 to 3.3, people 14.6, at random -20.7. Breakout: 100 to 50, people 30.5, at random 1.7."""
    result = found(*two)
    games = {each.game: each for each in result.found}
    assert list(games) == ["Breakout", "Pong", "Venture"]
    pong, breakout, venture = games["Pong"], games["Breakout"], games["Venture"]
    assert (pong.core, pong.trials, pong.score, pong.baseline) == ("rims", 1, 3.3, -12)
    assert pong.over_baseline == pytest.approx(15.3 / 12)
    assert pong.over_better == pytest.approx(15.3 / 35.3)
    assert pong.normalised == pytest.approx(24 / 35.3)
    assert pong.baseline_normalised == pytest.approx(8.7 / 35.3)
    assert (breakout.trials, breakout.score) == (2, 50)
    assert breakout.over_baseline == -0.5
    assert breakout.over_better == pytest.approx(-50 / 98.3)
    assert (venture.over_baseline, venture.over_better) == (None, 0.1)
    assert result.notes == ["note: reading 1 is not defined where lstm scores 0: Venture"]


def test_the_table_says_which_reading_is_which(two):
    lines = found(*two).text().splitlines()
    assert lines[1:3] == [
        "reading 1: (score - lstm) / |lstm|",
        "reading 2: (score - lstm) / (max(human, lstm) - random)",
    ]
    assert lines[5:10] == [
        "| core | game | trials | score | lstm | reading 1 | reading 2 | of human | lstm's |",
        "|---|---|---|---|---|---|---|---|---|",
        "| `rims` | Pong | 1 | 3.3 | -12.0 | +127.5% | +43.3% | 68.0% | 24.6% |",
        "| `rims` | Venture | 1 | 118.8 | 0.0 | - | +10.0% | 10.0% | 0.0% |",
        "| `rims` | Breakout | 2 | 50.0 | 100.0 | -50.0% | -50.9% | 167.7% | 341.3% |",
    ]
    assert lines[11] == (
        "rims: better than lstm in 2 of 3 games; medians: reading 1 +38.8%, reading 2 +10.0%, of human 68.0% "
        "(lstm 24.6%)"
    )


def test_bars_are_sorted_and_numbers_lie_beside(two, typed, tmp_path):
    result = found(*two)
    with canvas.style():
        panels = draw(result).axes
    bars = [[bar.get_width() for bar in panel.patches] for panel in panels]
    assert bars[0] == pytest.approx([-0.5, 1.275])
    assert bars[1] == pytest.approx([-50 / 98.3, 0.1, 15.3 / 35.3])
    assert bars[2] == pytest.approx([0.1, 24 / 35.3, 48.3 / 28.8])
    assert [label.get_text() for label in panels[1].get_yticklabels()] == ["Breakout", "Venture", "Pong"]
    assert list(panels[2].lines[0].get_xdata()) == pytest.approx([0.0, 8.7 / 35.3, 98.3 / 28.8])
    code, out, _ = typed("picture", "scores", *two, "--out", str(tmp_path / "s.png"))
    assert code == 0
    assert out.splitlines()[-1] == f"written: {tmp_path / 's.png'}, {tmp_path / 's.csv'}"
    with (tmp_path / "s.csv").open() as file:
        rows = {row["game"]: row for row in csv.DictReader(file)}
    assert float(rows["Pong"]["improvement over max(human, lstm) - random"]) == pytest.approx(15.3 / 35.3)
    assert rows["Venture"]["improvement over |lstm|"] == ""
    assert (rows["Pong"]["random"], rows["Pong"]["human"]) == ("-20.7", "14.6")


def test_cores_of_one_type_are_told_apart_by_their_options(run):
    lstm = run("lstm", None, {"Pong": [0.0]})  # the core of an experiment that names none
    four = run("four", RIMS, {"Pong": [1.0]})
    five = run("five", RIMS | {"num_active": 5}, {"Pong": [2.0]})
    result = found(lstm, four, five)
    assert [(each.core, each.score) for each in result.found] == [
        ("rims num_active=4", 1.0),
        ("rims num_active=5", 2.0),
    ]
    (only,) = found(four, five, baseline="rims num_active=4").found
    assert (only.core, only.over_baseline) == ("rims num_active=5", 1.0)


def test_an_algorithm_without_a_core_stands_for_itself(run, tmp_path):
    lstm, stock = run("lstm", LSTM, {"Pong": [0.0]}), run("stock", None, {"Pong": [1.0]})
    record = tmp_path / "stock/trial_00/run.json"
    data = json.loads(record.read_text())
    data["experiment"]["run"] = "PPO"
    record.write_text(json.dumps(data))
    assert [each.core for each in found(lstm, stock).found] == ["PPO"]


def test_what_is_left_out_and_what_differs_is_said(run):
    sticky = {"repeat_action_probability": 0.25}
    lstm = run("lstm", LSTM, {"Pong": [1.0], "Alien": [5.0]}, lr=0.1)
    rims = run("rims", RIMS, {"Pong": [2.0, 4.0]}, env_config=sticky, lr=0.2)
    run("rims", RIMS, {"Pong": [9.0]}, env_config=sticky, done=False, lr=0.2)
    result = found(lstm, rims)
    assert [each.score for each in result.found] == [3.0]
    assert result.notes == [
        "left out: rims/trial_02: still running or stopped, at 10,000 env steps",
        "left out: Alien of lstm: no score of rims",
        "note: rims differs from lstm in env_config.repeat_action_probability, lr, too",
        "note: with sticky actions; published scores are without",
    ]


def test_settings_that_a_mean_mixes_are_named(run):
    lstm, slow = run("lstm", LSTM, {"Pong": [0.0]}), run("slow", RIMS, {"Pong": [1.0]}, lr=0.1)
    fast = run("fast", RIMS, {"Pong": [3.0]}, lr=0.2)
    result = found(lstm, slow, fast)
    assert [(each.score, each.trials) for each in result.found] == [(2.0, 2)]
    assert "note: trials of rims differ in lr; means mix them" in result.notes


@pytest.mark.parametrize(
    ("runs", "options", "line"),
    [
        (
            ["maze"],
            {},
            "--options.runs: maze/trial_00 plays engram/TMaze-v0, no Atari game; legal: ALE/Game-v5",
        ),
        (["odd"], {}, "--options.runs: no published score of what odd/trial_00 plays: unknown 'Pooyan'; "),
        (["lstm"], {}, "--options.runs: only lstm; expected another core's runs, too"),
        (
            ["lstm", "rims"],
            {"baseline": "gru"},
            "--options.baseline: unknown 'gru'; known: lstm, rims",
        ),
        (
            ["lstm", "rims"],
            {},
            "--options.runs: no game with two cores' scores; left out: Alien of rims: no score of lstm; "
            "left out: Pong of lstm: no score of rims",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_line(run, tmp_path, runs, options, line):
    make_trial(tmp_path / "maze", env_config={}, episode_return_mean=[1.0])
    run("odd", LSTM, {"Pooyan": [1.0]})
    run("lstm", LSTM, {"Pong": [1.0]})
    run("rims", RIMS, {"Alien": [1.0]})
    with pytest.raises(ExperimentError) as error:
        found(*(str(tmp_path / name) for name in runs), **options)
    assert error.value.lines[0].startswith(line)
    assert len(error.value.lines) == 1
