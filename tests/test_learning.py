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


def train_and_evaluate(name, folder, **env_config):
    rllib("train", "-f", str(CONFIGS / f"{name}.yaml"), "--local-dir", str(folder))
    settings = ("--env-config", json.dumps(env_config))
    return json.loads(rllib("evaluate", str(folder / name), "--episodes", "200", *settings, "--json"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tmaze_concrete", "tmaze_concrete_impala"])
def test_low_pass_carries_the_cue_through_limbo(name, tmp_path):
    report = train_and_evaluate(name, tmp_path, level=4)
    assert report["success_rate"] >= 0.99
    assert report["return_mean"] >= 0.60


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tmaze_lstm", "tmaze_mlp"])
def test_without_a_memory_that_reaches_back_the_goal_is_a_guess(name, tmp_path):
    """The success rate of a guess is 0.5; 200 episodes put it below 0.65 with a probability beyond 0.9999."""
    report = train_and_evaluate(name, tmp_path, level=[0, 1, 2, 3, 4])
    assert report["success_rate"] <= 0.65


@pytest.mark.slow
def test_low_pass_keeps_a_lesson_for_hundreds_of_steps(tmp_path):
    assert train_and_evaluate("cued_catch_concrete", tmp_path)["return_mean"] >= 58


@pytest.mark.slow
def test_low_pass_recalls_a_sequence(tmp_path):
    """The best return is 2.11; four lights in any order earn about -0.9."""
    assert train_and_evaluate("sequence_recall_concrete", tmp_path)["return_mean"] >= 1.6
