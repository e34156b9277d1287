"""`run: Supervised` as a whole, on Ray: results, evaluation, checkpoints, learners; and puzzles by PPO."""

import math

import pytest
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID

import engram.envs  # noqa: F401  registers the tasks
from engram.agents import make_config

PREFIX_SUMS = "engram.envs:engram/PrefixSums-v0"
COPYING = "engram.envs:engram/Copying-v0"
THINKER = {"core": {"type": "deep_thinking", "width": 16, "thinking_steps": 6}}
LSTM = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}


def config(model=THINKER, env=PREFIX_SUMS, env_config=None, run="Supervised", **settings):
    result = make_config(run, model)
    result.environment(env, env_config=env_config or {"bits": 4}).debugging(seed=0)
    result.num_envs_per_env_runner = 32
    result.rollout_fragment_length = 4
    for name, value in settings.items():
        setattr(result, name, value)
    return result


def copying(**settings):
    return config(LSTM, COPYING, {"span": 2, "length": 1, "symbols": 3}, **settings)


def train(settings, iterations):
    algorithm = settings.build_algo()
    try:
        return [algorithm.train() for _ in range(iterations)]
    finally:
        algorithm.stop()


def learned(result):
    return result["learners"][DEFAULT_MODULE_ID]


def test_it_learns_and_the_answers_hold_for_longer_strings(ray_cluster):
    """Trained on 8 bits; evaluations play 12 bits, thinking for longer."""
    core = {"type": "deep_thinking", "width": 32, "thinking_steps": 10}
    settings = config(
        {"core": core, "readout": {"thinking_steps": 12}},
        env_config={"bits": 8},
        loss={"type": "delta_random"},
        lr=[[0, 3e-3], [10_000, 3e-3], [16_000, 3e-4]],
        grad_clip=0.5,
        min_sample_timesteps_per_iteration=8_000,
        evaluation_interval=1,
        evaluation_duration=200,
        evaluation_config={"env_config": {"bits": 12}},
    )
    results = train(settings, 2)
    trained = results[-1]["env_runners"]
    assert trained["episode_return_mean"] > 0.95
    assert trained["success_rate"] == trained["episode_return_mean"]
    played = [result["evaluation"]["env_runners"] for result in results]
    assert [list(evaluation["groups"]) for evaluation in played] == [["12"]] * 2
    assert [evaluation["num_episodes_in_window"] for evaluation in played] == [200] * 2
    assert played[-1]["episode_return_mean"] > 0.8
    assert [result["timesteps_total"] for result in results] == [8_064, 16_128]


@pytest.mark.parametrize("make", [config, copying])
def test_every_iteration_counts_its_own_answers(ray_cluster, make):
    results = train(make(min_sample_timesteps_per_iteration=256), 3)
    answers = [learned(result)["answers"] for result in results]
    share = 1 if make is config else 1 / 4  # an episode of 4 steps has one answer
    assert answers == [256 * share] * 3
    for result in results:
        assert not {"solved_sum", "judged_sum"} & set(learned(result))
        assert ("success_rate" in result["env_runners"]) == (make is config)
        assert 0.0 <= result["env_runners"]["episode_return_mean"] <= 1.0


