"""`--resume`: what a stored run goes on with, what it refuses, and further than it was to go."""

import csv
import json
import pickle
import shutil
from types import SimpleNamespace

import pytest

from engram.train.console.errors import ExperimentError
from engram.train.experiments.experiment import CheckpointSection
from engram.train.plans.changes import MAY_CHANGE, ResumedRun, allowed_changes, differences, shown
from engram.train.running.resume import new_episodes
from engram.train.runs.wholeness import write_checksums

STORED = {
    "name": "cue",
    "run": "PPO",
    "env": "CartPole-v1",
    "stop": {"timesteps_total": 20.0},
    "config": {"lr": 0.003, "seed": {"grid_search": [0, 1]}},
    "checkpoint_config": {"checkpoint_frequency": 4},
    "num_samples": 1,
    "storage_path": "/old",
    "max_failures": 0,
}


def asked(**changes):
    return STORED | {"storage_path": "/new"} | changes


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"stop": {"timesteps_total": 40}}, "stop.timesteps_total 20 -> 40"),
        (
            {"stop": {"training_iteration": 5.0}},
            "stop.timesteps_total 20 -> nothing, stop.training_iteration",
        ),
        ({"max_failures": 3}, "max_failures 0 -> 3"),
        (
            {"checkpoint_config": {"num_to_keep": 2}},
            "checkpoint_config.checkpoint_frequency 4 -> 0, checkpoint",
        ),
        ({"checkpoint_config": {"checkpoint_frequency": 4, "checkpoint_at_end": True}}, ""),
    ],
)
def test_what_may_change(tmp_path, changes, told):
    found = allowed_changes({"experiment": STORED}, asked(**changes), tmp_path)
    assert shown(found).startswith(told)
    assert bool(found) == bool(told)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"config": STORED["config"] | {"lr": 0.5}}, "config.lr 0.003 -> 0.5;"),
        ({"config": {"seed": {"grid_search": [0, 1]}}}, "config.lr 0.003 -> nothing;"),
        ({"config": STORED["config"] | {"gamma": 1}}, "config.gamma nothing -> 1;"),
        ({"config": {"lr": 0.003, "seed": 1}}, 'config.seed {"grid_search": [0, 1]} -> 1;'),
        ({"run": "APPO", "env": "X-v0"}, 'env "CartPole-v1" -> "X-v0", run "PPO" -> "APPO";'),
        ({"num_samples": 2}, "num_samples 1 -> 2;"),
        ({"restore": "/a/checkpoint"}, 'restore nothing -> "/a/checkpoint";'),
        (
            {"checkpoint_config": {"checkpoint_frequency": 4, "checkpoint_score_attribute": "x"}},
            'checkpoint_config.checkpoint_score_attribute nothing -> "x";',
        ),
    ],
)
def test_what_may_not_change_is_refused_with_both_values(tmp_path, changes, told):
    record = {"experiment": STORED, "command": "rllib train -f cue.yaml"}
    with pytest.raises(ExperimentError) as caught:
        allowed_changes(record, asked(**changes), tmp_path)
    start = f"--resume: {tmp_path} was started with other settings: {told}"
    assert str(caught.value).startswith(start)
    assert "it was started by: rllib train -f cue.yaml" in str(caught.value)
    assert str(caught.value).endswith(f"or start a new run from its weights with --restore {tmp_path}")


def test_a_run_that_was_restored_goes_on_without(tmp_path):
    record = {"experiment": STORED | {"restore": "/a/checkpoint"}}
    assert allowed_changes(record, asked(), tmp_path) == {}
    assert allowed_changes(record, asked(restore="elsewhere"), tmp_path) == {}


def test_what_may_change_exists():
    keys = {path.partition(".")[2] for path in MAY_CHANGE if path.startswith("checkpoint_config.")}
    assert keys < set(CheckpointSection.model_fields)


def test_differences():
    before = {"run": "PPO", "config": {"lr": 1, "model": {"a": 1}}, "x": None}
    now = {"run": "PPO", "config": {"lr": 2, "model": {"a": 1, "b": 2}}}
    assert differences(before, now) == {"config.lr": (1, 2), "config.model.b": (None, 2)}


