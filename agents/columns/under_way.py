"""What is under way between two iterations: checkpoints keep it, so that a resumed run is the same run.

It is kept where everything happens in one process, so `num_env_runners` and `num_learners` are 0.
"""

from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm

from engram.agents.columns.env_states import UnsavedError
from engram.agents.columns.packing import pack, unpack
from engram.agents.columns.random_streams import random_streams, set_random_streams
from engram.agents.columns.results import ResultCallbacks

UNDER_WAY = "under_way"
"""Key of an algorithm's state: a mapping of `TRIAL` and of `STATE` or `LOST`."""

TRIAL = "trial"
"""The folder of the trial that was saved; empty outside of Ray Tune."""

STATE = "state"
"""What is under way, packed."""

LOST = "lost"
"""Why it is not there."""


class ColumnarState(Algorithm):  # type: ignore[misc]
    """Mixin of an `Algorithm`: a trial that goes on from its own checkpoint plays on where it was.

    Lanes, their memories and the random streams are those of the moment of saving. Another trial that starts
    from the checkpoint, by `restore` say, begins new episodes with random streams of its own.
    """

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state, the window of episodes and what is under way."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        if self._check_component(UNDER_WAY, components, not_components):
            state["episode_window"] = ResultCallbacks.of(self).get_state()
            if self._in_one_process:
                state[UNDER_WAY] = {TRIAL: self._trial} | self._kept()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores RLlib's state, the window of episodes and what was under way."""
        super().set_state(state)
        if "episode_window" in state:
            ResultCallbacks.of(self).set_state(state["episode_window"])
        kept = state.get(UNDER_WAY, {})
        if STATE in kept and self._in_one_process and self._trial in ("", kept[TRIAL]):
            try:
                self.set_under_way(unpack(kept[STATE]))
            except Exception as error:  # an environment of a user's may raise anything
                ResultCallbacks.of(self).new_episodes = f"{type(error).__name__}: {error}"

    def under_way(self) -> dict[str, Any]:
        """What is under way, as plain data.

        Raises:
            UnsavedError: The state of the environments cannot be taken.
        """
        (learner,) = self.learner_group.foreach_learner(lambda learner: learner.streams_state())
        lanes = self.env_runner.lanes_state()
        return {"random": random_streams(), "learner": learner.get(), "lanes": lanes}

    def set_under_way(self, state: dict[str, Any]) -> None:
        """Goes on from `under_way()`."""
        set_random_streams(state["random"])
        self.learner_group.foreach_learner(lambda learner: learner.set_streams_state(state["learner"]))
        self.env_runner.set_lanes_state(state["lanes"])

    def _kept(self) -> dict[str, Any]:
        try:
            return {STATE: pack(self.under_way())}
        except UnsavedError as error:
            return {LOST: str(error)}

    @property
    def _in_one_process(self) -> bool:
        return self.config.num_env_runners == 0 and self.config.num_learners == 0

    @property
    def _trial(self) -> str:
        return getattr(self._storage, "trial_dir_name", None) or ""
