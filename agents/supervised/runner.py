"""SupervisedEnvRunner: collects problems and their right answers; in evaluation it plays.

T time, B lanes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from ray.rllib.env.env_runner import ENV_STEP_FAILURE

from engram.agents.env_runner import ColumnarEnvRunner
from engram.agents.supervised.lesson import Lesson
from engram.agents.thinking import ThinkingModule


class SupervisedEnvRunner(ColumnarEnvRunner):
    """Reads the right answers from `info["target"]` and `info["mask"]`, each (B, ...), and acts by them.

    The network is not asked: the learner's own pass tells how good its answers are.
    """

    def make_module(self) -> None:
        """Builds the module; it thinks for as long as is asked for in tests where this runner evaluates."""
        super().make_module()
        if self.config.in_evaluation and isinstance(self.module, ThinkingModule):
            self.module.thinking_steps = self.module.test_steps

    def _sample_fragment(self, length: int, explore: bool, random_actions: bool) -> Lesson:
        """Steps every lane `length` times; a failed environment starts the lesson over."""
        columns: dict[str, list[Any]] = defaultdict(list)
        while len(columns["resets"]) < length:
            targets, masks = _answers(self._infos, str(self.config.env))
            results = self._try_env_step(targets)
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
            self._observations, _, terminateds, truncateds, self._infos = results
            self._resets = terminateds | truncateds
        self._count(length * self.num_envs)
        stacked = {name: np.stack(rows) for name, rows in columns.items()}
        return Lesson(**stacked, weights_seq_no=self._weights_seq_no)


def _answers(infos: Mapping[str, Any], env: str) -> tuple[Any, Any]:
    """The right actions of all lanes and which parts of them count."""
    for key in ("target", "mask"):
        if key not in infos:
            raise ValueError(
                f"env: {env} does not say what would be right: no {key!r} in info; it has "
                f"{', '.join(sorted(infos)) or 'nothing'}. run: Supervised needs 'target' and 'mask'"
            )
    return infos["target"], infos["mask"]
