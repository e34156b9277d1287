"""Everything that is checked before anything starts: an experiment becomes a plan, or one clear error."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engram.train.console.errors import Errors, ExperimentError, unknown
from engram.train.console.files import as_mapping, mapping_at
from engram.train.console.screen import quiet
from engram.train.environments.facts import EnvFacts, info_keys, probe
from engram.train.environments.ids import qualified, written
from engram.train.experiments import search
from engram.train.experiments.experiment import Experiment
from engram.train.plans import build, forecast, settings
from engram.train.plans.changes import ResumedRun
from engram.train.plans.network import ModuleFacts, check_plays, describe_module
from engram.train.plans.restore import check_fits, check_unfinished
from engram.train.plans.starts import Start, distinct, idle_init, with_checkpoints
from engram.train.runs import storage
from engram.train.runs.choice import newest_checkpoint

if TYPE_CHECKING:
    from engram.train.population.members import Population

# To check more takes long enough to say so: variants, and environments, each of which is built in a process.
MANY, MANY_ENVS = 500, 10


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
        notices: What may surprise a reader of the settings.
        others: AlgorithmConfigs of the further variants that were checked.
        starts: What its trials start from; none where all start from random weights.
        population: Who copies from each other; None where trials do not.
    """

    experiment: Experiment
    config: Any
    env: EnvFacts
    module: ModuleFacts
    domains: Mapping[search.Path, search.Domain]
    asked: str = ""
    resumed: ResumedRun | None = None
    notices: tuple[str, ...] = ()
    others: tuple[Any, ...] = ()
    starts: tuple[Start, ...] = ()
    population: "Population | None" = None

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
    def samples(self) -> int:
        """How often each point of the grid is drawn; members of a population are the grid."""
        return self.experiment.num_samples if self.population is None else 1

    @property
    def trials(self) -> int:
        """Number of trials."""
        return forecast.count_trials(self.samples, self.domains)


Probed = dict[str, EnvFacts | ExperimentError]
"""What was found out about environments, by id, settings and form."""


def make_plan(experiment: Experiment, resume: bool = False, probed: Probed | None = None) -> Plan:
    """Check an experiment to the end, without starting Ray.

    Args:
        experiment: From `read_experiments`.
        resume: Whether it goes on from its own checkpoints, whatever it once was restored from.
        probed: Environments that are not probed again; those that are, are added. None: none of them.

    Raises:
        ExperimentError: all that is wrong, as far as one check does not need another's result.
    """
    from engram.train.experiments.search_algorithms import check_search
    from engram.train.population.members import join, populate

    errors, probes = Errors(), _Probes(experiment.run, {} if probed is None else probed)
    with errors.kept():
        storage.check_writable(experiment.storage_path, experiment.name)
    with errors.kept():
        experiment = with_checkpoints(experiment, resume)
        plain, domains = search.split(experiment.config, "config", errors)
        names, searched = search.split_env(experiment.env)
        if searched is not None:
            ids = tuple(qualified(name) for name in names)
            domains = {("env",): search.Domain(searched.kind, ids), **domains}
        forecast.check_trials(experiment, domains)
        cases = _cases(experiment, names, plain, domains)
        seeds = domains[("seed",)].examples() if ("seed",) in domains else ()
        envs, configs, idle = _build_all(experiment.run, cases, seeds, probes)
    errors.check()
    described: list[ModuleFacts] = []
    for config, env, (name, values) in zip(configs, envs, cases, strict=True):
        if not described or values.get("model") != plain.get("model") or env is not envs[0]:
            with errors.kept(), _naming(name, len(names) > 1):
                described.append(describe_module(config, env, starts=not resume))
    with errors.kept():
        forecast.check_metrics(experiment, configs[0])
    with errors.kept():
        _check_info(experiment.run, configs, envs)
    with errors.kept():
        _check_evaluations(configs, envs, probes)
    with errors.kept():
        check_search(experiment, domains)
    population = None
    with errors.kept():
        population = populate(experiment, configs[0], domains, settings.check)
    errors.check()
    for config in configs:
        build.share_resources(config, experiment.resources)
    if experiment.restore is not None and not resume:
        restore = newest_checkpoint(experiment.restore)
        for config, env in zip(configs, envs, strict=True):
            check_fits(restore, config, env)
        check_unfinished(restore, experiment.stop)
        experiment = experiment.model_copy(update={"restore": str(restore)})
    notices = dict.fromkeys(
        [*idle, *idle_init(experiment), *forecast.notices(experiment, configs[0], domains)]
    )
    if population is not None:
        _check_alike(described)
        join(configs[0], population, experiment.name)
        domains = population.domains
    return Plan(
        experiment,
        configs[0],
        envs[0],
        described[0],
        domains,
        notices=tuple(notices),
        others=tuple(configs[1:]),
        starts=distinct(facts.start for facts in described),
        population=population,
    )


def _check_alike(described: list[ModuleFacts]) -> None:
    """Raises ExperimentError where members could not copy each other's weights."""
    sizes = sorted({facts.parameters for facts in described})
    if len(sizes) > 1:
        raise ExperimentError(
            f"config.model: networks of {sizes[0]:,} and of {sizes[-1]:,} parameters in one population, "
            "whose members copy each other's; write an experiment for each"
        )


