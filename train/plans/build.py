"""Experiment -> AlgorithmConfig and trial settings: the only file that knows `engram.agents`."""

import copy
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from engram.train.console.errors import Errors, ExperimentError, reason, unknown
from engram.train.environments.facts import EnvFacts, Form, with_autoreset, written
from engram.train.environments.guard import alarm
from engram.train.experiments import gone
from engram.train.experiments.search import Domain, Path, put
from engram.train.plans import effects, settings
from engram.train.plans.models import complaints
from engram.train.plans.review import review
from engram.train.plans.stock_models import check_stock_model, check_stock_value


@dataclass(frozen=True)
class ThinkingFacts:
    """What the header says about a model that thinks in iterations.

    Attributes:
        steps: Iterations in training.
        test_steps: Iterations in evaluations.
        depths: Layers that a problem passes, by the number of iterations: all of them, and as the tables of
            the paper count.
    """

    steps: int
    test_steps: int
    depths: Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class ModuleFacts:
    """What the header says about the model.

    Attributes:
        core: The core's name, or the module's class where it has no core.
        parameters: Trained and frozen parameters of the whole module.
        core_parameters: Those of the core alone, or None.
        window: Env steps that gradients reach back, or None where the module keeps no memory.
        carries_gradient: Whether the core bridges a delay by gradients through time.
        thinking: Its iterations, or None where it does not think.
        scaling: What is done to observations before they are encoded, or None where nothing is.
        remarks: What a user should know about the model under this algorithm, one line each.
    """

    core: str
    parameters: int
    core_parameters: int | None
    window: int | None
    carries_gradient: bool
    thinking: ThinkingFacts | None = None
    scaling: str | None = None
    remarks: tuple[str, ...] = ()


def algorithms() -> dict[str, str]:
    """Names that `run` may hold, with a description: ours first, then RLlib's own."""
    from ray.rllib.algorithms.registry import ALGORITHMS as STOCK

    from engram.agents import ALGORITHMS

    ours = {name: row.description for name, row in ALGORITHMS.items()}
    others = [name for name in STOCK if name not in ours and name not in effects.OFFLINE]
    return ours | {name: f"stock RLlib {name}, RLlib's own module" for name in others}


_SAMPLING = ("DQN", "SAC")  # further ones that play episodes with RLlib's usual runners


def defaults(run: str, model: Mapping[str, Any]) -> Any:
    """A fresh AlgorithmConfig of an algorithm, our module and callbacks wired in where it is one of ours.

    Args:
        run: The algorithm's name.
        model: The `model:` section.

    Raises:
        ExperimentError: there is no such algorithm, or it refuses the model.
    """
    from ray.rllib.algorithms.registry import ALGORITHMS as STOCK

    from engram.agents import ALGORITHMS, make_config
    from engram.agents.columns.results import ResultCallbacks
    from engram.agents.stock.runner import StockEnvRunner

    if run in effects.OFFLINE:
        raise ExperimentError(
            f"run: {run} learns from recorded data, which an experiment file has no key for; "
            f"known: {', '.join(sorted(algorithms()))}"
        )
    if run not in ALGORITHMS and run not in STOCK:
        if run in gone.ALGORITHMS:
            nearest = " or ".join(gone.ALGORITHMS[run])
            raise ExperimentError(f"run: RLlib has no {run} any more; nearest: {nearest}")
        raise unknown("run", run, algorithms())
    if "core" in model and run not in ALGORITHMS:
        takers = ", ".join(ALGORITHMS)
        raise ExperimentError(f"config.model.core: {run} has networks of its own; a core is for: {takers}")
    if "core" not in model and not (run in ALGORITHMS and ALGORITHMS[run].columnar):
        check_stock_model(model)
    elif "max_seq_len" in model and not ALGORITHMS[run].columnar:
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
    """How an algorithm's runners make their environments.

    Args:
        run: The algorithm's name.
        vectorize_mode: `config.gym_env_vectorize_mode`, or None where it is not set.
    """
    from engram.agents import ALGORITHMS

    if run in ALGORITHMS and ALGORITHMS[run].columnar:
        return "copies" if vectorize_mode == "async" else "lanes"
    return "batched" if vectorize_mode == "vector_entry_point" else "copies"