def test_without_an_answer_the_last_share_stands(ray_cluster):
    """Episodes of 4 steps, an iteration of one step: only every fourth iteration asks for an answer."""
    settings = copying(rollout_fragment_length=1, min_sample_timesteps_per_iteration=1)
    results = train(settings, 9)
    shares = [result["env_runners"]["episode_return_mean"] for result in results]
    asked = ["answers" in learned(result) for result in results]
    assert asked == [place % 4 == 3 for place in range(9)]
    assert all(math.isnan(share) for share in shares[:3])
    assert shares[3:7] == [shares[3]] * 4
    assert shares[3] > 0.0


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (config, {"throttle": True, "lr": 1e-3}),
        (copying, {"truncation": 2, "optimizer": {"type": "sgd", "momentum": 0.9}}),
    ],
)
def test_checkpoint_goes_on_where_it_was(ray_cluster, tmp_path, make, settings):
    algorithm = make(lr_epochs={"size": 128, "decay_at": [3]}, **settings).build_algo()
    for _ in range(2):
        before = algorithm.train()
    path = algorithm.save_to_path(str(tmp_path / "checkpoint"))
    restored = Algorithm.from_checkpoint(path)
    try:
        for name, leaf in restored.get_module().state_dict().items():
            torch.testing.assert_close(leaf, algorithm.get_module().state_dict()[name], msg=name)
        states = [a.learner_group._learner._get_optimizer_state() for a in (algorithm, restored)]
        (first,), (second,) = (list(state.values()) for state in states)
        assert first["state"]["param_groups"] == second["state"]["param_groups"]
        rates = [optimizer_rates(algorithm)]
        for _ in range(2):
            after = restored.train()
            rates.append(optimizer_rates(restored))
        assert after["timesteps_total"] == before["timesteps_total"] + 256
        assert rates[1] == pytest.approx(rates[0])  # the third epoch
        assert rates[2] == pytest.approx([0.1 * rate for rate in rates[0]])  # the fourth
    finally:
        algorithm.stop()
        restored.stop()


def optimizer_rates(algorithm):
    ((_, optimizer),) = algorithm.learner_group._learner.get_optimizers_for_module(DEFAULT_MODULE_ID)
    return [group["lr"] for group in optimizer.param_groups]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "settings"),
    [
        pytest.param(config, {"loss": {"type": "progressive"}}, id="thinker"),
        pytest.param(copying, {"truncation": 2}, id="lstm"),
    ],
)
def test_learners_share_the_lanes_and_agree(ray_cluster, make, settings):
    """Losses that do not reach every parameter in every update included."""
    algorithm = make(num_env_runners=0, num_learners=2, num_cpus_per_learner=0.5, **settings).build_algo()
    try:
        for _ in range(3):
            result = algorithm.train()
        states = algorithm.learner_group.foreach_learner(
            lambda learner: {
                name: leaf.cpu()
                for name, leaf in learner.module["default_policy"].unwrapped().state_dict().items()
            }
        )
        first, second = [call.get() for call in states]
        for name, leaf in first.items():
            torch.testing.assert_close(leaf, second[name], rtol=0, atol=0, msg=name)
        share = 1 if make is config else 1 / 4
        assert learned(result)["answers"] == 128 * share
    finally:
        algorithm.stop()


def ppo(bits, **settings):
    model = {"core": {"type": "deep_thinking", "width": 32, "thinking_steps": bits}}
    shared = {"lr": 2e-3, "gamma": 0.0, "num_epochs": 4, "metrics_num_episodes_for_smoothing": 1000}
    return config(model, run="RecurrentPPO", **shared | settings)


@pytest.mark.slow
def test_ppo_answers_short_strings(ray_cluster):
    """Rewarded for whole answers alone; one in 16 is right by chance."""
    settings = ppo(
        4,
        num_envs_per_env_runner=128,
        minibatch_size=128,
        entropy_coeff=0.05,
        min_sample_timesteps_per_iteration=20_480,
    )
    assert train(settings, 2)[-1]["env_runners"]["success_rate"] > 0.9


@pytest.mark.slow
def test_ppo_answers_strings_of_eight_bits(ray_cluster):
    """Rewarded for the share of right bits; one answer in 256 is right by chance."""
    settings = ppo(
        8,
        env_config={"bits": 8, "reward": "fraction"},
        num_envs_per_env_runner=512,
        minibatch_size=1024,
        entropy_coeff=0.02,
        min_sample_timesteps_per_iteration=204_800,
    )
    assert train(settings, 1)[-1]["env_runners"]["success_rate"] > 0.8
