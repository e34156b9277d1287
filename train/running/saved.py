"""Report what an interrupted run has saved: the newest checkpoint of each trial, and trials without one."""

from collections.abc import Iterator
from pathlib import Path

from engram.train.console.files import subfolders
from engram.train.runs.checkpoints import newest_first, newest_whole, training_iteration
from engram.train.runs.record import read_record
from engram.train.runs.results import env_steps, read_reports
from engram.train.runs.tune_state import stored_trials


def newest_checkpoint(trial_folder: Path, tell: bool = True) -> Path | None:
    """The newest whole checkpoint of a trial, None where there is none.

    Args:
        trial_folder: The trial's folder.
        tell: Whether a notice names a newer one that is damaged.
    """
    return newest_whole(newest_first(list(trial_folder.glob("checkpoint_*"))), tell)


def trial_folders(folder: Path) -> dict[str, Path]:
    """Folders of an experiment's trials by the trial's id; a trial that has not begun has none."""
    records = ((each, read_record(each) or {}) for each in subfolders(folder))
    return {str(record["trial_id"]): each for each, record in records if "trial_id" in record}


def saved(folder: Path) -> Iterator[str]:
    """Say of each trial of an experiment what is saved and how far that is.

    Yields:
        A line for each trial that has a checkpoint or has reported, and one for all the others.
    """
    if not folder.is_dir():
        yield f"{folder} is gone, and with it what was saved there"
        return
    begun = trial_folders(folder)
    ids = dict.fromkeys([*(each.trial_id for each in stored_trials(folder) or ()), *begun])
    unsaved = 0
    for trial_id in ids:
        said = _newest(begun[trial_id]) if trial_id in begun else None
        if said is not None:
            yield said
        else:
            unsaved += 1
    if unsaved or not ids:
        of = f" of {unsaved:,} of {len(ids):,} trials" if len(ids) > 1 else ""
        yield f"nothing was saved yet{of}: no iteration had ended"


def kept_of_failed(trial_folder: Path, frequency: int) -> str:
    """Say what a trial that has failed leaves to go on from.

    Args:
        trial_folder: The trial's folder.
        frequency: `checkpoint_config.checkpoint_frequency`.
    """
    said = _newest(trial_folder)
    if said is None:
        return f"nothing is saved of {trial_folder}: no iteration had ended"
    kept = newest_checkpoint(trial_folder) is not None
    return said if kept else f"{said}: checkpoint_config.checkpoint_frequency is {frequency:,}"


def _newest(trial_folder: Path) -> str | None:
    """Where the newest checkpoint of a trial is, or that there is none; None where it has not reported."""
    reports = read_reports(trial_folder)
    checkpoint = newest_checkpoint(trial_folder)
    if checkpoint is not None:
        iteration = training_iteration(checkpoint)
        steps = [env_steps(each) for each in reports if each.get("training_iteration") == iteration]
        far = [f"iteration {iteration:,}", *(f"{count:,} env steps" for count in steps)]
        return f"checkpoint: {checkpoint} ({', '.join(far)})"
    if not reports:
        return None
    far = [f"iteration {len(reports):,}", f"{env_steps(reports[-1]):,} env steps"]
    return f"nothing is saved of {trial_folder}, which had come to {', '.join(far)}"
