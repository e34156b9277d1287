"""Results: one set of metric names for our algorithms and for stock RLlib's.

Episodes are logged one by one where they are played (`engram.agents.columns.episodes`) and summarised here,
in the algorithm's process, just before a result is reported.
"""

import math
from numbers import Real
from typing import Any, ClassVar, Self

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env.env_runner_group import EnvRunnerGroup
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    EVALUATION_RESULTS,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    NUM_MODULE_STEPS_TRAINED,
)
from ray.rllib.utils.metrics.metrics_logger import MetricsLogger

from engram.agents.columns.clock import keep_steady
from engram.agents.columns.episodes import (
    EPISODES,
    UNFINISHED,
    Episode,
    EpisodeWindow,
    Unfinished,
    as_records,
)
from engram.agents.columns.failures import check_failures
from engram.agents.columns.finite import NON_FINITE, NonFinite, shown
from engram.agents.columns.learner import STEPS_TAKEN
from engram.agents.columns.live import scheduled, set_live
from engram.agents.columns.starting import start_from_checkpoint
from engram.agents.columns.trials import TRIALS, per_trial


class ResultCallbacks(RLlibCallback):  # type: ignore[misc]
    """Completes every result: a window of episodes, steps per second, TensorBoard's x-axis, BPTT window.

    Attributes:
        guards: Whether a number that is not finite ends a trial of an algorithm with these callbacks.
        new_episodes: Why a restored algorithm could not play on in its episodes; told with the next result.
    """

    guards: ClassVar[bool] = True

    def __init__(self) -> None:
        self._window = EpisodeWindow(size=100)
        self._evaluated: dict[str, Any] = {}
        self._skipped = 0
        self._no_start = ""
        self.new_episodes = ""

    @classmethod
    def of(cls, algorithm: Algorithm) -> Self:
        """The instance at work in `algorithm`."""
        return next(callback for callback in algorithm.callbacks if isinstance(callback, cls))

    def get_state(self) -> dict[str, Any]:
        """The window, the last evaluation and what was left out, for checkpoints."""
        episodes = [tuple(episode) for episode in self._window.episodes]
        return {"episodes": episodes, "evaluated": self._evaluated, "skipped": self._skipped}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores what `get_state` returned."""
        self._window.episodes.clear()
        self._window.extend(state["episodes"])
        self._evaluated = state.get("evaluated", {})  # older checkpoints have none
        self._skipped = state.get("skipped", 0)

    def forget_episodes(self) -> None:
        """Empties the window: what its episodes were played with is gone."""
        self._window.episodes.clear()

    def on_algorithm_init(self, *, algorithm: Algorithm, **_: Any) -> None:
        """Sizes the window as configured; lets a new run start from another one's weights."""
        keep_steady()
        self._window = EpisodeWindow(algorithm.config.metrics_num_episodes_for_smoothing)
        self._no_start = start_from_checkpoint(algorithm)
        self._follow_schedules(algorithm, 0)

    def on_checkpoint_loaded(self, *, algorithm: Algorithm, **_: Any) -> None:
        """Goes on where schedules are by then."""
        steps = algorithm.metrics.peek((ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME), default=0)
        self._follow_schedules(algorithm, int(steps))

    def _follow_schedules(self, algorithm: Algorithm, env_steps: int) -> None:
        """Sets what the `schedules:` setting has after some env steps."""
        wanted = scheduled(getattr(algorithm.config, "schedules", {}), env_steps)
        set_live(algorithm, {k: v for k, v in wanted.items() if getattr(algorithm.config, k) != v})

    def on_env_runners_recreated(
        self, *, env_runner_group: EnvRunnerGroup, env_runner_indices: list[int], **_: Any
    ) -> None:
        """Ends the trial where a remote runner, or its environment, has failed and would again.

        Raises:
            EnvError: It has, and why; or another error, see `failures`.
        """
        check_failures(env_runner_group, env_runner_indices)

    def on_episode_end(
        self,
        *,
        episode: SingleAgentEpisode,
        metrics_logger: MetricsLogger,
        env: Any,
        prev_episode_chunks: Any,
        **_: Any,
    ) -> None:
        """Logs an episode played by a stock RLlib runner.

        Its length is the ending chunk's clock: learners in the same process add a step to earlier chunks.
        """
        chunks = [*(prev_episode_chunks or ()), episode]
        info = episode.get_infos(-1)
        group = info.get(env.metadata.get("group_by"))
        success = info.get("success")
        record = Episode(
            sum(chunk.get_return() for chunk in chunks),
            episode.t,
            None if success is None else bool(success),
            None if group is None else str(group),
        )
        metrics_logger.log_value(EPISODES, tuple(record), reduce="item_series")

    def on_sample_end(
        self, *, env_runner: Any, metrics_logger: MetricsLogger, samples: list[Any], **_: Any
    ) -> None:
        """Logs how far a stock RLlib runner's episodes are, and what in them was not finite."""
        found = env_runner.env.guard.finding()
        if found is not None:
            metrics_logger.log_value(NON_FINITE, tuple(found), reduce="item_series")
        episodes = [s for s in samples if isinstance(s, SingleAgentEpisode)]
        progress = Unfinished(
            max((s.t for s in episodes if not s.is_done), default=0),
            any("success" in s.get_infos(-1) for s in episodes),
        )
        metrics_logger.log_value(UNFINISHED, tuple(progress), reduce="item_series")

    def on_train_result(self, *, algorithm: Algorithm, result: dict[str, Any], **_: Any) -> None:
        """Completes the result in place.

        Raises:
            FloatingPointError: Something was not finite, and is not to be skipped.
            ValueError: It has trained from scratch in place of the weights that it was to start from.
        """
        if self._no_start and algorithm.training_iteration <= 1:  # what was restored has more behind it
            raise ValueError(self._no_start)
        self._judge(algorithm.config, result)
        runners = result.setdefault(ENV_RUNNER_RESULTS, {})
        self._window.extend(runners.pop(EPISODES, ()))
        runners.update(self._window.summary(runners.pop(UNFINISHED, ())))
        _average_trials(runners)
        result["timesteps_total"] = int(runners.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0))
        steps = float(runners.get(NUM_ENV_STEPS_SAMPLED, 0))
        result["steps_per_second"] = steps / max(result.get("time_this_iter_s", 0.0), 1e-9)
        result["bptt_steps"] = bptt_steps_of(algorithm.config)
        self._follow_schedules(algorithm, result["timesteps_total"])
        if self.new_episodes:
            result["new_episodes"], self.new_episodes = self.new_episodes, ""
        if EVALUATION_RESULTS in result:
            self._summarise_evaluation(result[EVALUATION_RESULTS].get(ENV_RUNNER_RESULTS, {}))

    def _judge(self, config: Any, result: dict[str, Any]) -> None:
        """Counts what was left out because it was not finite, or ends the trial."""
        learned = result.get(LEARNER_RESULTS, {}).get(DEFAULT_MODULE_ID, {})
        taken = learned.pop(STEPS_TAKEN, 0)
        findings: list[NonFinite] = []
        for section in (learned, *_played(result)):
            findings += as_records(section.pop(NON_FINITE, ()), NonFinite)
        self._skipped += sum(found.left_out for found in findings)
        result["non_finite_skipped"] = self._skipped
        # An asynchronous learner may not have answered: RLlib then repeats its metrics, as NaN.
        updated = learned.get(NUM_MODULE_STEPS_TRAINED, 0) > 0
        trouble = findings[0].message if findings else (_stock_trouble(learned) if updated else None)
        if trouble is None:
            return
        if getattr(config, "on_non_finite", "stop") == "stop":
            raise FloatingPointError(trouble)
        if updated and taken == 0:
            raise FloatingPointError(
                f"{trouble}; on_non_finite is skip, but this iteration has nothing left to learn from"
            )
        result["non_finite"] = trouble
        # An infinite loss: JSON has no such number, and TensorBoard says so each time on the screen.
        learned.update({name: math.nan for name, value in learned.items() if _is_infinite(value)})

    def _summarise_evaluation(self, runners: dict[str, Any]) -> None:
        """Replaces an evaluation's list of episodes by a summary of exactly those.

        RLlib puts the section into every result; between two evaluations no runner has reported, and the last
        summary stands. An evaluation in which no episode ended is one, without a return.
        """
        window = EpisodeWindow(size=None)
        window.extend(runners.pop(EPISODES, ()))
        unfinished = as_records(runners.pop(UNFINISHED, ()), Unfinished)
        if window.episodes or unfinished:
            _average_trials(runners)
            self._evaluated = window.summary(unfinished) | {k: v for k, v in runners.items() if k == TRIALS}
        runners.update(self._evaluated)


