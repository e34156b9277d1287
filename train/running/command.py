"""`rllib train`: from options to experiments, plans and a run."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engram.train.console.errors import Errors, ExperimentError, unknown
from engram.train.experiments.experiment import Experiment, Overrides, read_experiments, with_tries
from engram.train.experiments.inheritance import read_whole_document
from engram.train.experiments.loading import parse_mapping, parse_yaml


@dataclass(frozen=True)
class TrainRequest:
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

    Raises:
        ExperimentError: more than one file.
    """
    names = words[1:] if words[:1] == ["file"] else words
    if words == ["file"] or len(names) + (config_file is not None) > 1:
        raise ExperimentError(
            f"train {' '.join(words)}: expected one experiment file: -f FILE, or: file FILE"
        )
    return config_file or next(iter(names), None)


def read_request(request: TrainRequest, errors: Errors | None = None) -> tuple[list[Experiment], list[str]]:
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
    request: TrainRequest,
    ray: tuple[str | None, int | None, int | None, int],
    resume: bool,
    dry_run: bool,
    measure: bool = False,
) -> int:
    """Check everything, print the headers, run.

    Args:
        request: What the command line asks for.
        ray: Address, CPUs, GPUs and verbosity.
        resume: Go on with what is in the results folders.
        dry_run: Stop after the headers.
        measure: Before the headers of a dry run, time a few updates.

    Returns:
        The exit code.

    Raises:
        ExperimentError: anything that is wrong before Ray starts.
    """
    from engram.train.running import cluster

    options = cluster.RayOptions(*ray)
    cluster.set_environment(options)  # reading a model's section imports Ray
    errors = Errors()
    experiments, notices = read_request(request, errors)
    if options.address is not None:
        experiments = [with_tries(each) for each in experiments]
    for notice in notices:
        print(f"notice: {notice}", file=sys.stderr)
    from rich.console import Console

    from engram.train.plans.header import print_header
    from engram.train.plans.plan import resolved
    from engram.train.running import cost, runner
    from engram.train.running.placing import option_by_name, place
    from engram.train.runs.folders import FolderLocks

    console = Console(soft_wrap=True, markup=False, highlight=False, emoji=False)
    plans = _plans(experiments, resume, errors)
    for plan in plans:
        cluster.check_resources(plan, options)
    with FolderLocks() as locks:
        plans = place(plans, request.name, resume, None if dry_run else locks)
        timed = cost.measure(plans, options) if measure else [None] * len(plans)
        for plan, updates in zip(plans, timed, strict=True):
            if (said := cluster.notice(plan, options)) is not None:
                print(f"notice: {said}", file=sys.stderr)
            if dry_run:
                import yaml

                data = resolved(plan)
                name = plan.asked or data["name"]
                del data["name"]
                print(yaml.safe_dump({name: data}, sort_keys=False), end="", flush=True)
            print_header(plan, console, cost.described(plan, updates) if dry_run else None)
        if dry_run:
            return 0
        code = runner.run(plans, options, console)
    if code:
        again = [*sys.argv[1:], *([] if resume else ["--resume"]), *option_by_name(plans, request.name)]
        words = f"resume with: {shlex.join(['rllib', *again])}" if _left(plans) else "nothing to resume"
        console.print(words)
    return code


def _plans(experiments: list[Experiment], resume: bool, errors: Errors) -> list[Any]:
    """Check experiments to the end; raises all errors at once, those of reading them included."""
    from engram.train.plans.plan import Probed, make_plan

    plans, found = [], {}
    probed: Probed = {}
    for experiment in experiments:
        own = Errors()
        with own.kept():
            plans.append(make_plan(experiment, resume, probed))
        found[experiment.name] = own.lines
    errors.lines += _by_experiment(found)
    errors.check()
    return plans


def _by_experiment(found: Mapping[str, list[str]]) -> list[str]:
    """Lines of errors, each once; what is wrong with some experiments only begins with their names."""
    lines = dict.fromkeys(line for lines in found.values() for line in lines)
    named = ((line, [name for name, wrong in found.items() if line in wrong]) for line in lines)
    return [line if len(names) == len(found) else f"{', '.join(names)}: {line}" for line, names in named]


def _left(plans: list[Any]) -> bool:
    from engram.train.runs.tune_state import unfinished_trials

    return any(plan.folder is not None and unfinished_trials(plan.folder, plan.trials) for plan in plans)
