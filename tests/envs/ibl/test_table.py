"""Trials as tables and as CSV."""

import numpy as np
import pytest

from engram.envs.ibl.batched import BatchedIBL
from engram.envs.ibl.bayes import LegacyActor
from engram.envs.ibl.play import COLUMNS, play_sessions
from engram.envs.ibl.rules import LEFT, RIGHT, WAIT
from engram.envs.ibl.table import IBL_COLUMNS, read_sessions, session_table, write_sessions

pandas = pytest.importorskip("pandas")
SHORT = {"blocks_per_session": 2, "min_block": 2, "max_block": 5}


class Scripted:
    """Waits, then answers left, in every trial; every third trial it waits to the end."""

    def act(self, observations, resets, infos):
        waits = (infos["n_obs"] < 3) | (infos["trial"] % 3 == 2)
        return np.where(waits, WAIT, LEFT)


def test_rows_are_trials():
    envs = BatchedIBL(3, **SHORT)
    envs.reset(seed=5)
    drawn = [envs.hidden_choices(lane) for lane in range(3)]
    trials = play_sessions(Scripted(), envs, 3, seed=5)
    table = session_table(trials)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == sum(len(each["sides"]) for each in drawn)
    for session, rows in table.groupby("session"):
        expected = drawn[session]
        assert rows["trial"].tolist() == list(range(len(expected["sides"])))
        assert rows["side"].tolist() == expected["sides"]
        assert rows["mu"].tolist() == expected["mus"]
        assert rows.groupby("block").size().tolist() == expected["blocks"]
    late = table["trial"] % 3 == 2
    assert (table["timeout"] == late).all()
    assert (table["acted"] == ~late).all()
    assert (table["response"] == np.where(late, 0, -1)).all()
    assert (table["n_obs"] == np.where(late, 10, 3)).all()
    assert (table["steps"] == table["n_obs"] + 2).all()
    assert (table["correct"] == (~late & (table["side"] < 0))).all()
    waits = -0.05 * (table["n_obs"] - 1)
    assert table["reward"].to_numpy() == pytest.approx(waits + np.where(table["correct"], 1, -1))


@pytest.mark.parametrize("preset", ["code", "paper", "mouse"])
def test_rewards_of_trials_are_the_return(preset):
    envs = BatchedIBL(2, preset, **SHORT)
    player, total = LegacyActor(2, envs.rules), 0.0
    trials = play_sessions(player, envs, 2, seed=2)
    envs.reset(seed=2)
    again, resets = LegacyActor(2, envs.rules), np.ones(2, bool)
    observations, infos = envs.reset(seed=2)
    going = np.ones(2, bool)
    while going.any():
        observations, rewards, over, _, infos = envs.step(again.act(observations, resets, infos))
        total += rewards[going].sum()
        going &= ~over
        resets = over
    assert trials["reward"].sum() == pytest.approx(total)


def test_lanes_share_the_sessions():
    envs = BatchedIBL(2, **SHORT)
    trials = play_sessions(Scripted(), envs, 5, seed=0)
    assert sorted(set(trials["session"])) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"^sessions: 0 is too small"):
        play_sessions(Scripted(), envs, 0)
    with pytest.raises(ValueError, match=r"^envs: lanes have to begin anew in the step that ends a session"):
        play_sessions(Scripted(), BatchedIBL(2, autoreset_mode="NextStep"), 1)


@pytest.mark.parametrize("preset", ["code", "mouse"])
def test_there_and_back(tmp_path, preset):
    """Strengths become contrasts where they have them; what the file does not say is left out."""
    envs, file = (
        BatchedIBL(2, preset, **SHORT, **({"unbiased_trials": 4} if preset == "mouse" else {})),
        "s.csv",
    )
    table = session_table(play_sessions(LegacyActor(2, envs.rules), envs, 4, seed=1))
    write_sessions(table, tmp_path / file)
    written = pandas.read_csv(tmp_path / file)
    assert tuple(written.columns) == IBL_COLUMNS
    assert set(written["stim_probability_left"]) <= {0.2, 0.5, 0.8}
    assert set(written["position"]) == {-35.0, 35.0}
    legal = {0, 0.0625, 0.125, 0.25, 1} if preset == "mouse" else set(envs.rules.strengths)
    assert set(written["contrast"]) <= legal
    assert (written["trial_correct"] == table["correct"]).all()
    back = read_sessions(tmp_path / file)
    for name in back.columns:
        assert np.array_equal(back[name], table[name].astype(back[name].dtype)), name


