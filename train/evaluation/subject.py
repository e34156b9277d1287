"""A trained network, and where it plays."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engram.train.console.screen import quiet
from engram.train.runs import checkpoints
from engram.train.runs.best import best_checkpoint


@dataclass(frozen=True)
class Subject:
    """A trained network and where its puzzles come from.

    Attributes:
        checkpoint: The checkpoint.
        module: The network.
        env: The environment's id.
        env_config: Its settings: those of training, and over them those asked for.
        explore: Whether the experiment evaluates with actions that are drawn.
    """

    checkpoint: Path
    module: Any
    env: str
    env_config: dict[str, Any]
    explore: bool

    def told(self) -> dict[str, Any]:
        """What to record about it, ready for JSON."""
        return {"checkpoint": str(self.checkpoint), "env": self.env, "env_config": self.env_config}

    def __str__(self) -> str:
        """What to print about it, two lines."""
        return f"checkpoint: {self.checkpoint}\nenvironment: {self.env} {json.dumps(self.env_config)}"


def find_subject(path: str, env_config: Mapping[str, Any]) -> Subject:
    """Loads a trained network.

    Args:
        path: A checkpoint, or a trial's or an experiment's folder, for which its best checkpoint stands.
        env_config: Settings merged over those of training.

    Raises:
        ExperimentError: No checkpoint, or one that cannot be loaded.
    """
    quiet()
    torch.set_num_threads(1)  # tensors this small gain nothing from more
    checkpoint = best_checkpoint(path)
    origin = checkpoints.source(checkpoint)
    settings = {**origin.env_config, **env_config}
    settings.pop("autoreset_mode", None)  # how stock runners reset; evaluation resets its own way
    return Subject(checkpoint, checkpoints.load_module(checkpoint), origin.env, settings, origin.explore)
