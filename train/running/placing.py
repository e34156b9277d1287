"""Give plans their folders: new ones for new runs, the stored runs' own for those that are resumed."""

import dataclasses
from pathlib import Path

from engram.train.console.errors import ExperimentError
from engram.train.plans.plan import Plan, make_plan
from engram.train.running.resume import find_run, resumed
from engram.train.runs.folders import FolderLocks, free_name, lock_stored, runs_of
from engram.train.runs.tune_state import check_restorable, mend_state, newest_state, unfinished_trials


def place(plans: list[Plan], given: str | None, resume: bool, locks: FolderLocks | None) -> list[Plan]:
    """Give each plan its folder: that of a stored run, or one of its own.

    Args:
        plans: Checked experiments.
        given: The name that the user gave to the only one; None: that of its file.
        resume: Whether to go on with stored runs.
        locks: Takes the folders; None: nothing is to be made.

    Raises:
        ExperimentError: nothing is left to resume, or what is cannot go on so.
    """
    going_on = _going_on(plans, given is not None, locks) if resume else [None] * len(plans)
    names = [plan.experiment.name for plan in plans]
    return [
        stored or _new(plan, [name for name in names if name != plan.experiment.name], resume, locks)
        for plan, stored in zip(plans, going_on, strict=True)
    ]


def _new(plan: Plan, reserved: list[str], resume: bool, locks: FolderLocks | None) -> Plan:
    """A plan that starts from the beginning, in a folder that holds nothing yet."""
    if resume:  # of several experiments, one that has not been started: --restore counts for it
        plan = make_plan(plan.experiment)
    if plan.folder is None:
        return plan
    return _named(plan, free_name(plan.folder.parent, plan.experiment.name, reserved, locks))


def _named(plan: Plan, name: str) -> Plan:
    """A plan under the name of its folder."""
    asked = plan.experiment.name
    if name == asked:
        return plan
    experiment = plan.experiment.model_copy(update={"name": name})
    return dataclasses.replace(plan, experiment=experiment, asked=asked)


def _going_on(plans: list[Plan], exact: bool, locks: FolderLocks | None) -> list[Plan | None]:
    """The stored runs of plans, None for those that have none.

    Raises:
        ExperimentError: there is none, or none with anything left to do.
    """
    found: list[Plan | None] = []
    for plan in plans:
        if plan.folder is None:
            raise ExperimentError(
                f"--resume: not supported for results in {plan.location}; legal: a folder of this machine"
            )
        folder = find_run(plan.folder.parent, plan.experiment.name, exact)
        if locks is not None and newest_state(folder) is not None:
            lock_stored(folder, locks)
            mend_state(folder)
        found.append(resumed(_named(plan, folder.name)))
    _check_any_left(plans, found)
    for stored in found:
        if stored is not None and stored.folder is not None and stored.resumed is not None:
            check_restorable(stored.folder, stored.resumed.unmade)
    return found


def _check_any_left(plans: list[Plan], found: list[Plan | None]) -> None:
    stored = [plan for plan in found if plan is not None]
    if not stored:
        raise ExperimentError(f"--resume: nothing to resume in {', '.join(plan.location for plan in plans)}")
    if len(stored) == len(plans) and all(plan.resumed and plan.resumed.is_over for plan in stored):
        raise ExperimentError(
            f"--resume: every trial in {', '.join(plan.location for plan in stored)} is finished; "
            f"go further with a later --stop, or start anew{_others(stored)}"
        )


def _others(stored: list[Plan]) -> str:
    """Earlier runs of the same experiments that are not finished."""
    runs = {plan.experiment.name: plan for plan in stored if plan.folder is not None and plan.asked}
    names = [
        run.name
        for plan in runs.values()
        if plan.folder is not None
        for run in runs_of(plan.folder.parent, plan.asked)
        if run != plan.folder and _is_left(run)
    ]
    return f"; not finished: --experiment-name {', '.join(names)}" if names else ""


def _is_left(folder: Path) -> bool:
    try:
        return bool(unfinished_trials(folder))
    except ExperimentError:  # broken, and not the run that was asked for
        return False


def option_by_name(plans: list[Plan], given: str | None) -> list[str]:
    """The option that names a run's folder, where the command alone would go on with another's.

    Args:
        plans: What has been trained.
        given: The name that the user gave, which the option replaces; None: none.
    """
    plan = plans[0]
    if len(plans) > 1 or plan.folder is None:
        return []
    name = given or plan.asked or plan.experiment.name
    again = find_run(plan.folder.parent, name, exact=given is not None)
    return [] if again == plan.folder else ["--experiment-name", plan.experiment.name]
