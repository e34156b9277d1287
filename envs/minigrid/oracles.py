"""Scripted players of grid levels that see observations alone, for tests and as a reference.

B lanes. They are made with the number of lanes, and notice by themselves where episodes begin anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from engram.envs.arrays import Array, Bytes, Flags, Ints
from engram.envs.minigrid.cells import KINDS, STATES, THINGS, TRIPLES
from engram.envs.minigrid.mission import MATCHES, target_of
from engram.envs.minigrid.rules import (
    ENTERED,
    FORWARD,
    FORWARD_STEPS,
    LEFT,
    PICKUP,
    RIGHT,
)
from engram.envs.minigrid.words import MISSIONS

Observations = Mapping[str, Array]

_WALL = KINDS.index("wall")
_THING_KINDS = tuple(KINDS.index(kind) for kind in THINGS)
_AHEAD_IN_VIEW = 3  # direction of an agent in its own view: up
_EAST, _WEST = 0, 2
_SELF = (3, 6)
_ALL_ROUND = 4  # turns


class GridOracle(Protocol):
    """A player of B lanes that sees observations alone, from the first one of an episode on."""

    def act(self, observations: Observations) -> Ints:
        """Choose an action per lane, (B,)."""


class MemoryOracle:
    """Goes back to look at the cue, remembers it, and goes to the thing that is like it.

    It is right in every episode whose `max_steps` suffice, and takes a step or two more than the best where
    the cue is seen from afar.

    Args:
        lanes: number of lanes (B).
    """

    def __init__(self, lanes: int = 1) -> None:
        self._cues: Ints = np.zeros(lanes, np.int64)  # kinds, 0 before the cue was seen
        self._chose: Flags = np.zeros(lanes, np.bool_)

    def act(self, observations: Observations) -> Ints:
        """Choose an action per lane, (B,)."""
        lanes = zip(observations["image"], observations["direction"].tolist(), strict=True)
        return np.array([self._act(lane, *seen) for lane, seen in enumerate(lanes)])

    def _act(self, lane: int, image: Bytes, direction: int) -> int:
        if self._chose[lane]:  # the step that ends the episode
            self._cues[lane], self._chose[lane] = 0, False
            return FORWARD
        if not self._cues[lane]:
            self._cues[lane] = _cue_in(image, direction)
        if not self._cues[lane]:
            return FORWARD if direction == _WEST else LEFT
        if direction != _EAST:
            return RIGHT
        if image[3, 5, 0] != _WALL:
            return FORWARD
        self._chose[lane] = True
        return LEFT if image[1, 6, 0] == self._cues[lane] else RIGHT


def _cue_in(image: Bytes, direction: int) -> int:
    """Return the kind of the cue if it is in view, else 0; what is ahead to the east is no cue."""
    kinds = image[..., 0] if direction == _WEST else image[2:3, 6, 0]
    things = kinds[np.isin(kinds, _THING_KINDS)]
    return int(things[0]) if things.size and direction in (_EAST, _WEST) else 0


class PickupOracle:
    """Turns until it sees what the mission names and a way there, goes and picks it up.

    It fails where other things bar the way, or all ways that can be seen from where it walks; with the
    defaults of PickupDist that is about one episode in a hundred.

    Args:
        lanes: number of lanes (B).
    """

    def __init__(self, lanes: int = 1) -> None:
        self._plans: list[list[int]] = [[] for _ in range(lanes)]  # actions to come, the next one last
        self._searched = np.zeros(lanes, np.int64)

    def act(self, observations: Observations) -> Ints:
        """Choose an action per lane, (B,)."""
        lanes = zip(observations["image"], observations["mission"], strict=True)
        return np.array([self._act(lane, *seen) for lane, seen in enumerate(lanes)])

    def _act(self, lane: int, image: Bytes, tokens: Ints) -> int:
        codes = _CODE_OF_TRIPLE[*np.moveaxis(image, -1, 0)]
        if not self._plans[lane]:
            wanted = MATCHES[target_of(MISSIONS.decode(tokens))][codes]
            self._plans[lane] = plan(ENTERED[codes], wanted & np.isin(image[..., 0], _THING_KINDS))[::-1]
        if self._plans[lane]:
            self._searched[lane] = 0
            return self._plans[lane].pop()
        self._searched[lane] += 1  # once all round, then walk on and look from elsewhere
        return FORWARD if self._searched[lane] > _ALL_ROUND and ENTERED[codes[3, 5]] else LEFT


def plan(free: Flags, wanted: Flags) -> list[int]:
    """Return the actions on a shortest way to pick up a wanted thing; none where there is no way.

    Args:
        free: cells of the view that can be stepped into, x first.
        wanted: cells of what is wanted, likewise.
    """
    start = (*_SELF, _AHEAD_IN_VIEW)
    ways: dict[tuple[int, int, int], list[int]] = {start: []}
    queue = deque([start])
    while queue:
        x, y, way = state = queue.popleft()
        ahead = (x + FORWARD_STEPS[way][0], y + FORWARD_STEPS[way][1])
        inside = all(0 <= place < size for place, size in zip(ahead, free.shape, strict=True))
        if inside and wanted[ahead]:
            return [*ways[state], PICKUP]
        options = [(LEFT, (x, y, (way - 1) % 4)), (RIGHT, (x, y, (way + 1) % 4))]
        if inside and free[ahead]:
            options.append((FORWARD, (*ahead, way)))
        for action, beyond in options:
            if beyond not in ways:
                ways[beyond] = [*ways[state], action]
                queue.append(beyond)
    return []


def _invert_triples() -> Ints:
    """Return the table from kind, colour and state to codes; boxes count as empty ones."""
    table = np.zeros((len(KINDS), TRIPLES[:, 1].max() + 1, len(STATES)), np.int64)
    for code in range(len(TRIPLES) - 1, -1, -1):
        table[*TRIPLES[code]] = code
    return table


_CODE_OF_TRIPLE = _invert_triples()

ORACLES: Mapping[str, Callable[[int], GridOracle]] = {
    "engram/Memory-v0": MemoryOracle,
    "engram/PickupDist-v0": PickupOracle,
}