@pytest.fixture
def moved(finished_run, tmp_path):
    """A copy of a finished run at another place: (experiment file, results folder)."""
    shutil.copytree(finished_run[1], tmp_path / "results" / "cue")
    return finished_run[0], tmp_path / "results"


def resume(typed, moved, *more):
    file, results = moved
    return typed("train", "-f", file, "--local-dir", results, "--resume", "--dry-run", *more)


def test_other_settings_are_refused_before_anything_starts(typed, moved):
    code, out, err = resume(typed, moved, "--set", "config.lr=0.5", "--seeds", 2)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "config.lr 0.003 -> 0.5, config.seed 1 -> " in err


@pytest.mark.parametrize("more", [(), ("--stop", "timesteps_total=400"), ("--set", "max_failures=3")])
def test_a_finished_run_has_nothing_to_go_on_with(typed, moved, more):
    code, out, err = resume(typed, moved, *more)
    assert (code, out) == (2, "")
    assert err == (
        f"error: --resume: every trial in {moved[1] / 'cue'} is finished; "
        "go further with a later --stop, or start anew\n"
    )


def test_the_header_shows_what_will_run(typed, moved):
    code, out, err = resume(typed, moved, "--stop", "timesteps_total=960", "--checkpoint-freq", 5)
    assert (code, err) == (0, "")
    assert "stop         timesteps_total >= 960\n" in out
    assert (
        "resuming     1 of 1 trials, with its stored settings; changed: "
        "checkpoint_config.checkpoint_frequency 2 -> 5, stop.timesteps_total 480 -> 960\n" in out
    )


@pytest.mark.parametrize("words", [("--stop", "timesteps_total=960"), ("--set", "stop.timesteps_total=960")])
def test_the_header_says_where_new_episodes_begin(typed, moved, words):
    """Of a checkpoint without lanes, and of one whose environments could not be saved."""
    (newest,) = (max(trial.glob("checkpoint_*")) for trial in (moved[1] / "cue").glob("RecurrentPPO_*"))
    file = newest / "algorithm_state.pkl"
    lost = {"under_way": {"lost": "it is locked"}}
    for kept, why in (({}, "the checkpoint holds none"), (lost, "it is locked")):
        state = pickle.loads(file.read_bytes())
        state.pop("under_way", None)
        file.write_bytes(pickle.dumps(state | kept))
        write_checksums(newest)
        code, out, err = resume(typed, moved, *words)
        assert (code, err) == (0, "")
        episodes = f"with its stored settings; new episodes begin: {why}; changed: stop.timesteps"
        assert episodes in out


def test_runners_in_other_processes_beginnew_episodes():
    plan = SimpleNamespace(config=SimpleNamespace(num_env_runners=2))
    assert new_episodes(plan, None, ["a"]) == "config.num_env_runners is 2"
    run = ResumedRun({}, 3, 4, {}, 1, "config.num_env_runners is 2")
    assert str(run) == (
        "3 of 4 trials, with its stored settings; 1 of them from the beginning: no checkpoint is saved; "
        "new episodes begin: config.num_env_runners is 2"
    )
    assert "episodes" not in str(ResumedRun({}, 1, 4, {}, 1, "config.num_env_runners is 2"))


def test_without_a_checkpoint_there_is_no_further(typed, moved):
    for checkpoint in moved[1].glob("cue/*/checkpoint_*"):
        (checkpoint / "algorithm_state.pkl").unlink()
    code, _, err = resume(typed, moved, "--stop", "timesteps_total=960")
    assert code == 2
    assert "finished, without a whole checkpoint to go on from" in err


def test_resume_takes_the_newest_run_or_the_named_one(typed, moved):
    _, results = moved
    shutil.copytree(results / "cue", results / "cue_2")
    record = json.loads((results / "cue_2" / "run.json").read_text())
    (results / "cue_2" / "run.json").write_text(json.dumps(record | {"name_in_file": "cue"}))
    further = ("--stop", "timesteps_total=960")
    for name, folder in ((None, "cue_2"), ("cue", "cue"), ("cue_2", "cue_2")):
        words = () if name is None else ("--experiment-name", name)
        code, out, _ = resume(typed, moved, *further, *words)
        assert code == 0
        assert f"results      {results / folder}\n" in out
    code, _, err = resume(typed, moved, *further, "--experiment-name", "cue_3")
    assert (code, err) == (2, f"error: --resume: nothing to resume in {results / 'cue_3'}\n")


