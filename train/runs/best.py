"""Which checkpoint stands for a run."""

import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from engram.train.console.files import mapping_at, typed_path
from engram.train.runs import checkpoints
from engram.train.runs.record import read_record
from engram.train.runs.results import number_at, read_reports
from engram.train.runs.wholeness import fault, is_whole


def best_checkpoint(path: str) -> Path:
    """The checkpoint that stands for a run: the best by its experiment's score, else the newest.

    The score is `checkpoint_config.checkpoint_score_attribute`. The first of equals is taken, because
    RLlib repeats the score of an evaluation in the reports up to the next one.

    Args:
        path: A checkpoint's folder, which is taken as it is, or a trial's or an experiment's.

    Raises:
        ExperimentError: Nothing there, or no checkpoint of an RLlib algorithm.
    """
    newest, folder = checkpoints.find_checkpoint(path), typed_path(path).absolute()
    if newest == folder:
        return newest
    candidates = checkpoints.inside(folder)
    by_trial = groupby(candidates, key=lambda checkpoint: checkpoint.parent)
    scored = [pair for trial, its_own in by_trial for pair in _scored(trial, its_own)]
    if not scored:
        return newest
    best = max(reversed(scored), key=lambda pair: pair[0])[1]
    older = candidates[candidates.index(newest) :]  # of newer ones has been told
    checkpoints.tell_damaged([file for each in older if (file := fault(each))], best)
    return best


def _scored(trial: Path, newest_first: Iterator[Path]) -> Iterator[tuple[float, Path]]:
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
                yield sign * value, checkpoint
