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
from typing_extensions import override

from engram.agents.actor_critic.advantages import AdvantageConfig, AdvantageLearner
from engram.agents.actor_critic.learner import ColumnBatch
from engram.agents.columns.ahead import Sampled, SamplesAhead
from engram.agents.columns.config import SynchronousTraining
from engram.agents.columns.under_way import ColumnarState


class RecurrentPPOConfig(AdvantageConfig):
    """Settings of `RecurrentPPO`; everything else as in any `AlgorithmConfig`.

    Attributes:
        clip_param: Bound on how far a probability ratio may leave 1.
        sample_ahead: Whether remote runners sample the next batch while this one is learned from, by weights
            that are one update old; so do actions, values and the probabilities that ratios divide by.
    """

    sample_ahead: bool = False  # of those that older checkpoints hold, too

    def __init__(self, algo_class: type[Algorithm] | None = None) -> None:
        super().__init__(algo_class or RecurrentPPO)
        self.clip_param = 0.2
        self.sample_ahead = False
        self.lr = 1e-3
        self.num_epochs = 2

    def training(
        self, *, clip_param: float = NotProvided, sample_ahead: bool = NotProvided, **kwargs: Any
    ) -> Self:
        """Sets the training settings: ours as in the class, the others as in `AlgorithmConfig.training`."""
        super().training(**kwargs)
        self.set_provided(clip_param=clip_param, sample_ahead=sample_ahead)
        return self

    def validate(self) -> None:
        """Checks the settings against each other.

        Raises:
            ValueError: Nobody who could sample ahead, further ahead than one batch, or another setting out of
                range.
        """
        super().validate()
        if not self.sample_ahead or self.in_evaluation:
            return
        if not self.num_env_runners:
            raise ValueError(
                "sample_ahead: there are no processes that could sample while this one learns; set "
                "num_env_runners to 1 or more"
            )
        if self.max_requests_in_flight_per_env_runner != 1:
            raise ValueError(
                f"max_requests_in_flight_per_env_runner: {self.max_requests_in_flight_per_env_runner}, while "
                "sample_ahead is one batch ahead; legal: 1"
            )

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

    @override
    def setup(self, config: Any) -> None:
        super().setup(config)
        settings = self.config
        self._ahead = SamplesAhead(
            self.env_runner_group,
            settings.total_train_batch_size,
            settings.update_steps // settings.round_steps,
            settings.sample_timeout_s,
        )

    @override
    def sample(self) -> Sampled:
        return self._ahead.next() if self.config.sample_ahead else super().sample()

    @classmethod
    def get_default_config(cls) -> RecurrentPPOConfig:
        """The defaults."""
        return RecurrentPPOConfig()
