"""ColumnarLearner: gradient steps on fragments, in minibatches of whole lanes.

T time, B lanes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import tree
from numpy.typing import NDArray
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME, WEIGHTS_SEQ_NO
from ray.rllib.utils.schedules.scheduler import Scheduler
from torch import Tensor

from engram.agents.estimators import Transitions
from engram.agents.fragment import Fragment, concatenate
from engram.agents.module import RESETS

LANE_MAJOR = frozenset({Columns.STATE_IN, "last_values"})
"""Columns of a `ColumnBatch` whose first axis is the lanes; all others have time first, lanes second."""


class ColumnBatch(dict[str, Any]):
    """Columns of B lanes on the learner's device, (T, B, ...); its length is T * B environment steps."""

    @classmethod
    def from_fragment(cls, fragment: Fragment, device: torch.device) -> ColumnBatch:
        """The fragment's columns as tensors, by the names RLlib gives them where it has one."""

        def to_device(nest: Any) -> Any:
            return tree.map_structure(lambda x: _as_tensor(x).to(device), nest)

        return cls(
            {
                Columns.OBS: to_device(fragment.observations),
                RESETS: to_device(fragment.resets),
                Columns.ACTIONS: to_device(fragment.actions),
                Columns.ACTION_LOGP: to_device(fragment.action_logp),
                Columns.REWARDS: to_device(fragment.rewards),
                Columns.TERMINATEDS: to_device(fragment.terminateds),
                Columns.TRUNCATEDS: to_device(fragment.truncateds),
                Columns.VF_PREDS: to_device(fragment.values),
                "final_values": to_device(fragment.final_values),
                "last_values": to_device(fragment.last_values),
                Columns.STATE_IN: to_device(fragment.state_in),
            }
        )

    @property
    def lanes(self) -> int:
        """B, the number of lanes."""
        return int(self[Columns.REWARDS].shape[1])

    def take(self, lanes: Tensor) -> ColumnBatch:
        """The batch of some lanes, by index (b,)."""
        return ColumnBatch(
            {
                name: tree.map_structure(lambda x, axis=axis: x.index_select(axis, lanes), nest)
                for name, nest, axis in ((n, v, 0 if n in LANE_MAJOR else 1) for n, v in self.items())
            }
        )

    def transitions(self, values: Tensor, last_values: Tensor) -> Transitions:
        """What the estimators need, with the given values of observations 0..T-1 and T."""
        return Transitions(
            rewards=self[Columns.REWARDS],
            terminateds=self[Columns.TERMINATEDS],
            truncateds=self[Columns.TRUNCATEDS],
            values=values,
            final_values=self["final_values"],
            last_values=last_values,
        )

    def __len__(self) -> int:
        return int(self[Columns.REWARDS].numel())


def _as_tensor(array: NDArray[Any]) -> Tensor:
    """An array as a tensor; arrays in Ray's object store are read-only, and torch wants to own its memory."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


class Minibatch:
    """A `ColumnBatch` as RLlib's learner loop expects it: by module id, with a step count."""

    def __init__(self, batch: ColumnBatch) -> None:
        self.policy_batches = {DEFAULT_MODULE_ID: batch}

    def env_steps(self) -> int:
        """Number of environment steps."""
        return len(self.policy_batches[DEFAULT_MODULE_ID])


