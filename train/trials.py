"""What Ray Tune is given for each trial: its name, when it stops, its `run.json`."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial

from engram.train.build import space_path
from engram.train.progress import env_steps, lookup
from engram.train.record import write_record
from engram.train.search import Path as Place
from engram.train.search import put


def trial_name(trial: Trial) -> str:
    """`RecurrentPPO_TMaze-v0_1a2b3c4d`: the first part of a trial's folder.

    Args:
        trial: A Ray Tune trial.
    """
    env = str(trial.config.get("env", "")).rpartition("/")[2].rpartition(":")[2]
    return f"{trial.trainable_name}_{env}_{trial.trial_id}"


class StopConditions(Stopper):  # type: ignore[misc]
    """Ends a trial once one of its conditions is reached; a key that a result lacks is not reached.

    Args:
        conditions: Result key -> value.
    """

    def __init__(self, conditions: Mapping[str, float]) -> None:
        self.conditions = dict(conditions)

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether the trial ends after this result."""
        steps = {"timesteps_total": env_steps(result)}
        values = {key: steps.get(key, lookup(result, key)) for key in self.conditions}
        return any(value is not None and value >= self.conditions[key] for key, value in values.items())

    def stop_all(self) -> bool:
        """Never ends the other trials."""
        return False


class RecordTrials(Callback):  # type: ignore[misc]
    """Writes `run.json` into each trial's folder, with the settings of that trial.

    Args:
        record: The experiment's record.
        searched: Paths in `config` that differ between trials.
    """

    def __init__(self, record: Mapping[str, Any], searched: list[Place]) -> None:
        self.record = dict(record)
        self.searched = searched

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Write it; a resumed trial writes it anew."""
        if trial.storage.storage_filesystem.type_name != "local":
            return
        config = copy.deepcopy(self.record["experiment"]["config"])
        for place in self.searched:
            put(config, place, lookup(trial.config, "/".join(space_path(place))))
        record = self.record | {"trial_id": trial.trial_id, "trial_config": config}
        record["seeds"] = [trial.config.get("seed")]
        write_record(Path(trial.storage.trial_fs_path), record)
