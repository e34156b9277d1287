"""Puzzles in batched form: a problem per lane, all drawn at once.

B lanes. All lanes begin and end together, for an episode is one step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import create_empty_array
from typing_extensions import override

from engram.envs.arguments import check_keys, check_known
from engram.envs.arrays import Array, Flags, Floats, Ints
from engram.envs.forms.batched_env import BatchedEnv, Lanes
from engram.envs.forms.boards import check_render_mode
from engram.envs.puzzles.task import Problems, PuzzleTask

REWARDS = ("exact", "fraction")
RENDER_MODES = ("rgb_array",)


class BatchedPuzzle(BatchedEnv):
    """Problems of one task, answered in one step.

    Reward:
        "exact": 1 if every position that counts is right, else 0. "fraction": the share that is right.

    Info:
        `target` and `mask` of the present problem and all of its facts, and `success` (bool): whether it was
        answered right; with SAME_STEP autoreset, of the answered ones in `final_info`.

    Reset options:
        `problem`: `Problems`, one for all lanes or one per lane, instead of drawn ones.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        **BatchedEnv.metadata,
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
        "tells": ("target", "mask"),
    }

    def __init__(
        self,
        task: PuzzleTask,
        num_envs: int = 1,
        reward: str = "exact",
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Set up `num_envs` lanes.

        Args:
            task: draws and scores the problems; this environment's own, for it may be restarted.
            num_envs: number of lanes (B, default 1).
            reward: "exact" (default) or "fraction".
            render_mode: None or "rgb_array".
            autoreset_mode: when an answered lane shows the next problem, see `BatchedEnv`.

        Raises:
            ValueError: an argument is not legal.
        """
        self.task = task
        self.reward = check_known("reward", reward, REWARDS)
        self.render_mode = check_render_mode(render_mode, RENDER_MODES)
        super().__init__(task.observation_space, task.action_space, task.group_by, num_envs, autoreset_mode)

    @override
    def _allocate(self) -> None:
        self._problems = self._blank()
        self._success = np.zeros(self.num_envs, dtype=np.bool_)

    @property
    def problems(self) -> Problems:
        """The present problems, one per lane.

        Raises:
            ResetNeeded: the environment was never reset.
        """
        self._check_started()
        return self._problems

    @override
    def hidden_choices(self, lane: int) -> dict[str, Any]:
        return {"problem": self.problems.take(np.array([lane]))}

    @override
    def restart(self) -> None:
        self.task.restart()

    def render(self) -> tuple[Any, ...] | None:
        """Render every lane: RGB uint8 (height, width, 3); None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(self.task.picture(observation) for observation in self.problems.observations)

    @override
    def get_state(self) -> dict[str, Any]:
        facts = {name: values.copy() for name, values in self._problems.facts.items()}
        return super().get_state() | {"facts": facts, "puzzles": self.task.get_state()}

    @override
    def set_state(self, state: Mapping[str, Any]) -> Array:
        self._problems = (
            self._blank()
        )  # arrays of its own: those on show are the puzzles' and a caller's, too
        observations: Array = super().set_state(state)
        facts = {name: np.copy(values) for name, values in state["facts"].items()}
        self._problems = self._problems._replace(facts=facts)
        self.task.set_state(state["puzzles"])
        return observations

    def _blank(self) -> Problems:
        """Make problems to write a state into."""
        observations, targets = (
            np.asarray(create_empty_array(space, self.num_envs, np.zeros))
            for space in (self.single_observation_space, self.single_action_space)
        )
        return Problems(observations, targets, np.zeros_like(targets, np.bool_), {})

    def _state(self) -> dict[str, Array]:
        present = self._problems
        return {
            "observations": present.observations,
            "targets": present.targets,
            "masks": present.masks,
            "success": self._success,
        }

    def _begin(self, lanes: Ints, options: Mapping[str, Any]) -> None:
        check_keys("options", options, ("problem",))
        given = options.get("problem")
        if given is None:
            self._problems = self.task.draw(self.np_random, self.num_envs)
        else:
            self._problems = self._spread(given)
        self._success = np.zeros(self.num_envs, dtype=np.bool_)

    def _spread(self, given: Any) -> Problems:
        """Return the problems given to a reset, one per lane."""
        shape = self.single_observation_space.shape
        if (
            not isinstance(given, Problems)
            or given.size not in (1, self.num_envs)
            or given.observations.shape[1:] != shape
        ):
            got = given.observations.shape if isinstance(given, Problems) else type(given).__name__
            raise ValueError(
                f"options.problem: {got}; legal: Problems, 1 or {self.num_envs} of them, with "
                f"observations of shape {shape}"
            )
        return given.take(np.arange(self.num_envs) % given.size)

    def _advance(self, actions: Array) -> tuple[Floats, Flags]:
        return self._judge(actions), np.ones(self.num_envs, dtype=np.bool_)

    def _judge(self, answers: Array) -> Floats:
        """Score the answers, (B,)."""
        asked = (answers, self._problems.targets, self._problems.masks)
        self._success = self.task.solved(*asked)
        exact = self.reward == "exact"
        return self._success.astype(np.float64) if exact else self.task.fraction(*asked)

    def _observe(self, lanes: Lanes) -> Array:
        return np.take(self._problems.observations, self._lanes[lanes], axis=0)

    def _facts(self) -> dict[str, Array]:
        present = self._problems
        return {
            "target": present.targets,
            "mask": present.masks,
            **present.facts,
            "success": self._success,
        }

    @override
    def _checked(self, actions: Any) -> Array:
        given, space = np.asarray(actions), self.single_action_space
        choices = int(space.n) if isinstance(space, Discrete) else 2
        shape = self.action_space.shape
        if given.shape != shape or given.dtype.kind not in "iub":
            raise ValueError(
                f"actions: {given.dtype} {given.shape}; legal: whole numbers, an answer per lane {shape}"
            )
        wrong = (given < 0) | (given >= choices)
        if wrong.any():
            place = [int(index) for index in np.argwhere(wrong)[0]]
            raise ValueError(f"actions{place}: {given[wrong][0]} is not legal; legal: 0 .. {choices - 1}")
        return given
