"""Every kind of space under every algorithm: two iterations, or one line that says why not."""

import any_spaces
import gymnasium as gym
import numpy as np
import pytest
from ray.rllib.core import DEFAULT_MODULE_ID

from engram.agents import make_config

RUNS = ("RecurrentPPO", "RecurrentIMPALA", "Supervised", "PPO")
OURS = "any_spaces:engram_tests/AnySpaces-v0"
TOLD = ("choice", "start", "bits", "plane")  # actions of which an environment can tell what is right
WHOLE = {"previous_action": True, "previous_reward": True}
ROWS = {
    **{f"sees_{name}": (OURS, {"observation": name}, {}) for name in any_spaces.OBSERVATIONS},
    **{f"does_{name}": (OURS, {"action": name}, {}) for name in any_spaces.ACTIONS},
    **{f"mask_{name}": (OURS, {"mask": name}, {}) for name in ("info", "action_mask")},
    "grid_film": (OURS, {"observation": "grid"}, {"encoder": {"type": "dict", "join": "film"}, **WHOLE}),
    "grid_flat": (OURS, {"observation": "grid"}, {"encoder": {"type": "mlp"}}),
    "squashed": (OURS, {"action": "matrix"}, {"squash": True, **WHOLE}),
    **{name: (name, {}, WHOLE) for name in ("FrozenLake-v1", "Taxi-v3", "Blackjack-v1", "CartPole-v1")},
    "Pendulum-v1": ("Pendulum-v1", {}, {"squash": True}),
}
SHORT = {("PPO", "grid_film"), ("RecurrentIMPALA", "mask_info")}


def refusal(run, env, env_config):
    """What is said in place of training, if anything."""
    if run != "Supervised":
        return None
    if env != OURS:
        return "does not say what would be right: no 'target' in info|cannot be told what is right in Box"
    action = env_config.get("action", "choice")
    return None if action in TOLD else "cannot be told what is right in "


@pytest.mark.parametrize(
    ("run", "name"),
    [
        pytest.param(run, name, marks=() if (run, name) in SHORT else pytest.mark.slow)
        for run in RUNS
        for name in ROWS
    ],
)
def test_trains_or_says_why_not(ray_cluster, run, name):
    env, env_config, model = ROWS[name]
    config = make_config(run, {"core": {"type": "gru", "size": 8}, **model})
    config.environment(env, env_config=env_config).debugging(seed=0)
    config.num_env_runners, config.num_learners, config.num_envs_per_env_runner = 0, 0, 4
    config.rollout_fragment_length = 8
    if run == "PPO":
        config.training(train_batch_size_per_learner=64, minibatch_size=32, num_epochs=1)
    message = refusal(run, env, env_config)
    if message is not None:
        with pytest.raises(ValueError, match=message):
            build_and_train(config)
        return
    results = build_and_train(config)
    learned = [result.get("learners", {}).get(DEFAULT_MODULE_ID, {}) for result in results]
    losses = [value for each in learned for key, value in each.items() if key.endswith("loss")]
    assert results[-1]["timesteps_total"] >= 64
    assert losses
    assert np.isfinite(losses).all()


def build_and_train(config):
    algorithm = config.build_algo()
    try:
        return [algorithm.train() for _ in range(2)]
    finally:
        algorithm.stop()


def test_gymnasium_has_the_environments():
    assert all(env == OURS or env in gym.registry for env, _, _ in ROWS.values())
