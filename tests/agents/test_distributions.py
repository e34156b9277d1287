"""`TorchBernoulli` against enumeration of all actions."""

import itertools

import gymnasium as gym
import pytest
import torch

from engram.agents.models.distributions import TorchBernoulli, TorchTanhGaussian

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


@pytest.mark.parametrize("log_scale", [-3.0, -0.5, 0.5])
def test_a_squashed_gaussian_is_torchs(log_scale):
    """Densities are those of torch's transformed distribution, entropies those of many of its draws."""
    torch.manual_seed(0)
    loc = torch.tensor([[0.0, 1.5], [-0.7, 0.2]], dtype=torch.float64)
    logits = torch.cat([loc, torch.full_like(loc, log_scale)], -1)
    ours = TorchTanhGaussian.from_logits(logits)
    base = torch.distributions.Normal(loc, torch.full_like(loc, log_scale).exp())
    twin = torch.distributions.TransformedDistribution(base, [torch.distributions.TanhTransform()])
    drawn = twin.sample((100_000,))
    assert ours.sample().abs().max() < 1
    near = drawn.abs().amax(-1) < 1 - 1e-5
    torch.testing.assert_close(ours.logp(drawn)[near], twin.log_prob(drawn).sum(-1)[near])
    expected = -twin.log_prob(drawn.clamp(-1 + 1e-15, 1 - 1e-15)).sum(-1).mean(0)
    torch.testing.assert_close(ours.entropy(), expected, atol=0.02, rtol=0.01)
    torch.testing.assert_close(ours.to_deterministic().sample(), loc.tanh())
    gaussian = torch.distributions.kl_divergence(base, torch.distributions.Normal(loc + 1, base.scale)).sum(
        -1
    )
    other = TorchTanhGaussian.from_logits(torch.cat([loc + 1, torch.full_like(loc, log_scale)], -1))
    torch.testing.assert_close(ours.kl(other), gaussian)


def test_the_entropy_of_a_squashed_gaussian_has_a_gradient():
    logits = torch.tensor([[0.3, -0.4]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: TorchTanhGaussian.from_logits(x).entropy(), logits)
