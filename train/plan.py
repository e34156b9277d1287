"""Everything that is checked before anything starts: an experiment becomes a plan, or one clear error."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.train import build, search, settings, storage
from engram.train.checkpoints import check_fits, check_unfinished, find_checkpoint
from engram.train.environments import EnvFacts, info_keys, probe
from engram.train.errors import Errors, ExperimentError
from engram.train.experiment import Experiment
from engram.train.noise import quiet


@dataclass(frozen=True)
class Plan:
    """A checked experiment.

    Attributes:
        experiment: As written, under today's names.
        config: AlgorithmConfig of the first trial.
        env: The first trial's environment.
        module: The first trial's model.
        domains: Search spaces by their path in `config`.
    """

    experiment: Experiment
    config: Any
    env: EnvFacts
    module: build.ModuleFacts
    domains: Mapping[search.Path, search.Domain]

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
        count = self.experiment.num_samples
        for domain in self.domains.values():
            count *= domain.points()
        return count


def _storage(experiment: Experiment) -> str:
    return storage.resolve(experiment.storage_path)


def _location(experiment: Experiment) -> str:
    return f"{_storage(experiment).rstrip('/')}/{experiment.name}"


def _folder(experiment: Experiment) -> Path | None:
    return None if storage.is_uri(_storage(experiment)) else Path(_location(experiment))


def make_plan(experiment: Experiment) -> Plan:
    """Check an experiment to the end, without starting Ray.

    Args:
        experiment: From `read_experiments`.

    Raises:
        ExperimentError: all that is wrong, as far as one check does not need another's result.
    """
    errors = Errors()
    with errors.kept():
        if (folder := _folder(experiment)) is not None:
            storage.check_writable(folder)
    with errors.kept():
        plain, domains = search.split(experiment.config, "config", errors)
        variants = list(search.variants(plain, domains))
        envs, configs = _build_all(experiment, variants)
    errors.check()
    with errors.kept():
        described = [
            build.describe_module(config, env)
            for index, (config, env, values) in enumerate(zip(configs, envs, variants, strict=True))
            if index == 0 or values.get("model") != plain.get("model") or env is not envs[0]
        ]
    with errors.kept():
        _check_info(experiment, configs)
    with errors.kept():
        _check_evaluations(experiment, configs, envs)
    errors.check()
    if experiment.restore is not None:
        restore = check_fits(find_checkpoint(experiment.restore), configs[0], envs[0])
        check_unfinished(restore, experiment.stop)
        experiment = experiment.model_copy(update={"restore": str(restore)})
    return Plan(experiment, configs[0], envs[0], described[0], domains)


def _build_all(experiment: Experiment, variants: list[dict[str, Any]]) -> tuple[list[EnvFacts], list[Any]]:
    """Facts of each variant's environment, and its AlgorithmConfig."""
    errors = Errors()
    found = _probe_all(experiment, variants, errors)
    quiet()
    envs, configs = [], []
    for env, values in zip(found, variants, strict=True):
        with errors.kept():
            if env is None:
                build.check_settings(experiment.run, values)
            else:
                configs.append(build.build_config(experiment.run, env, values))
                envs.append(env)
    if errors.lines:
        _probe_evaluations(experiment, variants, errors)
    errors.check()
    return envs, configs


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
