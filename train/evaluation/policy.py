"""What acts in lanes: a trained module, which carries its state and resets it at episode starts, or a script.

Shapes: B lanes.
"""

import abc
import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import tree
from ray.rllib.core.columns import Columns
from ray.rllib.utils.spaces.space_utils import unsquash_action
from torch import Tensor
from typing_extensions import override

from engram.agents.models.actions import ActionConverter, action_converter
from engram.agents.models.recurrent import ColumnarModule
from engram.agents.models.thinking import ThinkingModule
from engram.agents.stock.draws import counted_from_zero
from engram.train.plans.network import speaks_columns

Array = np.ndarray[Any, np.dtype[Any]]


class Policy(abc.ABC):
    """Acts in B lanes at once."""

    @abc.abstractmethod
    def act(self, observations: Any, resets: Array, infos: Mapping[str, Any] | None = None) -> Array:
        """Choose actions for one step, and advance the recurrent state.

        Args:
            observations: (B, ...) arrays, or a mapping of them.
            resets: (B,) bool, true where the observation is the first of an episode.
            infos: What the environment told with the observations; networks do not look at it.

        Returns:
            (B, ...) actions as the environment takes them.
        """

    @property
    def state(self) -> Mapping[str, Any]:
        """The recurrent state after the last `act`, tensors (B, ...) by name; empty without one."""
        return {}

    def log_likelihood(self, actions: Array) -> Array | None:
        """Return the natural logarithm of the probability that the last `act` gave to `actions`, (B,).

        Args:
            actions: (B, ...), as the environment takes them.

        Returns:
            None where it names actions and no probabilities.
        """
        return None


class ScriptedPolicy(Policy):
    """A scripted player, which is given what its `act` asks for by name.

    Args:
        player: Its `act` takes `observations` and, if it names them, `resets` and `infos`.

    Raises:
        ValueError: It has no such method.
    """

    def __init__(self, player: Any) -> None:
        self._player = player
        asked = inspect.signature(player.act).parameters if callable(getattr(player, "act", None)) else ()
        self._asked = [name for name in inspect.signature(self.act).parameters if name in asked]
        if "observations" not in self._asked:
            raise ValueError(f"{type(player).__name__} has no method act(observations)")

    @override
    def act(self, observations: Any, resets: Array, infos: Mapping[str, Any] | None = None) -> Array:
        given = {"observations": observations, "resets": resets, "infos": infos}
        return np.asarray(self._player.act(**{name: given[name] for name in self._asked}))


class ModulePolicy(Policy):
    """Acts by a trained module.

    Args:
        module: An RLModule.
        lanes: B.
        greedy: Take the likeliest action; else draw.
    """

    def __init__(self, module: Any, lanes: int, greedy: bool) -> None:
        self.module = module.eval()
        self.lanes = lanes
        self.greedy = greedy
        self._kind = module.get_inference_action_dist_cls()
        self._distribution: Any = None

    @override
    def log_likelihood(self, actions: Array) -> Array | None:
        if self._distribution is None:
            return None
        drawn = _converter(self.module).from_env(actions)
        return np.asarray(self._distribution.logp(torch.as_tensor(drawn)))

    def _decide(self, inputs: Tensor) -> Array:
        if not bool(torch.isfinite(inputs).all()):
            value = inputs[~torch.isfinite(inputs)][0].item()
            raise FloatingPointError(f"action logits: {value:g}; the network's weights may be broken")
        self._distribution = self._kind.from_logits(inputs)
        chosen = self._distribution.to_deterministic() if self.greedy else self._distribution
        return np.asarray(chosen.sample())


class ColumnPolicy(ModulePolicy):
    """A policy of the columnar path."""

    def __init__(self, module: Any, lanes: int, greedy: bool) -> None:
        super().__init__(module, lanes, greedy)
        self._state: Mapping[str, Any] = module.initial_state(lanes)

    @property
    @override
    def state(self) -> Mapping[str, Any]:
        return self._state

    @override
    @torch.inference_mode()
    def act(self, observations: Any, resets: Array, infos: Mapping[str, Any] | None = None) -> Array:
        columns = tree.map_structure(lambda leaf: torch.as_tensor(leaf)[None], observations)
        outputs = self.module.forward_columns(columns, self._state, torch.as_tensor(resets)[None])
        self._state = outputs.state
        return _converter(self.module).to_env(self._decide(outputs.action_dist_inputs[0]))


class StockPolicy(ModulePolicy):
    """A policy of stock RLlib: any module that speaks RLlib's interface, with state (LSTM) or without.

    Box actions leave the module in -1 to 1.
    """

    def __init__(self, module: Any, lanes: int, greedy: bool) -> None:
        super().__init__(module, lanes, greedy)
        self._first = tree.map_structure(lambda leaf: _repeat(leaf, lanes), module.get_initial_state() or {})
        self._state: Mapping[str, Any] = self._first

    @property
    @override
    def state(self) -> Mapping[str, Any]:
        return self._state

    @override
    @torch.inference_mode()
    def act(self, observations: Any, resets: Array, infos: Mapping[str, Any] | None = None) -> Array:
        batch: dict[str, Any] = {Columns.OBS: tree.map_structure(torch.as_tensor, observations)}
        if self._first:
            self._reset(torch.as_tensor(resets))
            one_step = tree.map_structure(lambda leaf: leaf[:, None], batch[Columns.OBS])
            batch = {Columns.OBS: one_step, Columns.STATE_IN: self._state}
        outputs = self.module.forward_inference(batch)
        decides = Columns.ACTION_DIST_INPUTS in outputs  # value-based modules name the action itself
        decision = outputs[Columns.ACTION_DIST_INPUTS if decides else Columns.ACTIONS]
        if self._first:
            self._state = outputs[Columns.STATE_OUT]
            decision = decision[:, 0]
        actions = self._decide(decision) if decides else np.asarray(decision)
        return _to_env(actions, self.module.action_space)

    def _reset(self, resets: Tensor) -> None:
        def start(now: Tensor, first: Tensor) -> Tensor:
            return torch.where(resets.reshape(-1, *[1] * (now.dim() - 1)), first, now)

        self._state = tree.map_structure(start, self._state, self._first)


def make_policy(module: Any, lanes: int, greedy: bool) -> Policy:
    """Make the policy of a module.

    Args:
        module: An RLModule; one that thinks in iterations runs as many as its model gives for tests.
        lanes: B.
        greedy: Take the likeliest action; else draw.
    """
    if isinstance(module, ThinkingModule):
        module.prepare_tests()
    kind = ColumnPolicy if speaks_columns(module) else StockPolicy
    return kind(module, lanes, greedy)


def _converter(module: Any) -> ActionConverter:
    """What converts the actions of a module, ours or one of RLlib's own."""
    return module.actions if isinstance(module, ColumnarModule) else action_converter(module.action_space)


def _to_env(actions: Array, space: gym.Space[Any]) -> Array:
    """Actions in the module's range -> in the environment's, as RLlib's runners do."""
    if isinstance(space, gym.spaces.Box):
        return np.stack([unsquash_action(action.reshape(space.shape), space) for action in actions])
    flat = len(space.shape or ()) <= 1
    return actions if flat and counted_from_zero(space) is space else action_converter(space).to_env(actions)


def _repeat(leaf: Any, lanes: int) -> Tensor:
    """State of one lane -> (B, ...)."""
    return torch.as_tensor(leaf)[None].repeat(lanes, *[1] * np.ndim(leaf))
