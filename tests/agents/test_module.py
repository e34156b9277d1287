"""The module under our path and under stock RLlib's; the model section's errors."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns

from engram.agents import RecurrentModule, check_model, make_config
from engram.agents.stock.module import StockRecurrentModule

BOARD = gym.spaces.Box(0, 1, (7, 11, 5), np.uint8)
ACTIONS = gym.spaces.Discrete(5)
CORES = {
    "lstm": {"type": "lstm", "size": 16},
    "mlp": {"type": "mlp", "hidden": [16]},
    "low_pass": {"type": "low_pass", "pools": 3, "size": 8, "viewports": 4, "summariser": 16},
    "low_pass_frozen": {"type": "low_pass", "pools": 3, "size": 8, "train_input": False},
}


def build(module_class, core, skip=True, head=()):
    torch.manual_seed(0)
    model = {
        "encoder": {"type": "conv", "channels": [4], "size": 16},
        "core": CORES[core],
        "skip": skip,
        "head": {"hidden": list(head)},
    }
    return module_class(observation_space=BOARD, action_space=ACTIONS, model_config=model).eval()


def boards(time, lanes):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 2, (time, lanes, 7, 11, 5), dtype=np.uint8))


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("head", [(), (8,)])
def test_stock_form_equals_columnar_form(core, head):
    ours, stock = build(RecurrentModule, core, head=head), build(StockRecurrentModule, core, head=head)
    stock.load_state_dict(ours.state_dict())
    observations = boards(6, 3)
    outputs = ours.forward_columns(observations, ours.initial_state(3))
    if stock.is_stateful():
        batch = {Columns.OBS: observations.transpose(0, 1), Columns.STATE_IN: stock.initial_state(3)}
        out = stock.forward_inference(batch)
        logits = out[Columns.ACTION_DIST_INPUTS].transpose(0, 1)
    else:
        out = stock.forward_inference({Columns.OBS: observations.flatten(0, 1)})
        logits = out[Columns.ACTION_DIST_INPUTS].view(6, 3, -1)
    torch.testing.assert_close(logits, outputs.action_dist_inputs)


@pytest.mark.parametrize("core", CORES)
def test_lanes_do_not_see_each_other(core):
    module = build(RecurrentModule, core)
    observations = boards(5, 2)
    changed = observations.clone()
    changed[:, 1] = 1 - changed[:, 1]
    first = module.forward_columns(observations, module.initial_state(2))
    second = module.forward_columns(changed, module.initial_state(2))
    torch.testing.assert_close(first.values[:, 0], second.values[:, 0])
    assert not torch.allclose(first.values[:, 1], second.values[:, 1])


def test_frozen_writer_is_not_trained_and_the_present_path_is():
    module = build(RecurrentModule, "low_pass_frozen")
    outputs = module.forward_columns(boards(5, 2), module.initial_state(2))
    (outputs.values.sum() + outputs.action_dist_inputs.square().sum()).backward()
    assert all(parameter.grad is None for parameter in module.memory_encoder.parameters())
    assert all(parameter.grad is not None for parameter in module.encoder.parameters())


def test_the_shared_head_combines_memory_and_present():
    """Without it, what the present adds to an output does not depend on what is remembered."""
    for head, additive in (((), True), ((16,), False)):
        module = build(RecurrentModule, "low_pass_frozen", head=head)
        joined = torch.randn(2, module.core.output_size), torch.randn(2, module.encoder.output_size)
        value = [
            [module.value_head(module.shared_head(torch.cat([past, now]))) for now in joined[1]]
            for past in joined[0]
        ]
        interaction = value[0][0] - value[0][1] - value[1][0] + value[1][1]
        assert (interaction.abs() < 1e-5).item() == additive


def test_one_frozen_encoder_where_the_heads_read_the_memory_alone():
    module = build(RecurrentModule, "low_pass_frozen", skip=False)
    outputs = module.forward_columns(boards(5, 2), module.initial_state(2))
    outputs.values.sum().backward()
    assert not any(parameter.requires_grad for parameter in module.encoder.parameters())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"core": {"type": "lowpass"}}, r"model\.core\.type: unknown 'lowpass'; did you mean 'low_pass'\?"),
        ({"core": {"type": "lstm", "siz": 3}}, r"model\.core\.siz: unknown key; did you mean 'size'\?"),
        ({"encoder": {"type": "cnv"}}, r"model\.encoder\.type: unknown 'cnv'; did you mean 'conv'\?"),
        ({"encoder": {"type": "conv", "size": 0}}, r"model\.encoder\.size: expected an integer >= 1, got 0"),
        ({"coer": {}}, r"model\.coer: unknown key; did you mean 'core'\?"),
        ({"head": {"hiden": [8]}}, r"model\.head\.hiden: unknown key; did you mean 'hidden'\?"),
        ({"head": [8]}, r"model\.head: expected a mapping, got \[8\]"),
        ({"skip": "yes"}, r"model\.skip: expected true or false, got 'yes'"),
        ([1], r"model: expected a mapping, got \[1\]"),
    ],
)
def test_errors_name_the_key_and_the_nearest_name(model, message):
    with pytest.raises(ValueError, match=message):
        check_model(model)


def test_unknown_algorithm():
    with pytest.raises(ValueError, match="run: unknown 'RecurentPPO'; did you mean 'RecurrentPPO'"):
        make_config("RecurentPPO")


def test_conv_refuses_vectors():
    with pytest.raises(ValueError, match="'conv' needs observations of shape"):
        RecurrentModule(
            observation_space=gym.spaces.Box(0, 1, (3,)),
            action_space=ACTIONS,
            model_config={"encoder": {"type": "conv"}},
        )
