"""Trials whose settings Optuna suggests, from the scores of those before them."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ray.tune.search import Searcher
from ray.tune.search.search_generator import SearchGenerator
from typing_extensions import override

from engram.train.console.errors import ExperimentError
from engram.train.console.files import ABSENT, find
from engram.train.experiments.search import LISTS, Domain, put
from engram.train.experiments.search import Path as Place
from engram.train.experiments.search_algorithms import OptunaOptions, score_of, suggesting
from engram.train.plans.build import space_path, trial_space
from engram.train.plans.plan import Plan
from engram.train.running.saved import trial_folders
from engram.train.runs.results import number_at, read_reports
from engram.train.runs.tune_state import stored_trials

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler


class Suggesting(Searcher):  # type: ignore[misc]
    """Asks a study for the settings of each trial, and tells it how the trial has ended.

    All that it knows is in Tune's record of the trials and in their results, from which `recall` makes it
    anew; it stores nothing itself.
    """

    def __init__(
        self, domains: Mapping[Place, Domain], options: OptunaOptions, score: tuple[str, str]
    ) -> None:
        """Begins a study that has been asked nothing yet.

        Args:
            domains: Search spaces by their path in the experiment's `config`.
            options: Of `search_alg: optuna`.
            score: Path of a result's score, and `max` or `min`.
        """
        super().__init__()
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)  # of how it computes; what it raises is raised
        self._path, order = score
        self._options, self._domains = options, dict(domains)
        self._distributions = {".".join(place): distribution(each) for place, each in domains.items()}
        self._study = optuna.create_study(direction="minimize" if order == "min" else "maximize")
        self._running: dict[str, int] = {}

    @property
    def made(self) -> int:
        """How many trials it has suggested."""
        return len(self._study.get_trials(deepcopy=False))

    @override
    def suggest(self, trial_id: str) -> dict[str, Any]:
        """Settings of a new trial, as far as they are searched."""
        self._study.sampler = sampler(self._options, self.made)
        trial = self._study.ask(self._distributions)
        self._running[trial_id] = trial.number
        settings: dict[str, Any] = {}
        for place, domain in self._domains.items():
            put(settings, space_path(place), _value(domain, trial.params[".".join(place)]))
        return settings

    @override
    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the score of a trial's last result; none, or a failure: that it has failed."""
        from optuna.trial import TrialState

        number = self._running.pop(trial_id, None)
        if number is None:
            return  # which has been told
        score = None if error or result is None else number_at(result, self._path)
        state = TrialState.FAIL if score is None else TrialState.COMPLETE
        self._study.tell(number, score, state=state)

    def recall(self, trial_id: str, config: Mapping[str, Any]) -> None:
        """Takes in a trial of a run that goes on, as one that has not ended.

        Args:
            trial_id: Tune's.
            config: Its settings, as in Tune's record.
        """
        from optuna.trial import TrialState, create_trial

        known = {
            place: _parameter(domain, find(config, space_path(place), ABSENT))
            for place, domain in self._domains.items()
        }
        params = {".".join(place): value for place, value in known.items()}
        self._running[trial_id] = self.made
        self._study.add_trial(
            create_trial(state=TrialState.RUNNING, params=params, distributions=self._distributions)
        )

    @override
    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Stores nothing: see the class."""

    @override
    def restore_from_dir(self, checkpoint_dir: str) -> None:
        """Reads nothing: see the class."""


class Suggestions(SearchGenerator):  # type: ignore[misc]
    """Makes trials of what is suggested, as many as the experiment has samples."""

    @override
    def restore_from_dir(self, dirpath: str) -> None:
        """Reads Tune's state of a run that goes on; its count may be older than the record of trials."""
        super().restore_from_dir(dirpath)
        self._counter = self.searcher.made


def suggestions(plan: Plan) -> Suggestions | None:
    """Return what suggests a plan's trials; None where they are a grid and random draws, Ray Tune's own."""
    options = suggesting(plan.experiment)
    if options is None:
        return None
    searcher = Suggesting(plan.domains, options, score_of(plan.experiment))
    if plan.resumed is not None and plan.folder is not None:
        _recall_all(searcher, plan.folder, plan.resumed.over)
    return Suggestions(searcher)


def _recall_all(searcher: Suggesting, folder: Path, over: frozenset[str]) -> None:
    """Takes in the trials of a stored run, with the scores of those that are over.

    Raises:
        ExperimentError: Tune's record lacks what a trial was suggested.
    """
    folders = trial_folders(folder)
    for trial in stored_trials(folder) or ():
        try:
            searcher.recall(trial.trial_id, trial.config)
        except (ValueError, TypeError):
            raise ExperimentError(
                f"--resume: {folder}: Tune's record lacks the settings of trial {trial.trial_id}; start anew "
                "or use --restore CHECKPOINT"
            ) from None
        if trial.trial_id in over:
            reports = read_reports(folders[trial.trial_id]) if trial.trial_id in folders else []
            searcher.on_trial_complete(trial.trial_id, reports[-1] if reports else None)


def given_space(plan: Plan) -> dict[str, Any]:
    """What a plan's trials have in common, for Tune to put suggested values in.

    The places of these hold nothing: Tune would merge one mapping with another.
    """
    space = trial_space(plan.config, {})
    for place in plan.domains:
        put(space, space_path(place), None)
    return space


def sampler(options: OptunaOptions, number: int) -> "BaseSampler":
    """What suggests a trial, whose randomness follows from its number: a resumed run draws nothing twice.

    Args:
        options: Of `search_alg: optuna`.
        number: How many trials come before it.
    """
    from optuna import samplers

    seed = int(np.random.SeedSequence([options.seed, number]).generate_state(1)[0])
    if options.sampler == "tpe":
        return samplers.TPESampler(seed=seed, n_startup_trials=options.startup, constant_liar=True)
    if options.sampler == "gp":
        return samplers.GPSampler(seed=seed, n_startup_trials=options.startup)
    return samplers.RandomSampler(seed=seed)


def distribution(domain: Domain) -> "BaseDistribution":
    """A search space in Optuna's words; of listed values, which may be anything, their numbers."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if domain.kind in LISTS:
        return CategoricalDistribution(range(len(domain.arguments)))
    low, high = domain.arguments[:2]
    if domain.kind == "randint":
        return IntDistribution(low, high - 1)
    if domain.kind != "quniform":
        return FloatDistribution(low, high, log=domain.kind == "loguniform")
    step = domain.arguments[2]
    whole = all(isinstance(value, int) for value in (low, high, step))
    return (IntDistribution if whole else FloatDistribution)(low, high, step=step)


def _value(domain: Domain, parameter: Any) -> Any:
    """The setting that a parameter of the study stands for."""
    return copy.deepcopy(domain.arguments[parameter]) if domain.kind in LISTS else parameter


def _parameter(domain: Domain, value: Any) -> Any:
    """The parameter of the study that a setting is, as read from JSON."""
    if domain.kind not in LISTS:
        return value
    return [_json(each) for each in domain.arguments].index(_json(value))


def _json(value: Any) -> str:
    """A value as text; 1, 1.0 and true are three of them."""
    return json.dumps(value, sort_keys=True, default=str)
