"""Return estimators over fragments: generalised advantage estimation and V-trace.

T time, B lanes. All arguments are (T, B) tensors unless said otherwise. A step ends its episode by
termination (value of what follows is 0) or by truncation (value of the final observation counts).
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Transitions(NamedTuple):
    """What an estimator needs to know of a fragment.

    Attributes:
        rewards: Rewards of the steps, (T, B).
        terminateds: True where the step ended its episode for good, (T, B).
        truncateds: True where the step's episode was cut, (T, B).
        values: Value of each step's observation, (T, B).
        final_values: Value of the final observation where `truncateds`, elsewhere ignored, (T, B).
        last_values: Value of the observation behind the last step, (B,).
    """

    rewards: Tensor
    terminateds: Tensor
    truncateds: Tensor
    values: Tensor
    final_values: Tensor
    last_values: Tensor

    def next_values(self, values: Tensor, last_values: Tensor) -> Tensor:
        """Value of what follows each step: 0 after a termination, (T, B)."""
        following = torch.cat([values[1:], last_values[None]])
        following = torch.where(self.truncateds, self.final_values, following)
        return torch.where(self.terminateds, torch.zeros_like(following), following)

    def continues(self) -> Tensor:
        """1.0 where the next step belongs to the same episode, (T, B)."""
        return (~(self.terminateds | self.truncateds)).to(self.values.dtype)


def discounted_sums(deltas: Tensor, discounts: Tensor) -> Tensor:
    """Backward recursion x_t = delta_t + discount_t x_(t+1), with x_T = 0.

    Args:
        deltas: (T, B).
        discounts: (T, B).

    Returns:
        The sums, (T, B).
    """
    sums = torch.empty_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in range(len(deltas) - 1, -1, -1):
        running = torch.addcmul(deltas[t], discounts[t], running)
        sums[t] = running
    return sums


def gae(transitions: Transitions, *, gamma: float, lambda_: float) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (Schulman et al. 2016, equations 11 and 16).

    Args:
        transitions: The fragment; its values are those of the behaviour policy.
        gamma: Discount per step.
        lambda_: Trace decay per step.

    Returns:
        Advantages and value targets, each (T, B).
    """
    following = transitions.next_values(transitions.values, transitions.last_values)
    deltas = transitions.rewards + gamma * following - transitions.values
    advantages = discounted_sums(deltas, gamma * lambda_ * transitions.continues())
    return advantages, advantages + transitions.values


def vtrace(
    transitions: Transitions,
    log_ratios: Tensor,
    *,
    gamma: float,
    clip_rho: float = 1.0,
    clip_pg_rho: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """V-trace targets and policy-gradient advantages (Espeholt et al. 2018, section 4.1), c_bar = 1.

    Args:
        transitions: The fragment; its values are those of the learner's present policy.
        log_ratios: log pi(a) - log mu(a) of the actions taken, (T, B).
        gamma: Discount per step.
        clip_rho: rho_bar, bound on the importance weight of a temporal difference.
        clip_pg_rho: Bound on the importance weight of a policy gradient.

    Returns:
        Advantages and value targets, each (T, B).
    """
    ratios = log_ratios.exp()
    rhos = ratios.clamp(max=clip_rho)
    traces = ratios.clamp(max=1.0)
    following = transitions.next_values(transitions.values, transitions.last_values)
    deltas = rhos * (transitions.rewards + gamma * following - transitions.values)
    targets = transitions.values + discounted_sums(deltas, gamma * traces * transitions.continues())
    following_targets = transitions.next_values(targets, transitions.last_values)
    advantages = transitions.rewards + gamma * following_targets - transitions.values
    return ratios.clamp(max=clip_pg_rho) * advantages, targets
