"""Supervised: a loss of answers to the targets of an environment, on columns."""

import math
from typing import Any, Self

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig, NotProvided
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.learner import Learner
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS

from engram.agents.columns.config import ColumnarConfig, SynchronousTraining
from engram.agents.columns.optimizers import epoch_options, optimizer_options
from engram.agents.columns.results import ResultCallbacks
from engram.agents.columns.under_way import ColumnarState
from engram.agents.models.choice import answers_at_once
from engram.agents.models.recurrent import TAKES_CHANCES, ColumnarModule
from engram.agents.supervised.learner import JUDGED, SOLVED, SupervisedLearner
from engram.agents.supervised.objectives import make_objective, sequence_loss, thinking_loss
from engram.agents.supervised.precision import check_precision
from engram.agents.supervised.runner import (
    BEHAVIORS,
    NEEDED_INFO,
    TARGETS_ACT,
    SupervisedEnvRunner,
)
from engram.memory.options import unknown_message


class SupervisedConfig(ColumnarConfig, AlgorithmConfig):  # type: ignore[misc]
    """Settings of `Supervised`; everything else as in any `AlgorithmConfig`.

    Attributes:
        loss: Which one, `{type: ...}`; null: `final` of networks that think, `cross_entropy` of sequences.
        behavior: Who acts in training. targets: what is right is done (teacher forcing). network: what the
            network chooses; targets are only learned from, episodes count, and `explore` says whether
            actions are drawn.
        optimizer: See `engram.agents.columns.optimizers.OptimizerOptions`.
        lr_epochs: Warm-up and decay by epochs on top of `lr`; see `EpochOptions` there.
        throttle: Whether the step size of a thinker's recurrent parameters is divided by the iterations.
        autocast: Precision of the network's products: `bfloat16`; None, or `none`, for that of its weights;
            `auto`: see `engram.agents.supervised.precision`.
        truncation: Env steps of one update on sequences, which gradients do not leave; None: the fragment.
    """

    behavior: str = TARGETS_ACT  # of those that older checkpoints hold, too

    def __init__(self, algo_class: type[Algorithm] | None = None) -> None:
        super().__init__(algo_class=algo_class or Supervised)
        self.loss: dict[str, Any] | None = None
        self.behavior = TARGETS_ACT
        self.optimizer: dict[str, Any] = {"type": "adam"}
        self.lr_epochs: dict[str, Any] = {}
        self.throttle = False
        self.autocast: str | None = "auto"
        self.truncation: int | None = None
        self.lr = 1e-3
        self.grad_clip = None
        self.explore = False  # evaluations give the likeliest answer
        self.num_epochs = 1
        self.set_columnar_defaults()
        self.env_runner_cls = SupervisedEnvRunner
        self.callbacks_class = SupervisedCallbacks
        self.rollout_fragment_length = 1
        # Nobody is asked for a value, and some losses do not reach the first layer in every update.
        self.torch_ddp_kwargs = {"find_unused_parameters": True}

    @property
    def needed_info(self) -> tuple[str, ...]:
        """What an environment's info must hold."""
        return NEEDED_INFO

    @property
    def _model_config_auto_includes(self) -> dict[str, Any]:
        """What RLlib adds to the `model_config` of the module."""
        return {**super()._model_config_auto_includes, TAKES_CHANCES: True}

    def training(
        self,
        *,
        loss: dict[str, Any] | None = NotProvided,
        behavior: str = NotProvided,
        optimizer: dict[str, Any] = NotProvided,
        lr_epochs: dict[str, Any] = NotProvided,
        throttle: bool = NotProvided,
        autocast: str | None = NotProvided,
        truncation: int | None = NotProvided,
        **kwargs: Any,
    ) -> Self:
        """Sets the training settings: ours as in the class, the others as in `AlgorithmConfig.training`."""
        super().training(**kwargs)
        self.set_provided(
            loss=loss,
            behavior=behavior,
            optimizer=optimizer,
            lr_epochs=lr_epochs,
            throttle=throttle,
            autocast=autocast,
            truncation=truncation,
        )
        return self

    @property
    def whole_episodes(self) -> bool:
        """Whether an update is one whole episode, however long, and not a fragment of every lane."""
        return self.batch_mode == "complete_episodes" and not self.in_evaluation

    @property
    def total_train_batch_size(self) -> int:
        """As of all on columns; of whole episodes, whose lengths nobody knows, 1: any is enough."""
        return 1 if self.whole_episodes else super().total_train_batch_size

    def minibatch_steps(self) -> list[int]:
        """Environment steps of each minibatch that one learner makes of an update: puzzles, or all lanes."""
        steps = self.update_steps // max(1, self.num_learners)
        if not answers_at_once(self.model_config):
            return [steps]
        size = self.minibatch_size or self.lanes // max(1, self.num_learners)
        return [min(size, steps - start) for start in range(0, steps, size)]

    def validate(self) -> None:
        """Checks the settings against each other.

        Raises:
            ValueError: A setting out of range, named by its key.
        """
        super().validate()
        optimizer_options(self.optimizer)
        epoch_options(self.lr_epochs)
        check_precision(self.autocast)
        if self.truncation is not None and self.truncation < 1:
            raise ValueError(f"truncation: expected an integer >= 1, or null, got {self.truncation!r}")
        if self.behavior not in BEHAVIORS:
            raise ValueError(unknown_message("behavior", self.behavior, BEHAVIORS))
        if answers_at_once(self.model_config):
            thinking_loss(self.loss)
            self._refuse("truncation", "null", "a core that thinks has one update for each batch of puzzles")
            if self.whole_episodes:
                raise ValueError("batch_mode: expected truncate_episodes; puzzles are episodes of one step")
        else:
            sequence_loss(self.loss)
            self._check_streams()

    def check_module(self, module: ColumnarModule) -> None:
        """Raises ValueError where the module's action space can have no targets."""
        make_objective(module, self.loss)

    def _check_minibatches(self) -> None:
        """Checks that a minibatch fits into its batch; sequences have none."""
        if not answers_at_once(self.model_config):
            self._refuse("minibatch_size", "null", "of sequences, all lanes make up one update")
        super()._check_minibatches()

    def _check_streams(self) -> None:
        """Checks what sequences add; a step of one follows the other, each seen once."""
        self._refuse("throttle", "false", "it is for cores that think")
        if self.num_epochs != 1:
            raise ValueError(f"num_epochs: sequences are seen once, expected 1, got {self.num_epochs!r}")
        if self.whole_episodes and self.lanes > 1:
            raise ValueError(
                "batch_mode: complete_episodes makes an update of one episode, as episodes differ in length: "
                f"expected one lane (num_envs_per_env_runner: 1, num_env_runners: 0 or 1), got {self.lanes}"
            )
        fragments = self.lanes * self.get_rollout_fragment_length()
        if not self.in_evaluation and self.total_train_batch_size > fragments:
            raise ValueError(
                f"train_batch_size_per_learner: of sequences, it is one fragment of every lane, {fragments} "
                f"env steps over all learners, got {self.total_train_batch_size}"
            )

    def _refuse(self, setting: str, legal: str, why: str) -> None:
        if getattr(self, setting):
            raise ValueError(f"{setting}: expected {legal}, got {getattr(self, setting)!r}; {why}")

    def get_default_learner_class(self) -> type[Learner]:
        """The learner of the cross-entropy."""
        return SupervisedLearner


