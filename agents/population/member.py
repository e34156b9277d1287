"""A member of a population: what it remembers, and what it does with each of its results."""

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import ray
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS

from engram.agents.columns.episodes import EPISODES, Episode, as_records
from engram.agents.columns.live import current, set_live
from engram.agents.columns.results import ResultCallbacks
from engram.agents.population.board import Seat, Standing, fetch
from engram.agents.population.copying import learned, take_over
from engram.agents.population.options import Place
from engram.agents.population.rules import rule_of
from engram.agents.supervised.algorithm import SupervisedCallbacks
from engram.agents.supervised.learner import JUDGED, SOLVED

TESTS = "population"
"""Key of a result: the looks at others since the last one, and how many looks and copies there were."""


class Membership:
    """What a member remembers of its population's business.

    Attributes:
        window: Returns of its last episodes, under its present weights.
        episodes: How many of its own have counted.
        looks: How often it has looked at the others.
        copies: How often it has copied.
        due: When it looks next, episodes or env steps, as its rule counts.
        values: Hyperparameters that it goes on with in place of those in its settings.
        gains: See `Standing`.
        level: Env steps and mean return that the next gain counts from; None: before the first look.
    """

    def __init__(self, place: Place, default_window: int) -> None:
        """Starts as a new member.

        Args:
            place: Its place.
            default_window: Episodes that its results look back on.
        """
        self.place, self.rule = place, rule_of(place)
        self.seat = Seat(place.board)
        self.window: deque[float] = deque(maxlen=self.rule.window or default_window)
        self.episodes = self.looks = self.copies = 0
        self.due = self.rule.first
        self.values: dict[str, float] = {}
        self.gains: list[tuple[int, float, dict[str, float]]] = []
        self.level: tuple[int, float] | None = None

    def get_state(self) -> dict[str, Any]:
        """All of it, for checkpoints."""
        kept = ("episodes", "looks", "copies", "due", "values", "gains", "level")
        return {"window": list(self.window), **{name: getattr(self, name) for name in kept}}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restores what `get_state` returned."""
        self.window.clear()
        self.window.extend(state["window"])
        for name, value in state.items():
            if name != "window":
                setattr(self, name, value)

    def count(self, scores: list[float]) -> None:
        """Takes in the returns of episodes that have ended."""
        self.window.extend(scores)
        self.episodes += len(scores)

    def post(self, algorithm: Algorithm, env_steps: int) -> Standing:
        """Posts how it stands."""
        standing = Standing(
            self.place.member,
            env_steps,
            np.array(self.window, np.float64),
            current(algorithm.config, env_steps),
            [ray.put(learned(algorithm))],
            self.gains,
        )
        self.seat.post(standing)
        return standing

    def is_due(self, env_steps: int) -> bool:
        """Whether it is time to look at the others; the next time is set then."""
        now = self.episodes if self.rule.by_episodes else env_steps
        if now < self.due:
            return False
        self.due += self.rule.every * ((now - self.due) // self.rule.every + 1)
        return True

    def look(self, algorithm: Algorithm, own: Standing, iteration: int) -> dict[str, Any]:
        """Looks at the others, copies one if it is to, and says what came of it."""
        self.looks += 1
        self._gain(own)  # into the list that `own` holds, too
        standings = {**self.seat.standings(), own.member: own}
        choice = self.rule.choose(own, standings, self.looks)
        donor = standings.get(choice.donor) if choice.donor is not None else None
        copies, why = choice.copies, choice.why
        if copies and donor is not None:
            state = fetch(donor)
            copies, why = state is not None, "" if state is not None else "its weights are gone with it"
            if state is not None:
                self._copy(algorithm, donor, state, standings)
        return {
            "member": self.place.member,
            "look": self.looks,
            "donor": choice.donor,
            "copied": copies,
            "why": why,
            "env_steps": own.env_steps,
            "episodes": self.episodes,
            "iteration": iteration,
            "p": choice.p,
            **_described(own, ""),
            **(_described(donor, "donor_") if donor is not None else {}),
            "before": own.values,
            "after": current(algorithm.config, own.env_steps),
        }

    def _gain(self, own: Standing) -> None:
        """Notes what has been gained since the last look, in an interval between two, where a rule asks."""
        if not self.rule.recent or math.isnan(own.mean):
            return
        if self.level is not None:
            steps, mean = self.level
            gain = (own.mean - mean) * self.rule.every / max(own.env_steps - steps, 1)
            self.gains.append((own.env_steps, gain, own.values))
            del self.gains[: -self.rule.recent]
        self.level = (own.env_steps, own.mean)

    def _copy(
        self,
        algorithm: Algorithm,
        donor: Standing,
        state: Mapping[str, Any],
        standings: Mapping[int, Standing],
    ) -> None:
        take_over(algorithm, state, self.rule.copies_optimizer)
        own = standings[self.place.member]
        self.values |= self.rule.values(donor, standings, self.looks)
        set_live(algorithm, self.values)
        self.level = (own.env_steps, donor.mean)
        self.copies += 1
        self.window.clear()


def _described(standing: Standing, prefix: str) -> dict[str, Any]:
    facts = {
        "mean": standing.mean if len(standing.returns) else None,
        "n": len(standing.returns),
        "env_steps": standing.env_steps,
    }
    return {f"{prefix}{name}": value for name, value in facts.items()}


class Member(ResultCallbacks):
    """Callbacks of an algorithm that is a member of a population; see `Membership`."""

    _membership: Membership | None = None
    _algorithm: Algorithm | None = None

    def on_algorithm_init(self, *, algorithm: Algorithm, **others: Any) -> None:
        """Takes its place."""
        super().on_algorithm_init(algorithm=algorithm, **others)
        place = Place(**algorithm.config.population)
        self._membership = Membership(place, algorithm.config.metrics_num_episodes_for_smoothing)
        self._algorithm = algorithm

    @property
    def membership(self) -> Membership:
        """What the member remembers."""
        if self._membership is None:
            raise ValueError("population: not begun")
        return self._membership

    def get_state(self) -> dict[str, Any]:
        """What the member remembers, too."""
        return {**super().get_state(), "population": self.membership.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores what `get_state` returned, and goes on with its hyperparameters."""
        super().set_state(state)
        if "population" in state and self._algorithm is not None:
            self.membership.set_state(state["population"])
            set_live(self._algorithm, self.membership.values)

    def scores(self, result: dict[str, Any]) -> list[float]:
        """Returns of the episodes that have ended since the last result.

        Args:
            result: Before it is completed.
        """
        played = result.get(ENV_RUNNER_RESULTS, {}).get(EPISODES, ())
        return [episode.episode_return for episode in as_records(played, Episode)]

    def on_train_result(self, *, algorithm: Algorithm, result: dict[str, Any], **others: Any) -> None:
        """Completes the result, posts how the member stands, and looks at the others where it is time."""
        scores = self.scores(result)
        super().on_train_result(algorithm=algorithm, result=result, **others)
        member, env_steps = self.membership, result["timesteps_total"]
        member.count(scores)
        own = member.post(algorithm, env_steps)
        iteration = int(result["training_iteration"])
        found = [member.look(algorithm, own, iteration)] if member.is_due(env_steps) else []
        if found and found[0]["copied"]:
            self.forget_episodes()
        result["hyperparameters"] = own.values
        result[TESTS] = {"found": found, "looks": member.looks, "copies": member.copies}


class AnsweringMember(Member, SupervisedCallbacks):
    """The same under `Supervised`, where the share of right answers in a report stands for an episode."""

    def scores(self, result: dict[str, Any]) -> list[float]:
        """The share of right answers since the last result, where any were asked for."""
        learned_from = result.get(LEARNER_RESULTS, {}).get(DEFAULT_MODULE_ID, {})
        judged = learned_from.get(JUDGED, 0)
        return [float(learned_from[SOLVED] / judged)] if judged else []
