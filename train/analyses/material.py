"""What pictures are drawn from: sessions of a network, and of Bayesian players in the same sessions.

N steps, H numbers of a state, B lanes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from engram.envs.arrays import Array
from engram.envs.ibl.analyses.distillation import TwoUnits, distil, scaled
from engram.envs.ibl.analyses.plane import Plane, fit_plane
from engram.envs.ibl.analyses.readouts import Readout, Readouts, decode_block, find_readouts
from engram.envs.ibl.analyses.recording import Steps, Watched, trials_after
from engram.envs.ibl.batched import BatchedIBL
from engram.envs.ibl.bayes import Observer
from engram.envs.ibl.play import Player, Trials, play_sessions
from engram.envs.ibl.players import PLAYERS
from engram.envs.ibl.rules import IBLRules
from engram.envs.ibl.table import session_table
from engram.train.analyses.network import NO_STATE, ActingNetwork, Dynamics
from engram.train.console.errors import ExperimentError
from engram.train.evaluation import TrainedAgent

if TYPE_CHECKING:
    from pandas import DataFrame

DROPPED = 200
"""Env steps at the start of each session that are left out: the state begins at 0, the block is unknown."""

BLOCKS = 10
"""Of a session."""

MOST_UNITS = 1024
"""Numbers of a state; larger ones are not kept."""

MOST_NUMBERS = 40_000_000
"""Of states that are looked at: N times H."""

BASELINES: Mapping[str, str] = {
    "exact actor": "exact",
    "paper's formulas": "markov",
    "code's actor": "legacy",
    "told the block": "oracle_block",
    "average of sides": "exponential_average",
    "no blocks": "blockless",
    "best per trial": "stopping_per_trial",
    "best per step": "stopping_per_step",
}
"""Name in pictures -> one of `engram.envs.ibl.players.PLAYERS`."""

NETWORK, OBSERVER, MOUSE = "network", "exact observer", "mouse"


class Layout(NamedTuple):
    """Which sessions are played.

    Attributes:
        lanes: sessions, side by side.
        blocks: of each session.
        seed: of the environment.
    """

    lanes: int
    blocks: int
    seed: int


def layout_of(blocks: int, seed: int) -> Layout:
    """Return sessions of about `BLOCKS` blocks that have so many in all, or a few more."""
    lanes = max(1, blocks // BLOCKS)
    return Layout(lanes, -(-blocks // lanes), seed)


@dataclasses.dataclass(eq=False)
class Material:
    """What a network did, and what follows from it; each part is found out when it is first asked for.

    Attributes:
        agent: the network.
        rules: of its task.
        layout: of the sessions.
        mouse: trials of a mouse; None: none.
    """

    agent: TrainedAgent
    rules: IBLRules
    layout: Layout
    mouse: DataFrame | None = None
    _baselines: dict[str, DataFrame] = dataclasses.field(default_factory=dict, init=False)
    _why_no_states: str = dataclasses.field(default=NO_STATE, init=False)

    @cached_property
    def _played(self) -> tuple[Steps, Trials]:
        torch.manual_seed(self.layout.seed)
        with closing(self.agent.make_envs(self.layout.lanes)) as envs:
            network = ActingNetwork(self.agent, envs)
            units = network.hidden.shape[1]
            self._why_no_states = (
                f"a state of {units:,} numbers is too large; at most {MOST_UNITS:,}" if units else NO_STATE
            )
            observer = Observer(self.layout.lanes, self.rules)
            watched = Watched(network, observer, states=units <= MOST_UNITS)
            trials = play_sessions(watched, envs, self.layout.lanes, self.layout.seed)
        return watched.steps(), trials

    def play_network(self) -> None:
        """Let the network play its sessions now, so that what is wrong with that is no picture's fault."""
        _ = self._played

    @cached_property
    def steps(self) -> Steps:
        """Steps whose states are looked at: those of as many sessions as `MOST_NUMBERS` allow.

        Raises:
            ValueError: The network has no state, or one that is too large.
        """
        steps, _ = self._played
        units = steps.hidden.shape[1]
        if not units:
            raise ValueError(self._why_no_states)
        sessions = max(1, int(MOST_NUMBERS * self.layout.lanes / steps.hidden.size))
        return steps.where(
            (steps["step"] >= DROPPED) & (steps["session"] < sessions) & (steps["block_side"] != 0)
        )

    @cached_property
    def trials(self) -> DataFrame:
        """Trials of the network; `block_belief` is what a classifier reads from its states, if it has any."""
        steps, trials = self._played
        try:
            vector, offset = self.block_at_ends
        except ValueError:
            return _table(trials)
        log_odds = steps.hidden[steps.ends] @ vector + offset
        return _table(trials | {"block_belief": 0.5 * (1 + np.tanh(0.5 * log_odds))})

    @cached_property
    def observer(self) -> DataFrame:
        """The network's trials, as the exact observer would have decided them where the network did."""
        steps, trials = self._played
        ends, told = np.flatnonzero(steps.ends), steps.answered
        believed = np.full(len(steps), np.nan)
        believed[told] = steps["block_belief"][told + 1]
        response = np.where(steps["stimulus_belief"][ends] > 0.5, 1, -1)
        decided = {
            "response": response,
            "acted": np.ones(len(ends), np.bool_),
            "timeout": np.zeros(len(ends), np.bool_),
            "correct": response == trials["side"],
            "block_belief": believed[ends],
        }
        return _table(trials | decided)

    def play(self, player: Player) -> DataFrame:
        """Let somebody else play the same sessions, and return the trials."""
        settings = dataclasses.asdict(self.rules)
        with closing(BatchedIBL(self.layout.lanes, **settings)) as envs:
            return _table(play_sessions(player, envs, self.layout.lanes, self.layout.seed))

    def baseline(self, name: str) -> DataFrame:
        """Return the trials of a Bayesian player, one of `BASELINES`, or of the observer."""
        if name == OBSERVER:
            return self.observer
        if name not in self._baselines:
            player = PLAYERS[BASELINES[name]](self.layout.lanes, self.rules)
            self._baselines[name] = self.play(player)
        return self._baselines[name]

    def everybody(self, names: Iterable[str] = (OBSERVER, *BASELINES)) -> dict[str, DataFrame]:
        """Return the trials of the network, of some Bayesian players, and of a mouse where there is one."""
        mouse = {} if self.mouse is None else {MOUSE: self.mouse}
        return {NETWORK: self.trials} | {name: self.baseline(name) for name in names} | mouse

    @cached_property
    def ends(self) -> Steps:
        """The steps that decided a trial, among `steps`."""
        return self.steps.where(self.steps.ends)

    @cached_property
    def block_at_ends(self) -> Readout:
        """A classifier of the block from states at the ends of trials, blocks held out whole."""
        ends = self.ends
        return decode_block(
            ends.hidden, ends["block_side"], block_numbers(ends), seed=self.layout.seed
        ).readout

    @cached_property
    def plane(self) -> Plane:
        """The plane of the first two principal components."""
        return fit_plane(self.steps.hidden, self.steps["log_odds"], self.steps["block_side"])

    @cached_property
    def readouts(self) -> Readouts:
        """Readouts of stimulus and block."""
        steps = self.steps
        return find_readouts(
            self.plane, steps.hidden, steps["log_odds"], steps["block_side"], self.layout.seed
        )

    @cached_property
    def block_by_moment(self) -> dict[str, Readout]:
        """Readouts of the block in the plane, each fitted to steps of one kind alone."""
        shown = self.steps["mask"].astype(np.bool_)
        moments = {"with a stimulus": shown, "ends of trials": self.steps.ends, "blank steps": ~shown}
        points, side = self.plane.project(self.steps.hidden), self.steps["block_side"]
        return {
            name: decode_block(points[kept], side[kept], seed=self.layout.seed).readout
            for name, kept in moments.items()
            if kept.any()
        }

    @cached_property
    def beliefs(self) -> Array:
        """States along both readouts, scaled into -1 to 1, (N, 2)."""
        return scaled(self.readouts.coordinates(self.steps.hidden))

    @cached_property
    def two_units(self) -> TwoUnits:
        """The network distilled by regression."""
        return distil(self.beliefs, self.steps.observations, self.steps.follows, self.layout.seed)

    @cached_property
    def dynamics(self) -> Dynamics:
        """How its state moves on."""
        return Dynamics(self.agent)


