"""Episode bookkeeping: returns per lane, equal shares in evaluation, windows without NaN."""

import math

import numpy as np
import pytest

from engram.agents.columns.episodes import EPISODES, UNFINISHED, EpisodeLog, EpisodeWindow

NAMES = [f"episode_{name}_{stat}" for name in ("return", "len") for stat in ("mean", "min", "max")]


class Recorder:
    """Stands in for RLlib's metrics logger."""

    def __init__(self):
        self.logged = {}

    def log_value(self, key, value, **_):
        self.logged.setdefault(key, []).append(value)


def report(log):
    recorder = Recorder()
    log.report(recorder)
    return recorder.logged


def final_info(**arrays):
    return {"final_info": {k: np.array(v) for k, v in arrays.items()}, "success": np.zeros(2, bool)}


def test_returns_and_lengths_are_per_lane():
    log = EpisodeLog(2, group_by="level")
    log.step(np.array([1.0, 10.0]), np.array([False, False]), {})
    log.step(np.array([2.0, 20.0]), np.array([True, False]), final_info(success=[True, False], level=[3, 4]))
    log.step(np.array([4.0, 40.0]), np.array([False, True]), final_info(success=[True, False], level=[3, 4]))
    assert report(log)[EPISODES] == [(3.0, 2, True, "3"), (70.0, 3, False, "4")]
    assert log.ended() == 2
    assert log.ended() == 0


@pytest.mark.parametrize("success", ["no", math.nan, None, [True, False]])
def test_a_success_is_true_or_false(success):
    """Python takes a text, and NaN, for true."""
    log, told = EpisodeLog(1), np.array([None])
    told[0] = success
    step = (np.ones(1), np.array([True]), {"final_info": {"success": told}})
    if success is None:
        log.step(*step)
        assert report(log)[EPISODES] == [(1.0, 1, None, None)]
        return
    with pytest.raises(ValueError, match=r"info\['success'\] is .*; expected true or false, a bool"):
        log.step(*step)


@pytest.mark.parametrize("success", [True, np.True_, 1, 1.0, np.array([True])])
def test_a_success_as_it_may_be_written(success):
    log, told = EpisodeLog(1), np.array([None])
    told[0] = success
    log.step(np.ones(1), np.array([True]), {"final_info": {"success": told}})
    assert report(log)[EPISODES] == [(1.0, 1, True, None)]


def test_every_lane_plays_its_share_and_no_more():
    log = EpisodeLog(2)
    log.limit(3)
    for _ in range(2):
        log.step(np.ones(2), np.array([True, True]), {})
    assert not log.wanting()
    assert len(report(log)[EPISODES]) == 3
    log.limit(2)
    assert log.wanting()


def test_every_report_says_how_far_the_episodes_are():
    log = EpisodeLog(2)
    log.step(np.array([1.0, 3.0]), np.array([False, False]), {"success": np.zeros(2, bool)})
    assert report(log) == {UNFINISHED: [(1, True)]}
    log.step(np.ones(2), np.array([True, False]), {})
    assert report(log)[UNFINISHED] == [(2, True)]
    log.restart()
    assert report(log) == {UNFINISHED: [(0, True)]}


def test_window_keeps_the_last_episodes():
    window = EpisodeWindow(size=2)
    window.extend([(9.0, 9, None, None), (1.0, 2, True, "a"), (3.0, 4, False, "b")])
    summary = window.summary()
    assert (summary["episode_return_mean"], summary["episode_return_min"], summary["episode_return_max"]) == (
        2,
        1,
        3,
    )
    assert summary["success_rate"] == 0.5
    assert summary["groups"]["a"]["success_rate"] == 1.0


def test_an_empty_window_has_no_returns_and_no_lengths():
    summary = EpisodeWindow(size=2).summary([(10, True), (20, False)])
    assert all(np.isnan(summary.pop(name)) for name in [*NAMES, "success_rate"])
    assert summary == {"num_episodes_in_window": 0, "unfinished_episode_len_max": 20}
    assert set(EpisodeWindow(size=2).summary((7, False))) == {*NAMES, *summary}, "a series of one"
    assert set(EpisodeWindow(size=2).summary()) == {*NAMES, "num_episodes_in_window"}


def test_once_an_episode_has_ended_those_under_way_are_nobodys_business():
    window = EpisodeWindow(size=2)
    window.extend([(-9.0, 9, None, None)])
    summary = window.summary([(500, True)])
    assert {summary[name] for name in NAMES} == {-9.0, 9.0}
    assert not {"success_rate", "unfinished_episode_len_max"} & set(summary)


def test_a_single_episode_comes_back_unwrapped():
    """RLlib's metrics turn a series of one item into the item."""
    window = EpisodeWindow(size=3)
    window.extend((5.0, 7, True, None))
    window.extend([])
    assert [episode.length for episode in window.episodes] == [7]
