"""Grid levels in batched form: each lane plays its own layouts, drawn from its own generator.

B lanes, L words of a mission.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import gymnasium
import numpy as np
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode
from typing_extensions import override

from engram.envs.arguments import check_actions, check_keys, shown
from engram.envs.arrays import Array, Flags, Floats, Ints
from engram.envs.forms.batched_env import BatchedEnv, Lanes, Observations
from engram.envs.forms.boards import RENDER_MODES, check_render_mode
from engram.envs.forms.words import Tokens
from engram.envs.minigrid import mission, picture
from engram.envs.minigrid.cells import CELLS, COLORS, KINDS, STATES, TRIPLES
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import DIRECTIONS, Layout
from engram.envs.minigrid.level import GridLevel
from engram.envs.minigrid.rules import ACTIONS, ENTERED, LEGAL_ACTIONS
from engram.envs.minigrid.view import VIEW
from engram.envs.minigrid.words import MISSIONS
from engram.envs.minigrid.world import World

LevelT = TypeVar("LevelT", bound=GridLevel)

LAYOUT = "layout"
"""The reset option of all levels."""


class BatchedGrid(BatchedEnv, Generic[LevelT]):
    """Many episodes of one grid level at once; lane i is seeded with `seed` + i, as in Gymnasium's own.

    Attributes:
        level: the level's parameters.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        **BatchedEnv.metadata,
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
    }

    def __init__(
        self,
        level: LevelT,
        num_envs: int = 1,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Set up `num_envs` lanes.

        Args:
            level: the level's parameters.
            num_envs: number of lanes (B, default 1).
            render_mode: None, "ansi" (text) or "rgb_array" (16 pixels a cell; what the agent sees is lit).
            autoreset_mode: when a finished lane begins anew, see `BatchedEnv`.

        Raises:
            ValueError: an argument is not legal.
        """
        self.level = level
        self.render_mode = check_render_mode(render_mode)
        choice: gymnasium.spaces.Discrete[np.int64] = gymnasium.spaces.Discrete(len(ACTIONS))
        super().__init__(_make_observation_space(), choice, level.group_by, num_envs, autoreset_mode)

    @override
    def _allocate(self) -> None:
        level, lanes = self.level, self.num_envs
        self._world = World(lanes, *level.shape)
        self._objective = level.objective(self._world)
        self._steps, self._max_steps = np.zeros((2, lanes), np.int64)
        self._success = np.zeros(lanes, np.bool_)
        self._mission = np.zeros((lanes, mission.LENGTH), np.int64)
        self._told = {name: _column(value, lanes) for name, value in level.facts.items()}
        self._first_cells = np.zeros((lanes, *level.shape), np.uint8)
        self._first_stand = np.zeros((lanes, 3), np.int64)
        self._draws: list[Draws] = []

    @property
    def memory_delay(self) -> int | None:
        """Env steps from cue to choice, as `engram.envs.forms.rules.Rules` has it; None without a cue."""
        return self.level.memory_delay

    @override
    def hidden_choices(self, lane: int) -> dict[str, Any]:
        x, y, direction = self._first_stand[lane].tolist()
        facts = {name: _plain(values[lane]) for name, values in self._told.items()}
        cells, limit = self._first_cells[lane].copy(), int(self._max_steps[lane])
        first = Layout(cells, (x, y), direction, self._text(lane), limit, facts)
        return {LAYOUT: first}

    @override
    def restart(self) -> None:
        self._draws = []

    @override
    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"draws": [each.get_state() for each in self._all_draws()]}

    @override
    def set_state(self, state: Mapping[str, Any]) -> Observations:
        observations = super().set_state(state)
        for each, now in zip(self._all_draws(), state["draws"], strict=True):
            each.set_state(now)
        return observations

    def render(self) -> tuple[Any, ...] | None:
        """Render every lane: its mission, its grid and what is carried as text, or RGB uint8 (16 R, 16 C, 3).

        None without a render mode.
        """
        if self.render_mode is None:
            return None
        self._check_started()
        lanes = range(self.num_envs)
        if self.render_mode == "ansi":
            return tuple(f"{self._text(lane)}\n{picture.text(self._world, lane)}" for lane in lanes)
        return tuple(picture.image(self._world, lane, self.level.through_walls) for lane in lanes)

    def _text(self, lane: int) -> str:
        """Return the mission of a lane."""
        return MISSIONS.decode(self._mission[lane])

    @override
    def _lane_bytes(self) -> int:
        """Adds a grid, as it was and as it is, and its objective."""
        return super()._lane_bytes() + 3 * World.lane_bytes(*self.level.shape)

    def _all_draws(self) -> list[Draws]:
        """Return the draws of every lane; those of lane 0 are from the environment's own generator."""
        own = self.np_random.bit_generator
        if not self._draws:
            seed = self.np_random_seed
            others = range(1, self.num_envs)
            seeds = [None if seed is None or seed < 0 else seed + lane for lane in others]
            self._draws = [Draws(own), *(Draws(np_random(each)[0].bit_generator) for each in seeds)]
        elif self._draws[0].bits is not own:
            self._draws[0] = Draws(own)
        return self._draws

    def _begin(self, lanes: Ints, options: Mapping[str, Any]) -> None:
        check_keys("options", options, [LAYOUT])
        if LAYOUT in options:
            layouts = self._check_layouts(options[LAYOUT], lanes.size)
        else:
            draws = self._all_draws()
            layouts = [self.level.draw(draws[lane]) for lane in lanes.tolist()]
        for lane, layout in zip(lanes.tolist(), layouts, strict=True):
            self._write(lane, layout)
        self._steps[lanes], self._success[lanes] = 0, False
        targets = [mission.target_of(layout.mission) for layout in layouts]
        self._objective.begin(lanes, np.array(targets))

    def _write(self, lane: int, layout: Layout) -> None:
        """Put a layout into a lane."""
        cells, agent, direction, text, limit, facts = layout
        self._world.begin(lane, cells, agent, direction)
        self._mission[lane] = mission.tokens_of(text)
        self._max_steps[lane] = limit
        self._first_cells[lane] = cells
        self._first_stand[lane] = *agent, direction
        for name, values in self._told.items():
            values[lane] = facts[name]

    def _check_layouts(self, given: Any, lanes: int) -> list[Layout]:
        """Return the layouts given to a reset, one per lane."""
        layouts = [given] if isinstance(given, Layout) else given
        if not isinstance(layouts, Sequence) or len(layouts) not in (1, lanes):
            raise ValueError(f"options.layout: {shown(given)}; legal: a Layout, or {lanes} of them")
        checked = [self._check_layout(each) for each in layouts]
        return checked if len(checked) == lanes else checked * lanes

    def _check_layout(self, given: Any) -> Layout:
        """Return a layout if it can be played.

        Raises:
            ValueError: it is none, or one of another level.
        """
        if not isinstance(given, Layout):
            raise ValueError(f"options.layout: {shown(given)} is no engram.envs.minigrid.layout.Layout")
        cells, (x, y), shape = np.asarray(given.cells), given.agent, self.level.shape
        if cells.shape != shape or cells.dtype != np.uint8 or cells.max() >= len(CELLS):
            raise ValueError(
                f"options.layout.cells: {cells.dtype} {cells.shape}; legal: codes, uint8 {shape}"
            )
        if not (0 <= x < shape[1] and 0 <= y < shape[0] and ENTERED[cells[y, x]]):
            raise ValueError(
                f"options.layout.agent: ({x}, {y}); legal: (x, y) of a cell that it can step into"
            )
        if given.direction not in range(DIRECTIONS):
            raise ValueError(
                f"options.layout.direction: {shown(given.direction)}; legal: 0 to {DIRECTIONS - 1}"
            )
        if given.max_steps < 1:
            raise ValueError(f"options.layout.max_steps: {shown(given.max_steps)}; legal: >= 1 env steps")
        mission.tokens_of(given.mission)
        return given._replace(cells=cells, facts={**self.level.facts, **given.facts})

    def _advance(self, actions: Ints) -> tuple[Floats, Flags]:
        replaced = self.level.actions
        step = self._world.act(actions if replaced is None else replaced[actions])
        self._steps += 1
        self._success, failed = self._objective.judge(step)
        rewards = np.where(self._success, 1 - 0.9 * (self._steps / self._max_steps), 0.0)
        return rewards, self._success | failed

    @override
    def _out_of_time(self) -> Flags:
        return self._steps >= self._max_steps

    def _observe(self, lanes: Lanes) -> dict[str, Array]:
        codes = self._world.look(lanes, self.level.through_walls)
        return {
            "direction": self._world.direction[lanes].copy(),
            "image": np.take(TRIPLES, codes.swapaxes(1, 2), axis=0),
            "mission": self._mission[lanes].copy(),
        }

    def _facts(self) -> dict[str, Array]:
        return {**self._told, "success": self._success}

    def _state(self) -> dict[str, Array]:
        return {
            **self._world.state(),
            **self._objective.state(),
            **{f"told_{name}": values for name, values in self._told.items()},
            "steps": self._steps,
            "max_steps": self._max_steps,
            "success": self._success,
            "mission": self._mission,
            "first_cells": self._first_cells,
            "first_stand": self._first_stand,
        }

    @override
    def _checked(self, actions: Any) -> Ints:
        return check_actions(actions, self.num_envs, len(ACTIONS), LEGAL_ACTIONS)


def _make_observation_space() -> gymnasium.spaces.Dict:
    """Return the space of one lane, with the true bounds of what cells show."""
    most = np.array([len(KINDS), len(COLORS), len(STATES)], np.uint8) - 1
    high = np.broadcast_to(most, (VIEW, VIEW, len(most)))
    image = gymnasium.spaces.Box(np.zeros_like(high), high, dtype=np.uint8)
    direction: gymnasium.spaces.Discrete[np.int64] = gymnasium.spaces.Discrete(DIRECTIONS)
    words = Tokens(MISSIONS, mission.LENGTH)
    return gymnasium.spaces.Dict({"direction": direction, "image": image, "mission": words})


def _column(value: Any, lanes: int) -> Array:
    """Return an array for values like this one, one per lane."""
    return np.full(lanes, value, object if isinstance(value, str) else None)


def _plain(value: Any) -> Any:
    """Return a value of a column as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
