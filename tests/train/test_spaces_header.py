"""What the header says of spaces: how parts are read, how draws become actions, and which are legal."""

import pytest
from test_checks import plan

from engram.train.console.errors import ExperimentError
from engram.train.plans import header

CORE = {"core": {"type": "gru", "size": 8}}


def said(env, run="RecurrentPPO", **model):
    return dict(header.rows(plan({"model": CORE | model}, env=env, run=run)))


@pytest.mark.parametrize(
    ("env", "run", "model", "line"),
    [
        ("CartPole-v1", "RecurrentPPO", {}, "Discrete(2)"),
        ("Taxi-v3", "RecurrentPPO", {}, "Discrete(6); only those that action_mask allows, of info"),
        ("Taxi-v3", "PPO", {}, "Discrete(6); only those that action_mask allows, of info"),
        ("Taxi-v3", "RecurrentPPO", {"action_mask": "none"}, "Discrete(6)"),
        (
            "Pendulum-v1",
            "RecurrentPPO",
            {},
            "Box(1,) float32, -2 to 2; draws of a Gaussian, cut at the bounds",
        ),
        (
            "Pendulum-v1",
            "RecurrentPPO",
            {"squash": True},
            "Box(1,) float32, -2 to 2; draws of a Gaussian, squashed by tanh to the bounds",
        ),
        (
            "Pendulum-v1",
            "PPO",
            {},
            "Box(1,) float32, -2 to 2; draws of a Gaussian, of which RLlib takes -1 to 1 for the bounds, and "
            "cuts the rest",
        ),
        (
            "Pendulum-v1",
            "PPO",
            {"squash": True},
            "Box(1,) float32, -2 to 2; draws of a Gaussian, squashed by tanh to the bounds",
        ),
    ],
)
def test_actions(env, run, model, line):
    assert said(env, run, **model)["actions"] == line


def test_observations():
    rows = said("Blackjack-v1")
    assert rows["observation"] == "Tuple(0: Discrete(32), 1: Discrete(11), 2: Discrete(2))"
    assert rows["scaling"] == "0: one-hot, 32 columns; 1: one-hot, 11 columns; 2: one-hot, 2 columns"


@pytest.mark.parametrize(
    ("env", "config", "message"),
    [
        (
            "Blackjack-v1",
            {"encoder": {"type": "conv"}},
            "config.model.encoder.type: 'conv' needs observations",
        ),
        (
            "Blackjack-v1",
            {"encoder": {"type": "dict", "3": {"type": "mlp"}}},
            "config.model.encoder.3: unknown key; known: 0, 1, 2, film, join, parts",
        ),
        ("Taxi-v3", {"squash": True}, "config.model.squash: true is for the action space Box with bounds"),
        ("Taxi-v3", {"action_mask": "inf"}, "config.model.action_mask: unknown 'inf'; did you mean 'info'?"),
        ("Taxi-v3", {"previous_actions": True}, "config.model.previous_actions: unknown key; did you mean"),
        ("Taxi-v3", {"previous_action": 1}, "config.model.previous_action: expected true or false, got 1"),
    ],
)
def test_what_does_not_fit(env, config, message):
    with pytest.raises(ExperimentError) as caught:
        said(env, **config)
    assert message in str(caught.value)


def test_rllib_scales_squashed_draws():
    with pytest.raises(ExperimentError) as caught:
        plan({"model": CORE | {"squash": True}, "normalize_actions": False}, env="Pendulum-v1", run="PPO")
    assert "config.model.squash: true needs config.normalize_actions: true" in str(caught.value)
