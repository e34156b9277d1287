"""Published scores of Atari games: what random actions and people score in 57 of them."""

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

FILE = "published_scores.csv"
"""Beside this module; it names its sources."""


class PublishedScores(NamedTuple):
    """The scores of one game.

    Attributes:
        random: mean score of actions that are drawn at random.
        human: mean score of a professional human tester.
    """

    random: float
    human: float

    def normalised(self, score: float) -> float:
        """Return (score - random) / (human - random): 0 is as random actions, 1 as people."""
        return (score - self.random) / (self.human - self.random)


@cache
def published_scores() -> Mapping[str, PublishedScores]:
    """Read the scores of the 57 games, by their name in ALE's ids, such as `MsPacman`."""
    text = (resources.files("engram.envs.atari") / FILE).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {
        row["game"]: PublishedScores(float(row["random"]), float(row["human"]))
        for row in csv.DictReader(lines)
    }
