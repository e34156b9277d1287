"""Everything that is checked before anything starts: an experiment becomes a plan, or one clear error."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.train import build, search, settings, storage
from engram.train.changes import Resumed
from engram.train.checkpoints import check_fits, check_unfinished, find_checkpoint
from engram.train.environments import EnvFacts, info_keys, probe
from engram.train.errors import ExperimentError
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
        asked: The experiment's name in its file, where its folder has got a number; else empty.
        resumed: The stored run that goes on; None: a new one.
    """

    experiment: Experiment
    config: Any
    env: EnvFacts
    module: build.ModuleFacts
    domains: Mapping[search.Path, search.Domain]
    asked: str = ""
    resumed: Resumed | None = None

    @property
    def storage(self) -> str:
        """Absolute path (or URI) that holds the experiment's folder."""
        return storage.resolve(self.experiment.storage_path)

    @property
    def location(self) -> str:
        """Absolute path (or URI) of the experiment's folder."""
        return f"{self.storage.rstrip('/')}/{self.experiment.name}"

    @property
    def folder(self) -> Path | None:
        """The experiment's folder; None where results go to a URI."""
        return None if storage.is_uri(self.storage) else Path(self.location)

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
            count *= len(domain.arguments) if domain.kind == "grid_search" else 1
        return count


def make_plan(experiment: Experiment, resume: bool = False) -> Plan:
    """Check an experiment to the end, without starting Ray.

    Args:
        experiment: From `read_experiments`.
        resume: Whether it goes on from its own checkpoints, whatever it once was restored from.

    Raises:
        ExperimentError: what is wrong.
    """
    plain, domains = search.split(experiment.config, "config")
    variants = list(search.variants(plain, domains))
    envs = _probe_all(experiment, variants)
    quiet()
    configs = [
        build.build_config(experiment.run, env, values) for env, values in zip(envs, variants, strict=True)
    ]
    described = [
        build.describe_module(config, env)
        for index, (config, env, values) in enumerate(zip(configs, envs, variants, strict=True))
        if index == 0 or values.get("model") != plain.get("model") or env is not envs[0]
    ]
    _check_info(experiment, configs)
    _check_evaluations(experiment, configs, envs)
    if experiment.restore is not None and not resume:
        restore = check_fits(find_checkpoint(experiment.restore), configs[0], envs[0])
        check_unfinished(restore, experiment.stop)
        experiment = experiment.model_copy(update={"restore": str(restore)})
    plan = Plan(experiment, configs[0], envs[0], described[0], domains)
    if plan.folder is not None:
        storage.check_writable(plan.folder)
    return plan


def _probe_all(experiment: Experiment, variants: list[dict[str, Any]]) -> list[EnvFacts]:
    """Facts of each variant's environment; equal settings are probed once."""
    probed: dict[str, EnvFacts] = {}
    found = []
    for values in variants:
        section = settings.mapping(values.get("env_config"), "config.env_config")
        form = build.env_form(experiment.run, values.get("gym_env_vectorize_mode"))
        key = json.dumps([section, form])
        if key not in probed:
            probed[key] = probe(experiment.env, section, form)
        found.append(probed[key])
    return found


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
