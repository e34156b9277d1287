"""Supervised: cross-entropy on what an environment says is right, on columns."""

from __future__ import annotations

from typing import Any, Self

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig, NotProvided
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.learner import Learner
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS

from engram.agents.columnar import ColumnarConfig, ColumnarState, SynchronousTraining
from engram.agents.results import ResultCallbacks
from engram.agents.supervised.learner import JUDGED, SOLVED, SupervisedLearner
from engram.agents.supervised.optimizers import epoch_options, optimizer_options
from engram.agents.supervised.runner import SupervisedEnvRunner

PRECISIONS = ("bfloat16", "float16")


class SupervisedConfig(ColumnarConfig, AlgorithmConfig):  # type: ignore[misc]
    """Settings of `Supervised`; everything else as in any `AlgorithmConfig`.

    Attributes:
        loss: Which one, `{"type": ...}`; see `engram.memory.thinking.losses`.
        optimizer: See `engram.agents.supervised.optimizers.OptimizerOptions`.
        lr_epochs: Warm-up and decay by epochs on top of `lr`; see `EpochOptions` there.
        throttle: Whether the step size of a thinker's recurrent parameters is divided by the iterations.
        autocast: Precision of the network's products, None for that of its weights.
        truncation: Env steps of one update on sequences, which gradients do not leave; None: the fragment.
    """

    def __init__(self, algo_class: type[Algorithm] | None = None) -> None:
        super().__init__(algo_class=algo_class or Supervised)
        self.loss: dict[str, Any] = {"type": "final"}
        self.optimizer: dict[str, Any] = {"type": "adam"}
        self.lr_epochs: dict[str, Any] = {}
        self.throttle = False
        self.autocast: str | None = None
        self.truncation: int | None = None
        self.lr = 1e-3
        self.grad_clip = None
        self.num_epochs = 1
        self.set_columnar_defaults()
        self.env_runner_cls = SupervisedEnvRunner
        self.callbacks_class = SupervisedCallbacks
        self.rollout_fragment_length = 1

    def training(
        self,
        *,
        loss: dict[str, Any] = NotProvided,
        optimizer: dict[str, Any] = NotProvided,
        lr_epochs: dict[str, Any] = NotProvided,
        throttle: bool = NotProvided,
        autocast: str | None = NotProvided,
        truncation: int | None = NotProvided,
        **kwargs: Any,
    ) -> Self:
        """Sets the training settings: ours as in the class, the others as in `AlgorithmConfig.training`."""
        super().training(**kwargs)
        given = {
            "loss": loss,
            "optimizer": optimizer,
            "lr_epochs": lr_epochs,
            "throttle": throttle,
            "autocast": autocast,
            "truncation": truncation,
        }
        for name, value in given.items():
            if value is not NotProvided:
                setattr(self, name, value)
        return self

    def validate(self) -> None:
        """Checks the settings against each other.

        Raises:
            ValueError: A setting out of range, named by its key.
        """
        super().validate()
        optimizer_options(self.optimizer)
        epoch_options(self.lr_epochs)
        if self.autocast is not None and self.autocast not in PRECISIONS:
            raise ValueError(f"autocast: unknown {self.autocast!r}; known: null, {', '.join(PRECISIONS)}")
        if self.truncation is not None and self.truncation < 1:
            raise ValueError(f"truncation: expected an integer >= 1, or null, got {self.truncation!r}")

    def get_default_learner_class(self) -> type[Learner]:
        """The learner of the cross-entropy."""
        return SupervisedLearner


class SupervisedCallbacks(ResultCallbacks):
    """The share of right answers stands where other algorithms have the mean return."""

    def on_train_result(self, *, algorithm: Algorithm, result: dict[str, Any], **others: Any) -> None:
        """Completes the result in place."""
        super().on_train_result(algorithm=algorithm, result=result, **others)
        learned = result.get(LEARNER_RESULTS, {}).get(DEFAULT_MODULE_ID, {})
        solved, judged = learned.pop(SOLVED, 0), learned.pop(JUDGED, 0)
        if judged:
            share = float(solved / judged)
            result[ENV_RUNNER_RESULTS] |= {"episode_return_mean": share, "success_rate": share}
            learned["answers"] = int(judged)


class Supervised(SynchronousTraining, ColumnarState, Algorithm):  # type: ignore[misc]
    """Supervised training with a swappable core, on columns; evaluation plays."""

    @classmethod
    def get_default_config(cls) -> SupervisedConfig:
        """The defaults."""
        return SupervisedConfig()