def _average_trials(runners: dict[str, Any]) -> None:
    """Replaces sums over trials by means, in place; without any trial the section goes."""
    if TRIALS in runners:
        runners[TRIALS] = per_trial(runners[TRIALS])


def _played(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the sections of a result that come from runners, those of evaluations last."""
    return [part.get(ENV_RUNNER_RESULTS, {}) for part in (result, result.get(EVALUATION_RESULTS, {}))]


def _stock_trouble(learned: dict[str, Any]) -> str | None:
    """A loss of a stock RLlib learner that is not finite; it has set such gradients to 0 and gone on."""
    for name, value in learned.items():
        if name.endswith("_loss") and isinstance(value, Real) and not math.isfinite(value):
            place = f"{LEARNER_RESULTS}/{DEFAULT_MODULE_ID}/{name}"
            return f"{shown(place, float(value))}; a smaller lr may help"
    return None


def _is_infinite(value: Any) -> bool:
    return isinstance(value, Real) and math.isinf(value)


def bptt_steps_of(config: Any) -> int | None:
    """Returns the BPTT length: the steps that gradients reach back at most, by the shortest of what cuts.

    None: nothing cuts, gradients reach back through whole episodes.

    Args:
        config: An `AlgorithmConfig`. Stock RLlib cuts its sequences at the module's `max_seq_len` and, where
            it learns from fragments, at their ends: it never joins the fragments of an episode. `Supervised`
            cuts at `truncation`, DreamerV3 at `batch_length_T`, and `core.bptt_steps` inside of all that.
    """
    model = config.model_config
    cuts = [
        model.get("max_seq_len"),
        getattr(config, "truncation", None),
        getattr(config, "batch_length_T", None),
        (model.get("core") or {}).get("bptt_steps"),
    ]
    steps = [cut for cut in cuts if cut]
    if not getattr(config, "whole_episodes", False) and (not steps or not _joins_fragments(config)):
        steps.append(config.get_rollout_fragment_length())
    return int(min(steps)) if steps else None


def _joins_fragments(config: Any) -> bool:
    """Whether an episode is whole when it is cut into sequences, as it is in a replay buffer."""
    return hasattr(config, "replay_buffer_config") or config.batch_mode == "complete_episodes"
