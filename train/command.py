"""`rllib train`: from options to experiments, plans and a run."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engram.train.errors import Errors, ExperimentError, unknown
from engram.train.experiment import Experiment, Overrides, read_experiments
from engram.train.inheritance import read_whole_document
from engram.train.loading import parse_mapping, parse_yaml

if TYPE_CHECKING:  # these import torch and Ray
    from engram.train.folders import Claims
    from engram.train.plan import Plan


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        file: Experiment file, or None where `run` and `env` are among the overrides.
        only: Experiments of the file that are wanted; none: all of them.
        name: Experiment name that replaces the file's.
        config: YAML mapping, merged over the file's `config`.
        stop: `KEY=VALUE` or YAML mappings.
        settings: `path=value`.
        overrides: Dotted path -> value, from the options that are short for one.
        seeds: Number of seeds, or None.
    """

    file: str | None
    only: list[str] = field(default_factory=list)
    name: str | None = None
    config: str | None = None
    stop: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    overrides: dict[str, Any] = field(default_factory=dict)
    seeds: int | None = None


def file_name(words: list[str], config_file: str | None) -> str | None:
    """The experiment file from `-f FILE`, `file FILE` or `FILE`.

    Args:
        words: Positional arguments.
        config_file: The option.

    Raises:
        ExperimentError: more than one file.
    """
    names = words[1:] if words[:1] == ["file"] else words
    if words == ["file"] or len(names) + (config_file is not None) > 1:
        raise ExperimentError(
            f"train {' '.join(words)}: expected one experiment file: -f FILE, or: file FILE"
        )
    return config_file or next(iter(names), None)


def read_request(request: Request, errors: Errors | None = None) -> tuple[list[Experiment], list[str]]:
    """Read the experiments a request names.

    Args:
        request: What the command line asks for.
        errors: Receives what is wrong with the experiments; as in `read_experiments`.

    Returns:
        The experiments, and notices for the user.

    Raises:
        ExperimentError: what is wrong with the options or, without `errors`, with the experiments.
    """
    if request.file is None and not {"run", "env"} & request.overrides.keys():
        raise ExperimentError("train: expected an experiment file (-f FILE), or --run ALGORITHM --env ID")
    name = request.name
    document = (
        {"default" if name is None else name: {}}
        if request.file is None
        else read_whole_document(request.file, errors)
    )
    if request.only:
        document = _chosen(document, request.only)
    if name is not None and isinstance(document, dict):
        if len(document) > 1:
            raise ExperimentError(
                f"--experiment-name: the file holds {len(document)} experiments, one name is given"
            )
        document = {name: next(iter(document.values()), None)}
    config = parse_mapping(request.config, "--config") if request.config else {}
    settings = {f"config.{key}": value for key, value in config.items()} | _assignments(request.settings)
    overrides = Overrides(settings | request.overrides, _stop(request.stop), request.seeds)
    return read_experiments(document, overrides, request.file or "train", errors)


def _chosen(document: Any, names: list[str]) -> dict[str, Any]:
    experiments = document if isinstance(document, dict) else {}
    for name in names:
        if name not in experiments:
            raise unknown("--only", name, experiments)
    return {name: experiments[name] for name in names}


def _assignments(texts: list[str]) -> dict[str, Any]:
    values = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not all(path.strip().split(".")):
            raise ExperimentError(f"--set {text}: expected path=value, such as config.lr=3e-4")
        values[path.strip()] = parse_yaml(value, f"--set {path}")
    return values


def _stop(texts: list[str]) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if equals and "{" not in key:
            conditions[key.strip()] = parse_yaml(value, f"--stop {key}")
        else:
            conditions |= parse_mapping(text, "--stop")
    return conditions


def train(
    request: Request, ray: tuple[str | None, int | None, int | None, int], resume: bool, dry_run: bool
) -> int:
    """Check everything, print the headers, run.

    Args:
        request: What the command line asks for.
        ray: Address, CPUs, GPUs and verbosity.
        resume: Go on with what is in the results folders.
        dry_run: Stop after the headers.

    Returns:
        The exit code.

    Raises:
        ExperimentError: anything that is wrong before Ray starts.
    """
    from engram.train import cluster

    options = cluster.RayOptions(*ray)
    cluster.set_environment(options)  # reading a model's section imports Ray
    errors = Errors()
    experiments, notices = read_request(request, errors)
    for notice in notices:
        print(f"notice: {notice}", file=sys.stderr)
    from rich.console import Console

    from engram.train import runner
    from engram.train.folders import Claims
    from engram.train.header import print_header
    from engram.train.plan import resolved

    console = Console(soft_wrap=True, emoji=False)
    plans = _plans(experiments, resume, errors)
    for plan in plans:
        cluster.check_resources(plan, options)
    with Claims() as claims:
        plans = _place(plans, request, resume, None if dry_run else claims)
        for plan in plans:
            if (said := cluster.notice(plan, options)) is not None:
                print(f"notice: {said}", file=sys.stderr)
            if dry_run:
                import yaml

                data = resolved(plan)
                name = plan.asked or data["name"]
                del data["name"]
                print(yaml.safe_dump({name: data}, sort_keys=False), end="", flush=True)
            print_header(plan, console)
        if dry_run:
            return 0
        code = runner.run(plans, options, console)
    if code > 128:
        again = [*sys.argv[1:], *([] if resume else ["--resume"]), *_by_name(plans, request.name)]
        words = f"resume with: {shlex.join(['rllib', *again])}" if _left(plans) else "nothing to resume yet"
        console.print(words, markup=False, highlight=False)
    return code


