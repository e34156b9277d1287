"""Append to the `progress.csv` of a resumed trial, in the order of its own columns."""

import csv
from pathlib import Path

from ray.air.constants import EXPR_PROGRESS_FILE
from ray.tune.experiment import Trial
from ray.tune.logger import CSVLoggerCallback
from typing_extensions import override


class SameColumns(CSVLoggerCallback):  # type: ignore[misc]
    """Ray's own writes the rows of a resumed trial in the order of its new results, under the old heading."""

    @override
    def _setup_trial(self, trial: Trial) -> None:
        super()._setup_trial(trial)
        if self._trial_continue[trial]:
            with Path(trial.local_path, EXPR_PROGRESS_FILE).open(newline="", encoding="utf-8") as file:
                columns = next(csv.reader(file))
            self._trial_csv[trial] = csv.DictWriter(self._trial_files[trial], columns)


def cut_half_line(file: Path) -> None:
    """Cut off a last line that a killed process did not write to its end; what is appended would join it."""
    try:
        with file.open("rb+") as stream:
            stream.truncate(stream.read().rfind(b"\n") + 1)
    except FileNotFoundError:
        pass
