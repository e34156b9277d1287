"""Log settings and scores of trials for TensorBoard's HPARAMS tab."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorboardX.writer
from ray.tune.experiment import Trial
from ray.tune.logger import TBXLoggerCallback
from ray.tune.utils.util import flatten_dict
from tensorboardX.event_file_writer import EventFileWriter, EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import directory_check
from tensorboardX.summary import hparams
from typing_extensions import override

from engram.train.console.files import ABSENT, find
from engram.train.experiments.search import Path as Place
from engram.train.plans.build import space_path
from engram.train.running.storing import LOCAL
from engram.train.running.trials import trial_config
from engram.train.runs.results import env_steps, number_at, read_reports

ALWAYS: tuple[Place, ...] = (("seed",), ("lr",), ("model", "core", "type"))
"""Settings that are shown where an experiment does not name them, too."""

SCORES = {
    "return": "env_runners/episode_return_mean",
    "success": "env_runners/success_rate",
    "evaluation_return": "evaluation/env_runners/episode_return_mean",
}
"""Name of a column -> path of the score in a report."""


class StraightWriter(EventFileWriter):  # type: ignore[misc]
    """Writes events when they come, so that who logs them is told where that fails, once.

    tensorboardX has a thread do it. That ends with a traceback on the screen where the disk is full, and a
    little later, when its queue is full too, the run hangs.
    """

    def __init__(
        self, logdir: str, max_queue_size: int = 0, flush_secs: float = 0, filename_suffix: str = ""
    ) -> None:
        """Opens a new file; without a queue."""
        directory_check(logdir)
        self._logdir = logdir
        self._closed = False
        self._ev_writer = EventsWriter(str(Path(logdir, "events")), filename_suffix)

    @contextmanager
    def _open(self) -> Iterator[None]:
        """What is done with the file inside the block is the last, if it raises."""
        try:
            yield
        except BaseException:
            self._closed = True
            raise

    @override
    def reopen(self) -> None:
        """TensorboardX's own would start its thread; this one is never closed and written to again."""

    @override
    def add_event(self, event: Event) -> None:
        """Writes an event."""
        if not self._closed:
            with self._open():
                self._ev_writer.write_event(event)

    @override
    def flush(self) -> None:
        """Hands what is written to the system."""
        if not self._closed:
            with self._open():
                self._ev_writer.flush()

    @override
    def close(self) -> None:
        """Ends the file."""
        if not self._closed:
            self._closed = True
            self._ev_writer.close()


class BoardLogger(TBXLoggerCallback):  # type: ignore[misc]
    """Tune's logger for TensorBoard; its HPARAMS tab compares all trials, those of other experiments too.

    Tune's own shows there what was searched, for trials that have ended, beside every number of the last
    report. This one shows the settings as the file has them, from the first report on, and of the scores the
    last and the best, as far as there are any.
    """

    def __init__(self, experiment: Mapping[str, Any], searched: list[Place]) -> None:
        super().__init__()
        tensorboardX.writer.EventFileWriter = StraightWriter
        self.experiment = dict(experiment)
        self.searched = searched
        self._best: dict[Trial, dict[str, float]] = {}

    @override
    def log_trial_start(self, trial: Trial) -> None:
        """Opens a file of events and writes the settings; a trial that goes on knows its best scores.

        A TensorBoard that looks on forgets what it has seen beyond the checkpoint, see `going_back`.
        """
        super().log_trial_start(trial)
        self._best[trial] = {}
        local = trial.storage.storage_filesystem.type_name == LOCAL
        reports = read_reports(Path(trial.storage.trial_fs_path)) if local else []
        for report in reports:
            self._take(trial, report)
        if reports:
            start = SessionLog(status=SessionLog.START)
            goes_on = Event(step=env_steps(reports[-1]) + 1, session_log=start)
            self._trial_writer[trial].file_writer.add_event(goes_on)
        # TensorBoard would take the list of columns in the first trial's summary for that of all experiments;
        # without it, it puts them together itself.
        _columns, begin, self._end = hparams(self._settings(trial), {})
        self._trial_writer[trial].file_writer.add_summary(begin)

    @override
    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """Writes a report, and the scores so far."""
        super().log_trial_result(iteration, trial, result)
        writer, step = self._trial_writer[trial], env_steps(result)
        for name, value in self._take(trial, result).items():
            writer.add_scalar(f"hparams/{name}_last", value, global_step=step)
            writer.add_scalar(f"hparams/{name}_best", self._best[trial][name], global_step=step)

    def _take(self, trial: Trial, report: Mapping[str, Any]) -> dict[str, float]:
        """The scores of a report that are finite; keeps the best."""
        found = {name: number_at(report, path) for name, path in SCORES.items()}
        finite = {name: value for name, value in found.items() if value is not None and math.isfinite(value)}
        best = self._best[trial]
        best |= {name: max(value, best.get(name, -math.inf)) for name, value in finite.items()}
        return finite

    @override
    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        """Closes the file, and marks a trial that has not failed as a success."""
        if trial in self._trial_writer and not failed:
            self._trial_writer[trial].file_writer.add_summary(self._end)
        super().log_trial_end(trial, failed)

    @override
    def _try_log_hparams(self, trial: Trial, result: dict[str, Any]) -> None:
        """Called by Tune when a trial ends; all is written already."""

    def _settings(self, trial: Trial) -> dict[str, Any]:
        """Dotted path -> number, text or truth value."""
        config = trial_config(self.experiment["config"], self.searched, trial)
        always = {place: find(trial.config, space_path(place), ABSENT) for place in ALWAYS}
        defaults = {".".join(place): value for place, value in always.items() if value is not ABSENT}
        named = {"run": self.experiment["run"], "env": str(trial.config["env"]).rpartition(":")[2]}
        flat = defaults | named | flatten_dict(config, delimiter=".")
        return {path: _plain(value) for path, value in flat.items()}


def _plain(value: Any) -> Any:
    """A value as the tab can show it: a list or a missing value as text."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
