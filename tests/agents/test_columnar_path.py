"""The columnar path on a task that needs memory: sampling, learning, checkpoints, runners, learners."""

import itertools
import math
import sys

import numpy as np
import pytest
import recall  # noqa: F401  registers the task
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.training_data import TrainingData

from engram.agents import bptt_steps_of, make_config
from engram.agents.columns.results import ResultCallbacks
from engram.train.plans import effects

LSTM = {"type": "lstm", "size": 32}
MLP_CORE = {"type": "mlp", "hidden": [32]}
LOW_PASS = {"type": "low_pass", "pools": 4, "size": 16, "summariser": 32, "normalize": "running"}
FROZEN = LOW_PASS | {"train_input": False}
SCORES = ("episode_return_mean", "episode_len_mean", "num_episodes_in_window")


def config(run="RecurrentPPO", core=LSTM, skip=True, **settings):
    result = make_config(run, {"encoder": {"type": "mlp", "hidden": [32]}, "core": core, "skip": skip})
    result.environment("recall:engram_tests/CueRecall-v0").debugging(seed=0)
    result.num_envs_per_env_runner = 32
    result.lr = 3e-3
    result.min_sample_timesteps_per_iteration = 6400
    if run == "RecurrentPPO":
        result.minibatch_size = 160
    for name, value in settings.items():
        setattr(result, name, value)
    return result


def train(settings, iterations):
    algorithm = settings.build_algo()
    try:
        return [algorithm.train() for _ in range(iterations)]
    finally:
        algorithm.stop()


def success(result):
    return result["env_runners"]["success_rate"]


@pytest.mark.parametrize(
    "core",
    [
        pytest.param(LSTM, id="lstm", marks=pytest.mark.slow),
        pytest.param(LOW_PASS, id="low_pass", marks=pytest.mark.slow),
        pytest.param(FROZEN, id="low_pass_frozen"),
    ],
)
def test_ppo_recalls_the_cue(ray_cluster, core):
    assert success(train(config(core=core), 8)[-1]) >= 0.95


def test_memory_free_policy_stays_at_chance(ray_cluster):
    results = train(config(core=MLP_CORE), 6)
    assert np.mean([success(result) for result in results]) == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
def test_impala_recalls_the_cue_from_remote_runners(ray_cluster):
    settings = config(
        "RecurrentIMPALA", num_env_runners=1, lr=1e-2, min_sample_timesteps_per_iteration=50_000
    )
    algorithm = settings.build_algo()
    try:  # how fast it learns depends on how old the runner's weights are, which is the machine's affair
        assert any(success(algorithm.train()) >= 0.95 for _ in range(16))
    finally:
        algorithm.stop()


def test_same_seed_same_numbers(ray_cluster):
    def numbers():
        results = train(config(core=LOW_PASS), 2)
        return [
            (r["env_runners"]["episode_return_mean"], float(r["learners"][DEFAULT_MODULE_ID]["total_loss"]))
            for r in results
        ]

    first = numbers()
    assert first == numbers()
    assert all(math.isfinite(number) for pair in first for number in pair)


def test_checkpoint_goes_on_where_it_was(ray_cluster, tmp_path):
    algorithm = config().build_algo()
    before = algorithm.train()
    path = algorithm.save_to_path(str(tmp_path / "checkpoint"))
    weights = algorithm.get_module().state_dict()
    window = ResultCallbacks.of(algorithm).get_state()
    restored = Algorithm.from_checkpoint(path)
    try:
        assert ResultCallbacks.of(restored).get_state() == window
        for name, tensor in restored.get_module().state_dict().items():
            torch.testing.assert_close(tensor, weights[name], msg=name)
        after = restored.train()
        assert after["timesteps_total"] == before["timesteps_total"] + 6400
        assert after["training_iteration"] == before["training_iteration"] + 1
    finally:
        algorithm.stop()
        restored.stop()


