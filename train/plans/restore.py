"""`restore`: can a new run start from this checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engram.train.console.errors import ExperimentError
from engram.train.environments.facts import EnvFacts
from engram.train.plans import build, network
from engram.train.runs.checkpoints import algorithm_of, counts_reached
from engram.train.runs.wholeness import MODULE


def check_fits(checkpoint: Path, config: Any, env: EnvFacts) -> Path:
    """Refuse a checkpoint that a new run could not start from.

    Returns:
        The checkpoint.

    Raises:
        ExperimentError: another algorithm's, or another model's.
    """
    saved = algorithm_of(checkpoint)
    if not saved:
        raise ExperimentError(f"{checkpoint}: does not say which algorithm it is of")
    run = build.trainable(config).__name__
    if saved != run:
        raise ExperimentError(f"--restore {checkpoint}: a checkpoint of {saved}, the experiment runs {run}")
    try:
        network.build_module(config, env).restore_from_path(checkpoint / MODULE)
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
    for key, count in counts_reached(checkpoint).items():
        if key in stop and count >= stop[key]:
            raise ExperimentError(
                f"--restore {checkpoint}: already at {key} {count:,.10g}, and stop.{key} is "
                f"{stop[key]:,.10g}; legal: more than {count:,.10g}, the restored part counts"
            )
