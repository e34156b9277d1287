"""The members of a population: how many there are, and what each begins with."""

import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engram.agents.columns.live import LIVE, live_keys
from engram.agents.population.options import PaperOptions, PB2Options, Place, QuantileOptions
from engram.agents.population.spaces import drawn
from engram.train.console.errors import Errors, ExperimentError, unknown_key
from engram.train.experiments import older, search
from engram.train.experiments.experiment import Experiment
from engram.train.population.schedulers import parse

MEMBER: search.Path = ("population", "member")
"""Where a trial's settings say which member it is."""


@dataclass(frozen=True)
class Population:
    """Who takes part in an experiment's population.

    Attributes:
        scheduler: As in the experiment, search spaces as Ray Tune does not take them for its own.
        options: The same, checked.
        domains: Values by setting, one for each member; the member's number among them.
        shown: Settings that change, or differ, while they train.
    """

    scheduler: dict[str, Any]
    options: PaperOptions | QuantileOptions
    domains: dict[search.Path, search.Domain]
    shown: tuple[str, ...]

    @property
    def members(self) -> int:
        """How many there are."""
        return len(self.domains[MEMBER].arguments)

    def __str__(self) -> str:
        """Describe it in the header."""
        options = self.options
        if isinstance(options, QuantileOptions):
            kind, first = self.scheduler["type"], max(options.burn_in, options.interval_timesteps)
            return (
                f"{kind}: {self.members} members; from {first:,} env steps on, every "
                f"{options.interval_timesteps:,}, the worst {options.quantile:.0%} copy the best and change "
                f"{', '.join(options.mutate)}"
            )
        return (
            f"paper_pbt: {self.members} members; from episode {options.first_test:,} on, every "
            f"{options.test_every:,}, each copies the weights of another at random if its last "
            f"{options.window:,} returns are better with p < {options.p_value:g}"
        )


def populate(
    experiment: Experiment,
    config: Any,
    domains: Mapping[search.Path, search.Domain],
    check: Callable[[dict[str, Any], Any, str], Any],
) -> Population | None:
    """Find an experiment's population; None where its trials do not copy from each other.

    Args:
        experiment: As written.
        config: From `build_config`, of its first trial.
        domains: Its search spaces.
        check: Checks settings of an AlgorithmConfig, at a dotted path.

    Raises:
        ExperimentError: all that is wrong with `scheduler`, and what a population cannot search.
    """
    options = parse(experiment.scheduler)
    if not isinstance(options, PaperOptions | QuantileOptions) or experiment.scheduler is None:
        return None
    errors = Errors()
    with errors.kept():
        _check_run(experiment, config)
    errors.lines += [
        f"{'.'.join(place)}: a search space, but members of a population copy each other and have one "
        "environment; write an experiment for each"
        for place in domains
        if place[0] in ("env", "env_config")
    ]
    scheduler = dict(experiment.scheduler)
    if isinstance(options, QuantileOptions):
        with errors.kept():
            scheduler["mutate"] = _spaces(options, config, check)
    errors.check()
    count = _count(experiment.num_samples, domains, options.members)
    shown = [place[0] for place in domains if len(place) == 1 and place[0] in LIVE]
    return Population(
        scheduler,
        options,
        _by_member(count, config.seed, options.seed, domains),
        tuple(dict.fromkeys([*shown, *scheduler.get("mutate", ())])),
    )


def join(config: Any, population: Population, board: str) -> None:
    """Make the first member's settings of an AlgorithmConfig.

    Args:
        config: From `build_config`; changed in place.
        population: Whose member it is.
        board: The board's name.
    """
    from engram.agents.population.member import AnsweringMember, Member
    from engram.agents.supervised import SupervisedConfig

    place = Place(board, 0, population.members, population.shown, population.scheduler)
    config.population = place._asdict()
    config.callbacks(AnsweringMember if isinstance(config, SupervisedConfig) else Member)