class ColumnarLearner(TorchLearner):  # type: ignore[misc]
    """RLlib's learner with fragments in place of episodes and connectors.

    An algorithm supplies `prepare_batch` (what is computed once per batch) and `compute_loss_for_module`.
    """

    def build(self) -> None:
        """Builds the module, the optimizers and the entropy coefficient's schedule."""
        super().build()
        self._entropy_coeff = Scheduler(self.config.entropy_coeff, framework="torch", device=self._device)

    @abstractmethod
    def prepare_batch(self, batch: ColumnBatch) -> ColumnBatch:
        """Adds what the loss needs and does not change between the epochs."""

    def update(self, *, return_state: bool = False, **kwargs: Any) -> Any:
        """Updates on fragments; the new weights travel with the results where `return_state`."""
        results = super().update(**kwargs)
        if return_state:
            results["_rl_module_state_after_update"] = self.get_state(
                components=COMPONENT_RL_MODULE, inference_only=True
            )
        return results

    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Sets learning rate and entropy coefficient to what the schedules say of this step.

        RLlib does so after an update only; the first one after a restore would use the rate of the
        checkpoint's optimizer, whatever the configuration says.
        """
        super().before_gradient_based_update(timesteps=timesteps)
        now = timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0)
        self._entropy_coeff.update(timestep=now)
        for optimizer, schedule in self._optimizer_lr_schedules.items():
            self._set_optimizer_lr(optimizer, lr=schedule.update(timestep=now))

    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Moves RLlib's schedules on and lets all learners end with the same running statistics.

        Torch hands the first learner's buffers to the others before a forward pass, but not after the last.
        """
        super().after_gradient_based_update(timesteps=timesteps)
        if self.config.num_learners > 1:
            for buffer in self.module[DEFAULT_MODULE_ID].unwrapped().buffers():
                torch.distributed.broadcast(buffer, src=0)

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes over another learner's state, whatever its age.

        RLlib refuses weights that are numbered below its own, here and in the runners. A restored donor may
        be younger; its weights get the next number.
        """
        newest = max(self._weights_seq_no, state.get(WEIGHTS_SEQ_NO, 0)) + 1
        super().set_state({**state, WEIGHTS_SEQ_NO: newest})

    def get_parameters(self, module: torch.nn.Module) -> Sequence[torch.nn.Parameter]:
        """The parameters that are trained; those of a frozen encoder are not."""
        return [parameter for parameter in module.parameters() if parameter.requires_grad]

    def total_loss(
        self,
        module_id: str,
        *,
        policy_loss: Tensor,
        vf_loss: Tensor,
        entropy: Tensor,
        log_ratios: Tensor,
        **others: Tensor,
    ) -> Tensor:
        """The weighted sum of an actor-critic's three terms; logs them, the divergence and `others`."""
        terms = {
            "policy_loss": policy_loss,
            "vf_loss": vf_loss,
            "entropy": entropy,
            "mean_kl": -log_ratios.mean(),
        }
        logged = {name: value.detach() for name, value in (terms | others).items()}
        self.metrics.log_dict(logged, key=module_id, window=1)
        bonus = self._entropy_coeff.get_current_value() * entropy
        loss: Tensor = policy_loss + self.config.vf_loss_coeff * vf_loss - bonus
        return loss

    def evaluate_actions(
        self, batch: ColumnBatch, action_dist_inputs: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities of the actions, their log-ratios to the behaviour's, (T, B), and the entropy."""
        module = self.module[DEFAULT_MODULE_ID].unwrapped()
        dist = module.get_train_action_dist_cls().from_logits(action_dist_inputs)
        logp = dist.logp(batch[Columns.ACTIONS])
        return logp, logp - batch[Columns.ACTION_LOGP], dist.entropy().mean()

    def _create_iterator_if_necessary(
        self,
        *,
        training_data: TrainingData,
        num_epochs: int = 1,
        minibatch_size: int | None = None,
        **_: Any,
    ) -> Iterator[Minibatch]:
        fragment = concatenate(training_data.episodes)
        lag = self._weights_seq_no - 1 - fragment.weights_seq_no
        self.metrics.log_value((DEFAULT_MODULE_ID, "policy_lag"), lag, window=1)
        batch = self.prepare_batch(ColumnBatch.from_fragment(fragment, self._device))
        lanes_each = max(1, minibatch_size // fragment.length) if minibatch_size else batch.lanes
        minibatches = max(1, batch.lanes // lanes_each)
        for _epoch in range(num_epochs):
            if minibatches == 1:
                yield Minibatch(batch)
                continue
            shuffled = torch.randperm(batch.lanes, device=self._device)
            for lanes in torch.tensor_split(shuffled, minibatches):
                yield Minibatch(batch.take(lanes))

    def _set_slicing_by_batch_id(self, batch: Any, *, value: bool) -> Any:
        return batch
