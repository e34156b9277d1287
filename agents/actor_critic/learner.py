"""Learner of actor-critics: minibatches of whole lanes, and the terms of their loss.

T time, B lanes.
"""

from __future__ import annotations

import functools
import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import tree
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME
from ray.rllib.utils.schedules.scheduler import Scheduler
from torch import Tensor

from engram.agents.actor_critic.estimators import Transitions
from engram.agents.columns.config import count_minibatches
from engram.agents.columns.fragment import Fragment
from engram.agents.columns.frames import frame_counts, stacked
from engram.agents.columns.learner import ColumnarLearner, TensorBatch, as_tensors
from engram.agents.models.moments import Normalization
from engram.agents.models.recurrent import RESETS
from engram.agents.models.spaces import AnySpace

LANE_MAJOR = frozenset({Columns.STATE_IN, "last_values"})
"""Columns of a `ColumnBatch` whose first axis is the lanes; all others have time first, lanes second."""


class ColumnBatch(TensorBatch):
    """Columns of B lanes on the learner's device, (T, B, ...); its length is T * B environment steps."""

    @classmethod
    def from_fragment(cls, fragment: Fragment, device: torch.device) -> ColumnBatch:
        """The fragment's columns as tensors, by the names RLlib gives them where it has one."""
        return cls(
            {
                Columns.OBS: as_tensors(fragment.observations, device),
                RESETS: as_tensors(fragment.resets, device),
                Columns.ACTIONS: as_tensors(fragment.actions, device),
                Columns.ACTION_LOGP: as_tensors(fragment.action_logp, device),
                Columns.REWARDS: as_tensors(fragment.rewards, device),
                Columns.TERMINATEDS: as_tensors(fragment.terminateds, device),
                Columns.TRUNCATEDS: as_tensors(fragment.truncateds, device),
                Columns.VF_PREDS: as_tensors(fragment.values, device),
                "final_values": as_tensors(fragment.final_values, device),
                "last_values": as_tensors(fragment.last_values, device),
                Columns.STATE_IN: as_tensors(fragment.state_in, device),
            }
        )

    @property
    def lanes(self) -> int:
        """B, the number of lanes."""
        return int(self[Columns.REWARDS].shape[1])

    def take(self, lanes: Tensor) -> ColumnBatch:
        """The batch of some lanes, by index (b,)."""
        return self._by_lanes(lambda x, axis: x.index_select(axis, lanes))

    def parts(self, size: int | None) -> list[ColumnBatch]:
        """Cuts the batch into parts of whole lanes, which are views of it.

        Args:
            size: Environment steps wanted of a part; None: all.
        """
        count = count_minibatches(self.lanes, len(self[Columns.REWARDS]), size)
        if count == 1:
            return [self]
        return [self._by_lanes(functools.partial(_piece, count, part)) for part in range(count)]

    def _by_lanes(self, pick: Callable[[Tensor, int], Tensor]) -> ColumnBatch:
        """The batch of some lanes, which `pick` takes from each tensor, given the axis of the lanes."""
        return ColumnBatch(
            {
                name: tree.map_structure(lambda x, axis=axis: pick(x, axis), nest)
                for name, nest, axis in ((n, v, 0 if n in LANE_MAJOR else 1) for n, v in self.items())
            }
        )

    def first_lane(self) -> ColumnBatch:
        """The batch of one lane that does not count."""
        batch = self.take(torch.zeros(1, dtype=torch.long, device=self[Columns.REWARDS].device))
        batch.counts = False
        return batch

    def stacked(self, space: AnySpace) -> ColumnBatch:
        """The batch with pictures whose frames are shared stacked, see `engram.agents.columns.frames`.

        Args:
            space: Of the observations of one lane.
        """
        if max(frame_counts(space)) == 1:
            return self
        batch = ColumnBatch(self)
        batch[Columns.OBS], batch.counts = stacked(self[Columns.OBS], self[RESETS], space), self.counts
        return batch

    def transitions(self, values: Tensor, last_values: Tensor) -> Transitions:
        """Returns the arguments of the estimators, with the given values of observations 0..T-1 and T."""
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


def _piece(count: int, index: int, x: Tensor, axis: int) -> Tensor:
    """One of `count` pieces of a tensor, which is a view."""
    return x.tensor_split(count, axis)[index]


def _add(sums: dict[Any, Tensor], others: Mapping[Any, Tensor | None]) -> None:
    """Adds tensors to those of their names, in place; those that are None do not count."""
    for name, other in others.items():
        if other is not None:
            sums[name] = sums[name].add_(other) if name in sums else other


