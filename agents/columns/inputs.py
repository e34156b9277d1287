"""InputLanes: lanes that tell a model more than their observations, see `engram.agents.models.given`.

B lanes, A numbers that describe the action distribution.
"""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from engram.agents.columns.finite import zeroed
from engram.agents.columns.fragment import Nest, lane_of
from engram.agents.models.actions import model_actions
from engram.agents.models.choice import thinks
from engram.agents.models.given import (
    ACTION_MASK,
    OBSERVATION,
    PREVIOUS_ACTION,
    PREVIOUS_REWARD,
    Inputs,
)
from engram.agents.models.inputs import given_space, model_inputs

_MODE = "autoreset_mode"

TELLS = "tells"
"""Key of an environment's metadata: the keys of its info, where it takes long to find them out by a reset."""


class NoLegalActionError(ValueError):
    """A lane whose episode goes on, or begins, leaves nothing to do."""


class InputLanes(VectorWrapper):
    """B lanes whose observations hold what a model is given beside them.

    At an episode's first step, the previous action and reward are zeros. Where nothing is told of what is
    legal, everything is.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], inputs: Inputs, name: str) -> None:
        """Wraps.

        Args:
            env: B lanes.
            inputs: What a model is given.
            name: The environment's, for errors.
        """
        super().__init__(env)
        self._inputs, self._actions, self._name = inputs, inputs.actions, name
        self._steps = np.zeros(env.num_envs, np.int64)
        self._same_step = _autoreset_mode(env) is AutoresetMode.SAME_STEP
        self._ended = np.zeros(env.num_envs, np.bool_)
        self._first_choices = np.cumsum([0, *self._actions.choices])[:-1]
        self.single_observation_space = given_space(inputs)
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)

    def reset(self, **settings: Any) -> Any:
        """See Gymnasium's `VectorEnv`."""
        observations: Any
        observations, infos = self.env.reset(**settings)
        self._ended[:] = False
        begun = np.ones(self.num_envs, np.bool_)
        return self._given(observations, infos, None, np.zeros(self.num_envs), begun), infos

    def step(self, actions: Any) -> Any:
        """See Gymnasium's `VectorEnv`."""
        results: tuple[Any, ...] = self.env.step(actions)
        observations, rewards, terminateds, truncateds, infos = results
        ended = np.logical_or(terminateds, truncateds)
        begun = ended if self._same_step else self._ended
        self._ended = ended
        if self._same_step and ended.any() and "final_obs" in infos:
            infos = {**infos, "final_obs": self._final(infos["final_obs"], ended, actions, rewards)}
        given = self._given(observations, infos, actions, rewards, begun)
        return given, rewards, terminateds, truncateds, infos

    def _given(
        self, observations: Nest, infos: Any, actions: Any, rewards: NDArray[Any], begun: NDArray[np.bool_]
    ) -> Nest:
        """All that a model is given, (B, ...); `begun` are lanes whose episode begins."""
        self._steps = np.where(begun, 0, self._steps + 1)
        beside = self._beside(actions, rewards)
        for values in beside.values():
            values[begun] = 0
        if self._inputs.told_mask:
            beside[ACTION_MASK] = self._told(infos).astype(np.int8)
        given = {OBSERVATION: observations, **beside} if beside else observations
        if self._inputs.masked:
            self._check_legal(self._inputs.legal(given) != 0)
        return given

    def _beside(self, actions: Any, rewards: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """What was done and what it earned, in every lane."""
        beside = {}
        if self._inputs.action:
            space: Any = self.single_observation_space
            none = np.zeros((self.num_envs, *space[PREVIOUS_ACTION].shape), np.float32)
            beside[PREVIOUS_ACTION] = none if actions is None else self._actions.features(np.asarray(actions))
        if self._inputs.reward:
            beside[PREVIOUS_REWARD] = zeroed(np.asarray(rewards, np.float64)[:, None]).astype(np.float32)
        return beside

    def _final(
        self, finals: Any, ended: NDArray[np.bool_], actions: Any, rewards: NDArray[Any]
    ) -> NDArray[Any]:
        """What a model is given at the end of an episode, in each lane where one has ended."""
        beside = self._beside(actions, rewards)
        if self._inputs.told_mask:
            beside[ACTION_MASK] = np.ones((self.num_envs, self._actions.size), np.int8)
        given = np.full(self.num_envs, None, dtype=object)
        for lane in np.flatnonzero(ended).tolist():
            final = lane_of(finals, lane)
            values = {key: column[lane] for key, column in beside.items()}
            given[lane] = {OBSERVATION: final, **values} if beside else final
        return given

    def _told(self, infos: Any) -> NDArray[np.bool_]:
        """Which actions are legal, (B, A)."""
        legal = np.ones((self.num_envs, self._actions.size), np.bool_)
        for lane in range(self.num_envs):
            info = infos[lane] if isinstance(infos, list) else _lane_info(infos, lane)
            if ACTION_MASK in info:
                legal[lane] = self._flat_mask(info[ACTION_MASK])
        return legal

    def _flat_mask(self, mask: Any) -> NDArray[np.bool_]:
        """One lane's mask, (A,); that of a `MultiDiscrete` may be a tuple with one for each choice."""
        parts = mask if isinstance(mask, tuple | list) else (mask,)
        flat = np.concatenate([np.ravel(part) for part in parts])
        if flat.shape != (self._actions.size,):
            raise ValueError(
                f"action_mask: info['action_mask'] has {flat.size} numbers, expected {self._actions.size}, "
                f"one for each choice of {self._actions.space}; model.action_mask: none ignores it"
            )
        if flat.dtype.kind == "f" and np.isnan(flat).any():
            raise ValueError(f"action_mask: info['action_mask'] is nan at {int(np.isnan(flat).argmax())}")
        legal: NDArray[np.bool_] = flat != 0
        return legal

    def _check_legal(self, legal: NDArray[np.bool_]) -> None:
        """Raises NoLegalActionError where a lane whose episode goes on, or begins, leaves nothing to do."""
        possible = np.logical_or.reduceat(legal, self._first_choices, axis=1).all(1)
        stuck = ~possible if self._same_step else ~possible & ~self._ended
        if stuck.any():
            lane = int(np.argmax(stuck))
            raise NoLegalActionError(
                f"action_mask: {self._name} leaves no action legal {self._steps[lane]} steps into an episode "
                f"(lane {lane}); of each choice, one number at least is not to be 0"
            )


def _lane_info(infos: Mapping[str, Any], lane: int) -> dict[str, Any]:
    """The mask in one lane's info, if there is one."""
    if ACTION_MASK not in infos or not infos.get(f"_{ACTION_MASK}", np.ones(lane + 1, bool))[lane]:
        return {}
    return {ACTION_MASK: lane_of(infos[ACTION_MASK], lane)}


def add_inputs(
    lanes: VectorEnv[Any, Any, Any],
    model: Mapping[str, Any],
    make_one: Callable[[], VectorEnv[Any, Any, Any]],
    name: str,
) -> VectorEnv[Any, Any, Any]:
    """Lets lanes tell what a model is given beside observations; where it is nothing, they stay the same.

    Args:
        lanes: B lanes.
        model: The `model:` section.
        make_one: Makes one more lane, which is asked whether it tells of legal actions.
        name: The environment's, for errors.

    Raises:
        ValueError: See `model_inputs`.
    """
    if thinks(model):
        return lanes
    actions = model_actions(lanes.single_action_space, model)
    inputs = model_inputs(model, lanes.single_observation_space, actions)
    undecided = model.get("action_mask", "auto") == "auto" and not inputs.masked
    if undecided and actions.choices and _tells(lanes, make_one):
        inputs = model_inputs(model, lanes.single_observation_space, actions, told_mask=True)
    return with_inputs(lanes, inputs, name)


def with_inputs(lanes: VectorEnv[Any, Any, Any], inputs: Inputs, name: str) -> VectorEnv[Any, Any, Any]:
    """Lets lanes tell what a model is given beside observations."""
    return InputLanes(lanes, inputs, name) if inputs.masked or inputs.several else lanes


def refitted(lanes: VectorEnv[Any, Any, Any], inputs: Inputs, name: str) -> VectorEnv[Any, Any, Any]:
    """Lets other lanes than those of training tell what a model was given there.

    Lanes with other spaces stay as they are.
    """
    fits = (
        lanes.single_observation_space == inputs.space and lanes.single_action_space == inputs.actions.space
    )
    return with_inputs(lanes, inputs, name) if fits else lanes


def _tells(lanes: VectorEnv[Any, Any, Any], make_one: Callable[[], VectorEnv[Any, Any, Any]]) -> bool:
    if TELLS in lanes.metadata:
        return ACTION_MASK in lanes.metadata[TELLS]
    mode, one = lanes.metadata.get(_MODE), make_one()
    try:
        return tells_mask(one)
    finally:
        one.close()
        if mode is not None:  # Gymnasium's copies of an environment all write it to one dict
            lanes.metadata[_MODE] = mode


def _autoreset_mode(env: VectorEnv[Any, Any, Any]) -> Any:
    """How lanes reset; the metadata of Gymnasium's copies may be those of other copies."""
    return getattr(env.unwrapped, _MODE, env.metadata.get(_MODE))


def may_be_masked(space: gym.Space[Any]) -> bool:
    """Returns whether actions of a space may be legal or not, one by one."""
    return isinstance(space, gym.spaces.Discrete | gym.spaces.MultiDiscrete)


def tells_mask(env: Any) -> bool:
    """Resets an environment, single or batched, and says whether its info tells which actions are legal."""
    if TELLS in env.metadata:
        return ACTION_MASK in env.metadata[TELLS]
    return ACTION_MASK in env.reset()[1]
