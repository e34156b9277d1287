"""Going on where a run ended, however it ended."""

import json
import shutil
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from engram.train.checkpoints import is_whole, newest_first, training_iteration
from engram.train.errors import ExperimentError
from engram.train.interrupt import SavingScheduler
from engram.train.results import read_reports

KEPT = "experiment_state.kept"
"""A copy of Tune's record of the experiment that was whole when it was made."""


def unfinished_trials(folder: Path) -> int | None:
    """How many trials of an experiment are left to finish; puts a broken record of Tune's right, if it can.

    Args:
        folder: The experiment's folder.

    Returns:
        The number (0: all are finished), or None where there is nothing to resume.

    Raises:
        ExperimentError: the folder's state cannot be read.
    """
    newest = _newest_state(folder)
    if newest is None or not (folder / "tuner.pkl").is_file():
        return None
    statuses = _statuses(newest)
    if statuses is None:
        statuses = _statuses(folder / KEPT)
        if statuses is None:
            raise ExperimentError(f"--resume: {newest} is broken; start anew or use --restore CHECKPOINT")
        _copy(folder / KEPT, newest)
    return len([status for status in statuses if status != Trial.TERMINATED])


class KeepState(Callback):  # type: ignore[misc]
    """Keeps a whole copy of Tune's record of the experiment.

    Tune writes that file in place; a `kill -9` in the middle would leave half of it, and nothing to resume.
    """

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Called by Tune after every report of a trial."""
        keep_state(Path(trial.storage.experiment_fs_path))


def keep_state(folder: Path) -> None:
    """Copy the newest state of an experiment, if it is whole.

    Args:
        folder: The experiment's folder.
    """
    newest = _newest_state(folder)
    if newest is not None and _statuses(newest) is not None:
        _copy(newest, folder / KEPT)


def _newest_state(folder: Path) -> Path | None:
    return max(folder.glob("experiment_state-*.json"), default=None)


def _statuses(state: Path) -> list[str] | None:
    """Status of every trial, None where the file is not whole."""
    try:
        data = json.loads(state.read_text(encoding="utf-8"))
        return [json.loads(trial)["status"] for trial, _ in data["trial_data"]]
    except (ValueError, KeyError, TypeError, OSError):
        return None


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that the target is whole at every moment."""
    half = target.with_suffix(".half")
    shutil.copyfile(source, half)
    half.replace(target)


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
