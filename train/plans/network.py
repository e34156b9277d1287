"""The network of a plan: what the header says about it, and whether evaluations can play with it."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engram.train.console.errors import ExperimentError, reason
from engram.train.console.files import mapping_at
from engram.train.environments.facts import EnvFacts
from engram.train.environments.guard import alarm
from engram.train.environments.ids import written
from engram.train.plans.build import device, is_columnar, trainable
from engram.train.plans.starts import Start

SCRATCH: Start = {"from": None, "copied": {}, "new": []}


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
        window: Env steps that gradients reach back, infinite through whole episodes, or None where the module
            keeps no memory.
        carries_gradient: Whether the core bridges a delay by gradients through time.
        thinking: Its iterations, or None where it does not think.
        scaling: What is done to observations before they are encoded, or None where nothing is.
        remarks: What a user should know about the model under this algorithm, one line each.
        acting: How what is drawn becomes an action, or None where it is one.
        preset: Of the core's options, or None.
        encoder: The encoder's name and parameters, or None where the module has none of ours.
        start: What its weights start from, as `run.json` has it.
    """

    core: str
    parameters: int
    core_parameters: int | None
    window: float | None
    carries_gradient: bool
    thinking: ThinkingFacts | None = None
    scaling: str | None = None
    remarks: tuple[str, ...] = ()
    acting: str | None = None
    preset: str | None = None
    encoder: str | None = None
    start: Start = field(default_factory=lambda: SCRATCH)


def build_module(config: Any, env: EnvFacts) -> Any:
    """The RLModule of a config, with fresh weights."""
    from ray.rllib.core import DEFAULT_MODULE_ID

    spaces = {DEFAULT_MODULE_ID: (_given(config, env), env.action_space)}
    return copy.copy(config.get_rl_module_spec(spaces=spaces, inference_only=False)).build()


def _given(config: Any, env: EnvFacts) -> Any:
    """The space of what a model of ours is given, which may be more than an observation."""
    from engram.agents.models.actions import model_actions
    from engram.agents.models.choice import thinks
    from engram.agents.models.inputs import given_space, model_inputs

    model = config.model_config
    if ("core" not in model and not is_columnar(trainable(config).__name__)) or thinks(model):
        return env.observation_space
    actions = model_actions(env.action_space, model)
    return given_space(model_inputs(model, env.observation_space, actions, told_mask=env.tells_mask))


def describe_module(config: Any, env: EnvFacts, starts: bool = True) -> ModuleFacts:
    """Build the model once and count.

    Args:
        config: From `build_config`.
        env: The environment of training.
        starts: Whether it starts anew: then the weights that it starts from are looked at.

    Raises:
        ExperimentError: the model cannot be built for these spaces, or does not fit what it starts from.
    """
    from engram.agents import ColumnarModule
    from engram.agents.columns.config import ColumnarConfig
    from engram.agents.models.first_run import check_own_classes
    from engram.agents.models.transfer import start_of

    start = None
    try:
        with alarm("config.model: building it, or its first run,"):
            module = build_module(config, env)
            if isinstance(config, ColumnarConfig):
                config.check_module(module)
            elif getattr(module, "squash", False) and not config.normalize_actions:
                raise ValueError(
                    "squash: true needs config.normalize_actions: true, by which RLlib scales draws"
                )
            check_own_classes(module)
            if starts and isinstance(module, ColumnarModule):
                start = start_of(module)
    except ExperimentError:
        raise
    except Exception as error:  # torch and RLlib raise many classes for a model that does not fit
        text = reason(error)
        if text.startswith("normalize_"):  # which is no setting of the model
            raise ExperimentError(f"config.{text}") from None
        separator = "." if text.startswith(_OF_MODEL) else ": "
        whose = f" (env: {written(env.id)})" if " space" in text else ""
        raise ExperimentError(f"config.model{separator}{text}{whose}") from None
    facts = _describe(module, config)
    if start is None:
        return facts
    return replace(facts, start={"from": start.source, "copied": start.copied, "new": start.new})