def test_first_update_after_a_restore_uses_the_configured_rate(ray_cluster):
    """A learner takes over weights and optimizer of another; its own rate counts from the first step."""
    donor, heir = config(lr=1e-2).build_algo(), config(lr=[[0, 1e-4], [10_000, 1e-6]]).build_algo()
    used = []
    try:
        donor.train()
        heir.learner_group.set_state(donor.learner_group.get_state())
        learner = heir.learner_group._learner
        step = learner.apply_gradients
        learner.apply_gradients = lambda grads: (used.append(rate_of(learner)), step(grads))[1]
        heir.training_step()
        assert used == pytest.approx([1e-4 - (1e-4 - 1e-6) * 640 / 10_000] * len(used))
        assert len(used) == 8
    finally:
        donor.stop()
        heir.stop()


def rate_of(learner):
    (optimizer,) = (optimizer for _, optimizer in learner.get_optimizers_for_module("default_policy"))
    return optimizer.param_groups[0]["lr"]


def test_learners_share_the_lanes_and_agree(ray_cluster):
    """Each learner sees half of the lanes, and both end with the same weights and running statistics."""
    algorithm = config(
        core=LOW_PASS, num_env_runners=1, num_learners=2, num_cpus_per_learner=0.5
    ).build_algo()
    try:
        result = algorithm.train()
        states = algorithm.learner_group.foreach_learner(
            lambda learner: {
                k: v.cpu() for k, v in learner.module["default_policy"].unwrapped().state_dict().items()
            }
        )
        first, second = [call.get() for call in states]
        for name, leaf in first.items():
            torch.testing.assert_close(leaf, second[name], rtol=0, atol=0, msg=name)
        trained = result["learners"]["__all_modules__"]["num_env_steps_trained"]
        assert trained == result["timesteps_total"] * algorithm.config.num_epochs
    finally:
        algorithm.stop()


@pytest.fixture(scope="module")
def two_runners(ray_cluster):
    """An algorithm whose env runners are two processes, started once for several tests."""
    settings = config(
        num_env_runners=2, num_envs_per_env_runner=4, env_config={"delay": 2}, restart_failed_env_runners=True
    )
    algorithm = settings.build_algo()
    yield algorithm
    algorithm.stop()


def test_lanes_of_two_runners_play_different_episodes(two_runners):
    """Copies of a single environment: no two lanes share a seed."""
    fragments = two_runners.env_runner_group.foreach_env_runner(
        lambda runner: runner.sample(num_timesteps=4 * 60)[0], local_env_runner=False
    )
    cues = [fragment.observations[:, lane, 0].tolist() for fragment in fragments for lane in range(4)]
    assert len({tuple(shown) for shown in cues}) == 8


def test_training_survives_a_killed_runner(ray_cluster, two_runners):
    two_runners.train()
    victim = two_runners.env_runner_group._worker_manager.actors()[1]
    ray_cluster.kill(victim, no_restart=False)
    steps = [two_runners.train()["timesteps_total"] for _ in range(3)]
    assert steps[0] < steps[1] < steps[2]
    assert two_runners.env_runner_group.num_healthy_remote_workers() == 2


def test_evaluation_plays_exactly_the_episodes_asked_for_and_stands_until_the_next(ray_cluster):
    results = train(config(evaluation_interval=3, evaluation_duration=50), 7)
    assert all("evaluation" not in result for result in results[:2])
    first, *stands, second, last = (result["evaluation"]["env_runners"] for result in results[2:])
    assert first["num_episodes_in_window"] == second["num_episodes_in_window"] == 50
    for again, scores in ((stands[0], first), (stands[1], first), (last, second)):
        assert {name: again[name] for name in SCORES} == {name: scores[name] for name in SCORES}
    assert first["episode_return_mean"] != 0 != second["episode_return_mean"], "this test cannot see a loss"


@pytest.fixture
def runner(ray_cluster):
    algorithm = config(env_config={"delay": 3, "cut": True}, core=LSTM).build_algo()
    yield algorithm.env_runner
    algorithm.stop()


