"""`rllib results`: a line for each trial: last and best scores, when the best was reached, hours."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from engram.train.console.errors import ExperimentError
from engram.train.console.files import mapping_at, naming, typed_path
from engram.train.console.screen import make_table, show
from engram.train.runs.labels import label, short_keys
from engram.train.runs.results import (
    REPORTS,
    Trial,
    damaged_trials,
    differing_settings,
    env_steps,
    number_at,
    read_trials,
)

TRAINING = "env_runners/episode_return_mean"
VALIDATION = f"evaluation/{TRAINING}"


class Score(NamedTuple):
    """A trial in numbers, as papers tabulate them; None is what it does not have.

    Attributes:
        experiment: Its experiment's folder.
        trial: Its own folder in there.
        settings: Those of its settings, by dotted path, that differ between the trials of its experiment.
        seed: Its seed.
        training: Last score in training: the mean return, of `run: Supervised` the share of right answers.
        validation: Last score in evaluations.
        best: Best score, in evaluations where there are any.
        best_env_steps: When that was first reached, env steps.
        best_epoch: The same in epochs of `lr_epochs.size`, the first one being 1.
        env_steps: How far it has trained.
        hours_per_epoch: Time of training, evaluations included.
        hours: The same in all.
        unfinished: Why it has not reached its stop condition; empty where it has.
    """

    experiment: str
    trial: str
    settings: dict[str, Any]
    seed: int | None
    training: float | None
    validation: float | None
    best: float | None
    best_env_steps: int | None
    best_epoch: int | None
    env_steps: int
    hours_per_epoch: float | None
    hours: float
    unfinished: str


def show_results(folders: Sequence[str], as_json: bool) -> list[dict[str, Any]]:
    """Print a line for each trial, and return them.

    Args:
        folders: Experiments' folders, trials' or checkpoints'; what else lies beside them, and what is
            damaged, is named and passed over.
        as_json: End with one line of JSON.

    Raises:
        ExperimentError: No trial of `rllib train` in any of them.
    """
    scores, passed_over, unread = [], [], []
    for folder in folders:
        try:
            with naming(folder):
                trials = read_trials(typed_path(folder))
                scores += _scores(trials)
                passed_over += damaged_trials(typed_path(folder))
        except ExperimentError as error:
            passed_over.append(str(error))
            continue
        unread += [f"{trial.folder / REPORTS}: {trial.unread:,} lines" for trial in trials if trial.unread]
    if not scores:
        raise ExperimentError("; ".join(passed_over))
    summary = [row._asdict() for row in scores]
    show(
        make_table(_COLUMNS, map(_row, scores)),
        *(f"{row.experiment}/{row.trial}: {row.unfinished}" for row in scores if row.unfinished),
        *(f"cannot be read: {lines}" for lines in unread),
        *(f"passed over: {why}" for why in passed_over),
        result=summary if as_json else None,
    )
    return summary


def _scores(trials: Sequence[Trial]) -> list[Score]:
    """The trials of one experiment in numbers."""
    return [score(*pair) for pair in zip(trials, differing_settings(trials), strict=True)]


def score(trial: Trial, settings: Mapping[str, Any]) -> Score:
    """A trial in numbers.

    Args:
        trial: Finished or not.
        settings: What tells it from the other trials of its experiment.
    """
    last = trial.reports[-1] if trial.reports else {}
    best, at = _first_best(trial.reports)
    epoch = mapping_at(trial.config, "lr_epochs").get("size")
    epoch = epoch if isinstance(epoch, int | float) and epoch > 0 else None
    steps, hours = env_steps(last), float(last.get("time_total_s") or 0.0) / 3600
    return Score(
        experiment=trial.folder.parent.name,
        trial=trial.folder.name,
        settings=dict(settings),
        seed=trial.seed,
        training=number_at(last, TRAINING),
        validation=number_at(last, VALIDATION),
        best=best,
        best_env_steps=at,
        best_epoch=math.ceil(at / epoch) if epoch and at is not None else None,
        env_steps=steps,
        hours_per_epoch=hours * epoch / steps if epoch and steps else None,
        hours=hours,
        unfinished=trial.unfinished(),
    )


def _first_best(reports: Sequence[Mapping[str, Any]]) -> tuple[float | None, int | None]:
    """The best score and the env steps at which it was first reported."""
    evaluated = any(number_at(report, VALIDATION) is not None for report in reports)
    path = VALIDATION if evaluated else TRAINING
    scored = [(value, report) for report in reports if (value := number_at(report, path)) is not None]
    if not scored:
        return None, None
    value, report = max(scored, key=lambda pair: pair[0])  # the first of equals
    return value, env_steps(report)


_COLUMNS = {  # header -> field of `Score`, form
    "experiment": ("experiment", "s"),
    "seed": ("seed", "d"),
    "training": ("training", ".4f"),
    "validation": ("validation", ".4f"),
    "best": ("best", ".4f"),
    "at step": ("best_env_steps", ",d"),
    "epoch": ("best_epoch", "d"),
    "h/epoch": ("hours_per_epoch", ".4f"),
    "hours": ("hours", ".3f"),
}


def _row(score: Score) -> list[str]:
    values = [(getattr(score, field), form) for field, form in _COLUMNS.values()]
    experiment, *numbers = ["-" if value is None else format(value, form) for value, form in values]
    settings = {tuple(path.split(".")): value for path, value in score.settings.items()}
    return [" ".join([experiment, *label(settings, short_keys(settings))]), *numbers]
