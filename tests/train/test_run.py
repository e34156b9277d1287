"""Training for real, in a process of its own: Ctrl-C, kill -9, resume, evaluate."""

import contextlib
import csv
import itertools
import json
import math
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from rllib_process import command, environment, heed_ctrl_c

from engram.train.plans.plan import make_plan
from engram.train.running.command import TrainRequest, read_request
from engram.train.runs import checkpoints
from engram.train.runs.results import read_trials
from engram.train.runs.scores import show_results
from engram.train.runs.wholeness import CHECKSUMS, is_whole


def processes(session):
    """Living processes of a session, by id."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if entry.name.isdigit() and int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.name))
    return found


BEGUN = []


@pytest.fixture(scope="module", autouse=True)
def end_what_is_left():
    """A test that gives a run up leaves it behind."""
    yield
    for process in BEGUN:
        for number in processes(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)


def started(*arguments):
    """Training in a session of its own, which heeds Ctrl-C."""
    process = subprocess.Popen(
        command("train", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    )
    BEGUN.append(process)
    return process


def train_until(iteration, *arguments):
    """Start training; returns the process once a trial has reached an iteration."""
    process = started(*arguments)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "iteration " in line and int(line.rpartition("iteration ")[2]) >= iteration:
            return process
    pytest.fail(f"training ended early:\n{''.join(lines)}")


def results(folder):
    lines = (folder / "result.json").read_text().splitlines()
    return [json.loads(line) for line in lines]


def tensorboard_steps(folder):
    """Steps of the return's curve, a list for each event file, oldest first."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    files = sorted(folder.glob("events.out.tfevents.*"), key=lambda file: file.stat().st_mtime)
    curves = [EventAccumulator(str(file), size_guidance={"scalars": 0}).Reload() for file in files]
    return [[e.step for e in curve.Scalars("ray/tune/env_runners/episode_return_mean")] for curve in curves]


def only_trial(results_folder):
    (trial,) = (results_folder / "cue").glob("RecurrentPPO_*")
    return trial


@pytest.fixture(scope="module")
def interrupted(experiment_file, tmp_path_factory):
    """A run that Ctrl-C ended in the middle: (results folder, process, its last words)."""
    folder = tmp_path_factory.mktemp("results")
    process = train_until(1, "-f", experiment_file, "--local-dir", folder)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    words = process.communicate(timeout=120)[0]
    return folder, process, words


@pytest.fixture(scope="module")
def resumed(interrupted, experiment_file, trained):
    folder, *_ = interrupted
    before = results(only_trial(folder))[-1]
    done = trained("-f", experiment_file, "--local-dir", folder, "--resume")
    assert done.returncode == 0, done.stderr
    return only_trial(folder), before, done


def test_ctrl_c_saves_and_says_how_to_resume(interrupted, experiment_file):
    folder, process, words = interrupted
    assert process.returncode == 130
    assert f"resume with: rllib train -f {experiment_file} --local-dir {folder} --resume" in words
    assert "Traceback" not in words
    checkpoint = max(only_trial(folder).glob("checkpoint_*"))
    assert f"checkpoint: {checkpoint}" in words
    assert results(only_trial(folder))[-1]["timesteps_total"] < 14_400