def test_truncation_bootstraps_from_the_final_observation(runner):
    """Replays one lane by hand: the final observation's value is asked of the state after the last step."""
    fragment = runner.sample()[0]
    module = runner.module
    t = int(np.flatnonzero(fragment.truncateds[:, 0])[0])
    assert fragment.resets[t + 1, 0]
    with torch.no_grad():
        observations = torch.from_numpy(fragment.observations[: t + 1, :1])
        resets = torch.from_numpy(fragment.resets[: t + 1, :1])
        state = module.forward_columns(observations, module.initial_state(1), resets).state
        nothing_shown = torch.zeros(1, 1, 3)
        expected = module.forward_columns(nothing_shown, state).values.item()
    assert fragment.final_values[t, 0] == pytest.approx(expected, abs=1e-6)
    assert not fragment.final_values[~fragment.truncateds].any()


def test_fragments_join_seamlessly(runner):
    """Two fragments of one runner replay as one: state_in and resets hold all that carries over."""
    first, second = runner.sample()[0], runner.sample()[0]
    np.testing.assert_array_equal(first.observations[-1], second.observations[0])
    np.testing.assert_array_equal(first.resets[-1], second.resets[0])
    module = runner.module
    with torch.no_grad():
        outputs = module.forward_columns(
            torch.from_numpy(first.observations[:-1]),
            {name: torch.from_numpy(leaf) for name, leaf in first.state_in.items()},
            torch.from_numpy(first.resets[:-1]),
        )
    for name, leaf in outputs.state.items():
        np.testing.assert_allclose(leaf, second.state_in[name], atol=1e-6)
    np.testing.assert_allclose(outputs.values, first.values, atol=1e-5)


def test_every_epoch_takes_every_lane_once(ray_cluster):
    """Drives the learner's own iterator over a fragment whose state says which lane it is."""
    algorithm = config(num_envs_per_env_runner=10).build_algo()
    try:
        fragment = algorithm.env_runner.sample()[0]
        fragment.state_in["hidden"][:] = np.arange(10)[:, None]
        batches = algorithm.learner_group._learner._create_iterator_if_necessary(
            training_data=TrainingData(episodes=[fragment]), num_epochs=3, minibatch_size=60
        )
        lanes = [
            batch.policy_batches["default_policy"]["state_in"]["hidden"][:, 0].tolist() for batch in batches
        ]
        assert [len(group) for group in lanes] == [4, 3, 3] * 3
        for epoch in range(3):
            assert sorted(itertools.chain(*lanes[3 * epoch : 3 * epoch + 3])) == list(range(10))
        assert lanes[:3] != lanes[3:6]
    finally:
        algorithm.stop()


def test_older_weights_can_be_restored_in_place(ray_cluster, tmp_path):
    """Learner and runner take a checkpoint's weights although theirs are newer."""
    algorithm = config().build_algo()
    try:
        algorithm.train()
        path = algorithm.save_to_path(str(tmp_path / "older"))
        weights = {name: leaf.clone() for name, leaf in algorithm.get_module().state_dict().items()}
        algorithm.train()
        algorithm.restore_from_path(path)
        learner = algorithm.learner_group._learner.module[DEFAULT_MODULE_ID]
        for module in (learner, algorithm.env_runner.module):
            for name, leaf in module.state_dict().items():
                torch.testing.assert_close(leaf, weights[name], msg=name)
    finally:
        algorithm.stop()


@pytest.mark.parametrize(("bptt_steps", "expected"), [(None, 20), (7, 7), (50, 20)])
def test_bptt_steps_are_the_shorter_of_fragment_and_block(bptt_steps, expected):
    assert bptt_steps_of(config(core=LSTM | {"bptt_steps": bptt_steps})) == expected


