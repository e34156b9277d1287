"""Checkpoints on disk: which is the newest, is it whole, what does it belong to."""

import dataclasses
import math
import os
import pickle
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engram.train.console.errors import ExperimentError, reason
from engram.train.console.files import is_file, mapping_at, naming, read_bytes, subfolders, typed_path
from engram.train.console.screen import quiet
from engram.train.runs import pickles
from engram.train.runs.record import read_record, version_fault
from engram.train.runs.wholeness import MODULE, ROOT_MARK, fault, is_whole

_STEPS = "num_env_steps_sampled_lifetime"


@dataclasses.dataclass(frozen=True)
class TrainedOn:
    """What a checkpoint was trained on.

    Attributes:
        env: The environment's id.
        env_config: Its keyword arguments.
        evaluation: `evaluation_config.env_config`: those that are others in evaluations.
        explore: `evaluation_config.explore`: whether evaluation draws actions; else the likeliest is taken.
    """

    env: str
    env_config: dict[str, Any]
    evaluation: dict[str, Any] = dataclasses.field(default_factory=dict)
    explore: bool = False


def find_checkpoint(path: str) -> Path:
    """The checkpoint a user means; nothing in it, or in others beside it, is loaded.

    Args:
        path: A checkpoint's folder, or a trial's or an experiment's: then the newest whole checkpoint inside,
            with a notice where a newer one is damaged.

    Raises:
        ExperimentError: nothing there, or no whole checkpoint of an RLlib algorithm.
    """
    with naming(path):
        folder = typed_path(path).absolute()
        if not path or not folder.exists():
            raise ExperimentError(f"{path or 'an empty path'}: no such folder")
        if folder.is_dir():
            os.listdir(folder)  # raises where it must not be looked into
    if is_whole(folder):
        return folder
    if _is_named(folder) or is_file(folder / ROOT_MARK):
        raise ExperimentError(f"{path}: not a whole checkpoint: {_inner(folder)} is missing or broken")
    candidates = inside(folder)
    found = newest_whole(candidates)
    if found is not None:
        return found
    if candidates:
        broken = candidates[0].relative_to(folder) / _inner(candidates[0])
        more = f" (and so are {len(candidates) - 1} older ones)" if len(candidates) > 1 else ""
        raise ExperimentError(f"{path}: no whole checkpoint in it: {broken} is missing or broken{more}")
    closed = [inner.name for inner in subfolders(folder) if not os.access(inner, os.R_OK | os.X_OK)]
    unseen = f"; it may not be looked into: {', '.join(closed[:3])}" if closed else ""
    raise ExperimentError(
        f"{path}: no checkpoint of an RLlib algorithm in it (looked for checkpoint_*){unseen}"
    )


def _inner(checkpoint: Path) -> Path:
    """The damaged file of a checkpoint, relative to it."""
    return (fault(checkpoint) or checkpoint).relative_to(checkpoint)


def newest_whole(candidates: Iterable[Path], tell: bool = True) -> Path | None:
    """The first whole checkpoint; None where none is.

    Args:
        candidates: Newest first.
        tell: Whether a notice names one before it that is damaged.
    """
    damaged: list[Path] = []
    for candidate in candidates:
        broken = fault(candidate)
        if broken is None:
            if tell:
                tell_damaged(damaged, candidate)
            return candidate
        damaged.append(broken)
    return None


def tell_damaged(files: Sequence[Path], used: Path) -> None:
    """Say on one line that checkpoints are damaged, and which is used; nothing where none is."""
    if files:
        more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
        print(
            f"notice: a checkpoint is damaged: {files[0]} is missing or broken{more}; whole is {used}",
            file=sys.stderr,
        )


def inside(folder: Path) -> list[Path]:
    """The checkpoints of a trial or an experiment, whole or not, newest first.

    Args:
        folder: The trial's folder or the experiment's; others are looked into no deeper than these.
    """
    own = subfolders(folder)
    deeper = [found for trial in own if not _is_named(trial) for found in subfolders(trial)]
    return newest_first([found for found in (*own, *deeper) if _is_named(found)])


def _is_named(folder: Path) -> bool:
    return folder.name.startswith("checkpoint_")


def newest_first(folders: list[Path]) -> list[Path]:
    """Checkpoint folders by age, newest first; those of a trial by their numbers, which a copy keeps."""
    changed: dict[Path, float] = defaultdict(float)
    for folder in folders:
        changed[folder.parent] = max(changed[folder.parent], _changed(folder))
    return sorted(folders, key=lambda folder: (changed[folder.parent], folder), reverse=True)


