"""What RecurrentPPO and RecurrentA2C share: generalised advantage estimates (Schulman et al. 2016).

T time, B lanes.
"""

from typing import Any, Self

import tree
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig, NotProvided
from ray.rllib.core.columns import Columns

from engram.agents.actor_critic.estimators import gae
from engram.agents.actor_critic.learner import ActorCriticLearner, ColumnBatch
from engram.agents.columns.config import ColumnarConfig
from engram.agents.models.recurrent import RESETS


class AdvantageConfig(ColumnarConfig, AlgorithmConfig):  # type: ignore[misc]
    """Settings of actor-critics that learn from advantages; everything else as in any `AlgorithmConfig`.

    Attributes:
        lambda_: Trace decay of the advantage estimate, per step.
        vf_loss_coeff: Weight of the value loss.
        entropy_coeff: Weight of the entropy bonus, or a schedule `[[step, value], ...]`.
        normalize_advantages: Whether advantages are shifted and scaled to mean 0, deviation 1 in each batch.
    """

    def __init__(self, algo_class: type[Algorithm]) -> None:
        super().__init__(algo_class=algo_class)
        self.lambda_ = 0.95
        self.vf_loss_coeff = 0.5
        self.entropy_coeff: float | list[Any] = 0.01
        self.normalize_advantages = False
        self.grad_clip = 0.5
        self.set_columnar_defaults()

    def training(
        self,
        *,
        lambda_: float = NotProvided,
        vf_loss_coeff: float = NotProvided,
        entropy_coeff: float | list[Any] = NotProvided,
        normalize_advantages: bool = NotProvided,
        **kwargs: Any,
    ) -> Self:
        """Sets the training settings: ours as in the class, the others as in `AlgorithmConfig.training`."""
        super().training(**kwargs)
        self.set_provided(
            lambda_=lambda_,
            vf_loss_coeff=vf_loss_coeff,
            entropy_coeff=entropy_coeff,
            normalize_advantages=normalize_advantages,
        )
        return self


class AdvantageLearner(ActorCriticLearner):
    """Advantages once per batch, from the values of sampling."""

    def prepare_batch(self, batch: ColumnBatch) -> ColumnBatch:
        """Adds advantages and value targets, (T, B); drops the observation behind the last step."""
        transitions = batch.transitions(batch[Columns.VF_PREDS], batch["last_values"])
        advantages, targets = gae(transitions, gamma=self.config.gamma, lambda_=self.config.lambda_)
        if self.config.normalize_advantages:
            advantages = (advantages - advantages.mean()) / advantages.std().clamp(min=1e-4)
        batch[Columns.ADVANTAGES], batch[Columns.VALUE_TARGETS] = advantages, targets
        batch[Columns.OBS] = tree.map_structure(lambda rows: rows[:-1], batch[Columns.OBS])
        batch[RESETS] = batch[RESETS][:-1]
        return batch
