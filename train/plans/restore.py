"""`restore`: can a new run start from this checkpoint."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engram.train.console.errors import ExperimentError
from engram.train.environments.facts import EnvFacts
from engram.train.plans import build, network
from engram.train.runs.checkpoints import algorithm_of, counts_reached, optimizer_groups
from engram.train.runs.wholeness import MODULE


def check_fits(checkpoint: Path, config: Any, env: EnvFacts) -> None:
    """Refuse a checkpoint that a new run could not start from, or not from all of it.

    Raises:
        ExperimentError: another algorithm's, or another model's.
    """
    saved = algorithm_of(checkpoint)
    if not saved:
        raise ExperimentError(f"{checkpoint}: does not say which algorithm it is of")
    run = build.trainable(config).__name__
    if saved != run:
        raise ExperimentError(f"--restore {checkpoint}: a checkpoint of {saved}, the experiment runs {run}")
    from engram.agents.models.transfer import read_state

    module = network.build_module(config, env)
    try:
        wrong = _difference(module, read_state(str(checkpoint)))
        wrong = wrong or _other_optimizer(module, config, checkpoint)
        if not wrong:
            module.restore_from_path(checkpoint / MODULE)
    except Exception as error:  # torch raises RuntimeError, RLlib several others
        wrong = f"made for another model: {' '.join(str(error).split())[:300]}"
    if wrong:
        raise ExperimentError(f"--restore {checkpoint}: {wrong}")


def _difference(module: Any, weights: Iterable[str]) -> str:
    """Say what would be dropped, or stay as it was drawn: RLlib does both without a word. Empty: nothing."""
    from ray.rllib.core.rl_module.apis import TargetNetworkAPI

    from engram.agents.models.moments import normalized_by

    stored, own = set(weights), set(module.state_dict())
    now, then = normalized_by(own), normalized_by(stored)
    for setting in now:
        if now[setting] != then[setting]:
            here, there = (str(each[setting]).lower() for each in (now, then))
            return f"trained with {setting}: {there}, here it is {here}; set config.{setting}: {there}"
    lacking = own - stored
    if isinstance(module, TargetNetworkAPI) and stored - own:  # only some learners have these networks
        module.make_target_networks()
        own = set(module.state_dict())
    for words, names in (("lacks {} weights", lacking), ("has {} weights too many", stored - own)):
        if names:
            some = ", ".join(sorted(names)[:3])
            return f"made for another model: it {words.format(len(names))}: {some}, ..."
    return ""


_MARKS = {"adam": "betas", "adamw": "betas", "rmsprop": "alpha", "sgd": "nesterov"}
"""A setting that optimizers of a type have, and those of the other types have not."""


def _other_optimizer(module: Any, config: Any, checkpoint: Path) -> str:
    """Say why what the optimizer of one of our learners remembers is of no use here. Empty: it is of use."""
    from engram.agents.columns.config import ColumnarConfig
    from engram.agents.columns.optimizers import optimizer_options

    groups = optimizer_groups(checkpoint)
    if not groups or not isinstance(config, ColumnarConfig):
        return ""
    alone = "or take over the weights alone, by --init-from"
    before = sum(len(group["params"]) for group in groups)
    now = sum(parameter.requires_grad for parameter in module.parameters())
    if before != now:
        return f"{before} weights were trained, here {now} are; set config.model.freeze as it was, {alone}"
    here = optimizer_options(getattr(config, "optimizer", {}))
    if _MARKS[here.type] not in groups[0] or bool(here.momentum) != bool(groups[0].get("momentum")):
        return (
            f"config.optimizer: {here.type} with momentum {here.momentum:g} cannot go on from what another "
            f"one remembers; set it as it was, {alone}"
        )
    return ""


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