def _check_run(experiment: Experiment, config: Any) -> None:
    if hasattr(config, "population"):
        return
    raise ExperimentError(
        f"scheduler: {(experiment.scheduler or {})['type']} is for our own algorithms (RecurrentPPO, "
        f"RecurrentA2C, RecurrentIMPALA, Supervised); {experiment.run} is RLlib's own, for which there are: "
        "asha, fifo"
    )


def _spaces(
    options: QuantileOptions, config: Any, check: Callable[[dict[str, Any], Any, str], Any]
) -> dict[str, Any]:
    """`mutate` under today's names, lists as lists, or as the bounds of `pb2`."""
    known, found, errors = live_keys(config), {}, Errors()
    ranges = isinstance(options, PB2Options)
    if not options.mutate:
        raise ExperimentError(f"scheduler.mutate: empty; known: {', '.join(known)}")
    for written, space in options.mutate.items():
        key = str(older.CONFIG.get(written, written))
        path = f"scheduler.mutate.{written}"
        with errors.kept():
            if key not in known:
                raise unknown_key("scheduler.mutate", written, known)
            listed = {"uniform" if ranges else "choice": space} if isinstance(space, list) else space
            kind = search.kind_of(listed)
            if not kind or (ranges and kind in search.LISTS):
                expected = "[lower, upper]" if ranges else "a list of values"
                raise ExperimentError(
                    f"{path}: expected {expected}, or a search space such as {{loguniform: [1e-5, 1e-2]}}, "
                    f"got {space!r}"
                )
            domain = search.split({written: listed}, "scheduler.mutate")[1][(written,)]
            for example in domain.examples():
                if not isinstance(example, int | float) or isinstance(example, bool):
                    raise ExperimentError(f"{path}: expected numbers, got {example!r}")
                check({key: example}, config, "scheduler.mutate")
            values = list(domain.arguments)
            found[key] = values if domain.kind in search.LISTS else {domain.kind: values}
    errors.check()
    return found


def _count(samples: int, domains: Mapping[search.Path, search.Domain], members: int | None) -> int:
    """How many members there are.

    Raises:
        ExperimentError: another number of trials than of members, or too few.
    """
    grid = [domain.points() for domain in domains.values()]
    trials = samples * int(np.prod(grid, dtype=int))
    if members is None and trials < 2:
        raise ExperimentError(
            "scheduler.members: missing, and the experiment has one trial; legal: 2 or more, here or as "
            "num_samples"
        )
    if members is not None and trials not in (1, members):
        raise ExperimentError(
            f"scheduler.members: {members}, but the experiment has {trials} trials (num_samples {samples} x "
            "its grid); keep one of them; to repeat a whole population, start it with another config.seed"
        )
    return trials if members is None else members


def _by_member(
    count: int, seed: Any, draws: int, domains: Mapping[search.Path, search.Domain]
) -> dict[search.Path, search.Domain]:
    """A value for each member of each setting that is searched, and of the seed.

    The grid is dealt out in turn; what is drawn follows from `draws`, the same on every machine.
    """
    grids = {place: domain.arguments for place, domain in domains.items() if domain.kind == "grid_search"}
    points = list(itertools.product(*grids.values()))
    values: dict[search.Path, Sequence[Any]] = {
        place: [points[member % len(points)][index] for member in range(count)]
        for index, place in enumerate(grids)
    }
    for place, domain in domains.items():
        if place not in grids:
            space, name = {domain.kind: list(domain.arguments)}, zlib.crc32(".".join(place).encode())
            values[place] = [drawn(space, np.random.default_rng([draws, name, m])) for m in range(count)]
    if ("seed",) not in domains and isinstance(seed, int):
        values[("seed",)] = [seed + member for member in range(count)]
    nested = [place for place, listed in values.items() if any(_has_space(value) for value in listed)]
    if nested:
        raise ExperimentError(
            f"config.{'.'.join(nested[0])}: a search space inside another: not in a population"
        )
    ordered = {place: search.Domain(search.BY_MEMBER, tuple(values[place])) for place in values}
    return {MEMBER: search.Domain("grid_search", tuple(range(count))), **ordered}


def _has_space(value: Any) -> bool:
    return isinstance(value, dict) and bool(search.split(value, "")[1])
