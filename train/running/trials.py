"""What Ray Tune is given for each trial: its name, its end, the checkpoints that it keeps, its `run.json`."""

import copy
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.train._internal.checkpoint_manager import _CheckpointManager
from ray.train._internal.session import _TrainingResult
from ray.tune import Callback, Checkpoint, Stopper
from ray.tune.experiment import Trial
from ray.tune.utils.util import flatten_dict
from typing_extensions import override

from engram.train.environments.ids import short_name, written
from engram.train.experiments.search import Path as Place
from engram.train.experiments.search import put
from engram.train.plans.build import space_path
from engram.train.runs.checkpoints import lost_lanes
from engram.train.runs.labels import safe
from engram.train.runs.record import write_record
from engram.train.runs.results import env_steps, lookup


def trial_name(trial: Trial) -> str:
    """`RecurrentPPO_TMaze-v0_1a2b3_00000`, what Tune calls a trial; `running.naming` adds its settings."""
    return f"{trial.trainable_name}_{env_name(trial)}_{trial.trial_id}"


def env_name(trial: Trial) -> str:
    """`TMaze-v0`: the id of a trial's environment without what stands before it, in safe characters."""
    return safe(short_name(str(trial.config.get("env", ""))))


class StopConditions(Stopper):  # type: ignore[misc]
    """Ends a trial once one of its conditions is reached.

    What a result lacks is not reached, nor is NaN: returns and lengths before the first episode has ended.
    """

    def __init__(self, conditions: Mapping[str, float]) -> None:
        self.conditions = dict(conditions)

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether the trial ends after this result."""
        steps = {"timesteps_total": env_steps(result)}
        values = {key: steps.get(key, lookup(result, key)) for key in self.conditions}
        return any(value is not None and value >= self.conditions[key] for key, value in values.items())

    @override
    def stop_all(self) -> bool:
        """Never ends the other trials."""
        return False


class ScoredCheckpoints(_CheckpointManager):  # type: ignore[misc]
    """Keeps a trial's best checkpoints by a score that a result holds at any depth.

    Ray's own looks for `evaluation/env_runners/episode_return_mean` at the top of a result, does not find it,
    and keeps the newest ones. Here a result without a score counts as the worst, and so does one with the
    score of a checkpoint that is kept: the first of equals stays. RLlib's results repeat the score of an
    evaluation until the next one.
    """

    @override
    def register_checkpoint(self, checkpoint_result: _TrainingResult) -> None:
        """Takes in a new checkpoint, its result flattened, and deletes the worst one that is too many."""
        score = self.checkpoint_config.checkpoint_score_attribute
        metrics = flatten_dict(checkpoint_result.metrics)
        if score is not None:
            kept = [result.metrics[score] for result in self._checkpoint_results]
            value = metrics.get(score, math.nan)
            metrics[score] = math.nan if value in kept else value
        super().register_checkpoint(_TrainingResult(checkpoint_result.checkpoint, metrics))


class KeepBest(Callback):  # type: ignore[misc]
    """Lets each new trial keep its checkpoints by their scores."""

    @override
    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Before it has any; a resumed trial has what it was given at first."""
        manager = trial.run_metadata.checkpoint_manager
        if manager.latest_checkpoint_result is None:
            trial.run_metadata.checkpoint_manager = ScoredCheckpoints(manager.checkpoint_config)


def trial_config(config: Mapping[str, Any], searched: list[Place], trial: Trial) -> dict[str, Any]:
    """The `config` of an experiment with a trial's own values in place of the search spaces."""
    own = copy.deepcopy(dict(config))
    for place in searched:
        put(own, place, lookup(trial.config, "/".join(space_path(place))))
    if "env" in own:
        own["env"] = written(own["env"])
    return own


class RecordTrials(Callback):  # type: ignore[misc]
    """Writes `run.json` into each trial's folder, with the settings of that trial."""

    def __init__(self, record: Mapping[str, Any], searched: list[Place]) -> None:
        self.record = dict(record)
        self.searched = searched

    @override
    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Write it; a resumed trial writes it anew."""
        if trial.storage.storage_filesystem.type_name != "local":
            return
        config = trial_config(self.record["experiment"]["config"], self.searched, trial)
        record = self.record | {"trial_id": trial.trial_id, "trial_config": config}
        record["seeds"] = [trial.config.get("seed")]
        write_record(Path(trial.storage.trial_fs_path), record)


class TellLost(Callback):  # type: ignore[misc]
    """Says with a trial's first checkpoint why its environments are not in it, each reason once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    @override
    def on_checkpoint(
        self, iteration: int, trials: list[Trial], trial: Trial, checkpoint: Checkpoint, **info: Any
    ) -> None:
        if trial.trial_id in self._seen or not Path(checkpoint.path).is_dir():
            return  # or in a store elsewhere
        lost = lost_lanes(Path(checkpoint.path))
        if lost and lost not in self._seen:
            print(f"warning: {checkpoint.path}: resumed, it begins new episodes: {lost}", file=sys.stderr)
        self._seen |= {trial.trial_id, lost or ""}
