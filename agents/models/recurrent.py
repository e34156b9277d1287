"""RecurrentModule: encoder -> core -> heads, over whole fragments.

T time, B lanes, F features, A numbers that describe the action distribution.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import gymnasium as gym
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor, nn
from typing_extensions import override

from engram.agents.models.actions import ActionConverter, action_converter
from engram.agents.models.encoders import Encoder, encoder_options
from engram.agents.models.inputs import masked, model_inputs
from engram.agents.models.moments import NORMALIZATION, Normalization, NormalizationOptions
from engram.agents.models.nests import flat_steps, leading
from engram.agents.models.parts import Parts, freeze, hold_still
from engram.memory import Core, CoreOptions, core_options
from engram.memory.core import State
from engram.memory.modes import chances, normalises_by_batch, without_chance
from engram.memory.options import (
    Options,
    boolean,
    integers,
    parse_options,
    section,
    text,
    text_or_none,
    texts,
)
from engram.memory.registry import build_class, check_output_size
from engram.memory.windows.mlp import relu_layers

RESETS = "resets"
"""Column of a columnar batch: True where a step is the first of an episode, (T, B)."""

OBJECTIVE = "objective"
"""Entry of a training batch: called with module and batch, it gives `_forward_train`'s outputs."""

TAKES_CHANCES = "takes_chances"
"""Entry of a module's `model_config`, set by the algorithm: whether dropout acts in training."""

POLICY_INIT_SCALE = 0.01
"""The policy head starts near uniform: its weights are scaled by this number."""


@dataclass(frozen=True, kw_only=True)
class HeadOptions(Options):
    """Options of the layers that policy and value share behind the core."""

    hidden: tuple[int, ...] = integers(
        (), "units of each ReLU layer over what was remembered and what is seen", unit="units"
    )


@dataclass(frozen=True, kw_only=True)
class StartOptions(Options):
    """What a network starts from, and what of it is not trained."""

    init_from: str | None = text_or_none("a checkpoint whose weights the network starts from; null: random")
    init: Mapping[str, Any] = section(
        {},
        "with init_from, which parts are taken over: part to true or false, or to a list of its members; of "
        "those that are not named, all but the heads are",
    )
    freeze: tuple[str, ...] = texts("parts that are not trained: they stay as they start")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(StartOptions):
    """The `model:` section of an experiment with a recurrent core."""

    encoder: Mapping[str, Any] = section({"type": "auto"}, "options of the encoder", typed=True)
    core: Mapping[str, Any] = section({"type": "lstm"}, "options of the recurrent core", typed=True)
    skip: bool = boolean(False, "whether the heads also read the encoder's features, past the core")
    head: Mapping[str, Any] = section(
        {},
        "options of the layers that the heads share; without `hidden` there are none, and what is remembered "
        "and what is seen can only be weighed against each other, not combined",
    )
    action_mask: str = text(
        "auto",
        "where it is said which actions are legal, of Discrete and MultiDiscrete ones; the others are never "
        "taken. info: in the environment's info, as action_mask; a name: in that part of a Dict observation, "
        "which is then no input; auto: in the part action_mask if there is one, else in info if it is told "
        "there; none: nowhere",
        "auto, info, none, or a part of the observation",
    )
    previous_action: bool = boolean(
        False, "whether the action before, zeros at an episode's first step, is an input of the core"
    )
    previous_reward: bool = boolean(
        False, "whether the reward before, zero at an episode's first step, is an input of the core"
    )
    squash: bool = boolean(
        False,
        "whether actions of a Box with bounds are squashed to them by tanh; else what is drawn is cut there",
    )


class RecurrentParts(NamedTuple):
    """A checked `model:` section: what to build each part from.

    Attributes:
        section: The section, with its defaults.
        encoder: Class and options of the encoder.
        core: Class and options of the core.
        head: Options of the layers that the heads share.
    """

    section: ModelConfig
    encoder: tuple[type[Encoder], Options]
    core: tuple[type[Core], CoreOptions]
    head: HeadOptions

    def build_encoder(self, space: gym.Space[Any]) -> Encoder:
        """Builds an encoder of observations in `space`; see `engram.agents.make_encoder`."""
        made, options = self.encoder
        return made.build(space, options, "encoder", self.section.encoder["type"])

    def build_core(self, input_size: int) -> Core:
        """Builds a core of `input_size` features; see `engram.memory.make_core`."""
        made, options = self.core
        core: Core = build_class(made, "core", self.section.core["type"], input_size, options)
        check_output_size(core, "core", self.section.core["type"])
        return core


