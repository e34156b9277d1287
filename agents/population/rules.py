"""When a member looks at the others, whom it copies, and what it changes then."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engram.agents.population.board import Standing
from engram.agents.population.options import PaperOptions, PB2Options, PBTOptions, Place, QuantileOptions
from engram.agents.population.significance import compare, corrected
from engram.agents.population.spaces import at, clamped, drawn, perturbed, share_of
from engram.agents.population.surrogate import Surrogate


class Choice(NamedTuple):
    """What a look at the others comes to.

    Attributes:
        donor: Who was looked at; None: nobody.
        copies: Whether it is copied.
        why: Why not, in words; empty where it is.
        p: Of a test; None where there was none.
    """

    donor: int | None
    copies: bool
    why: str
    p: float | None = None


class Rule(ABC):
    """One of the schedulers, for one member.

    Attributes:
        window: Episodes of which a member's returns are posted; None: as many as its results look back on.
        copies_optimizer: Whether the optimiser goes along with the weights.
        by_episodes: Whether looks are counted in the member's own episodes, and not in env steps.
        first: When the first look is.
        every: How long after it the next one is.
        recent: Gains between looks that members remember and tell of.
    """

    window: int | None
    copies_optimizer: bool
    by_episodes: bool
    first: int
    every: int
    recent: int = 0

    def __init__(self, place: Place) -> None:
        self.place = place

    def generator(self, look: int) -> np.random.Generator:
        """Random numbers of a member's look, the same in every run.

        Args:
            look: Its number, from 1.
        """
        return np.random.default_rng([self.place.options().seed, self.place.member, look])

    @abstractmethod
    def choose(self, own: Standing, standings: Mapping[int, Standing], look: int) -> Choice:
        """Chooses whom to copy, if anyone.

        Args:
            own: How the member itself stands.
            standings: How all stand that have posted, by member; `own` is among them.
            look: The number of the look, from 1.
        """

    def values(self, donor: Standing, standings: Mapping[int, Standing], look: int) -> dict[str, float]:
        """Hyperparameters to go on with after a copy; empty: as before.

        Args:
            donor: Who is copied.
            standings: As in `choose`.
            look: As in `choose`.
        """
        return {}


class PaperRule(Rule):
    """Weights of another at random that a t-test finds better; see `PaperOptions`."""

    by_episodes = True

    def __init__(self, place: Place, options: PaperOptions) -> None:
        super().__init__(place)
        self.options = options
        self.window, self.copies_optimizer = options.window, options.copy_optimizer
        self.first, self.every = options.first_test, options.test_every

    def choose(self, own: Standing, standings: Mapping[int, Standing], look: int) -> Choice:
        """Picks another uniformly, whether it has posted or not, and compares returns."""
        donor = (own.member + 1 + int(self.generator(look).integers(self.place.members - 1))) % (
            self.place.members
        )
        if donor not in standings:
            return Choice(donor, False, "it has not reported yet, or is gone")
        limit = corrected(self.options.p_value, self.options.correction, look)
        found = compare(own.returns, standings[donor].returns, limit)
        return Choice(donor, found.better, found.why, found.p)


class QuantileRule(Rule):
    """The worst members copy the best, and change what they copied; see `QuantileOptions`."""

    by_episodes = False
    window = None
    copies_optimizer = True

    def __init__(self, place: Place, options: QuantileOptions) -> None:
        super().__init__(place)
        self.quantile, self.spaces = options.quantile, options.mutate
        self.every = options.interval_timesteps
        self.first = max(options.burn_in, self.every)

    def choose(self, own: Standing, standings: Mapping[int, Standing], look: int) -> Choice:
        """Copies one of the best quantile where the member is in the worst one, by mean returns."""
        ranked = ranking(list(standings.values()))
        count = min(math.ceil(len(ranked) * self.quantile), len(ranked) // 2)
        members = [standing.member for standing in ranked]
        if math.isnan(own.mean):
            return Choice(None, False, "no episode of its own has ended")
        if count == 0:
            return Choice(None, False, "nobody else has ended an episode")
        if own.member not in members[:count]:
            return Choice(None, False, f"not among the {count} worst of {len(ranked)}")
        donor = int(self.generator(look).choice(members[-count:]))
        if not standings[donor].mean > own.mean:
            return Choice(donor, False, "equal means")
        return Choice(donor, True, "")

    def values(self, donor: Standing, standings: Mapping[int, Standing], look: int) -> dict[str, float]:
        """The donor's hyperparameters, those of `mutate` changed."""
        generator = self.generator(look)
        generator.integers(2)  # the first draw was the pick
        taken = {key: value for key, value in donor.values.items() if key in self.place.shown}
        return {**taken, **self.changed(donor, standings, generator)}

    @abstractmethod
    def changed(
        self, donor: Standing, standings: Mapping[int, Standing], generator: np.random.Generator
    ) -> dict[str, float]:
        """New values of those that `mutate` names.

        Args:
            donor: Who is copied.
            standings: As in `choose`.
            generator: Random numbers.
        """


