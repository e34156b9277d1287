"""Resume a run, however it ended."""

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune import CheckpointConfig, ResumeConfig
from ray.tune.experiment import Trial
from typing_extensions import override

from engram.train.console.errors import ExperimentError
from engram.train.console.files import mapping_at
from engram.train.experiments import search
from engram.train.plans.changes import ResumedRun, allowed_changes
from engram.train.plans.plan import Plan, resolved
from engram.train.plans.starts import as_stored, check_still_there
from engram.train.running.interrupt import SavingScheduler
from engram.train.running.saved import newest_checkpoint, trial_folders
from engram.train.running.storing import LOCAL, TrialStorage, keep_files_whole
from engram.train.running.trials import StopConditions
from engram.train.runs.checkpoints import lost_lanes, training_iteration
from engram.train.runs.folders import runs_of
from engram.train.runs.record import FILE as RECORD
from engram.train.runs.record import read_record
from engram.train.runs.results import read_reports
from engram.train.runs.tune_state import newest_state, stored_trials
from engram.train.runs.wholeness import is_whole


def find_run(storage: Path, name: str, exact: bool) -> Path:
    """The folder of the run that `--resume` means.

    Args:
        storage: The folder of all results.
        name: The experiment's.
        exact: The folder of this very name; else the newest run of the experiment that can be resumed.
    """
    runs = [storage / name] if exact else runs_of(storage, name)
    return next((run for run in runs if newest_state(run) is not None), storage / name)


def resumed(plan: Plan) -> Plan | None:
    """Return the plan that resumes the run in its folder; None where there is nothing to resume.

    Args:
        plan: The experiment as it is asked for now, with the folder's name.

    Raises:
        ExperimentError: what was started there cannot be read, or had other settings.
    """
    folder = plan.folder
    if folder is None or (trials := stored_trials(folder)) is None:
        return None
    record = read_record(folder)
    if record is None:
        raise ExperimentError(
            f"--resume: {folder / RECORD} is missing or broken: what the run was started with is not "
            "known; start anew or use --restore CHECKPOINT"
        )
    plan = _with_stored_tries(_with_stored_starts(plan, record), record)
    changed = allowed_changes(record, resolved(plan), folder)
    found = ResumedRun(record, 0, len(trials), changed)
    over = _finished(folder, found, plan.experiment.stop)
    left = [each.trial_id for each in trials if each.trial_id not in over]
    found = dataclasses.replace(
        found,
        left=len(left),
        anew=_without_checkpoint(folder, left),
        new_episodes=new_episodes(plan, folder, left),
        unmade=max(0, plan.trials - len(trials)),
        over=frozenset(over),
    )
    if found.anew or found.unmade:
        check_still_there(plan.starts)
    return dataclasses.replace(plan, resumed=found)


def _with_stored_tries(plan: Plan, record: Mapping[str, Any]) -> Plan:
    """The plan with the stored run's `max_failures`, unless another is asked for."""
    stored = mapping_at(record, "experiment").get("max_failures")
    if stored is None or "max_failures" in plan.experiment.model_fields_set:
        return plan
    experiment = plan.experiment.model_copy(update={"max_failures": stored})
    return dataclasses.replace(plan, experiment=experiment)


def _with_stored_starts(plan: Plan, record: Mapping[str, Any]) -> Plan:
    """The plan with the checkpoints that the stored run took to start from."""
    config, stored = plan.experiment.config, mapping_at(record, "experiment", "config")
    if "model" in config:
        config = config | {"model": as_stored(config["model"], stored.get("model"))}
    experiment = plan.experiment.model_copy(update={"config": config})
    stored_spaces = {} if plan.population is not None else search.split(config, "config")[1]
    return dataclasses.replace(
        plan,
        experiment=experiment,
        domains={place: stored_spaces.get(place, domain) for place, domain in plan.domains.items()},
        starts=tuple(record.get("starts", ())),
    )


def _without_checkpoint(folder: Path, trials: list[str]) -> int:
    """How many of some trials have no whole checkpoint to go on from."""
    begun = trial_folders(folder)
    return sum(each not in begun or not _has_checkpoint(begun[each]) for each in trials)


def new_episodes(plan: Plan, folder: Path, trials: list[str]) -> str:
    """Why some trials do not play on in the episodes that they were in; empty where they do."""
    runners = int(plan.config.num_env_runners)
    if runners:
        return f"config.num_env_runners is {runners}"
    begun = trial_folders(folder)
    newest = (newest_checkpoint(begun[each], tell=False) for each in trials if each in begun)
    lost = (lost_lanes(each) for each in newest if each is not None)
    return next(("the checkpoint holds none" if each is None else each for each in lost if each != ""), "")


def _has_checkpoint(trial_folder: Path) -> bool:
    return any(is_whole(checkpoint) for checkpoint in trial_folder.glob("checkpoint_*"))


def _finished(folder: Path, run: ResumedRun, stop: Mapping[str, float]) -> set[str]:
    """Return the ids of finished trials that also meet the new stop conditions, if there are any.

    Raises:
        ExperimentError: a trial would have to go further and has no checkpoint to go on from.
    """
    over = {each.trial_id for each in stored_trials(folder) or () if each.status == Trial.TERMINATED}
    if not run.new_stop or not over:
        return over
    conditions = StopConditions(stop)
    for trial_id, trial_folder in trial_folders(folder).items():
        reports = read_reports(trial_folder)
        if trial_id not in over or not reports or conditions(trial_id, reports[-1]):
            continue
        if not _has_checkpoint(trial_folder):
            raise ExperimentError(
                f"--resume: {trial_folder}: finished, without a whole checkpoint to go on from"
            )
        over.remove(trial_id)
    return over


