"""Every verb speaks alike: whole lines in a pipe, and one last line of strict JSON."""

import json

import pytest
import typer
from made_up_ibl import make_two_unit_checkpoint
from made_up_runs import make_population, make_trial
from made_up_thinkers import SUMS, make_checkpoint, make_evaluation

from engram.train import cli
from engram.train.console import screen

SUBJECTS = {
    "train": ("--run", "PPO", "--env", "CartPole-v1", "--dry-run"),
    "evaluate": ("sums", "--episodes", "3"),
    "analyze": ("two_units", "--blocks", "10", "--only", "components"),
    "export": ("sums", "--out", "policy.safetensors"),
    "play": (),
    "probe-core": ("low_pass", "--steps", "20", "--options", "{pools: 2}"),
    "probe-thinking": ("sums", "--problems", "3"),
    "compare-thinking": ("evaluations/one.json", "evaluations/one.json"),
    "extrapolate": ("sums", "--sizes", "bits=1,2", "--episodes", "3"),
    "results": ("runs",),
    "transfer": ("transferred",),
    "schedule": ("population",),
    "picture": ("exits", "evaluations/one.json", "--options", "{rule: last}"),
    "list": ("configs",),
    "describe": ("core", "low_pass"),
    "schema": (),
    "version": (),
}
"""What each verb is given; a new verb needs a row."""

MORE = {"evaluate, thinking": ("evaluate", *SUBJECTS["evaluate"], "--thinking-steps", "3")}
COMMANDS = typer.main.get_command(cli.app).commands
LINES = {verb: (verb, *SUBJECTS[verb]) for verb in COMMANDS if verb != "play"} | MORE


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make_checkpoint(folder / "sums", SUMS, {"bits": 3})
    make_two_unit_checkpoint(folder / "two_units")
    make_evaluation(folder / "evaluations/one.json", [True, False])
    for lr in (float("inf"), 0.1):
        make_trial(folder / "runs", env_config={}, config={"lr": lr}, episode_return_mean=[0.5])
    make_population(folder / "population")
    for source in (None, "/runs/source/trial/checkpoint_000003"):
        settings = {"model": {"init_from": source}}
        make_trial(folder / "transferred", env_config={}, config=settings, episode_return_mean=[1.0, 2.0])
    return folder


def test_every_verb_is_tested():
    assert SUBJECTS.keys() == COMMANDS.keys() == set(cli.VERBS)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_no_line_is_wrapped_in_a_pipe(typed, made, monkeypatch, line):
    monkeypatch.chdir(made)
    printed = []
    for columns in (20, 300):
        monkeypatch.setenv("COLUMNS", str(columns))
        code, out, _ = typed(*line)
        assert code == 0
        printed.append(out)
    assert printed[0] == printed[1]
    assert max(map(len, printed[0].splitlines())) > 20, "this test cannot tell whether lines are wrapped"


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_json_is_one_last_strict_line(typed, made, monkeypatch, line):
    monkeypatch.chdir(made)
    code, out, err = typed(*line, "--json")
    if not any("--json" in option.opts for option in COMMANDS[line[0]].params):
        assert (code, err[:26]) == (2, "error: No such option: --j")
        return
    assert code == 0
    *_, last = out.splitlines()
    assert json.loads(last, parse_constant=refuse)


def test_what_is_no_number_is_null(typed, made, monkeypatch):
    monkeypatch.chdir(made)
    _, out, _ = typed("results", "runs", "--json")
    assert [row["settings"]["lr"] for row in json.loads(out.splitlines()[-1])] == [None, 0.1]
    assert screen.to_json({"a": [float("nan"), 1.5], "b": -float("inf")}) == '{"a": [null, 1.5], "b": null}'


@pytest.mark.parametrize("verb", ["evaluate", "probe-thinking", "extrapolate"])
def test_out_is_strict_json(typed, made, monkeypatch, tmp_path, verb):
    monkeypatch.chdir(made)
    thinking = ("--thinking-steps", "3") if verb == "evaluate" else ()
    code, out, _ = typed(verb, *SUBJECTS[verb], *thinking, "--out", tmp_path / "out.json")
    assert (code, out.splitlines()[-1]) == (0, f"written: {tmp_path / 'out.json'}")
    assert json.loads((tmp_path / "out.json").read_text(), parse_constant=refuse)
