"""What a model is given beside an observation: which actions are legal, what was done last, what it earned.

The environment's lanes hand it over as parts of what is seen (`engram.agents.columns.inputs`), so that it
travels as observations do: to the learner, to evaluations, and in the last observation of an episode.

T time, B lanes, A numbers that describe the action distribution, F features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engram.agents.models import spaces
from engram.agents.models.actions import ActionConverter
from engram.agents.models.spaces import AnySpace, named, without
from engram.memory.options import unknown_message

OBSERVATION = "observation"
ACTION_MASK = "action_mask"
PREVIOUS_ACTION = "previous_action"
PREVIOUS_REWARD = "previous_reward"

MASK_SOURCES = ("auto", "info", "none")
"""What `action_mask` may be, beside the name of a part of the observation."""


@dataclass(frozen=True)
class Inputs:
    """What a model is given of one lane.

    Attributes:
        space: The environment's observations.
        actions: Converts actions.
        mask_key: The part of the observation that says which actions are legal; None: there is none.
        told_mask: Whether the environment's info says so.
        action: Whether the previous action is an input.
        reward: Whether the previous reward is one.
    """

    space: AnySpace
    actions: ActionConverter
    mask_key: str | None
    told_mask: bool
    action: bool
    reward: bool

    @property
    def masked(self) -> bool:
        """Whether only some actions are legal."""
        return self.told_mask or self.mask_key is not None

    @property
    def several(self) -> bool:
        """Whether a model is given more than an observation."""
        return self.told_mask or self.action or self.reward

    @property
    def encoded(self) -> AnySpace:
        """The space of what an encoder sees: the observation, without a part that says what is legal."""
        return self.space if self.mask_key is None else without(self.space, self.mask_key)

    @property
    def features(self) -> int:
        """Features beside those of the encoder."""
        return (self.actions.feature_size if self.action else 0) + (1 if self.reward else 0)

    def observation(self, given: Any) -> Any:
        """Returns the observation among what is given."""
        return given[OBSERVATION] if self.several else given

    def seen(self, given: Any) -> Any:
        """Returns what an encoder sees of it."""
        observation = self.observation(given)
        if self.mask_key is None:
            return observation
        return {key: part for key, part in observation.items() if key != self.mask_key}

    def beside(self, given: Any) -> list[Any]:
        """Returns what is put beside the encoder's features, each (T, B, F)."""
        wanted = zip(_BESIDE, (self.action, self.reward), strict=True)
        return [given[key] for key, asked in wanted if asked]

    def legal(self, given: Any) -> Any:
        """Returns which actions are legal, (..., A), not 0 where one is; None where all are."""
        if self.told_mask:
            return given[ACTION_MASK]
        if self.mask_key is None:
            return None
        mask, axes = self.observation(given)[self.mask_key], self._mask_axes()
        return mask.reshape(*mask.shape[: mask.ndim - axes], -1)

    def _mask_axes(self) -> int:
        return len(self.space[self.mask_key].shape or ())


_BESIDE = (PREVIOUS_ACTION, PREVIOUS_REWARD)


def find_inputs(
    model: Mapping[str, Any], space: AnySpace, actions: ActionConverter, told_mask: bool = False
) -> Inputs:
    """Finds out what a model is given.

    Args:
        model: The `model:` section; see `ModelConfig`.
        space: The environment's observations.
        actions: Converts actions.
        told_mask: Whether the environment's info says which actions are legal.

    Raises:
        ValueError: There is no such mask, or it does not fit the actions.
    """
    key, told = _mask_source(str(model.get("action_mask", "auto")), space, actions, told_mask)
    previous = (bool(model.get(PREVIOUS_ACTION)), bool(model.get(PREVIOUS_REWARD)))
    return Inputs(space, actions, key, told, *previous)


def _mask_source(
    source: str, space: AnySpace, actions: ActionConverter, told: bool
) -> tuple[str | None, bool]:
    """The part of the observation that is a mask, if any, and whether one is told."""
    parts: Mapping[str, Any] = space.spaces if isinstance(space, spaces.Dict) else {}
    wanted = source not in ("auto", "none")
    if wanted and source != "info" and source not in parts:
        raise ValueError(unknown_message("action_mask", source, [*MASK_SOURCES, *parts]))
    if source == "none" or (not wanted and not actions.choices):
        return None, False
    if not actions.choices:
        raise ValueError(
            f"action_mask: {source!r} is for the action spaces Discrete and MultiDiscrete, got "
            f"{named(actions.space)}"
        )
    key = source if wanted and source != "info" else ACTION_MASK
    if source == "info" or key not in parts:
        return None, source == "info" or told
    size = int(np.prod(parts[key].shape or (0,)))
    if size != actions.size:
        raise ValueError(
            f"action_mask: {key!r} of the observation has {size} numbers, one for each of {actions.size} "
            f"choices of {named(actions.space)} is expected; action_mask: none takes it for something seen"
        )
    return key, False


def masked(inputs: Tensor, legal: Tensor | None) -> Tensor:
    """Takes all probability from actions that are not legal.

    Args:
        inputs: Logits (..., A).
        legal: Not 0 where an action is legal, (..., A); None: all are.
    """
    if legal is None:
        return inputs
    # Half of the least number, as what is far from 0 must stay finite when it is normalised.
    return torch.where(legal != 0, inputs, torch.finfo(inputs.dtype).min / 2)
