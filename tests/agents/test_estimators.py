"""GAE and V-trace against slow references straight from the papers, and against RLlib's own numbers."""

import numpy as np
import pytest
import torch
from ray.rllib.algorithms.impala.torch.vtrace_torch_v2 import vtrace_torch
from ray.rllib.utils.postprocessing.value_predictions import compute_value_targets

from engram.agents.actor_critic.estimators import Transitions, gae, vtrace

GAMMA, LAMBDA = 0.93, 0.8


def random_transitions(seed, steps=12, lanes=5, *, ends=True):
    rng = np.random.default_rng(seed)
    terminateds = rng.random((steps, lanes)) < (0.15 if ends else 0.0)
    truncateds = (rng.random((steps, lanes)) < (0.15 if ends else 0.0)) & ~terminateds
    numbers = [torch.from_numpy(rng.normal(size=(steps, lanes))) for _ in range(3)]
    return Transitions(
        rewards=numbers[0],
        terminateds=torch.from_numpy(terminateds),
        truncateds=torch.from_numpy(truncateds),
        values=numbers[1],
        final_values=numbers[2],
        last_values=torch.from_numpy(rng.normal(size=lanes)),
    )


def next_value(transitions, values, t, b):
    """V(s_(t+1)) of lane b by cases: ended for good, cut, last of the fragment, in the middle."""
    if transitions.terminateds[t, b]:
        return 0.0
    if transitions.truncateds[t, b]:
        return transitions.final_values[t, b].item()
    if t == len(values) - 1:
        return transitions.last_values[b].item()
    return values[t + 1, b].item()


def slow_gae(transitions, t, b):
    """Equation 16 of Schulman et al. as the sum of discounted residuals until the episode ends."""
    total, weight = 0.0, 1.0
    for k in range(t, len(transitions.rewards)):
        residual = (
            transitions.rewards[k, b].item()
            + GAMMA * next_value(transitions, transitions.values, k, b)
            - transitions.values[k, b].item()
        )
        total += weight * residual
        weight *= GAMMA * LAMBDA
        if transitions.terminateds[k, b] or transitions.truncateds[k, b]:
            break
    return total


def slow_vtrace_target(transitions, ratios, clip_rho, t, b):
    """Equation 1 of Espeholt et al.: V(s) plus the weighted sum of temporal differences."""
    total, weight = transitions.values[t, b].item(), 1.0
    for k in range(t, len(transitions.rewards)):
        residual = (
            transitions.rewards[k, b].item()
            + GAMMA * next_value(transitions, transitions.values, k, b)
            - transitions.values[k, b].item()
        )
        total += weight * min(clip_rho, ratios[k, b].item()) * residual
        weight *= GAMMA * min(1.0, ratios[k, b].item())
        if transitions.terminateds[k, b] or transitions.truncateds[k, b]:
            break
    return total


def over_steps(transitions, function):
    steps, lanes = transitions.rewards.shape
    return torch.tensor([[function(t, b) for b in range(lanes)] for t in range(steps)], dtype=torch.float64)


@pytest.mark.parametrize("seed", range(5))
def test_gae_equals_the_sum_it_stands_for(seed):
    transitions = random_transitions(seed)
    advantages, targets = gae(transitions, gamma=GAMMA, lambda_=LAMBDA)
    expected = over_steps(transitions, lambda t, b: slow_gae(transitions, t, b))
    torch.testing.assert_close(advantages, expected)
    torch.testing.assert_close(targets, expected + transitions.values)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("clip_rho", [0.7, 1.0, 2.5])
def test_vtrace_equals_the_sum_it_stands_for(seed, clip_rho):
    transitions = random_transitions(seed)
    log_ratios = torch.from_numpy(np.random.default_rng(seed + 100).normal(size=transitions.rewards.shape))
    advantages, targets = vtrace(transitions, log_ratios, gamma=GAMMA, clip_rho=clip_rho, clip_pg_rho=1.3)
    ratios = log_ratios.exp()
    expected = over_steps(transitions, lambda t, b: slow_vtrace_target(transitions, ratios, clip_rho, t, b))
    torch.testing.assert_close(targets, expected)
    bootstrapped = over_steps(transitions, lambda t, b: next_value(transitions, expected, t, b))
    expected_advantages = ratios.clamp(max=1.3) * (
        transitions.rewards + GAMMA * bootstrapped - transitions.values
    )
    torch.testing.assert_close(advantages, expected_advantages)


