"""Checkpoints on disk: which is the newest, is it whole, what does it belong to."""

import json
import pickle
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.train import build
from engram.train.environments import EnvFacts
from engram.train.errors import ExperimentError, reason
from engram.train.record import read_record

MODULE = Path("learner_group/learner/rl_module/default_policy")
_STEPS = "num_env_steps_sampled_lifetime"
_ROOT_MARK = "rllib_checkpoint.json"
_PARTS = (*reversed(MODULE.parents[:3]), MODULE)  # every algorithm has these


@dataclass(frozen=True)
class Source:
    """What a checkpoint was trained on.

    Attributes:
        env: The environment's id.
        env_config: Its keyword arguments.
        explore: `evaluation_config.explore`: whether evaluation draws actions; else the likeliest is taken.
    """

    env: str
    env_config: dict[str, Any]
    explore: bool = False


def find_checkpoint(path: str) -> Path:
    """The checkpoint a user means.

    Args:
        path: A checkpoint's folder, or a trial's or an experiment's: then the newest checkpoint inside.

    Raises:
        ExperimentError: nothing there, or no checkpoint of an RLlib algorithm.
    """
    folder = Path(path).expanduser().absolute()
    if not folder.exists():
        raise ExperimentError(f"{path}: no such folder")
    if is_whole(folder):
        return folder
    if folder.name.startswith("checkpoint_") or (folder / _ROOT_MARK).exists():
        raise ExperimentError(f"{path}: not a whole checkpoint: {next(_broken(folder))} is missing or broken")
    found = next((candidate for candidate in inside(folder) if is_whole(candidate)), None)
    if found is None:
        raise ExperimentError(f"{path}: no checkpoint of an RLlib algorithm in it (looked for checkpoint_*)")
    return found


def inside(folder: Path) -> list[Path]:
    """The checkpoints of a trial or an experiment, whole or not, newest first.

    Args:
        folder: The trial's folder or the experiment's.
    """
    return newest_first([*folder.glob("checkpoint_*"), *folder.glob("*/checkpoint_*")])


def newest_first(folders: list[Path]) -> list[Path]:
    """Checkpoint folders by age, newest first; those of a trial by their numbers, which a copy keeps.

    Args:
        folders: Any folders.
    """
    changed: dict[Path, float] = defaultdict(float)
    for folder in folders:
        changed[folder.parent] = max(changed[folder.parent], folder.stat().st_mtime)
    return sorted(folders, key=lambda folder: (changed[folder.parent], folder), reverse=True)


def is_whole(folder: Path) -> bool:
    """Whether everything that a restart needs can be read; a killed process leaves halves behind.

    Args:
        folder: A folder that may be a checkpoint.
    """
    return folder.is_dir() and next(_broken(folder), None) is None


def _broken(folder: Path) -> Iterator[Path]:
    """Files that are missing or cut off, relative to the checkpoint.

    RLlib saves each part of an algorithm as a folder of three files: a description that names the other two,
    how to build the part, and its state. Tune makes all folders of a copy before it fills them.
    """
    inside = (found.relative_to(folder) for found in sorted(folder.rglob("*")) if found.is_dir())
    for part in dict.fromkeys((Path(), *_PARTS, *inside)):
        description = part / ("metadata.json" if part.parts else _ROOT_MARK)
        try:
            names = json.loads((folder / description).read_text(encoding="utf-8"))
            files = [part / names["class_and_ctor_args_file"], part / f"{names['state_file']}.pkl"]
        except (OSError, ValueError, KeyError, TypeError):
            yield description
            continue
        yield from (file for file in files if not _loads(folder / file))


