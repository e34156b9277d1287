"""The space of all that a model is given, see `engram.agents.models.given`, as Gymnasium has spaces."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from engram.agents.models.actions import ActionConverter
from engram.agents.models.given import (
    ACTION_MASK,
    OBSERVATION,
    PREVIOUS_ACTION,
    PREVIOUS_REWARD,
    Inputs,
    find_inputs,
)


class ModelInputs(spaces.Dict):
    """An observation, as `observation`, and what a model is given beside it."""


def given_space(inputs: Inputs) -> gym.Space[Any]:
    """Returns the space of all that a model is given: the environment's own where that is all."""
    beside: dict[str, gym.Space[Any]] = {}
    if inputs.told_mask:
        beside[ACTION_MASK] = spaces.MultiBinary(inputs.actions.size)
    if inputs.action:
        beside[PREVIOUS_ACTION] = spaces.Box(-np.inf, np.inf, (inputs.actions.feature_size,))
    if inputs.reward:
        beside[PREVIOUS_REWARD] = spaces.Box(-np.inf, np.inf, (1,))
    own: gym.Space[Any] = inputs.space
    return ModelInputs({OBSERVATION: own, **beside}) if beside else own


def model_inputs(
    model: Mapping[str, Any], space: gym.Space[Any], actions: ActionConverter, told_mask: bool = False
) -> Inputs:
    """Finds out what a model is given; as `find_inputs`, but a `ModelInputs` decides about `told_mask`."""
    if isinstance(space, ModelInputs):
        told_mask, space = ACTION_MASK in space.spaces, space[OBSERVATION]
    return find_inputs(model, space, actions, told_mask)
