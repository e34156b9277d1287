"""DelayScores of finished runs at each delay, and the table of them."""

import dataclasses
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from engram.train.pictures.fields import Points
from engram.train.pictures.tables import table

AUTO, SUCCESS, RETURN = "auto", "success_rate", "episode_return_mean"
METRICS = {SUCCESS: ("share of successes", ".2f"), RETURN: ("mean return", ".3f")}
UNITS = {"trials": "trials"} | dict.fromkeys(("time", "delay", "duration", "frames", "steps"), "env steps")


class DelayScore(NamedTuple):
    """The score of one trial, or of its episodes of one delay.

    Attributes:
        experiment: The experiment's name.
        delay: In the unit of the setting.
        seed: None where none was set.
        value: Mean of the metric over the last tenth of the trial's reports, rounded up to a whole report.
        reports: How many those are.
        trial: Name of the trial.
    """

    experiment: str
    delay: float
    seed: int | None
    value: float
    reports: int
    trial: str


@dataclasses.dataclass(frozen=True)
class DelayScores:
    """DelayScores of finished trials.

    Attributes:
        setting: Dotted path of the delay.
        metric: One of `METRICS`.
        scores: As the trials came.
        references: What guessing earns, and the best possible, where they are given.
        left_out: Trials that have no score, and why.
        notes: What else differs between the trials of an experiment.
    """

    setting: str
    metric: str
    scores: list[DelayScore]
    references: dict[str, Points]
    left_out: list[str]
    notes: list[str]

    @property
    def delays(self) -> list[float]:
        """All delays, the shortest first."""
        return sorted({score.delay for score in self.scores})

    @property
    def axis_label(self) -> str:
        """The delay with its unit, by the last word of its name."""
        key = self.setting.rpartition(".")[2]
        unit = UNITS.get(key.rpartition("_")[2])
        return f"{key} ({unit})" if unit else key

    def by_experiment(self) -> dict[str, dict[float, list[float]]]:
        """Experiment -> delay, the shortest first -> one value for each trial."""
        found: dict[str, dict[float, list[float]]] = {}
        for score in sorted(self.scores, key=lambda score: score.delay):
            found.setdefault(score.experiment, {}).setdefault(score.delay, []).append(score.value)
        order = dict.fromkeys(score.experiment for score in self.scores)
        return {experiment: found[experiment] for experiment in order}

    def rows(self) -> Iterator[Sequence[object]]:
        """Yield lines of a CSV file: the heading, and one for each score."""
        yield ("experiment", self.setting, "seed", self.metric, "reports", "trial")
        yield from self.scores

    def text(self) -> str:
        """Return means over trials as a table in Markdown; below it what is left out, and notes."""
        rows = []
        for experiment, values in self.by_experiment().items():
            counts = sorted({len(trials) for trials in values.values()})
            means = [statistics.fmean(values[delay]) if delay in values else None for delay in self.delays]
            trials = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
            rows.append([f"`{experiment}`", trials, *map(self._number, means)])
        for name, points in self.references.items():
            rows.append([name, "", *(self._number(value_at(points, delay)) for delay in self.delays)])
        lines = [
            f"{self.metric} by {self.axis_label}: means over trials, each over the last tenth of its reports",
            "",
            *table(("experiment", "trials", *map(shown, self.delays)), rows),
        ]
        below = [*self.left_out, *self.notes]
        return "\n".join([*lines, *([""] if below else []), *below])

    def _number(self, value: float | None) -> str:
        return "-" if value is None else format(value, METRICS[self.metric][1])


def shown(delay: float) -> str:
    """Write a delay as groups of results do: whole numbers without a point."""
    return str(int(delay)) if float(delay).is_integer() else str(delay)


def value_at(points: Points, delay: float) -> float | None:
    """Interpolate a reference at a delay; None beyond the points."""
    if not isinstance(points, tuple):
        return points
    delays, values = zip(*points, strict=True)
    return float(np.interp(delay, delays, values)) if delays[0] <= delay <= delays[-1] else None
