"""The first pass of a policy gradient: probability ratios are 1, whatever is random in a network."""

import copy

import gymnasium as gym
import numpy as np
import pytest
import random_cores
import recall  # noqa: F401  registers the task
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.training_data import TrainingData

from engram.agents import make_config
from engram.agents.actor_critic.learner import ColumnBatch
from engram.agents.models.recurrent import RecurrentModule
from engram.agents.stock.module import StockRecurrentModule
from engram.memory import CORES

LANES, STEPS = 8, 12
RIMS = {"type": "rims", "num_rims": 4, "rim_size": 8, "num_active": 2}
DROPS = [
    {"input_dropout": 0.5},
    {"input_dropout": 0.5, "input_dropout_on": "output"},
    {"comm_dropout": 0.5},
    {"comm_dropout": 0.5, "comm_dropout_on": "weights"},
    {"initial_state": "random"},
    {"initial_state": "learned"},
]
SPACES = {DEFAULT_MODULE_ID: (gym.spaces.Box(0, 1, (3,)), gym.spaces.Discrete(2))}
OWN = [random_cores.ByLayer, random_cores.ByFunction, random_cores.ByLSTM, random_cores.ByAttention]
OWN = [*OWN, random_cores.WithStatistics]
LOW_PASS = {"type": "low_pass", "pools": 4, "size": 16, "summariser": 16}
CASES = {
    **{name: {"type": name} for name in CORES},
    **{f"{name}_bptt": {"type": name, "bptt_steps": 5} for name in ("lstm", "rims")},
    **{
        f"{name}_{preset}": {"type": name, "preset": preset}
        for name, core in CORES.items()
        for preset in core.PRESETS
    },
    **{f"rims_{'_'.join(map(str, drop.values()))}": {**RIMS, **drop} for drop in DROPS},
    "low_pass_running": {**LOW_PASS, "normalize": "running", "normalize_input": True},
    "low_pass_frozen": {**LOW_PASS, "normalize": "running", "train_input": False},
    **{core.__name__: {"type": f"random_cores:{core.__name__}"} for core in OWN},
}


def config(run, core, **settings):
    model = {"encoder": {"type": "mlp", "hidden": [32]}, "core": core, "skip": True}
    result = make_config(run, model)
    result.environment("recall:engram_tests/CueRecall-v0").debugging(seed=0)
    result.num_envs_per_env_runner, result.rollout_fragment_length = LANES, STEPS
    for name, value in settings.items():
        setattr(result, name, value)
    return result


class Shell:
    """A runner and a learner of equal weights, with a policy that is far from uniform."""

    def __init__(self, settings):
        torch.manual_seed(0)
        self.runner = settings.env_runner_cls(config=settings)
        spaces = (self.runner.env.single_observation_space, self.runner.env.single_action_space)
        self.learner = settings.build_learner(spaces={DEFAULT_MODULE_ID: spaces})
        self.learner.build()
        self.module = self.learner.module[DEFAULT_MODULE_ID]
        self.copy_weights()
        (fragment,) = self.runner.sample()
        with torch.no_grad():
            self.module.policy_head.weight.div_(self.first_pass(fragment)[0].std())
        self.copy_weights()

    def copy_weights(self):
        self.runner.module.set_state(self.module.get_state())

    def first_pass(self, fragment):
        """Distribution inputs (T, B, A) and the ratios' logarithms (T, B)."""
        batch = self.learner.prepare_batch(ColumnBatch.from_fragment(fragment, torch.device("cpu")))
        inputs = self.module.forward_train(batch)[Columns.ACTION_DIST_INPUTS][:STEPS]
        return inputs.detach(), self.learner.evaluate_actions(batch, inputs)[1].detach().numpy()

    def update(self, fragment):
        self.learner.update(
            training_data=TrainingData(episodes=[fragment]), timesteps={"num_env_steps_sampled_lifetime": 0}
        )


