"""ColumnarEnvRunner: steps B lanes T times and returns columns.

T time, B lanes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import tree
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import create_empty_array
from numpy.typing import NDArray
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SINGLE_SPACES, INPUT_ENV_SPACES
from ray.rllib.env.env_runner import ENV_STEP_FAILURE
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner
from ray.rllib.utils.metrics import SAMPLE_TIMER, WEIGHTS_SEQ_NO
from torch import Tensor

from engram.agents.columns.cuts import ReturnCuts
from engram.agents.columns.env_states import restore_env, save_env
from engram.agents.columns.episodes import EpisodeLog
from engram.agents.columns.failures import EnvError, TellsFailure
from engram.agents.columns.finite import NON_FINITE, LaneGuard, zeroed
from engram.agents.columns.fragment import ColumnSet, Fragment, Nest, lane_of
from engram.agents.columns.frames import empty_rows, frame_counts, shares_frames, write_row
from engram.agents.columns.inputs import InputLanes, add_inputs
from engram.agents.columns.lanes import make_lanes
from engram.agents.columns.learner import as_tensors
from engram.agents.columns.symbols import SymbolBounds
from engram.agents.models.given import masked
from engram.agents.models.recurrent import ColumnarModule
from engram.memory.core import State, where_lanes


class EvaluationSteps:
    """Returned by an evaluation in place of data: the number of its steps."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def env_steps(self) -> int:
        """Number of environment steps."""
        return self._steps

    agent_steps = env_steps
    __len__ = env_steps


