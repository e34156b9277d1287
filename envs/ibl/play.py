"""A player plays sessions, and their trials are kept, a row for each. B lanes, N trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from engram.envs.arguments import check_at_least
from engram.envs.arrays import Array, Flags, Ints

Trials = dict[str, Array]
"""Columns by name, each (N,): those of `COLUMNS`, and the beliefs of a player that has them."""

TOLD = (
    *("trial", "block", "trial_in_block", "block_side", "side", "mu", "signed_contrast", "concordant"),
    "n_obs",
)
"""Columns that are entries of `info` at the step that decides a trial."""

OUTCOMES = ("acted", "correct", "timeout")
COLUMNS = ("session", *TOLD, "steps", "response", *OUTCOMES, "reward")
"""`session` counts sessions; `steps` are env steps since the trial before was decided, `reward` their sum of
rewards; `response` is -1 left, 1 right, 0 a timeout."""

BELIEFS = ("stimulus_belief", "block_belief")
"""P(right) of the stimulus at the step that decides a trial, and of the block once its result is seen,
else NaN."""


class Player(Protocol):
    """What plays B lanes."""

    def act(self, observations: Array, resets: Flags, infos: Mapping[str, Any]) -> Array:
        """Choose an action per lane.

        Args:
            observations: (B, 3).
            resets: lanes in which a session begins with this observation, bool (B,).
            infos: that came with the observations.
        """


def play_sessions(player: Player, envs: VectorEnv[Any, Any, Any], sessions: int, seed: int = 0) -> Trials:
    """Play sessions, and return their trials; every lane plays as many sessions as the others, or one less.

    Args:
        player: made with as many lanes as `envs`; it may have the attributes `BELIEFS`.
        envs: lanes of `engram/IBL-v0` that begin anew in the step that ends a session (SAME_STEP).
        sessions: how many.
        seed: of the environment.

    Raises:
        ValueError: lanes begin anew in another way, or there is no session to play.
    """
    check_at_least("sessions", sessions, 1, ">= 1 sessions")
    if envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
        raise ValueError("envs: lanes have to begin anew in the step that ends a session; legal: SAME_STEP")
    log = _Log(player, envs.num_envs, sessions)
    observations, infos = envs.reset(seed=seed)
    resets = np.ones(envs.num_envs, np.bool_)
    while log.wanting:
        actions = player.act(observations, resets, infos)
        log.see_results(resets)
        observations, rewards, terminated, truncated, now = envs.step(actions)
        resets = terminated | truncated
        log.step(infos, rewards, resets, now)
        infos = now
    return log.trials()


class _Log:
    """Collects the trials of B lanes."""

    def __init__(self, player: Player, lanes: int, sessions: int) -> None:
        share, rest = divmod(sessions, lanes)
        self._left = share + (np.arange(lanes) < rest)
        self._session, self._next = np.arange(lanes), lanes
        self._steps, self._rewards = np.zeros(lanes, np.int64), np.zeros(lanes)
        self._player = player
        self._beliefs = [name for name in BELIEFS if hasattr(player, name)]
        self._rows: list[Trials] = []
        self._decided: Ints = np.zeros(0, np.int64)  # lanes whose result is seen next

    @property
    def wanting(self) -> bool:
        """Whether there are sessions to play."""
        return bool(self._left.any())

    def see_results(self, resets: Flags) -> None:
        """Note what the player believes of blocks now that it has seen the last step's results."""
        if self._decided.size and "block_belief" in self._beliefs:
            believed = self._belief("block_belief", self._decided)
            self._rows[-1]["block_belief"] = np.where(resets[self._decided], np.nan, believed)

    def step(self, infos: Mapping[str, Any], rewards: Array, ended: Flags, now: Mapping[str, Any]) -> None:
        """Take in a step: the infos before it, and what came of it."""
        self._steps += 1
        self._rewards += rewards
        outcomes = {name: self._outcome(now, name, ended) for name in ("trial_end", *OUTCOMES)}
        lanes = np.flatnonzero(outcomes.pop("trial_end") & (self._left > 0))
        self._decided = lanes
        if lanes.size:
            self._rows.append(self._read(lanes, infos, outcomes))
            self._steps[lanes] = self._rewards[lanes] = 0
        over = np.flatnonzero(ended)
        self._left[over] -= self._left[over] > 0
        self._session[over] = self._next + np.arange(over.size)
        self._next += over.size
        self._steps[over] = self._rewards[over] = 0

    def _read(self, lanes: Ints, infos: Mapping[str, Any], outcomes: Mapping[str, Array]) -> Trials:
        row = {"session": self._session[lanes]} | {name: infos[name][lanes] for name in TOLD}
        row["steps"], row["reward"] = self._steps[lanes], self._rewards[lanes]
        chosen = np.where(
            outcomes["correct"][lanes], row["side"], -row["side"]
        )  # whatever an action looks like
        row["response"] = np.where(outcomes["acted"][lanes], chosen, 0)
        row |= {name: values[lanes] for name, values in outcomes.items()}
        if "stimulus_belief" in self._beliefs:
            row["stimulus_belief"] = self._belief("stimulus_belief", lanes)
        if "block_belief" in self._beliefs:
            row["block_belief"] = np.full(lanes.size, np.nan)
        return row

    def _belief(self, name: str, lanes: Ints) -> Array:
        """Return what the player believes now of some lanes, one of `BELIEFS`."""
        return np.asarray(getattr(self._player, name))[lanes]

    @staticmethod
    def _outcome(now: Mapping[str, Any], name: str, ended: Flags) -> Array:
        """Return an entry of `info` about the step just taken, of sessions that ended with it, too."""
        return np.where(ended, now["final_info"][name], now[name]) if ended.any() else np.asarray(now[name])

    def trials(self) -> Trials:
        """Return all columns, session by session."""
        names = [*COLUMNS, *self._beliefs]
        columns = {name: np.concatenate([row[name] for row in self._rows]) for name in names}
        order = np.lexsort((columns["trial"], columns["session"]))
        columns = {name: values[order] for name, values in columns.items()}
        columns["session"] = np.unique(columns["session"], return_inverse=True)[1]
        return columns
