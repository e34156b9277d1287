"""What plays, and the environment it plays in: a trained network, or a scripted player."""

import abc
import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from gymnasium.vector import VectorEnv
from typing_extensions import override

from engram.agents.columns.inputs import refitted
from engram.agents.models.recurrent import RecurrentModule
from engram.agents.models.thinking import ThinkingModule
from engram.train.console.errors import ExperimentError
from engram.train.console.screen import quiet
from engram.train.environments.facts import make_batched
from engram.train.evaluation.policy import Policy, make_policy
from engram.train.experiments.inheritance import merged
from engram.train.runs import checkpoints
from engram.train.runs.best import best_checkpoint


class Agent(abc.ABC):
    """What plays, and the environment it plays in.

    Attributes:
        env_id: The environment's id.
        env_config: The environment's settings.
    """

    env_id: str
    env_config: Mapping[str, Any]

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What it is, for messages: a folder, or a class."""

    @property
    @abc.abstractmethod
    def chooses(self) -> str:
        """How it chooses actions, in words."""

    def make_envs(self, lanes: int) -> VectorEnv[Any, Any, Any]:
        """Make B environments that step as one and restart in the step that ends an episode (SAME_STEP).

        Args:
            lanes: B.

        Raises:
            ExperimentError: The environment refuses its settings.
        """
        return self.tell(make_batched(self.env_id, lanes, self.env_config))

    def tell(self, envs: VectorEnv[Any, Any, Any]) -> VectorEnv[Any, Any, Any]:
        """Let environments tell what the agent is given beside observations.

        Args:
            envs: B environments that step as one.
        """
        return envs

    @abc.abstractmethod
    def make_policy(self, lanes: int) -> Policy:
        """Make what chooses actions, with a memory for each of B lanes.

        Args:
            lanes: B.
        """

    @abc.abstractmethod
    def record(self) -> dict[str, Any]:
        """Return what to record about it, ready for JSON."""


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedAgent(Agent):
    """A trained network and the environment it plays in.

    Attributes:
        checkpoint: The folder it was loaded from.
        module: The network, an RLModule.
        env_id: The environment's id.
        env_config: The environment's settings.
        greedy: Whether it takes the likeliest action; otherwise actions are drawn.
    """

    checkpoint: Path
    module: Any
    env_id: str
    env_config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    greedy: bool = True

    def with_settings(self, env_config: Mapping[str, Any]) -> "TrainedAgent":
        """Return the same agent, to play in an environment with other settings.

        Args:
            env_config: Merged over the present ones.
        """
        settings = {**self.env_config, **env_config}
        settings.pop("autoreset_mode", None)  # how stock runners reset; evaluation resets its own way
        return dataclasses.replace(self, env_config=settings)

    @property
    @override
    def name(self) -> str:
        return str(self.checkpoint)

    @property
    @override
    def chooses(self) -> str:
        return "the likeliest" if self.greedy else "drawn from the policy"

    @override
    def make_envs(self, lanes: int) -> VectorEnv[Any, Any, Any]:
        """Make B environments that step as one and restart in the step that ends an episode (SAME_STEP).

        A network that thinks in iterations takes on the size of the environment's puzzles.

        Args:
            lanes: B.

        Raises:
            ExperimentError: The environment refuses its settings, or the network was made for other spaces.
            ValueError: A network that thinks was made for one size, or for another kind of puzzle.
        """
        envs = super().make_envs(lanes)
        try:
            self._fit(envs.single_observation_space, envs.single_action_space)
        except ValueError:
            envs.close()
            raise
        return envs

    @override
    def tell(self, envs: VectorEnv[Any, Any, Any]) -> VectorEnv[Any, Any, Any]:
        if not isinstance(self.module, RecurrentModule):
            return envs
        return refitted(envs, self.module.inputs, self.env_id)

    def _fit(self, observations: Any, actions: Any) -> None:
        if isinstance(self.module, ThinkingModule):
            self.module.resize(observations, actions)
            return
        for kind, verb, made_for, found in (
            ("observations", "gives", self.module.observation_space, observations),
            ("actions", "takes", self.module.action_space, actions),
        ):
            if made_for != found:
                raise ExperimentError(
                    f"{self.checkpoint}: made for {kind} {made_for}, {self.env_id} {verb} {found}"
                )

    @override
    def make_policy(self, lanes: int) -> Policy:
        return make_policy(self.module, lanes, self.greedy)

    @override
    def record(self) -> dict[str, Any]:
        return {"checkpoint": str(self.checkpoint), "env": self.env_id, "env_config": dict(self.env_config)}

    def __str__(self) -> str:
        """Return checkpoint and environment, a line for each."""
        return f"checkpoint: {self.checkpoint}\nenvironment: {self.env_id} {json.dumps(self.env_config)}"


def load_agent(
    path: str | os.PathLike[str],
    env_config: Mapping[str, Any] | None = None,
    greedy: bool | None = None,
) -> TrainedAgent:
    """Load the best checkpoint of a run, and find the environment it was trained in.

    Starts no Ray process. PyTorch is set to one thread, as tensors this small gain nothing from more.

    Args:
        path: A checkpoint, or a trial's or an experiment's folder; `best_checkpoint` says which is taken.
        env_config: Settings merged over those of training and of the experiment's
            `evaluation_config.env_config`.
        greedy: Whether to take the likeliest action; None: as the experiment's `evaluation_config.explore`
            says, and the likeliest where it says nothing.

    Raises:
        ExperimentError: There is no checkpoint, or it cannot be loaded.
    """
    if not isinstance(env_config, Mapping | None):
        raise ExperimentError(f"env_config: expected a mapping, got {env_config!r}")
    quiet()
    torch.set_num_threads(1)
    checkpoint = best_checkpoint(str(path))
    source = checkpoints.source(checkpoint)
    agent = TrainedAgent(
        checkpoint,
        checkpoints.load_module(checkpoint),
        source.env,
        merged(source.env_config, source.evaluation),
        not source.explore if greedy is None else greedy,
    )
    return agent.with_settings(env_config or {})
