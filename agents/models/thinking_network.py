"""ThinkingNetwork: answers a puzzle after each of any number of iterations.

T time, B lanes, P problems, N positions of an answer, K classes, F features, S positions along the axes of
a puzzle.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.agents.models import spaces
from engram.agents.models.actions import action_converter
from engram.agents.models.network import POLICY_INIT_SCALE, Network, Outputs, StartOptions
from engram.agents.models.parts import Parts
from engram.agents.models.spaces import AnySpace, named
from engram.memory.core import State, where_lanes
from engram.memory.modes import chances
from engram.memory.options import Options, boolean, integer, parse_options, section
from engram.memory.registry import build_class
from engram.memory.thinking import Answers, Thinker, ThinkerOptions, thinker_options

THOUGHT = "thought"
"""Name of the state that `carry` keeps, (B, F, *S)."""


@dataclass(frozen=True, kw_only=True)
class ReadoutOptions(Options):
    """How an answer becomes an action."""

    top: int | None = integer(
        None, "bits that are set, those of the largest logits; none: each bit by itself (chess: 2 squares)"
    )
    thinking_steps: int | None = integer(
        None, "of evaluation; none: as many as in training", unit="iterations"
    )


@dataclass(frozen=True, kw_only=True)
class ThinkingConfig(StartOptions):
    """The `model:` section of an experiment whose core thinks in iterations."""

    core: Mapping[str, Any] = section(None, "options of the network", typed=True)
    readout: Mapping[str, Any] = section({}, "how an answer becomes an action")
    carry: bool = boolean(
        False,
        "whether a thought is carried from step to step of an episode (`engram/Ponder-v0`); else every step "
        "starts from the problem alone",
    )


class ThinkingParts(NamedTuple):
    """A checked `model:` section: what to build the network and its readout from.

    Attributes:
        section: The section, with its defaults.
        thinker: Class and options of the network.
        readout: How an answer becomes an action.
    """

    section: ThinkingConfig
    thinker: tuple[type[Thinker], ThinkerOptions]
    readout: ReadoutOptions

    def build_thinker(self, shape: tuple[int, ...], answers: Answers) -> Thinker:
        """Builds the network; see `engram.memory.thinking.make_thinker`."""
        made, options = self.thinker
        thinker: Thinker = build_class(made, "core", self.section.core["type"], shape, answers, options)
        thinker.lay_out()
        return thinker


def parse_thinking_model(model: Mapping[str, Any], path: str = "model") -> ThinkingParts:
    """Parses the `model:` section of a core that thinks; arguments and errors as in `choice.check_model`."""
    parsed = parse_options(ThinkingConfig, model, path)
    return ThinkingParts(
        parsed,
        thinker_options(parsed.core, f"{path}.core"),
        parse_options(ReadoutOptions, parsed.readout, f"{path}.readout"),
    )


class ThinkingNetwork(Network):
    """Answers puzzles: a thinker, read as an action, and a value for actor-critics.

    Every step thinks for `thinking_steps` iterations, from the problem alone or, with `carry`, from the
    thought of the step before. Weights do not depend on the puzzle's size, so that those of one size can be
    loaded into a module of another.
    """

    def __init__(self, parts: ThinkingParts, observation_space: AnySpace, action_space: AnySpace) -> None:
        super().__init__()
        self.observation_space, self.action_space = observation_space, action_space
        self.build(parts)

    def build(self, parts: ThinkingParts) -> None:
        """Builds the networks for the spaces of this one."""
        self.readout = parts.readout
        shape = self._problem_shape()
        answers = answers_of(self.action_space)
        self._check_readout()
        self.core_type = parts.section.core["type"]
        self.thinker: Thinker = parts.build_thinker(shape, answers)
        self.thinking_steps = self.thinker.thinking_steps
        self.test_steps = self.readout.thinking_steps or self.thinking_steps
        self.carry = parts.section.carry
        if self.carry and self.thinker.iteration_limit is not None:
            raise ValueError(
                "carry: a network whose iterations have weights of their own cannot go on thinking"
            )
        self.value_head = nn.LazyLinear(1)
        self._measure_value_head(shape)
        self.actions = action_converter(self.action_space)

    def _problem_shape(self) -> tuple[int, ...]:
        """The shape of a problem; ValueError: a space that is not one array."""
        space = self.observation_space
        if isinstance(space, spaces.Box | spaces.MultiBinary | spaces.MultiDiscrete):
            return tuple(space.shape)
        raise ValueError(
            f"core: one that thinks reads an array, got the observation space {named(space)}; recurrent "
            "cores read all spaces"
        )

    @override
    def parts(self) -> Parts:
        names = dict.fromkeys(name.partition(".")[0] for name in self.thinker.state_dict())
        return Parts(
            {name: (f"thinker.{name}",) for name in names} | {"value_head": ("value_head",)},
            heads=("head", "value_head"),
        )

    @override
    def chances(self) -> dict[str, float | str]:
        return chances(self.thinker)

    def _check_readout(self) -> None:
        """Raises ValueError where `readout.top` bits cannot be set."""
        top, space = self.readout.top, self.action_space
        if top is not None and not (isinstance(space, spaces.MultiBinary) and top < math.prod(space.shape)):
            raise ValueError(f"readout.top: expected none, or fewer than the bits of {space}, got {top}")

    @torch.no_grad()
    def _measure_value_head(self, shape: tuple[int, ...]) -> None:
        """Initialises the value head, whose input size only a thought shows: not always the first one."""
        training = self.training
        self.eval()
        problems = self.thinker.prepare(torch.zeros(2, *shape))
        thought = self.thinker.think(self.thinker.begin(problems), problems, 0)
        self.value_head(_pooled(thought))
        self.value_head.bias.zero_()
        self.value_head.weight.mul_(POLICY_INIT_SCALE)
        self.train(training)

    def initial_state(self, lanes: int) -> State:
        """Returns no state or, with `carry`, a thought that the first step of an episode replaces."""
        if not self.carry:
            return {}
        empty = next(self.parameters()).new_zeros(lanes, *(self.observation_space.shape or ()))
        with torch.no_grad():
            return {THOUGHT: self.thinker.begin(self.thinker.prepare(empty))}

    def prepare_tests(self) -> None:
        """Thinks for `readout.thinking_steps` iterations from now on."""
        self.thinking_steps = self.test_steps

    def forward_columns(self, observations: Tensor, state: State, resets: Tensor | None = None) -> Outputs:
        """Thinks `thinking_steps` iterations over each observation."""
        time, lanes = observations.shape[:2]
        if not self.carry:
            inputs, values, _ = self._ponder(observations.flatten(0, 1))
            return Outputs(inputs.view(time, lanes, -1), values.view(time, lanes), state)
        steps, thought = [], state[THOUGHT]
        for t, seen in enumerate(observations):
            thought = thought if resets is None else self._restart(thought, seen, resets[t])
            *outputs, thought = self._ponder(seen, thought)
            steps.append(outputs)
        inputs, values = (torch.stack(column) for column in zip(*steps, strict=True))
        return Outputs(inputs, values, {THOUGHT: thought})

    def _ponder(self, seen: Tensor, thought: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Thinks over problems (P, ...): distribution inputs (P, A), values (P,) and the last thought."""
        problems = self.thinker.prepare(seen)
        thought = self.thinker.begin(problems) if thought is None else thought
        for iteration in range(self.thinking_steps):
            thought = self.thinker.think(thought, problems, iteration)
        inputs = self.distribution_inputs(self.thinker.answer(thought))
        return inputs, self.value_head(_pooled(thought)).squeeze(1), thought

    def _restart(self, thought: Tensor, seen: Tensor, resets: Tensor) -> Tensor:
        """The thoughts (B, F, *S), begun anew in the lanes where an episode begins."""
        if not torch.compiler.is_exporting() and not resets.any():
            return thought
        return where_lanes(resets, self.thinker.begin(self.thinker.prepare(seen)), thought)

    def distribution_inputs(self, logits: Tensor) -> Tensor:
        """Computes the logits of bits (P, N) from logits (P, 2, *S); those of labels (P, K) stay as they are.

        Where a fixed number of bits is set (`readout.top`), these are the ones above zero.
        """
        if logits.ndim == 2:
            return logits
        no, yes = logits.flatten(2).unbind(1)
        if self.readout.top is None:
            return yes - no
        nearest = yes.topk(self.readout.top + 1, dim=1).values[:, -2:]
        return yes - nearest.mean(1, keepdim=True)

    def resize(self, observation_space: AnySpace, action_space: AnySpace) -> None:
        """Adapts to puzzles of another size; the weights stay.

        Raises:
            ValueError: Not the same kind of puzzle, or the network is made for one size.
        """
        if answers_of(action_space) != answers_of(self.action_space):
            raise ValueError(f"made for answers in {self.action_space}, not in {action_space}")
        problem = torch.zeros(1, *(observation_space.shape or ()))
        with torch.no_grad():
            self.thinker.eval().begin(self.thinker.prepare(problem))
        self.observation_space, self.action_space = observation_space, action_space
        self.actions = action_converter(action_space)


def _pooled(thought: Tensor) -> Tensor:
    """Mean of each feature over the positions, (P, F, ...) -> (P, F)."""
    return thought.flatten(2).mean(2) if thought.ndim > 2 else thought


def answers_of(space: AnySpace) -> Answers:
    """Returns the kind of answer that an action space asks for.

    Raises:
        ValueError: It is neither `MultiBinary` nor `Discrete`.
    """
    if isinstance(space, spaces.MultiBinary):
        return Answers()
    if isinstance(space, spaces.Discrete):
        return Answers(labels=int(space.n))
    raise ValueError(f"a thinking core cannot answer in {named(space)}; known: MultiBinary, Discrete")