def _plans(experiments: list[Experiment], resume: bool, errors: Errors) -> list[Plan]:
    """Check experiments to the end; raises all errors at once, those of reading them included."""
    from engram.train.plan import make_plan

    plans = []
    for experiment in experiments:
        with errors.kept():
            plans.append(make_plan(experiment, resume))
    errors.check()
    return plans


def _left(plans: list[Plan]) -> bool:
    from engram.train.resume import unfinished_trials

    return any(plan.folder is not None and unfinished_trials(plan.folder) for plan in plans)


def _by_name(plans: list[Plan], given: str | None) -> list[str]:
    """The option that names a run's folder, where the command alone would go on with another's."""
    from engram.train.resume import find_run

    plan = plans[0]
    if len(plans) > 1 or plan.folder is None:
        return []
    name = given or plan.asked or plan.experiment.name
    again = find_run(plan.folder.parent, name, exact=given is not None)
    return [] if again == plan.folder else ["--experiment-name", plan.experiment.name]


def _place(plans: list[Plan], request: Request, resume: bool, claims: Claims | None) -> list[Plan]:
    """Give each plan its folder: that of a stored run, or one of its own.

    Raises:
        ExperimentError: nothing is left to resume, or what is cannot go on so.
    """
    going_on = _going_on(plans, request.name is not None, claims) if resume else [None] * len(plans)
    names = [plan.experiment.name for plan in plans]
    return [
        stored or _new(plan, [name for name in names if name != plan.experiment.name], resume, claims)
        for plan, stored in zip(plans, going_on, strict=True)
    ]


def _new(plan: Plan, reserved: list[str], resume: bool, claims: Claims | None) -> Plan:
    """A plan that starts from the beginning, in a folder that holds nothing yet."""
    from engram.train.folders import free_name
    from engram.train.plan import make_plan

    if resume:  # of several experiments, one that has not been started: --restore counts for it
        plan = make_plan(plan.experiment)
    if plan.folder is None:
        return plan
    name = plan.experiment.name
    free = free_name(plan.folder.parent, name, reserved, claims)
    return _named(plan, free) if free != name else plan


def _named(plan: Plan, name: str) -> Plan:
    """A plan under the name of its folder."""
    asked = plan.experiment.name
    if name == asked:
        return plan
    experiment = plan.experiment.model_copy(update={"name": name})
    return dataclasses.replace(plan, experiment=experiment, asked=asked)


def _going_on(plans: list[Plan], exact: bool, claims: Claims | None) -> list[Plan | None]:
    """The stored runs of plans, None for those that have none.

    Raises:
        ExperimentError: there is none, or none with anything left to do.
    """
    from engram.train.folders import claim_stored
    from engram.train.resume import check_restorable, find_run, mend_state, resumed

    found: list[Plan | None] = []
    for plan in plans:
        if plan.folder is None:
            raise ExperimentError(
                f"--resume: not supported for results in {plan.location}; legal: a folder of this machine"
            )
        folder = find_run(plan.folder.parent, plan.experiment.name, exact)
        if claims is not None and folder.is_dir():
            claim_stored(folder, claims)
            mend_state(folder)
        found.append(resumed(_named(plan, folder.name)))
    _check_any_left(plans, found)
    for stored in found:
        if claims is not None and stored is not None and stored.folder is not None:
            check_restorable(stored.folder)
    return found


def _check_any_left(plans: list[Plan], found: list[Plan | None]) -> None:
    stored = [plan for plan in found if plan is not None]
    if not stored:
        raise ExperimentError(f"--resume: nothing to resume in {', '.join(plan.location for plan in plans)}")
    if len(stored) == len(plans) and not any(plan.resumed and plan.resumed.left for plan in stored):
        raise ExperimentError(
            f"--resume: every trial in {', '.join(plan.location for plan in stored)} is finished; "
            f"go further with a later --stop, or start anew{_others(stored)}"
        )


def _others(stored: list[Plan]) -> str:
    """Earlier runs of the same experiments that are not finished."""
    from engram.train.folders import runs_of
    from engram.train.resume import unfinished_trials

    runs = {plan.experiment.name: plan for plan in stored if plan.folder is not None and plan.asked}
    names = [
        run.name
        for plan in runs.values()
        if plan.folder is not None
        for run in runs_of(plan.folder.parent, plan.asked)
        if run != plan.folder and unfinished_trials(run)
    ]
    return f"; not finished: --experiment-name {', '.join(names)}" if names else ""