def assert_ones(shell):
    """With episodes that begin inside of the fragment and a state carried in, before and after a step."""
    for _ in range(2):
        (fragment,) = shell.runner.sample()
        assert fragment.resets[1:].any()
        assert any(leaf.any() for leaf in fragment.state_in.values()) or not fragment.state_in
        inputs, log_ratios = shell.first_pass(fragment)
        assert inputs.std() > 0.5
        assert np.abs(np.expm1(log_ratios)).max() < 1e-5
        shell.update(fragment)
        shell.copy_weights()
        shell.runner.sample()


@pytest.mark.parametrize("name", CASES)
def test_ratios_of_the_first_pass_are_one(name):
    assert_ones(Shell(config("RecurrentPPO", CASES[name])))


@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentIMPALA"])
def test_ratios_of_the_first_pass_are_one_where_observations_are_normalised(run):
    assert_ones(Shell(config(run, CASES["lstm"], normalize_observations=True)))


@pytest.mark.parametrize("name", ["rims_authors", "rims_dido", "low_pass_running", "ByFunction"])
def test_ratios_of_vtrace_are_one_with_equal_weights(name):
    assert_ones(Shell(config("RecurrentIMPALA", CASES[name])))


@pytest.mark.parametrize("core", OWN)
def test_supervised_drops_out_in_training_alone(core):
    learner = config("Supervised", {"type": f"random_cores:{core.__name__}"})
    module = learner.get_rl_module_spec(spaces=SPACES).build()
    seen, state = torch.rand(6, 4, 3), module.initial_state(4)
    for training in (True, False):
        module.train(training)
        first, second = (module.forward_columns(seen, state).action_dist_inputs for _ in range(2))
        assert torch.equal(first, second) != training


@pytest.mark.parametrize("module_class", [RecurrentModule, StockRecurrentModule])
@pytest.mark.parametrize("core", OWN)
def test_modules_of_policy_gradients_never_drop_out(core, module_class):
    """From the beginning, after a forward pass of either kind, and whoever calls `train`."""
    model = {"core": {"type": f"random_cores:{core.__name__}"}}
    observations, actions = SPACES[DEFAULT_MODULE_ID]
    module = module_class(observation_space=observations, action_space=actions, model_config=model)
    seen, state = torch.rand(6, 4, 3), module.initial_state(4)
    expected = module.eval().forward_columns(seen, state).action_dist_inputs
    fresh = module_class(observation_space=observations, action_space=actions, model_config=model)
    fresh.load_state_dict(module.state_dict())
    for each in (fresh, fresh.train(), fresh.eval().train()):
        assert each.training
        assert torch.equal(each.forward_columns(seen, state).action_dist_inputs, expected)


def test_statistics_of_the_users_own_go_on_in_training():
    shell = Shell(config("RecurrentPPO", CASES["WithStatistics"]))
    rows = shell.module.core.layer[0].rows
    before = rows.item()
    (fragment,) = shell.runner.sample()
    shell.first_pass(fragment)
    assert rows.item() == before + LANES * STEPS
    assert shell.runner.module.core.layer[0].rows.item() == before


def test_low_pass_keeps_its_statistics_as_it_did_with_everything_in_training_mode():
    shell = Shell(config("RecurrentPPO", CASES["low_pass_running"]))
    (fragment,) = shell.runner.sample()
    reference = copy.deepcopy(shell.module.core)
    for part in reference.modules():
        part.training = True
    features = shell.module.encoder(
        shell.module.encoder.prepare(torch.from_numpy(fragment.observations[:-1]).flatten(0, 1))
    )
    states = {name: torch.from_numpy(leaf) for name, leaf in fragment.state_in.items()}
    reference(features.view(STEPS, LANES, -1), states, torch.from_numpy(fragment.resets[:-1]))
    before = shell.module.core.scale.mean.clone()
    shell.first_pass(fragment)
    assert not torch.equal(shell.module.core.scale.mean, before)
    for name, leaf in shell.module.core.named_buffers():
        assert torch.equal(leaf, dict(reference.named_buffers())[name]), name
