"""RecurrentA2C: one policy-gradient step on each batch, on columns (Mnih et al. 2016, synchronous).

T time, B lanes.
"""

from typing import Any, Self

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import NotProvided
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.learner import Learner
from torch import Tensor

from engram.agents.actor_critic.advantages import AdvantageConfig, AdvantageLearner
from engram.agents.actor_critic.learner import ColumnBatch
from engram.agents.columns.config import SynchronousTraining
from engram.agents.columns.optimizers import make_optimizer, optimizer_options
from engram.agents.columns.under_way import ColumnarState

RMSPROP = {"type": "rmsprop", "alpha": 0.99, "eps": 1e-5}
"""The usual optimiser of A2C."""


class RecurrentA2CConfig(AdvantageConfig):
    """Settings of `RecurrentA2C`; everything else as in any `AlgorithmConfig`.

    Attributes:
        optimizer: See `engram.agents.columns.optimizers.OptimizerOptions`.
    """

    def __init__(self, algo_class: type[Algorithm] | None = None) -> None:
        super().__init__(algo_class or RecurrentA2C)
        self.optimizer: dict[str, Any] = dict(RMSPROP)
        self.lambda_ = 1.0  # returns to the end of the fragment, and the value of what follows
        self.lr = 7e-4
        self.num_epochs = 1

    def training(self, *, optimizer: dict[str, Any] = NotProvided, **kwargs: Any) -> Self:
        """Sets the training settings: ours as in the class, the others as in `AlgorithmConfig.training`."""
        super().training(**kwargs)
        self.set_provided(optimizer=optimizer)
        return self

    def validate(self) -> None:
        """Checks the settings against each other.

        Raises:
            ValueError: More than one step on a batch, or another setting out of range.
        """
        super().validate()
        optimizer_options(self.optimizer)
        if self.num_epochs != 1:
            raise ValueError(f"num_epochs: A2C passes over a batch once, expected 1, got {self.num_epochs!r}")
        if self.minibatch_size is not None:
            raise ValueError(
                f"minibatch_size: A2C makes one step on a batch, expected null, got {self.minibatch_size!r}"
            )

    def get_default_learner_class(self) -> type[Learner]:
        """The learner that computes the policy gradient."""
        return A2CLearner


class A2CLearner(AdvantageLearner):
    """The policy gradient of a whole batch: the policy that acted is the one that learns."""

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """The optimiser of the `optimizer:` setting."""
        parameters = self.get_parameters(self.module[module_id])
        optimizer = make_optimizer(optimizer_options(self.config.optimizer), parameters)
        self.register_optimizer(
            module_id=module_id, optimizer=optimizer, params=parameters, lr_or_lr_schedule=self.config.lr
        )

    def compute_loss_for_module(
        self, *, module_id: str, config: RecurrentA2CConfig, batch: ColumnBatch, fwd_out: dict[str, Any]
    ) -> Tensor:
        """The policy-gradient, value and entropy terms (algorithm S3)."""
        logp, log_ratios, entropy = self.evaluate_actions(batch, fwd_out[Columns.ACTION_DIST_INPUTS])
        policy_loss = -(logp * batch[Columns.ADVANTAGES]).mean()
        vf_loss = (fwd_out[Columns.VF_PREDS] - batch[Columns.VALUE_TARGETS]).square().mean()
        return self.total_loss(
            module_id, policy_loss=policy_loss, vf_loss=vf_loss, entropy=entropy, log_ratios=log_ratios
        )


class RecurrentA2C(SynchronousTraining, ColumnarState, Algorithm):  # type: ignore[misc]
    """A2C with a swappable recurrent core, on columns."""

    @classmethod
    def get_default_config(cls) -> RecurrentA2CConfig:
        """The defaults."""
        return RecurrentA2CConfig()
