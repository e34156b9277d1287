"""Transfer: how much more a run that starts from another one's weights earns while it learns.

The score is that of Rusu et al. (Progressive Neural Networks, 2016, section 4.1): the area under the target's
learning curve over the area under the curve of the same learner from scratch.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.envs.atari.published import published_scores
from engram.train.console.errors import ExperimentError, unknown
from engram.train.console.files import mapping_at, typed_path
from engram.train.experiments.experiment import START
from engram.train.pictures.curve_runs import METRICS, Curve, curve_of, grouped, reported, trials_of
from engram.train.pictures.curves import LEVEL, RESAMPLES
from engram.train.pictures.improvements import game_of, sticky_note
from engram.train.plans.changes import differences
from engram.train.runs.labels import shown
from engram.train.runs.results import Trial, split_finished

RANDOM = "random"
"""A floor of its own for each Atari game: the published score of random actions."""

RETURNS = (METRICS["return"], METRICS["evaluation"])
"""Paths of what such scores can be compared with."""


@dataclass(frozen=True)
class Score:
    """A trial that started from a checkpoint.

    Attributes:
        run: Its experiment, and the settings that tell it from others but for the seed.
        target: The environment that it learns.
        source: The checkpoint that it started from.
        seed: Its seed.
        first: Env step from which curves are compared.
        last: Env step up to which they are.
        floor: The metric's value above which areas are measured.
        area: Area under its curve there, above the floor, in units of the metric times env steps.
        baseline: Mean area of the trials from scratch.
        score: `area` over `baseline`.
    """

    run: str
    target: str
    source: str
    seed: int | None
    first: float
    last: float
    floor: float
    area: float
    baseline: float
    score: float


@dataclass(frozen=True)
class Summary:
    """Trials of one run, over seeds.

    Attributes:
        run: As in `Score`.
        source: The checkpoint, or how many different ones.
        trials: How many.
        from_scratch: How many trials make up the baseline.
        mean: Mean score.
        low: Lower end of its 95 % interval, by bootstrap over the trials of both; None: one trial of each.
        high: Upper end.
    """

    run: str
    source: str
    trials: int
    from_scratch: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TransferScores:
    """The scores of some runs.

    Attributes:
        metric: Path in the reports.
        scores: One for each trial that started from a checkpoint.
        summaries: One for each run of such trials.
        notes: What to beware of.
    """

    metric: str
    scores: list[Score]
    summaries: list[Summary]
    notes: list[str]

    def rows(self) -> Iterator[Sequence[object]]:
        """Yield lines of a CSV file: the heading, and one for each trial."""
        yield tuple(Score.__dataclass_fields__)
        for score in self.scores:
            yield tuple(asdict(score).values())


def transfer_scores(runs: Sequence[str], metric: str, floor: float | str) -> TransferScores:
    """Score each finished trial that started from a checkpoint against those from scratch.

    What cannot be scored is left out, and a note says so: a trial that has not finished, whose curve would
    cut all others short, and a run without a baseline that has an area or env steps in common with it.

    Args:
        runs: Folders of experiments or trials, both kinds together.
        metric: A row of `METRICS`, or a path in the reports.
        floor: The metric's value above which areas are measured, or `RANDOM`.

    Raises:
        ExperimentError: a floor that is neither, or `RANDOM` of another metric; a run that cannot be read, no
            finished trial of one kind, no baseline for a run or several, a metric that was never reported, or
            nothing that can be scored.
    """
    path, floor = METRICS.get(metric, metric), _parsed(floor)
    if floor == RANDOM and path not in RETURNS:
        raise ExperimentError(f"--floor {RANDOM}: it is a return, not --metric {metric}")
    trials = {trial.folder: trial for run in runs for trial in trials_of(typed_path(run).resolve())}
    finished, notes = split_finished(trials.values())
    lines = grouped(finished)
    scratch = {name: line for name, line in lines.items() if _source(line[0]) is None}
    others = {name: line for name, line in lines.items() if name not in scratch}
    kinds = {"that starts from a checkpoint (init_from)": others, "from scratch (without init_from)": scratch}
    for kind, found in kinds.items():
        if not found:
            raise ExperimentError("; ".join([f"transfer: no trial {kind} in {', '.join(runs)}", *notes]))
    curves = {trial.folder: _curve(trial, path) for trial in finished}
    scores: list[Score] = []
    summaries, failures = [], []
    for name, line in others.items():
        baseline, note = _baseline(name, line[0], scratch)
        notes += [note] if note else []
        try:
            compared = _compare(name, line, baseline, curves, _floor_of(line[0], floor))
        except ExperimentError as error:
            failures.append(str(error))
            continue
        scores += compared.scores
        summaries.append(compared.summary)
        notes += sticky_note(line) if floor == RANDOM else []
    if not summaries:
        raise ExperimentError(f"transfer: {failures[0]}")
    notes += [f"left out: {failure}" for failure in failures]
    return TransferScores(path, scores, summaries, list(dict.fromkeys(notes)))


def _parsed(floor: float | str) -> float | str:
    """The floor as a number, or `RANDOM`; raises ExperimentError where it is neither."""
    if floor == RANDOM:
        return floor
    try:
        value = float(floor)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ExperimentError(f"--floor: expected a number or {RANDOM}, got {floor!r}")
    return value


def _floor_of(trial: Trial, floor: float | str) -> float:
    """The floor of what a trial learns; raises ExperimentError as `game_of`."""
    return published_scores()[game_of(trial, "--floor")].random if isinstance(floor, str) else floor


def _source(trial: Trial) -> str | None:
    source = mapping_at(trial.config, "model").get("init_from")
    return source if isinstance(source, str) else None


def _target(trial: Trial) -> str:
    """The environment that a trial learns, with its settings."""
    settings = mapping_at(trial.config, "env_config")
    return f"{trial.env} {json.dumps(settings, sort_keys=True)}" if settings else trial.env


def _settings(trial: Trial) -> dict[str, Any]:
    """What two learners must have in common, but for what they start from."""
    model = {key: value for key, value in mapping_at(trial.config, "model").items() if key not in START}
    rest = {key: value for key, value in trial.config.items() if key not in ("seed", "model")}
    return {**rest, "model": model}


def _baseline(name: str, trial: Trial, scratch: Mapping[str, list[Trial]]) -> tuple[list[Trial], str]:
    """The trials from scratch that a run is compared with, and a note where their settings differ.

    Raises:
        ExperimentError: none learns the same environment, or several do and none has the same settings.
    """
    alike = {other: line for other, line in scratch.items() if _target(line[0]) == _target(trial)}
    if not alike:
        played = sorted({_target(line[0]) for line in scratch.values()})
        raise ExperimentError(
            f"transfer: {name} learns {_target(trial)}; from scratch there is only {'; '.join(played)}"
        )
    found = {other: differences(_settings(line[0]), _settings(trial)) for other, line in alike.items()}
    same = [other for other, differing in found.items() if not differing]
    if len(same or found) > 1:
        raise ExperimentError(
            f"transfer: {name}: several runs from scratch learn {_target(trial)} "
            f"({', '.join(same or found)}); name one of them alone"
        )
    chosen = (same or list(found))[0]
    note = f"note: {name} differs from {chosen} in {', '.join(found[chosen])}, too" if found[chosen] else ""
    return alike[chosen], note


def _curve(trial: Trial, path: str) -> Curve:
    """The numbers that a trial reported, by env steps; raises ExperimentError where there is none."""
    curve = curve_of(trial, path)
    if curve is None:
        known = [*METRICS, *reported(trial)]
        raise unknown(f"transfer: {trial.name} never reported --metric", path, known, limit=len(METRICS))
    steps, values = curve
    finite = np.isfinite(values)
    return steps[finite], values[finite]


@dataclass(frozen=True)
class _Compared:
    scores: list[Score]
    summary: Summary


def _compare(
    name: str, line: list[Trial], baseline: list[Trial], curves: Mapping[Path, Curve], floor: float
) -> _Compared:
    """Scores of the trials of one run, over the env steps that they and their baseline all have."""
    own, theirs = ([curves[trial.folder] for trial in trials] for trials in (line, baseline))
    first, last = max(curve[0][0] for curve in own + theirs), min(curve[0][-1] for curve in own + theirs)
    if last <= first:
        raise ExperimentError(
            f"{name} and its baseline have no env steps in common: one begins at {first:,.0f}, one "
            f"ends at {last:,.0f}"
        )
    areas, base = (np.array([area(*curve, first, last, floor) for curve in each]) for each in (own, theirs))
    if base.mean() <= 0:
        raise ExperimentError(
            f"the curve of {name}'s baseline has no area above {floor:g} (its mean is "
            f"{base.mean() / (last - first) + floor:.4g}); legal: a lower --floor, such as a random policy's"
        )
    ratios = areas / base.mean()
    scores = [
        Score(
            name,
            _target(trial),
            str(_source(trial)),
            trial.seed,
            first,
            last,
            *map(float, (floor, mine, base.mean(), ratio)),
        )
        for trial, mine, ratio in zip(line, areas, ratios, strict=True)
    ]
    sources = sorted({score.source for score in scores})
    source = shown(sources[0]) if len(sources) == 1 else f"{len(sources)} checkpoints"
    low, high = interval(areas, base)
    return _Compared(scores, Summary(name, source, len(line), len(base), float(ratios.mean()), low, high))


def area(
    steps: NDArray[np.float64], values: NDArray[np.float64], first: float, last: float, floor: float = 0.0
) -> float:
    """Compute the area between a curve and a floor, by trapezoids; the curve is straight between reports.

    Args:
        steps: Env steps, rising, (N,).
        values: The metric at them, (N,).
        first: Where the area begins, not before the first step.
        last: Where it ends, not behind the last.
        floor: From which value on.
    """
    grid = np.unique(np.concatenate([[first, last], steps[(steps > first) & (steps < last)]]))
    return float(np.trapezoid(np.interp(grid, steps, values) - floor, grid))


def interval(
    areas: NDArray[np.float64], baseline: NDArray[np.float64]
) -> tuple[float, float] | tuple[None, None]:
    """Compute a 95 % interval of a mean score, by bootstrap over the trials of both kinds.

    Args:
        areas: Of trials that started from a checkpoint, (N,).
        baseline: Of trials from scratch, (M,).

    Returns:
        Both ends; None where one trial of each kind says nothing about others, or a baseline has no area.
    """
    if len(areas) == len(baseline) == 1 or baseline.min() <= 0:
        return None, None
    random = np.random.default_rng(0)
    means = [
        each[random.integers(len(each), size=(RESAMPLES, len(each)))].mean(1) for each in (areas, baseline)
    ]
    low, high = np.percentile(means[0] / means[1], LEVEL)
    return float(low), float(high)