class ColumnarEnvRunner(TellsFailure, SingleAgentEnvRunner):  # type: ignore[misc]
    """RLlib's runner with arrays in place of episode objects and connectors.

    The recurrent state is carried from fragment to fragment and zeroed where an episode begins.
    """

    _observations: Nest
    _state: State

    module: ColumnarModule
    env: VectorEnv[Any, Any, Any]

    def make_env(self) -> None:
        """Builds the lanes, in SAME_STEP autoreset mode.

        Raises:
            ValueError: The environment does not reset a finished lane in the same step.
        """
        if self.env is not None:
            self.env.close()
        make = partial(make_lanes, self.config, worker_index=self.worker_index or 0)
        one = partial(make, lanes=1)
        self.env = add_inputs(make(), self.config.model_config, one, str(self.config.env))
        mode = self.env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            raise ValueError(f"env: {self.config.env} resets its lanes in mode {mode}; known: SAME_STEP")
        self.num_envs = self.env.num_envs
        self._needs_initial_reset = True
        self._episodes = EpisodeLog.of(self.env)
        self._guard = LaneGuard(self.num_envs, self.worker_index or 0)
        key = None if self.config.in_evaluation else self.config.cut_returns_at
        self._cuts = ReturnCuts(key, self.num_envs) if key else None
        self._symbols = SymbolBounds(self.env.single_observation_space)
        shared = shares_frames(self._plain_env())
        self._frames = frame_counts(self.env.single_observation_space, shared)

    def make_module(self) -> None:
        """Builds the module, for tests where this runner evaluates."""
        super().make_module()
        if self.config.in_evaluation:
            self.module.prepare_tests()

    def get_spaces(self) -> dict[str, tuple[gym.Space[Any], gym.Space[Any]]]:
        """The spaces of all lanes, of one lane, and of the module."""
        if self.env is None:
            spaces: dict[str, tuple[gym.Space[Any], gym.Space[Any]]] = self.spaces
            return spaces
        single = (self.env.single_observation_space, self.env.single_action_space)
        return {
            INPUT_ENV_SPACES: (self.env.observation_space, self.env.action_space),
            INPUT_ENV_SINGLE_SPACES: single,
            DEFAULT_MODULE_ID: single,
        }

    def sample(
        self,
        *,
        num_timesteps: int | None = None,
        num_episodes: int | None = None,
        explore: bool | None = None,
        random_actions: bool = False,
        force_reset: bool = False,
    ) -> list[Any]:
        """Samples one fragment, or plays whole episodes for evaluation.

        Args:
            num_timesteps: Steps over all lanes, rounded up to whole steps of every lane; None: one fragment
                of `rollout_fragment_length`.
            num_episodes: Plays this many episodes instead, from fresh resets, every lane its equal share, so
                that short episodes do not crowd out long ones. No data are kept.
            explore: Whether actions are drawn (True) or the most probable ones; None: as configured.
            random_actions: Whether actions come from the action space alone. The network is not asked: values
                and log-probabilities are 0, and memories begin anew behind them. Not data to learn from.
            force_reset: Whether every lane starts anew.
        """
        explore = self.config.explore if explore is None else explore
        self.metrics.log_value(WEIGHTS_SEQ_NO, self._weights_seq_no, window=1)
        with self.metrics.log_time(SAMPLE_TIMER):
            if num_episodes is not None:
                steps = self._play_episodes(num_episodes, explore, random_actions)
                return [EvaluationSteps(steps)]
            if force_reset or self._needs_initial_reset:
                self._reset_lanes()
            if random_actions:
                self._state = self.module.initial_state(self.num_envs)
            if num_timesteps is None:
                length = self.config.get_rollout_fragment_length(self.worker_index or 0)
            else:
                length = max(1, math.ceil(num_timesteps / self.num_envs))
            return [self._sample_fragment(length, explore, random_actions)]

    def counted_steps(self) -> int:
        """Env steps of all lanes so far, those of the fragment that is being sampled included."""
        return int(self.num_env_steps_sampled_lifetime) + self._guard.counted

    def begin_anew(self) -> None:
        """Starts every lane's episode over; those under way, or ended since the last report, do not count."""
        if self.env is None or self._needs_initial_reset:
            return
        self._reset_lanes()
        self._episodes.forget()

    def get_metrics(self) -> Any:
        """Step counts and the episodes that ended since the last call."""
        self._episodes.report(self.metrics)
        return self.metrics.reduce()

    def lanes_state(self) -> dict[str, Any] | None:
        """All that decides how the lanes go on, as plain data; None where they begin anew anyway.

        Raises:
            UnsavedError: The state of the environments cannot be taken.
        """
        if self._needs_initial_reset:
            return None
        return {
            "env": save_env(self._plain_env()),
            "observations": self._observations,
            "resets": self._resets,
            "memories": {name: leaf.cpu().numpy() for name, leaf in self._state.items()},
            "returns": self._returns,
            "episodes": self._episodes.get_state(),
            "guard": self._guard.get_state(),
            "cuts": None if self._cuts is None else self._cuts.get_state(),
        }

    def set_lanes_state(self, state: Mapping[str, Any] | None) -> None:
        """Lets the lanes go on from `lanes_state()`, or begin anew.

        Raises:
            Exception: What an environment raises that cannot go on from it; there are new lanes then.
        """
        if state is None:
            self._needs_initial_reset = True
            return
        try:
            self._set_plain_env(restore_env(self._plain_env(), state["env"]))
        except Exception:
            self.make_env()
            raise
        self._observations, self._resets = state["observations"], state["resets"]
        self._state = as_tensors(state["memories"], self._device)
        self._returns = state["returns"]
        self._episodes.set_state(state["episodes"])
        self._guard.set_state(state["guard"])
        if self._cuts is not None:
            self._cuts.set_state(state.get("cuts"))
        self._begin_acting()

    def _plain_env(self) -> Any:
        """The lanes, without what tells the model more than their observations: that keeps no state."""
        return self.env.env if isinstance(self.env, InputLanes) else self.env

    def _set_plain_env(self, env: Any) -> None:
        if isinstance(self.env, InputLanes):
            self.env.env = env
        else:
            self.env = env

    def _reset_lanes(self) -> None:
        seeds = self._lane_seeds()
        if seeds is not None:  # of random actions
            self.env.action_space.seed(seeds if isinstance(seeds, int) else seeds[0])
        observations, self._infos = self._try_env_reset(seed=seeds, options=None)
        self._guard.step = 0
        self._observations = self._see(observations)
        self._resets = np.ones(self.num_envs, bool)
        self._state = self.module.initial_state(self.num_envs)
        self._returns = np.zeros(self.num_envs)
        self._episodes.restart()
        if self._cuts is not None:
            self._told(self._cuts.restart, self._infos)
        self._begin_acting()

    def _see(self, observations: Nest) -> Nest:
        """What lanes see now, (B, ...), with 0 for what is not finite.

        Raises:
            EnvError: A symbol is not in its space.
        """
        strange = self._symbols.finding(observations)
        if strange is not None:
            raise EnvError(self._scene(strange[1], strange[0]))
        return self._guard.observe(observations)

    def _begin_acting(self) -> None:
        self._needs_initial_reset = False
        self._action_dist = self.module.get_exploration_action_dist_cls()
        self.module.eval()

    def _lane_seeds(self) -> int | list[int] | None:
        """What the first reset is seeded with; later ones go on where the generators are.

        Copies of a single environment get a seed each: Gymnasium would count them up from one number, as
        RLlib counts up its runners' numbers, and most lanes of two runners would play the same episodes.
        A runner that begins anew in the middle of a run draws other episodes than at its start.
        """
        if self.config.seed is None or not self._needs_initial_reset:
            return None
        numbers = [self.config.seed, self.worker_index or 0, int(self.config.in_evaluation)]
        if self.num_env_steps_sampled_lifetime and not self.config.in_evaluation:
            numbers.append(self.num_env_steps_sampled_lifetime)  # the first episodes were played already
        sequence = np.random.SeedSequence(numbers)
        if isinstance(self.env.unwrapped, SyncVectorEnv | AsyncVectorEnv):
            return [int(seed) for seed in sequence.generate_state(self.num_envs)]
        return int(sequence.generate_state(1)[0])

    @torch.no_grad()
    def _sample_fragment(self, length: int, explore: bool, random_actions: bool) -> ColumnSet:
        """Steps every lane `length` times; a failed environment starts the fragment over."""
        buffer, t = FragmentBuffer(length, self.num_envs, self.env.single_observation_space, self._frames), 0
        while t < length:
            if t == 0:
                state_in = {name: value.cpu().numpy().copy() for name, value in self._state.items()}
                self._guard.begin(self.num_env_steps_sampled_lifetime)
            buffer.begin(t, self._observations, self._resets)
            self._guard.step = t + 1
            actions, logp, values = self._act(explore, random_actions)
            results = self._try_env_step(self.module.actions.to_env(actions))
            if results == ENV_STEP_FAILURE:
                self._reset_lanes()
                t = 0
                continue
            observations, rewards, terminateds, truncateds, infos = results
            self._observations = self._see(observations)
            self._resets = terminateds | truncateds
            ends = terminateds | self._cut(self._resets, infos)
            buffer.end(t, actions, logp, values, rewards, ends, truncateds)
            if truncateds.any() and not random_actions:
                buffer.final_values[t] = self._final_values(truncateds, infos)
            self._episodes.step(rewards, self._resets, infos)
            t += 1
        buffer.begin(length, self._observations, self._resets)
        self._count(length * self.num_envs)
        fragment = Fragment(
            **buffer.arrays(),
            last_values=self._unknown() if random_actions else self._values(self._observations, self._resets),
            state_in=state_in,
            weights_seq_no=self._weights_seq_no,
            return_in=self._returns,
        )
        if self.config.normalize_rewards:
            self._returns = zeroed(fragment.discounted_returns(self.config.gamma)[-1])
        self._guard.look(
            {
                "reward": buffer.rewards,
                "action log-probability": fragment.action_logp,
                "value": fragment.values,
                "value of the final observation": fragment.final_values,
            }
        )
        self._guard.look({"value": fragment.last_values[None]}, length + 1)
        return self._without_bad_lanes(fragment) if self._guard.bad.any() else fragment

    def _cut(self, ended: NDArray[np.bool_], infos: Mapping[str, Any]) -> NDArray[np.bool_] | np.bool_:
        """The lanes whose returns end here though their episodes go on, (B,)."""
        return np.False_ if self._cuts is None else self._told(self._cuts.step, ended, infos)

    def _told(self, take: Callable[..., Any], *told: Any) -> Any:
        """What `take` makes of what lanes told.

        Raises:
            EnvError: They did not tell what it needs.
        """
        try:
            return take(*told)
        except ValueError as error:
            raise EnvError(str(error)) from error

    def _without_bad_lanes(self, fragment: Fragment) -> Fragment:
        """The fragment with bad lanes marked, and no number in it that is not finite.

        Where these lanes' memories are not finite, they begin anew.
        """
        bad = torch.from_numpy(self._guard.bad).to(self._device)
        initial = self.module.initial_state(self.num_envs)
        for name, leaf in self._state.items():
            broken = bad & ~torch.isfinite(leaf).flatten(1).all(1)
            self._state[name] = where_lanes(broken, initial[name], leaf)
        self._log_finding()
        clean = fragment.map(zeroed, zeroed)
        clean.dropped = self._guard.bad.copy()
        return clean

    def _log_finding(self) -> None:
        """Tells what the guard has found since the fragment began."""
        found = self._guard.finding()
        if found is not None:
            self.metrics.log_value(NON_FINITE, tuple(found), reduce="item_series")

    @torch.no_grad()
    def _play_episodes(self, episodes: int, explore: bool, random_actions: bool) -> int:
        """Plays `episodes` episodes from fresh resets, lane i its share; returns the steps taken."""
        self._reset_lanes()
        self._guard.begin(self.num_env_steps_sampled_lifetime)
        self._episodes.limit(episodes)
        steps = 0
        while self._episodes.wanting():
            self._guard.step += 1
            actions, _, _ = self._act(explore, random_actions)
            results = self._try_env_step(self.module.actions.to_env(actions))
            if results == ENV_STEP_FAILURE:
                self._reset_lanes()
                self._episodes.limit(episodes)
                continue
            observations, rewards, terminateds, truncateds, infos = results
            self._observations = self._see(observations)
            self._guard.look({"reward": rewards[None]}, self._guard.step)
            self._resets = terminateds | truncateds
            self._episodes.step(rewards, self._resets, infos)
            steps += self.num_envs
        self._count(steps)
        self._log_finding()
        self._needs_initial_reset = True
        return steps

    def _act(self, explore: bool, random_actions: bool) -> tuple[Nest, Nest, Nest]:
        """Actions as the distribution counts them, their log-probabilities and the values seen, (B, ...).

        Moves the state on.
        """
        if random_actions:
            return self._random_draws(), self._unknown(), self._unknown()
        outputs = self.module.forward_columns(
            self._tensor(self._observations), self._state, self._reset_tensor(self._resets)
        )
        self._state = outputs.state
        inputs = outputs.action_dist_inputs[0]
        try:
            actions, logp = self._draw(inputs, explore)
            strange = actions.dtype.is_floating_point and not bool(torch.isfinite(actions).all())
        except (RuntimeError, ValueError):  # of PyTorch's distributions, which do not say what is wrong
            strange = not bool(torch.isfinite(inputs).all())
            if not strange:
                raise
        if strange:
            actions, logp = self._draw(self._guard.logits(inputs), explore)
        return actions.cpu().numpy(), logp.cpu().numpy(), outputs.values[0].cpu().numpy()

    def _draw(self, inputs: Tensor, explore: bool) -> tuple[Tensor, Tensor]:
        """Actions (B, ...) and their log-probabilities (B,), by what describes their distribution, (B, A)."""
        dist = self._action_dist.from_logits(inputs)
        actions = dist.sample() if explore else dist.to_deterministic().sample()
        return actions, dist.logp(actions)

    def _random_draws(self) -> Nest:
        """Actions (B, ...) as if nothing were known of them but which are legal."""
        legal = self.module.legal(self._tensor(self._observations))
        if legal is None:
            return self.module.actions.from_env(self.env.action_space.sample())
        none_preferred = torch.zeros(legal[0].shape, device=self._device)
        return self._action_dist.from_logits(masked(none_preferred, legal[0])).sample().cpu().numpy()

    def _unknown(self) -> NDArray[np.float32]:
        """What stands for numbers (B,) of the network that it was not asked for."""
        return np.zeros(self.num_envs, np.float32)

    def _values(self, observations: Nest, resets: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Values (B,) of observations that are not acted upon; the state stays as it is."""
        outputs = self.module.forward_columns(
            self._tensor(observations), self._state, self._reset_tensor(resets)
        )
        values: NDArray[np.float32] = outputs.values[0].cpu().numpy()
        return values

    def _final_values(self, truncateds: NDArray[np.bool_], infos: Mapping[str, Any]) -> NDArray[np.float32]:
        """Values (B,) of the final observations of truncated lanes, 0 elsewhere.

        Under SAME_STEP the returned observation is already the next episode's; the final one is in `infos`.
        """
        lanes = np.flatnonzero(truncateds)
        if "final_obs" not in infos:
            raise EnvError(self._scene("step truncates an episode without info['final_obs']", int(lanes[0])))
        observations = tree.map_structure(np.copy, self._observations)
        for lane in lanes.tolist():
            _put(observations, lane, lane_of(infos["final_obs"], lane))
        values = self._values(self._guard.final(observations), np.zeros(self.num_envs, bool))
        return np.where(truncateds, values, np.float32(0))

    def _tensor(self, observations: Nest) -> Any:
        """Observations (B, ...) as tensors (1, B, ...)."""
        return tree.map_structure(lambda x: torch.from_numpy(x)[None].to(self._device), observations)

    def _reset_tensor(self, resets: NDArray[np.bool_]) -> Tensor | None:
        return torch.from_numpy(resets)[None].to(self._device) if resets.any() else None

    def _count(self, steps: int) -> None:
        self.num_env_steps_sampled_lifetime += steps
        self._increase_sampled_metrics(steps, self._episodes.ended())


def _put(nest: Nest, lane: int, values: Nest) -> None:
    """Writes one lane's `values` into a nest of (B, ...) arrays."""
    found = tree.flatten_up_to(nest, values, check_types=False)  # in which a list may stand for an array
    for array, value in zip(tree.flatten(nest), found, strict=True):
        array[lane] = value


class FragmentBuffer:
    """The arrays of a fragment while it is being sampled.

    Args:
        length: T.
        lanes: B.
        space: Of one lane.
        frames: How many frames each leaf of an observation shares with those around it, see `frame_counts`.
    """

    def __init__(self, length: int, lanes: int, space: gym.Space[Any], frames: Sequence[int]) -> None:
        # As the space says: what lanes return first may be whole numbers by chance.
        one_lane = create_empty_array(space, 1)
        rows = zip(tree.flatten(one_lane), frames, strict=True)
        empty = [empty_rows(length + 1, lanes, leaf[0], count) for leaf, count in rows]
        self.observations: Nest = tree.unflatten_as(one_lane, empty)
        self._frames = frames
        self.resets = np.empty((length + 1, lanes), bool)
        self.rewards = np.empty((length, lanes))  # as they came: single precision may be too small for them
        self.terminateds = np.empty((length, lanes), bool)
        self.truncateds = np.empty((length, lanes), bool)
        self.values = np.empty((length, lanes), np.float32)
        self.final_values = np.zeros((length, lanes), np.float32)
        self.action_logp = np.empty((length, lanes), np.float32)
        self.actions: Nest = None
        self._length = length

    def begin(self, t: int, observations: Nest, resets: NDArray[np.bool_]) -> None:
        """Writes what is seen at row `t`."""
        columns, values = tree.flatten(self.observations), tree.flatten(observations)
        for column, value, count in zip(columns, values, self._frames, strict=True):
            write_row(column, t, value, count)
        self.resets[t] = resets

    def end(
        self,
        t: int,
        actions: Nest,
        logp: NDArray[np.float32],
        values: NDArray[np.float32],
        rewards: NDArray[np.float64],
        terminateds: NDArray[np.bool_],
        truncateds: NDArray[np.bool_],
    ) -> None:
        """Writes what was done at row `t` and what came of it."""
        if self.actions is None:
            self.actions = np.empty((self._length, *actions.shape), actions.dtype)
        self.actions[t] = actions
        self.action_logp[t], self.values[t], self.rewards[t] = logp, values, rewards
        self.terminateds[t], self.truncateds[t] = terminateds, truncateds

    def arrays(self) -> dict[str, Nest]:
        """The columns by name."""
        columns = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        with np.errstate(over="ignore"):
            return columns | {"rewards": self.rewards.astype(np.float32)}
