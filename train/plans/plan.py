"""Everything that is checked before anything starts: an experiment becomes a plan, or one clear error."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.train.console.errors import Errors, ExperimentError
from engram.train.console.screen import quiet
from engram.train.environments.facts import EnvFacts, info_keys, probe, qualified, written
from engram.train.experiments import search
from engram.train.experiments.experiment import Experiment
from engram.train.plans import build, forecast, settings
from engram.train.plans.changes import Resumed
from engram.train.plans.restore import check_fits, check_unfinished
from engram.train.runs import storage
from engram.train.runs.choice import newest_checkpoint

MANY = 500  # variants; to check more takes long enough to say so


@dataclass(frozen=True)
class Plan:
    """A checked experiment.

    Attributes:
        experiment: As written, under today's names.
        config: AlgorithmConfig of the first trial.
        env: The first trial's environment.
        module: The first trial's model.
        domains: Search spaces by their path in `config`.
        asked: The experiment's name in its file, where its folder has got a number; else empty.
        resumed: The stored run that goes on; None: a new one.
        notices: What will be otherwise than a reader of the settings would think.
        others: AlgorithmConfigs of the further variants that were checked.
    """

    experiment: Experiment
    config: Any
    env: EnvFacts
    module: build.ModuleFacts
    domains: Mapping[search.Path, search.Domain]
    asked: str = ""
    resumed: Resumed | None = None
    notices: tuple[str, ...] = ()
    others: tuple[Any, ...] = ()

    @property
    def storage(self) -> str:
        """Absolute path (or URI) that holds the experiment's folder."""
        return _storage(self.experiment)

    @property
    def location(self) -> str:
        """Absolute path (or URI) of the experiment's folder."""
        return _location(self.experiment)

    @property
    def folder(self) -> Path | None:
        """The experiment's folder; None where results go to a URI."""
        return _folder(self.experiment)

    @property
    def seeds(self) -> list[Any]:
        """Seeds of the trials."""
        domain = self.domains.get(("seed",))
        return list(domain.examples()) if domain else [self.config.seed]

    @property
    def trials(self) -> int:
        """Number of trials."""
        return forecast.count_trials(self.experiment.num_samples, self.domains)


def _storage(experiment: Experiment) -> str:
    return storage.resolve(experiment.storage_path)


def _location(experiment: Experiment) -> str:
    return f"{_storage(experiment).rstrip('/')}/{experiment.name}"


def _folder(experiment: Experiment) -> Path | None:
    return None if storage.is_uri(_storage(experiment)) else Path(_location(experiment))


def make_plan(experiment: Experiment, resume: bool = False) -> Plan:
    """Check an experiment to the end, without starting Ray.

    Args:
        experiment: From `read_experiments`.
        resume: Whether it goes on from its own checkpoints, whatever it once was restored from.

    Raises:
        ExperimentError: all that is wrong, as far as one check does not need another's result.
    """
    errors = Errors()
    with errors.kept():
        if (folder := _folder(experiment)) is not None:
            storage.check_writable(folder)
    with errors.kept():
        plain, domains = search.split(experiment.config, "config", errors)
        names, searched = search.split_env(experiment.env)
        if searched is not None:
            ids = tuple(qualified(name) for name in names)
            domains = {("env",): search.Domain(searched.kind, ids), **domains}
        forecast.check_trials(experiment, domains)
        cases = _cases(experiment, names, plain, domains)
        envs, configs, idle = _build_all(experiment.run, cases)
    errors.check()
    described: list[build.ModuleFacts] = []
    for config, env, (name, values) in zip(configs, envs, cases, strict=True):
        if not described or values.get("model") != plain.get("model") or env is not envs[0]:
            with errors.kept(), _told_of(name, len(names) > 1):
                described.append(build.describe_module(config, env))
    with errors.kept():
        forecast.check_metrics(experiment, configs[0])
    with errors.kept():
        _check_info(experiment.run, configs)
    with errors.kept():
        _check_evaluations(experiment, configs, envs)
    errors.check()
    if experiment.restore is not None and not resume:
        restore = check_fits(newest_checkpoint(experiment.restore), configs[0], envs[0])
        check_unfinished(restore, experiment.stop)
        experiment = experiment.model_copy(update={"restore": str(restore)})
    notices = dict.fromkeys([*idle, *forecast.notices(experiment, configs[0], domains)])
    return Plan(
        experiment,
        configs[0],
        envs[0],
        described[0],
        domains,
        notices=tuple(notices),
        others=tuple(configs[1:]),
    )