@pytest.mark.parametrize("name", ["run.json", "experiment_state"])
def test_a_broken_record_is_named(typed, moved, name):
    (file,) = (moved[1] / "cue").glob(f"{name}*.json" if name == "experiment_state" else name)
    file.write_text("{")
    (moved[1] / "cue" / "experiment_state.kept").unlink()
    code, _, err = resume(typed, moved, "--stop", "timesteps_total=960")
    assert code == 2
    assert f"--resume: {file} is " in err


RESUME = ("--resume", "--stop", "timesteps_total=960")


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_state_that_tune_cannot_read_is_named_before_ray_starts(typed, moved, dry):
    """Tune would start all over, in the same folder."""
    (searcher,) = (moved[1] / "cue").glob("basic-variant-state-*.json")
    searcher.write_bytes(searcher.read_bytes()[:-1])
    code, _, err = typed("train", "-f", moved[0], "--local-dir", moved[1], *RESUME, *dry)
    assert code == 2
    assert err.startswith(f"error: --resume: {searcher} is broken: ")


def test_a_dry_run_reads_the_copy_of_a_broken_state_and_leaves_it_broken(typed, moved):
    (state,) = (moved[1] / "cue").glob("experiment_state-*.json")
    state.write_text("{")
    code, out, _ = resume(typed, moved, "--stop", "timesteps_total=960")
    assert code == 0
    assert "1 of 1 trials, with its stored settings" in out
    assert state.read_text() == "{"


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_state_of_another_version_is_named_before_ray_starts(typed, moved, dry):
    (searcher,) = (moved[1] / "cue").glob("basic-variant-state-*.json")
    content = searcher.read_bytes()
    searcher.write_bytes(content.replace(b"engram.train.running.trials", b"engram.train.runningtrials_"))
    assert searcher.read_bytes() != content
    record = moved[1] / "cue" / "run.json"
    now = json.loads(record.read_text())["versions"]["engram"]
    record.write_text(record.read_text().replace(f'"engram": "{now}"', '"engram": "0.1.0"'))
    code, _, err = typed("train", "-f", moved[0], "--local-dir", moved[1], *RESUME, *dry)
    assert code == 2
    assert err.startswith(f"error: --resume: {moved[1] / 'cue'}: saved by engram 0.1.0")
    assert f"; this is {now}, in which classes have other places: --restore CHECKPOINT starts" in err


def test_a_finished_run_goes_further(trained, moved):
    """Elsewhere than it was made, with a report and a row that a killed process had begun to write."""
    file, results = moved
    (trial,) = (results / "cue").glob("RecurrentPPO_*")
    for name in ("result.json", "progress.csv"):
        with (trial / name).open("a") as stream:
            stream.write('{"ha')
    done = trained(
        "-f", file, "--local-dir", results, "--resume", "--stop", "timesteps_total=960",
        "--checkpoint-freq", 3,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"results: {results / 'cue'}\n" in done.stdout
    steps = list(range(96, 961, 96))
    reports = [json.loads(line) for line in (trial / "result.json").read_text().splitlines()]
    assert [report["timesteps_total"] for report in reports] == steps
    assert [report["time_total_s"] for report in reports] == sorted(
        report["time_total_s"] for report in reports
    )
    with (trial / "progress.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["timesteps_total"]) for row in rows] == steps
    assert [float(row["time_total_s"]) for row in rows] == [report["time_total_s"] for report in reports]
    record = json.loads((results / "cue" / "run.json").read_text())
    assert record["experiment"]["stop"] == {"timesteps_total": 960.0}
    assert len(record["resumed"]) == 1
    again = json.loads((trial / "run.json").read_text())
    assert again["experiment"]["checkpoint_config"]["checkpoint_frequency"] == 3
    assert len(list(trial.glob("events.out.tfevents.*"))) == 2
