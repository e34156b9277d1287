"""SupervisedEnvRunner: collects problems and their right answers; in evaluation it plays.

T time, B lanes.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import tree
from gymnasium import spaces
from ray.rllib.env.env_runner import ENV_STEP_FAILURE

from engram.agents.columns.env_runner import ColumnarEnvRunner
from engram.agents.columns.fragment import Nest
from engram.agents.supervised.labelled import LabelledFragment

NEEDED_INFO = ("target", "mask")
"""Keys of an environment's info: what would be right, and which parts of it count."""


class SupervisedEnvRunner(ColumnarEnvRunner):
    """Reads the right answers from `info["target"]` and `info["mask"]`, each (B, ...), and acts by them.

    The network does not act: the learner's own pass measures its answers.
    """

    def lanes_state(self) -> dict[str, Any] | None:
        """The right answers to what lanes see now, too."""
        state = super().lanes_state()
        if state is not None:
            state["answers"] = {key: self._infos[key] for key in NEEDED_INFO if key in self._infos}
        return state

    def set_lanes_state(self, state: Mapping[str, Any] | None) -> None:
        """Goes on from `lanes_state()`."""
        super().set_lanes_state(state)
        if state is not None:
            self._infos = state["answers"]

    def _sample_fragment(self, length: int, explore: bool, random_actions: bool) -> LabelledFragment:
        """Steps every lane `length` times; a failed environment starts the fragment over.

        Of a lane that has shown something that is not finite, no answer counts. Rewards are not looked at.
        """
        columns: dict[str, list[Any]] = defaultdict(list)
        while (step := len(columns["resets"])) < length:
            if step == 0:
                self._guard.begin(self.num_env_steps_sampled_lifetime)
            self._guard.step = step + 1
            answers, masks = _answers(self._infos, str(self.config.env))
            targets = self._targets(answers, masks)
            masks = np.reshape(masks, targets.shape) if np.size(masks) == targets.size else masks
            results = self._try_env_step(self.module.actions.to_env(targets))
            if results == ENV_STEP_FAILURE:
                self._reset_lanes()
                columns.clear()
                continue
            row = {
                "observations": self._observations,
                "resets": self._resets,
                "targets": targets,
                "masks": masks,
            }
            for name, values in row.items():
                columns[name].append(values)
            observations, _, terminateds, truncateds, self._infos = results
            self._observations = self._see(observations)
            self._resets = terminateds | truncateds
        self._count(length * self.num_envs)
        stacked = {name: tree.map_structure(_stack, *rows) for name, rows in columns.items()}
        streams = np.arange(self.num_envs) + self.num_envs * (self.worker_index or 0)
        if self._guard.bad.any():
            stacked["masks"][:, self._guard.bad] = False
            self._log_finding()
        return LabelledFragment(
            **stacked,
            streams=streams,
            weights_seq_no=self._weights_seq_no,
            dropped=self._guard.bad.copy(),
        )

    def _targets(self, answers: Nest, masks: Nest) -> Nest:
        """The draws that stand for right actions (B, ...); the first, where none counts and none is given.

        Raises:
            ValueError: An action that counts is not in the environment's space.
        """
        targets, space = self.module.actions.from_env(answers), self.env.single_action_space
        if not isinstance(space, spaces.Discrete):
            return targets
        outside = (targets < 0) | (targets >= space.n)
        if (outside & masks).any():
            wrong = answers[np.argmax(outside & masks)]
            raise ValueError(f"env: {self.config.env} says that {wrong} is right, which is not in {space}")
        return np.where(outside, 0, targets)


def _stack(*rows: Any) -> Any:
    return np.stack(rows)


def _answers(infos: Mapping[str, Any], env: str) -> tuple[Any, Any]:
    """The right actions of all lanes and which parts of them count."""
    for key in NEEDED_INFO:
        if key not in infos:
            names = sorted(name for name in infos if not name.startswith("_"))
            raise ValueError(
                f"env: {env} does not say what would be right: no {key!r} in info, which holds "
                f"{', '.join(names) or 'nothing'}; run: Supervised needs {' and '.join(NEEDED_INFO)}"
            )
    return infos["target"], infos["mask"]
