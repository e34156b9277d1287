"""Compare a stored run with the experiment that resumes it, and refuse changes it cannot take."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.train.console.errors import ExperimentError
from engram.train.console.files import mapping_at
from engram.train.experiments.experiment import Experiment

Differences = dict[str, tuple[Any, Any]]
"""Dotted path of a setting -> its value before and now, None where it has none."""

MAY_CHANGE = (
    "stop",
    "max_failures",
    "checkpoint_config.checkpoint_frequency",
    "checkpoint_config.checkpoint_at_end",
    "checkpoint_config.num_to_keep",
)
_WHERE = ("name", "storage_path")  # a folder may have been moved
_LONGEST = 60  # letters of a value in a message


@dataclass(frozen=True)
class ResumedRun:
    """A stored run that is resumed.

    Attributes:
        record: Its `run.json`.
        left: How many of its trials are not finished.
        trials: How many it has so far.
        changed: What it goes on with that is new.
        anew: How many of those that are left have no checkpoint to go on from.
        new_episodes: Why the others do not play on in the episodes that they were in; empty: they do.
        unmade: How many more are still to be made.
        over: Ids of those that are finished and have nothing left to do.
    """

    record: Mapping[str, Any]
    left: int
    trials: int
    changed: Differences
    anew: int = 0
    new_episodes: str = ""
    unmade: int = 0
    over: frozenset[str] = frozenset()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.left == 0 and self.unmade == 0

    @property
    def new_stop(self) -> bool:
        """Whether it is to stop elsewhere than it was."""
        return any(path.split(".")[0] == "stop" for path in self.changed)

    def __str__(self) -> str:
        """Describe the run in the header."""
        changed = f"; changed: {shown(self.changed)}" if self.changed else ""
        some = "" if self.anew == self.left + self.unmade else f"{self.anew} of them "
        anew = f"; {some}from the beginning: no checkpoint is saved" if self.anew else ""
        begin = self.new_episodes and self.anew < self.left
        episodes = f"; new episodes begin: {self.new_episodes}" if begin else ""
        more = f" and {self.unmade} that are still to be made" if self.unmade else ""
        trials = f"{self.left} of {self.trials} trials{more}"
        return f"{trials}, with its stored settings{anew}{episodes}{changed}"


def differences(stored: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> Differences:
    """Return the settings that differ between two resolved experiments; None counts as not set."""
    found: Differences = {}
    for key in sorted({*stored, *now}):
        before, after = stored.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found |= differences(before, after, f"{path}{key}.")
        elif before != after:
            found[f"{path}{key}"] = (before, after)
    return found


def allowed_changes(record: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> Differences:
    """Return what has changed since a run was started.

    Args:
        record: The run's `run.json`.
        now: The experiment as it is asked for now, from `resolved`.
        folder: The run's folder.

    Raises:
        ExperimentError: it cannot; each setting is named with its value before and now.
    """
    stored = mapping_at(record, "experiment")
    asked = json.loads(json.dumps(now, default=str))
    skipped = (*_WHERE, "restore") if stored.get("restore") else _WHERE
    found = {
        path: pair
        for path, pair in differences(_with_defaults(stored), _with_defaults(asked)).items()
        if path not in skipped
    }
    refused = {path: pair for path, pair in found.items() if not _may_change(path)}
    if refused:
        raise ExperimentError(
            f"--resume: {folder} was started with other settings: {shown(refused)}; a run goes on with its "
            "own, only stop, max_failures and checkpoint_config may change: take them back (it was started "
            f"by: {record.get('command')}), or start a new run from its weights with --restore {folder}"
        )
    return found


def _with_defaults(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in defaults, so that a key of a newer version is not a change."""
    defaults = Experiment(name="", run="", env="").model_dump(exclude_none=True)
    checkpoints = {**defaults["checkpoint_config"], **mapping_at(experiment, "checkpoint_config")}
    return {**defaults, **experiment, "checkpoint_config": checkpoints}


def _may_change(path: str) -> bool:
    return any(path == allowed or path.startswith(f"{allowed}.") for allowed in MAY_CHANGE)


def shown(found: Differences) -> str:
    """Format differences, such as `config.lr 0.003 -> 0.5`."""
    return ", ".join(f"{path} {_value(before)} -> {_value(now)}" for path, (before, now) in found.items())


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    text = f"{value:,.10g}" if isinstance(value, float) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