class Checked(NamedTuple):
    """Settings of an algorithm, each checked by itself.

    Attributes:
        config: A fresh AlgorithmConfig that knows the model.
        values: The other settings.
        notices: What is said about settings that nothing would come of.
    """

    config: Any
    values: dict[str, Any]
    notices: list[str]


def check_settings(run: str, values: Mapping[str, Any]) -> Checked:
    """Check settings against an algorithm, each by itself.

    Args:
        run: The algorithm's name.
        values: `config` of the experiment, search spaces replaced by examples.

    Raises:
        ExperimentError: all that is wrong, with the settings of the nearest algorithm where there is none of
            that name: a setting is not known, of the wrong type, or out of range, or what is learned would
            not be what it asks for.
    """
    errors = Errors()
    with errors.kept():
        model = settings.mapping(values.get("model"), "config.model")
        config = defaults(run, model)
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


def check_values(run: str, values: Mapping[str, Any], key: str, examples: Iterable[Any]) -> None:
    """Check values of one setting on their own; far cheaper than a config for each.

    Args:
        run: The algorithm's name.
        values: `config` of the experiment, search spaces replaced by examples.
        key: The setting.
        examples: Its values.

    Raises:
        ExperimentError: one is of the wrong type, or out of range.
    """
    config = defaults(run, settings.mapping(values.get("model"), "config.model"))
    for example in examples:
        settings.check({key: example}, config)


def _nearest(run: str) -> str | None:
    """An algorithm with these settings: the one of that name, or what took the place of one that is gone."""
    known = algorithms()
    return next((name for name in (run, *gone.ALGORITHMS.get(run, ())) if name in known), None)


def _without_model(run: str, model: Any, errors: Errors) -> Any:
    """Settings of an algorithm for which a model was refused; keeps all that is wrong with the model."""
    from engram.agents import ALGORITHMS

    if isinstance(model, Mapping):
        with errors.kept():
            defaults(run, model)
        columnar = run in ALGORITHMS and ALGORITHMS[run].columnar
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
    from engram.agents.models.actions import counted_from_zero

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
    """The Algorithm class of a config.

    Args:
        config: From `build_config`.
    """
    found: type = config.algo_class
    return found


