"""Every step of a player, as it plays sessions. N steps, H units, B lanes, K trials."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from engram.envs.arrays import Array, Flags, Floats, Ints
from engram.envs.ibl.bayes.observer import Observer
from engram.envs.ibl.bayes.stimulus import sigmoid
from engram.envs.ibl.play import Trials

TOLD = ("trial", "block", "trial_in_block", "block_side", "side", "mu", "n_obs", "mask")
"""Entries of `info` that are kept of each step."""


class Network(Protocol):
    """What plays B lanes with a state that can be looked at.

    Attributes:
        hidden: its state after the last observation, (B, H).
        log_odds: of the right side against the left, as its outputs have them, (B,).
        choices: left, right or wait, as it last chose, (B,).
    """

    @property
    def hidden(self) -> Array: ...  # noqa: D102
    @property
    def log_odds(self) -> Floats: ...  # noqa: D102
    @property
    def choices(self) -> Ints: ...  # noqa: D102

    def act(self, observations: Any, resets: Flags, infos: Mapping[str, Any]) -> Array:
        """Choose an action per lane, as `engram.envs.ibl.play.Player`."""


@dataclasses.dataclass(frozen=True)
class Steps:
    """Steps of sessions, session after session.

    Attributes:
        hidden: states after the observation of the step, (N, H).
        columns: by name, each (N,): `session`, `step` (both from 0), `left`, `right`, `reward` (as observed),
            `log_odds`, `TOLD`, and of an observer `stimulus_belief` and `block_belief`, if there was one.
    """

    hidden: Array
    columns: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.hidden)

    @property
    def observations(self) -> Array:
        """Left, right and reward, (N, 3)."""
        return np.stack([self["left"], self["right"], self["reward"]], axis=1)

    @property
    def difference(self) -> Array:
        """What was observed on the right, minus that on the left, (N,)."""
        return self["right"] - self["left"]

    @cached_property
    def follows(self) -> Flags:
        """Whether the row before is the step before, (N,)."""
        same = np.diff(self["session"], prepend=-1) == 0
        return np.asarray(same & (np.diff(self["step"], prepend=-1) == 1))

    @cached_property
    def ends(self) -> Flags:
        """Whether a trial was decided by this step, (N,)."""
        shown, leaves = self["mask"].astype(np.bool_), np.ones(len(self), np.bool_)
        leaves[:-1] = ~shown[1:] | (np.diff(self["trial"]) != 0) | ~self.follows[1:]
        return shown & leaves

    @cached_property
    def answered(self) -> Ints:
        """Rows that decided a trial whose result is seen in the row after, (K,)."""
        ends = np.flatnonzero(self.ends[:-1])
        return ends[self.follows[ends + 1]]

    def where(self, kept: Flags) -> Steps:
        """Return some of the steps; `kept` is (N,)."""
        return Steps(self.hidden[kept], {name: values[kept] for name, values in self.columns.items()})

    def lanes(self) -> list[slice]:
        """Return the rows of each session."""
        starts = np.flatnonzero(np.diff(self["session"], prepend=-1) != 0).tolist()
        return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], len(self)], strict=True)]


class Watched:
    """A player all of whose steps are kept, and an observer that sees what it sees.

    Args:
        network: what plays.
        observer: what believes, from the same observations, and never acts.
        states: whether its states are kept, too; else they have no units.
    """

    def __init__(self, network: Network, observer: Observer, states: bool = True) -> None:
        self._network, self._observer, self._states = network, observer, states
        self._rows: list[dict[str, Array]] = []
        self._hidden: list[Array] = []
        self._sessions: Ints = np.full(observer.lanes, -1)
        self._chosen: Ints = np.zeros(observer.lanes, np.int64)

    @property
    def stimulus_belief(self) -> Floats:
        """Probability of the right side among the two, (B,)."""
        return sigmoid(self._network.log_odds)

    def act(self, observations: Any, resets: Flags, infos: Mapping[str, Any]) -> Array:
        """Let the network choose, and keep the step."""
        seen = raw(observations)
        self._observer.observe(seen, resets, self._chosen, infos)
        actions = self._network.act(observations, resets, infos)
        self._chosen = self._network.choices
        self._sessions = self._sessions + resets
        hidden = self._network.hidden if self._states else np.zeros((len(seen), 0))
        self._hidden.append(np.array(hidden, np.float32))
        told = {name: np.array(infos[name]) for name in TOLD}
        self._rows.append(
            told
            | dict(zip(("left", "right", "reward"), seen.T.astype(np.float64), strict=True))
            | {
                "log_odds": np.array(self._network.log_odds, np.float64),
                "first_session": self._sessions == 0,
                "stimulus_belief": self._observer.stimulus_belief.copy(),
                "block_belief": self._observer.block_belief.copy(),
            }
        )
        return actions

    def steps(self, dropped: int = 0) -> Steps:
        """Return the steps of the first session of each lane, but for its first `dropped` ones."""
        columns = {name: np.stack([row[name] for row in self._rows], axis=1) for name in self._rows[0]}
        lanes, times = columns["left"].shape
        columns["session"], columns["step"] = np.indices((lanes, times))
        kept = columns.pop("first_session") & (columns["step"] >= dropped)
        hidden = np.stack(self._hidden, axis=1)[kept]
        return Steps(hidden, {name: values[kept] for name, values in columns.items()})


def raw(observations: Any) -> Array:
    """Return what the task itself shows, (B, 3), of what a network is given."""
    return np.asarray(observations["observation"] if isinstance(observations, Mapping) else observations)


def trials_after(trials: Trials, dropped: int) -> Trials:
    """Return the trials that began after the first `dropped` steps of their session.

    Args:
        trials: from `engram.envs.ibl.play.play_sessions`.
        dropped: env steps.
    """
    ends = np.cumsum(trials["steps"])
    begins = ends - trials["steps"]
    starts = begins[np.searchsorted(trials["session"], trials["session"])]  # of the session
    kept = begins - starts >= dropped
    return {name: values[kept] for name, values in trials.items()}
