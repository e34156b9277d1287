"""A player that sees whole grids, so that plays meet doors, keys, goals and successes. B lanes."""

from collections import deque

import numpy as np

from engram.envs.minigrid.cells import CELLS, EMPTY
from engram.envs.minigrid.mission import MATCHES
from engram.envs.minigrid.rules import (
    DROP,
    ENTERED,
    FORWARD,
    FORWARD_STEPS,
    LEFT,
    PICKUP,
    RIGHT,
    TOGGLE,
)
from engram.envs.minigrid.words import MISSIONS

CHANCES = np.array([0.12, 0.12, 0.34, 0.16, 0.08, 0.16, 0.02])
"""How often each action is drawn where an action is drawn."""


class Guide:
    """Plays `envs` (a `BatchedGrid`), now by chance, now towards what the mission asks for.

    Args:
        envs: the environment, whose grids it reads.
        seed: of what it draws.
        guided: share of episodes that are played towards the end; in these, one action in ten is drawn.
    """

    def __init__(self, envs, seed=0, guided=0.5):
        self.envs, self.guided = envs, guided
        self.rng = np.random.default_rng(seed)
        self.follows = self.rng.random(envs.num_envs) < guided

    def act(self):
        """Return an action per lane."""
        lanes = self.envs.num_envs
        begins = self.envs._steps == 0
        self.follows[begins] = self.rng.random(int(begins.sum())) < self.guided
        actions = self.rng.choice(len(CHANCES), size=lanes, p=CHANCES)
        for lane in np.flatnonzero(self.follows & (self.rng.random(lanes) < 0.9)):
            actions[lane] = self._way(lane, actions[lane])
        return actions

    def _way(self, lane, otherwise):
        envs = self.envs
        world = envs._world
        grid, held = world.grids[lane], CELLS[world.carried[lane]]
        words = MISSIONS.split(MISSIONS.decode(envs._mission[lane]))
        wanted, last = self._wanted(lane, grid, held, words)
        if last == DROP:
            x, y = world.position(lane)
            across, down = FORWARD_STEPS[world.direction[lane]]
            return DROP if grid[y + down, x + across] == EMPTY else RIGHT
        if not wanted.any():
            return otherwise
        return first_action(grid, world.position(lane), int(world.direction[lane]), wanted, last, otherwise)

    def _wanted(self, lane, grid, held, words):
        """Cells to face (R, C), and what to do there."""
        kinds = np.array([cell.kind for cell in CELLS])[grid]
        locked = np.array([cell.kind == "door" and cell.state == "locked" for cell in CELLS])[grid]
        if "matching" in words:
            objective = self.envs._objective
            place = (objective.right if self.rng.random() < 0.99 else objective.wrong)[lane]
            return self.envs._world.cells_of(lane, np.array([place])), FORWARD
        if locked.any():
            return (kinds == "key", PICKUP) if held.kind != "key" else (locked, TOGGLE)
        if "goal" in words:
            return kinds == "goal", FORWARD
        if held.kind != "empty":
            return np.zeros_like(locked), DROP
        matches = MATCHES[self.envs._objective.target[lane], grid] & (kinds != "wall")
        return matches, (FORWARD if words[0] == "go" else PICKUP)


def first_action(grid, start, direction, wanted, last, otherwise):
    """The first action of a shortest way to face a wanted cell, through doors; `last` when it is faced."""
    passable = ENTERED[grid] | np.array([cell.kind == "door" for cell in CELLS])[grid]
    seen, queue = {(start, direction)}, deque([((start, direction), None)])
    while queue:
        ((x, y), way), first = queue.popleft()
        across, down = FORWARD_STEPS[way]
        ahead = (x + across, y + down)
        if wanted[ahead[1], ahead[0]]:
            return last if first is None else first
        options = [(LEFT, ((x, y), (way - 1) % 4)), (RIGHT, ((x, y), (way + 1) % 4))]
        if passable[ahead[1], ahead[0]]:
            closed = not ENTERED[grid[ahead[1], ahead[0]]]
            options.append((TOGGLE if closed else FORWARD, (ahead, way)))
        for action, state in options:
            if state not in seen:
                seen.add(state)
                queue.append((state, action if first is None else first))
    return otherwise
