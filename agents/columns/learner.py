"""ColumnarLearner: gradient steps on columns, and the rest of RLlib's learner left alone.

T time, B lanes.
"""

import itertools
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import tree
from numpy.typing import NDArray
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME, WEIGHTS_SEQ_NO
from ray.rllib.utils.schedules.scheduler import Scheduler
from torch import Tensor

from engram.agents.columns.finite import NON_FINITE, all_finite, shown
from engram.agents.columns.fragment import concatenate
from engram.agents.columns.live import changed
from engram.agents.columns.turns import give_back, taking_turns
from engram.agents.models.recurrent import ColumnarModule

STEPS_TAKEN = "steps_taken"
"""Metric key: how many minibatches made a step, of those since the last report."""

BETWEEN_RETURNS = 1.0
"""Seconds between two times that a learner returns freed memory; it costs 10 to 40 ms of them."""


class TensorBatch(dict[str, Any], ABC):
    """Named tensors on the learner's device; its length is the number of environment steps.

    Attributes:
        counts: Whether there is something to learn from; learners must all take the same number of batches.
    """

    counts = True

    @abstractmethod
    def __len__(self) -> int: ...


class Minibatch:
    """A `TensorBatch` as RLlib's learner loop expects it: by module id, with a step count."""

    def __init__(self, batch: TensorBatch) -> None:
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

    An algorithm supplies `batches` (the batches of an update) and `compute_loss_for_module`.

    A loss or gradient that is not finite makes no step; see `ColumnarConfig.on_non_finite`.
    """

    config: Any
    _env_steps = 0
    _finding: str | None = None
    _counts = True
    _step_taken = True
    _returned_at = -math.inf

    @property
    def network(self) -> ColumnarModule:
        """The module that is trained, without what synchronises several learners around it."""
        module: ColumnarModule = self.module[DEFAULT_MODULE_ID].unwrapped()
        return module

    @abstractmethod
    def batches(self, columns: Any, num_epochs: int, minibatch_size: int | None) -> Iterator[TensorBatch]:
        """Yields the batches of an update.

        Args:
            columns: What the runners sampled, lanes side by side.
            num_epochs: Passes over it.
            minibatch_size: Environment steps of a batch, or None for all.
        """

    def update(self, *, return_state: bool = False, **kwargs: Any) -> Any:
        """Updates on fragments, in turn with trials that share its cores; see `engram.agents.columns.turns`.

        Args:
            return_state: Whether the new weights travel with the results.
            **kwargs: As RLlib's.
        """
        with taking_turns(self._cpus()):
            results = super().update(**kwargs)
        self._return_memory()
        if return_state:
            results["_rl_module_state_after_update"] = self.get_state(
                components=COMPONENT_RL_MODULE, inference_only=True
            )
        return results

    def _return_memory(self) -> None:
        """Returns what updates have freed to the system, now and then.

        Batches and their episodes have other sizes in each update, and what glibc keeps of them only grows.
        """
        now = time.monotonic()
        if now - self._returned_at >= BETWEEN_RETURNS:
            give_back()
            self._returned_at = now

    def _cpus(self) -> float:
        """The CPUs that its process has; one of several learners waits for others, and has no turns."""
        config = self.config
        if config.num_learners > 1:
            return 1.0
        asked = config.num_cpus_per_learner if config.num_learners else config.num_cpus_for_main_process
        return 1.0 if asked == "auto" else float(asked)

    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Sets the learning rate by its schedule before the update.

        RLlib does so after an update only; the first one after a restore would use the rate of the
        checkpoint's optimizer and not the configured one.
        """
        super().before_gradient_based_update(timesteps=timesteps)
        now = self._env_steps = int(timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0))
        for optimizer, schedule in self._optimizer_lr_schedules.items():
            self._set_optimizer_lr(optimizer, lr=schedule.update(timestep=now))

    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Moves RLlib's schedules on and lets all learners end with the same running statistics.

        Torch hands the first learner's buffers to the others before a forward pass, but not after the last.

        Raises:
            FloatingPointError: A parameter or a running statistic is not finite any more.
        """
        super().after_gradient_based_update(timesteps=timesteps)
        if self.config.num_learners > 1:
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, src=0)
        state = {f"parameter {name}": x for name, x in self._named_state() if x.is_floating_point()}
        if not all_finite(state.values()):
            raise FloatingPointError(self._worded(*_first_of(state)))

    def compute_losses(self, *, fwd_out: dict[str, Any], batch: dict[str, Any]) -> dict[str, Tensor]:
        """RLlib's losses by module; one that is not finite makes all gradients NaN, in every learner."""
        losses: dict[str, Tensor] = super().compute_losses(fwd_out=fwd_out, batch=batch)
        self._finding, self._counts = None, batch[DEFAULT_MODULE_ID].counts
        if not self._counts:
            return {module_id: 0.0 * loss for module_id, loss in losses.items()}
        for module_id, loss in losses.items():
            if not torch.isfinite(loss):
                suspects = self.suspects(batch[module_id], fwd_out[module_id]) | {"loss": loss}
                self._finding = self._worded(*_first_of(suspects))
                losses[module_id] = math.nan * loss
        return losses

    def suspects(self, batch: Any, fwd_out: dict[str, Any]) -> dict[str, Tensor]:
        """Returns tensors that may make a loss not finite, by name; the first such is reported."""
        return {}

    def postprocess_gradients(self, gradients_dict: dict[Any, Tensor]) -> dict[Any, Tensor]:
        """RLlib's clipping, of gradients that are finite.

        Raises:
            FloatingPointError: They are not, and `on_non_finite` is `stop`.
        """
        finite = all_finite(grad for grad in gradients_dict.values() if grad is not None)
        # A learner of several takes the step with the others, whatever it has itself to learn from.
        self._step_taken = finite and (self._counts or self.config.num_learners > 1)
        if finite:
            clipped: dict[Any, Tensor] = super().postprocess_gradients(gradients_dict)
            return clipped
        message = self._finding
        if message is None:
            named = {f"gradient of {name}": gradients_dict.get(leaf) for name, leaf in self._named_state()}
            known = {name: grad for name, grad in named.items() if grad is not None}
            message = self._worded(*_first_of(known))
        if self.config.on_non_finite == "stop":
            raise FloatingPointError(message)
        self.metrics.log_value((DEFAULT_MODULE_ID, NON_FINITE), (message, 1), reduce="item_series")
        return gradients_dict

    def apply_gradients(self, gradients_dict: dict[Any, Tensor]) -> None:
        """RLlib's step, of gradients that are finite."""
        self.metrics.log_value((DEFAULT_MODULE_ID, STEPS_TAKEN), int(self._step_taken), reduce="sum")
        if self._step_taken:
            super().apply_gradients(gradients_dict)

    def _named_state(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and running statistics by name."""
        return itertools.chain(self.network.named_parameters(), self.network.named_buffers())

    def _worded(self, what: str, value: float) -> str:
        """Words what is not finite, and since when."""
        update = f"at update {self._weights_seq_no}; a smaller lr may help"
        return f"{shown(what, value)} {update} (env step {self._env_steps:,})"

    def set_state(self, state: dict[str, Any]) -> None:
        """Loads another learner's state, older or newer.

        RLlib refuses weights that are not numbered above its own, here and in the runners. A donor that is
        restored may be younger; its weights get the next number.
        """
        newest = max(self._weights_seq_no + 1, state.get(WEIGHTS_SEQ_NO, 0))
        super().set_state({**state, WEIGHTS_SEQ_NO: newest})

    def _set_optimizer_state(self, state: dict[str, Any]) -> None:
        """Loads what optimizers remember; how they step stays as configured.

        Torch takes over the other's settings, such as a weight decay, as well.
        """
        own = {
            name: [
                {key: group[key] for key in group if key not in ("params", "lr")}
                for group in each.param_groups
            ]
            for name, each in self._named_optimizers.items()
        }
        super()._set_optimizer_state(state)
        for name, settings in own.items():
            for group, configured in zip(self._named_optimizers[name].param_groups, settings, strict=True):
                group.update(configured)

    def set_hyperparameters(self, values: Mapping[str, float]) -> None:
        """Goes on with other values from the next update on; schedules of such settings end.

        Args:
            values: Setting -> value.
        """
        self.config = changed(self.config, values)
        if "lr" in values:
            for optimizer in self._optimizer_lr_schedules:
                self._optimizer_lr_schedules[optimizer] = Scheduler(values["lr"], framework="torch")

    def streams_state(self) -> dict[str, Any]:
        """What goes on from one update to the next beside weights and optimiser, as plain data."""
        return {}

    def set_streams_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from `streams_state()`."""

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


def _first_of(tensors: Mapping[str, Tensor]) -> tuple[str, float]:
    """Name and value of the first number that is not finite; `value[3, 5]` where a tensor has axes."""
    for name, tensor in tensors.items():
        broken = (~torch.isfinite(tensor)).nonzero()
        if len(broken):
            place = broken[0].tolist()
            inside = f"[{', '.join(map(str, place))}]" if place else ""
            return f"{name}{inside}", float(tensor[tuple(place)].detach())
    raise ValueError(f"all numbers are finite in {', '.join(tensors)}")
