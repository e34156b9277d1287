"""Bad luck: a user sees one line of ours with what to do next, and nothing that was saved is lost."""

import errno
import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
from ray.exceptions import ActorDiedError, NodeDiedError, OutOfMemoryError, RayTaskError
from ray.tune import TuneError
from rllib_process import FORKS, run_forked
from tensorboardX.proto.event_pb2 import Event

from engram.train.console.errors import ExperimentError
from engram.train.running import everywhere, interrupt, runner, tensorboard
from engram.train.running.failing import described
from engram.train.running.interrupt import INTERRUPT
from engram.train.running.progress import Pace, Progress

FULL = OSError(errno.ENOSPC, "No space left on device", "/results/cue/result.json")


def quoted(error):
    """As Tune tells of what its own work raises."""
    try:
        try:
            raise error
        except OSError:
            raise TuneError("Traceback (most recent call last):\n  ...") from None
    except TuneError as told:
        return told


def of_a_task(error):
    return RayTaskError("train", f"Traceback ...\n{type(error).__name__}: {error}", error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FULL, "No space left on device: /results/cue/result.json; free some space there"),
        (of_a_task(FULL), "No space left on device: /results/cue/result.json; free some space there"),
        (quoted(FULL), "No space left on device: /results/cue/result.json; free some space there"),
        (OSError(errno.EDQUOT, "Quota"), "Quota: /results; free some of the quota there"),
        (OSError(errno.EROFS, "Read-only", "/results/x"), "Read-only: /results/x; make it writable"),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "/results/cue/x"),
            "No such file: /results/cue/x; put the folder back in its place",
        ),
        (
            of_a_task(FileNotFoundError(errno.ENOENT, "No such file", "/data/mazes")),
            "FileNotFoundError: [Errno 2] No such file: '/data/mazes'",
        ),
        (of_a_task(KeyError("x")), "KeyError: 'x'"),
        (ActorDiedError(of_a_task(ValueError("path: none"))), "ValueError: path: none"),
        (ActorDiedError(), "its process was killed, by somebody or for want of memory"),
        (NodeDiedError("gone"), "the node that it ran on is gone"),
        (OutOfMemoryError("much text"), "its process was ended, as the node runs out of memory: fewer"),
        (RuntimeError("of our own"), "RuntimeError: of our own"),
        (KeyError("x"), "KeyError 'x'"),
    ],
)
def test_one_line_for_whatever_it_was(error, said):
    assert described(error, Path("/results")).startswith(said)


@pytest.fixture
def broken(monkeypatch, typed, tmp_path, experiment_file):
    """Types `rllib train`, of which Tune raises an error: (exit code, stdout, stderr)."""

    def run(error, meanwhile=lambda folder: None):
        def fit():
            meanwhile(tmp_path / "cue")
            raise error

        monkeypatch.setattr(runner, "start_ray", lambda plans, options: None)
        monkeypatch.setattr(runner, "_tuner", lambda plan, options: SimpleNamespace(fit=fit))
        return typed("train", "-f", experiment_file, "--local-dir", tmp_path)

    return run


def test_what_ends_a_run_is_one_line_and_its_traceback_a_file(broken, tmp_path):
    code, out, err = broken(FULL)
    assert (code, err) == (1, "")
    file = tmp_path / "cue" / "error.txt"
    assert out.splitlines()[-4:] == [
        "failed: No space left on device: /results/cue/result.json; free some space there "
        f"(all of it: {file})",
        "nothing was saved yet: no iteration had ended",
        f"results: {tmp_path / 'cue'}",
        "nothing to resume",
    ]
    assert "Traceback" in file.read_text()


def test_a_folder_that_is_gone_is_said_to_be(broken, tmp_path):
    def remove(folder):
        (folder / ".lock").unlink()
        folder.rmdir()

    code, out, err = broken(FileNotFoundError(2, "No such file", str(tmp_path / "cue" / "x")), remove)
    assert (code, err) == (1, "")
    assert out.splitlines()[-4:] == [
        f"failed: No such file: {tmp_path / 'cue' / 'x'}; put the folder back in its place",
        f"{tmp_path / 'cue'} is gone, and with it what was saved there",
        f"results: {tmp_path / 'cue'}",
        "nothing to resume",
    ]


