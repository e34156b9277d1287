"""Everything that is checked before anything starts: an experiment becomes a plan, or one clear error."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.train import build, forecast, search, settings, storage
from engram.train.changes import Resumed
from engram.train.checkpoints import check_fits, check_unfinished, find_checkpoint
from engram.train.environments import EnvFacts, info_keys, probe
from engram.train.errors import Errors, ExperimentError
from engram.train.experiment import Experiment
from engram.train.noise import quiet

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
        forecast.check_trials(experiment, domains)
        variants = _variants(experiment, plain, domains)
        envs, configs, idle = _build_all(experiment, variants)
    errors.check()
    with errors.kept():
        described = [
            build.describe_module(config, env)
            for index, (config, env, values) in enumerate(zip(configs, envs, variants, strict=True))
            if index == 0 or values.get("model") != plain.get("model") or env is not envs[0]
        ]
    with errors.kept():
        forecast.check_metrics(experiment, configs[0])
    with errors.kept():
        _check_info(experiment, configs)
    with errors.kept():
        _check_evaluations(experiment, configs, envs)
    errors.check()
    if experiment.restore is not None and not resume:
        restore = check_fits(find_checkpoint(experiment.restore), configs[0], envs[0])
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


def _variants(
    experiment: Experiment, plain: dict[str, Any], domains: Mapping[search.Path, search.Domain]
) -> list[dict[str, Any]]:
    """The settings to check before anything runs; of seeds, only the values."""
    seeds = domains.get(("seed",))
    if seeds is not None:
        build.check_values(experiment.run, plain, "seed", seeds.examples())
    others = {place: domain for place, domain in domains.items() if place != ("seed",)}
    variants = list(search.variants(plain, others))
    if len(variants) > MANY:
        print(f"{experiment.name}: checking {len(variants):,} variants ...", file=sys.stderr, flush=True)
    return variants


def _build_all(
    experiment: Experiment, variants: list[dict[str, Any]]
) -> tuple[list[EnvFacts], list[Any], list[str]]:
    """Facts of each variant's environment, its AlgorithmConfig, and notices about settings of no effect."""
    errors = Errors()
    found = _probe_all(experiment, variants, errors)
    quiet()
    envs, configs, idle = [], [], []
    for env, values in zip(found, variants, strict=True):
        with errors.kept():
            idle += build.check_settings(experiment.run, values).notices
            if env is not None:
                configs.append(build.build_config(experiment.run, env, values))
                envs.append(env)
    if errors.lines:
        _probe_evaluations(experiment, variants, errors)
    errors.check()
    return envs, configs, idle


def _probe_all(
    experiment: Experiment, variants: list[dict[str, Any]], errors: Errors
) -> list[EnvFacts | None]:
    """Facts of each variant's environment, None where there are none; equal settings are probed once."""
    probed: dict[str, EnvFacts | None] = {}
    found = []
    for values in variants:
        form = build.env_form(experiment.run, values.get("gym_env_vectorize_mode"))
        key = json.dumps([values.get("env_config"), form])
        if key not in probed:
            probed[key] = None
            with errors.kept():
                section = settings.mapping(values.get("env_config"), "config.env_config")
                probed[key] = probe(experiment.env, section, form)
        found.append(probed[key])
    return found


def _probe_evaluations(experiment: Experiment, variants: list[dict[str, Any]], errors: Errors) -> None:
    """Look at evaluations' own settings of the environment where there is no config to look at."""
    for values in variants:
        inner = values.get("evaluation_config")
        section = inner.get("env_config") if isinstance(inner, dict) else None
        if isinstance(section, dict) and section:
            form = build.env_form(experiment.run, values.get("gym_env_vectorize_mode"))
            with errors.kept():
                probe(experiment.env, section, form, "config.evaluation_config.env_config")


def _check_info(experiment: Experiment, configs: list[Any]) -> None:
    """Raises ExperimentError where an environment does not tell what the algorithm has to know."""
    needed = getattr(configs[0], "needed_info", ())
    if not needed:
        return
    for env_config in {json.dumps(config.env_config): config.env_config for config in configs}.values():
        told = info_keys(experiment.env, env_config)
        missing = [key for key in needed if key not in told]
        if missing:
            raise ExperimentError(
                f"env: {experiment.env} does not tell {' and '.join(missing)} in its info, which holds "
                f"{', '.join(sorted(told)) or 'nothing'}; run: {experiment.run} needs {' and '.join(needed)}"
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
        key = json.dumps([env_config, str(config.model_config)])
        if key not in seen:
            build.check_plays(config, env, probe(experiment.env, env_config, form, path), path)
            seen.add(key)


def resolved(plan: Plan) -> dict[str, Any]:
    """The experiment as plain data, as `run.json` and `--dry-run` show it.

    Args:
        plan: A checked experiment.
    """
    data: dict[str, Any] = plan.experiment.model_dump(exclude={"name"}, exclude_none=True)
    return {"name": plan.experiment.name, **data, "storage_path": plan.storage}