class SupervisedCallbacks(ResultCallbacks):
    """The share of right answers stands where other algorithms have the mean return.

    In an iteration that asks for no answer the last share stands; before the first answer it is NaN. Where an
    answer is an episode, the share is the rate of success, too. Training plays no episodes to count, but
    where the network acts: there returns are those of its episodes, and the share stands beside the loss.
    """

    _share = math.nan

    def get_state(self) -> dict[str, Any]:
        """The last share, too."""
        return {**super().get_state(), "share": self._share}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores what `get_state` returned."""
        super().set_state(state)
        self._share = state.get("share", math.nan)  # older checkpoints have none

    def forget_episodes(self) -> None:
        """The last share, too."""
        super().forget_episodes()
        self._share = math.nan

    def on_train_result(self, *, algorithm: Algorithm, result: dict[str, Any], **others: Any) -> None:
        """Completes the result in place."""
        super().on_train_result(algorithm=algorithm, result=result, **others)
        learned = result.get(LEARNER_RESULTS, {}).get(DEFAULT_MODULE_ID, {})
        solved, judged = learned.pop(SOLVED, 0), learned.pop(JUDGED, 0)
        if judged:
            self._share = float(solved / judged)
            learned["answers"] = int(judged)
            learned["answers_right"] = self._share
        if algorithm.config.behavior != TARGETS_ACT:
            return
        runners = result[ENV_RUNNER_RESULTS]
        for played in ("num_episodes_in_window", "unfinished_episode_len_max"):
            runners.pop(played, None)
        runners["episode_return_mean"] = self._share
        if answers_at_once(algorithm.config.model_config):
            runners["success_rate"] = self._share


class Supervised(SynchronousTraining, ColumnarState, Algorithm):  # type: ignore[misc]
    """Supervised training with a swappable core, on columns; evaluation plays."""

    @classmethod
    def get_default_config(cls) -> SupervisedConfig:
        """The defaults."""
        return SupervisedConfig()