def test_a_folder_that_cannot_be_written_to_is_refused_before(typed, experiment_file, monkeypatch, tmp_path):
    def refuse(*settings, **more):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    code, out, err = typed("train", "-f", experiment_file, "--local-dir", tmp_path)
    assert (code, out) == (2, "")
    assert err == f"error: storage_path: {tmp_path / 'cue'} cannot be written to: Read-only file system\n"


def test_events_that_cannot_be_written_are_told_once_and_stop_nothing(tmp_path):
    """A thread would end, and the run wait for ever for room in its queue."""
    writer = tensorboard.StraightWriter(str(tmp_path))
    os.dup2(os.open("/dev/full", os.O_WRONLY), writer._ev_writer._py_recordio_writer._writer.fileno())
    writer.add_event(Event(step=1))
    with pytest.raises(OSError, match="No space left on device"):
        writer.flush()
    for step in range(100):
        writer.add_event(Event(step=step))
    writer.flush()
    writer.close()


# Signals.


@pytest.fixture
def heeds_sighup():
    """As in a terminal, also where these tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def printed(capsys):
    return lambda: capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_a_run_and_only_ctrl_c_is_patient(number, printed, monkeypatch, heeds_sighup):
    with INTERRUPT.listening():
        INTERRUPT.waits_for = {"a"}
        os.kill(os.getpid(), number)
        assert INTERRUPT.signal == number
        assert not INTERRUPT.overdue
        assert (", if that ends within 20 s" in printed()) == (number != signal.SIGINT)
        monkeypatch.setattr(interrupt, "PATIENCE", -1.0)
        assert INTERRUPT.overdue == (number != signal.SIGINT)
        ended = []
        monkeypatch.setattr(os, "kill", lambda pid, signal_: ended.append(signal_))
        running = SimpleNamespace(trial_id="a", status="RUNNING")
        interrupt.EndWhenSaved().on_step_end(1, [running])
        assert ended == ([] if number == signal.SIGINT else [signal.SIGUSR1])


def test_nohup_is_heeded():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with INTERRUPT.listening():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not INTERRUPT.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_is_gone_is_not_written_to():
    """In a process of its own, whose terminal is closed."""
    master, slave = os.openpty()
    process = FORKS.Process(target=_hang_up, args=(os.ttyname(slave),))
    process.start()
    try:
        with os.fdopen(os.dup(master), "rb") as screen:
            assert screen.readline() == b"ready\r\n"
        os.close(slave)
        os.close(master)
        process.join(60)
        assert process.exitcode == 129
    finally:
        process.kill()


def _hang_up(terminal):
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    opened = os.open(terminal, os.O_RDWR)
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    with INTERRUPT.listening():
        print("ready", flush=True)
        while INTERRUPT.signal is None:
            time.sleep(0.01)
        print("and on", flush=True)
        os._exit(128 + INTERRUPT.signal)


# A cluster.


def test_a_run_on_a_cluster_tries_again_unless_it_says_otherwise(typed, experiment_file, tmp_path):
    asked = ("train", "-f", experiment_file, "--local-dir", tmp_path, "--dry-run")
    line = "failures     a trial that fails is tried again from its checkpoint, up to 3 times\n"
    assert line in typed(*asked, "--ray-address", "10.0.0.1:6379")[1]
    assert "failures " not in typed(*asked)[1]
    for count, often in ((0, None), (1, "once"), (-1, "as often as it fails")):
        out = typed(*asked, "--ray-address", "10.0.0.1:6379", "--set", f"max_failures={count}")[1]
        assert ("failures " in out) == (often is not None)
        assert often is None or f"from its checkpoint, {often}\n" in out


def test_results_that_a_node_does_not_see_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(everywhere, "_other_nodes", lambda: {"a": "10.0.0.2", "b": "10.0.0.3"})
    looked = []

    def ask(nodes, file):
        looked.append(Path(file).exists())
        return [(address, address == "10.0.0.2") for address in nodes.values()]

    monkeypatch.setattr(everywhere, "_ask", ask)
    with pytest.raises(
        ExperimentError, match=r"^storage_path: .*cue is not seen by 10\.0\.0\.3 of the cluster; "
    ):
        everywhere.check_seen([tmp_path / "cue"])
    assert looked == [True]
    assert list((tmp_path / "cue").iterdir()) == []


def test_a_node_is_asked_itself(shared_ray, tmp_path, capsys):
    ray.init(address=shared_ray, log_to_driver=False, logging_level="ERROR")
    try:
        assert everywhere._other_nodes() == {}
        here = {ray.get_runtime_context().get_node_id(): "10.0.0.1"}
        (tmp_path / "there").touch()
        assert everywhere._ask(here, str(tmp_path / "there")) == [("10.0.0.1", True)]
        assert everywhere._ask(here, str(tmp_path / "not")) == [("10.0.0.1", False)]
        assert everywhere._ask(here, str(tmp_path / "no" / "folder")) == [("10.0.0.1", False)]
        assert everywhere._ask({"0" * 56: "10.0.0.9"}, "x") == []
    finally:
        ray.shutdown()
    assert capsys.readouterr().err.startswith("notice: 10.0.0.9 does not say whether it sees . (")


def test_what_is_tried_again_says_why(capsys):
    trial = SimpleNamespace(
        get_pickled_error=ActorDiedError, experiment_tag="2_lr=1", max_failures=3, num_failures=1
    )
    Progress({}).on_trial_recover(1, [trial], trial)
    assert capsys.readouterr().out == (
        "2 lr=1: notice: failed: its process was killed, by somebody or for want of memory; "
        "tried again (1 of 3)\n"
    )


def test_time_that_goes_back_gives_no_negative_rest():
    pace = Pace({"timesteps_total": 1000.0, "time_total_s": 50.0})
    for count, seconds in ((100, 10.0), (200, 8.0), (300, -5.0), (400, 1e9)):
        left = pace.left({"timesteps_total": count, "time_total_s": seconds, "training_iteration": count})
        assert left is None or left >= 0


# Real runs.

UNLUCKY = """
unlucky:
  env: unlucky_envs:unlucky/Unlucky-v0
  run: RecurrentPPO
  stop: {training_iteration: 10}
  checkpoint_config: {checkpoint_frequency: 2, num_to_keep: 2}
  config:
    env_config: {what: "", at: 40}
    seed: 1
    num_envs_per_env_runner: 4
    rollout_fragment_length: 6
    model: {encoder: {type: mlp, hidden: [8]}, core: {type: lstm, size: 8}}
