"""Trained agents as files to share: weights with a card, or one step as ONNX."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engram.agents.models.moments import NORMALIZATION, NormalizationOptions
from engram.agents.models.network import Network
from engram.agents.models.recurrent_network import ModelConfig
from engram.agents.models.thinking_network import ThinkingConfig, ThinkingNetwork
from engram.agents.stock.module import StockRecurrentModule
from engram.policy.card import Card, card_of
from engram.policy.files import write_policy
from engram.policy.onnx import missing_packages, write_onnx
from engram.train.console.errors import ExperimentError
from engram.train.console.files import mapping_at, naming
from engram.train.evaluation.agent import TrainedAgent
from engram.train.runs import checkpoints
from engram.train.runs.record import read_record
from engram.train.runs.results import number_at, read_reports
from engram.train.runs.scores import TRAINING

WEIGHTS, STEP = ".safetensors", ".onnx"
SUFFIXES = (WEIGHTS, STEP)


def check_packages(suffix: str) -> None:
    """Raises ExperimentError where a file of that suffix needs packages that are not installed."""
    missing = missing_packages() if suffix == STEP else []
    if missing:
        raise ExperimentError(f'--out: {STEP} needs {" and ".join(missing)}; pip install "engram[onnx]"')


def write_shared(agent: TrainedAgent, file: Path) -> Card:
    """Write an agent's policy, as the suffix of the file says.

    Args:
        agent: From `load_agent`.
        file: Where to; its suffix is one of `SUFFIXES`.

    Returns:
        The card that was written.

    Raises:
        ExperimentError: It is no policy of this package's, or the file cannot be written.
    """
    if not isinstance(agent.module, Network):
        raise ExperimentError(
            f"export: {agent.checkpoint}: its network is RLlib's own, {type(agent.module).__name__}; "
            "a policy with config.model.core can be shared"
        )
    with naming(f"export: {agent.checkpoint}"):
        card = make_card(agent)
        write = write_onnx if file.suffix == STEP else write_policy
        write(file, agent.module, card)
    return card


def make_card(agent: TrainedAgent) -> Card:
    """Make the card of an agent from its network, and from what lies beside its checkpoint.

    Raises:
        ValueError: The network's spaces cannot be written.
    """
    module, trial = agent.module, agent.checkpoint.parent
    known = ThinkingConfig if isinstance(module, ThinkingNetwork) else ModelConfig
    model = {key: value for key, value in module.model_config.items() if key in known.__dataclass_fields__}
    normalised = module.model_config.get(NORMALIZATION)
    record = read_record(trial) or {}
    return card_of(
        module,
        model,
        normalization=None if normalised is None else NormalizationOptions(*normalised)._asdict(),
        rescaled=isinstance(module, StockRecurrentModule) and module.actions.kind.endswith("gaussian"),
        explore=not agent.greedy,
        env=agent.env_id,
        env_config=checkpoints.source(agent.checkpoint).env_config,
        algorithm=checkpoints.algorithm_of(agent.checkpoint) or None,
        env_steps=int(checkpoints.counts_reached(agent.checkpoint)["timesteps_total"]) or None,
        seed=mapping_at(record, "trial_config").get("seed"),
        command=record.get("command"),
        versions=mapping_at(record, "versions"),
        git_commit=record.get("git_commit"),
        **_reported(agent.checkpoint),
    )


def _reported(checkpoint: Path) -> Mapping[str, Any]:
    """Returns of training, and the date, from the reports up to that of the checkpoint."""
    iteration = checkpoints.training_iteration(checkpoint)
    reports = [
        each
        for each in read_reports(checkpoint.parent)
        if int(each.get("training_iteration") or 0) <= iteration
    ]
    scores = [value for each in reports if (value := number_at(each, TRAINING)) is not None]
    if not scores:
        return {}
    return {"returns": {"last": scores[-1], "best": max(scores)}, "date": reports[-1].get("date")}
