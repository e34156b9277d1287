"""The schedulers by name, and what `scheduler:` may say of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engram.agents.population.options import POPULATIONS
from engram.memory.options import Options, integer
from engram.train.experiments.typed import parse_typed

DEFAULT = "fifo"


@dataclass(frozen=True, kw_only=True)
class FIFOOptions(Options):
    """Every trial runs to its end, first come, first served."""


@dataclass(frozen=True, kw_only=True)
class ASHAOptions(Options):
    """Trials that are worse than others at the same env steps end early (Li et al. 2020).

    At `grace_period` env steps, and at each power of `reduction_factor` times that, a trial ends unless its
    mean return is among the best 1 / `reduction_factor` of those that have come so far. Ray Tune's own.
    """

    grace_period: int = integer(100_000, "before a trial may end", unit="env steps")
    max_t: int = integer(2**31, "after which no trial is judged any more", unit="env steps")
    reduction_factor: int = integer(4, "one of so many goes on at each rung", low=2)


SCHEDULERS: dict[str, type[Options]] = {"asha": ASHAOptions, "fifo": FIFOOptions, **POPULATIONS}
"""Name to options."""


def parse(scheduler: Mapping[str, Any] | None) -> Options:
    """Check `scheduler:`.

    Args:
        scheduler: As `read_experiments` returns it, with its `type`; None: the default.

    Raises:
        ExperimentError: an unknown scheduler or key, or a value out of range.
    """
    return parse_typed(scheduler, "scheduler", SCHEDULERS, DEFAULT)
