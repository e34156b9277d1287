"""Which folder a run gets, and who may train in it."""

import json
import os
import signal
import subprocess
import sys

import pytest

from engram.train.console.errors import ExperimentError
from engram.train.runs.folders import ASKED, FolderLocks, free_name, is_taken, lock_stored, runs_of

PPO = ("train", "--run", "PPO", "--env", "CartPole-v1")


def run_in(folder, **record):
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"experiment": {}} | record))
    return folder


def test_a_new_run_gets_a_number_where_the_name_is_taken(tmp_path):
    assert free_name(tmp_path, "cue", [], None) == "cue"
    run_in(tmp_path / "cue")
    assert free_name(tmp_path, "cue", [], None) == "cue_2"
    assert free_name(tmp_path, "cue", ["cue_2"], None) == "cue_3"
    (tmp_path / "cue_2").write_text("a file")
    assert free_name(tmp_path, "cue", [], None) == "cue_3"
    assert {path.name for path in tmp_path.iterdir()} == {"cue", "cue_2"}


def test_a_folder_with_a_lock_alone_is_free(tmp_path):
    with FolderLocks() as locks:
        assert free_name(tmp_path, "cue", [], locks) == "cue"
    assert not is_taken(tmp_path / "cue")
    (tmp_path / "cue" / "trial").mkdir()  # all that a run leaves which is killed at once
    assert is_taken(tmp_path / "cue")


HOLD = """
import sys, time
from pathlib import Path
from engram.train.runs.folders import FolderLocks
with FolderLocks() as locks:
    print(locks.acquire(Path(sys.argv[1])), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that trains in `cue`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "cue"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.wait()


def test_two_runs_never_share_a_folder(tmp_path, holder):
    with FolderLocks() as locks:
        assert not locks.acquire(tmp_path / "cue")
        with pytest.raises(ExperimentError, match="cue is in use: a run is training in it"):
            lock_stored(tmp_path / "cue", locks)
        assert free_name(tmp_path, "cue", [], locks) == "cue_2"


def test_a_killed_run_locks_nobody_out(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with FolderLocks() as locks:
        lock_stored(tmp_path / "cue", locks)


def test_a_file_system_without_locks_is_a_notice(tmp_path, monkeypatch, capsys):
    class NoLock:
        def __init__(self, *arguments, **options):
            raise NotImplementedError("no flock here")

    monkeypatch.setattr("engram.train.runs.folders.filelock.FileLock", NoLock)
    with FolderLocks() as locks:
        assert locks.acquire(tmp_path / "cue")
    assert "cannot be locked (no flock here): whether another run trains in it is not checked" in (
        capsys.readouterr().err
    )


def test_the_runs_of_an_experiment(tmp_path):
    run_in(tmp_path / "cue")
    for number in (2, 10):
        run_in(tmp_path / f"cue_{number}", **{ASKED: "cue"})
    run_in(tmp_path / "cue_3")  # an experiment of that name
    run_in(tmp_path / "cue_x", **{ASKED: "cue"})
    assert [run.name for run in runs_of(tmp_path, "cue")] == ["cue_10", "cue_2", "cue"]


def test_the_header_says_which_folder(typed, tmp_path):
    run_in(tmp_path / "results" / "default")
    code, out, _ = typed(*PPO, "--local-dir", tmp_path / "results", "--dry-run")
    assert code == 0
    where = tmp_path / "results" / "default_2"
    assert f"results      {where}\n             (a new folder: default holds another run)\n" in out
    assert f"TensorBoard  tensorboard --logdir {where}\n" in out
    assert out.startswith("default:\n")  # what is printed is a file, under the name that was asked for
    assert not where.exists()


def test_results_elsewhere_are_not_checked_and_the_header_says_so(typed):
    code, out, _ = typed(*PPO, "--local-dir", "s3://bucket/x", "--dry-run")
    assert code == 0
    assert (
        "results      s3://bucket/x/default\n             (whether a run is there already, or trains" in out
    )
