"""Who copied whom in a run, and whose weights a member's present ones descend from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from engram.train.console.errors import ExperimentError
from engram.train.console.files import mapping_at
from engram.train.runs.results import Trial, env_steps, number_at, read_trials

FILE = "population.jsonl"
RETURN = "env_runners/episode_return_mean"


def read_looks(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's `population.jsonl` in the order of writing; none where there is no such file.

    Args:
        folder: The experiment's.
    """
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    looks: list[dict[str, Any]] = []
    for line in lines:
        try:
            look = json.loads(line)
        except ValueError:
            continue  # the last one, half written when the machine went down
        if isinstance(look, dict) and {"member", "look", "env_steps", "copied"} <= look.keys():
            looks.append(look)
    return looks


class Stretch(NamedTuple):
    """Part of a line of descent: one member's training between two copies.

    Attributes:
        member: Whose.
        first: Env steps on its own clock at which it begins.
        last: At which it ends, as it is copied or the run is over.
    """

    member: int
    first: int
    last: int


@dataclass(frozen=True)
class Lineage:
    """A population's members and copies.

    Attributes:
        folder: The experiment's.
        trials: Member -> its trial.
        looks: All lines of `population.jsonl`.
    """

    folder: Path
    trials: Mapping[int, Trial]
    looks: Sequence[Mapping[str, Any]]

    @property
    def copies(self) -> list[Mapping[str, Any]]:
        """Those looks that ended in a copy, in the order of writing."""
        return [look for look in self.looks if look["copied"]]

    def steps(self, member: int) -> int:
        """Env steps that a member has trained."""
        reports = self.trials[member].reports
        return env_steps(reports[-1]) if reports else 0

    def score(self, member: int) -> float | None:
        """A member's last mean return; None where it has none."""
        values = (number_at(report, RETURN) for report in reversed(self.trials[member].reports))
        return next((value for value in values if value is not None), None)

    def best(self) -> int:
        """The member with the best last mean return.

        Raises:
            ExperimentError: None has any.
        """
        scores = {member: score for member in self.trials if (score := self.score(member)) is not None}
        if not scores:
            raise ExperimentError(f"{self.folder}: no member has a return yet")
        return max(sorted(scores), key=lambda member: scores[member])

    def ancestry(self, member: int) -> list[Stretch]:
        """Whose training a member's weights come from, the first stretch from random weights on."""
        stretches: list[Stretch] = []
        left = list(self.copies)
        last = self.steps(member)
        until = (
            last + 1
        )  # a copy in the last iteration counts; a donor's in the one it was copied in came later
        while own := [look for look in left if look["member"] == member and look["env_steps"] < until]:
            copy = max(own, key=lambda look: int(look["env_steps"]))
            left.remove(copy)
            stretches.append(Stretch(member, int(copy["env_steps"]), last))
            member = int(copy["donor"])
            last = until = int(copy["donor_env_steps"])
        return [Stretch(member, 0, last), *reversed(stretches)]


def read_lineage(folder: Path) -> Lineage:
    """Read a population from its experiment's folder.

    Args:
        folder: The experiment's.

    Raises:
        ExperimentError: there is none.
    """
    found: dict[int, Trial] = {}
    for trial in read_trials(folder):
        member = mapping_at(trial.config, "population").get("member")
        if isinstance(member, int):
            found[member] = trial
    if not found:
        raise ExperimentError(
            f"{folder}: no population; expected the folder of an experiment with scheduler: paper_pbt or pbt"
        )
    return Lineage(folder, dict(sorted(found.items())), read_looks(folder))