class PBTRule(QuantileRule):
    """Values near the donor's, or drawn anew; see `PBTOptions`."""

    def __init__(self, place: Place, options: PBTOptions) -> None:
        super().__init__(place, options)
        self.factors, self.resample = options.factors, options.resample

    def changed(
        self, donor: Standing, standings: Mapping[int, Standing], generator: np.random.Generator
    ) -> dict[str, float]:
        """Each by itself: multiplied by a factor, or drawn anew."""
        return {
            key: self._mutated(space, donor.values.get(key), generator) for key, space in self.spaces.items()
        }

    def _mutated(self, space: Any, value: float | None, generator: np.random.Generator) -> float:
        if value is None or generator.random() < self.resample:
            return float(drawn(space, generator))
        return float(clamped(space, perturbed(space, value, self.factors, generator)))


class PB2Rule(QuantileRule):
    """Values that promise the largest gain; see `PB2Options`."""

    def __init__(self, place: Place, options: PB2Options) -> None:
        super().__init__(place, options)
        self.recent = options.recent

    def changed(
        self, donor: Standing, standings: Mapping[int, Standing], generator: np.random.Generator
    ) -> dict[str, float]:
        """All together, from what every member has gained; drawn until two gains are known."""
        gains = [gain for s in standings.values() for gain in s.gains if self._knows(gain[2])]
        gains = sorted(gains, key=lambda gain: gain[0])[-self.recent :]
        if len(gains) < 2:
            return {key: float(drawn(space, generator)) for key, space in self.spaces.items()}
        surrogate = Surrogate(
            np.array([self._shares(values) for _, _, values in gains]),
            np.array([env_steps / self.every for env_steps, _, _ in gains]),
            np.array([gain for _, gain, _ in gains]),
        )
        others = [s.values for s in standings.values() if s.member != self.place.member]
        used = [self._shares(values) for values in others if self._knows(values)]
        pending = np.array(used).reshape(-1, len(self.spaces))
        now = standings[self.place.member].env_steps / self.every
        chosen = surrogate.promising(now, pending, generator)
        return {key: float(at(space, c)) for (key, space), c in zip(self.spaces.items(), chosen, strict=True)}

    def _knows(self, values: Mapping[str, float]) -> bool:
        """Whether there is a number for each that `mutate` names; one that is off has none."""
        return all(values.get(key) is not None for key in self.spaces)

    def _shares(self, values: Mapping[str, float]) -> list[float]:
        return [share_of(space, values[key]) for key, space in self.spaces.items()]


def ranking(standings: Sequence[Standing]) -> list[Standing]:
    """Those with a mean return, the worst first; of equals, those with a smaller number."""
    known = [standing for standing in standings if math.isfinite(standing.mean)]
    return sorted(known, key=lambda standing: (standing.mean, standing.member))


def rule_of(place: Place) -> Rule:
    """The rule of a member's population."""
    options = place.options()
    if isinstance(options, PB2Options):
        return PB2Rule(place, options)
    return PBTRule(place, options) if isinstance(options, PBTOptions) else PaperRule(place, options)
