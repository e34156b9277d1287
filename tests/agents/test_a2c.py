"""RecurrentA2C: its gradient is the textbook's, one step on each batch, RMSProp; it learns."""

import copy

import numpy as np
import pytest
import recall  # noqa: F401  registers the task
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from test_ratios import Shell, config

from engram.agents import make_config
from engram.agents.actor_critic.learner import ColumnBatch
from engram.agents.columns.optimizers import make_optimizer, optimizer_options
from engram.agents.models.recurrent import RESETS

CORES = {
    "lstm": {"type": "lstm", "size": 8},
    "low_pass": {"type": "low_pass", "pools": 3, "size": 8, "normalize": "running", "train_input": False},
}
GAMMA = 0.9


def returns(fragment, gamma):
    """Discounted rewards to the end of episode or fragment, and the value of what follows, (T, B)."""
    found = np.zeros_like(fragment.rewards, dtype=np.float64)
    steps, lanes = found.shape
    for b in range(lanes):
        for t in range(steps):
            weight = 1.0
            for later in range(t, steps):
                found[t, b] += weight * fragment.rewards[later, b]
                weight *= gamma
                if fragment.terminateds[later, b]:
                    break
                if fragment.truncateds[later, b]:
                    found[t, b] += weight * fragment.final_values[later, b]
                    break
                if later == steps - 1:
                    found[t, b] += weight * fragment.last_values[b]
    return found


def textbook_gradient(shell, fragment, entropy_coeff):
    """Of -log pi(a) (R - V) + (R - V)^2 / 2 - c H, means over steps (Mnih et al. 2016, section 4 and S3)."""
    batch = ColumnBatch.from_fragment(fragment, torch.device("cpu"))
    batch |= {name: batch[name][:-1] for name in (Columns.OBS, RESETS)}
    out = shell.module.forward_train(batch)
    logits = out[Columns.ACTION_DIST_INPUTS]
    log_policy = logits.log_softmax(-1)
    targets = torch.from_numpy(returns(fragment, GAMMA)).float()
    advantages = targets - torch.from_numpy(fragment.values)
    chosen = log_policy.gather(-1, torch.from_numpy(fragment.actions)[..., None].long()).squeeze(-1)
    entropy = -(log_policy.exp() * log_policy).sum(-1)
    values = out[Columns.VF_PREDS]
    loss = -(chosen * advantages) + 0.5 * (targets - values) ** 2 - entropy_coeff * entropy
    trained = {name: p for name, p in shell.module.named_parameters() if p.requires_grad}
    return dict(zip(trained, torch.autograd.grad(loss.mean(), list(trained.values())), strict=True))


def own_gradient(shell, fragment):
    """What the learner's loss gives for the first batch."""
    (batch,) = shell.learner.batches(fragment, 1, None)
    out = shell.learner.module.forward_train({DEFAULT_MODULE_ID: batch})
    losses = shell.learner.compute_losses(fwd_out=out, batch={DEFAULT_MODULE_ID: batch})
    trained = {name: p for name, p in shell.module.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(losses[DEFAULT_MODULE_ID], list(trained.values()))
    return dict(zip(trained, gradients, strict=True))


@pytest.mark.parametrize("core", CORES)
def test_its_gradient_is_the_textbooks_and_ppos_first_one(core):
    settings = {"gamma": GAMMA, "entropy_coeff": 0.05, "lambda_": 1.0}
    shell = Shell(config("RecurrentA2C", CORES[core], **settings))
    (fragment,) = shell.runner.sample()
    assert (fragment.terminateds | fragment.truncateds).any()
    state = copy.deepcopy(shell.module.get_state())  # statistics move with every pass
    expected = textbook_gradient(shell, fragment, 0.05)
    assert max(float(value.abs().max()) for value in expected.values()) > 1e-3
    ppo = Shell(config("RecurrentPPO", CORES[core], **settings))
    for each in (shell, ppo):
        each.module.set_state(state)
        found = own_gradient(each, fragment)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-6, msg=name)


def test_it_takes_one_step_of_rmsprop_on_all_lanes():
    """The optimiser by hand: square averages begin at 0, and the step is lr g / (sqrt(.01 g^2) + eps)."""
    shell = Shell(config("RecurrentA2C", CORES["lstm"], gamma=GAMMA, grad_clip=None, lr=0.1))
    (fragment,) = shell.runner.sample()
    gradient = own_gradient(shell, fragment)
    before = {name: p.detach().clone() for name, p in shell.module.named_parameters()}
    shell.update(fragment)
    for name, parameter in shell.module.named_parameters():
        step = 0.1 * gradient[name] / ((0.01 * gradient[name] ** 2).sqrt() + 1e-5)
        torch.testing.assert_close(parameter.detach(), before[name] - step, rtol=1e-3, atol=1e-5, msg=name)


def test_options_of_rmsprop():
    options = optimizer_options({"type": "rmsprop", "alpha": 0.9, "momentum": 0.5, "weight_decay": 0.1})
    (group,) = make_optimizer(options, [torch.nn.Parameter(torch.ones(2))]).param_groups
    asked = {"alpha": 0.9, "momentum": 0.5, "weight_decay": 0.1, "eps": 1e-8, "centered": False}
    assert asked == {key: group[key] for key in asked}


def test_a_restored_optimizer_keeps_its_memory_and_takes_on_todays_settings():
    donor, heir = (
        Shell(config("RecurrentA2C", CORES["lstm"], optimizer={"type": "rmsprop", "alpha": alpha}))
        for alpha in (0.9, 0.5)
    )
    donor.update(donor.runner.sample()[0])
    heir.learner.set_state(donor.learner.get_state())
    (before,), (after,) = (list(each.learner._named_optimizers.values()) for each in (donor, heir))
    assert [group["alpha"] for group in after.param_groups] == [0.5]
    squares = [next(iter(each.state.values()))["square_avg"] for each in (before, after)]
    assert squares[0].any()
    assert torch.equal(*squares)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"num_epochs": 2}, "num_epochs: A2C passes over a batch once, expected 1, got 2"),
        ({"minibatch_size": 8}, "minibatch_size: A2C makes one step on a batch, expected null, got 8"),
        ({"optimizer": {"type": "rmsprob"}}, "optimizer.type: unknown 'rmsprob'; did you mean 'rmsprop'?"),
    ],
)
def test_what_it_cannot_do(settings, line):
    with pytest.raises(ValueError, match=line.replace("?", r"\?")):
        config("RecurrentA2C", CORES["lstm"], **settings).validate()


@pytest.mark.slow
@pytest.mark.parametrize("core", CORES)
def test_it_recalls_the_cue(ray_cluster, core):
    model = {"encoder": {"type": "mlp", "hidden": [32]}, "core": CORES[core] | {"size": 32}, "skip": True}
    settings = make_config("RecurrentA2C", model).environment("recall:engram_tests/CueRecall-v0")
    settings.debugging(seed=0)
    settings.lr, settings.entropy_coeff = 3e-3, 0.003
    settings.num_envs_per_env_runner, settings.rollout_fragment_length = 32, 20
    settings.min_sample_timesteps_per_iteration = 25_600
    algorithm = settings.build_algo()
    try:
        rates = [algorithm.train()["env_runners"]["success_rate"] for _ in range(8)]
    finally:
        algorithm.stop()
    assert rates[-1] >= 0.95
