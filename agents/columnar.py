"""What every algorithm on the columnar path shares: defaults, module, checkpointed window of episodes."""

from __future__ import annotations

from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from engram.agents.env_runner import ColumnarEnvRunner
from engram.agents.module import RecurrentModule
from engram.agents.results import ResultCallbacks


class ColumnarConfig(AlgorithmConfig):  # type: ignore[misc]
    """Mixin of an `AlgorithmConfig`: the columnar runner and module, sizes in lanes and fragments."""

    def set_columnar_defaults(self) -> None:
        """Sets what differs from RLlib's defaults."""
        self.env_runner_cls = ColumnarEnvRunner
        self.callbacks_class = ResultCallbacks
        self.num_env_runners = 0
        self.num_envs_per_env_runner = 64
        self.rollout_fragment_length: int | str = 20
        self.minibatch_size: int | None = None
        # There is no connector whose state would have to be gathered.
        self.merge_env_runner_states = False
        # Sampling and learning take turns in one process of one thread.
        self.num_cpus_per_learner = 1
        self.num_cpus_for_main_process = 1

    @property
    def total_train_batch_size(self) -> int:
        """Environment steps of one update: as configured, or one fragment of every lane."""
        per_learner: int | None = self._train_batch_size_per_learner
        if per_learner is None:
            return self.lanes * int(self.rollout_fragment_length)
        return per_learner * max(1, int(self.num_learners))

    @property
    def lanes(self) -> int:
        """Lanes over all runners."""
        return int(self.num_envs_per_env_runner) * max(1, self.num_env_runners)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The recurrent module; `rl_module(model_config=...)` holds its encoder and core."""
        return RLModuleSpec(module_class=RecurrentModule)

    def validate(self) -> None:
        """Checks the settings against each other.

        Raises:
            ValueError: Lanes that cannot be shared among the learners, or another setting out of range.
        """
        super().validate()
        if self.rollout_fragment_length == "auto" and self._train_batch_size_per_learner is None:
            raise ValueError("rollout_fragment_length: 'auto' needs train_batch_size_per_learner to be set")
        if self.num_learners and self.lanes % self.num_learners:
            raise ValueError(
                f"num_learners: {self.lanes} lanes (num_env_runners * num_envs_per_env_runner) cannot be "
                f"shared equally among {self.num_learners} learners"
            )


class ColumnarState(Algorithm):  # type: ignore[misc]
    """Mixin of an `Algorithm`: the window of episodes travels in the checkpoint."""

    def get_state(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state and the window of episodes."""
        state: dict[str, Any] = super().get_state(*args, **kwargs)
        state["episode_window"] = ResultCallbacks.of(self).get_state()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores RLlib's state and the window of episodes."""
        super().set_state(state)
        if "episode_window" in state:
            ResultCallbacks.of(self).set_state(state["episode_window"])
