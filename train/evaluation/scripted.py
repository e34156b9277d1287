"""Scripted players in place of a trained network."""

import dataclasses
import inspect
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from typing_extensions import override

from engram.memory.registry import load_object
from engram.train.console.errors import ExperimentError
from engram.train.console.screen import quiet
from engram.train.environments.facts import make_batched
from engram.train.evaluation.agent import Agent
from engram.train.evaluation.policy import Policy, ScriptedPolicy

_GIVEN = ("lanes", "rules")


@dataclasses.dataclass(frozen=True, eq=False)
class ScriptedAgent(Agent):
    """A scripted player and the environment it plays in.

    Attributes:
        path: Of the player's class, `module:Class`.
        make: Makes the player from keyword arguments.
        env_id: The environment's id.
        env_config: The environment's settings.
        player_config: Keyword arguments of the player.
        rules: The environment's parameters, where it has them as `rules`.
    """

    path: str
    make: Callable[..., Any]
    env_id: str
    env_config: Mapping[str, Any]
    player_config: Mapping[str, Any]
    rules: Any

    @property
    @override
    def name(self) -> str:
        return self.path

    @property
    @override
    def chooses(self) -> str:
        return "as scripted"

    @override
    def make_policy(self, lanes: int) -> Policy:
        given = {"lanes": lanes} | ({} if self.rules is None else {"rules": self.rules})
        asked = inspect.signature(self.make).parameters
        return ScriptedPolicy(
            self.make(**{name: given[name] for name in given if name in asked}, **self.player_config)
        )

    @override
    def record(self) -> dict[str, Any]:
        return {
            "policy": self.path,
            "policy_config": dict(self.player_config),
            "env": self.env_id,
            "env_config": dict(self.env_config),
        }

    def __str__(self) -> str:
        """Return player and environment, a line for each."""
        return (
            f"policy: {self.path} {json.dumps(dict(self.player_config))}\n"
            f"environment: {self.env_id} {json.dumps(dict(self.env_config))}"
        )


def load_player(
    path: str, env_id: str, env_config: Mapping[str, Any], player_config: Mapping[str, Any]
) -> ScriptedAgent:
    """Load a scripted player, and try whether it can be made.

    Args:
        path: `module:Class`. The class is made with `lanes`, and with the environment's `rules` if it asks
            for them; its `act` is given `observations` and, if it asks for them, `resets` and `infos`, and
            returns an action per lane.
        env_id: The environment's id.
        env_config: The environment's settings.
        player_config: Further keyword arguments of the class.

    Raises:
        ExperimentError: There is no such class or environment, or either refuses its settings.
    """
    quiet()
    for name in _GIVEN:
        if name in player_config:
            raise ExperimentError(f"--policy-config.{name}: is given by the environment; leave it out")
    if ":" not in path:
        raise ExperimentError(f"--policy: expected module:Class, got {path!r}")
    with closing(make_batched(env_id, 1, env_config)) as envs:
        rules = getattr(envs.unwrapped, "rules", None)
    try:
        make = load_object(path, "--policy")
        agent = ScriptedAgent(path, make, env_id, dict(env_config), dict(player_config), rules)
        agent.make_policy(1)
    except (TypeError, ValueError) as error:
        text = str(error)
        raise ExperimentError(text if text.startswith("--policy") else f"--policy {path}: {text}") from None
    return agent
