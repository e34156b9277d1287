"""Read the trials of a run from disk, with settings and reports."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.tune.utils.util import flatten_dict

from engram.train.console.errors import ExperimentError, last_words
from engram.train.console.files import find, mapping_at, parse_json, read_bytes, read_json, subfolders
from engram.train.runs.labels import natural
from engram.train.runs.record import FILE as RECORD
from engram.train.runs.record import read_record
from engram.train.runs.tune_state import stored_trials
from engram.train.runs.wholeness import ROOT_MARK

REPORTS, FAILURE = "result.json", "error.txt"
TENTH = 10
_COUNTS = ("training_iteration", "timesteps_total", "num_env_steps_sampled_lifetime", "time_total_s")


@dataclass(frozen=True)
class Trial:
    """One trial of an experiment.

    Attributes:
        folder: Where it lies.
        experiment: The experiment's name.
        env: The environment's id.
        config: Its settings; where the experiment searches, those of this trial.
        reports: What it reported, in the order of training.
        unread: Lines of its reports that cannot be read, but for the last one, which may not be written yet.
    """

    folder: Path
    experiment: str
    env: str
    config: dict[str, Any]
    reports: list[dict[str, Any]]
    unread: int = 0

    @property
    def name(self) -> str:
        """The last two folders of its path: experiment and trial."""
        return "/".join(self.folder.parts[-2:])

    @property
    def seed(self) -> int | None:
        """Its seed, None where it has none."""
        seed = self.config.get("seed")
        return seed if isinstance(seed, int) else None

    def unfinished(self) -> str:
        """Why it has not reached its stop condition; empty where it has."""
        if self.reports and self.reports[-1].get("done") is True:
            return ""
        try:
            failure = read_bytes(self.folder / FAILURE).decode(errors="replace")
        except OSError:
            if not self.reports:
                return "no report: still in its first iteration, or stopped before it had ended"
            steps = env_steps(self.reports[-1])
            return f"still running or stopped, at {steps:,} env steps"
        return f"failed: {last_words(failure)}"


def split_finished(trials: Iterable[Trial]) -> tuple[list[Trial], list[str]]:
    """The trials that have reached their stop condition, and a line for each other one."""
    reasons = [(trial, trial.unfinished()) for trial in trials]
    finished = [trial for trial, reason in reasons if not reason]
    return finished, [f"left out: {trial.name}: {reason}" for trial, reason in reasons if reason]


def read_trials(folder: Path) -> list[Trial]:
    """The trials of an experiment, finished or not, by name.

    Args:
        folder: The experiment's folder; or a trial's, or that of one of its checkpoints: then this trial.

    Raises:
        ExperimentError: there is no such folder, or no whole trial in it.
    """
    if not folder.is_dir():
        raise ExperimentError(f"{folder}: no such folder")
    found = [(each, _settings(each)) for each in _trial_folders(folder)]
    trials = [
        Trial(each, *settings, *_read_lines(each)) for each, settings in found if isinstance(settings, tuple)
    ]
    if not trials:
        broken = "; ".join(damaged_trials(folder))
        raise ExperimentError(
            broken
            or _not_begun(folder)
            or f"{folder}: no trial of `rllib train` in it; expected the folder of an experiment or a trial"
        )
    return trials


def differing_settings(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Return the settings by which trials of one experiment differ, but for the seed.

    Args:
        trials: Of one experiment.

    Returns:
        For each trial, dotted path -> value.
    """
    flat = [flatten_dict(trial.config, delimiter=".") for trial in trials]
    paths = dict.fromkeys(path for settings in flat for path in settings if path != "seed")
    differing = [path for path in paths if any(each.get(path) != flat[0].get(path) for each in flat)]
    return [{path: each[path] for path in differing if path in each} for each in flat]


def _not_begun(folder: Path) -> str:
    """What to say of an experiment of which no trial has begun; empty where it is something else."""
    if read_record(folder) is None:
        return ""
    try:
        ids = [each.trial_id for each in stored_trials(folder) or ()]
    except ExperimentError:
        return ""
    return f"{folder}: no trial of it has begun{'; waiting: ' if ids else ''}{', '.join(ids)}"


def damaged_trials(folder: Path) -> list[str]:
    """Trials that `read_trials` cannot read and leaves out, and which of their files is to blame."""
    found = [_settings(each) for each in _trial_folders(folder)]
    return [fault for fault in found if isinstance(fault, str)]


