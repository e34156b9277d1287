"""RecurrentNetwork: encoder -> core -> heads, over whole fragments.

T time, B lanes, F features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.agents.models.encoders import Encoder, encoder_options
from engram.agents.models.given import Inputs, masked
from engram.agents.models.moments import Normalization, NormalizationOptions
from engram.agents.models.nests import flat_steps, leading
from engram.agents.models.network import POLICY_INIT_SCALE, Network, Outputs, StartOptions
from engram.agents.models.parts import Parts
from engram.agents.models.spaces import AnySpace
from engram.memory import Core, CoreOptions, core_options
from engram.memory.core import State
from engram.memory.modes import chances
from engram.memory.options import Options, boolean, choice, integers, parse_options, section, text
from engram.memory.registry import build_class, check_output_size
from engram.memory.windows.mlp import relu_layers


@dataclass(frozen=True, kw_only=True)
class HeadOptions(Options):
    """Options of the layers behind the core: those that policy and value share, and how theirs start."""

    hidden: tuple[int, ...] = integers(
        (), "units of each ReLU layer over what was remembered and what is seen", unit="units"
    )
    init: str = choice(
        "even",
        "what the policy's layer starts from. even: a hundredth of PyTorch's weights and biases of 0, all "
        "actions being about equally likely; torch: PyTorch's own",
        ("even", "torch"),
    )


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
    softmax: bool = boolean(
        False,
        "whether an action of a Box from 0 to 1 is the probabilities of as many classes, one of which "
        "info['target'] says is right; under run: Supervised",
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

    def build_encoder(self, space: AnySpace) -> Encoder:
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


class RecurrentNetwork(Network):
    """Actor-critic with a swappable recurrent core.

    A core that does not train its input (`train_input: false`) gets an encoder of its own, frozen at its
    random initialisation: no gradient reaches the writer from what matters hundreds of steps later, and a
    memory that averages over hundreds of steps needs a writer that holds still. The heads then read the
    present through the trained encoder (`skip`).

    Args:
        parts: What to build it from.
        inputs: What it is given.
        normalization: What is normalised by running statistics; None: nothing.
    """

    def __init__(
        self, parts: RecurrentParts, inputs: Inputs, normalization: NormalizationOptions | None = None
    ) -> None:
        super().__init__()
        self.observation_space, self.action_space = inputs.space, inputs.actions.space
        self.build(parts, inputs, normalization)

    def build(
        self, parts: RecurrentParts, inputs: Inputs, normalization: NormalizationOptions | None
    ) -> None:
        """Builds the networks; arguments as of the class."""
        self.inputs, self.actions = inputs, inputs.actions
        encoded = inputs.encoded
        self.normalization = None if normalization is None else Normalization(encoded, normalization)
        self.encoder = parts.build_encoder(encoded)
        self.core = parts.build_core(self.encoder.output_size + inputs.features)
        self.core_type = parts.section.core["type"]
        _, self._core_options = parts.core
        self.memory_encoder = None
        if not self.core.train_input:
            self.memory_encoder = parts.build_encoder(encoded).requires_grad_(False)
        self.skip, self.squash = parts.section.skip, parts.section.squash
        if self.memory_encoder is not None and not self.skip:
            self.encoder.requires_grad_(False)
        seen = self.encoder.output_size + inputs.features
        features = self.core.output_size + (seen if self.skip else 0)
        self.shared_head = relu_layers(features, parts.head.hidden)
        features = (features, *parts.head.hidden)[-1]
        self.policy_head = nn.Linear(features, self.actions.size)
        self.value_head = nn.Linear(features, 1)
        with torch.no_grad():
            if parts.head.init == "even":
                self.policy_head.weight.mul_(POLICY_INIT_SCALE)
                self.policy_head.bias.zero_()
            self.value_head.bias.zero_()

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
