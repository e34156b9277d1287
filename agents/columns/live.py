"""Settings that change while an algorithm trains, in learners and runners alike."""

import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.utils.schedules.scheduler import Scheduler

from engram.memory.options import unknown_key_message

LIVE = (
    "lr",
    "entropy_coeff",
    "gamma",
    "lambda_",
    "clip_param",
    "grad_clip",
    "vf_loss_coeff",
    "vtrace_clip_rho_threshold",
    "vtrace_clip_pg_rho_threshold",
)
"""Settings that are read anew in every update."""

OWN_SCHEDULES = ("lr", "entropy_coeff")
"""Those whose value may itself be a schedule, with straight lines between its points."""


def live_keys(config: Any) -> list[str]:
    """Those of `LIVE` that an algorithm has and that are on."""
    return [key for key in LIVE if getattr(config, key, None) is not None]


def current(config: Any, env_steps: int) -> dict[str, float]:
    """The values in force after some env steps, those of schedules at that moment.

    Args:
        config: An `AlgorithmConfig`.
        env_steps: Env steps so far.
    """
    return {key: _at(getattr(config, key), env_steps) for key in live_keys(config)}


def _at(value: Any, env_steps: int) -> float:
    return float(Scheduler(value, framework="torch").update(env_steps))


def set_live(algorithm: Algorithm, values: Mapping[str, float]) -> None:
    """Goes on with other values from the next update on; schedules of such settings end.

    Args:
        algorithm: One of ours.
        values: Setting -> value.
    """
    if not values:
        return
    values = dict(values)
    algorithm.config = changed(algorithm.config, values)
    for result in algorithm.learner_group.foreach_learner(partial(_tell_learner, values=values)):
        result.get()
    algorithm.env_runner_group.foreach_env_runner(partial(_tell_runner, values=values))


def _tell_learner(learner: Any, values: Mapping[str, float]) -> None:
    learner.set_hyperparameters(values)


def _tell_runner(runner: Any, values: Mapping[str, float]) -> None:
    runner.config = changed(runner.config, values)


def changed(config: Any, values: Mapping[str, Any]) -> Any:
    """A frozen copy of an `AlgorithmConfig` with other values.

    Args:
        config: What is changed; stays as it is.
        values: Setting -> value.
    """
    copied = config.copy(copy_frozen=False)
    for key, value in values.items():
        setattr(copied, key, value)
    copied.freeze()
    return copied


def check_schedules(schedules: Mapping[str, Any], config: Any) -> None:
    """Checks the `schedules:` setting.

    Args:
        schedules: Setting -> `[[env step, value], ...]`.
        config: The `AlgorithmConfig` that has them.

    Raises:
        ValueError: A setting that has no schedule, or points that are none.
    """
    known = [key for key in live_keys(config) if key not in OWN_SCHEDULES]
    for key, points in schedules.items():
        if key in OWN_SCHEDULES:
            raise ValueError(f"schedules.{key}: written where it stands, config.{key}: [[0, value], ...]")
        if key not in known:
            raise ValueError(unknown_key_message("schedules", key, known))
        pairs = points if isinstance(points, list | tuple) else ()
        plain = bool(pairs) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs)
        numbers = [number for pair in pairs for number in pair] if plain else [None]
        if not all(type(number) in (int, float) for number in numbers) or not _rises(numbers[::2]):
            raise ValueError(
                f"schedules.{key}: expected [[0, value], [env step, value], ...] with rising steps, each "
                f"value until the next step, got {points!r}"
            )


def _rises(steps: list[Any]) -> bool:
    return steps[0] == 0 and all(before < after for before, after in itertools.pairwise(steps))


def scheduled(schedules: Mapping[str, Any], env_steps: int) -> dict[str, float]:
    """The values in force after some env steps: each holds until the next step of its schedule.

    Args:
        schedules: Setting -> `[[env step, value], ...]`.
        env_steps: Env steps so far.
    """
    return {
        key: [value for step, value in points if step <= env_steps][-1] for key, points in schedules.items()
    }