def _trial_folders(folder: Path) -> list[Path]:
    if folder.name.startswith("checkpoint_") or (folder / ROOT_MARK).is_file():
        folder = folder.absolute().parent
    inner = "trial_config" in (read_record(folder) or {}) or (folder / REPORTS).is_file()
    return [folder] if inner else sorted(subfolders(folder), key=lambda each: natural(each.name))


def _settings(folder: Path) -> tuple[str, str, dict[str, Any]] | str | None:
    """Return a trial's experiment, environment and settings; or the fault; None: not a trial's folder."""
    try:
        record = read_json(folder / RECORD)
    except FileNotFoundError:
        return f"{folder / RECORD}: missing" if (folder / REPORTS).is_file() else None
    except OSError as error:
        return f"{folder / RECORD}: {error.strerror or error}"
    except ValueError:
        return f"{folder / RECORD}: broken, no JSON"
    experiment = mapping_at(record, "experiment")
    if experiment and "trial_config" not in record:
        return None  # an experiment's own
    config = mapping_at(record, "trial_config")
    if not experiment or not isinstance(config.get("env_config") or {}, Mapping):
        return f"{folder / RECORD}: broken, not as `rllib train` writes it"
    env = str(config.get("env", experiment.get("env"))).rpartition(":")[2]
    return str(experiment.get("name")), env, config


def read_reports(trial_folder: Path) -> list[dict[str, Any]]:
    """The reports of a trial, one for each training iteration.

    A trial that went on from an older checkpoint has made some iterations twice; the later ones count.
    """
    return _read_lines(trial_folder)[0]


def _read_lines(trial_folder: Path) -> tuple[list[dict[str, Any]], int]:
    """The reports, and how many lines before the last cannot be read."""
    try:
        lines = read_bytes(trial_folder / REPORTS).splitlines()
    except OSError:
        return [], 0
    reports: list[dict[str, Any]] = []
    unread = 0
    for number, line in enumerate(lines, start=1):
        try:
            report = parse_json(line)
        except ValueError:
            report = None
        if not _is_report(report):
            unread += number < len(lines)  # the last may be the one that is being written
            continue
        while reports and _iteration(reports[-1]) >= _iteration(report):
            reports.pop()
        reports.append(report)
    return reports, unread


def _is_report(report: Any) -> bool:
    """Whether it is a mapping, and what is counted in it are numbers."""
    counts = [report.get(key) for key in _COUNTS] if isinstance(report, dict) else [""]
    return all(count is None or (isinstance(count, int | float) and math.isfinite(count)) for count in counts)


def _iteration(report: dict[str, Any]) -> int:
    return int(report.get("training_iteration") or 0)


def lookup(result: Mapping[str, Any], key: str) -> Any:
    """Return a value of a result, at `env_runners/episode_return_mean` say; None where there is none.

    Tune gives its schedulers and searchers results that are flat.
    """
    return result[key] if key in result else find(result, key.split("/"))


def number_at(result: Mapping[str, Any], key: str) -> float | None:
    """A number deep in a result; None where there is none, or one that is not finite.

    A value that an older version reported before the first episode had ended does not count.
    """
    value = lookup(result, key)
    number = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if number and not _of_unfinished_episodes(result, key) else None


def last_values(trial: Trial, key: str) -> list[float]:
    """Return the numbers at a key in the last tenth of a trial's reports, rounded up, where they have it."""
    count = -(-len(trial.reports) // TENTH)
    values = [number_at(report, key) for report in trial.reports[len(trial.reports) - count :]]
    return [value for value in values if value is not None]


def _of_unfinished_episodes(result: Mapping[str, Any], key: str) -> bool:
    """Whether a key is about episodes, and none has ended; `run: Supervised` has answers instead of them."""
    section, found, name = key.rpartition("env_runners/")
    if not found or not name.startswith(("episode_", "success_rate")):
        return False
    ended = lookup(result, f"{section}env_runners/num_episodes_in_window")
    return ended == 0 and lookup(result, "learners/default_policy/answers") is None


def env_steps(result: Mapping[str, Any]) -> int:
    """Env steps since the start of training, resumed parts included."""
    return int(result.get("timesteps_total") or result.get("num_env_steps_sampled_lifetime") or 0)
