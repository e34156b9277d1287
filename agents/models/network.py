"""Network: what a policy is to those who run it, a plain PyTorch module without RLlib and Gymnasium.

T time, B lanes, A numbers that describe the action distribution.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn

from engram.agents.models.actions import ActionConverter
from engram.agents.models.parts import Parts
from engram.agents.models.spaces import AnySpace
from engram.memory.core import State
from engram.memory.options import Options, section, text_or_none, texts

POLICY_INIT_SCALE = 0.01
"""The policy head starts near uniform: its weights are scaled by this number."""


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


class Outputs(NamedTuple):
    """Of each step: action distribution (T, B, A) and value (T, B); the state after the last step."""

    action_dist_inputs: Tensor
    values: Tensor
    state: State


class Network(nn.Module, ABC):
    """Runs T steps of B lanes at once: from what is seen to action distributions, values and a state.

    Attributes:
        core_type: The core's name.
        observation_space: The environment's, or all that the network is given beside it, too.
        action_space: The environment's.
        actions: Draws and converts actions.
    """

    core_type: str
    observation_space: AnySpace
    action_space: AnySpace
    actions: ActionConverter

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

    @abstractmethod
    def chances(self) -> dict[str, float | str]:
        """Returns what is random in the core, see `engram.memory.modes.chances`."""

    def prepare_tests(self) -> None:
        """Prepares the network for evaluation."""
