"""Experiment -> AlgorithmConfig and trial settings: algorithms, their settings, what Ray Tune is given."""

import importlib.util
import json
import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from engram.train.console.errors import Errors, ExperimentError, reason, unknown
from engram.train.console.files import as_mapping
from engram.train.environments.arguments import Form
from engram.train.environments.facts import EnvFacts, with_autoreset
from engram.train.environments.guard import alarm
from engram.train.environments.ids import written
from engram.train.experiments import older
from engram.train.experiments.experiment import ResourcesSection
from engram.train.experiments.search import Domain, Path, put
from engram.train.plans import effects, settings
from engram.train.plans.models import complaints
from engram.train.plans.review import review
from engram.train.plans.stock_models import check_stock_model, check_stock_value

_SAMPLING = ("DQN", "SAC")  # beside those of `engram.agents`: RLlib's usual runners play their episodes


def algorithms() -> dict[str, str]:
    """Return the names that `run` may hold, with a description: ours first, then RLlib's own."""
    from ray.rllib.algorithms.registry import ALGORITHMS as STOCK

    from engram.agents import ALGORITHMS

    ours = {name: row.description for name, row in ALGORITHMS.items()}
    others = [name for name in STOCK if name not in ours and name not in effects.OFFLINE]
    return ours | {name: f"stock RLlib {name}, RLlib's own module" for name in others}


def is_columnar(run: str) -> bool:
    """Whether an algorithm learns on columns."""
    from engram.agents import ALGORITHMS

    return run in ALGORITHMS and ALGORITHMS[run].columnar


def _check_run(run: str) -> None:
    """Raises ExperimentError where no algorithm has this name, with the nearest one."""
    if run in algorithms():
        return
    if run in effects.OFFLINE:
        raise ExperimentError(
            f"run: {run} learns from recorded data, which an experiment file has no key for; "
            f"known: {', '.join(sorted(algorithms()))}"
        )
    if run in older.ALGORITHMS:
        nearest = " or ".join(older.ALGORITHMS[run])
        raise ExperimentError(f"run: RLlib has no {run} any more; nearest: {nearest}")
    raise unknown("run", run, algorithms())


def defaults(run: str, model: Mapping[str, Any]) -> Any:
    """Return a fresh AlgorithmConfig, with our module and callbacks where the algorithm is one of ours.

    Raises:
        ExperimentError: there is no such algorithm, or it refuses the model.
    """
    from ray.rllib.algorithms.registry import ALGORITHMS as STOCK

    from engram.agents import ALGORITHMS, make_config
    from engram.agents.columns.results import ResultCallbacks
    from engram.agents.stock.runner import StockEnvRunner

    _check_run(run)
    if "core" in model and run not in ALGORITHMS:
        takers = ", ".join(ALGORITHMS)
        raise ExperimentError(f"config.model.core: {run} has networks of its own; a core is for: {takers}")
    if "core" not in model and not is_columnar(run):
        check_stock_model(model)
    elif "max_seq_len" in model and not is_columnar(run):
        check_stock_value("max_seq_len", model["max_seq_len"])
    if run not in ALGORITHMS:
        config = STOCK[run]()[1]
        config.env_runners(env_runner_cls=StockEnvRunner)
        if run in _SAMPLING:
            config.callbacks(ResultCallbacks)
        return config.rl_module(model_config=dict(model)) if model else config
    try:
        with alarm("config.model: the import of its classes"):
            return make_config(run, model)
    except ExperimentError:
        raise
    except ValueError as error:
        raise ExperimentError(f"config.{error}") from None


def env_form(run: str, vectorize_mode: Any) -> Form:
    """Return how an algorithm's runners make their environments.

    Args:
        run: The algorithm's name.
        vectorize_mode: `config.gym_env_vectorize_mode`, or None where it is not set.
    """
    if is_columnar(run):
        return "processes" if vectorize_mode == "async" else "lanes"
    return "batched" if vectorize_mode == "vector_entry_point" else "copies"


class Checked(NamedTuple):
    """Settings of an algorithm, each checked by itself.

    Attributes:
        config: A fresh AlgorithmConfig that knows the model.
        values: The other settings.
        notices: One for each setting without effect.
    """

    config: Any
    values: dict[str, Any]
    notices: list[str]


def check_settings(run: str, values: Mapping[str, Any], fresh: dict[str, Any] | None = None) -> Checked:
    """Check settings against an algorithm, each by itself.

    Args:
        run: The algorithm's name.
        values: `config` of the experiment, search spaces replaced by examples.
        fresh: The same mapping for all variants of an experiment: a model that several share is then parsed
            once.

    Raises:
        ExperimentError: all that is wrong, with the settings of the nearest algorithm where there is none of
            that name: a setting is not known, of the wrong type, or out of range, or what is learned would
            not be what it asks for.
    """
    errors, fresh = Errors(), {} if fresh is None else fresh
    with errors.kept():
        model = as_mapping(values.get("model"), "config.model")
        if (key := json.dumps(model, default=str)) not in fresh:
            fresh[key] = defaults(run, model)
        config = fresh[key].copy(copy_frozen=False)
    if errors.lines:
        nearest = _nearest(run)
        if nearest is None:
            raise ExperimentError(*errors.lines)
        config = _without_model(nearest, values.get("model"), errors)
        run, model = nearest, {}
    rest = {key: value for key, value in values.items() if key != "model"}
    checked = settings.check(rest, config, errors=errors)
    findings = list(review(run, {**checked, "model": model} if model else checked, config))
    errors.lines += [finding.text for finding in findings if finding.refused]
    if checked.get("output") and importlib.util.find_spec("msgpack_numpy") is None:
        errors.lines.append("config.output: RLlib records with msgpack_numpy; pip install msgpack-numpy")
    errors.check()
    return Checked(config, checked, [finding.text for finding in findings])