def test_on_policy_vtrace_is_gae_with_lambda_one():
    transitions = random_transitions(3)
    _, targets = vtrace(transitions, torch.zeros_like(transitions.rewards), gamma=GAMMA)
    _, expected = gae(transitions, gamma=GAMMA, lambda_=1.0)
    torch.testing.assert_close(targets, expected)


@pytest.mark.parametrize("seed", range(3))
def test_gae_equals_rllibs_numbers_on_the_same_episodes(seed):
    transitions = random_transitions(seed)
    _, targets = gae(transitions, gamma=GAMMA, lambda_=LAMBDA)
    steps, lanes = transitions.rewards.shape
    for b in range(lanes):
        start = 0
        for t in range(steps):
            cut = bool(transitions.truncateds[t, b]) or (t == steps - 1 and not transitions.terminateds[t, b])
            if not (cut or transitions.terminateds[t, b]):
                continue
            expected = rllib_targets(transitions, slice(start, t + 1), b)
            np.testing.assert_allclose(targets[start : t + 1, b], expected, rtol=1e-5, atol=1e-5)
            start = t + 1


def rllib_targets(transitions, steps, lane):
    """RLlib's value targets of one chunk, with the phantom step it appends to bootstrap from."""
    last = next_value(transitions, transitions.values, steps.stop - 1, lane)
    terminated = transitions.terminateds[steps, lane].numpy()
    targets = compute_value_targets(
        values=np.append(transitions.values[steps, lane].numpy(), last),
        rewards=np.append(transitions.rewards[steps, lane].numpy(), 0.0),
        terminateds=np.append(terminated, True).astype(float),
        truncateds=np.append(~terminated & (np.arange(len(terminated)) == len(terminated) - 1), False).astype(
            float
        ),
        gamma=GAMMA,
        lambda_=LAMBDA,
    )
    return targets[:-1]


@pytest.mark.parametrize("seed", range(3))
def test_vtrace_equals_rllibs_numbers_on_unbroken_lanes(seed):
    transitions = random_transitions(seed, ends=False)
    behaviour = torch.from_numpy(np.random.default_rng(seed).normal(size=transitions.rewards.shape)) - 2.0
    target = torch.from_numpy(np.random.default_rng(seed + 9).normal(size=transitions.rewards.shape)) - 2.0
    advantages, targets = vtrace(transitions, target - behaviour, gamma=GAMMA, clip_rho=1.0, clip_pg_rho=1.0)
    expected_targets, expected_advantages = vtrace_torch(
        target_action_log_probs=target,
        behaviour_action_log_probs=behaviour,
        discounts=torch.full_like(target, GAMMA),
        rewards=transitions.rewards,
        values=transitions.values,
        bootstrap_values=transitions.last_values,
    )
    torch.testing.assert_close(targets, expected_targets)
    torch.testing.assert_close(advantages, expected_advantages)


def test_truncation_bootstraps_from_the_final_observation():
    """One lane, cut after its first step: the target is r + gamma V(final), not V of the next episode."""
    transitions = Transitions(
        rewards=torch.tensor([[1.0], [0.0]]),
        terminateds=torch.tensor([[False], [False]]),
        truncateds=torch.tensor([[True], [False]]),
        values=torch.tensor([[0.0], [50.0]]),
        final_values=torch.tensor([[4.0], [0.0]]),
        last_values=torch.tensor([0.0]),
    )
    _, targets = gae(transitions, gamma=0.5, lambda_=1.0)
    assert targets[0, 0].item() == 1.0 + 0.5 * 4.0
