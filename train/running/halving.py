"""Ray Tune's schedulers that end trials early, so that Ctrl-C and `--resume` stay what they are."""

import math
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from engram.train.experiments.metrics import RETURN
from engram.train.plans.plan import Plan
from engram.train.population.schedulers import ASHAOptions, parse
from engram.train.running import resume
from engram.train.running.interrupt import INTERRUPT
from engram.train.runs.results import env_steps, lookup, read_reports


class Halving:
    """Asynchronous successive halving by mean returns; one that is not a number yet is the worst."""

    def __init__(self, options: ASHAOptions) -> None:
        """Starts without trials.

        Args:
            options: Of `scheduler: asha`.
        """
        self._inner = AsyncHyperBandScheduler(
            time_attr="time",
            metric="score",
            mode="max",
            grace_period=options.grace_period,
            max_t=options.max_t,
            reduction_factor=options.reduction_factor,
        )

    def add(self, trial: Trial) -> None:
        """Takes in a trial, with what it has reported before in a run that goes on."""
        self._inner.on_trial_add(None, trial)
        if trial.storage is not None and trial.storage.trial_dir_name:
            for report in read_reports(Path(trial.storage.trial_fs_path)):
                self.ends(trial, report)

    def ends(self, trial: Trial, result: dict[str, Any]) -> bool:
        """Whether a trial ends with a result."""
        score = lookup(result, RETURN)
        score = -math.inf if score is None or math.isnan(score) else float(score)
        judged = {"time": env_steps(result), "score": score}
        return bool(self._inner.on_trial_result(None, trial, judged) == TrialScheduler.STOP)


class _Ending:
    """Mixin of a scheduler: trials end where `halving` says so."""

    halving: Halving

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        super().on_trial_add(tune_controller, trial)  # type: ignore[misc]
        self.halving.add(trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        ends = self.halving.ends(trial, result)
        decision: str = super().on_trial_result(tune_controller, trial, result)  # type: ignore[misc]
        return TrialScheduler.STOP if ends and not INTERRUPT.requested else decision


class EndingScheduler(_Ending, resume.ResumingScheduler):
    """Of a new run."""


class EndingAgainScheduler(_Ending, resume.ContinuingScheduler):
    """Of a run that goes on."""


def scheduler(plan: Plan) -> resume.ResumingScheduler:
    """Return the scheduler of a plan's trials."""
    options = parse(plan.experiment.scheduler)
    if not isinstance(options, ASHAOptions):
        return resume.scheduler(plan)
    made = EndingScheduler() if plan.resumed is None else EndingAgainScheduler(plan)
    made.halving = Halving(options)
    return made