def parse_recurrent_model(model: Mapping[str, Any], path: str = "model") -> RecurrentParts:
    """Parses the `model:` section of a recurrent core; arguments and errors as in `choice.check_model`."""
    parsed = parse_options(ModelConfig, model, path)
    return RecurrentParts(
        parsed,
        encoder_options(parsed.encoder, f"{path}.encoder"),
        core_options(parsed.core, f"{path}.core"),
        parse_options(HeadOptions, parsed.head, f"{path}.head"),
    )


class Outputs(NamedTuple):
    """Of each step: action distribution (T, B, A) and value (T, B); the state after the last step."""

    action_dist_inputs: Tensor
    values: Tensor
    state: State


class ColumnarModule(TorchRLModule):  # type: ignore[misc]
    """A module of the columnar data path: it runs T steps of B lanes at once.

    Dropout and random initial states act under `run: Supervised` alone. A policy gradient differentiates the
    density of the policy that acted, and that one dropped nothing; see `engram.memory.modes.without_chance`.

    Attributes:
        core_type: The core's name.
        actions: Converts what it draws to actions.
    """

    core_type: str
    actions: ActionConverter
    frozen: tuple[str, ...] = ()

    def legal(self, observations: Any) -> Tensor | None:
        """Returns which actions are legal, (T, B, A), not 0 where one is; None where all are.

        Args:
            observations: (T, B, ...), or a nest of such.
        """
        return None

    @abstractmethod
    def parts(self) -> Parts:
        """Returns the parts by which weights are taken over or frozen, see `engram.agents.models.parts`."""

    @abstractmethod
    def initial_state(self, lanes: int) -> State:
        """State of `lanes` lanes at the start of their episodes, name to (B, ...)."""

    @abstractmethod
    def forward_columns(self, observations: Any, state: State, resets: Tensor | None = None) -> Outputs:
        """Runs T steps of B lanes.

        Args:
            observations: (T, B, ...), or a nest of such.
            state: State before the first step, name to (B, ...).
            resets: True where a step is the first of an episode, (T, B); None: nowhere.
        """

    def remarks(self, algorithm: str) -> list[str]:
        """Returns what a user should know about this module before it trains, one line each.

        Args:
            algorithm: The name of the one that trains it.
        """
        if self.model_config.get(TAKES_CHANCES, False):
            return []
        core, lost, said = self.core_type, self.chances(), []
        if lost:
            named = ", ".join(f"{name} {value}" for name, value in lost.items())
            said.append(
                f"{named} of core {core}: without effect under {algorithm}, a policy gradient, whose policy "
                "must be the one that acted"
            )
        if normalises_by_batch(self):
            said.append(
                f"core {core} normalises by the batch where it learns and by running statistics where it "
                f"acts: {algorithm} does not start from the policy that acted"
            )
        return said

    @abstractmethod
    def chances(self) -> dict[str, float | str]:
        """Returns what is random in the core, see `engram.memory.modes.chances`."""

    def prepare_tests(self) -> None:
        """Prepares the module for evaluation."""

    def train(self, mode: bool = True) -> Self:
        """Puts the networks into training mode, with or without what is random there, or evaluation mode."""
        super().train(mode)
        if mode and not self.model_config.get(TAKES_CHANCES, False):
            for network in self.children():
                without_chance(network)
        hold_still(self, self.parts(), self.frozen)
        return self

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Loads weights.

        RLlib silently leaves a weight that is not given as it was initialised.

        Raises:
            ValueError: A weight is missing: the state is of another network, or of another version of it.
        """
        missing = sorted(self.state_dict().keys() - state.keys())
        if missing:
            raise ValueError(
                f"the state lacks {len(missing)} weights of this network: {', '.join(missing[:3])}, ..."
            )
        super().set_state(state)

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        outputs = self.forward_columns(batch[Columns.OBS], batch[Columns.STATE_IN], batch[RESETS])
        return {
            Columns.ACTION_DIST_INPUTS: outputs.action_dist_inputs,
            Columns.VF_PREDS: outputs.values,
            Columns.STATE_OUT: outputs.state,
        }

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        # An objective runs the module as often as it needs to, inside the pass that learners synchronise.
        if OBJECTIVE in batch:
            outputs: dict[str, Any] = batch[OBJECTIVE](self, batch)
            return outputs
        return self._forward(batch, **kwargs)


class RecurrentModule(ColumnarModule):
    """Actor-critic with a swappable recurrent core, for the columnar data path.

    A core that does not train its input (`train_input: false`) gets an encoder of its own, frozen at its
    random initialisation: no gradient reaches the writer from what matters hundreds of steps later, and a
    memory that averages over hundreds of steps needs a writer that holds still. The heads then read the
    present through the trained encoder (`skip`).
    """

    def setup(self) -> None:
        """Builds the networks from `self.model_config`, the `model:` section of an experiment."""
        # RLlib adds keys of its own (`max_seq_len`, `vf_share_layers`) to what the user wrote.
        known = ModelConfig.__dataclass_fields__
        parts = parse_recurrent_model(
            {key: value for key, value in self.model_config.items() if key in known}
        )
        self.actions = action_converter(self.action_space, parts.section.squash)
        self.action_dist_cls = self.actions.distribution
        self.inputs = model_inputs(self.model_config, self.observation_space, self.actions)
        encoded = self.inputs.encoded
        self.normalization = None
        if NORMALIZATION in self.model_config:
            options = NormalizationOptions(*self.model_config[NORMALIZATION])
            self.normalization = Normalization(encoded, options)
        self.encoder = parts.build_encoder(encoded)
        self.core = parts.build_core(self.encoder.output_size + self.inputs.features)
        self.core_type = parts.section.core["type"]
        _, self._core_options = parts.core
        self.memory_encoder = None
        if not self.core.train_input:
            self.memory_encoder = parts.build_encoder(encoded).requires_grad_(False)
        self.skip, self.squash = parts.section.skip, parts.section.squash
        if self.memory_encoder is not None and not self.skip:
            self.encoder.requires_grad_(False)
        seen = self.encoder.output_size + self.inputs.features
        features = self.core.output_size + (seen if self.skip else 0)
        self.shared_head = relu_layers(features, parts.head.hidden)
        features = (features, *parts.head.hidden)[-1]
        self.policy_head = nn.Linear(features, self.actions.size)
        self.value_head = nn.Linear(features, 1)
        with torch.no_grad():
            self.policy_head.weight.mul_(POLICY_INIT_SCALE)
            self.policy_head.bias.zero_()
            self.value_head.bias.zero_()
        self.frozen = freeze(self, self.parts(), parts.section.freeze)
        self.train()

    @override
    def parts(self) -> Parts:
        # What divides rewards is the task's, as the heads are; what standardises observations is not.
        prefixes: dict[str, tuple[str, ...]] = {
            "encoder": ("encoder", "memory_encoder"),
            "core": ("core",),
            "heads": ("shared_head", "policy_head", "value_head", "normalization.returns"),
        }
        if self.normalization is not None and self.normalization.parts:
            prefixes["normalization"] = ("normalization.parts",)
        names = {
            f"{encoder}.{number}": f"{encoder}.{name}"
            for encoder in prefixes["encoder"]
            for number, name in self.encoder.named_parts().items()
        }
        return Parts(prefixes, heads=("heads",), names=names)

    def remarks(self, algorithm: str) -> list[str]:
        """What may be wrong with the numbers that are seen."""
        remark = self.encoder.reader.remark()
        return super().remarks(algorithm) + ([] if remark is None else [remark])

    @override
    def chances(self) -> dict[str, float | str]:
        return chances(self.core, self._core_options)

    @override
    def initial_state(self, lanes: int) -> State:
        state: State = self.core.initial_state(lanes)
        return state

    @override
    def forward_columns(self, observations: Any, state: State, resets: Tensor | None = None) -> Outputs:
        time, lanes = leading(observations)
        seen = self.inputs.seen(observations)
        if self.normalization is not None:
            seen = self.normalization(seen)
        prepared = self.encoder.prepare(flat_steps(seen))
        beside = self.inputs.beside(observations)
        features = None
        if self.memory_encoder is None or self.skip:
            features = self._features(self.encoder, prepared, time, lanes, beside)
        if self.memory_encoder is None:
            written = features
        else:
            with torch.no_grad():
                written = self._features(self.memory_encoder, prepared, time, lanes, beside)
        remembered, state = self.core(written, state, resets)
        parts = [remembered, features] if self.skip else [remembered]
        joined = self.shared_head(torch.cat(parts, dim=-1) if len(parts) > 1 else remembered)
        inputs = masked(self.policy_head(joined), self.legal(observations))
        return Outputs(inputs, self.value_head(joined).squeeze(-1), state)

    def _features(
        self, encoder: Encoder, prepared: Any, time: int, lanes: int, beside: list[Tensor]
    ) -> Tensor:
        """What an encoder makes of what was prepared, (T, B, F), and what is put beside it."""
        features: Tensor = encoder(prepared).view(time, lanes, -1)
        return torch.cat([features, *beside], dim=-1) if beside else features

    @override
    def legal(self, observations: Any) -> Tensor | None:
        legal: Tensor | None = self.inputs.legal(observations)
        return legal