def _table(trials: Trials) -> DataFrame:
    """Return a table of the trials that are looked at."""
    return session_table(trials_after(trials, DROPPED))


def block_numbers(steps: Steps) -> Array:
    """Return a number for each block, the same for all of its steps, (N,)."""
    return np.asarray(steps["session"] * (steps["block"].max() + 1) + steps["block"])


def make_material(agent: TrainedAgent, blocks: int, seed: int, mouse: DataFrame | None = None) -> Material:
    """Prepare the analyses of a network; nothing is played yet.

    Args:
        agent: from `load_agent`.
        blocks: to be played, in all.
        seed: of the environment and of all that is drawn.
        mouse: trials to be drawn beside the models.

    Raises:
        ExperimentError: It is of another task, or acts in another way.
    """
    layout = layout_of(blocks, seed)
    _rules(agent)  # a task of another kind has no such setting
    longer = agent.with_settings({"blocks_per_session": layout.blocks})
    return Material(longer, _rules(longer), layout, mouse)


def _rules(agent: TrainedAgent) -> IBLRules:
    """Return the rules of the task that a network plays, and see that it can.

    Raises:
        ExperimentError: It is of another task, or acts in another way.
    """
    with closing(agent.make_envs(1)) as envs:
        rules = getattr(envs.unwrapped, "rules", None)
        if not isinstance(rules, IBLRules):
            raise ExperimentError(f"{agent.checkpoint}: plays {agent.env_id}; legal: engram/IBL-v0")
        ActingNetwork(agent, envs)
        return rules
