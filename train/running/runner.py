"""Run plans on Ray Tune."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from engram.train.console.errors import ExperimentError
from engram.train.plans import build
from engram.train.plans.plan import Plan, resolved
from engram.train.running.cluster import RayOptions, start_ray
from engram.train.running.saved import kept_of_failed, saved
from engram.train.runs.folders import ASKED
from engram.train.runs.record import command_line, make_record, write_record


def run(plans: list[Plan], options: RayOptions, console: Console) -> int:
    """Train the plans one after the other.

    Args:
        plans: Checked experiments, each with a folder of its own.
        options: How to start Ray.
        console: For messages.

    Returns:
        The exit code: 0, 1 where a trial failed, 128 + signal where the user stopped the run.
    """
    import ray

    from engram.train.running.interrupt import INTERRUPT, ray_kept_apart

    failed = 0
    with INTERRUPT.listening():
        try:
            with ray_kept_apart():
                start_ray(plans, options)
            INTERRUPT.listen_again()
            for plan in plans:
                if not INTERRUPT.requested:
                    failed += _run_one(plan, options, console)
        except KeyboardInterrupt:
            pass  # the second signal; what is saved has been said
        finally:
            signalled = INTERRUPT.signal  # one that comes from now on finds the run ended
            with contextlib.suppress(KeyboardInterrupt):
                ray.shutdown()
        if signalled is not None:
            return 128 + signalled
    return 1 if failed else 0


def _run_one(plan: Plan, options: RayOptions, console: Console) -> int:
    from engram.agents.columns.turns import give_back
    from engram.train.running.failing import described, keep_traceback
    from engram.train.running.interrupt import INTERRUPT

    if plan.resumed is not None and plan.resumed.is_over:
        console.print(f"{plan.experiment.name}: already finished")
        return 0
    try:
        tuner = _tuner(plan, options)
        give_back()  # what the checks took: trials need it now
        failed = _report(tuner.fit(), plan, console)
    except ExperimentError:
        raise
    except Exception as error:  # Ray itself went down, or nothing can be written any more
        text = f"failed: {described(error, plan.folder)}{keep_traceback(error, plan.folder)}"
        console.print(text, style="red")
        failed = 1
        for line in saved(plan.folder) if plan.folder is not None and not INTERRUPT.requested else ():
            console.print(line)
    except KeyboardInterrupt:
        console.print("Stopped without waiting.")
        raise
    finally:
        if INTERRUPT.requested and plan.folder is not None:
            for line in saved(plan.folder):
                console.print(line)
    console.print(f"results: {plan.location}")
    return failed


def _tuner(plan: Plan, options: RayOptions) -> Any:
    """Tune's own, for a new run or a stored one; for that, it reads trials and their states from the folder.

    `Tuner.restore` would take stop conditions and callbacks as they were stored too.
    """
    from ray import tune

    from engram.agents.columns.clock import keep_steady
    from engram.train.running.going_back import GoBack
    from engram.train.running.halving import scheduler
    from engram.train.running.interrupt import EndWhenSaved
    from engram.train.running.loggers import Reports, Rows
    from engram.train.running.naming import TagTrials, TrialNames
    from engram.train.running.progress import Progress
    from engram.train.running.resume import tune_options
    from engram.train.running.suggesting import given_space, suggestions
    from engram.train.running.tensorboard import BoardLogger
    from engram.train.running.trials import KeepBest, RecordTrials, StopConditions, TellLost, trial_name
    from engram.train.runs.tune_state import KeepState

    keep_steady()
    experiment = plan.experiment
    record = _record(plan)
    recorder = RecordTrials(record, list(plan.domains))
    names = TrialNames(plan.domains)
    board = BoardLogger(record["experiment"], list(plan.domains))
    callbacks = [
        *_of_population(plan),
        TagTrials(names),
        Progress(experiment.stop),
        recorder,
        KeepBest(),
        TellLost(),
        EndWhenSaved(),
        GoBack(),  # before all that write
        Reports(),
        Rows(),
        board,
    ]
    if plan.folder is not None:
        write_record(plan.folder, record)
        callbacks.append(KeepState())
    suggested = suggestions(plan)
    return tune.Tuner(
        build.trainable(plan.config),
        param_space=build.trial_space(plan.config, plan.domains) if suggested is None else given_space(plan),
        tune_config=tune.TuneConfig(
            num_samples=plan.samples,
            search_alg=suggested,
            scheduler=scheduler(plan),
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
        _tuner_kwargs=tune_options(plan),
    )


def _of_population(plan: Plan) -> list[Any]:
    """Opens the board on which members post; returns what writes down who copies whom."""
    if plan.population is None:
        return []
    from engram.agents.population.board import open_board
    from engram.train.population.log import PopulationLog

    _BOARDS[plan.experiment.name] = open_board(plan.experiment.name)
    return [PopulationLog(plan.folder)]


_BOARDS: dict[str, Any] = {}
"""Held, as an actor ends with the last that holds it."""


def _record(plan: Plan) -> dict[str, Any]:
    """Return a new run's record, or a stored one with what has changed and the command that resumes it."""
    if plan.resumed is not None:
        stored = plan.resumed.record
        return {
            **stored,
            "experiment": resolved(plan),
            "resumed": [*stored.get("resumed", []), command_line()],
        }
    named = {ASKED: plan.asked} if plan.asked else {}
    starts = {"starts": list(plan.starts)} if plan.starts else {}
    return make_record(resolved(plan), plan.seeds) | named | starts


def _report(results: Any, plan: Plan, console: Console) -> int:
    from engram.train.running.failing import ERROR_FILE, described
    from engram.train.running.interrupt import INTERRUPT

    failed = 0
    for result in results:
        if result.error is not None:
            failed += 1
            said = described(result.error, plan.folder)
            text = f"failed: {said} (all of it: {result.path}/{ERROR_FILE})"
            console.print(text, style="red")
            if plan.folder is not None and not INTERRUPT.requested:
                kept = kept_of_failed(
                    Path(result.path), plan.experiment.checkpoint_config.checkpoint_frequency
                )
                console.print(kept)
        elif result.checkpoint is not None and not (INTERRUPT.requested and plan.folder is not None):
            for line in _checkpoints(result, plan.experiment.checkpoint_config):
                console.print(line)
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
