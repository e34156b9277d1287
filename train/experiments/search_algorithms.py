"""The search algorithms by name, and what `search_alg:` may say of each."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engram.memory.options import Options, choice, integer
from engram.train.console.errors import Errors
from engram.train.experiments import older, search
from engram.train.experiments.experiment import Experiment
from engram.train.experiments.metrics import RETURN
from engram.train.experiments.typed import parse_typed

DEFAULT = "random"


@dataclass(frozen=True, kw_only=True)
class RandomOptions(Options):
    """Every point of the grid, and random draws from all other search spaces; results teach it nothing."""


@dataclass(frozen=True, kw_only=True)
class OptunaOptions(Options):
    """Each trial gets the settings that promise most after the scores of those before it (Akiba et al. 2019).

    A score is the last result's `checkpoint_config.checkpoint_score_attribute`, the larger the better unless
    `checkpoint_score_order` is min, or else its mean return. A trial that fails, or ends without a score,
    counts as failed. Settings of trials that still run are kept away from. A suggestion follows from `seed`,
    its number and the scores known by then. Needs the package optuna.
    """

    sampler: str = choice(
        "tpe",
        "what suggests; tpe: densities of good and bad settings; gp: a Gaussian process, for few trials; "
        "random: draws",
        ("gp", "random", "tpe"),
    )
    startup: int = integer(10, "drawn at random before scores count, of tpe and gp", unit="trials")
    seed: int = integer(0, "of what is drawn", low=0)

    @property
    def drawn(self) -> int | None:
        """How many trials are drawn at random at first; None: all of them."""
        return None if self.sampler == "random" else self.startup


SEARCH_ALGORITHMS: dict[str, type[Options]] = {"optuna": OptunaOptions, "random": RandomOptions}
"""Name to options."""


def parse(search_alg: Mapping[str, Any] | None) -> Options:
    """Check `search_alg:`.

    Args:
        search_alg: As `read_experiments` returns it, with its `type`; None: the default.

    Raises:
        ExperimentError: an unknown search algorithm or key, or a value out of range.
    """
    return parse_typed(search_alg, "search_alg", SEARCH_ALGORITHMS, DEFAULT)


def suggesting(experiment: Experiment) -> OptunaOptions | None:
    """How an experiment's settings are suggested from scores; None where they are not."""
    options = parse(experiment.search_alg)
    return options if isinstance(options, OptunaOptions) else None


def score_of(experiment: Experiment) -> tuple[str, str]:
    """Path of the score in a result, and `max` or `min`: which of two is the better."""
    keeping = experiment.checkpoint_config
    if keeping.checkpoint_score_attribute is None:
        return RETURN, "max"
    return keeping.checkpoint_score_attribute, keeping.checkpoint_score_order


def check_search(experiment: Experiment, domains: Mapping[search.Path, search.Domain]) -> None:
    """Check `search_alg:` against the search spaces of an experiment.

    Args:
        experiment: As written.
        domains: Its search spaces.

    Raises:
        ExperimentError: all that is wrong with it; search spaces that it cannot have; no optuna.
    """
    if suggesting(experiment) is None:
        return
    errors = Errors()
    errors.lines += [line for place, domain in domains.items() if (line := _unfit(place, domain))]
    scheduler = (experiment.scheduler or {}).get("type")
    if scheduler in older.POPULATIONS:
        errors.lines.append(
            f"search_alg: optuna beside scheduler: {scheduler}, whose members all start at once; keep one"
        )
    if not domains:
        errors.lines.append(
            "search_alg: optuna has nothing to search: no setting is a search space, such as "
            "lr: {loguniform: [1e-5, 1e-2]}"
        )
    if importlib.util.find_spec("optuna") is None:
        errors.lines.append("search_alg: optuna needs one more package: pip install 'engram[optuna]'")
    errors.check()


def _unfit(place: search.Path, domain: search.Domain) -> str:
    """Why a search space cannot be suggested from; empty where it can."""
    path = ".".join(place if place == ("env",) else ("config", *place))
    if domain.kind == "grid_search":
        seeds = " (which --seeds makes of it)" if place == ("seed",) else ""
        return (
            f"{path}: a grid_search{seeds}, which search_alg: optuna does not go through; use choice, or "
            "leave search_alg out"
        )
    if any(isinstance(value, dict) and search.split(value, "")[1] for value in domain.arguments):
        return f"{path}: a search space inside another: not with search_alg: optuna"
    return ""
