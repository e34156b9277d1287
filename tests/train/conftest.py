"""Stand-in environments that Ray's workers can import, and one finished run that several tests look at."""

import sys
from pathlib import Path

import pytest
from filelock import FileLock

sys.path.insert(0, str(Path(__file__).parent))

from rllib_process import run_forked

from engram.train import cli
from engram.train.console.errors import ExperimentError
from engram.train.environments import guard

LIMIT = guard.seconds()

EXPERIMENT = """
cue:
  env: small_envs:small/Cue-v0
  run: RecurrentPPO
  stop: {timesteps_total: 14_400}
  checkpoint_config: {checkpoint_frequency: 4, num_to_keep: 3}
  config:
    env_config: {delay: 2}
    seed: 1
    lr: 3e-3
    num_envs_per_env_runner: 16
    rollout_fragment_length: 6
    model: {encoder: {type: mlp, hidden: [8]}, core: {type: lstm, size: 8}}
"""


@pytest.fixture(scope="session", autouse=True)
def remembered():
    """Tries out the stand-ins that never change once for all tests, not in a process anew for each."""
    known, run_guarded = {}, guard.run_guarded

    def remember(task, arguments, subject):
        key = repr((task, arguments))
        if not subject.startswith("env: small_envs:") or guard.seconds() != LIMIT:
            return run_guarded(task, arguments, subject)
        if key not in known:
            try:
                known[key] = run_guarded(task, arguments, subject)
            except ExperimentError as error:
                known[key] = error
        if isinstance(known[key], ExperimentError):
            raise ExperimentError(*known[key].lines)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "run_guarded", remember)
        yield


@pytest.fixture(scope="session")
def rllib():
    """Runs the command to its end, in a folder if one is given; `CompletedProcess` with text."""
    return run_forked


@pytest.fixture(scope="session")
def trained(rllib, shared_ray):
    """Trains, on the Ray that tests share; `CompletedProcess` with text."""
    return lambda *arguments, cwd=None: rllib("train", *arguments, "--ray-address", shared_ray, cwd=cwd)


@pytest.fixture(scope="session")
def experiment_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment") / "cue.yaml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="session")
def finished_run(trained, base_folder):
    """A short run that has ended, with two checkpoints: (experiment file, folder); copy it to change it."""
    folder = base_folder / "finished"
    file = folder / "short.yaml"
    with FileLock(f"{folder}.lock"):  # of processes that share the tests, the first one makes it for all
        if not file.exists():
            folder.mkdir()
            text = EXPERIMENT.replace("14_400", "480").replace("frequency: 4", "frequency: 2")
            (folder / "new.yaml").write_text(text)
            done = trained("-f", folder / "new.yaml", "--local-dir", folder)
            assert done.returncode == 0, done.stderr
            (folder / "new.yaml").rename(file)
    return file, folder / "cue"


@pytest.fixture
def typed(monkeypatch, capsys, tmp_path):
    """Runs the command in this process, on a machine of 64 CPUs; (exit code, stdout, stderr)."""
    monkeypatch.setattr("engram.train.running.cluster.set_environment", lambda options: None)
    monkeypatch.setattr("engram.train.running.cluster.os.cpu_count", lambda: 64)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["rllib", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return run