def _loads(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            pickle.load(stream)
    except (ImportError, AttributeError):
        return True  # whole, but of classes that are not installed here
    except Exception:  # a broken pickle raises anything
        return False
    return True


def load_module(checkpoint: Path) -> Any:
    """The RLModule of a checkpoint, without Ray.

    Args:
        checkpoint: From `find_checkpoint`.

    Raises:
        ExperimentError: it cannot be built.
    """
    from ray.rllib.core.rl_module.rl_module import RLModule

    try:
        return RLModule.from_checkpoint(str(checkpoint / MODULE))
    except Exception as error:  # a foreign class, other versions, broken files
        raise ExperimentError(f"{checkpoint}: its module cannot be loaded: {reason(error)}") from None


def check_fits(checkpoint: Path, config: Any, env: EnvFacts) -> Path:
    """Refuse a checkpoint that a new run could not start from.

    Args:
        checkpoint: From `find_checkpoint`.
        config: The new run's AlgorithmConfig.
        env: The new run's environment.

    Returns:
        The checkpoint.

    Raises:
        ExperimentError: another algorithm's, or another model's.
    """
    try:
        with (checkpoint / "class_and_ctor_args.pkl").open("rb") as stream:
            saved = pickle.load(stream)["class"].__name__
    except Exception as error:  # a broken pickle raises anything
        raise ExperimentError(
            f"{checkpoint}: does not say which algorithm it is of: {reason(error)}"
        ) from None
    run = build.trainable(config).__name__
    if saved != run:
        raise ExperimentError(f"--restore {checkpoint}: a checkpoint of {saved}, the experiment runs {run}")
    try:
        build.build_module(config, env).restore_from_path(checkpoint / MODULE)
    except Exception as error:  # torch raises RuntimeError, RLlib several others
        text = " ".join(str(error).split())[:300]
        raise ExperimentError(f"--restore {checkpoint}: made for another model: {text}") from None
    return checkpoint


def check_unfinished(checkpoint: Path, stop: Mapping[str, float]) -> None:
    """Refuse a checkpoint that has already trained as long as the new run is to train in all.

    Args:
        checkpoint: From `find_checkpoint`.
        stop: The new run's conditions; those that count env steps or iterations are looked at.

    Raises:
        ExperimentError: the run would stop after one iteration.
    """
    state = _algorithm_state(checkpoint)
    stats = state.get("metrics_logger", {}).get("stats", {})
    steps = stats.get(f"env_runners--{_STEPS}", {}).get("lifetime_sum") or 0
    reached = {
        "timesteps_total": steps,
        _STEPS: steps,
        "training_iteration": state.get("training_iteration", 0),
    }
    for key, count in reached.items():
        if key in stop and count >= stop[key]:
            raise ExperimentError(
                f"--restore {checkpoint}: already at {key} {count:,.10g}, and stop.{key} is "
                f"{stop[key]:,.10g}; legal: more than {count:,.10g}, the restored part counts"
            )


def source(checkpoint: Path) -> Source:
    """The environment a checkpoint was trained on, from `run.json` beside it or from its own configuration.

    Args:
        checkpoint: From `find_checkpoint`.

    Raises:
        ExperimentError: neither says.
    """
    recorded = _recorded_source(checkpoint.parent)
    if recorded is not None:
        return recorded
    try:
        with (checkpoint / "class_and_ctor_args.pkl").open("rb") as stream:
            arguments = pickle.load(stream)["ctor_args_and_kwargs"]
        config = arguments[0][0] if arguments[0] else arguments[1]["config"]
        if isinstance(config, dict):
            return Source(config["env"], dict(config.get("env_config") or {}), _explores(config))
        return Source(config.env, dict(config.env_config or {}), _explores(vars(config)))
    except Exception as error:
        raise ExperimentError(
            f"{checkpoint}: does not say which environment it is for: {reason(error)}"
        ) from None


def _recorded_source(trial_folder: Path) -> Source | None:
    record = read_record(trial_folder) or {}
    trial = record.get("trial_config")
    if not isinstance(trial, dict):
        return None
    env = trial.get("env", record.get("experiment", {}).get("env"))  # a trial's own where they are searched
    if not isinstance(env, str):
        return None
    env_config = trial.get("env_config") or {}
    return Source(env, env_config, _explores(trial)) if isinstance(env_config, dict) else None


def _explores(config: Mapping[str, Any]) -> bool:
    evaluation = config.get("evaluation_config")
    return isinstance(evaluation, Mapping) and evaluation.get("explore") is True


def training_iteration(checkpoint: Path) -> int:
    """The iteration after which a checkpoint was saved.

    Args:
        checkpoint: A whole checkpoint.
    """
    return int(_algorithm_state(checkpoint).get("training_iteration", 0))


def _algorithm_state(checkpoint: Path) -> dict[str, Any]:
    with (checkpoint / "algorithm_state.pkl").open("rb") as stream:
        state: dict[str, Any] = pickle.load(stream)
    return state