_OF_MODEL = ("core", "encoder", "readout", "action_mask", "squash", "softmax", "init", "freeze")
"""How errors begin that name a key of `model:`."""


def _describe(module: Any, config: Any) -> ModuleFacts:
    from engram.agents import ColumnarModule
    from engram.agents.models.thinking import ThinkingModule

    remarks = tuple(module.remarks(trainable(config).__name__)) if isinstance(module, ColumnarModule) else ()
    if speaks_columns(module) and hasattr(module, "actions"):
        remarks += tuple(filter(None, [module.actions.remark()]))
    if isinstance(module, ThinkingModule):
        return _describe_thinking(module, config.model_config["core"]["type"], remarks)
    core = getattr(module, "core", None)
    if core is None:
        window = _window(config) if module.is_stateful() else None
        return ModuleFacts(type(module).__name__, _count(module), None, window, carries_gradient=True)
    options = mapping_at(config.model_config, "core")
    return ModuleFacts(
        core=options.get("type", type(core).__name__),
        parameters=_count(module),
        core_parameters=_count(core),
        window=_window(config) if core.initial_state(1) else None,
        carries_gradient=core.carries_gradient,
        scaling=_scaling(module),
        remarks=remarks,
        acting=_acting(module, config),
        preset=options.get("preset"),
        encoder=_encoder(module.encoder),
    )


def _encoder(encoder: Any) -> str:
    from engram.agents.models.encoders import ENCODERS

    names = {kind: name for name, kind in ENCODERS.items()}
    return f"{names.get(type(encoder), type(encoder).__name__)}, {_count(encoder):,} parameters"


def _window(config: Any) -> float:
    from engram.agents import bptt_steps_of

    return bptt_steps_of(config) or math.inf


def _scaling(module: Any) -> str | None:
    """What is done to observations before they are encoded."""
    normalization = getattr(module, "normalization", None)
    names = normalization.names if normalization is not None else []
    standardised = f"{', '.join(names)} by running mean and deviation" if names else None
    return "; then ".join(filter(None, (standardised, module.encoder.reader.described()))) or None


def _acting(module: Any, config: Any) -> str | None:
    """Say how draws become actions, and which may be drawn."""
    drawn = module.actions.described()
    if drawn is not None and not speaks_columns(module) and not module.squash:
        drawn = _taken_by_rllib(module.actions.space, config)
    said = [drawn]
    if module.inputs.masked:
        source = f"{module.inputs.mask_key} of the observation" if module.inputs.mask_key else "info"
        said.append(f"only those that action_mask allows, of {source}")
    return "; ".join(text for text in said if text) or None


def _taken_by_rllib(space: Any, config: Any) -> str:
    """What RLlib's own runners make of draws of a Gaussian that may lie beyond an action's bounds."""
    from engram.agents.models.actions import is_bounded

    if config.normalize_actions and is_bounded(space):
        return "draws of a Gaussian, of which RLlib takes -1 to 1 for the bounds, and cuts the rest"
    if config.clip_actions and not config.normalize_actions:
        return "draws of a Gaussian, cut at the bounds"
    way = "normalize_actions: false and clip_actions: true cut them"
    return f"draws of a Gaussian, also beyond the bounds, where RLlib does not cut them; {way}"


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
    """The precision of a trial's products on this machine, and a warning or None; None: nothing is asked."""
    if not hasattr(config, "autocast"):
        return None
    from engram.agents.models.choice import thinks
    from engram.agents.supervised.precision import described, warning

    asked = config.autocast, device(config), thinks(config.model_config)
    return described(*asked), warning(*asked)


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


def speaks_columns(module: Any) -> bool:
    """Whether a module speaks in columns (T, B, ...) and acts in the environment's own range."""
    from engram.agents import ColumnarModule
    from engram.agents.stock.module import StockRecurrentModule

    return isinstance(module, ColumnarModule) and not isinstance(module, StockRecurrentModule)
