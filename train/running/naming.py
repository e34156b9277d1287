"""What the folders of trials are called: `RecurrentPPO_TMaze-v0_lr=0.001_seed=2_1a2b3_00002`."""

import copy
from collections.abc import Mapping
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from typing_extensions import override

from engram.train.console.files import ABSENT, find
from engram.train.experiments.search import BY_MEMBER, Domain, Path, put
from engram.train.plans.build import space_path
from engram.train.running.trials import env_name
from engram.train.runs.labels import differing, label, short_keys

ENV: Path = ("env",)


class TrialNames:
    """Names the trials of an experiment by the settings that differ between them."""

    def __init__(self, domains: Mapping[Path, Domain]) -> None:
        self.keys = short_keys(differing(domains))
        self._by_member = {place: each for place, each in domains.items() if each.kind == BY_MEMBER}

    def settings(self, trial: Trial) -> dict[Path, Any]:
        """Return the settings in which trials differ, as far as this trial has them."""
        config = self._of_member(trial)
        found = {place: find(config, space_path(place), ABSENT) for place in self.keys}
        found |= {ENV: env_name(trial)} if ENV in found else {}
        return {place: value for place, value in found.items() if value is not ABSENT}

    def _of_member(self, trial: Trial) -> Mapping[str, Any]:
        """A trial's settings; Tune names the folder before it has put in those of a member."""
        config: dict[str, Any] = copy.deepcopy(trial.config) if self._by_member else trial.config
        for place, domain in self._by_member.items():
            put(config, space_path(place), domain.arguments[config["population"]["member"]])
        return config

    def label(self, trial: Trial) -> str:
        """Return a trial's label in tables, `lr=0.001 seed=2`; empty where trials do not differ."""
        return " ".join(label(self.settings(trial), self.keys))

    def folder(self, trial: Trial) -> str:
        """Return the name of a trial's folder; its id makes it unique."""
        settings = {place: value for place, value in self.settings(trial).items() if place != ENV}
        return "_".join(
            [str(trial.trainable_name), env_name(trial), *label(settings, self.keys), trial.trial_id]
        )


class TagTrials(Callback):  # type: ignore[misc]
    """Sets Tune's tag of a trial, which tables and reports show, to its label."""

    def __init__(self, names: TrialNames) -> None:
        self.names = names

    @override
    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Set it; its number, which counts the trials, stays."""
        number, _, _ = str(trial.experiment_tag).partition("_")
        trial.set_experiment_tag(f"{number}_{self.names.label(trial)}".rstrip("_"))
