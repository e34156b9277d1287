"""Sampling ahead: whose weights sampled what, the same fragments as in turn, runners that die."""

import time

import numpy as np
import pytest

from engram.agents import make_config
from engram.agents.columns.ahead import TAG
from engram.agents.columns.fragment import concatenate

LANES, STEPS, RUNNERS, ROUNDS = 4, 5, 2, 2
BATCH = LANES * STEPS * RUNNERS * ROUNDS


def make(**settings):
    """Two runners, each of whose batches are two fragments; one update an iteration."""
    made = make_config(
        "RecurrentPPO", {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}
    )
    made.environment("recall:engram_tests/CueRecall-v0", env_config={"delay": 2}).debugging(seed=0)
    made.num_env_runners, made.num_envs_per_env_runner, made.rollout_fragment_length = RUNNERS, LANES, STEPS
    made.train_batch_size_per_learner = BATCH
    made.sample_ahead, made.restart_failed_env_runners = True, True
    for name, value in settings.items():
        setattr(made, name, value)
    return made


@pytest.fixture(scope="module")
def ahead(ray_cluster):
    algorithm = make().build_algo()
    yield algorithm
    algorithm.stop()


def lag(result):
    return result["learners"]["default_policy"]["policy_lag"]


def test_all_but_the_first_batch_are_one_update_old(ahead):
    """However fast the learner is: a runner takes the newest weights before it begins."""
    results = [ahead.train() for _ in range(12)]
    assert [lag(result) for result in results] == [0] + [1] * 11
    assert [result["timesteps_total"] for result in results] == [BATCH * (index + 1) for index in range(12)]


def test_what_is_forgotten_is_not_learned_from(ahead):
    """The next batch is sampled by the weights that learn from it, and those behind it are ahead again."""
    ahead.train()
    before = ahead.learner_group._learner._weights_seq_no
    ahead.forget_samples()
    assert [lag(ahead.train()) for _ in range(3)] == [0, 1, 1]
    assert ahead.learner_group._learner._weights_seq_no == before + 3


def test_it_goes_on_when_a_runner_dies(ray_cluster, ahead):
    ahead.train()
    runners = ahead.env_runner_group
    ray_cluster.kill(runners._worker_manager.actors()[1], no_restart=False)
    steps = [ahead.train()["timesteps_total"] for _ in range(4)]
    assert min(np.diff(steps)) >= BATCH
    for _ in range(600):  # it is started anew beside them, which takes its time
        if runners.num_healthy_remote_workers() == RUNNERS:
            break
        time.sleep(0.1)
        ahead.train()
    assert runners.num_healthy_remote_workers() == RUNNERS


def learned_from(settings, updates):
    """The columns that updates learn from, and their reports."""
    algorithm, seen = settings.build_algo(), []
    sample = algorithm.sample

    def watched():
        fragments, metrics = sample()
        seen.append(concatenate(fragments))
        return fragments, metrics

    algorithm.sample = watched
    try:
        for _ in range(updates):
            algorithm.train()
    finally:
        algorithm.stop()
    return seen


def test_weights_that_stand_still_sample_the_same_as_in_turn(ray_cluster):
    """With a step size of 0; lanes of one runner stand side by side, fragment by fragment."""
    own, other = (learned_from(make(lr=0.0, sample_ahead=ahead), 3) for ahead in (True, False))
    for one, two in zip(own, other, strict=True):
        sizes = {column.shape[1] for column in (one.rewards, two.rewards)}
        assert sizes == {LANES * RUNNERS * ROUNDS}
        for column in ("observations", "actions", "rewards", "action_logp"):
            lanes = [
                sorted(np.moveaxis(np.asarray(leaf), 1, 0).reshape(leaf.shape[1], -1).tolist())
                for leaf in (getattr(one, column), getattr(two, column))
            ]
            assert lanes[0] == lanes[1], column


def test_refused():
    with pytest.raises(ValueError, match="sample_ahead: there are no processes that could sample while"):
        make(num_env_runners=0).validate()
    make(num_env_runners=0, sample_ahead=False).validate()
    with pytest.raises(ValueError, match="max_requests_in_flight_per_env_runner: 2, while sample_ahead is"):
        make(max_requests_in_flight_per_env_runner=2).validate()
    assert make_config("RecurrentPPO").sample_ahead is False


def test_nothing_is_learned_from_what_was_sampled_before_a_restore(ahead, tmp_path):
    """The runners have the restored weights before they go on."""
    ahead.train()
    saved = ahead.save_to_path(tmp_path / "saved")
    for _ in range(3):
        ahead.train()
    ahead.restore_from_path(saved)
    assert [lag(ahead.train()) for _ in range(3)] == [0, 1, 1]


def test_a_batch_is_no_larger_where_a_runner_is_late(ahead):
    """Of three batches that were asked for at once, one is learned from and the others are thrown away."""
    runners, asked = ahead.env_runner_group, ahead._ahead._ask
    ahead.forget_samples()
    runners._worker_manager._max_remote_requests_in_flight_per_actor = 3
    try:
        for _ in range(3):
            runners.foreach_env_runner_async(asked, tag=TAG)
        fragments, metrics = ahead.sample()
    finally:
        runners._worker_manager._max_remote_requests_in_flight_per_actor = 1
    assert sum(fragment.env_steps() for fragment in fragments) == BATCH
    assert len(metrics) == RUNNERS * ROUNDS


def test_nobody_answers_in_time(ahead, monkeypatch, caplog):
    """Nothing is learned, a warning says so, and it goes on."""
    ahead.forget_samples()
    monkeypatch.setattr(ahead._ahead, "timeout_s", 0.0)
    monkeypatch.setattr(ahead._ahead, "_request", lambda: None)
    assert ahead.sample() == ([], [])
    assert "no runner has sampled in 0.0 s; sample_timeout_s may be too short" in caplog.text
    monkeypatch.undo()
    assert ahead.train()["timesteps_total"] > 0
