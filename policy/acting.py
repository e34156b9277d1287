"""Policy: a trained network that acts, and carries what it remembers from one observation to the next.

B lanes, A numbers that describe the action distribution.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from engram.agents.models import spaces
from engram.agents.models.actions import rescaled
from engram.agents.models.given import ACTION_MASK, OBSERVATION, PREVIOUS_ACTION, PREVIOUS_REWARD, Inputs
from engram.agents.models.nests import map_leaves
from engram.agents.models.network import Network
from engram.agents.models.recurrent_network import RecurrentNetwork
from engram.agents.models.spaces import AnySpace
from engram.policy.card import Card

Array = NDArray[Any]


class Policy:
    """Acts on one observation at a time or, after `reset(lanes=B)`, in B lanes at once.

    Example:
        policy = engram.load_policy("policy.safetensors")
        policy.reset()  # where an episode begins
        action = policy.act(observation)

    Args:
        network: From `engram.policy.files`, in evaluation mode.
        card: What is known about it.

    Attributes:
        network: The network.
        card: What is known about it.
        logits: The A numbers of the last `act`, (A,) or (B, A); None before it.
        value: What the network expected there of the rest of the episode, () or (B,); None before it.
    """

    logits: Array | None
    value: Array | None
    _last_actions: Array | None

    def __init__(self, network: Network, card: Card) -> None:
        self.network, self.card = network, card
        self._generator = torch.Generator()
        self._generator.seed()
        self._inputs = network.inputs if isinstance(network, RecurrentNetwork) else None
        self._seen = network.observation_space if self._inputs is None else self._inputs.space
        self.reset()

    def reset(self, lanes: int | None = None, seed: int | None = None) -> None:
        """Forgets everything: the next observation is the first of an episode, in every lane.

        Args:
            lanes: B; None: one observation at a time, without a lane axis.
            seed: Of actions that are drawn; None: they go on as they are.

        Raises:
            ValueError: There is no lane.
        """
        if lanes is not None and (isinstance(lanes, bool) or not isinstance(lanes, int) or lanes < 1):
            raise ValueError(f"lanes: expected none or an integer >= 1, got {lanes!r}")
        if seed is not None:
            self._generator.manual_seed(seed)
        self._lanes, self._single = lanes or 1, lanes is None
        self._state = self.network.initial_state(self._lanes)
        self._begun, self._last_actions = np.ones(self._lanes, bool), None
        self.logits, self.value = None, None

    @torch.inference_mode()
    def act(
        self,
        observation: Any,
        resets: ArrayLike | None = None,
        *,
        reward: ArrayLike | None = None,
        action_mask: Any = None,
        explore: bool | None = None,
    ) -> Array:
        """Chooses actions for one step.

        Args:
            observation: As the environment gives it; with lanes, arrays (B, ...), in mappings and tuples
                where the space is a `Dict` or `Tuple`. A text may stand for its row of tokens.
            resets: Whether an episode begins with this observation, (B,); None: only after `reset`.
            reward: Of the step before, (B,), where the card says `previous_reward`.
            action_mask: What is legal as info tells it, (B, A), where the card's `action_mask` is `info`;
                None: everything.
            explore: Whether actions are drawn; else the likeliest is taken. None: as the card says.

        Returns:
            An action as the environment takes it; with lanes, (B, ...).

        Raises:
            ValueError: What is given is not as the card has it, or the network's numbers are not finite.
        """
        begun = self._begun if resets is None else self._begun | self._lane_array(resets, "resets", bool)
        seen = self._read(self._seen, observation, "observation")
        given = seen if self._inputs is None else self._given(self._inputs, seen, begun, reward, action_mask)
        columns = map_leaves(lambda leaf: torch.from_numpy(leaf)[None], given)
        outputs = self.network.forward_columns(columns, self._state, torch.from_numpy(begun)[None])
        inputs = outputs.action_dist_inputs[0]
        if not bool(inputs.isfinite().all()):
            raise ValueError("act: the network's numbers are not finite; its weights may be broken")
        actions = self.network.actions
        explore = self.card.explore if explore is None else explore
        drawn = actions.draw(inputs, self._generator) if explore else actions.likeliest(inputs)
        draws = drawn.numpy()
        chosen = rescaled(draws, actions.space) if self.card.rescaled else actions.to_env(draws)
        self._state, self._last_actions, self._begun = outputs.state, chosen, np.zeros_like(begun)
        self.logits, self.value = (self._out(each.numpy()) for each in (inputs, outputs.values[0]))
        return self._out(chosen)

    def _out(self, values: Array) -> Array:
        one: Array = values[0] if self._single else values
        return one

    def _lane_array(self, values: ArrayLike, name: str, dtype: Any) -> Array:
        """One value for each lane, (B,)."""
        array = np.asarray(values, dtype)
        if array.shape != (() if self._single else (self._lanes,)):
            raise ValueError(f"{name}: expected {self._expected(())}, got {array.shape}")
        return array.reshape(self._lanes)

    def _expected(self, shape: tuple[int, ...]) -> str:
        lanes = "" if self._single else f", {self._lanes} lanes first"
        return f"shape {shape if self._single else (self._lanes, *shape)}{lanes}"

    def _read(self, space: AnySpace, observation: Any, name: str) -> Any:
        """Arrays (B, ...) of what is seen, in the dtypes of the space."""
        if isinstance(space, spaces.Dict):
            there = observation if isinstance(observation, Mapping) else {}
            if lacking := [key for key in space.spaces if key not in there]:
                raise ValueError(f"{name}: lacks {', '.join(lacking)}")
            return {key: self._read(part, observation[key], f"{name}.{key}") for key, part in space.items()}
        if isinstance(space, spaces.Tuple):
            if not isinstance(observation, tuple | list) or len(observation) != len(space.spaces):
                raise ValueError(f"{name}: expected {len(space.spaces)} parts")
            parts = zip(space.spaces, observation, strict=True)
            return tuple(self._read(part, one, f"{name}.{place}") for place, (part, one) in enumerate(parts))
        if isinstance(space, spaces.Tokens):
            observation = _encoded(space, observation)
        return self._array(observation, space.dtype, tuple(space.shape), name)

    def _array(self, values: Any, dtype: Any, shape: tuple[int, ...], name: str) -> Array:
        try:
            array = np.array(values, dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{name}: expected numbers, {np.dtype(dtype).name}: {error}") from None
        array = array[None] if self._single else array
        if array.shape != (self._lanes, *shape):
            found = array.shape[1:] if self._single else array.shape
            raise ValueError(f"{name}: expected {self._expected(shape)}, got {found}")
        return array

    def _given(
        self, inputs: Inputs, seen: Any, begun: NDArray[np.bool_], reward: ArrayLike | None, action_mask: Any
    ) -> Any:
        """All that the network is given, as lanes of training have it."""
        if not inputs.several:
            return seen
        given = {OBSERVATION: seen}
        if inputs.told_mask:
            given[ACTION_MASK] = self._mask(inputs.actions.size, action_mask)
        if inputs.action:
            given[PREVIOUS_ACTION] = np.zeros((self._lanes, inputs.actions.feature_size), np.float32)
            if self._last_actions is not None:
                given[PREVIOUS_ACTION][:] = inputs.actions.features(self._last_actions)
                given[PREVIOUS_ACTION][begun] = 0
        if inputs.reward:
            given[PREVIOUS_REWARD] = self._reward(begun, reward)
        return given

    def _mask(self, size: int, action_mask: Any) -> Array:
        """Which actions are legal, (B, A); that of one lane may be a tuple with a mask for each choice."""
        if action_mask is None:
            return np.ones((self._lanes, size), np.int8)
        if isinstance(action_mask, tuple):
            action_mask = np.concatenate([np.asarray(each) for each in action_mask], -1)
        return self._array(np.asarray(action_mask) != 0, np.int8, (size,), "action_mask")

    def _reward(self, begun: NDArray[np.bool_], reward: ArrayLike | None) -> Array:
        """The reward before, (B, 1), 0 where an episode begins."""
        if reward is None and not begun.all():
            raise ValueError("reward: missing; this policy is given the reward of the step before")
        rewards = np.zeros(self._lanes) if reward is None else self._lane_array(reward, "reward", np.float64)
        return np.where(begun, 0.0, rewards).astype(np.float32)[:, None]


def _encoded(space: spaces.Tokens, texts: Any) -> Any:
    """Rows of tokens in place of a text, or of several."""
    if isinstance(texts, str):
        return space.encode(texts)
    if isinstance(texts, tuple | list) and texts and all(isinstance(text, str) for text in texts):
        return np.stack([space.encode(text) for text in texts])
    return texts