class ActorCriticLearner(ColumnarLearner):
    """Policy, value and entropy terms on fragments.

    An algorithm supplies `prepare_batch` (what is computed once per batch) and `compute_loss_for_module`.
    """

    def build(self) -> None:
        """Builds the module, the optimizers and the entropy coefficient's schedule."""
        super().build()
        self._terms: dict[str, Tensor] = {}
        self._schedule_entropy()

    def _schedule_entropy(self) -> None:
        self._entropy_coeff = Scheduler(self.config.entropy_coeff, framework="torch", device=self._device)

    def set_hyperparameters(self, values: Mapping[str, float]) -> None:
        """Goes on with other values; see `ColumnarLearner`."""
        super().set_hyperparameters(values)
        if "entropy_coeff" in values:
            self._schedule_entropy()

    @abstractmethod
    def prepare_batch(self, batch: ColumnBatch) -> ColumnBatch:
        """Adds what the loss needs and does not change between the epochs."""

    def batches(
        self, columns: Fragment, num_epochs: int, minibatch_size: int | None
    ) -> Iterator[ColumnBatch]:
        """Whole lanes, shuffled anew in each epoch; lanes that were dropped leave the number of batches.

        Where observations are normalised, nothing is learned from the first ones but their statistics.
        """
        minibatches = count_minibatches(columns.lanes, columns.length, minibatch_size)
        self._sampled = columns
        batch = self.prepare_batch(self._with_scaled_rewards(self._kept(columns)))
        normalization = self._normalization()
        if normalization is not None and normalization.unseen:
            batch = batch.first_lane()
        if minibatches == 1:
            yield from itertools.repeat(batch, num_epochs)
            return
        for _epoch in range(num_epochs):
            shuffled = torch.randperm(batch.lanes, device=self._device)
            for lanes in torch.tensor_split(shuffled, minibatches):
                yield batch.take(lanes) if batch.counts and len(lanes) else batch.first_lane()

    def _uncompiled_update(
        self, batch: dict[str, ColumnBatch], **_: Any
    ) -> tuple[Any, dict[str, Tensor], Any]:
        """RLlib's update on a minibatch: as many lanes at a time as `microbatch_size` says, then one step."""
        whole, space = batch[DEFAULT_MODULE_ID], self.network.observation_space
        gradients: dict[Any, Tensor] = {}
        losses: dict[str, Tensor] = {}
        terms: dict[str, Tensor] = {}
        for part in whole.parts(self.config.microbatch_size):
            share, piece = len(part) / len(whole), {DEFAULT_MODULE_ID: part.stacked(space)}
            fwd_out = self.module.forward_train(piece)
            own = {name: share * x for name, x in self.compute_losses(fwd_out=fwd_out, batch=piece).items()}
            _add(gradients, self.compute_gradients(own))
            _add(losses, {name: loss.detach() for name, loss in own.items()})
            _add(terms, {name: share * term for name, term in self._terms.items()})
            if self._finding:
                break  # its gradients are what is looked at
        self.metrics.log_dict(terms, key=DEFAULT_MODULE_ID, window=1)
        self.apply_gradients(self.postprocess_gradients(gradients))
        return fwd_out, losses, {}

    def _kept(self, columns: Fragment) -> ColumnBatch:
        """The lanes that were not dropped; where there is none, one that does not count."""
        batch = ColumnBatch.from_fragment(columns, self._device)
        if not columns.dropped.any():
            return batch
        if columns.dropped.all():
            return batch.first_lane()
        return batch.take(torch.from_numpy(np.flatnonzero(~columns.dropped)).to(self._device))

    def _with_scaled_rewards(self, batch: ColumnBatch) -> ColumnBatch:
        """The batch with what is learned of its rewards, where that is not all."""
        clip, rewards = self.config.clip_rewards, batch[Columns.REWARDS]
        if clip:
            batch[Columns.REWARDS] = rewards.sign() if clip is True else rewards.clamp(-clip, clip)
        normalization = self._normalization()
        if normalization is not None and self.config.normalize_rewards:
            returns = self._sampled.discounted_returns(self.config.gamma)[:, ~self._sampled.dropped]
            normalization.observe_returns(torch.from_numpy(returns).to(self._device))
            batch[Columns.REWARDS] = normalization.rewards(batch[Columns.REWARDS])
        return batch

    def _normalization(self) -> Normalization | None:
        return getattr(self.network, "normalization", None)

    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Lets the statistics of observations see those that were learned from."""
        normalization = self._normalization()
        if normalization is not None:
            kept = np.flatnonzero(~self._sampled.dropped)
            rows = tree.map_structure(lambda leaf: leaf[:-1, kept], self._sampled.observations)
            module: Any = self.network  # of a kind that normalises, which has `inputs`
            normalization.observe(module.inputs.seen(as_tensors(rows, self._device)))
        super().after_gradient_based_update(timesteps=timesteps)

    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Sets the entropy coefficient by its schedule as well."""
        super().before_gradient_based_update(timesteps=timesteps)
        self._entropy_coeff.update(timestep=timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0))

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
        """The weighted sum of an actor-critic's three terms; they, the divergence and `others` are logged."""
        terms = {
            "policy_loss": policy_loss,
            "vf_loss": vf_loss,
            "entropy": entropy,
            "mean_kl": -log_ratios.mean(),
        }
        self._terms = {name: value.detach() for name, value in (terms | others).items()}
        bonus = self._entropy_coeff.get_current_value() * entropy
        loss: Tensor = policy_loss + self.config.vf_loss_coeff * vf_loss - bonus
        return loss

    def suspects(self, batch: Any, fwd_out: dict[str, Any]) -> dict[str, Tensor]:
        """Returns outputs (T, B, A) and (T, B), their targets, and the terms of the loss."""
        outputs = {
            "action logits": fwd_out[Columns.ACTION_DIST_INPUTS],
            "value": fwd_out[Columns.VF_PREDS],
        }
        learned = {name: batch[name] for name in (Columns.ADVANTAGES, Columns.VALUE_TARGETS) if name in batch}
        return outputs | learned | self._terms

    def evaluate_actions(
        self, batch: ColumnBatch, action_dist_inputs: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities of the actions, their log-ratios to the behaviour's, (T, B), and the entropy."""
        dist = self.network.get_train_action_dist_cls().from_logits(action_dist_inputs)
        logp = dist.logp(batch[Columns.ACTIONS])
        return logp, logp - batch[Columns.ACTION_LOGP], dist.entropy().mean()
