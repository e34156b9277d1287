"""Episodes that ended: logged lane by lane where they are played, summarised over a window.

B lanes.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from ray.rllib.utils.metrics.metrics_logger import MetricsLogger

from engram.agents.columns.trials import PER_TRIAL, TrialLog

EPISODES = "episodes"
"""Metric key: the list of episodes that ended since the last report."""

UNFINISHED = "unfinished"
"""Metric key: how far the episodes under way are, an `Unfinished` in each report of a runner."""


class Episode(NamedTuple):
    """One finished episode.

    Attributes:
        episode_return: Sum of rewards.
        length: Environment steps.
        success: Whether the task was solved; None where the environment does not say.
        group: What the environment's results are split by (level, delay, size); None where nothing.
    """

    episode_return: float
    length: int
    success: bool | None
    group: str | None


class Unfinished(NamedTuple):
    """The episodes under way, without returns until they end.

    Attributes:
        length: Environment steps of the longest one.
        says_success: Whether the environment says of an episode that it was a success.
    """

    length: int
    says_success: bool


class EpisodeLog:
    """Sums up rewards lane by lane and keeps the episodes that ended, unless their return is not finite."""

    def __init__(
        self, lanes: int, group_by: str | None = None, per_trial: Mapping[str, str] | None = None
    ) -> None:
        """Starts B episodes.

        Args:
            lanes: B.
            group_by: The info key by which results are split, if any.
            per_trial: What is told of the trials of an episode, if anything, see `trials`.
        """
        self._returns = np.zeros(lanes)
        self._lengths = np.zeros(lanes, np.int64)
        self._group_by = group_by
        self._finished: list[Episode] = []
        self._uncounted = 0
        self._quota: NDArray[np.int64] | None = None
        self._says_success = False
        self._trials = TrialLog(per_trial or {})

    @classmethod
    def of(cls, envs: VectorEnv[Any, Any, Any]) -> Self:
        """Starts the episodes of lanes, logged as their metadata ask for."""
        return cls(envs.num_envs, envs.metadata.get("group_by"), envs.metadata.get(PER_TRIAL))

    def restart(self) -> None:
        """Starts every lane's episode over, without a limit; what has finished stays."""
        self._returns[:] = 0.0
        self._lengths[:] = 0
        self._quota = None

    def limit(self, episodes: int) -> None:
        """Keeps only the first `episodes` from now on, every lane its equal share, and forgets earlier ones.

        The first to end, whatever their lane, would be the shortest.
        """
        share, rest = divmod(episodes, len(self._returns))
        self._quota = share + (np.arange(len(self._returns)) < rest)
        self.forget()

    def forget(self) -> None:
        """Forgets episodes that have ended and were not reported."""
        self._finished, self._uncounted = [], 0
        self._trials.forget()

    def wanting(self) -> bool:
        """Whether a limited log still waits for episodes."""
        return self._quota is not None and bool(self.counting().any())

    def counting(self) -> NDArray[np.bool_]:
        """Whether the present episode of each lane is one of those that are kept, (B,)."""
        everyone = np.ones(len(self._returns), np.bool_)
        return everyone if self._quota is None else self._quota > 0

    def step(self, rewards: NDArray[Any], dones: NDArray[np.bool_], infos: Mapping[str, Any]) -> None:
        """Takes in one step of every lane; `infos` as a SAME_STEP vector environment gives them."""
        self._trials.step(rewards, dones, infos, self.counting())
        self._returns += rewards
        self._lengths += 1
        self._says_success = self._says_success or "success" in infos
        if not dones.any():
            return
        final = infos.get("final_info", {})
        for lane in np.flatnonzero(dones):
            self._finish(int(lane), final)
        self._returns[dones] = 0.0
        self._lengths[dones] = 0

    def get_state(self) -> dict[str, Any]:
        """The episodes under way, and those that are not reported yet, as plain data."""
        return {
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "finished": [tuple(episode) for episode in self._finished],
            "uncounted": self._uncounted,
            "says_success": self._says_success,
            "trials": self._trials.get_state(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from `get_state()` of as many lanes, without a limit."""
        self.restart()
        self._returns[:], self._lengths[:] = state["returns"], state["lengths"]
        self._finished = [Episode(*episode) for episode in state["finished"]]
        self._uncounted, self._says_success = state["uncounted"], state["says_success"]
        self._trials.set_state(state.get("trials", {}))  # older checkpoints have none

    def ended(self) -> int:
        """How many episodes ended since the last call."""
        count, self._uncounted = self._uncounted, 0
        return count

    def report(self, metrics: MetricsLogger) -> None:
        """Hands the finished episodes over to RLlib's metrics and forgets them."""
        progress = Unfinished(int(self._lengths.max()), self._says_success)
        metrics.log_value(UNFINISHED, tuple(progress), reduce="item_series")
        for episode in self._finished:
            metrics.log_value(EPISODES, tuple(episode), reduce="item_series")
        self._finished = []
        self._trials.report(metrics)

    def _finish(self, lane: int, final: Mapping[str, Any]) -> None:
        if self._quota is not None:
            if self._quota[lane] == 0:
                return
            self._quota[lane] -= 1
        self._uncounted += 1
        if not math.isfinite(self._returns[lane]):
            return
        success = _lane_value(final, "success", lane)
        group = _lane_value(final, self._group_by, lane) if self._group_by else None
        self._finished.append(
            Episode(
                float(self._returns[lane]),
                int(self._lengths[lane]),
                None if success is None else _as_bool("success", success),
                None if group is None else str(group),
            )
        )


def _as_bool(key: str, value: Any) -> bool:
    """An entry of info that is true or false; of text or NaN, Python would make something true."""
    number = np.asarray(value)
    if number.size != 1 or number.dtype.kind not in "biuf" or not np.isfinite(number).all():
        raise ValueError(f"info[{key!r}] is {value!r:.60}; expected true or false, a bool")
    return bool(number.item())


def _lane_value(infos: Mapping[str, Any], key: str, lane: int) -> Any:
    """One lane's entry of a vector environment's info, None where it has none."""
    if key not in infos or not infos.get(f"_{key}", np.ones(lane + 1, bool))[lane]:
        return None
    return infos[key][lane]


Record = TypeVar("Record", bound=tuple[Any, ...])


def as_records(items: Any, kind: type[Record]) -> list[Record]:
    """What RLlib's metrics give back of a series of tuples: a list, the only one by itself, of none NaN."""
    if not isinstance(items, tuple | list):
        return []
    alone = bool(items) and not isinstance(items[0], tuple | list)
    return [kind(*item) for item in ([items] if alone else items)]


class EpisodeWindow:
    """The last finished episodes, for curves that never break off.

    Until one has ended there is no return and no length: they are NaN, which reaches no stop condition, is
    the worst of all scores, and is no point in TensorBoard.
    """

    def __init__(self, size: int | None) -> None:
        """Starts empty.

        Args:
            size: How many episodes are kept; None: all.
        """
        self.episodes: deque[Episode] = deque(maxlen=size)

    def extend(self, episodes: Any) -> None:
        """Takes in episodes as RLlib's metrics give them back."""
        self.episodes.extend(as_records(episodes, Episode))

    def summary(self, unfinished: Any = ()) -> dict[str, Any]:
        """Metrics over the window.

        Args:
            unfinished: How far the episodes under way are, one `Unfinished` or more of each runner; told
                where the window is empty.

        Returns:
            `episode_return_mean|min|max`, `episode_len_mean|min|max`, `num_episodes_in_window`, and, where
            the environment says so, `success_rate` and the same of each group under `groups`. Of an empty
            window all but the number are NaN, there are no groups, and `unfinished_episode_len_max` is how
            long the longest episode under way is, env steps.
        """
        if not self.episodes:
            return _nothing(as_records(unfinished, Unfinished))
        summary = _summarise(self.episodes)
        names = sorted({episode.group for episode in self.episodes if episode.group is not None})
        if names:
            summary["groups"] = {
                name: _summarise(e for e in self.episodes if e.group == name) for name in names
            }
        return summary


STATISTICS = ("mean", "min", "max")


def _nothing(under_way: Sequence[Unfinished]) -> dict[str, Any]:
    summary: dict[str, Any] = {"num_episodes_in_window": 0}
    summary |= {f"episode_{name}_{stat}": math.nan for name in ("return", "len") for stat in STATISTICS}
    if under_way:
        summary["unfinished_episode_len_max"] = max(each.length for each in under_way)
    if any(each.says_success for each in under_way):
        summary["success_rate"] = math.nan
    return summary


def _summarise(episodes: Iterable[Episode]) -> dict[str, Any]:
    episodes = list(episodes)
    returns = np.array([episode.episode_return for episode in episodes])
    lengths = np.array([episode.length for episode in episodes])
    successes = [episode.success for episode in episodes if episode.success is not None]
    summary: dict[str, Any] = {"num_episodes_in_window": len(episodes)}
    for name, values in (("return", returns), ("len", lengths)):
        for stat in STATISTICS:
            summary[f"episode_{name}_{stat}"] = float(getattr(values, stat)())
    if successes:
        summary["success_rate"] = float(np.mean(successes))
    return summary
