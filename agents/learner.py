"""ColumnarLearner: gradient steps on columns, and the rest of RLlib's learner left alone.

T time, B lanes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import tree
from numpy.typing import NDArray
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME, WEIGHTS_SEQ_NO
from torch import Tensor

from engram.agents.fragment import concatenate


class Batch(dict[str, Any], ABC):
    """Named tensors on the learner's device; its length is the number of environment steps."""

    @abstractmethod
    def __len__(self) -> int: ...


class Minibatch:
    """A `Batch` as RLlib's learner loop expects it: by module id, with a step count."""

    def __init__(self, batch: Batch) -> None:
        self.policy_batches = {DEFAULT_MODULE_ID: batch}

    def env_steps(self) -> int:
        """Number of environment steps."""
        return len(self.policy_batches[DEFAULT_MODULE_ID])


def as_tensors(nest: Any, device: torch.device) -> Any:
    """Arrays of a nest as tensors on `device`."""
    return tree.map_structure(lambda x: _as_tensor(x).to(device), nest)


def _as_tensor(array: NDArray[Any]) -> Tensor:
    """An array as a tensor; arrays in Ray's object store are read-only, and torch wants to own its memory."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


class ColumnarLearner(TorchLearner):  # type: ignore[misc]
    """RLlib's learner with fragments in place of episodes and connectors.

    An algorithm supplies `batches` (what a column set is updated on, in turn) and `compute_loss_for_module`.
    """

    @abstractmethod
    def batches(self, columns: Any, num_epochs: int, minibatch_size: int | None) -> Iterator[Batch]:
        """What is updated on, one batch after the other.

        Args:
            columns: What the runners sampled, lanes side by side.
            num_epochs: Passes over it.
            minibatch_size: Environment steps of a batch, or None for all.
        """

    def update(self, *, return_state: bool = False, **kwargs: Any) -> Any:
        """Updates on fragments; the new weights travel with the results where `return_state`."""
        results = super().update(**kwargs)
        if return_state:
            results["_rl_module_state_after_update"] = self.get_state(
                components=COMPONENT_RL_MODULE, inference_only=True
            )
        return results

    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Sets the learning rate to what its schedule says of this step.

        RLlib does so after an update only; the first one after a restore would use the rate of the
        checkpoint's optimizer, whatever the configuration says.
        """
        super().before_gradient_based_update(timesteps=timesteps)
        now = timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0)
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

    def _create_iterator_if_necessary(
        self,
        *,
        training_data: TrainingData,
        num_epochs: int = 1,
        minibatch_size: int | None = None,
        **_: Any,
    ) -> Iterator[Minibatch]:
        columns = concatenate(training_data.episodes)
        lag = self._weights_seq_no - 1 - columns.weights_seq_no
        self.metrics.log_value((DEFAULT_MODULE_ID, "policy_lag"), lag, window=1)
        return map(Minibatch, self.batches(columns, num_epochs, minibatch_size))

    def _set_slicing_by_batch_id(self, batch: Any, *, value: bool) -> Any:
        return batch