# Honoured, but not asked for by one process that learns for itself on a CPU and evaluates there; or asked for
# in the shape of `get_evaluation_config_object()`, `model_config`, `config.get("log_sys_usage")`.
ELSEWHERE = {
    "evaluation_config",
    "log_sys_usage",
    "model",
    "custom_resources_for_main_process",
    "custom_resources_per_learner",
    "delay_between_env_runner_restarts_s",
    "env_runner_restore_timeout_s",
    "evaluation_auto_duration_max_env_steps_per_sample",
    "evaluation_auto_duration_min_env_steps_per_sample",
    "evaluation_error_after_n_consecutive_skips",
    "evaluation_force_reset_envs_before_iteration",
    "evaluation_sample_timeout_s",
    "local_gpu_idx",
    "max_requests_in_flight_per_learner",
    "num_cpus_for_main_process",
    "num_cpus_per_learner",
    "placement_strategy",
    "restart_failed_sub_environments",
    "timeout_s_sampler_manager",
    "torch_compile_learner_dynamo_backend",
    "torch_compile_learner_dynamo_mode",
    "torch_compile_learner_what_to_compile",
    "torch_ddp_kwargs",
    "train_batch_size_per_learner",
}


@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentA2C", "RecurrentIMPALA"])
def test_settings_that_the_table_calls_honoured_are_asked_for(ray_cluster, run):
    settings = config(run, min_sample_timesteps_per_iteration=0, evaluation_interval=1, evaluation_duration=2)
    settings.normalize_observations = settings.normalize_rewards = True
    asked = set()
    parent = type(settings)

    class Listening(parent):
        def __getattribute__(self, name):
            asker = sys._getframe(1).f_code.co_filename
            if not asker.endswith(("algorithm_config.py", "copy.py")):
                asked.add(name)
            return super().__getattribute__(name)

    settings.__class__ = Listening
    train(settings, 2)
    honoured = {key for (name, key), row in effects.pairs() if name == run and row.effect == "honoured"}
    assert honoured - asked - ELSEWHERE == set()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"minibatch_size": 641}, "minibatch_size: 641 is more than a learner's batch of 640 env steps"),
        (
            {"minibatch_size": 400, "num_learners": 2},
            "minibatch_size: 400 is more than a learner's batch of 320 env steps",
        ),
        ({"rollout_fragment_length": "auto"}, "rollout_fragment_length: 'auto' needs"),
        (
            {"rollout_fragment_length": "auto", "train_batch_size_per_learner": 100, "minibatch_size": None},
            "train_batch_size_per_learner: 100 env steps in all are not the same number for each of 32 lanes",
        ),
    ],
)
def test_sizes_that_do_not_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        config(**settings).validate()


@pytest.mark.parametrize(
    ("settings", "update", "minibatches"),
    [
        ({"minibatch_size": None}, 640, [640]),
        ({}, 640, [160] * 4),
        ({"minibatch_size": 8}, 640, [20] * 32),  # one lane at least
        ({"minibatch_size": 250}, 640, [320, 320]),  # 12 lanes go into 32 twice
        ({"minibatch_size": 200}, 640, [220, 220, 200]),
        ({"train_batch_size_per_learner": 700}, 1280, [160] * 8),
        ({"num_learners": 2, "minibatch_size": None}, 640, [320]),
    ],
)
def test_sizes_are_whole_lanes_and_whole_fragments(settings, update, minibatches):
    settings = config(**settings)
    assert settings.update_steps == update
    assert settings.minibatch_steps() == minibatches


def test_the_learner_makes_the_minibatches_that_the_settings_foretell(ray_cluster):
    settings = config(minibatch_size=200, num_epochs=1, min_sample_timesteps_per_iteration=0)
    algorithm = settings.build_algo()
    try:
        learner = algorithm.learner_group._learner
        columns = algorithm.env_runner.sample()[0]
        sizes = [len(batch) for batch in learner.batches(columns, 1, settings.minibatch_size)]
    finally:
        algorithm.stop()
    assert sizes == settings.minibatch_steps()