class ResumingScheduler(SavingScheduler):
    """Lets a resumed trial start from the newest checkpoint on disk.

    Tune's own record of checkpoints is written every few seconds; after a `kill -9` it names an older
    checkpoint than the newest, or one that has been deleted since.
    """

    _recorded = 0

    @override
    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Called for every trial before it starts."""
        keep_files_whole(tune_controller._tune_controller._storage)
        if trial.storage is not None:
            trial.storage = TrialStorage.of(trial.storage)
        if trial.status == Trial.PENDING and trial.storage is not None and trial.storage.trial_dir_name:
            adopt_newest(trial)
        super().on_trial_add(tune_controller, trial)

    @override
    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Have Tune's record hold each trial before it starts, which Tune itself writes now and then."""
        controller = tune_controller._tune_controller
        if len(controller.get_trials()) > self._recorded:
            self._recorded = len(controller.get_trials())
            controller.checkpoint(force=True)
        return super().choose_trial_to_run(tune_controller)


class ContinuingScheduler(ResumingScheduler):
    """Applies what has changed to a resumed run: stop conditions, kept checkpoints, failures."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        if plan.resumed is None or plan.folder is None:
            raise ValueError("a new run does not go on")
        self._finished = plan.resumed.over
        self._known = {each.trial_id for each in stored_trials(plan.folder) or ()}
        self._experiment = plan.experiment

    @override
    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Called for every stored trial first, and then for those that had not been made yet.

        Raises:
            ExperimentError: Tune could not read its record after all, and is about to start anew.
        """
        if self._known and trial.trial_id not in self._known:
            raise ExperimentError(
                "--resume: Tune cannot read its record; start anew or use --restore CHECKPOINT"
            )
        self._known = set()
        self._apply(tune_controller, trial)
        if trial.trial_id in self._finished:
            trial.set_status(Trial.TERMINATED)
            tune_controller.get_live_trials().discard(trial)
        super().on_trial_add(tune_controller, trial)

    def _apply(self, tune_controller: Any, trial: Trial) -> None:
        """Tune has stored all of this, and reads it back in place of what it is given now."""
        tune_controller._tune_controller._stopper = StopConditions(self._experiment.stop)
        trial.max_failures = self._experiment.max_failures
        manager = trial.run_metadata.checkpoint_manager
        manager._checkpoint_config = CheckpointConfig(**self._experiment.checkpoint_config.model_dump())
        trial.invalidate_json_state()
        trial.run_metadata.invalidate_cache()


def scheduler(plan: Plan) -> ResumingScheduler:
    """Return the scheduler of a plan's trials."""
    return ResumingScheduler() if plan.resumed is None else ContinuingScheduler(plan)


def tune_options(plan: Plan) -> dict[str, Any] | None:
    """Return the arguments of `tune.run` that a `Tuner` does not set."""
    if plan.resumed is not None:
        go_on = ResumeConfig.ResumeType.RESUME
        return {"resume_config": ResumeConfig(finished=go_on, unfinished=go_on, errored=go_on)}
    return {"restore": plan.experiment.restore} if plan.experiment.restore else None


def adopt_newest(trial: Trial) -> None:
    """Make the newest whole checkpoint in a trial's folder the one it restarts from."""
    if trial.storage.storage_filesystem.type_name != LOCAL:
        return
    folder = Path(trial.storage.trial_fs_path)
    found, known = newest_checkpoint(folder), trial.checkpoint
    if known is not None and Path(known.path) == found:
        return
    manager = trial.run_metadata.checkpoint_manager
    if found is not None:
        _register_all(manager, folder, found)
        trial.storage.current_checkpoint_index = int(found.name.rpartition("_")[2])
    elif known is not None and Path(known.path).parent != folder:
        return  # what `restore` named
    else:
        if read_reports(folder):
            print(f"notice: {folder}: no whole checkpoint, starts from its beginning", file=sys.stderr)
        manager._checkpoint_results, manager._latest_checkpoint_result = [], None
    trial.invalidate_json_state()
    trial.run_metadata.invalidate_cache()


def _register_all(manager: Any, folder: Path, newest: Path) -> None:
    """Let Tune know the whole checkpoints that a trial has, in their order, and delete those too many."""
    from ray.train._internal.session import _TrainingResult
    from ray.tune import Checkpoint

    manager._checkpoint_results = []
    older = [each for each in sorted(folder.glob("checkpoint_*")) if each < newest and is_whole(each)]
    for each in (*older, newest):
        metrics = _metrics(folder, training_iteration(each))
        manager.register_checkpoint(_TrainingResult(Checkpoint.from_directory(str(each)), metrics))


def _metrics(folder: Path, iteration: int) -> dict[str, Any]:
    """Return the result that belongs to a checkpoint, or the last one that was written before it."""
    known = [report for report in read_reports(folder) if report.get("training_iteration", 0) <= iteration]
    return {**(known[-1] if known else {}), "training_iteration": iteration}
