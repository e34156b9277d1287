"""Write reports of trials where they are to lie, line by line: `result.json` and `progress.csv`."""

import csv
from pathlib import Path

from ray.air.constants import EXPR_PROGRESS_FILE
from ray.tune.experiment import Trial
from ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback, LoggerCallback
from typing_extensions import override


class _InPlace(LoggerCallback):  # type: ignore[misc]
    """Ray's own copies what a trial has written back from the results; here it lies there, see `storing`."""

    @override
    def _restore_from_remote(self, file_name: str, trial: Trial) -> None:
        if trial.local_path != trial.storage.trial_fs_path:
            super()._restore_from_remote(file_name, trial)


class Reports(_InPlace, JsonLoggerCallback):  # type: ignore[misc]
    """Ray's own, in place."""


class Rows(_InPlace, CSVLoggerCallback):  # type: ignore[misc]
    """Ray's own writes the rows of a resumed trial in the order of its new results, under the old heading."""

    @override
    def log_trial_start(self, trial: Trial) -> None:
        """Lets go of the file of a trial that starts again: it is another one, see `going_back`."""
        self.log_trial_end(trial)

    @override
    def _setup_trial(self, trial: Trial) -> None:
        super()._setup_trial(trial)
        if self._trial_continue[trial]:
            with Path(trial.local_path, EXPR_PROGRESS_FILE).open(newline="", encoding="utf-8") as file:
                columns = next(csv.reader(file))
            self._trial_csv[trial] = csv.DictWriter(self._trial_files[trial], columns)
