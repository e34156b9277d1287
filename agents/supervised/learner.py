"""SupervisedLearner: gradient steps on labelled fragments.

T time, B lanes, P problems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import tree
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME
from torch import Tensor

from engram.agents.columns.learner import ColumnarLearner, TensorBatch, as_tensors
from engram.agents.columns.optimizers import (
    epoch_options,
    lr_factor,
    make_optimizer,
    optimizer_options,
)
from engram.agents.models.choice import thinks
from engram.agents.models.nests import flat_steps
from engram.agents.models.recurrent import OBJECTIVE, RESETS, ColumnarModule
from engram.agents.models.thinking import ThinkingModule
from engram.agents.supervised.labelled import LabelledFragment
from engram.agents.supervised.objectives import MASKS, TARGETS, Objective, make_objective, thinking_loss
from engram.agents.supervised.precision import precision
from engram.memory.core import State

if TYPE_CHECKING:
    from engram.agents.supervised.algorithm import SupervisedConfig

SOLVED = "solved_sum"
"""Metric key: answers of training that were wholly right, of all since the last report."""

JUDGED = "judged_sum"
"""Metric key: answers of training, of all since the last report."""


class LabelledBatch(TensorBatch):
    """Observations, targets, masks and resets of one update, time first or problems first."""

    @classmethod
    def from_fragment(cls, fragment: LabelledFragment, device: torch.device) -> LabelledBatch:
        """All of a fragment, (T, B, ...)."""
        columns = {
            Columns.OBS: fragment.observations,
            RESETS: fragment.resets,
            TARGETS: fragment.targets,
            MASKS: fragment.masks,
        }
        return cls(as_tensors(columns, device))

    def problems(self) -> LabelledBatch:
        """Every step a problem of its own, (P, ...), P = T * B."""
        return LabelledBatch({name: flat_steps(column) for name, column in self.items()})

    def rows(self, rows: Any) -> LabelledBatch:
        """Some rows of the first axis, by a slice or an index."""
        return LabelledBatch(tree.map_structure(lambda column: column[rows], dict(self)))

    def __len__(self) -> int:
        return int(self[MASKS].shape[0] if self[RESETS].ndim == 1 else self[RESETS].numel())


class SupervisedLearner(ColumnarLearner):
    """Minimises a loss of the answers, by default the cross-entropy with the targets.

    Puzzles of one step are shuffled together over time and lanes. Sequences are streams: the state behind one
    stretch is where the next begins, and gradients stop in between (truncated back-propagation through time).
    Where a runner fails and lanes are missing, all streams begin anew.
    """

    config: SupervisedConfig
    _lr_factor = 1.0

    def build(self) -> None:
        """Builds the module, its optimiser and what is minimised."""
        super().build()
        module = self.network
        self._thinks = isinstance(module, ThinkingModule) and not module.carry
        self._epochs = epoch_options(self.config.lr_epochs)
        self._objective = self._with_precision(make_objective(module, self.config.loss))
        self._state: State = {}
        self._streams: NDArray[Any] = np.empty(0)

    def _with_precision(self, objective: Objective) -> Objective:
        kind = self._device.type
        dtype = precision(self.config.autocast, kind, thinks(self.config.model_config))
        if dtype is None:
            return objective

        def cast(module: ColumnarModule, batch: Any) -> dict[str, Any]:
            with torch.autocast(kind, dtype):
                return objective(module, batch)

        return cast

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """The optimiser of the `optimizer:` setting."""
        module = self.module[module_id].unwrapped()
        parameters = self.get_parameters(self.module[module_id])
        recurrent: Sequence[torch.nn.Parameter] = ()
        scale = 1.0
        if isinstance(module, ThinkingModule) and self.config.throttle:
            iterations = thinking_loss(self.config.loss).iterations or module.thinking_steps
            recurrent, scale = module.thinker.recurrent_parameters(), 1.0 / iterations
        optimizer = make_optimizer(optimizer_options(self.config.optimizer), parameters, recurrent, scale)
        self.register_optimizer(
            module_id=module_id, optimizer=optimizer, params=parameters, lr_or_lr_schedule=self.config.lr
        )

    def _set_optimizer_lr(self, optimizer: torch.optim.Optimizer, lr: float) -> None:
        """Sets each group's step size: the schedule's, times the epoch's factor, times the group's own."""
        for group in optimizer.param_groups:
            group["lr"] = lr * self._lr_factor * group["scale"]

    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Sets the step size by its schedule and by the epoch in which this update began."""
        now = timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0)
        began = max(0, now - self.config.total_train_batch_size)
        self._lr_factor = lr_factor(self._epochs, began)
        super().before_gradient_based_update(timesteps=timesteps)

    def batches(
        self, columns: LabelledFragment, num_epochs: int, minibatch_size: int | None
    ) -> Iterator[LabelledBatch]:
        """Puzzles in shuffled minibatches, by default as many as there are lanes; streams in stretches."""
        fragment = LabelledBatch.from_fragment(columns, self._device)
        if self._thinks:
            batches = _shuffled(fragment.problems(), num_epochs, minibatch_size or columns.lanes)
            if columns.dropped.any():
                batches = map(_countable, batches)
        else:
            if not np.array_equal(columns.streams, self._streams):
                self._state, self._streams = {}, columns.streams
            batches = self._stretches(fragment, columns.length)
        for batch in batches:
            batch[OBJECTIVE] = self._objective
            yield batch

    def _stretches(self, fragment: LabelledBatch, length: int) -> Iterator[LabelledBatch]:
        bptt_steps = self.config.truncation or length
        lanes = fragment[RESETS].shape[1]
        for start in range(0, length, bptt_steps):
            batch = fragment.rows(slice(start, start + bptt_steps))
            batch[Columns.STATE_IN] = self._state or self.network.initial_state(lanes)
            yield batch

    def streams_state(self) -> dict[str, Any]:
        """The state behind the last stretch of each stream."""
        state = {name: leaf.cpu().numpy() for name, leaf in self._state.items()}
        return {"state": state, "streams": self._streams}

    def set_streams_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from `streams_state()`."""
        self._state, self._streams = as_tensors(state["state"], self._device), state["streams"]

    def compute_loss_for_module(
        self, *, module_id: str, config: SupervisedConfig, batch: LabelledBatch, fwd_out: dict[str, Any]
    ) -> Tensor:
        """The objective's loss; keeps the state after a stretch whose loss is finite."""
        loss, solved = fwd_out["loss"], fwd_out["solved"]
        self._state = fwd_out["state"] if torch.isfinite(loss) else {}
        self.metrics.log_dict(fwd_out["metrics"], key=module_id, window=1)
        self.metrics.log_value((module_id, SOLVED), solved.sum(), reduce="sum")
        self.metrics.log_value((module_id, JUDGED), solved.numel(), reduce="sum")
        result: Tensor = loss
        return result


def _shuffled(problems: LabelledBatch, epochs: int, size: int) -> Iterator[LabelledBatch]:
    """Minibatches of `size` problems, every problem once an epoch."""
    count = len(problems)
    for _epoch in range(epochs):
        for rows in torch.split(torch.randperm(count), size):
            yield problems.rows(rows)


def _countable(problems: LabelledBatch) -> LabelledBatch:
    """The same; where no answer counts, of those that do not count all do, in a batch that does not."""
    if not problems[MASKS].any():
        problems[MASKS] = torch.ones_like(problems[MASKS])
        problems.counts = False
    return problems
