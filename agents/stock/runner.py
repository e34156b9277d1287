"""StockEnvRunner: RLlib's own runner, with lanes that are guarded and actions that start at any number."""

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers.vector import DictInfoToList
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

from engram.agents.columns.failures import TellsFailure
from engram.agents.columns.finite import GuardedVectorEnv
from engram.agents.columns.inputs import add_inputs
from engram.agents.columns.lanes import make_lanes
from engram.agents.columns.wrappers import split_settings, wrap_lanes
from engram.agents.models.actions import ActionConverter, action_converter
from engram.agents.stock.draws import space_of_draws


class CountsFromZero(VectorWrapper):  # type: ignore[type-arg]
    """B lanes whose actions are counted from 0 and flat, as RLlib draws them.

    The environment gets the shape and dtype of its space, too, which RLlib does not keep.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], actions: ActionConverter) -> None:
        super().__init__(env)
        self._actions = actions
        self.single_action_space = space_of_draws(actions)
        self.action_space = batch_space(self.single_action_space, env.num_envs)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Steps every lane; actions (B, ...)."""
        return self.env.step(self._actions.to_env(np.asarray(actions)))


class StockEnvRunner(TellsFailure, SingleAgentEnvRunner):  # type: ignore[misc]
    """RLlib's runner; modules are built for the environment's own spaces and draw from 0.

    What lanes see and earn is guarded, as by our own runner, where the callbacks ask for it.
    """

    env: VectorEnv[Any, Any, Any]
    _told = 0
    _since = 0

    def make_env(self) -> None:
        """Builds the lanes, counted from 0 and guarded."""
        super().make_env()
        _, wrappings = split_settings(self.config.env_config)
        if any(wrapping.batched for wrapping in wrappings):  # RLlib's own list of infos comes last
            inner: Any = self.env
            self.env = DictInfoToList(wrap_lanes(inner.env, wrappings))
        self._own_actions = self.env.single_action_space
        space: Any = self.env.single_action_space
        if "core" in self.config.model_config:
            one = partial(make_lanes, self.config, worker_index=self.worker_index or 0, lanes=1)
            self.env = add_inputs(self.env, self.config.model_config, one, str(self.config.env))
        counted = isinstance(space, spaces.Discrete | spaces.MultiDiscrete)
        if counted or (isinstance(space, spaces.Box | spaces.MultiBinary) and len(space.shape) != 1):
            self.env = CountsFromZero(self.env, action_converter(space))
        if getattr(self.config.callbacks_class, "guards", False):  # who takes what a guard has found
            self.env = GuardedVectorEnv(self.env, self.worker_index or 0)

    def sample(self, **settings: Any) -> Any:
        """RLlib's sampling, with a guard that counts from the env steps before it.

        The runner is told of all env steps at times only, and counts those since by itself.
        """
        if not isinstance(self.env, GuardedVectorEnv):
            return super().sample(**settings)
        told = int(self.num_env_steps_sampled_lifetime)
        if told != self._told:
            self._told, self._since = told, 0
        self.env.guard.begin(told + self._since)
        samples = super().sample(**settings)
        self._since += self.env.guard.counted
        return samples

    def counted_steps(self) -> int:
        """Env steps of all lanes so far, those of the fragment that is being sampled included."""
        told = int(self.num_env_steps_sampled_lifetime)
        return told + self._since + self.env.guard.counted if isinstance(self.env, GuardedVectorEnv) else told

    def get_spaces(self) -> dict[str, tuple[gym.Space[Any], gym.Space[Any]]]:
        """The spaces of all lanes, of one lane, and of the module."""
        counted: dict[str, tuple[gym.Space[Any], gym.Space[Any]]] = super().get_spaces()
        if self.env is None:
            return counted
        return {
            name: (seen, self._own_actions if done == self.env.single_action_space else done)
            for name, (seen, done) in counted.items()
        }
