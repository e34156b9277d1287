"""A trained module as something that acts: it carries the recurrent state and resets it at episode starts.

Shapes: B lanes.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


class Policy:
    """Acts in B lanes at once through RLlib's own module interface, so that any module can be played.

    Args:
        module: An RLModule.
        lanes: B.
        greedy: The likeliest action; else drawn.
    """

    def __init__(self, module: Any, lanes: int, greedy: bool) -> None:
        self.module = module.eval()
        self.greedy = greedy
        self.stateful = bool(module.is_stateful())
        self._distribution = module.get_inference_action_dist_cls()
        self._initial = _tensors(module.get_initial_state(), lanes) if self.stateful else {}
        self._state = _map(torch.clone, self._initial)

    def act(self, observations: Any, resets: Array) -> Array:
        """Actions for one step.

        Args:
            observations: (B, ...) arrays, or a mapping of them.
            resets: (B,) bool, true where the observation is the first of an episode.

        Returns:
            (B, ...) actions in the module's own range.
        """
        from ray.rllib.core.columns import Columns

        batch: dict[str, Any] = {Columns.OBS: _map(torch.as_tensor, observations)}
        if self.stateful:
            self._reset(torch.as_tensor(resets))
            batch = {
                Columns.OBS: _map(lambda leaf: leaf[:, None], batch[Columns.OBS]),
                Columns.STATE_IN: self._state,
            }
        with torch.inference_mode():
            outputs = self.module.forward_inference(batch)
            actions = self._actions(outputs)
        if self.stateful:
            self._state = outputs[Columns.STATE_OUT]
            actions = actions[:, 0]
        return np.asarray(actions)

    def _actions(self, outputs: dict[str, Any]) -> Any:
        from ray.rllib.core.columns import Columns

        if Columns.ACTION_DIST_INPUTS not in outputs:  # value-based modules name the action itself
            return outputs[Columns.ACTIONS].numpy()
        distribution = self._distribution.from_logits(outputs[Columns.ACTION_DIST_INPUTS])
        if self.greedy:
            distribution = distribution.to_deterministic()
        return distribution.sample().numpy()

    def _reset(self, resets: Tensor) -> None:
        def start(now: Tensor, first: Tensor) -> Tensor:
            return torch.where(resets.reshape(-1, *[1] * (now.dim() - 1)), first, now)

        self._state = _map(start, self._state, self._initial)


def to_env(actions: Array, space: Any) -> Array:
    """Actions in the module's range (-1 to 1 for Box) -> in the environment's, as RLlib's env runners do.

    Args:
        actions: (B, ...).
        space: The action space of one lane.
    """
    from gymnasium.spaces import Box
    from ray.rllib.utils.spaces.space_utils import unsquash_action

    if not isinstance(space, Box):
        return actions
    return np.stack([unsquash_action(action, space) for action in actions])


def _map(function: Any, tree: Any, *others: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _map(function, leaf, *(other[key] for other in others)) for key, leaf in tree.items()}
    return function(tree, *others)


def _tensors(state: Any, lanes: int) -> Any:
    """Initial state of one lane -> (B, ...)."""
    return _map(lambda leaf: torch.as_tensor(leaf)[None].repeat(lanes, *[1] * np.ndim(leaf)), state)
