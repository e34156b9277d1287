"""`TorchBernoulli` against enumeration of all actions."""

import itertools

import gymnasium as gym
import pytest
import torch

from engram.agents.models.distributions import TorchBernoulli

LOGITS = torch.tensor([[0.0, 1.5, -2.0], [40.0, -3.0, 0.5]])
OTHERS = torch.tensor([[0.3, -1.0, 2.0], [30.0, 1.0, 0.0]])
ACTIONS = torch.tensor(list(itertools.product((0, 1), repeat=3)), dtype=torch.int8)


def probabilities(logits):
    """Of all 8 actions, (8, B), as a product over the bits."""
    ones = logits.double().sigmoid()
    return torch.where(ACTIONS[:, None].bool(), ones, 1 - ones).prod(-1)


def log_probabilities(logits):
    actions = ACTIONS[:, None].expand(-1, 2, -1)
    return TorchBernoulli.from_logits(logits).logp(actions)


def test_log_probabilities():
    logp = log_probabilities(LOGITS)
    torch.testing.assert_close(logp.double().exp(), probabilities(LOGITS))
    torch.testing.assert_close(logp.exp().sum(0), torch.ones(2))


def test_entropy_and_divergence():
    own, other = TorchBernoulli.from_logits(LOGITS), TorchBernoulli.from_logits(OTHERS)
    logp, others = log_probabilities(LOGITS).double(), log_probabilities(OTHERS).double()
    torch.testing.assert_close(own.entropy().double(), -(logp.exp() * logp).sum(0))
    torch.testing.assert_close(own.kl(other).double(), (logp.exp() * (logp - others)).sum(0))


def test_samples_are_drawn_as_likely_as_they_are():
    torch.manual_seed(0)
    samples = TorchBernoulli.from_logits(LOGITS).sample(sample_shape=(20_000,))
    assert samples.shape == (20_000, 2, 3)
    assert samples.dtype == torch.int8
    index = (samples.long() * torch.tensor([4, 2, 1])).sum(-1)
    shares = torch.stack([(index == action).double().mean(0) for action in range(8)])
    torch.testing.assert_close(shares, probabilities(LOGITS), atol=0.015, rtol=0)


def test_the_likeliest_action():
    likeliest = ACTIONS[probabilities(LOGITS)[:, 1].argmax()]
    greedy = TorchBernoulli.from_logits(LOGITS[1:]).to_deterministic().sample()
    torch.testing.assert_close(greedy[0], likeliest)
    assert greedy.dtype == torch.int8


def test_its_space():
    assert TorchBernoulli.required_input_dim(gym.spaces.MultiBinary(5)) == 5
    with pytest.raises(ValueError, match="cannot act in the action space Discrete"):
        TorchBernoulli.required_input_dim(gym.spaces.Discrete(5))