def wait_for(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_signal_before_the_first_report_ends_soon_and_says_that_nothing_is_saved(
    experiment_file, rllib, tmp_path
):
    """An iteration of an hour; SIGTERM for the whole group would end Ray's servers, too."""
    file = tmp_path / "cue.yaml"
    text = experiment_file.read_text().replace("fragment_length: 6", "fragment_length: 600_000")
    file.write_text(text)
    arguments = ("-f", file, "--local-dir", tmp_path)
    process = started(*arguments)
    wait_for(lambda: list(tmp_path.glob("cue/RecurrentPPO_*/run.json")))  # its first iteration runs
    for _ in range(2):  # as `timeout` does: its child, then the child's group
        os.killpg(process.pid, signal.SIGTERM)
    words = process.communicate(timeout=240)[0]
    assert process.returncode == 143
    said = words.partition("Stopping: ")[2].splitlines()
    assert said[0] == "no running trial has ended an iteration, so nothing new is to be saved."
    assert said[1:3] == [
        "nothing was saved yet: no iteration had ended",
        f"results: {tmp_path / 'cue'}",
    ]
    assert left_after(process.pid) == []
    done = rllib("results", tmp_path / "cue")
    assert f"cue/{only_trial(tmp_path).name}: no report: still in its first iteration, or st" in done.stdout
    done = rllib("train", *arguments, "--resume", "--dry-run")
    assert "resuming     1 of 1 trials, with its stored settings; from the beginning: no che" in done.stdout


@pytest.mark.slow
def test_sigterm_for_the_whole_group_saves(experiment_file, tmp_path):
    process = train_until(1, "-f", experiment_file, "--local-dir", tmp_path)
    os.killpg(process.pid, signal.SIGTERM)
    words = process.communicate(timeout=120)[0]
    assert process.returncode == 143
    checkpoint = max(only_trial(tmp_path).glob("checkpoint_*"))
    last = results(only_trial(tmp_path))[-1]
    far = f"iteration {last['training_iteration']:,}, {last['timesteps_total']:,} env steps"
    assert f"checkpoint: {checkpoint} ({far})\n" in words


def left_after(session, patience=20):
    """Processes of a session that are still there after some seconds."""
    deadline = time.monotonic() + patience
    while processes(session) and time.monotonic() < deadline:
        time.sleep(0.2)
    return processes(session)


def test_ctrl_c_leaves_no_process(interrupted):
    _, process, _ = interrupted
    assert left_after(process.pid) == []


def test_resume_goes_on_where_it_stopped(resumed):
    trial, before, done = resumed
    assert "resuming     1 of 1 trials, with its stored settings\n" in done.stdout
    assert f"results: {trial.parent}\n" in done.stdout
    steps = [row["timesteps_total"] for row in results(trial)]
    assert before["timesteps_total"] in steps
    assert steps == list(range(96, steps[-1] + 1, 96))  # 16 lanes x 6 steps: nothing twice, nothing missing
    assert steps[-1] >= 14_400


def test_a_finished_trial_reads_back(resumed):
    folder, _, _ = resumed
    (trial,) = read_trials(folder.parent)
    assert (trial.experiment, trial.env, trial.unfinished()) == ("cue", "small/Cue-v0", "")
    assert trial.config["env_config"] == {"delay": 2}
    assert trial.reports == results(folder)


def test_tensorboard_counts_env_steps(resumed):
    trial, _, _ = resumed
    seen = {step for steps in tensorboard_steps(trial) for step in steps}
    assert seen == {row["timesteps_total"] for row in results(trial)}


def test_finished_runs_are_not_resumed(resumed, interrupted, experiment_file, rllib):
    done = rllib("train", "-f", experiment_file, "--local-dir", interrupted[0], "--resume")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --resume: every trial in")


def test_run_json(resumed):
    trial, _, _ = resumed
    record = json.loads((trial / "run.json").read_text())
    assert trial.name == f"RecurrentPPO_Cue-v0_{record['trial_id']}"  # nothing is searched
    assert record["seeds"] == [1]
    assert record["trial_config"]["env_config"] == {"delay": 2}
    assert record["experiment"]["run"] == "RecurrentPPO"
    assert set(record["versions"]) == {"engram", "ray", "torch", "gymnasium", "python"}
    assert record["command"].startswith("rllib train -f ")
    assert record["host"]["cpus"] >= 1
    assert os.uname().nodename not in json.dumps(record["host"])
    assert json.loads((trial.parent / "run.json").read_text())["experiment"] == record["experiment"]


def test_evaluate(resumed, rllib, tmp_path):
    trial, _, _ = resumed
    gif = tmp_path / "walk.gif"
    done = rllib("evaluate", trial.parent, "--episodes", 40, "--json", "--gif", gif)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert set(summary) == {
        "episodes",
        "return_mean",
        "return_ci95",
        "length_mean",
        "success_rate",
        "groups",
        "checkpoint",
        "env",
        "env_config",
    }
    assert summary["episodes"] == 40
    assert summary["env_config"] == {"delay": 2}
    assert summary["return_mean"] > 0.9  # a cue two steps ago is learnt within 14,400 steps
    assert Path(summary["checkpoint"]).parent == trial
    assert gif.stat().st_size > 0


def killed(*arguments):
    """A run that `kill -9` ended after some checkpoints."""
    process = train_until(20, *arguments)
    process.kill()
    process.communicate(timeout=60)
    return process


@pytest.mark.slow
def test_a_killed_run_leaves_no_process(experiment_file, tmp_path):
    process = killed("-f", experiment_file, "--local-dir", tmp_path)
    assert left_after(process.pid, patience=120) == []  # Ray's agents notice after a minute


def test_kill_and_resume(experiment_file, tmp_path, trained, shared_ray):
    arguments = ("-f", experiment_file, "--local-dir", tmp_path, "--stop", "timesteps_total=4800")
    killed(*arguments, "--ray-address", shared_ray)
    newest = max(only_trial(tmp_path).glob("checkpoint_*"))
    done = trained(*arguments, "--resume")
    assert done.returncode == 0, done.stderr
    rows = results(only_trial(tmp_path))
    resumed = next(
        row for row in rows if row["iterations_since_restore"] == 1 and row["training_iteration"] > 1
    )
    assert resumed["training_iteration"] >= 4 * (int(newest.name[-6:]) + 1) - 3
    assert resumed["timesteps_total"] == 96 * resumed["training_iteration"]
    check_once(only_trial(tmp_path), iterations=50)
    before, after = tensorboard_steps(only_trial(tmp_path))
    assert before[-1] + 96 == after[0] == resumed["timesteps_total"]
    check_uninterrupted(max(only_trial(tmp_path).glob("checkpoint_*")), *arguments, at=50, ray=shared_ray)


def check_once(trial, iterations):
    """Reports, rows and events of a trial are of every iteration, each once."""
    steps = [96 * (number + 1) for number in range(iterations)]
    assert [row["timesteps_total"] for row in results(trial)] == steps
    with (trial / "progress.csv").open() as file:
        assert [int(row["timesteps_total"]) for row in csv.DictReader(file)] == steps
    assert list(itertools.chain(*tensorboard_steps(trial))) == steps
    assert not list(trial.glob("error.*"))
    assert not list(trial.glob(".*"))


def check_uninterrupted(checkpoint, *arguments, at, ray):
    """A checkpoint's weights are, to the last bit, those of a run of as many iterations at once."""
    assert checkpoints.training_iteration(checkpoint) == at
    saved = checkpoints.load_module(checkpoint).state_dict()
    with connected(ray):
        (experiment,), _ = read_request(TrainRequest(str(arguments[1])))
        algorithm = make_plan(experiment, False).config.build_algo()
        for _ in range(at):
            algorithm.train()
        weights = algorithm.get_module().state_dict()
        algorithm.stop()
    for name, leaf in weights.items():
        torch.testing.assert_close(saved[name], leaf, rtol=0, atol=0, msg=name)


@contextlib.contextmanager
def connected(address):
    """This process may build algorithms on the Ray that tests share."""
    import ray

    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    try:
        yield
    finally:
        ray.shutdown()


FATAL = """
cue:
  env: small_envs:small/Fatal-v0
  run: RecurrentPPO
  stop: {timesteps_total: 960}
  checkpoint_config: {checkpoint_frequency: 4, num_to_keep: 1}
  max_failures: 1
  config:
    env_config: {dies_at: 40, marker: MARKER}
    seed: 1
    num_envs_per_env_runner: 16
    rollout_fragment_length: 6
    model: {encoder: {type: mlp, hidden: [8]}, core: {type: lstm, size: 8}}
"""


def test_a_trial_that_is_killed_goes_on_in_its_run(tmp_path, trained, shared_ray):
    """Its process ends in the seventh iteration; the checkpoint is of the fourth."""
    file, marker = tmp_path / "fatal.yaml", tmp_path / "marker"
    file.write_text(FATAL.replace("MARKER", str(marker)))
    done = trained("-f", file, "--local-dir", tmp_path)
    assert done.returncode == 0, done.stderr
    assert marker.exists()
    trial = only_trial(tmp_path)
    check_once(trial, iterations=10)
    assert [row["iterations_since_restore"] for row in results(trial)] == [1, 2, 3, 4, 1, 2, 3, 4, 5, 6]
    (kept,) = trial.glob("checkpoint_*")
    check_uninterrupted(kept, "-f", file, at=10, ray=shared_ray)


TOLL = """
toll:
  env: small_envs:small/Toll-v0
  run: RecurrentPPO
  stop: {env_runners/episode_return_mean: -30}
  checkpoint_config: {checkpoint_frequency: 1, num_to_keep: 2}
  max_failures: 0  # on a cluster, it is tried again
  config:
    num_envs_per_env_runner: 4
    rollout_fragment_length: 10
    model: {encoder: {type: mlp, hidden: [8]}, core: {type: gru, size: 8}}
"""


def test_only_finished_episodes_stop_a_trial_and_a_reward_of_nan_ends_it(tmp_path, trained, capsys):
    """An episode earns -60: at -10, after one fragment, -30 is not reached. The second one earns NaN."""
    (tmp_path / "toll.yaml").write_text(TOLL)
    done = trained("-f", tmp_path / "toll.yaml", "--local-dir", tmp_path)
    assert done.returncode == 1
    assert "0: return - (episodes at step 10), success -, env steps 40, " in done.stdout
    last, kept_line, results_line, resume_line = done.stdout.splitlines()[-4:]
    assert results_line.startswith("results: ")
    assert resume_line.startswith("resume with: rllib train -f ")
    assert kept_line.endswith("/checkpoint_000007 (iteration 8, 320 env steps)")
    where = "(step 10 of the fragment, lane 0, env runner 0)"
    assert last.startswith(f"failed: FloatingPointError: reward: nan at env step 360 {where} (all of it: ")
    (trial,) = (tmp_path / "toll").glob("RecurrentPPO_*")
    returns = [report["env_runners"]["episode_return_mean"] for report in results(trial)]
    assert len(returns) == 8
    assert all(math.isnan(value) for value in returns[:5])
    assert returns[5:] == [-60.0] * 3
    with (trial / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["env_runners/episode_return_mean"] for row in rows] == ["nan"] * 5 + ["-60.0"] * 3
    assert tensorboard_steps(trial) == [[240, 280, 320]]
    kept = sorted(trial.glob("checkpoint_*"))
    assert [checkpoint.name for checkpoint in kept] == ["checkpoint_000006", "checkpoint_000007"]
    assert all((checkpoint / CHECKSUMS).is_file() and is_whole(checkpoint) for checkpoint in kept)
    weights = checkpoints.load_module(kept[-1]).state_dict().values()
    assert all(torch.isfinite(leaf).all() for leaf in weights)
    (row,) = show_results([str(tmp_path / "toll")], as_json=False)
    assert (row["best"], row["best_env_steps"]) == (-60.0, 240)
    assert "failed: FloatingPointError: reward: nan at env step 360" in capsys.readouterr().out
