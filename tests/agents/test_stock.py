"""`run: PPO | IMPALA | APPO`: RLlib's data path with our module, RLlib's module with our metrics."""

import math

import counted  # noqa: F401  registers the task
import pytest
import recall  # noqa: F401  registers the task

from engram.agents import make_config

MODEL = {"encoder": {"type": "mlp", "hidden": [16]}, "core": {"type": "lstm", "size": 16}}
FROZEN = MODEL | {"core": {"type": "low_pass", "pools": 3, "size": 8, "train_input": False}, "skip": True}


@pytest.mark.parametrize(
    ("run", "model"),
    [
        ("PPO", MODEL),
        ("PPO", FROZEN),
        ("PPO", {"use_lstm": True, "lstm_cell_size": 16}),
        ("IMPALA", FROZEN),
        ("APPO", FROZEN),
    ],
    ids=["PPO", "PPO_frozen", "PPO_own_lstm", "IMPALA_frozen", "APPO_frozen"],
)
def test_stock_algorithms_run_our_module(ray_cluster, run, model):
    config = make_config(run, model).environment("recall:engram_tests/CueRecall-v0")
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=8)
    config.learners(num_learners=0)
    config.min_time_s_per_iteration = None
    config.min_sample_timesteps_per_iteration = 800
    config.train_batch_size_per_learner = 400
    config.num_epochs = 1
    algorithm = config.build_algo()
    try:
        for _ in range(2):
            result = algorithm.train()
        assert result["timesteps_total"] >= 1600
        window = result["env_runners"]["num_episodes_in_window"]
        assert result["env_runners"]["success_rate"] * window == pytest.approx(
            result["env_runners"]["episode_return_mean"] * window
        )
        assert window == 100
        assert set(result["env_runners"]["groups"]) == {"0", "1"}
        assert math.isfinite(result["env_runners"]["episode_return_mean"])
        assert result["bptt_steps"] == 20
    finally:
        algorithm.stop()


@pytest.mark.parametrize("run", ["PPO", "APPO"])
def test_stock_algorithms_train_where_actions_do_not_start_at_zero(ray_cluster, run):
    """The environment refuses other actions than its own, of another dtype, too."""
    config = make_config(run, MODEL)
    config.environment(
        "counted:engram_tests/Counted-v0",
        env_config={"actions": "several_int16", "observations": "symbols"},
    )
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=8).learners(num_learners=0)
    config.min_time_s_per_iteration, config.num_epochs = None, 1
    config.train_batch_size_per_learner = config.min_sample_timesteps_per_iteration = 400
    algorithm = config.build_algo()
    try:
        result = algorithm.train()
        assert result["timesteps_total"] >= 400
        assert result["env_runners"]["episode_len_mean"] == 5
    finally:
        algorithm.stop()
