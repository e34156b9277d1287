"""SupervisedEnvRunner: collects what is seen and what would be right there; in evaluation it plays.

T time, B lanes.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import tree
from ray.rllib.env.env_runner import ENV_STEP_FAILURE

from engram.agents.columns.env_runner import ColumnarEnvRunner
from engram.agents.columns.fragment import Nest
from engram.agents.supervised.labelled import LabelledFragment

NEEDED_INFO = ("target", "mask")
"""Keys of an environment's info: what would be right, and which parts of it count."""

TARGETS_ACT, NETWORK_ACTS = BEHAVIORS = ("targets", "network")
"""The `behavior:` setting: who acts in training."""


class SupervisedEnvRunner(ColumnarEnvRunner):
    """Reads the right answers from `info["target"]` and `info["mask"]`, each (B, ...).

    By default it acts by them, and the learner's own pass measures the network's answers. Where the network
    acts, its episodes are logged as any algorithm's.
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

    @torch.no_grad()
    def _sample_fragment(self, length: int, explore: bool, random_actions: bool) -> LabelledFragment:
        """Steps every lane `length` times, or one lane through an episode; a failure starts it over.

        Of a lane that has shown something that is not finite, no answer counts. Rewards are not learned from.
        """
        columns: dict[str, list[Any]] = defaultdict(list)
        while not self._is_whole(step := len(columns["resets"]), length):
            if step == 0:
                self._guard.begin(self.num_env_steps_sampled_lifetime)
            self._guard.step = step + 1
            answers, masks = _answers(self._infos, str(self.config.env))
            targets = self._targets(answers, masks)
            masks = np.reshape(masks, targets.shape) if np.size(masks) == targets.size else masks
            row = {
                "observations": self._observations,
                "resets": self._resets,
                "targets": targets,
                "masks": masks,
            }
            if not self._step(targets, explore, random_actions):
                self._reset_lanes()
                columns.clear()
                continue
            for name, values in row.items():
                columns[name].append(values)
        self._count(len(columns["resets"]) * self.num_envs)
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

    def _is_whole(self, steps: int, length: int) -> bool:
        """Whether a fragment that has so many steps is whole."""
        if self.config.whole_episodes:
            return steps > 0 and bool(self._resets.all())
        return steps == length

    def _step(self, targets: Nest, explore: bool, random_actions: bool) -> bool:
        """Steps every lane, and returns whether the environment has not failed.

        Args:
            targets: What would be right, as the distribution counts it, (B, ...).
            explore: Whether the network's actions are drawn.
            random_actions: Whether they come from the action space alone.
        """
        network_acts, actions = self.config.behavior == NETWORK_ACTS, self.module.actions
        draws = self._act(explore, random_actions)[0] if network_acts else actions.certain(targets)
        results = self._try_env_step(actions.to_env(draws))
        if results == ENV_STEP_FAILURE:
            return False
        observations, rewards, terminateds, truncateds, self._infos = results
        self._observations = self._see(observations)
        self._resets = terminateds | truncateds
        if network_acts:
            self._episodes.step(rewards, self._resets, self._infos)
        return True

    def _targets(self, answers: Nest, masks: Nest) -> Nest:
        """What a loss compares with (B, ...); the first class, where none counts and none is given.

        Raises:
            ValueError: An answer that counts is none of the classes.
        """
        actions = self.module.actions
        targets = actions.targets(answers)
        if actions.classes is None:
            return targets
        outside = (targets < 0) | (targets >= actions.classes)
        if (outside & masks).any():
            wrong, space = answers[np.argmax(outside & masks)], self.env.single_action_space
            legal = space if actions.choices else f"the {actions.classes} classes of {space}"
            raise ValueError(f"env: {self.config.env} says that {wrong} is right, which is not in {legal}")
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
