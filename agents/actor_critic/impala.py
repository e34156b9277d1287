"""RecurrentIMPALA: V-trace on columns; runners sample while the learner learns (Espeholt et al. 2018).

T time, B lanes.
"""

from typing import Any

import ray
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.impala import IMPALA, IMPALAConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.learner import Learner
from ray.rllib.utils.metrics import NUM_TRAINING_STEP_CALLS_SINCE_LAST_SYNCH_WORKER_WEIGHTS as _UPDATES
from torch import Tensor
from typing_extensions import override

from engram.agents.actor_critic.estimators import vtrace
from engram.agents.actor_critic.learner import ActorCriticLearner, ColumnBatch
from engram.agents.columns.config import ColumnarConfig
from engram.agents.columns.fragment import Fragment
from engram.agents.columns.under_way import ColumnarState


class RecurrentIMPALAConfig(ColumnarConfig, IMPALAConfig):  # type: ignore[misc]
    """Settings of `RecurrentIMPALA`: those of RLlib's IMPALA, on columns."""

    def __init__(self, algo_class: type[Algorithm] | None = None) -> None:
        super().__init__(algo_class=algo_class or RecurrentIMPALA)
        self.num_learners = 0
        self.num_epochs = 1
        self.min_time_s_per_iteration = None
        # Weights are pushed to the runners; the pull server of stock IMPALA serves its own runner class.
        self.use_env_runner_state_server = False
        self.set_columnar_defaults()

    @property
    def round_steps(self) -> int:
        """Environment steps of one runner's fragment: no runner waits for another."""
        return int(self.num_envs_per_env_runner) * int(self.get_rollout_fragment_length())

    def validate(self) -> None:
        """Checks the settings against each other.

        Raises:
            ValueError: A batch that does not give every learner a whole runner's fragment.
        """
        if self.in_evaluation:
            # Nothing is learned there, and RLlib sets fragments of one step that no minibatch divides.
            self.minibatch_size = None
        super().validate()
        if self.total_train_batch_size < self.round_steps * max(1, self.num_learners):
            raise ValueError(
                f"train_batch_size_per_learner: {self.total_train_batch_size} steps in all do not hold one "
                f"fragment ({self.round_steps} steps) for each of {self.num_learners} learners"
            )

    def get_default_learner_class(self) -> type[Learner]:
        """The learner that computes the V-trace loss."""
        return IMPALALearner


class IMPALALearner(ActorCriticLearner):
    """V-trace targets from the present values of each minibatch, then the policy-gradient loss."""

    def prepare_batch(self, batch: ColumnBatch) -> ColumnBatch:
        """Nothing is fixed between updates: values are computed anew with the present weights."""
        return batch

    def compute_loss_for_module(
        self, *, module_id: str, config: RecurrentIMPALAConfig, batch: ColumnBatch, fwd_out: dict[str, Any]
    ) -> Tensor:
        """Policy gradient, value and entropy terms (section 4.2)."""
        values, last_values = fwd_out[Columns.VF_PREDS].split([len(batch[Columns.REWARDS]), 1])
        logp, log_ratios, entropy = self.evaluate_actions(batch, fwd_out[Columns.ACTION_DIST_INPUTS][:-1])
        with torch.no_grad():
            advantages, targets = vtrace(
                batch.transitions(values, last_values[0]),
                log_ratios,
                gamma=config.gamma,
                clip_rho=config.vtrace_clip_rho_threshold,
                clip_pg_rho=config.vtrace_clip_pg_rho_threshold,
            )
        policy_loss = -(logp * advantages).mean()
        vf_loss = 0.5 * (values - targets).square().mean()
        return self.total_loss(
            module_id, policy_loss=policy_loss, vf_loss=vf_loss, entropy=entropy, log_ratios=log_ratios
        )


class RecurrentIMPALA(ColumnarState, IMPALA):  # type: ignore[misc]
    """IMPALA with a swappable recurrent core, on columns; RLlib's own asynchronous training step."""

    @override
    def forget_samples(self) -> None:
        super().forget_samples()
        self._episode_packs_being_built.clear()

    @override
    def step(self) -> Any:
        """One iteration. A runner in this process begins the next one with the newest weights.

        RLlib hands them over every other update; a checkpoint would have to keep the older ones, too.
        """
        results = super().step()
        if self.config.num_env_runners == 0 and self._counters[_UPDATES]:
            self.env_runner_group.sync_weights(
                from_worker_or_learner_group=self.learner_group,
                policies=[DEFAULT_MODULE_ID],
                inference_only=True,
            )
            self._counters[_UPDATES] = 0
        return results

    @override
    def under_way(self) -> tuple[dict[str, Any], str]:
        """Fragments that do not make a batch yet are under way, too."""
        kept, lost = super().under_way()
        if self.config.num_env_runners == 0:
            kept["waiting"] = [
                [vars(each) for each in ray.get(pack)] for pack in self._episode_packs_being_built
            ]
        return kept, lost

    @override
    def set_under_way(self, kept: dict[str, Any]) -> None:
        super().set_under_way(kept)
        packs = [[Fragment(**each) for each in pack] for pack in kept.get("waiting", ())]
        self._episode_packs_being_built = [ray.put(pack) for pack in packs]

    @classmethod
    def get_default_config(cls) -> RecurrentIMPALAConfig:
        """The defaults."""
        return RecurrentIMPALAConfig()
