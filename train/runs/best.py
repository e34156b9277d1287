"""Choose the checkpoint that represents a run."""

import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from engram.train.console.files import mapping_at, typed_path
from engram.train.runs import checkpoints
from engram.train.runs.choice import envs_of, tell_choice
from engram.train.runs.record import read_record
from engram.train.runs.results import number_at, read_reports
from engram.train.runs.wholeness import fault, is_whole


def best_checkpoint(path: str) -> Path:
    """Return the checkpoint that represents a run: the best by its experiment's score, else the newest.

    The score is `checkpoint_config.checkpoint_score_attribute`. The first of equals is taken, because
    RLlib repeats the score of an evaluation in the reports up to the next one. Scores in different
    environments do not compare: of several, that of the newest checkpoint counts. Where there was something
    to choose from, a notice says what was taken and why.

    Args:
        path: A checkpoint's folder, which is taken as it is, or a trial's or an experiment's.

    Raises:
        ExperimentError: Nothing there, or no checkpoint of an RLlib algorithm.
    """
    newest, folder = checkpoints.find_checkpoint(path), typed_path(path).absolute()
    if newest == folder:
        return newest
    candidates = checkpoints.inside(folder)
    envs = envs_of(candidates)
    alike = [each for each in candidates if envs[each.parent] == envs[newest.parent]]
    by_trial = groupby(alike, key=lambda checkpoint: checkpoint.parent)
    scored = [found for trial, its_own in by_trial for found in _scored(trial, its_own)]
    if not scored:
        tell_choice(folder, newest, "the newest, for none has a score", envs)
        return newest
    best = max(reversed(scored), key=lambda found: found.score)
    older = candidates[candidates.index(newest) :]  # newer ones were reported
    checkpoints.tell_damaged([file for each in older if (file := fault(each))], best.checkpoint)
    unscored = len({each.parent for each in alike} - {each.checkpoint.parent for each in scored})
    why = f"the best by {best.attribute}" + (f" ({unscored} of the trials without)" if unscored else "")
    tell_choice(folder, best.checkpoint, why, envs)
    return best.checkpoint


class _Scored(NamedTuple):
    """A checkpoint, and how good it is: the larger the score, the better."""

    score: float
    checkpoint: Path
    attribute: str


def _scored(trial: Path, newest_first: Iterator[Path]) -> Iterator[_Scored]:
    """The trial's whole checkpoints with their scores, the larger the better; none where it has no score."""
    keeping = mapping_at(read_record(trial), "experiment", "checkpoint_config")
    attribute = keeping.get("checkpoint_score_attribute")
    if not isinstance(attribute, str):
        return
    sign = 1.0 if keeping.get("checkpoint_score_order", "max") == "max" else -1.0
    reports = {report.get("training_iteration"): report for report in read_reports(trial)}
    claimed = math.inf
    for checkpoint in newest_first:
        if not is_whole(checkpoint):
            continue
        iteration = checkpoints.training_iteration(checkpoint)
        # One that went on from an older state has made some iterations anew: reports are of the newer ones.
        if iteration < claimed:
            claimed = iteration
            value = number_at(reports.get(iteration, {}), attribute)
            if value is not None:
                yield _Scored(sign * value, checkpoint, attribute)
