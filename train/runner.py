"""Runs plans on Ray Tune."""

import logging
import math
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from engram.train import build
from engram.train.errors import ExperimentError
from engram.train.plan import Plan, resolved
from engram.train.record import make_record, read_record, write_record


@dataclass(frozen=True)
class RayOptions:
    """How to reach or start Ray.

    Attributes:
        address: An existing cluster's address; None starts Ray on this machine.
        cpus: CPUs that a Ray started here may use; None: all.
        gpus: GPUs likewise.
        verbosity: 0 quiet, 1 warnings, 2 everything that the workers print.
    """

    address: str | None = None
    cpus: int | None = None
    gpus: int | None = None
    verbosity: int = 0


def check_resources(plan: Plan, options: RayOptions) -> None:
    """Refuse what a Ray on this machine could never start.

    Args:
        plan: A checked experiment.
        options: How Ray will be started.

    Raises:
        ExperimentError: a trial needs more than there is.
    """
    if options.address is not None:
        return
    gpus = build.gpus_per_trial(plan.config)
    if gpus > 0 and gpus > (have := _gpus(options)):
        raise ExperimentError(f"config.num_gpus_per_learner: a trial asks for {gpus:g} GPUs, there are {have}")
    cpus = build.cpus_per_trial(plan.config)
    if options.cpus is not None and cpus > options.cpus:
        raise ExperimentError(f"--ray-num-cpus {options.cpus}: one trial asks for {cpus:g} CPUs; legal: that or more")


def _gpus(options: RayOptions) -> int:
    if options.gpus is not None:
        return options.gpus
    import torch

    return torch.cuda.device_count()


def _set_environment(options: RayOptions) -> None:
    """What Ray and its workers read from the environment. Whatever the user has set stays."""
    defaults = {
        "OMP_NUM_THREADS": "1",  # one thread per process: small tensors run many times slower with two
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_PRINT_ALL_TRIAL_ERRORS": "1" if options.verbosity else "0",
        "TUNE_GLOBAL_CHECKPOINT_S": "5",  # s between two writes of results to the results folder
        "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    }
    if options.verbosity < 2:
        defaults |= {"PYTHONWARNINGS": "ignore", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    if options.address is None and not ({"RAY_AUTH_MODE", "RAY_AUTH_TOKEN"} & os.environ.keys()):
        defaults |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def start_ray(plans: list[Plan], options: RayOptions) -> None:
    """Connect to a cluster, or start Ray on this machine with enough room for one trial.

    Args:
        plans: What is to run.
        options: How.

    Raises:
        ExperimentError: no cluster at the given address.
    """
    _set_environment(options)
    import ray

    level = (logging.ERROR, logging.WARNING, logging.INFO)[min(options.verbosity, 2)]
    common = {"include_dashboard": False, "log_to_driver": options.verbosity > 0, "logging_level": level}
    if options.address is not None:
        environment = {"env_vars": {"OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"]}}
        del common["include_dashboard"]
        try:
            ray.init(address=options.address, runtime_env=environment, **common)
        except Exception as error:  # ConnectionError, RuntimeError, ValueError, by the kind of address
            raise ExperimentError(f"--ray-address {options.address}: {error}") from None
        return
    needed = max(math.ceil(build.cpus_per_trial(plan.config)) for plan in plans)
    cpus = options.cpus or (needed if needed > (os.cpu_count() or 1) else None)
    ray.init(address="local", num_cpus=cpus, num_gpus=options.gpus, **common)


def run(plans: list[Plan], options: RayOptions, resume: bool, console: Console) -> int:
    """Train the plans one after the other.

    Args:
        plans: Checked experiments.
        options: How to start Ray.
        resume: Go on with what is in the results folders.
        console: For messages.

    Returns:
        The exit code: 0, 1 where a trial failed, 128 + signal where the user stopped the run.
    """
    from engram.train.interrupt import INTERRUPT

    failed = 0
    with INTERRUPT.listening():
        start_ray(plans, options)
        import ray

        INTERRUPT.listen_again()
        try:
            for plan in plans:
                if not INTERRUPT.requested:
                    failed += _run_one(plan, options, resume, console)
        except KeyboardInterrupt:
            print("Stopped without saving.", file=sys.stderr)
        finally:
            ray.shutdown()
        if INTERRUPT.signal is not None:
            return 128 + INTERRUPT.signal
    return 1 if failed else 0


def _run_one(plan: Plan, options: RayOptions, resume: bool, console: Console) -> int:
    from engram.train.resume import unfinished_trials

    left = unfinished_trials(plan.folder) if resume else None
    if left == 0:
        console.print(f"{plan.experiment.name}: already finished", highlight=False)
        return 0
    tuner = _new_tuner(plan, options) if left is None else _restored_tuner(plan, console)
    return _report(tuner.fit(), plan, console)


def _new_tuner(plan: Plan, options: RayOptions) -> Any:
    from ray import tune

    from engram.train.interrupt import EndWhenSaved
    from engram.train.progress import Progress
    from engram.train.resume import ResumingScheduler
    from engram.train.trials import RecordTrials, StopConditions, trial_name

    experiment = plan.experiment
    record = make_record(resolved(plan), plan.seeds)
    if "://" not in plan.storage:
        write_record(plan.folder, record)
    callbacks = [Progress(experiment.stop), RecordTrials(record, list(plan.domains)), EndWhenSaved()]
    return tune.Tuner(
        build.trainable(plan.config),
        param_space=build.trial_space(plan.config, plan.domains),
        tune_config=tune.TuneConfig(
            num_samples=experiment.num_samples,
            scheduler=ResumingScheduler(),
            trial_name_creator=trial_name,
        ),
        run_config=tune.RunConfig(
            name=experiment.name,
            storage_path=plan.storage,
            stop=StopConditions(experiment.stop),
            callbacks=callbacks,
            checkpoint_config=tune.CheckpointConfig(**experiment.checkpoint_config.model_dump()),
            failure_config=tune.FailureConfig(max_failures=experiment.max_failures),
            verbose=min(options.verbosity, 2),
        ),
        _tuner_kwargs={"restore": experiment.restore} if experiment.restore else None,
    )


def _restored_tuner(plan: Plan, console: Console) -> Any:
    from ray import tune

    stored = (read_record(plan.folder) or {}).get("experiment", {})
    changed = changed_settings(stored, resolved(plan))
    note = f"; what has changed since is not used: {', '.join(changed)}" if stored and changed else ""
    console.print(f"{plan.experiment.name}: resuming with its stored settings{note}", highlight=False)
    return tune.Tuner.restore(
        str(plan.folder), trainable=build.trainable(plan.config), resume_unfinished=True, resume_errored=True
    )


def changed_settings(stored: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> list[str]:
    """Dotted paths of settings that differ between two resolved experiments.

    Args:
        stored: From `run.json`.
        now: From `resolved`.
        path: Prefix of the paths.
    """
    changed = []
    for key in sorted({*stored, *now}):
        before, after = stored.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            changed += changed_settings(before, after, f"{path}{key}.")
        elif before != after:
            changed.append(f"{path}{key}")
    return changed


def _report(results: Any, plan: Plan, console: Console) -> int:
    failed = 0
    for result in results:
        if result.error is not None:
            failed += 1
            last = str(result.error).strip().splitlines()[-1]
            console.print(f"failed: {Path(result.path).name}: {last}", style="red", markup=False, highlight=False)
        elif result.checkpoint is not None:
            console.print(f"checkpoint: {result.checkpoint.path}", markup=False, highlight=False, soft_wrap=True)
    return failed
