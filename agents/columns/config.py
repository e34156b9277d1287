"""Settings and module of every algorithm on the columnar path, and the training step of most."""

import math
from typing import Any, Self

import ray
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig, NotProvided
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.execution.rollout_ops import synchronous_parallel_sample
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    ENV_RUNNER_SAMPLING_TIMER,
    LEARNER_RESULTS,
    LEARNER_UPDATE_TIMER,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    SYNCH_WORKER_WEIGHTS_TIMER,
    TIMERS,
)

from engram.agents.columns.ahead import Sampled
from engram.agents.columns.env_runner import ColumnarEnvRunner
from engram.agents.columns.failures import ENV_TIMEOUT_S
from engram.agents.columns.finite import ON_NON_FINITE
from engram.agents.columns.fragment import ColumnSet, concatenate
from engram.agents.columns.live import check_schedules
from engram.agents.columns.results import ResultCallbacks
from engram.agents.models.choice import module_class, thinks
from engram.agents.models.moments import NORMALIZATION, NormalizationOptions
from engram.agents.models.recurrent import ColumnarModule
from engram.memory.options import unknown_message


class ColumnarConfig(AlgorithmConfig):  # type: ignore[misc]
    """Mixin of an `AlgorithmConfig`: the columnar runner and module, sizes in lanes and fragments.

    Attributes:
        on_non_finite: What happens where a reward, an observation, a loss or a gradient is not finite. `stop`
            ends the trial with an error. `skip` goes on: nothing is learned from the fragment of a lane with
            such a reward or observation, nor from a minibatch with such a loss or gradient. A parameter that
            is not finite ends the trial either way, and so does an iteration with nothing left to learn from.
        env_timeout_s: Seconds that a step or a reset of all lanes of an env runner may take; what takes
            longer ends the trial. Code that never comes back to Python is not interrupted.
        normalize_observations: Whether parts of observations that are floats are standardised by the running
            mean and deviation of all lanes. The statistics are part of the network: they go into checkpoints
            and stand still in evaluations.
        normalize_rewards: Whether what is learned from are rewards over the running deviation of the
            discounted return. Reported returns are those of the environment.
        normalization_clip: Largest magnitude of what was normalised; None: any.
        clip_rewards: What is learned from rewards (RLlib's setting). True: their signs; a number: no more
            than that, either way; None or False: all. Reported returns are those of the environment.
        microbatch_size: Env steps of a minibatch that go through the network at a time, as whole lanes; their
            gradients add up to one step. Takes less memory and learns the same, but for rounding and for the
            running statistics of `normalize: running`, which move on with each part. None: all of them.
        cut_returns_at: Key of `info`, such as `lives`; where this number falls, what is learned of returns
            ends as with an episode (discount 0), while the episode and its memory go on. Reported returns
            are those of episodes, and so are those whose deviation `normalize_rewards` divides by. Every lane
            tells the number at each reset and step; in a step that ends or truncates the episode, that
            counts. None: returns end with episodes.
        schedules: Live setting -> `[[env step, value], ...]`, each value until the next step, from the first
            update of an iteration on; lr and entropy_coeff have schedules of their own.
        population: A member's place in its population, see `engram.agents.population`; None: it is in none.
    """

    microbatch_size: int | None = None  # these two of those that older checkpoints hold, too
    cut_returns_at: str | None = None

    @property
    def needed_info(self) -> tuple[str, ...]:
        """What an environment's info must hold."""
        return (self.cut_returns_at,) if self.cut_returns_at else ()

    def set_columnar_defaults(self) -> None:
        """Sets what differs from RLlib's defaults."""
        self.env_runner_cls = ColumnarEnvRunner
        self.callbacks_class = ResultCallbacks
        self.num_env_runners = 0
        self.num_envs_per_env_runner = 64
        self.rollout_fragment_length: int | str = 20
        self.minibatch_size: int | None = None
        self.microbatch_size = None
        self.cut_returns_at = None
        self.on_non_finite = "stop"
        self.env_timeout_s = ENV_TIMEOUT_S
        self.normalize_observations = False
        self.normalize_rewards = False
        self.normalization_clip: float | None = 10.0
        self.population: dict[str, Any] | None = None
        self.schedules: dict[str, Any] = {}
        # There is no connector whose state would have to be gathered.
        self.merge_env_runner_states = False
        # Sampling and learning take turns in one process of one thread.
        self.num_cpus_per_learner = 1
        self.num_cpus_for_main_process = 1

    def training(
        self,
        *,
        microbatch_size: int | None = NotProvided,
        cut_returns_at: str | None = NotProvided,
        **kwargs: Any,
    ) -> Self:
        """Sets the training settings: ours as in the class, the others as in `AlgorithmConfig.training`."""
        super().training(**kwargs)
        self.set_provided(microbatch_size=microbatch_size, cut_returns_at=cut_returns_at)
        return self

    def set_provided(self, **settings: Any) -> None:
        """Sets those settings that a caller of `training` has given."""
        for name, value in settings.items():
            if value is not NotProvided:
                setattr(self, name, value)

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

    @property
    def round_steps(self) -> int:
        """Environment steps of one fragment of every lane, the least that is sampled."""
        return self.lanes * int(self.get_rollout_fragment_length())

    @property
    def update_steps(self) -> int:
        """Environment steps that one update learns from, over all learners.

        Fragments are never cut: it is `total_train_batch_size`, rounded up to whole rounds of sampling.
        """
        return math.ceil(self.total_train_batch_size / self.round_steps) * self.round_steps

    def minibatch_steps(self) -> list[int]:
        """Environment steps of each minibatch that one learner makes of an update: whole lanes."""
        length = int(self.get_rollout_fragment_length())
        lanes = self.update_steps // length // max(1, self.num_learners)
        minibatches = count_minibatches(lanes, length, self.minibatch_size)
        return [(lanes + index) // minibatches * length for index in reversed(range(minibatches))]

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module that `rl_module(model_config=...)` asks for by its core."""
        return RLModuleSpec(module_class=module_class(self.model_config))

    @property
    def _model_config_auto_includes(self) -> dict[str, Any]:
        """What the algorithm, not the user, tells the module."""
        known: dict[str, Any] = super()._model_config_auto_includes
        if not (self.normalize_observations or self.normalize_rewards):
            return known
        options = NormalizationOptions(
            self.normalize_observations, self.normalize_rewards, self.normalization_clip
        )
        return {**known, NORMALIZATION: tuple(options)}

    def check_module(self, module: ColumnarModule) -> None:
        """Raises ValueError where the algorithm cannot train a module that could be built."""

    def validate(self) -> None:
        """Checks the settings against each other.

        Raises:
            ValueError: Lanes that cannot be shared among the learners, a minibatch larger than the batch, or
                another setting out of range.
        """
        if not self.in_evaluation:
            self._check_fragments()
            self._check_minibatches()
        super().validate()
        if self.on_non_finite not in ON_NON_FINITE:
            raise ValueError(unknown_message("on_non_finite", self.on_non_finite, ON_NON_FINITE))
        check_schedules(self.schedules, self)
        for key in ("normalize_observations", "normalize_rewards"):
            if getattr(self, key) and thinks(self.model_config):
                raise ValueError(f"{key}: a core that thinks in iterations takes numbers as they are")
        self._check_clipping()
        if self.cut_returns_at == "":
            raise ValueError("cut_returns_at: '' is no key of info; legal: its name, or null")
        if self.num_learners and self.lanes % self.num_learners:
            raise ValueError(
                f"num_learners: {self.lanes} lanes (num_env_runners * num_envs_per_env_runner) cannot be "
                f"shared equally among {self.num_learners} learners"
            )

    def _check_clipping(self) -> None:
        clip = self.clip_rewards
        if clip is not None and not isinstance(clip, bool) and not 0 < clip < math.inf:
            raise ValueError(
                f"clip_rewards: {clip} is out of range; legal: true (their signs), a number above 0, or false"
            )
        if clip and self.normalize_rewards:
            raise ValueError(
                "clip_rewards: normalize_rewards scales rewards, too, by returns that are not clipped; set "
                "one of them"
            )

    def _check_fragments(self) -> None:
        """Checks that `auto` gives every runner fragments of one length."""
        if self.rollout_fragment_length != "auto":
            return
        if self._train_batch_size_per_learner is None:
            raise ValueError("rollout_fragment_length: 'auto' needs train_batch_size_per_learner to be set")
        if self.total_train_batch_size % self.lanes:
            raise ValueError(
                f"train_batch_size_per_learner: {self.total_train_batch_size} env steps in all are not the "
                f"same number for each of {self.lanes} lanes, as rollout_fragment_length: auto needs"
            )

    def _check_minibatches(self) -> None:
        most = self.update_steps // max(1, self.num_learners)
        if self.minibatch_size is not None and self.minibatch_size > most:
            raise ValueError(
                f"minibatch_size: {self.minibatch_size} is more than a learner's batch of {most} env steps "
                f"({self.lanes} lanes x {self.get_rollout_fragment_length()} steps make a round); "
                f"legal: 1 to {most}, or null for all of it"
            )
        self._check_microbatches()

    def _check_microbatches(self) -> None:
        size, most = self.microbatch_size, max(self.minibatch_steps())
        if size is None:
            return
        if type(size) is not int or size < 1:
            raise ValueError(
                f"microbatch_size: {size!r} is not legal; legal: 1 to {most}, or null for all of it"
            )
        if size > most:
            raise ValueError(
                f"microbatch_size: {size} is more than a minibatch of {most} env steps; legal: 1 to {most}, "
                f"or null for all of it"
            )
        if self.num_learners > 1:
            raise ValueError(
                f"microbatch_size: not with {self.num_learners} learners, which wait for each other's "
                f"gradients; legal: null"
            )


def count_minibatches(lanes: int, length: int, minibatch_size: int | None) -> int:
    """Counts the minibatches of whole lanes that a batch is cut into.

    Args:
        lanes: Lanes of the batch.
        length: Environment steps of each lane.
        minibatch_size: Environment steps wanted of a minibatch, rounded down to whole lanes but never to
            none; None: all of them.
    """
    lanes_each = max(1, minibatch_size // length) if minibatch_size else lanes
    return max(1, lanes // lanes_each)


class SynchronousTraining(Algorithm):  # type: ignore[misc]
    """Mixin of an `Algorithm` whose runners and learners take turns."""

    def training_step(self) -> None:
        """Samples one batch from all runners, updates on it, hands the new weights to the runners."""
        with self.metrics.log_time((TIMERS, ENV_RUNNER_SAMPLING_TIMER)):
            fragments, results = self.sample()
        self.metrics.aggregate(results, key=ENV_RUNNER_RESULTS)
        if not fragments:
            return
        with self.metrics.log_time((TIMERS, LEARNER_UPDATE_TIMER)):
            self.metrics.aggregate(self._update(fragments), key=LEARNER_RESULTS)
        with self.metrics.log_time((TIMERS, SYNCH_WORKER_WEIGHTS_TIMER)):
            self.env_runner_group.sync_weights(
                from_worker_or_learner_group=self.learner_group,
                policies=[DEFAULT_MODULE_ID],
                inference_only=True,
            )

    def sample(self) -> Sampled:
        """Samples one batch from all runners."""
        fragments, metrics = synchronous_parallel_sample(
            worker_set=self.env_runner_group,
            max_env_steps=self.config.total_train_batch_size,
            sample_timeout_s=self.config.sample_timeout_s,
            _uses_new_env_runners=True,
            _return_metrics=True,
        )
        return fragments, metrics

    def _update(self, fragments: list[ColumnSet]) -> Any:
        settings = {
            "timesteps": {
                NUM_ENV_STEPS_SAMPLED_LIFETIME: self.metrics.peek(
                    (ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME), default=0
                )
            },
            "num_epochs": self.config.num_epochs,
            "minibatch_size": self.config.minibatch_size,
        }
        if self.learner_group.is_local:
            return self.learner_group.update(episodes=fragments, **settings)
        # RLlib shards a list of references, one to each learner, and leaves what they hold alone.
        parts = concatenate(fragments).split(self.config.num_learners)
        return self.learner_group.update(episodes_refs=[ray.put([part]) for part in parts], **settings)