def _cases(
    experiment: Experiment,
    names: list[str],
    plain: dict[str, Any],
    domains: Mapping[search.Path, search.Domain],
) -> list[tuple[str, dict[str, Any]]]:
    """Environments and settings to check before anything runs; of seeds, only the values."""
    seeds = domains.get(("seed",))
    if seeds is not None:
        build.check_values(experiment.run, plain, "seed", seeds.examples())
    others = {place: domain for place, domain in domains.items() if place not in (("seed",), ("env",))}
    cases = [(name, values) for name in names for values in search.variants(plain, others)]
    if len(cases) > MANY:
        print(f"{experiment.name}: checking {len(cases):,} variants ...", file=sys.stderr, flush=True)
    return cases


@contextmanager
def _told_of(env: str, several: bool) -> Iterator[None]:
    """Says of which environment an error is, where an experiment has several."""
    try:
        yield
    except ExperimentError as error:
        if not several:
            raise
        lines = (line if env in line else f"{line} (env: {env})" for line in error.lines)
        raise ExperimentError(*lines) from None


def _build_all(
    run: str, cases: list[tuple[str, dict[str, Any]]]
) -> tuple[list[EnvFacts], list[Any], list[str]]:
    """Facts of each case's environment, its AlgorithmConfig, and notices about settings of no effect."""
    errors = Errors()
    found = _probe_all(run, cases, errors)
    quiet()
    envs, configs, idle = [], [], []
    for env, (_, values) in zip(found, cases, strict=True):
        with errors.kept():
            checked = build.check_settings(run, values)
            idle += checked.notices
            if env is not None:
                configs.append(build.build_config(run, env, values, checked))
                envs.append(env)
    if errors.lines:
        _probe_evaluations(run, cases, errors)
    errors.check()
    return envs, configs, idle


def _probe_all(run: str, cases: list[tuple[str, dict[str, Any]]], errors: Errors) -> list[EnvFacts | None]:
    """Facts of each case's environment, None where there are none; equal ones are probed once."""
    probed: dict[str, EnvFacts | None] = {}
    found = []
    for env, values in cases:
        form = build.env_form(run, values.get("gym_env_vectorize_mode"))
        key = json.dumps([env, values.get("env_config"), form])
        if key not in probed:
            probed[key] = None
            with errors.kept(), _told_of(env, len({name for name, _ in cases}) > 1):
                section = settings.mapping(values.get("env_config"), "config.env_config")
                probed[key] = probe(env, section, form)
        found.append(probed[key])
    return found


def _probe_evaluations(run: str, cases: list[tuple[str, dict[str, Any]]], errors: Errors) -> None:
    """Look at evaluations' own settings of the environment where there is no config to look at."""
    for env, values in cases:
        inner = values.get("evaluation_config")
        section = inner.get("env_config") if isinstance(inner, dict) else None
        if isinstance(section, dict) and section:
            form = build.env_form(run, values.get("gym_env_vectorize_mode"))
            with errors.kept():
                probe(env, section, form, "config.evaluation_config.env_config")


def _check_info(run: str, configs: list[Any]) -> None:
    """Raises ExperimentError where an environment does not tell what the algorithm has to know."""
    needed = getattr(configs[0], "needed_info", ())
    if not needed:
        return
    distinct = {json.dumps([config.env, config.env_config]): config for config in configs}
    for config in distinct.values():
        told = info_keys(config.env, config.env_config)
        missing = [key for key in needed if key not in told]
        if missing:
            raise ExperimentError(
                f"env: {written(config.env)} does not tell {' and '.join(missing)} in its info, which holds "
                f"{', '.join(sorted(told)) or 'nothing'}; run: {run} needs {' and '.join(needed)}"
            )


def _check_evaluations(experiment: Experiment, configs: list[Any], envs: list[EnvFacts]) -> None:
    """Raises ExperimentError where evaluations are to play in what cannot be made, or not be played."""
    path = "config.evaluation_config.env_config"
    seen = set()
    for config, env in zip(configs, envs, strict=True):
        if not (config.evaluation_config or {}).get("env_config"):
            continue
        env_config = config.get_evaluation_config_object().env_config
        form = build.env_form(experiment.run, config.gym_env_vectorize_mode)
        key = json.dumps([env.id, env_config, str(config.model_config)])
        if key not in seen:
            build.check_plays(config, env, probe(env.id, env_config, form, path), path)
            seen.add(key)


def resolved(plan: Plan) -> dict[str, Any]:
    """The experiment as plain data, as `run.json` and `--dry-run` show it.

    Args:
        plan: A checked experiment.
    """
    data: dict[str, Any] = plan.experiment.model_dump(exclude={"name"}, exclude_none=True)
    return {"name": plan.experiment.name, **data, "storage_path": plan.storage}
