"""The spaces of what a distribution draws: it counts from 0, whatever an environment's actions start at."""

from typing import Any

import numpy as np
from gymnasium import spaces

from engram.agents.models.actions import ActionConverter
from engram.agents.models.spaces import named


def space_of_draws(actions: ActionConverter) -> Any:
    """Returns the space of the draws of one lane: flat, counted from 0, a `Box` with its bounds."""
    if actions.kind == "bernoulli":
        return spaces.MultiBinary(actions.size)
    if actions.kind in ("categorical", "multi_categorical"):
        several = actions.kind == "multi_categorical"
        return spaces.MultiDiscrete(list(actions.choices)) if several else spaces.Discrete(actions.size)
    space: spaces.Box = actions.space
    if actions.kind == "tanh_gaussian":
        return spaces.Box(-1.0, 1.0, (actions.feature_size,))
    kind: Any = space.dtype
    return spaces.Box(np.ravel(space.low), np.ravel(space.high), (actions.feature_size,), kind)


def counted_from_zero(space: Any) -> Any:
    """Returns the space of a distribution's draws: that of the environment, without its `start`.

    Raises:
        ValueError: There is a `start` inside of a `Dict` or `Tuple`.
    """
    untyped: Any = space
    if isinstance(space, spaces.Discrete):
        return spaces.Discrete(untyped.n, dtype=untyped.dtype) if untyped.start else space
    if isinstance(space, spaces.MultiDiscrete):
        return spaces.MultiDiscrete(untyped.nvec, dtype=untyped.dtype) if untyped.start.any() else space
    parts: Any = ()
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
    if any(counted_from_zero(part) is not part for part in parts):
        raise ValueError(f"cannot act in {named(space)}: its parts must count from 0, without start")
    return space
