"""Which checkpoint stands for a run."""

import math
from pathlib import Path

from engram.train import checkpoints
from engram.train.progress import lookup
from engram.train.record import read_record
from engram.train.results import read_reports


def best_checkpoint(path: str) -> Path:
    """The checkpoint that stands for a run: the best by its experiment's score, else the newest.

    The score is `checkpoint_config.checkpoint_score_attribute`. Among equals the oldest is taken, because
    RLlib repeats the score of an evaluation in the reports up to the next one.

    Args:
        path: A checkpoint's folder, which is taken as it is, or a trial's or an experiment's.

    Raises:
        ExperimentError: Nothing there, or no checkpoint of an RLlib algorithm.
    """
    newest, folder = checkpoints.find_checkpoint(path), Path(path).expanduser().absolute()
    oldest_first = [*checkpoints.whole_inside(folder)][::-1]  # none in a checkpoint
    scored = [(score, found) for found in oldest_first if not math.isnan(score := _score(found))]
    return max(scored, key=lambda pair: pair[0])[1] if scored else newest


def _score(checkpoint: Path) -> float:
    """What the experiment judges checkpoints by, the larger the better; NaN where it does not say."""
    record = read_record(checkpoint.parent) or {}
    keeping = record.get("experiment", {}).get("checkpoint_config") or {}
    attribute = keeping.get("checkpoint_score_attribute")
    if attribute is None:
        return math.nan
    iteration = checkpoints.training_iteration(checkpoint)
    reports = (r for r in read_reports(checkpoint.parent) if r.get("training_iteration") == iteration)
    value = lookup(next(reports, {}), attribute)
    if not isinstance(value, int | float):
        return math.nan
    return float(value) if keeping.get("checkpoint_score_order", "max") == "max" else -float(value)
