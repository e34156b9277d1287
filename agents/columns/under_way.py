"""What is under way between two iterations: checkpoints keep it, so that a resumed run is the same run."""

from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm
from typing_extensions import override

from engram.agents.columns.ahead import throw_away
from engram.agents.columns.env_states import UnsavedError
from engram.agents.columns.packing import pack, unpack
from engram.agents.columns.random_streams import moved_since, random_streams, set_random_streams
from engram.agents.columns.results import ResultCallbacks

UNDER_WAY = "under_way"
"""Key of an algorithm's state: a mapping of `TRIAL`, `STATE` and perhaps `LOST`."""

TRIAL = "trial"
"""The folder of the trial that was saved; empty outside of Ray Tune."""

STATE = "state"
"""What is under way, packed."""

LOST = "lost"
"""Why the lanes are not in it, where they could have been."""


class ColumnarState(Algorithm):  # type: ignore[misc]
    """Mixin of an `Algorithm`: a trial that goes on from its own checkpoint plays on where it was.

    Lanes, their memories and the random streams are those of the moment of saving. Another trial that starts
    from the checkpoint, by `restore` say, begins new episodes with random streams of its own; so do runners
    and learners in other processes.
    """

    @override
    def setup(self, config: Any) -> None:
        super().setup(config)
        self._streams = random_streams()

    def get_state(
        self, components: Any = None, *, not_components: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        """RLlib's state, the window of episodes and what is under way."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        if self._check_component(UNDER_WAY, components, not_components):
            state["episode_window"] = ResultCallbacks.of(self).get_state()
            kept, lost = self.under_way()
            state[UNDER_WAY] = {TRIAL: self._trial, STATE: pack(kept)} | ({LOST: lost} if lost else {})
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores RLlib's state, the window of episodes and what was under way."""
        self.forget_samples()
        super().set_state(state)
        if "episode_window" in state:
            ResultCallbacks.of(self).set_state(state["episode_window"])
        kept = state.get(UNDER_WAY)
        if kept is not None and self._trial in ("", kept[TRIAL]):
            self.set_under_way(unpack(kept[STATE]))

    def forget_samples(self) -> None:
        """Throws away what was sampled, or is being sampled, and has not been learned from.

        Runners have taken all weights that they were sent, then: RLlib sends no others before.
        """
        throw_away(self.env_runner_group, self.config.sample_timeout_s)

    @override
    def restore_from_path(self, *args: Any, **kwargs: Any) -> None:
        """Restores a checkpoint; nothing is learned from that other weights sampled."""
        self.forget_samples()
        super().restore_from_path(*args, **kwargs)

    def under_way(self) -> tuple[dict[str, Any], str]:
        """What is under way in this process, as plain data, and why lanes are not in it."""
        kept: dict[str, Any] = {"random": moved_since(self._streams)}
        lost = ""
        if self.learner_group.is_local:
            (learner,) = self.learner_group.foreach_learner(lambda learner: learner.streams_state())
            kept["learner"] = learner.get()
        if self.config.num_env_runners == 0:
            try:
                kept["lanes"] = self.env_runner.lanes_state()
            except UnsavedError as error:
                lost = str(error)
        return kept, lost

    def set_under_way(self, kept: dict[str, Any]) -> None:
        """Goes on from it. Lanes that cannot begin anew, and the next result says so."""
        set_random_streams(kept["random"])
        if "learner" in kept and self.learner_group.is_local:
            self.learner_group.foreach_learner(lambda learner: learner.set_streams_state(kept["learner"]))
        if "lanes" in kept and self.config.num_env_runners == 0:
            try:
                self.env_runner.set_lanes_state(kept["lanes"])
            except Exception as error:  # an environment of a user's may raise anything
                ResultCallbacks.of(self).new_episodes = f"{type(error).__name__}: {error}"

    @property
    def _trial(self) -> str:
        return getattr(self._storage, "trial_dir_name", None) or ""
