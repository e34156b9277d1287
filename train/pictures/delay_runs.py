"""DelayScores of the trials of finished runs: finds the delay and the metric, and notes what is left out."""

import math
import statistics
from typing import Any

from engram.train.console.errors import ExperimentError, unknown
from engram.train.pictures.delay_scores import AUTO, RETURN, SUCCESS, DelayScore, DelayScores, shown
from engram.train.pictures.fields import Points
from engram.train.runs.results import Trial, differing_settings, last_values, lookup, split_finished

FLAWLESS = ("engram/CuedCatch-v0",)  # a success there is an episode without one miss: too rare to compare
RUNNERS = "env_runners"


def collect(trials: list[Trial], setting: str, metric: str, references: dict[str, Points]) -> DelayScores:
    """DelayScore trials.

    Args:
        trials: Finished or not.
        setting: Dotted path of the delay; empty: the number in `env_config` by which trials differ.
        metric: One of `METRICS`, or `AUTO`.
        references: What to compare scores with.

    Raises:
        ExperimentError: the delay is no setting, no number or not the only one; no trial has a score.
    """
    setting = setting.removeprefix("config.") or _find_setting(trials)
    delays = {trial.folder: _delays_of(trial, setting) for trial in trials}
    finished, left_out = split_finished(trials)
    if metric == AUTO:
        metric = _telling_metric(finished)
    scores = []
    for trial in finished:
        for delay in delays[trial.folder]:
            place = metric if len(delays[trial.folder]) == 1 else f"groups/{shown(delay)}/{metric}"
            values = last_values(trial, f"{RUNNERS}/{place}")
            if values:
                mean, seed = statistics.fmean(values), trial.seed
                scores.append(DelayScore(trial.experiment, delay, seed, mean, len(values), trial.name))
            else:
                left_out.append(f"left out: {trial.name}: no {RUNNERS}/{place} in its last reports")
    if not scores:
        raise ExperimentError(f"--options.runs: no finished trial has a score; {'; '.join(left_out)}")
    return DelayScores(setting, metric, scores, references, left_out, _other_differences(finished, setting))


def _telling_metric(trials: list[Trial]) -> str:
    """Successes where all trials count them, and they come often enough to compare; else returns."""
    told = all(trial.env not in FLAWLESS and last_values(trial, f"{RUNNERS}/{SUCCESS}") for trial in trials)
    return SUCCESS if told else RETURN


def _find_setting(trials: list[Trial]) -> str:
    """Dotted path of the one number in `env_config` that differs between trials.

    Trials of the same experiment are looked at first; where these do not differ, all of them.
    """
    within = {key for same in _by_experiment(trials) for key in _differing(same)}
    found = sorted(within or _differing(trials))
    if len(found) == 1:
        return found[0]
    if found:
        raise ExperimentError(
            f"--options.delay: trials differ in several settings; name one: {', '.join(found)}"
        )
    known = sorted({key for trial in trials for key in _numbers(trial)})
    raise ExperimentError(
        f"--options.delay: the trials do not differ in any number of env_config; known: {', '.join(known)}"
    )


def _by_experiment(trials: list[Trial]) -> list[list[Trial]]:
    names = dict.fromkeys(trial.experiment for trial in trials)
    return [[trial for trial in trials if trial.experiment == name] for name in names]


def _differing(trials: list[Trial]) -> set[str]:
    """Numbers of `env_config` that all trials have, and not the same."""
    first, *others = (_numbers(trial) for trial in trials)
    return {
        key
        for key in first
        if all(key in other for other in others) and any(other[key] != first[key] for other in others)
    }


def _numbers(trial: Trial) -> dict[str, list[float]]:
    """Dotted path -> numbers that are drawn from, of all settings of the environment that are such."""
    env_config = trial.config.get("env_config") or {}
    paths = {f"env_config.{key}": _listed(value) for key, value in env_config.items()}
    return {path: numbers for path, numbers in paths.items() if numbers}


def _listed(value: Any) -> list[float]:
    """A number, or each of a list of numbers, once; nothing for anything else."""
    values = value if isinstance(value, list) else [value]
    if all(
        isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in values
    ):
        return list(dict.fromkeys(values))
    return []


def _delays_of(trial: Trial, setting: str) -> list[float]:
    """The delay of a trial; several where each episode draws its own."""
    value = lookup(trial.config, setting.replace(".", "/"))
    if value is None:
        raise unknown(f"--options.delay: {trial.name}", setting, _numbers(trial))
    delays = _listed(value)
    if not delays:
        raise ExperimentError(
            f"--options.delay: {setting} of {trial.name}: expected a number, or several, got {value!r}"
        )
    return delays


def _other_differences(trials: list[Trial], setting: str) -> list[str]:
    """Notes where trials of the same experiment differ in more than delay and seed."""
    notes = []
    for same in _by_experiment(trials):
        more = {path for each in differing_settings(same) for path in each} - {setting}
        if more:
            found = ", ".join(sorted(more))
            notes.append(f"note: trials of {same[0].experiment} also differ in {found}; means mix them")
    return notes