def trial_space(config: Any, domains: Mapping[Path, Domain]) -> dict[str, Any]:
    """The settings Ray Tune makes trials from.

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
    """Where a setting of an experiment's `config` stands in the trial settings that Ray Tune sees.

    Args:
        place: Its keys in `config`.
    """
    return (_SPACE_KEYS.get(place[0], place[0]), *place[1:])


def describe_module(config: Any, env: EnvFacts) -> ModuleFacts:
    """Build the model once and count.

    Args:
        config: From `build_config`.
        env: The environment's spaces.

    Raises:
        ExperimentError: the model cannot be built for these spaces.
    """
    from engram.agents import ColumnarModule, bptt_steps_of
    from engram.agents.columns.config import ColumnarConfig
    from engram.agents.models.first_run import check_own_classes
    from engram.agents.models.thinking import ThinkingModule

    try:
        with alarm("config.model: building it, or its first run,"):
            module = build_module(config, env)
            if isinstance(config, ColumnarConfig):
                config.check_module(module)
            check_own_classes(module, env.observation_space)
    except ExperimentError:
        raise
    except Exception as error:  # torch and RLlib raise many classes for a model that does not fit
        text = reason(error)
        separator = "." if text.startswith(("core", "encoder", "readout")) else ": "
        whose = f" (env: {written(env.id)})" if " space" in text else ""
        raise ExperimentError(f"config.model{separator}{text}{whose}") from None
    remarks = tuple(module.remarks(trainable(config).__name__)) if isinstance(module, ColumnarModule) else ()
    if isinstance(module, ThinkingModule):
        return _describe_thinking(module, config.model_config["core"]["type"], remarks)
    core = getattr(module, "core", None)
    if core is None:
        window = bptt_steps_of(config) if module.is_stateful() else None
        return ModuleFacts(type(module).__name__, _count(module), None, window, carries_gradient=True)
    return ModuleFacts(
        core=config.model_config["core"]["type"] if "core" in config.model_config else type(core).__name__,
        parameters=_count(module),
        core_parameters=_count(core),
        window=bptt_steps_of(config) if core.initial_state(1) else None,
        carries_gradient=core.carries_gradient,
        scaling=module.encoder.reader.described(),
        remarks=remarks,
    )


def _describe_thinking(module: Any, core: str, remarks: tuple[str, ...]) -> ModuleFacts:
    thinker = module.thinker
    steps = (module.thinking_steps, module.test_steps)
    depths = {n: (thinker.effective_depth(n), thinker.effective_depth(n, "tables")) for n in steps}
    return ModuleFacts(
        core=core,
        parameters=_count(module),
        core_parameters=_count(thinker),
        window=None,
        carries_gradient=True,
        thinking=ThinkingFacts(*steps, depths),
        remarks=remarks,
    )


def _count(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def precision(config: Any) -> tuple[str, str | None] | None:
    """What a trial's products are computed in on this machine, and a warning or None; None: nothing is asked.

    Args:
        config: From `build_config`.
    """
    if not hasattr(config, "autocast"):
        return None
    from engram.agents.models.choice import thinks
    from engram.agents.supervised.precision import described, warning

    asked = config.autocast, device(config), thinks(config.model_config)
    return described(*asked), warning(*asked)


def device(config: Any) -> str:
    """Where a trial learns: `cuda` or `cpu`.

    Args:
        config: From `build_config`.
    """
    asked = config.num_gpus_per_learner
    gpus = per_trial(config, "GPU") if asked == "auto" else asked
    return "cuda" if gpus > 0 else "cpu"


def build_module(config: Any, env: EnvFacts) -> Any:
    """The RLModule of a config, with fresh weights.

    Args:
        config: From `build_config`.
        env: The environment's spaces.
    """
    from ray.rllib.core import DEFAULT_MODULE_ID

    spaces = {DEFAULT_MODULE_ID: (env.observation_space, env.action_space)}
    return copy.copy(config.get_rl_module_spec(spaces=spaces, inference_only=False)).build()


def check_plays(config: Any, env: EnvFacts, other: EnvFacts, path: str) -> None:
    """Refuse an environment of evaluations that a model made for another one cannot play in.

    Args:
        config: From `build_config`.
        env: The environment of training.
        other: That of evaluations.
        path: Dotted path of its settings, for errors.

    Raises:
        ExperimentError: its spaces do not fit.
    """
    from engram.agents.models.thinking import ThinkingModule

    spaces = (other.observation_space, other.action_space)
    if spaces == (env.observation_space, env.action_space):
        return
    module = build_module(config, env)
    if not isinstance(module, ThinkingModule):
        made_for = f"made for {env.observation_space} and {env.action_space}"
        raise ExperimentError(f"{path}: the model is {made_for}, here are {spaces[0]} and {spaces[1]}")
    try:
        module.resize(*spaces)
    except ValueError as error:
        raise ExperimentError(f"{path}: {error}") from None


def is_columnar(module: Any) -> bool:
    """Whether a module speaks in columns (T, B, ...) and acts in the environment's own range.

    Args:
        module: An RLModule.
    """
    from engram.agents import ColumnarModule
    from engram.agents.stock.module import StockRecurrentModule

    return isinstance(module, ColumnarModule) and not isinstance(module, StockRecurrentModule)


def lanes(config: Any) -> int:
    """Number of environments that step in parallel over all env runners.

    Args:
        config: From `build_config`.
    """
    return int(config.num_envs_per_env_runner) * max(1, int(config.num_env_runners))


def per_trial(config: Any, resource: Literal["CPU", "GPU"]) -> float:
    """How much of a resource one trial asks Ray for.

    Args:
        config: From `build_config`.
        resource: Ray's name of it.
    """
    return requested(config).get(resource, 0.0)


def requested(config: Any) -> dict[str, float]:
    """All resources that one trial asks Ray for, by Ray's names, and how much of each.

    Args:
        config: From `build_config`.
    """
    request = trainable(config).default_resource_request(config.to_dict())  # type: ignore[attr-defined]
    asked: dict[str, float] = {}
    for bundle in request.bundles:
        for name, amount in bundle.items():
            asked[name] = asked.get(name, 0.0) + float(amount)
    return asked
