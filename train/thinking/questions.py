"""The puzzles that a network which thinks is asked.

B problems of a batch.
"""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engram.agents.models.actions import action_converter
from engram.agents.models.thinking import ThinkingModule
from engram.memory.thinking import THINKERS
from engram.train.console.errors import ExperimentError
from engram.train.environments.facts import make_batched

MAX_LANES = 100
"""Problems that are thought about at once, at most; a thought about a large one takes much memory."""


class Puzzles(NamedTuple):
    """A batch of B problems; targets as the network's answers are counted, from 0."""

    problems: Tensor
    targets: Tensor
    masks: Tensor


class Questions:
    """An environment of one-step puzzles, put to a network of their size: a context that closes it.

    Attributes:
        module: The network, ready to answer.
        env: The environment.
    """

    def __init__(self, module: Any, env_id: str, env_config: Mapping[str, Any], lanes: int) -> None:
        """Makes the environment, and the network take on its size.

        Args:
            module: A network that thinks.
            env_id: An environment of one-step puzzles.
            env_config: Its settings; the size may differ from that of training.
            lanes: Problems of a batch.

        Raises:
            ExperimentError: A module that does not think, settings that the environment refuses.
            ValueError: A network made for one size, or for another kind of puzzle.
        """
        if not isinstance(module, ThinkingModule):
            raise ExperimentError(
                f"{type(module).__name__} does not think in iterations; expected a model whose core does, "
                f"model.core.type: {', '.join(THINKERS)}"
            )
        self.env = make_batched(env_id, lanes, env_config)
        try:
            module.resize(self.env.single_observation_space, self.env.single_action_space)
        except ValueError:
            self.env.close()
            raise
        self.module = module.eval()

    def __enter__(self) -> "Questions":
        """The questions."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the environment."""
        self.env.close()

    def batches(self, problems: int, seed: int) -> Iterator[Puzzles]:
        """Batches of puzzles, in all as many as asked for.

        Args:
            problems: How many.
            seed: Of the environment.

        Raises:
            ExperimentError: The environment does not say what is right, or gives more than one try.
        """
        observations, infos = self.env.reset(seed=seed)
        if "target" not in infos or "mask" not in infos:
            raise ExperimentError(f"{self.env}: no puzzles of one step: its infos have no target and mask")
        actions = action_converter(self.env.single_action_space)
        while problems > 0:
            right = infos["target"]
            batch = (observations, actions.from_env(right), infos["mask"])
            yield Puzzles(*(torch.as_tensor(column[:problems]) for column in batch))
            problems -= len(right)
            if problems > 0:
                observations, _, ended, _, infos = self.env.step(right)
                if not ended.all():
                    raise ExperimentError(f"{self.env}: its episodes take more than one step")