def _changed(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # deleted meanwhile
        return 0.0


def load_module(checkpoint: Path) -> Any:
    """The RLModule of a checkpoint, without Ray.

    Raises:
        ExperimentError: it cannot be built.
    """
    from ray.rllib.core.rl_module.rl_module import RLModule

    quiet()
    try:
        # RLlib would build a bare RLModule, without a word, where the class cannot be found.
        pickle.loads(read_bytes(checkpoint / MODULE / "class_and_ctor_args.pkl"))
        return RLModule.from_checkpoint(str(checkpoint / MODULE))
    except Exception as error:  # a foreign class, other versions, broken files
        fault = version_fault(error, checkpoint.parent) or f"its module cannot be loaded: {reason(error)}"
        raise ExperimentError(f"{checkpoint}: {fault}") from None


def algorithm_of(checkpoint: Path) -> str:
    """The class of the algorithm that saved a checkpoint; empty where it does not say."""
    return getattr(_constructed(checkpoint).get("class"), "called", "")


def counts_reached(checkpoint: Path) -> dict[str, float]:
    """How long a checkpoint has trained, under the names that `stop` has for it.

    Returns:
        Env steps and iterations, 0 where the checkpoint does not say.
    """
    counted = mapping_at(_state(checkpoint), "metrics_logger", "stats", f"env_runners--{_STEPS}")
    steps = _count(counted.get("lifetime_sum"))
    return {
        "timesteps_total": steps,
        _STEPS: steps,
        "training_iteration": training_iteration(checkpoint),
    }


def optimizer_groups(checkpoint: Path) -> list[dict[str, Any]]:
    """The settings of a checkpoint's optimizers, `params` among them; empty: it does not say."""
    stored = mapping_at(_outline(checkpoint / MODULE.parents[1] / "state.pkl"), "optimizer")
    groups = [mapping_at(each, "state").get("param_groups", []) for each in stored.values()]
    return [group for each in groups for group in each]


def source(checkpoint: Path) -> TrainedOn:
    """The environment a checkpoint was trained on, from `run.json` beside it or from its own configuration.

    Raises:
        ExperimentError: neither says.
    """
    recorded = _recorded_source(checkpoint.parent)
    if recorded is not None:
        return recorded
    arguments = _constructed(checkpoint).get("ctor_args_and_kwargs")
    config = _first_argument(arguments)
    env, env_config = config.get("env"), config.get("env_config") or {}
    if not isinstance(env, str) or not isinstance(env_config, dict) or not pickles.is_plain(env_config):
        raise ExperimentError(f"{checkpoint}: does not say which environment it is for")
    return TrainedOn(env, env_config, *_evaluation(config))


def _first_argument(arguments: Any) -> dict[str, Any]:
    """The settings that an algorithm was made with, however it was given them; empty: it does not say."""
    try:
        config = arguments[0][0] if arguments[0] else arguments[1]["config"]
    except (TypeError, KeyError, IndexError):
        return {}
    return mapping_at(config.state if isinstance(config, pickles.StandIn) else config)


def _recorded_source(trial_folder: Path) -> TrainedOn | None:
    record = read_record(trial_folder) or {}
    trial = record.get("trial_config")
    if not isinstance(trial, dict):
        return None
    env = trial.get("env", record.get("experiment", {}).get("env"))  # a trial's own where they are searched
    if not isinstance(env, str):
        return None
    env_config = trial.get("env_config") or {}
    return TrainedOn(env, env_config, *_evaluation(trial)) if isinstance(env_config, dict) else None


def _evaluation(config: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """What evaluations set: the environment's keyword arguments, and whether actions are drawn."""
    evaluation = mapping_at(config, "evaluation_config")
    env_config = mapping_at(evaluation, "env_config")
    return env_config if pickles.is_plain(env_config) else {}, evaluation.get("explore") is True


def training_iteration(checkpoint: Path) -> int:
    """The iteration after which a checkpoint was saved; 0 where it does not say."""
    return int(_count(_state(checkpoint).get("training_iteration")))


def lost_lanes(checkpoint: Path) -> str | None:
    """Why a checkpoint lacks the lanes of its trial, which begin new episodes when it goes on.

    Returns:
        Empty where it has them; None where it knows of none, as those of RLlib's own algorithms.
    """
    from engram.agents.columns.under_way import LOST, UNDER_WAY

    kept = _state(checkpoint).get(UNDER_WAY)
    return str(kept.get(LOST, "")) if isinstance(kept, dict) else None


def _count(value: Any) -> float:
    return value if isinstance(value, int | float) and math.isfinite(value) else 0


def _state(checkpoint: Path) -> dict[str, Any]:
    return _outline(checkpoint / "algorithm_state.pkl")


def _constructed(checkpoint: Path) -> dict[str, Any]:
    """What the algorithm was made from."""
    return _outline(checkpoint / "class_and_ctor_args.pkl")


def _outline(file: Path) -> dict[str, Any]:
    try:
        return mapping_at(pickles.outline(read_bytes(file)))
    except (OSError, ValueError):
        return {}
