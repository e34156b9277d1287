"""What an interrupted or failed run says that it has saved."""

import json
import shutil

import pytest

from engram.train.console.errors import ExperimentError
from engram.train.running.saved import kept_of_failed, saved
from engram.train.runs.results import read_trials


@pytest.fixture
def trial(finished_run, tmp_path):
    """A copy of a finished run's only trial: 5 iterations of 96 env steps, saved after each second one."""
    folder = tmp_path / "cue"
    shutil.copytree(finished_run[1], folder)
    return next(folder.glob("RecurrentPPO_*"))


def test_the_newest_checkpoint_and_how_far_it_is(trial):
    newest = max(trial.glob("checkpoint_*"))
    (line,) = saved(trial.parent)
    assert line == f"checkpoint: {newest} (iteration 5, 480 env steps)"
    assert kept_of_failed(trial, 2) == line
    shutil.rmtree(newest)
    (line,) = saved(trial.parent)
    assert line.endswith("(iteration 4, 384 env steps)")


def test_reports_without_a_checkpoint(trial):
    for checkpoint in trial.glob("checkpoint_*"):
        shutil.rmtree(checkpoint)
    far = f"nothing is saved of {trial}, which had come to iteration 5, 480 env steps"
    assert list(saved(trial.parent)) == [far]
    assert kept_of_failed(trial, 0) == f"{far}: checkpoint_config.checkpoint_frequency is 0"


def test_no_report(trial):
    for left in (*trial.glob("checkpoint_*"), trial / "result.json"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    assert list(saved(trial.parent)) == ["nothing was saved yet: no iteration had ended"]
    assert kept_of_failed(trial, 4) == f"nothing is saved of {trial}: no iteration had ended"
    (found,) = read_trials(trial.parent)
    assert found.unfinished() == "no report: still in its first iteration, or stopped before it had ended"


def test_trials_that_have_not_begun_are_counted_and_named(trial):
    (state,) = trial.parent.glob("experiment_state-*.json")
    stored = json.loads(state.read_text())
    first, metadata = stored["trial_data"][0]
    waiting = json.dumps(json.loads(first) | {"trial_id": "waiting", "status": "PENDING"})
    stored["trial_data"].append([waiting, metadata])
    state.write_text(json.dumps(stored))
    one, other = saved(trial.parent)
    assert one.startswith("checkpoint: ")
    assert other == "nothing was saved yet of 1 of 2 trials: no iteration had ended"
    shutil.rmtree(trial)
    with pytest.raises(ExperimentError, match=r"cue: no trial of it has begun; waiting: \w+, waiting$"):
        read_trials(trial.parent)
