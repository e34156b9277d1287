"""Wrappers of single environments: what reaches lanes is arrays, whatever the environment gives.

`at_edge` puts them around an environment that needs them. An experiment names them, without a module, to
choose their arguments.
"""

from typing import Any

import gymnasium as gym

from engram.envs.wrappers.grids import EncodedGrid, is_grid
from engram.envs.wrappers.texts import TextTokens, has_texts

__all__ = ["EncodedGrid", "TextTokens", "at_edge"]


def at_edge(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """Put `EncodedGrid` around a level of minigrid, and `TextTokens` around what gives texts.

    Args:
        env: A single environment, in all of its other wrappers.
    """
    env = EncodedGrid(env) if is_grid(env) else env
    return TextTokens(env) if has_texts(env.observation_space) else env
