"""Stand-in environments that Ray's workers can import, and one finished run that several tests look at."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)

EXPERIMENT = """
cue:
  env: small_envs:small/Cue-v0
  run: RecurrentPPO
  stop: {timesteps_total: 6_000}
  checkpoint_config: {checkpoint_frequency: 4, num_to_keep: 3}
  config:
    env_config: {delay: 2}
    seed: 1
    lr: 3e-3
    num_envs_per_env_runner: 16
    rollout_fragment_length: 6
    model: {encoder: {type: mlp, hidden: [8]}, core: {type: lstm, size: 8}}
"""


def command(*arguments):
    """The `rllib` command as a list for subprocess."""
    return [sys.executable, "-m", "engram.train", *map(str, arguments)]


def environment():
    """The environment of a process that runs the command; the stand-ins are importable in it."""
    return {**os.environ, "PYTHONPATH": HERE, "COLUMNS": "200"}


@pytest.fixture(scope="session")
def rllib():
    """Runs the command to its end; `CompletedProcess` with text."""

    def run(*arguments, timeout=240):
        return subprocess.run(
            command(*arguments), capture_output=True, text=True, timeout=timeout, env=environment()
        )

    return run


@pytest.fixture(scope="session")
def experiment_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment") / "cue.yaml"
    path.write_text(EXPERIMENT)
    return path
