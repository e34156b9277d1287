"""What the suite claims, from the command line to the evaluation; minutes each (make test-slow)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CONFIGS = Path(__file__).parent.parent / "configs"


def rllib(*arguments):
    """Runs the command and returns the last line it printed."""
    command = [sys.executable, "-m", "engram.train", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1]


def train_and_evaluate(name, folder, *, levels=4):
    rllib("train", "-f", str(CONFIGS / f"{name}.yaml"), "--local-dir", str(folder))
    env_config = json.dumps({"level": levels})
    line = rllib("evaluate", str(folder / name), "--episodes", "200", "--env-config", env_config, "--json")
    return json.loads(line)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tmaze_concrete", "tmaze_concrete_impala"])
def test_low_pass_carries_the_cue_through_limbo(name, tmp_path):
    report = train_and_evaluate(name, tmp_path)
    assert report["success_rate"] >= 0.99
    assert report["return_mean"] >= 0.60


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tmaze_lstm", "tmaze_mlp"])
def test_without_a_memory_that_reaches_back_the_goal_is_a_guess(name, tmp_path):
    """The success rate of a guess is 0.5; 200 episodes put it below 0.65 with a probability beyond 0.9999."""
    report = train_and_evaluate(name, tmp_path, levels=[0, 1, 2, 3, 4])
    assert report["success_rate"] <= 0.65
