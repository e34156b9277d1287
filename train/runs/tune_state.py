"""Read, keep and repair Tune's record of an experiment on disk."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ray import cloudpickle
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.experiment.trial import _TrainingRunMetadata
from ray.tune.utils.serialization import _loads_with_cloudpickle
from typing_extensions import override

from engram.train.console.errors import ExperimentError, reason
from engram.train.console.files import mapping_at, parse_json, read_bytes, read_json
from engram.train.runs.record import version_fault

KEPT = "experiment_state.kept"
"""A copy of Tune's record of the experiment that was whole when it was made."""


class StoredTrial(NamedTuple):
    """What Tune's record says of a trial."""

    trial_id: str
    status: str
    config: Mapping[str, Any]


def stored_trials(folder: Path) -> list[StoredTrial] | None:
    """Return the trials of an experiment from Tune's record or, where that is broken, its last whole copy.

    Returns:
        The trials, or None where there is nothing to resume.

    Raises:
        ExperimentError: the folder's state cannot be read.
    """
    newest = newest_state(folder)
    if newest is None:
        return None
    trials = _trials(newest)
    if trials is None:
        trials = _trials(folder / KEPT)
    if trials is None:
        raise ExperimentError(f"--resume: {newest} is broken; start anew or use --restore CHECKPOINT")
    return trials or None  # Tune's record of no trial is of no use to it


def mend_state(folder: Path) -> None:
    """Put the last whole copy in the place of a broken record of Tune's."""
    newest = newest_state(folder)
    if newest is not None and _trials(newest) is None and _trials(folder / KEPT) is not None:
        _copy(folder / KEPT, newest)


def unfinished_trials(folder: Path, planned: int = 0) -> int | None:
    """Return the number of trials that are left to finish.

    Args:
        folder: The experiment's.
        planned: How many trials it is to have; those that have not been made yet are left, too.

    Returns:
        The number (0: all are finished), or None where there is nothing to resume.

    Raises:
        ExperimentError: the folder's state cannot be read.
    """
    trials = stored_trials(folder)
    if trials is None:
        return None
    unfinished = [each for each in trials if each.status != Trial.TERMINATED]
    return len(unfinished) + max(0, planned - len(trials))


def check_restorable(folder: Path, unmade: int) -> None:
    """Load Tune's record of an experiment as Tune will; it starts all over, without a word, where it cannot.

    Where the record is broken it is the last whole copy that Tune will find in its place.

    Args:
        folder: The experiment's.
        unmade: How many trials are still to be made.

    Raises:
        ExperimentError: a file of it is broken, or missing.
    """
    named = ("basic-variant-state", "search_gen_state")  # each a pickle, for all its suffix
    searcher = max((file for name in named for file in folder.glob(f"{name}-*.json")), default=None)
    if searcher is None and unmade:
        raise ExperimentError(
            f"--resume: {folder}: Tune's record of what is still to be tried is missing; start anew or use "
            "--restore CHECKPOINT"
        )
    state = newest_state(folder)
    if state is not None and _trials(state) is None:
        state = folder / KEPT
    for file, load in ((state, _load_trials), (searcher, cloudpickle.loads)):
        try:
            _ = file is not None and load(read_bytes(file))
        except Exception as error:  # a broken file raises anything
            if (fault := version_fault(error, folder)) is not None:
                raise ExperimentError(f"--resume: {folder}: {fault}") from None
            raise ExperimentError(
                f"--resume: {file} is broken: {reason(error)}; start anew or use --restore CHECKPOINT"
            ) from None


def _load_trials(state: bytes) -> None:
    for trial, metadata in _loads_with_cloudpickle(state)["trial_data"]:
        Trial.from_json_state(trial, stub=True)
        _TrainingRunMetadata.from_json_state(metadata)


class KeepState(Callback):  # type: ignore[misc]
    """Keeps a whole copy of Tune's record of the experiment.

    Tune writes that file in place; a `kill -9` in the middle would leave half of it, and nothing to resume.
    """

    @override
    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        keep_state(Path(trial.storage.experiment_fs_path))


def keep_state(folder: Path) -> None:
    """Copy the newest state of an experiment, if it is whole."""
    newest = newest_state(folder)
    if newest is not None and _trials(newest) is not None:
        _copy(newest, folder / KEPT)


def newest_state(folder: Path) -> Path | None:
    """The file of Tune's record, None where there is none."""
    return max(folder.glob("experiment_state-*.json"), default=None)


def _trials(state: Path) -> list[StoredTrial] | None:
    """Every trial, None where the file is not whole."""
    try:
        states = [parse_json(trial.encode()) for trial, _ in read_json(state)["trial_data"]]
        return [
            StoredTrial(str(each.get("trial_id")), str(each["status"]), mapping_at(each, "config"))
            for each in states
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return None


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that the target is whole at every moment."""
    half = target.with_suffix(".half")
    shutil.copyfile(source, half)
    half.replace(target)
