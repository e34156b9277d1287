"""How a trained network acts in the IBL task, and how its state moves on.

B lanes, N states, H numbers of a state.
"""

import copy
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import tree
from gymnasium.vector import VectorEnv
from torch import Tensor

from engram.agents.models.recurrent_network import RecurrentNetwork
from engram.envs.arrays import Array, Flags, Floats, Ints
from engram.envs.ibl.rules import ACTIONS, LEFT, RIGHT, WAIT
from engram.envs.ibl.threshold import THRESHOLD, BatchedThresholdAction, act_above
from engram.memory.classic.rnn import RNN
from engram.train.console.errors import ExperimentError
from engram.train.evaluation import TrainedAgent

DISCRETE: gym.Space[Any] = gym.spaces.Discrete(len(ACTIONS))
"""One form of actions: left, right, wait."""

PROBABILITIES = (2,)
"""Shape of the other: the probabilities of left and right, of which one above a threshold acts."""

NO_STATE = "the network has no state"


class ActingNetwork:
    """A network that plays B lanes; see `engram.envs.ibl.analyses.recording.Network`.

    Args:
        agent: the trained network.
        envs: B lanes of the IBL task, as it plays it.

    Raises:
        ExperimentError: It acts in neither of the forms that the task has.
    """

    def __init__(self, agent: TrainedAgent, envs: VectorEnv[Any, Any, Any]) -> None:
        space, self._lanes = envs.single_action_space, envs.num_envs
        self._decides = space == DISCRETE
        if not self._decides and space.shape != PROBABILITIES:
            raise ExperimentError(
                f"{agent.checkpoint}: acts by {space}; legal: {DISCRETE}, or two probabilities"
            )
        self._threshold = THRESHOLD if self._decides else _threshold(envs)
        self._policy = agent.make_policy(self._lanes)
        even = np.full((self._lanes, *PROBABILITIES), 0.5)
        self._actions: Array = np.full(self._lanes, WAIT) if self._decides else even

    def act(self, observations: Any, resets: Flags, infos: Mapping[str, Any]) -> Array:
        """Choose an action per lane, in the form of its environment."""
        self._actions = self._policy.act(observations, resets, infos)
        return self._actions

    @property
    def hidden(self) -> Array:
        """Its state after the last observation, float32 (B, H); H may be 0."""
        leaves = [leaf for leaf in tree.flatten(self._policy.state) if leaf.is_floating_point()]
        return flat(leaves).numpy() if leaves else np.zeros((self._lanes, 0), np.float32)

    @property
    def log_odds(self) -> Floats:
        """Of the right side against the left, (B,)."""
        if not self._decides:
            with np.errstate(divide="ignore"):
                left, right = np.log(self._actions.T.astype(np.float64))
            return np.asarray(right - left)
        left, right = (self._policy.log_likelihood(np.full(self._lanes, side)) for side in (LEFT, RIGHT))
        if left is None or right is None:  # it names actions alone
            return np.where(self._actions == RIGHT, 1.0, np.where(self._actions == LEFT, -1.0, 0.0))
        return np.asarray(right - left, np.float64)

    @property
    def choices(self) -> Ints:
        """Left, right or wait, (B,)."""
        if self._decides:
            return self._actions
        left, right = self._actions.T
        return act_above(right, self._threshold, left)


def _threshold(envs: Any) -> float:
    """Return above which probability a side is chosen, from the wrapper that chooses it."""
    while not isinstance(envs, BatchedThresholdAction):
        envs = envs.env
    return float(envs.threshold)


def flat(leaves: list[Tensor]) -> Tensor:
    """Return the parts of a state, each (B, ...), side by side, (B, H)."""
    return torch.cat([leaf.reshape(len(leaf), -1) for leaf in leaves], dim=1)


class Dynamics:
    """How the state of a network moves on, by itself: in float64, and differentiable.

    Args:
        agent: the trained network.

    Raises:
        ValueError: its state cannot be moved on by a state and an observation alone.
    """

    def __init__(self, agent: TrainedAgent) -> None:
        module = agent.module
        if not isinstance(module, RecurrentNetwork):
            raise ValueError(f"{type(module).__name__} has no state that can be set; one with a core has")
        if module.inputs.several or module.observation_space.shape != (3,):
            raise ValueError("the network is given more than observations")
        self._module = copy.deepcopy(module).double().eval()
        for encoder in (self._module.encoder, self._module.memory_encoder):
            if encoder is not None:
                encoder.float()  # what observations are prepared for
        self._module.core.register_forward_pre_hook(lambda _, given: (given[0].double(), *given[1:]))
        first = self._module.initial_state(1)
        if not first:
            raise ValueError(NO_STATE)
        if not all(leaf.is_floating_point() for leaf in first.values()):
            raise ValueError(f"the state of core {module.core_type} is not made of real numbers alone")
        self._shapes = {name: leaf.shape[1:] for name, leaf in first.items()}

    @property
    def recurrent_weights(self) -> Floats | None:
        """Weights of a simple recurrent network, from columns to rows, (H, H); None of another core."""
        core = self._module.core
        return core.rnn.all_weights[0][1].detach().numpy() if isinstance(core, RNN) else None

    def step(self, states: Array, inputs: Array) -> Floats:
        """Return the states one step later, (N, H); inputs are (N, 3)."""
        with torch.no_grad():
            return np.asarray(self._next(torch.as_tensor(states, dtype=torch.float64), inputs))

    def jacobian(self, states: Array, inputs: Array) -> Floats:
        """Return how the next state changes with the state, row by column, (N, H, H)."""
        count, units = states.shape
        repeated = torch.as_tensor(states, dtype=torch.float64).repeat_interleave(units, 0).requires_grad_()
        after = self._next(repeated, np.repeat(inputs, units, axis=0)).view(count, units, units)
        (rows,) = torch.autograd.grad(after.diagonal(dim1=1, dim2=2).sum(), repeated)
        return np.asarray(rows.view(count, units, units))

    def _next(self, states: Tensor, inputs: Array) -> Tensor:
        sizes = [int(np.prod(shape)) for shape in self._shapes.values()]
        pieces = torch.split(states, sizes, dim=1)
        state = {
            name: piece.reshape(-1, *shape)
            for (name, shape), piece in zip(self._shapes.items(), pieces, strict=True)
        }
        observations = torch.tensor(inputs, dtype=torch.float64)[None]
        return flat([*self._module.forward_columns(observations, state).state.values()])
