"""Runs plans on Ray Tune."""

import math
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from engram.train import build
from engram.train.cluster import RayOptions, start_ray
from engram.train.plan import Plan, resolved
from engram.train.record import make_record, read_record, write_record


def run(plans: list[Plan], options: RayOptions, resume: bool, console: Console) -> int:
    """Train the plans one after the other.

    Args:
        plans: Checked experiments.
        options: How to start Ray.
        resume: Go on with what is in the results folders.
        console: For messages.

    Returns:
        The exit code: 0, 1 where a trial failed, 128 + signal where the user stopped the run.
    """
    from engram.train.interrupt import INTERRUPT

    failed = 0
    with INTERRUPT.listening():
        start_ray(plans, options)
        import ray

        INTERRUPT.listen_again()
        try:
            for plan in plans:
                if not INTERRUPT.requested:
                    failed += _run_one(plan, options, resume, console)
        except KeyboardInterrupt:
            print("Stopped without saving.", file=sys.stderr)
        finally:
            ray.shutdown()
        if INTERRUPT.signal is not None:
            return 128 + INTERRUPT.signal
    return 1 if failed else 0


def _run_one(plan: Plan, options: RayOptions, resume: bool, console: Console) -> int:
    from engram.train.resume import unfinished_trials

    folder = plan.folder if resume else None
    left = unfinished_trials(folder) if folder is not None else None
    if left == 0:
        console.print(f"{plan.experiment.name}: already finished", highlight=False)
        return 0
    tuner = (
        _new_tuner(plan, options)
        if folder is None or left is None
        else _restored_tuner(plan, folder, console)
    )
    return _report(tuner.fit(), plan, console)


def _new_tuner(plan: Plan, options: RayOptions) -> Any:
    from ray import tune

    from engram.train.board import BoardLogger
    from engram.train.interrupt import EndWhenSaved
    from engram.train.naming import TagTrials, TrialNames
    from engram.train.progress import Progress
    from engram.train.resume import KeepState, ResumingScheduler
    from engram.train.trials import KeepBest, RecordTrials, StopConditions, trial_name

    experiment = plan.experiment
    record = make_record(resolved(plan), plan.seeds)
    recorder = RecordTrials(record, list(plan.domains))
    names = TrialNames(plan.domains)
    board = BoardLogger(record["experiment"], list(plan.domains))
    callbacks = [TagTrials(names), Progress(experiment.stop), recorder, KeepBest(), EndWhenSaved(), board]
    if plan.folder is not None:
        write_record(plan.folder, record)
        callbacks.append(KeepState())
    return tune.Tuner(
        build.trainable(plan.config),
        param_space=build.trial_space(plan.config, plan.domains),
        tune_config=tune.TuneConfig(
            num_samples=experiment.num_samples,
            scheduler=ResumingScheduler(),
            trial_name_creator=trial_name,
            trial_dirname_creator=names.folder,
        ),
        run_config=tune.RunConfig(
            name=experiment.name,
            storage_path=plan.storage,
            stop=StopConditions(experiment.stop),
            callbacks=callbacks,
            checkpoint_config=tune.CheckpointConfig(**experiment.checkpoint_config.model_dump()),
            failure_config=tune.FailureConfig(max_failures=experiment.max_failures),
            verbose=1 if options.verbosity > 1 else 0,
        ),
        _tuner_kwargs={"restore": experiment.restore} if experiment.restore else None,
    )


def _restored_tuner(plan: Plan, folder: Path, console: Console) -> Any:
    from ray import tune

    stored = (read_record(folder) or {}).get("experiment", {})
    changed = changed_settings(stored, resolved(plan))
    note = f"; what has changed since is not used: {', '.join(changed)}" if stored and changed else ""
    console.print(f"{plan.experiment.name}: resuming with its stored settings{note}", highlight=False)
    return tune.Tuner.restore(
        str(folder), trainable=build.trainable(plan.config), resume_unfinished=True, resume_errored=True
    )


def changed_settings(stored: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> list[str]:
    """Dotted paths of settings that differ between two resolved experiments.

    Args:
        stored: From `run.json`.
        now: From `resolved`.
        path: Prefix of the paths.
    """
    changed = []
    for key in sorted({*stored, *now}):
        before, after = stored.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            changed += changed_settings(before, after, f"{path}{key}.")
        elif before != after:
            changed.append(f"{path}{key}")
    return changed


def _report(results: Any, plan: Plan, console: Console) -> int:
    failed = 0
    for result in results:
        if result.error is not None:
            failed += 1
            text = f"failed: {last_words(str(result.error))} (all of it: {result.path}/error.txt)"
            console.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
        elif result.checkpoint is not None:
            for line in _checkpoints(result, plan.experiment.checkpoint_config):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
    return failed


def _checkpoints(result: Any, keeping: Any) -> Iterator[str]:
    """Where the last checkpoint is and, where they have a score, the best one."""
    yield f"checkpoint: {result.checkpoint.path}"
    if keeping.checkpoint_score_attribute is not None:
        path, order = keeping.checkpoint_score_attribute, keeping.checkpoint_score_order
        scored = [kept for kept in result.best_checkpoints if not math.isnan(kept[1].get(path, math.nan))]
        if scored:
            best, metrics = (max if order == "max" else min)(scored, key=lambda kept: kept[1][path])
            yield f"best checkpoint: {best.path} ({path} {metrics[path]:.4g})"


def last_words(traceback: str) -> str:
    """What went wrong, in one line: the last exception of a traceback that says more than its class.

    Args:
        traceback: As Ray reports it from a worker, chained exceptions included.
    """
    lines = [line.strip() for line in traceback.strip().splitlines()]
    said = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(Error|Exception|Died)\b.*: \S", line)]
    return (said or lines or ["no message"])[-1]
