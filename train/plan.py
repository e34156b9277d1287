"""Everything that is checked before anything starts: an experiment becomes a plan, or one clear error."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.train import build, search, settings, storage
from engram.train.checkpoints import check_fits, check_unfinished, find_checkpoint
from engram.train.environments import EnvFacts, info_keys, probe, qualified, written
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
    """

    experiment: Experiment
    config: Any
    env: EnvFacts
    module: build.ModuleFacts
    domains: Mapping[search.Path, search.Domain]

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


def make_plan(experiment: Experiment) -> Plan:
    """Check an experiment to the end, without starting Ray.

    Args:
        experiment: From `read_experiments`.

    Raises:
        ExperimentError: what is wrong.
    """
    plain, domains = search.split(experiment.config, "config")
    names, searched = search.split_env(experiment.env)
    cases = [(name, values) for name in names for values in search.variants(plain, domains)]
    variants = [values for _, values in cases]
    if searched is not None:
        ids = tuple(qualified(name) for name in names)
        domains = {("env",): search.Domain(searched.kind, ids), **domains}
    envs = _probe_all(experiment.run, cases)
    quiet()
    configs = [
        build.build_config(experiment.run, env, values) for env, values in zip(envs, variants, strict=True)
    ]
    described: list[build.ModuleFacts] = []
    for config, env, (name, values) in zip(configs, envs, cases, strict=True):
        if not described or values.get("model") != plain.get("model") or env is not envs[0]:
            with _told_of(name, len(names) > 1):
                described.append(build.describe_module(config, env))
    _check_info(experiment.run, configs)
    _check_evaluations(experiment, configs, envs)
    if experiment.restore is not None:
        restore = check_fits(find_checkpoint(experiment.restore), configs[0], envs[0])
        check_unfinished(restore, experiment.stop)
        experiment = experiment.model_copy(update={"restore": str(restore)})
    plan = Plan(experiment, configs[0], envs[0], described[0], domains)
    if plan.folder is not None:
        storage.check_writable(plan.folder)
    return plan


@contextmanager
def _told_of(env: str, several: bool) -> Iterator[None]:
    """Says of which environment an error is, where an experiment has several."""
    try:
        yield
    except ExperimentError as error:
        raise (
            ExperimentError(f"{error} (env: {env})") if several and env not in str(error) else error
        ) from None


def _probe_all(run: str, cases: list[tuple[str, dict[str, Any]]]) -> list[EnvFacts]:
    """Facts of the environment of each case, a name and settings; equal ones are probed once."""
    probed: dict[str, EnvFacts] = {}
    found = []
    for env, values in cases:
        section = settings.mapping(values.get("env_config"), "config.env_config")
        form = build.env_form(run, values.get("gym_env_vectorize_mode"))
        key = json.dumps([env, section, form])
        if key not in probed:
            with _told_of(env, len({name for name, _ in cases}) > 1):
                probed[key] = probe(env, section, form)
        found.append(probed[key])
    return found


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
