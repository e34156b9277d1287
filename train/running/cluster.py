"""Start Ray or connect to a cluster, and check that a trial fits."""

import contextlib
import functools
import logging
import math
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engram.train.console.errors import ExperimentError, reason
from engram.train.plans import build, memory_limits
from engram.train.plans.plan import Plan
from engram.train.running.everywhere import check_seen

FOLDER = "ENGRAM_FOLDER"
"""Tells the workers of a cluster where the command was given."""


@dataclass(frozen=True)
class RayOptions:
    """How to reach or start Ray.

    Attributes:
        address: An existing cluster's address; None starts Ray on this machine.
        cpus: CPUs that a Ray started here may use; None: all.
        gpus: GPUs likewise.
        verbosity: 0 quiet, 1 also what Ray's workers print, 2 also Tune's own status.
    """

    address: str | None = None
    cpus: int | None = None
    gpus: int | None = None
    verbosity: int = 0


def check_resources(plan: Plan, options: RayOptions) -> None:
    """Refuse what a Ray on this machine could never start.

    Raises:
        ExperimentError: a trial needs more than there is.
    """
    if options.address is not None:
        return
    for config in (plan.config, *plan.others):
        _check_counts(config, options)
        memory_limits.check_lanes(config, plan.env)
        memory_limits.check_batch(config, plan.env)
        memory_limits.check_evaluation_lanes(config, plan.env)
        memory_limits.check_processes(config)
    _check_population(plan, options)


def _check_population(plan: Plan, options: RayOptions) -> None:
    """Refuses members that would wait for others to end: nobody could copy from them."""
    if plan.population is None:
        return
    have: dict[Literal["CPU", "GPU"], float] = {
        "CPU": options.cpus or os.cpu_count() or 1,
        "GPU": _gpus(options) if build.per_trial(plan.config, "GPU") else 0.0,
    }
    for name, there in have.items():
        each = build.per_trial(plan.config, name)
        if each * plan.trials > there + 1e-6:
            share = math.floor(there / plan.trials * 100) / 100 or there / plan.trials
            raise ExperimentError(
                f"{plan.experiment.name}: {plan.trials} members of a population ask for {each:g} {name}s "
                f"each, {each * plan.trials:g} in all, and there are {there:g}; all have to train at once: "
                f"resources: {{{name.lower()}s_per_trial: {share:.4g}}}"
            )


_OWN = ("CPU", "GPU", "memory", "object_store_memory")  # what a Ray started here has
_OWN_OF_KIND = ("node:", "accelerator_type:")
_CUSTOM = (
    "custom_resources_for_main_process",
    "custom_resources_per_env_runner",
    "custom_resources_per_learner",
)


def _check_counts(config: Any, options: RayOptions) -> None:
    _check_custom(config)
    gpus = build.per_trial(config, "GPU")
    if gpus > 0 and gpus > (have := _gpus(options)):
        raise ExperimentError(
            f"config.num_gpus_per_learner: a trial asks for {gpus:g} GPUs, there are {have}"
        )
    cpus = build.per_trial(config, "CPU")
    if options.cpus is not None and cpus > options.cpus:
        raise ExperimentError(
            f"--ray-num-cpus {options.cpus}: one trial asks for {cpus:g} CPUs; legal: that or more"
        )


def _check_custom(config: Any) -> None:
    """Refuses a resource that a Ray started on this machine never has: its trial would wait for ever."""
    for name, amount in build.requested(config).items():
        if amount <= 0 or name in _OWN or name.startswith(_OWN_OF_KIND):
            continue
        keys = (key for key in _CUSTOM if name in (vars(config).get(key) or {}))
        raise ExperimentError(
            f"config.{next(keys, 'custom_resources')}: a trial asks for {amount:g} {name}, a Ray started "
            f"on this machine has none; legal: {', '.join(_OWN)}, or --ray-address of a cluster that has it"
        )


