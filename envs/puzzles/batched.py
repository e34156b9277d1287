"""Puzzles in batched form: a problem in every lane, all made by one call of the generator.

B lanes. All lanes begin and end together, for an episode is one step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from engram.envs.boards import check_render_mode
from engram.envs.checks import check_at_least, check_autoreset_mode, check_keys, check_known, check_shapes
from engram.envs.puzzles.puzzles import Array, Flags, Floats, Problems, Puzzles

REWARDS = ("exact", "fraction")
RENDER_MODES = ("rgb_array",)


class BatchedPuzzle(VectorEnv[Array, Array, Array]):
    """Problems of one family, answered in one step.

    Reward:
        "exact": 1 if every position that counts is right, else 0. "fraction": the share that is right.

    Info:
        `target` and `mask` of the present problem and all of its facts, and `success` (bool): whether it was
        answered right. With SAME_STEP autoreset those of the answered problems are in `final_info`, their
        observations in `final_obs`, laid out as Gymnasium's SyncVectorEnv does.

    Reset options:
        `problem`: `Problems`, one for all lanes or one per lane, instead of drawn ones.

    Everything returned is the caller's to keep: later steps do not change it.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
        "tells": ("target", "mask"),
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        puzzles: Puzzles,
        num_envs: int = 1,
        reward: str = "exact",
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Set up `num_envs` lanes.

        Args:
            puzzles: where problems come from; this environment's own, for it may be restarted.
            num_envs: number of lanes (B).
            reward: "exact" or "fraction".
            render_mode: None or "rgb_array".
            autoreset_mode: when an answered lane shows the next problem: SAME_STEP or NEXT_STEP (the next
                step's action is ignored, its reward 0); the enum, its name or its value.

        Raises:
            ValueError: an argument is not legal.
        """
        self.puzzles = puzzles
        self.num_envs = check_at_least("num_envs", num_envs, 1, ">= 1 lanes")
        self.reward = check_known("reward", reward, REWARDS)
        self.render_mode = check_render_mode(render_mode, RENDER_MODES)
        self.autoreset_mode = check_autoreset_mode(autoreset_mode)
        self.metadata = {
            **type(self).metadata,
            "group_by": puzzles.group_by,
            "autoreset_mode": self.autoreset_mode,
        }
        self.single_observation_space = puzzles.observation_space
        self.single_action_space = puzzles.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._everyone = np.ones(self.num_envs, dtype=np.bool_)
        self._everyone.flags.writeable = False
        self._success = np.zeros(self.num_envs, dtype=np.bool_)
        self._over = False  # NEXT_STEP: answered, the next problem not yet shown
        self._problems: Problems | None = None

    @property
    def problems(self) -> Problems:
        """The present problems, one per lane.

        Raises:
            ResetNeeded: the environment was never reset.
        """
        if self._problems is None:
            raise ResetNeeded("call reset() first")
        return self._problems

    def hidden_choices(self, lane: int) -> dict[str, Any]:
        """What was drawn for a lane's episode; `reset(options=...)` with it makes the same episode again."""
        return {"problem": self.problems.take(np.array([lane]))}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Show a problem in every lane; one given in `options` is not drawn.

        Raises:
            ValueError: an unknown or illegal option.
        """
        super().reset(seed=seed)
        if seed is not None:
            self.puzzles.restart()
        self._begin(options or {})
        return self._observe(), self._info()

    def step(self, actions: Array) -> tuple[Array, Floats, Flags, Flags, dict[str, Any]]:
        """Score an answer per lane; then lanes go on to their next problems as `autoreset_mode` says.

        Raises:
            ResetNeeded: the environment was never reset.
            ValueError: not one legal answer per lane.
        """
        _, answers = self.problems, self._checked(actions)
        rewards, final = np.zeros(self.num_envs), {}
        begins, terminated = self._over, False
        if not begins:
            rewards, terminated = self._judge(answers)
            begins = terminated and self.autoreset_mode is AutoresetMode.SAME_STEP
            final = self._final() if begins else {}
        self._over = terminated
        if begins:
            self._begin({})
        ended, truncated = np.full(self.num_envs, terminated), np.zeros(self.num_envs, dtype=np.bool_)
        return self._observe(), rewards, ended, truncated, final | self._info()

    def render(self) -> tuple[Any, ...] | None:
        """Render every lane: RGB uint8 (height, width, 3); None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(self.puzzles.picture(observation) for observation in self.problems.observations)

    def get_state(self) -> dict[str, Any]:
        """All that decides the future, as plain arrays and the state of the generator.

        Raises:
            ResetNeeded: the environment was never reset.
        """
        present = self.problems.take(np.arange(self.num_envs))
        return {
            "game": {
                "observations": present.observations,
                "targets": present.targets,
                "masks": present.masks,
                "success": self._success.copy(),
            },
            "facts": present.facts,
            "over": self._over,
            "puzzles": self.puzzles.get_state(),
            "rng": self.np_random.bit_generator.state,
        }

    def set_state(self, state: Mapping[str, Any]) -> Array:
        """Go on from `get_state()` of an environment made with the same arguments, bit for bit.

        Returns:
            the present observations.

        Raises:
            ValueError: the state has another number of lanes, or is of other puzzles.
        """
        game = state["game"]
        shapes = {
            "observations": self.observation_space.shape,
            "targets": self.action_space.shape,
            "masks": self.action_space.shape,
            "success": (self.num_envs,),
        }
        check_shapes("state.game", game, shapes)
        given = Problems(game["observations"], game["targets"], game["masks"], dict(state["facts"]))
        self._problems = given.take(np.arange(self.num_envs))
        self._success, self._over = np.copy(game["success"]), bool(state["over"])
        self.puzzles.set_state(state["puzzles"])
        self.np_random.bit_generator.state = state["rng"]
        return self._observe()

    def _judge(self, answers: Array) -> tuple[Floats, bool]:
        """Rewards (B,) of the answers, and whether the episodes are over."""
        asked = (answers, self.problems.targets, self.problems.masks)
        self._success = self.puzzles.solved(*asked)
        exact = self.reward == "exact"
        return self._success.astype(np.float64) if exact else self.puzzles.fraction(*asked), True

    def _begin(self, options: Mapping[str, Any]) -> None:
        check_keys("options", options, ("problem",))
        given = options.get("problem")
        if given is None:
            self._problems = self.puzzles.draw(self.np_random, self.num_envs)
        else:
            self._problems = self._spread(given)
        self._success = np.zeros(self.num_envs, dtype=np.bool_)
        self._over = False

    def _spread(self, given: Any) -> Problems:
        """The problems that a reset was given, one per lane."""
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

    def _observe(self) -> Array:
        """The present observations, fresh."""
        return self.problems.observations.copy()

    def _facts(self) -> dict[str, Array]:
        present = self.problems
        return {
            "target": present.targets,
            "mask": present.masks,
            **present.facts,
            "success": self._success,
        }

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {}
        for name, values in self._facts().items():
            info[name], info[f"_{name}"] = values.copy(), self._everyone
        return info

    def _final(self) -> dict[str, Any]:
        """Last observations and infos, laid out as SyncVectorEnv does when all lanes end."""
        observations = np.full(self.num_envs, None, dtype=object)
        for lane, observation in enumerate(self._observe()):
            observations[lane] = observation
        return {
            "final_obs": observations,
            "_final_obs": self._everyone,
            "final_info": self._info(),
            "_final_info": self._everyone,
        }

    def _checked(self, actions: Any) -> NDArray[Any]:
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