def test_contrasts_of_ones_own(tmp_path):
    envs = BatchedIBL(1, **SHORT)
    table = session_table(play_sessions(LegacyActor(1, envs.rules), envs, 1))
    own = {strength: strength / 10 for strength in envs.rules.strengths}
    write_sessions(table, tmp_path / "s.csv", contrasts=own)
    assert read_sessions(tmp_path / "s.csv", contrasts=own)["mu"].tolist() == table["mu"].tolist()
    with pytest.raises(ValueError, match=r"^contrasts\.mu: unknown '[0-9.]+'.*known: 7"):
        write_sessions(table, tmp_path / "s.csv", contrasts={7.0: 1.0})


MOUSE = {
    "session_num": [1, 1, 2],
    "trial_num": [1, 2, 1],
    "stim_probability_left": [0.5, 0.8, 0.2],
    "contrast": [1.0, 0.125, 0.0],
    "position": [-35, 35, 35],
    "response_choice": [-1, -1, 1],
    "trial_correct": [True, False, True],
    "reaction_time": [0.31, 0.52, 1.7],
}


def written(path, **changes):
    columns = {name: values for name, values in ({**MOUSE, **changes}).items() if values is not None}
    pandas.DataFrame(columns).to_csv(path, index=False)
    return path


def test_a_mouse(tmp_path):
    table = read_sessions(written(tmp_path / "m.csv", lab=["a", "b", "c"]))
    assert table["block_side"].tolist() == [0, -1, 1]
    assert table["block"].tolist() == [0, 1, 0]
    assert table["mu"].tolist() == [1.5, 0.75, 0.0]
    assert table["signed_contrast"].tolist() == [-1.5, 0.75, 0.0]
    assert table["concordant"].tolist() == [False, False, True]
    assert table["correct"].tolist() == [True, False, True]
    assert "lab" not in table


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contrast": None}, "no column contrast; it has session_num, trial_num"),
        ({"contrast": None, "position": None}, "no column contrast, position; it has"),
        ({"position": [1, 0, 1]}, r"position, row 2: 0\.0 is not legal; legal: below 0 left, above 0 right"),
        ({"contrast": [1, "high", 0]}, "contrast, row 2: 'high' is not legal; legal: numbers"),
        ({"response_choice": [1, 2, 1]}, r"response_choice, row 2: 2\.0 is not legal; legal: -1 left, 1 r"),
        ({"reaction_time": [0.3, -1, 2]}, r"reaction_time, row 2: -1\.0 is not legal; legal: >= 0"),
        ({"trial_num": [1, 1.5, 1]}, r"trial_num, row 2: 1\.5 is not legal; legal: whole numbers >= 1"),
        ({"trial_num": [0, 1, 2]}, r"trial_num, row 1: 0\.0 is not legal"),
        ({"session_num": [1, 2, 1]}, r"session_num, row 3: 1\.0 is not legal; legal: .* session together"),
        ({"session_num": ["a", 2, 1]}, "session_num, row 1: 'a' is not legal; legal: numbers"),
        (
            {"trial_correct": [True, True, True]},
            r"trial_correct, row 2: 1\.0 is not legal; .* on the same side",
        ),
        ({name: [] for name in MOUSE}, "holds no trials; legal: one row each"),
        ({"stim_probability_left": [80, 80, 20]}, r"stim_probability_left, row 1: 80\.0 is not legal"),
    ],
)
def test_a_file_that_is_not_right_is_one_line(tmp_path, changes, message):
    file = written(tmp_path / "m.csv", **changes)
    with pytest.raises(ValueError, match=f"m.csv: {message}") as caught:
        read_sessions(file)
    assert "\n" not in str(caught.value)


def test_a_single_trial(tmp_path):
    table = read_sessions(written(tmp_path / "m.csv", **{name: each[:1] for name, each in MOUSE.items()}))
    assert table[["session", "trial", "block", "trial_in_block"]].to_numpy().tolist() == [[0, 0, 0, 0]]


def test_what_is_no_csv(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ValueError, match=r"empty\.csv: is no table of comma-separated values: No columns"):
        read_sessions(tmp_path / "empty.csv")
    with pytest.raises(FileNotFoundError):
        read_sessions(tmp_path / "none.csv")


def test_a_right_answer_is_a_response_to_the_right():
    class Right:
        def act(self, observations, resets, infos):
            return np.full(1, RIGHT)

    trials = play_sessions(Right(), BatchedIBL(1, **SHORT), 1)
    assert set(trials["response"]) == {1}
