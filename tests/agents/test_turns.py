"""Updates in turn: no more at once than there are places, places that the dead leave, memory given back."""

import contextlib
import ctypes
import errno
import multiprocessing
import os
import random
import signal
import time
import types

import pytest
import ray
import torch
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from test_finite import Shell

from engram.agents.columns import learner as learner_module
from engram.agents.columns import turns
from engram.agents.columns.turns import give_back, taking_turns, turn

FORK = multiprocessing.get_context("fork")
PLACES = 2


def _take_a_turn(file, inside, most, enough):
    with turn(file, PLACES):
        with most.get_lock():
            inside.value += 1
            most.value = max(most.value, inside.value)
        enough.acquire(timeout=60)
        with most.get_lock():
            inside.value -= 1


def test_no_more_at_once_than_places(tmp_path):
    """Seven processes; those inside stay until the test has seen as many as may be, then all go on."""
    inside, most, enough = FORK.Value("i", 0), FORK.Value("i", 0), FORK.Semaphore(0)
    arguments = (tmp_path / "turns", inside, most, enough)
    processes = [FORK.Process(target=_take_a_turn, args=arguments) for _ in range(7)]
    for process in processes:
        process.start()
    patience = time.monotonic() + 60
    while inside.value < PLACES and time.monotonic() < patience:
        time.sleep(0.01)
    assert inside.value == PLACES
    for _ in range(7):
        enough.release()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * 7
    assert 1 <= most.value <= PLACES
    assert inside.value == 0


def _hold(file, taken):
    with turn(file, 1):
        taken.set()
        signal.pause()


def _try(file, got):
    with turn(file, 1):
        got.set()


def test_a_place_is_held_and_the_dead_leave_theirs(tmp_path):
    file, taken, got = tmp_path / "turns", FORK.Event(), FORK.Event()
    holder = FORK.Process(target=_hold, args=(file, taken))
    holder.start()
    assert taken.wait(timeout=60)
    waiting = FORK.Process(target=_try, args=(file, got))
    waiting.start()
    assert not got.wait(timeout=0.5)
    os.kill(holder.pid, signal.SIGKILL)
    assert got.wait(timeout=60)
    waiting.join(timeout=60)
    assert waiting.exitcode == 0


def test_nobody_waits_where_files_have_no_locks(tmp_path, monkeypatch):
    def refuses(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(turns.fcntl, "lockf", refuses)
    with turn(tmp_path / "turns", 1), turn(tmp_path / "turns", 1):
        pass


def test_only_shares_of_a_core_take_turns(monkeypatch, ray_cluster):
    """And the global random numbers stay as they are, with which environments may draw."""
    taken, before = [], random.getstate()

    @contextlib.contextmanager
    def seen(file, places):
        with turn(file, places):
            taken.append((file.exists(), places))
            yield

    monkeypatch.setattr(turns, "turn", seen)
    for cpus in (0.0, 1.0, 2.0):
        with taking_turns(cpus):
            pass
    assert taken == []
    with taking_turns(0.22):
        pass
    assert taken == [(True, int(ray.cluster_resources()["CPU"]))]
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("settings", "cpus"),
    [
        ({}, 1.0),
        ({"num_cpus_for_main_process": 0.22}, 0.22),
        ({"num_learners": 1, "num_cpus_per_learner": 0.1}, 0.1),
        ({"num_learners": 1, "num_cpus_per_learner": "auto"}, 1.0),
        ({"num_learners": 2, "num_cpus_per_learner": 0.1}, 1.0),  # they wait for each other
    ],
)
def test_what_a_learner_has(settings, cpus):
    learner = Shell().learner
    defaults = {"num_learners": 0, "num_cpus_per_learner": 1, "num_cpus_for_main_process": 1}
    learner.config = types.SimpleNamespace(**defaults | settings)
    assert learner._cpus() == cpus


def _resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library has no malloc_trim")
def test_memory_that_is_free_goes_back():
    """Of 100 MB in pieces the last one stays, behind which the C library keeps the rest."""
    pieces = [torch.ones(25_000) for _ in range(1000)]
    last = pieces.pop()
    pieces.clear()
    held = _resident()
    give_back()
    assert held - _resident() > 50e6
    assert last.sum() == 25_000


def test_a_learner_returns_memory_after_an_update_but_not_too_often(monkeypatch):
    """At 10 s, not half a second later, and again a second after the first time."""
    learner, returned, clock = Shell().learner, [], types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(learner_module, "give_back", lambda: returned.append(clock.now))
    monkeypatch.setattr(learner_module, "time", types.SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(TorchLearner, "update", lambda *_, **__: {})
    monkeypatch.setattr(learner, "_cpus", lambda: 1.0)
    for clock.now in (10.0, 10.5, 11.0, 11.9, 30.0):
        learner.update()
    assert returned == [10.0, 11.0, 30.0]
