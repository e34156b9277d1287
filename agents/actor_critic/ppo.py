"""RecurrentPPO: clipped-surrogate policy optimisation on columns (Schulman et al. 2017).

T time, B lanes.
"""

from typing import Any, Self

import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import NotProvided
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.learner import Learner
from torch import Tensor

from engram.agents.actor_critic.advantages import AdvantageConfig, AdvantageLearner
from engram.agents.actor_critic.learner import ColumnBatch
from engram.agents.columns.config import SynchronousTraining
from engram.agents.columns.under_way import ColumnarState


class RecurrentPPOConfig(AdvantageConfig):
    """Settings of `RecurrentPPO`; everything else as in any `AlgorithmConfig`.

    Attributes:
        clip_param: Bound on how far a probability ratio may leave 1.
    """

    def __init__(self, algo_class: type[Algorithm] | None = None) -> None:
        super().__init__(algo_class or RecurrentPPO)
        self.clip_param = 0.2
        self.lr = 1e-3
        self.num_epochs = 2

    def training(self, *, clip_param: float = NotProvided, **kwargs: Any) -> Self:
        """Sets the training settings: ours as in the class, the others as in `AlgorithmConfig.training`."""
        super().training(**kwargs)
        self.set_provided(clip_param=clip_param)
        return self

    def get_default_learner_class(self) -> type[Learner]:
        """The learner that computes the PPO loss."""
        return PPOLearner


class PPOLearner(AdvantageLearner):
    """The clipped surrogate loss, over the epochs of a batch."""

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