Case = tuple[str, dict[str, Any]]
"""An environment and settings to check before anything runs."""


def _cases(
    experiment: Experiment,
    names: list[str],
    plain: dict[str, Any],
    domains: Mapping[search.Path, search.Domain],
) -> list[Case]:
    """Each environment with each variant of the settings; of seeds, only the first."""
    others = {place: domain for place, domain in domains.items() if place not in (("seed",), ("env",))}
    cases = [(name, values) for name in names for values in search.variants(plain, others)]
    if len(cases) > MANY or len(names) > MANY_ENVS:
        counts = f"{len(cases):,} variants" + (f" in {len(names):,} environments" if len(names) > 1 else "")
        print(f"{experiment.name}: checking {counts} ...", file=sys.stderr, flush=True)
    return cases


class _Probes:
    """Probes environments, each distinct (id, settings, form) once.

    Args:
        run: The algorithm's name, which decides about the form.
        found: What is known already; grows.
    """

    def __init__(self, run: str, found: Probed) -> None:
        self.run = run
        self._found = found

    def facts(self, env: str, values: Mapping[str, Any], env_config: Any, path: str) -> EnvFacts:
        """Facts of an environment; raises ExperimentError where it cannot be made."""
        form = build.env_form(self.run, values.get("gym_env_vectorize_mode"))
        key = json.dumps([qualified(env), env_config or {}, form])
        if key not in self._found:
            try:
                self._found[key] = probe(env, as_mapping(env_config, path), form, path)
            except ExperimentError as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, ExperimentError):
            raise found
        return found


@contextmanager
def _naming(env: str, several: bool) -> Iterator[None]:
    """Add the environment to errors inside, where an experiment has several."""
    try:
        yield
    except ExperimentError as error:
        if not several:
            raise
        lines = (line if env in line else f"{line} (env: {env})" for line in error.lines)
        raise ExperimentError(*lines) from None


def _build_all(
    run: str, cases: list[Case], seeds: Sequence[Any], probes: _Probes
) -> tuple[list[EnvFacts], list[Any], list[str]]:
    """Facts of each case's environment, its AlgorithmConfig, and notices about settings without effect."""
    errors, several = Errors(), len({name for name, _ in cases}) > 1
    probed: list[EnvFacts | None] = []
    for env, values in cases:
        probed.append(None)
        with errors.kept(), _naming(env, several):
            probed[-1] = probes.facts(env, values, values.get("env_config"), "config.env_config")
    quiet()
    envs, configs, idle = [], [], []
    fresh: dict[str, Any] = {}
    for number, (found, (_, values)) in enumerate(zip(probed, cases, strict=True)):
        with errors.kept():
            checked = build.check_settings(run, values, fresh)
            idle += checked.notices
            for seed in seeds if number == 0 else ():
                settings.check({"seed": seed}, checked.config)
            if found is not None:
                configs.append(build.build_config(run, found, values, checked))
                envs.append(found)
    if errors.lines:  # there may be no config to read the settings of evaluations from
        for env, values in cases:
            evaluated = mapping_at(values, "evaluation_config", "env_config")
            with errors.kept():
                _ = evaluated and probes.facts(env, values, evaluated, EVALUATED)
    errors.check()
    return envs, configs, idle


EVALUATED = "config.evaluation_config.env_config"


def _check_info(run: str, configs: list[Any], envs: list[EnvFacts]) -> None:
    """Raises ExperimentError where an environment's info lacks what the algorithm needs."""
    needs = {
        json.dumps([config.env, config.env_config, needed]): (config, env, needed)
        for config, env in zip(configs, envs, strict=True)
        if (needed := getattr(config, "needed_info", ()))
    }
    for config, env, needed in needs.values():
        info = info_keys(config.env, config.env_config) if env.tells is None else set(env.tells)
        missing = [key for key in needed if key not in info]
        if missing:
            if needed == (config.cut_returns_at,):
                told = f"config.cut_returns_at, of what {written(config.env)} tells in its info"
                raise unknown(told, needed[0], info)
            raise ExperimentError(
                f"env: {written(config.env)} does not tell {' and '.join(missing)} in its info, which holds "
                f"{', '.join(sorted(info)) or 'nothing'}; run: {run} needs {' and '.join(needed)}"
            )


def _check_evaluations(configs: list[Any], envs: list[EnvFacts], probes: _Probes) -> None:
    """Raises ExperimentError where the environment of evaluations cannot be made, or not be played."""
    seen = set()
    for config, env in zip(configs, envs, strict=True):
        if not (config.evaluation_config or {}).get("env_config"):
            continue
        env_config = config.get_evaluation_config_object().env_config
        key = json.dumps([env.id, env_config, str(config.model_config)])
        if key not in seen:
            check_plays(config, env, probes.facts(env.id, vars(config), env_config, EVALUATED), EVALUATED)
            seen.add(key)


def resolved(plan: Plan) -> dict[str, Any]:
    """The experiment as plain data, as `run.json` and `--dry-run` show it."""
    data: dict[str, Any] = plan.experiment.model_dump(exclude={"name"}, exclude_none=True)
    return {"name": plan.experiment.name, **data, "storage_path": plan.storage}
