"""What a run would cost: the env steps of all its trials, and a few updates that are timed here."""

import shutil
import time
from dataclasses import dataclass
from typing import Any

from engram.train.console.errors import ExperimentError, one_line
from engram.train.plans import build, forecast
from engram.train.plans.plan import Plan
from engram.train.running.cluster import RayOptions, start_ray

UPDATES = 3  # that are timed, after a first one that is not
HOUR = 3600.0  # s


@dataclass(frozen=True)
class Timed:
    """What was timed.

    Attributes:
        steps: Env steps of the updates.
        seconds: How long they took.
        of: What so much time of was needed: "a core", or all that a trial runs on.
    """

    steps: int
    seconds: float
    of: str


def measure(plans: list[Plan], options: RayOptions) -> list[Timed]:
    """Time updates of the first trial of each plan, on a Ray that ends with this.

    Raises:
        ExperimentError: an algorithm of RLlib's own; Ray does not start, or a trial fails.
    """
    import ray

    for plan in plans:
        if not build.is_columnar(plan.experiment.run):
            known = "those of `rllib list algorithms` that learn on columns"
            raise ExperimentError(f"--measure: {plan.experiment.run} is RLlib's own; legal: {known}")
    start_ray(plans, options)
    try:
        return [_of_first_trial(plan) for plan in plans]
    finally:
        ray.shutdown()


def _of_first_trial(plan: Plan) -> Timed:
    with one_line(f"--measure: {plan.experiment.name}"):
        algorithm = plan.config.copy(copy_frozen=False).build_algo()
        try:
            return time_updates(algorithm)
        finally:
            algorithm.stop()
            shutil.rmtree(algorithm.logdir, ignore_errors=True)


def time_updates(algorithm: Any) -> Timed:
    """Time `UPDATES` updates of an algorithm.

    Where all of its work is done in this process, on CPUs, the processor's time counts, which others that are
    busy on this machine hardly change.
    """
    config = algorithm.config
    alone = build.device(config) == "cpu" and not config.num_env_runners and not config.num_learners
    clock = time.process_time if alone else time.perf_counter
    algorithm.training_step()
    before, begun = _sampled(algorithm), clock()
    while (steps := _sampled(algorithm) - before) < UPDATES * config.update_steps:
        algorithm.training_step()
    return Timed(steps, clock() - begun, "a core" if alone else _hardware(config))


def _sampled(algorithm: Any) -> int:
    return int(algorithm.metrics.peek(("env_runners", "num_env_steps_sampled_lifetime"), default=0))


def _hardware(config: Any) -> str:
    cpus = f"{build.per_trial(config, 'CPU'):g} CPUs"
    if build.device(config) == "cpu":
        return cpus
    import torch

    return f"{cpus} and {torch.cuda.get_device_name()}"


def described(plan: Plan, timed: Timed | None) -> str | None:
    """Say what a plan costs, for the header; None where nobody knows when it stops.

    Args:
        plan: A checked experiment.
        timed: Updates of its first trial; None: not timed.
    """
    each = forecast.trial_steps(plan.experiment, plan.config)
    if each is None:
        return None
    steps = f"{each * plan.trials:,} env steps in all"
    if timed is None:
        return f"{steps}; time not measured (--measure)"
    pace = timed.seconds / timed.steps
    trial = pace * each
    rest = "" if plan.trials == 1 else f", {_hours(trial * plan.trials)} for {plan.trials:,} like the first"
    return (
        f"{steps}; estimate from {timed.steps:,} timed here: {1000 * pace:.3g} ms of {timed.of} for each, "
        f"{_hours(trial)} a trial{rest}"
    )


def _hours(seconds: float) -> str:
    hours = seconds / HOUR
    days = f" ({hours / 24:,.0f} days)" if hours >= 72 else ""
    return f"{hours:,.0f} h{days}" if hours >= 10 else f"{hours:.2g} h"
