"""Going on where a run ended, however it ended."""

import json
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial

from engram.train.checkpoints import is_whole, newest_first, training_iteration
from engram.train.errors import ExperimentError
from engram.train.interrupt import SavingScheduler
from engram.train.results import read_reports


def unfinished_trials(folder: Path) -> int | None:
    """How many trials of an experiment are left to finish.

    Args:
        folder: The experiment's folder.

    Returns:
        The number (0: all are finished), or None where there is nothing to resume.

    Raises:
        ExperimentError: the folder's state cannot be read.
    """
    states = sorted(folder.glob("experiment_state-*.json"))
    if not states or not (folder / "tuner.pkl").is_file():
        return None
    try:
        data = json.loads(states[-1].read_text(encoding="utf-8"))
        statuses: list[str] = [json.loads(trial)["status"] for trial, _ in data["trial_data"]]
    except (ValueError, KeyError, TypeError, OSError):
        raise ExperimentError(
            f"--resume: {states[-1]} is broken; start anew or use --restore CHECKPOINT"
        ) from None
    return len([status for status in statuses if status != Trial.TERMINATED])


class ResumingScheduler(SavingScheduler):
    """Lets a resumed trial start from the newest checkpoint on disk.

    Tune's own record of checkpoints is written every few seconds; after a `kill -9` it names an older
    checkpoint than the newest, or one that has been deleted since.
    """

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Called for every trial before it starts."""
        if trial.status == Trial.PENDING and trial.storage is not None and trial.storage.trial_dir_name:
            adopt_newest(trial)
        super().on_trial_add(tune_controller, trial)


def adopt_newest(trial: Trial) -> None:
    """Make the newest whole checkpoint in a trial's folder the one it restarts from.

    Args:
        trial: A trial that Tune has restored.
    """
    folder = Path(trial.storage.trial_fs_path)
    found = next((path for path in newest_first(list(folder.glob("checkpoint_*"))) if is_whole(path)), None)
    known = trial.checkpoint
    if found is None or (known is not None and Path(known.path) == found):
        return
    from ray.train._internal.session import _TrainingResult
    from ray.tune import Checkpoint

    manager = trial.run_metadata.checkpoint_manager
    kept = [result for result in manager._checkpoint_results if Path(result.checkpoint.path).is_dir()]
    manager._checkpoint_results = kept
    metrics = _metrics(folder, training_iteration(found))
    manager.register_checkpoint(_TrainingResult(Checkpoint.from_directory(str(found)), metrics))
    trial.storage.current_checkpoint_index = int(found.name.rpartition("_")[2])
    trial.invalidate_json_state()
    trial.run_metadata.invalidate_cache()


def _metrics(folder: Path, iteration: int) -> dict[str, Any]:
    """The result that belongs to a checkpoint, as far as `result.json` has got."""
    known = [report for report in read_reports(folder) if report.get("training_iteration", 0) <= iteration]
    return {**(known[-1] if known else {}), "training_iteration": iteration}
