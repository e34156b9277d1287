"""Derive numbers from settings taken together: trials, updates, reports, checkpoints."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from engram.train.console.errors import ExperimentError, unknown
from engram.train.experiments import metrics
from engram.train.experiments.experiment import Experiment
from engram.train.experiments.search import Domain, Path

MAX_TRIALS = 10_000  # of one experiment; each has a folder, a process and a line on the screen

SCORE = "checkpoint_config.checkpoint_score_attribute"
LONG = 3600.0  # s; an iteration of more is announced even where training has no limit of time
_STEPS = ("timesteps_total", "num_env_steps_sampled_lifetime")


def count_trials(samples: int, domains: Mapping[Path, Domain]) -> int:
    """How many trials an experiment has: `num_samples` of each point of its grid."""
    return samples * math.prod(domain.points() for domain in domains.values())


def check_trials(experiment: Experiment, domains: Mapping[Path, Domain]) -> None:
    """Refuse an absurd number of trials.

    Raises:
        ExperimentError: says which numbers make them.
    """
    trials = count_trials(experiment.num_samples, domains)
    if trials <= MAX_TRIALS:
        return
    factors = [f"num_samples {experiment.num_samples:,}"] if experiment.num_samples > 1 else []
    factors += [
        f"config.{'.'.join(place)} {domain.points():,} values"
        for place, domain in domains.items()
        if domain.kind == "grid_search"
    ]
    raise ExperimentError(
        f"{experiment.name}: {trials:,} trials ({' x '.join(factors)}); legal: at most {MAX_TRIALS:,} of one "
        "experiment"
    )


def check_metrics(experiment: Experiment, config: Any) -> None:
    """Refuse a score that no result has, and what is measured in evaluations where there are none.

    Raises:
        ExperimentError: names the path.
    """
    named = {f"stop.{path}": path for path in experiment.stop}
    score = experiment.checkpoint_config.checkpoint_score_attribute
    if score is not None:
        if not metrics.is_known(score, experiment.run):
            raise unknown(SCORE, score, metrics.alike(score))
        named[SCORE] = score
    for where, path in named.items():
        if path.startswith("evaluation/") and not config.evaluation_interval:
            raise ExperimentError(f"{where}: {path} needs evaluations; config.evaluation_interval is not set")


def steps_per_report(config: Any) -> int | None:
    """Return the env steps from one result to the next; None where they are not known beforehand."""
    update: int | None = getattr(config, "update_steps", None)
    trained = int(config.min_train_timesteps_per_iteration or 0)  # RLlib counts a step once in each epoch
    asynchronous = hasattr(config, "broadcast_interval")
    if getattr(config, "whole_episodes", False):  # of any length
        return None
    if update is None or config.min_time_s_per_iteration or (trained and config.num_learners > 1):
        return None
    if asynchronous and (config.num_env_runners or trained):
        return None
    sampled = int(config.round_steps if asynchronous else update)
    rounds = math.ceil(int(config.min_sample_timesteps_per_iteration or 0) / sampled)
    return sampled * max(1, rounds, math.ceil(trained / (sampled * int(config.num_epochs))))


def last_step(path: str, value: float, config: Any) -> int | None:
    """Env steps after which a condition on steps is met; None where it is met exactly, or nobody knows."""
    report = steps_per_report(config)
    if report is None or path not in _STEPS or value % report == 0:
        return None
    return math.ceil(value / report) * report


def trial_steps(experiment: Experiment, config: Any) -> int | None:
    """Return the env steps that a trial takes if nothing else ends it; None where they are not known."""
    reports, report = _reports(experiment, config), steps_per_report(config)
    if reports is not None and report is not None:
        return reports * report
    return min((math.ceil(value) for key, value in experiment.stop.items() if key in _STEPS), default=None)


def _reports(experiment: Experiment, config: Any) -> int | None:
    """Results until the first of the conditions that grow steadily is met, or None."""
    report = steps_per_report(config)
    counts = [math.ceil(v) for key, v in experiment.stop.items() if key == "training_iteration"]
    if report is not None:
        counts += [math.ceil(value / report) for key, value in experiment.stop.items() if key in _STEPS]
    return min(counts, default=None)


def notices(experiment: Experiment, config: Any, domains: Mapping[Path, Domain]) -> Iterator[str]:
    """What will be otherwise than a reader of the settings would think.

    Args:
        experiment: As written.
        config: From `build_config`, of the first trial.
        domains: Its search spaces.
    """
    yield from _of_batches(config)
    yield from _of_reports(experiment, config)
    yield from _of_long_iterations(experiment, config)
    yield from _of_checkpoints(experiment)
    yield from _of_search(experiment)
    for place, domain in domains.items():
        written = [repr(value) for value in domain.arguments]
        if domain.kind == "grid_search" and len(set(written)) < len(written):
            twice = next(value for value in written if written.count(value) > 1)
            yield f"config.{'.'.join(place)}.grid_search: {twice} stands there twice: its trials are repeated"


def _of_batches(config: Any) -> Iterator[str]:
    """Sizes that are rounded to whole fragments and whole lanes."""
    update = getattr(config, "update_steps", None)
    if update is None:
        return
    if update != config.total_train_batch_size:
        yield (
            f"config.train_batch_size_per_learner: an update takes whole fragments, {update:,} env steps "
            f"over all learners, not {config.total_train_batch_size:,}"
        )
    sizes = config.minibatch_steps()
    if config.minibatch_size is not None and set(sizes) != {config.minibatch_size}:
        found = " or ".join(f"{size:,}" for size in sorted(set(sizes)))
        yield (
            f"config.minibatch_size: a learner's batch of {sum(sizes):,} env steps makes {len(sizes):,} "
            f"minibatches of {found}, not of {config.minibatch_size:,}"
        )


def _of_reports(experiment: Experiment, config: Any) -> Iterator[str]:
    """What waits for a result that comes after the end."""
    reports = _reports(experiment, config)
    if reports is None:
        return
    end = f"training ends after {reports:,} report{'s' if reports != 1 else ''}"
    if (config.evaluation_interval or 0) > reports:
        yield f"config.evaluation_interval: {config.evaluation_interval:,}, but {end}: nothing is evaluated"
    keeping = experiment.checkpoint_config
    if keeping.checkpoint_frequency > reports:
        left = "only the last one is saved" if keeping.checkpoint_at_end else "nothing is saved"
        yield f"checkpoint_config.checkpoint_frequency: {keeping.checkpoint_frequency:,}, but {end}: {left}"


def _of_long_iterations(experiment: Experiment, config: Any) -> Iterator[str]:
    """An iteration, or an evaluation, that takes more than the whole training is to take.

    Conditions are looked at after an iteration only.
    """
    least, limit = float(config.min_time_s_per_iteration or 0), experiment.stop.get("time_total_s", LONG)
    if least > limit:
        instead = f", not after {limit:,.10g} s" if "time_total_s" in experiment.stop else ""
        yield (
            f"config.min_time_s_per_iteration: the first report comes after {least:,.10g} s, and stop is "
            f"looked at then{instead}"
        )
    steps = min((experiment.stop[key] for key in _STEPS if key in experiment.stop), default=None)
    if steps is None:
        return
    sampled = int(config.min_sample_timesteps_per_iteration or 0)
    if sampled > steps:
        yield (
            f"config.min_sample_timesteps_per_iteration: the first report comes after {sampled:,} env steps, "
            f"and stop is looked at then, not after {steps:,.10g}"
        )
    duration = config.evaluation_duration
    if config.evaluation_interval and isinstance(duration, int) and duration > steps:
        yield (
            f"config.evaluation_duration: each evaluation is {duration:,} {config.evaluation_duration_unit}, "
            f"more than the {steps:,.10g} env steps of all training"
        )


def _of_checkpoints(experiment: Experiment) -> Iterator[str]:
    from engram.train.experiments.search_algorithms import suggesting

    keeping = experiment.checkpoint_config
    if keeping.checkpoint_frequency:
        return
    if not keeping.checkpoint_at_end:
        yield (
            "checkpoint_config: nothing is saved; checkpoint_frequency is 0 and checkpoint_at_end is false"
        )
        return
    idle = {"num_to_keep": keeping.num_to_keep not in (None, 1)}
    searched = suggesting(experiment) is not None
    idle["checkpoint_score_attribute"] = keeping.checkpoint_score_attribute is not None and not searched
    for name, said in idle.items():
        if said:
            yield (
                f"checkpoint_config.{name} has no effect without checkpoint_frequency: the end's "
                "checkpoint is the only one"
            )


def _of_search(experiment: Experiment) -> Iterator[str]:
    from engram.train.experiments.search_algorithms import suggesting

    options, trials = suggesting(experiment), experiment.num_samples
    if options is not None and trials <= (options.drawn or 0):
        drawn = f"{options.startup:,}, and num_samples is {trials:,}: every trial is drawn at random"
        yield f"search_alg.startup: {drawn}"
