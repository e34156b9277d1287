"""What `scheduler:` may say of populations, and what a member is told of its own."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from engram.memory.options import Options, boolean, choice, integer, number, numbers, parse_options, section

MOST_MEMBERS = 1000


@dataclass(frozen=True, kw_only=True)
class PaperOptions(Options):
    """A member copies the weights of another at random where a t-test says that it is better.

    Hyperparameters stay each member's own, as in the LP-RNN's paper (arXiv 1805.04955, appendix E): good
    weights wander through them. It says when the first test is, the window and p; the rest is open there.
    """

    members: int | None = integer(
        None, "agents; none: as many as the experiment has trials", low=2, high=MOST_MEMBERS
    )
    first_test: int = integer(30_000, "a member's first test comes after", unit="episodes of its own")
    test_every: int = integer(3_000, "between two tests of a member", unit="episodes of its own")
    window: int = integer(3_000, "whose returns are compared, the last of each", unit="episodes", low=2)
    p_value: float = number(0.05, "a difference counts below it, two-sided", above=0.0, high=1.0)
    copy_optimizer: bool = boolean(False, "whether the optimiser's moments are copied, too")
    correction: str = choice(
        "none",
        "for repeated tests; bonferroni: p_value / (k (k + 1)) in a member's k-th, p_value in all of them",
        ("none", "bonferroni"),
    )
    seed: int = integer(0, "of drawn settings and of who is picked", low=0)


@dataclass(frozen=True, kw_only=True)
class QuantileOptions(Options):
    """The worst members copy the best ones: what `pbt` and `pb2` have in common."""

    members: int | None = integer(
        None, "agents; none: as many as the experiment has trials", low=2, high=MOST_MEMBERS
    )
    interval_timesteps: int = integer(200_000, "between two looks at the others", unit="env steps")
    quantile: float = number(0.25, "share of the members that are worst, and best", above=0.0, high=0.5)
    mutate: dict[str, Any] = section(None, "setting -> search space: what changes, in bounds")  # noqa: RUF009
    burn_in: int = integer(0, "before the first look", unit="env steps", low=0)
    seed: int = integer(0, "of drawn settings, picks and mutations", low=0)


@dataclass(frozen=True, kw_only=True)
class PBTOptions(QuantileOptions):
    """The worst members copy the best ones, and change what they copied (Jaderberg et al. 2017).

    Weights, optimiser and hyperparameters are copied; then those that `mutate` names are multiplied by a
    factor or drawn anew, and hold from the next update on.
    """

    factors: tuple[float, ...] = numbers(
        (0.8, 1.25), "by one of which a number is multiplied", above=0.0, high=100.0
    )
    resample: float = number(0.25, "how often it is drawn anew instead", low=0.0, high=1.0)


@dataclass(frozen=True, kw_only=True)
class PB2Options(QuantileOptions):
    """The worst members copy the best ones, and a Gaussian process says what to try next.

    What each member has gained from one look to the next, under its hyperparameters of that time, is what the
    process learns from; it forgets with time. Those that `mutate` names, ranges all of them, then get the
    values with the highest upper confidence bound (Parker-Holder et al. 2020).
    """

    recent: int = integer(200, "gains that the process learns from, the newest", low=2, high=2000)


POPULATIONS: dict[str, type[PaperOptions] | type[PBTOptions] | type[PB2Options]] = {
    "paper_pbt": PaperOptions,
    "pb2": PB2Options,
    "pbt": PBTOptions,
}
"""Name of a scheduler to its options."""


class Place(NamedTuple):
    """A member's place in its population, `population` in its settings.

    Attributes:
        board: The board's name.
        member: The member's number, from 0.
        members: How many there are.
        shown: Live settings that are searched or mutated: those that a copy may bring along.
        scheduler: As in the experiment, with its `type`.
    """

    board: str
    member: int
    members: int
    shown: tuple[str, ...]
    scheduler: dict[str, Any]

    def options(self) -> PaperOptions | PBTOptions | PB2Options:
        """The scheduler's options."""
        values = {key: value for key, value in self.scheduler.items() if key != "type"}
        return parse_options(POPULATIONS[self.scheduler["type"]], values, "scheduler")