def tell_lacking(plans: list[Plan], have: Mapping[str, float]) -> None:
    """Say which trials wait for a node with more than a cluster has now; one that grows may get it.

    Args:
        plans: What is to run.
        have: Resource -> how much of it all nodes have together.
    """
    for plan in plans:
        members = 1 if plan.population is None else plan.trials
        if members > 1 and (cpus := members * build.per_trial(plan.config, "CPU")) > have.get("CPU", 0.0):
            print(
                f"notice: {plan.experiment.name}: the population's {members} members ask for {cpus:g} CPUs, "
                f"the cluster has {have.get('CPU', 0.0):g}: nobody copies from those that wait",
                file=sys.stderr,
            )
        for name, amount in build.requested(plan.config).items():
            if amount > have.get(name, 0.0):
                print(
                    f"notice: {plan.experiment.name}: a trial asks for {amount:g} {name}, the cluster has "
                    f"{have.get(name, 0.0):g}: it waits until there is more",
                    file=sys.stderr,
                )


def notice(plan: Plan, options: RayOptions) -> str | None:
    """Remark on a trial that asks for more CPUs than this machine has; Ray is started with that many."""
    cpus, have = build.per_trial(plan.config, "CPU"), os.cpu_count() or 1
    if options.address is not None or options.cpus is not None or cpus <= have:
        return None
    return (
        f"{plan.experiment.name}: one trial asks for {cpus:g} CPUs, this machine has {have}: its processes "
        "will share them, and trials run one by one"
    )


def _gpus(options: RayOptions) -> int:
    if options.gpus is not None:
        return options.gpus
    import torch

    return torch.cuda.device_count()


def set_environment(options: RayOptions) -> None:
    """Set what Ray and its workers read from the environment; before Ray is imported. What is set stays."""
    defaults = {
        "OMP_NUM_THREADS": "1",  # small tensors gain nothing from more; trials and runners share the cores
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",  # trials find the files that settings name where the command does
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

    Raises:
        ExperimentError: no cluster at the given address, or one with nodes that do not see the results; or
            Ray does not start here, nor when asked again.
    """
    import ray

    level = (logging.ERROR, logging.WARNING, logging.INFO)[min(options.verbosity, 2)]
    common = {"include_dashboard": False, "log_to_driver": options.verbosity > 0, "logging_level": level}
    if options.verbosity:
        logging.getLogger("ray.tune").setLevel(level)
    if options.address is not None:
        environment = {
            "env_vars": {"OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"], FOLDER: os.getcwd()},
            "worker_process_setup_hook": f"{enter_folder.__module__}.{enter_folder.__name__}",
        }
        del common["include_dashboard"]
        try:
            ray.init(address=options.address, runtime_env=environment, **common)
        except Exception as error:  # ConnectionError, RuntimeError, ValueError, by the kind of address
            raise ExperimentError(f"--ray-address {options.address}: {reason(error)}") from None
        tell_lacking(plans, ray.cluster_resources())
        check_seen(plan.folder for plan in plans if plan.folder is not None)
        return
    needed = max(math.ceil(build.per_trial(plan.config, "CPU")) for plan in plans)
    cpus = options.cpus or (needed if needed > (os.cpu_count() or 1) else None)
    start = functools.partial(ray.init, address="local", num_cpus=cpus, num_gpus=options.gpus, **common)
    try:
        start()
    except ValueError as error:  # an option that Ray refuses
        raise ExperimentError(f"Ray could not be started on this machine: {reason(error)}") from None
    except Exception as error:  # a part that does not answer in time raises a plain one
        print(f"notice: Ray did not start ({reason(error)}); once more", file=sys.stderr)
        _start_again(start)


def enter_folder() -> None:
    """Enter the folder of the command, in a worker of a cluster: settings may name files from there."""
    with contextlib.suppress(OSError):  # this node does not have it
        os.chdir(os.environ[FOLDER])


def _start_again(start: Callable[[], Any]) -> None:
    import ray

    ray.shutdown()
    try:
        start()
    except Exception as error:
        ray.shutdown()
        raise ExperimentError(
            f"Ray could not be started on this machine, twice: {reason(error)}; on a busy one "
            "RAY_raylet_start_wait_time_s=300 gives it more time"
        ) from None