"""


@pytest.fixture
def unlucky(tmp_path, shared_ray):
    """Trains on the Ray that tests share: `CompletedProcess` with text."""
    (tmp_path / "unlucky.yaml").write_text(UNLUCKY)

    def run(*more, before=None):
        arguments = ("-f", tmp_path / "unlucky.yaml", "--local-dir", tmp_path, "--ray-address", shared_ray)
        return run_forked("train", *arguments, *more, before=before)

    return run


def iterations(folder):
    (trial,) = (folder / "unlucky").glob("RecurrentPPO_*")
    lines = (trial / "result.json").read_text().splitlines()
    return [json.loads(line)["training_iteration"] for line in lines]


def full_disk():
    """In the process of the command: reports cannot be written from the sixth on."""
    from engram.train.running.loggers import Reports

    def write(self, iteration, trial, result):
        if result["training_iteration"] == 6:
            raise OSError(errno.ENOSPC, "No space left on device", f"{trial.local_path}/result.json")
        log(self, iteration, trial, result)

    log, Reports.log_trial_result = Reports.log_trial_result, write


def test_a_full_disk_ends_a_run_that_can_be_resumed(unlucky, tmp_path):
    done = unlucky(before=full_disk)
    assert (done.returncode, done.stderr) == (1, "")
    failed, kept, results, resume = done.stdout.splitlines()[-4:]
    assert failed.startswith("failed: No space left on device: ")
    assert "/result.json; free some space there (all of it: " in failed
    assert "/checkpoint_000001 (iteration 4, " in kept
    assert results == f"results: {tmp_path / 'unlucky'}"
    assert resume.startswith(f"resume with: rllib train -f {tmp_path / 'unlucky.yaml'} ")
    assert resume.endswith(" --resume")
    done = unlucky("--resume")
    assert (done.returncode, done.stderr) == (0, "")
    assert iterations(tmp_path) == list(range(1, 11))
