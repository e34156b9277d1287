"""The algorithms by name, ours on columns and RLlib's own."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.appo import APPOConfig
from ray.rllib.algorithms.impala import IMPALAConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from engram.agents.actor_critic.a2c import RecurrentA2CConfig
from engram.agents.actor_critic.impala import RecurrentIMPALAConfig
from engram.agents.actor_critic.ppo import RecurrentPPOConfig
from engram.agents.columns.results import ResultCallbacks
from engram.agents.models.choice import check_model
from engram.agents.stock.module import StockRecurrentModule
from engram.agents.stock.runner import StockEnvRunner
from engram.agents.supervised import SupervisedConfig
from engram.memory.options import unknown_message

STOCK_MAX_SEQ_LEN = 20
"""Steps after which stock RLlib cuts a sequence; overridden by `model.max_seq_len`."""


class Algorithm(NamedTuple):
    """One row of `ALGORITHMS`."""

    config_class: type[AlgorithmConfig]
    description: str
    columnar: bool


ALGORITHMS: dict[str, Algorithm] = {
    "RecurrentPPO": Algorithm(RecurrentPPOConfig, "PPO on columns, any core", columnar=True),
    "RecurrentA2C": Algorithm(RecurrentA2CConfig, "A2C on columns, any core", columnar=True),
    "RecurrentIMPALA": Algorithm(
        RecurrentIMPALAConfig,
        "IMPALA (V-trace) on columns, any core, sampling while it learns",
        columnar=True,
    ),
    "Supervised": Algorithm(
        SupervisedConfig, "cross-entropy on what is right, on columns, any core", columnar=True
    ),
    "PPO": Algorithm(PPOConfig, "stock RLlib PPO, our module or RLlib's own", columnar=False),
    "IMPALA": Algorithm(IMPALAConfig, "stock RLlib IMPALA, our module or RLlib's own", columnar=False),
    "APPO": Algorithm(APPOConfig, "stock RLlib APPO, our module or RLlib's own", columnar=False),
}
"""Algorithm name to its row; one row makes an algorithm exist."""


def make_config(run: str, model: Mapping[str, Any] | None = None) -> AlgorithmConfig:
    """A fresh config of the named algorithm, our module and result metrics wired in.

    Under a stock algorithm a `model` with a `core` gets our module (and may set `max_seq_len`); any other
    `model` is RLlib's own (`fcnet_hiddens`, `use_lstm`, ...).

    Args:
        run: A name in `ALGORITHMS`.
        model: The `model:` section of an experiment.

    Raises:
        ValueError: Unknown algorithm, or a model section that `check_model` refuses.
    """
    if run not in ALGORITHMS:
        raise ValueError(unknown_message("run", run, ALGORITHMS))
    row = ALGORITHMS[run]
    config = row.config_class()
    model = dict(model or {})
    if row.columnar:
        check_model(model)
        return config.rl_module(model_config=model)
    config.callbacks(ResultCallbacks)
    config.env_runners(env_runner_cls=StockEnvRunner)
    max_seq_len = model.pop("max_seq_len", STOCK_MAX_SEQ_LEN)
    if "core" not in model:
        return config.rl_module(model_config={**model, "max_seq_len": max_seq_len})
    check_model(model)
    return config.rl_module(
        rl_module_spec=RLModuleSpec(module_class=StockRecurrentModule),
        model_config={**model, "max_seq_len": max_seq_len},
    )
