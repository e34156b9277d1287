"""What runs of `rllib train` have left on disk: their trials, with settings and reports."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.train.errors import ExperimentError
from engram.train.progress import env_steps
from engram.train.record import read_record
from engram.train.runner import last_words

REPORTS, FAILURE = "result.json", "error.txt"


@dataclass(frozen=True)
class Trial:
    """One trial of an experiment.

    Attributes:
        folder: Where it lies.
        experiment: The experiment's name.
        env: The environment's id.
        config: Its settings; where the experiment searches, those of this trial.
        reports: What it reported, in the order of training.
    """

    folder: Path
    experiment: str
    env: str
    config: dict[str, Any]
    reports: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """The last two folders of its path: experiment and trial."""
        return "/".join(self.folder.parts[-2:])

    def unfinished(self) -> str:
        """Why it has not reached its stop condition; empty where it has."""
        if self.reports and self.reports[-1].get("done") is True:
            return ""
        failure = self.folder / FAILURE
        if failure.is_file():
            return f"failed: {last_words(failure.read_text(encoding='utf-8', errors='replace'))}"
        steps = env_steps(self.reports[-1]) if self.reports else 0
        return f"still running or stopped, at {steps:,} env steps"


def read_trials(folder: Path) -> list[Trial]:
    """The trials of an experiment, finished or not, by name.

    Args:
        folder: The experiment's folder.

    Raises:
        ExperimentError: there is no such folder, or no trial in it.
    """
    if not folder.is_dir():
        raise ExperimentError(f"{folder}: no such folder")
    trials = [trial for inside in sorted(folder.iterdir()) if (trial := _read_trial(inside)) is not None]
    if not trials:
        raise ExperimentError(f"{folder}: no trial of `rllib train` in it; expected an experiment's folder")
    return trials


def _read_trial(folder: Path) -> Trial | None:
    record = read_record(folder) or {}
    config = record.get("trial_config")
    if not isinstance(config, dict):
        return None
    experiment = record["experiment"]
    env = str(config.get("env", experiment.get("env"))).rpartition(":")[2]
    return Trial(folder, str(experiment.get("name")), env, config, read_reports(folder))


def read_reports(trial_folder: Path) -> list[dict[str, Any]]:
    """The reports of a trial, one for each training iteration.

    A trial that went on from an older checkpoint has made some iterations twice; the later ones count.

    Args:
        trial_folder: Where `result.json` lies, or not yet.
    """
    try:
        lines = (trial_folder / REPORTS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    reports: list[dict[str, Any]] = []
    for line in lines:
        try:
            report = json.loads(line)
        except ValueError:
            continue  # the line that was being written
        if isinstance(report, dict):
            while reports and _iteration(reports[-1]) >= _iteration(report):
                reports.pop()
            reports.append(report)
    return reports


def _iteration(report: dict[str, Any]) -> int:
    return int(report.get("training_iteration", 0))
