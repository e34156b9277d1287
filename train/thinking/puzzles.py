"""Puzzles of one step, batch by batch, for a network that thinks in iterations.

B problems of a batch.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from engram.agents.models.actions import action_converter
from engram.agents.models.thinking import ThinkingModule
from engram.memory.thinking import THINKERS
from engram.train.console.errors import ExperimentError
from engram.train.evaluation import TrainedAgent

MAX_LANES = 100
"""Problems that are thought about at once, at most; a thought about a large one takes much memory."""


class Puzzles(NamedTuple):
    """A batch of B problems; targets as the network's answers are counted, from 0."""

    problems: Tensor
    targets: Tensor
    masks: Tensor


def make_puzzles(agent: TrainedAgent, problems: int) -> VectorEnv[Any, Any, Any]:
    """Make an environment of one-step puzzles; the network takes on their size.

    Args:
        agent: The agent that is asked.
        problems: Problems of a batch; no more than `MAX_LANES` are made.

    Raises:
        ExperimentError: The network does not think in iterations, or the environment refuses its settings.
        ValueError: The network was made for one size, or for another kind of puzzle.
    """
    module = agent.module
    if not isinstance(module, ThinkingModule):
        raise ExperimentError(
            f"{type(module).__name__} does not think in iterations; expected a model whose core does, "
            f"model.core.type: {', '.join(THINKERS)}"
        )
    module.eval()
    return agent.make_envs(min(problems, MAX_LANES))


def batches(envs: VectorEnv[Any, Any, Any], problems: int, seed: int) -> Iterator[Puzzles]:
    """Yield batches of puzzles.

    Args:
        envs: From `make_puzzles`.
        problems: Problems in all.
        seed: Of the environment.

    Raises:
        ExperimentError: The environment does not say what is right, or gives more than one try.
    """
    observations, infos = envs.reset(seed=seed)
    if "target" not in infos or "mask" not in infos:
        raise ExperimentError(f"{envs}: no puzzles of one step: its infos have no target and mask")
    actions = action_converter(envs.single_action_space)
    while problems > 0:
        right = infos["target"]
        batch = (observations, actions.from_env(right), infos["mask"])
        yield Puzzles(*(torch.as_tensor(column[:problems]) for column in batch))
        problems -= len(right)
        if problems > 0:
            observations, _, ended, _, infos = envs.step(right)
            if not ended.all():
                raise ExperimentError(f"{envs}: its episodes take more than one step")


def even_lanes(problems: int) -> int:
    """Return the largest size of batches, up to `MAX_LANES`, that leaves no problem alone in the last one.

    Args:
        problems: At least 2 in all.
    """
    return next(lanes for lanes in range(min(problems, MAX_LANES), 1, -1) if problems % lanes != 1)
