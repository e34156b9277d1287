"""RecurrentPPO: clipped-surrogate policy optimisation on columns (Schulman et al. 2017).

T time, B lanes.
"""

from __future__ import annotations

from typing import Any, Self

import ray
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig, NotProvided
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.learner import Learner
from ray.rllib.execution.rollout_ops import synchronous_parallel_sample
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    ENV_RUNNER_SAMPLING_TIMER,
    LEARNER_RESULTS,
    LEARNER_UPDATE_TIMER,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    SYNCH_WORKER_WEIGHTS_TIMER,
    TIMERS,
)
from torch import Tensor

from engram.agents.columnar import ColumnarConfig, ColumnarState
from engram.agents.estimators import gae
from engram.agents.fragment import Fragment, concatenate
from engram.agents.learner import ColumnarLearner, ColumnBatch
from engram.agents.module import RESETS


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
        given = {
            "lambda_": lambda_,
            "clip_param": clip_param,
            "vf_loss_coeff": vf_loss_coeff,
            "entropy_coeff": entropy_coeff,
            "normalize_advantages": normalize_advantages,
        }
        for name, value in given.items():
            if value is not NotProvided:
                setattr(self, name, value)
        return self

    def get_default_learner_class(self) -> type[Learner]:
        """The learner that computes the PPO loss."""
        return PPOLearner


class PPOLearner(ColumnarLearner):
    """Advantages once per batch from the values of sampling, then the clipped surrogate loss."""

    def prepare_batch(self, batch: ColumnBatch) -> ColumnBatch:
        """Adds advantages and value targets, (T, B); drops the observation behind the last step."""
        transitions = batch.transitions(batch[Columns.VF_PREDS], batch["last_values"])
        advantages, targets = gae(transitions, gamma=self.config.gamma, lambda_=self.config.lambda_)
        if self.config.normalize_advantages:
            advantages = (advantages - advantages.mean()) / advantages.std().clamp(min=1e-4)
        batch[Columns.ADVANTAGES], batch[Columns.VALUE_TARGETS] = advantages, targets
        batch[Columns.OBS] = batch[Columns.OBS][:-1]
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


class RecurrentPPO(ColumnarState, Algorithm):  # type: ignore[misc]
    """PPO with a swappable recurrent core, on columns."""

    @classmethod
    def get_default_config(cls) -> RecurrentPPOConfig:
        """The defaults."""
        return RecurrentPPOConfig()

    def training_step(self) -> None:
        """Samples one batch from all runners, updates on it, hands the new weights to the runners."""
        with self.metrics.log_time((TIMERS, ENV_RUNNER_SAMPLING_TIMER)):
            fragments, results = synchronous_parallel_sample(
                worker_set=self.env_runner_group,
                max_env_steps=self.config.total_train_batch_size,
                sample_timeout_s=self.config.sample_timeout_s,
                _uses_new_env_runners=True,
                _return_metrics=True,
            )
        self.metrics.aggregate(results, key=ENV_RUNNER_RESULTS)
        if not fragments:
            return
        with self.metrics.log_time((TIMERS, LEARNER_UPDATE_TIMER)):
            self.metrics.aggregate(self._update(fragments), key=LEARNER_RESULTS)
        with self.metrics.log_time((TIMERS, SYNCH_WORKER_WEIGHTS_TIMER)):
            self.env_runner_group.sync_weights(
                from_worker_or_learner_group=self.learner_group,
                policies=[DEFAULT_MODULE_ID],
                inference_only=True,
            )

    def _update(self, fragments: list[Fragment]) -> Any:
        settings = {
            "timesteps": {
                NUM_ENV_STEPS_SAMPLED_LIFETIME: self.metrics.peek(
                    (ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME), default=0
                )
            },
            "num_epochs": self.config.num_epochs,
            "minibatch_size": self.config.minibatch_size,
        }
        if self.learner_group.is_local:
            return self.learner_group.update(episodes=fragments, **settings)
        # RLlib shards a list of references, one to each learner, and leaves what they hold alone.
        parts = concatenate(fragments).split(self.config.num_learners)
        return self.learner_group.update(episodes_refs=[ray.put([part]) for part in parts], **settings)