def _nearest(run: str) -> str | None:
    """Return the algorithm of that name, or the nearest to a removed one."""
    known = algorithms()
    return next((name for name in (run, *older.ALGORITHMS.get(run, ())) if name in known), None)


def _without_model(run: str, model: Any, errors: Errors) -> Any:
    """Return the settings of an algorithm whose model was refused; collects all errors of the model."""
    if isinstance(model, Mapping):
        with errors.kept():
            defaults(run, model)
        columnar = is_columnar(run)
        if "core" in model or columnar:
            ours = {key: value for key, value in model.items() if columnar or key != "max_seq_len"}
            errors.lines += complaints(ours, "config.model")
    return defaults(run, {})


def build_config(
    run: str, env: EnvFacts, values: Mapping[str, Any], settings_checked: Checked | None = None
) -> Any:
    """Check settings against an algorithm and put them into its AlgorithmConfig.

    Args:
        run: The algorithm's name.
        env: The environment, probed with these settings' `env_config`.
        values: `config` of the experiment, search spaces replaced by examples.
        settings_checked: What `check_settings` has made of them, where it has been asked already; used up.

    Returns:
        A validated AlgorithmConfig.

    Raises:
        ExperimentError: anything the algorithm or the model refuses.
    """
    from engram.agents.columns.env_specs import register_own
    from engram.agents.stock.draws import counted_from_zero

    config, checked, _ = settings_checked or check_settings(run, values)
    try:
        counted_from_zero(env.action_space)
    except ValueError as error:
        raise ExperimentError(f"env: {written(env.id)}: {error}") from None
    if "env_config" in checked:
        checked["env_config"] = with_autoreset(checked["env_config"])
    register_own(env.id)
    try:
        config.environment(env.id)
        config.update_from_dict(checked)
        if run in effects.ASYNCHRONOUS and config.minibatch_size and config.rollout_fragment_length == "auto":
            raise ValueError("minibatch_size: needs rollout_fragment_length as a number, not 'auto'")
        config.copy(copy_frozen=False).validate()
    except Exception as error:  # RLlib raises many classes here
        text, _, _ = str(error).partition("\nTo suppress all validation errors")
        raise ExperimentError(f"config: {text or reason(error)}") from None
    return config


def trainable(config: Any) -> type:
    """The Algorithm class of a config."""
    found: type = config.algo_class
    return found


def trial_space(config: Any, domains: Mapping[Path, Domain]) -> dict[str, Any]:
    """Return the settings from which Ray Tune makes trials.

    Args:
        config: From `build_config`, with the first example of each search space.
        domains: The search spaces by their path in the experiment's `config`.
    """
    space: dict[str, Any] = config.to_dict()
    for place, domain in domains.items():
        put(space, space_path(place), domain.to_tune())
    return space


_SPACE_KEYS = {
    "lambda_": "lambda",
    "model": "_model_config",
    "train_batch_size_per_learner": "_train_batch_size_per_learner",
}


def space_path(place: Path) -> Path:
    """Return the path of an experiment's setting in the trial settings of Ray Tune."""
    return (_SPACE_KEYS.get(place[0], place[0]), *place[1:])


GRAIN = 10_000
"""Ray counts CPUs in parts of so many."""


def device(config: Any) -> str:
    """Where a trial learns: `cuda` or `cpu`."""
    asked = config.num_gpus_per_learner
    gpus = per_trial(config, "GPU") if asked == "auto" else asked
    return "cuda" if gpus > 0 else "cpu"


def lanes(config: Any) -> int:
    """Number of environments that step in parallel over all env runners."""
    return int(config.num_envs_per_env_runner) * max(1, int(config.num_env_runners))


def per_trial(config: Any, resource: Literal["CPU", "GPU"]) -> float:
    """How much of a resource one trial asks Ray for."""
    return requested(config).get(resource, 0.0)


def share_resources(config: Any, resources: ResourcesSection | None) -> None:
    """Share out what a trial asks Ray for among its processes.

    Args:
        config: An AlgorithmConfig; changed in place.
        resources: The experiment's; None: as its `config` says.
    """
    if resources is None:
        return
    evaluators = int(config.evaluation_num_env_runners) if config.evaluation_interval else 0
    processes = 1 + int(config.num_env_runners) + int(config.num_learners) + evaluators
    if resources.cpus_per_trial is not None:
        share = math.floor(resources.cpus_per_trial / processes * GRAIN + 1e-6) / GRAIN
        for key in ("num_cpus_for_main_process", "num_cpus_per_env_runner", "num_cpus_per_learner"):
            setattr(config, key, share)
    if resources.gpus_per_trial is not None:
        config.num_gpus_per_learner = resources.gpus_per_trial / max(1, int(config.num_learners))


def requested(config: Any) -> dict[str, float]:
    """All resources that one trial asks Ray for, by Ray's names, and how much of each."""
    request = trainable(config).default_resource_request(config.to_dict())  # type: ignore[attr-defined]
    asked: dict[str, float] = {}
    for bundle in request.bundles:
        for name, amount in bundle.items():
            asked[name] = asked.get(name, 0.0) + float(amount)
    return asked
