"""RecurrentPPO: clipped-surrogate policy optimisation on columns (Schulman et al. 2017).

T time, B lanes.
"""

from typing import Any, Self

import torch
import tree
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig, NotProvided
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.learner import Learner
from torch import Tensor

from engram.agents.actor_critic.estimators import gae
from engram.agents.actor_critic.learner import ActorCriticLearner, ColumnBatch
from engram.agents.columns.config import ColumnarConfig, ColumnarState, SynchronousTraining
from engram.agents.models.recurrent import RESETS


class RecurrentPPOConfig(ColumnarConfig, AlgorithmConfig):  # type: ignore[misc]
    """Settings of `RecurrentPPO`; everything else as in any `AlgorithmConfig`.

    Attributes:
        lambda_: Trace decay of the advantage estimate, per step.
        clip_param: Bound on how far a probability ratio may leave 1.
        vf_loss_coeff: Weight of the value loss.
        entropy_coeff: Weight of the entropy bonus, or a schedule `[[step, value], ...]`.
        normalize_advantages: Whether advantages are shifted and scaled to mean 0, deviation 1 in each batch.
    """

    def __init__(self, algo_class: type[Algorithm] | None = None) -> None:
        super().__init__(algo_class=algo_class or RecurrentPPO)
        self.lambda_ = 0.95
        self.clip_param = 0.2
        self.vf_loss_coeff = 0.5
        self.entropy_coeff: float | list[Any] = 0.01
        self.normalize_advantages = False
        self.lr = 1e-3
        self.grad_clip = 0.5
        self.num_epochs = 2
        self.set_columnar_defaults()

    def training(
        self,
        *,
        lambda_: float = NotProvided,
        clip_param: float = NotProvided,
        vf_loss_coeff: float = NotProvided,
        entropy_coeff: float | list[Any] = NotProvided,
        normalize_advantages: bool = NotProvided,
        **kwargs: Any,
    ) -> Self:
        """Sets the training settings: ours as in the class, the others as in `AlgorithmConfig.training`."""
        super().training(**kwargs)
        self.set_provided(
            lambda_=lambda_,
            clip_param=clip_param,
            vf_loss_coeff=vf_loss_coeff,
            entropy_coeff=entropy_coeff,
            normalize_advantages=normalize_advantages,
        )
        return self

    def get_default_learner_class(self) -> type[Learner]:
        """The learner that computes the PPO loss."""
        return PPOLearner


class PPOLearner(ActorCriticLearner):
    """Advantages once per batch from the values of sampling, then the clipped surrogate loss."""

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

    def compute_loss_for_module(
        self, *, module_id: str, config: RecurrentPPOConfig, batch: ColumnBatch, fwd_out: dict[str, Any]
    ) -> Tensor:
        """The clipped surrogate, value and entropy terms (equation 9)."""
        _, log_ratios, entropy = self.evaluate_actions(batch, fwd_out[Columns.ACTION_DIST_INPUTS])
        ratios = log_ratios.exp()
        advantages = batch[Columns.ADVANTAGES]
        clipped = ratios.clamp(1 - config.clip_param, 1 + config.clip_param)
        policy_loss = -torch.min(advantages * ratios, advantages * clipped).mean()
        vf_loss = (fwd_out[Columns.VF_PREDS] - batch[Columns.VALUE_TARGETS]).square().mean()
        return self.total_loss(
            module_id,
            policy_loss=policy_loss,
            vf_loss=vf_loss,
            entropy=entropy,
            log_ratios=log_ratios,
            clip_fraction=(ratios != clipped).float().mean(),
        )


class RecurrentPPO(SynchronousTraining, ColumnarState, Algorithm):  # type: ignore[misc]
    """PPO with a swappable recurrent core, on columns."""

    @classmethod
    def get_default_config(cls) -> RecurrentPPOConfig:
        """The defaults."""
        return RecurrentPPOConfig()
