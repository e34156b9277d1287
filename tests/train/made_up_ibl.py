"""A checkpoint of the paper's two-unit network in the IBL task, whose every step has a closed form."""

import math

import torch
from made_up_thinkers import write_checkpoint

from engram.agents.models.recurrent import RecurrentModule
from engram.envs.ibl.radd import INPUT, RECURRENT
from engram.envs.ibl.table import IBL_COLUMNS
from engram.train.environments.facts import make_batched

IBL = "engram/IBL-v0"

SESSIONS = f"{','.join(IBL_COLUMNS)}\n1,1,0.8,0.25,-35,-1,1,0.4\n1,2,0.8,1,35,1,1,0.3\n"
"""A CSV of a mouse's trials."""


def ibl_module(**core):
    """An untrained network that sees observations as they are."""
    env = make_batched(IBL, 1, {})
    torch.manual_seed(0)
    return RecurrentModule(
        observation_space=env.single_observation_space,
        action_space=env.single_action_space,
        model_config={"encoder": {"type": "one_hot"}, "core": core},
    )


def two_unit_module(gain=3.0):
    """The two units; the likeliest of three actions is what a probability above 0.9 chooses."""
    module = ibl_module(type="rnn", size=2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        module.core.rnn.weight_hh_l0.copy_(torch.as_tensor(RECURRENT))
        module.core.rnn.weight_ih_l0.copy_(torch.as_tensor(INPUT))
        module.policy_head.weight[:2, 0] = torch.tensor([-gain, gain])
        module.policy_head.bias[2] = math.log(9) / 2  # half of what tells 0.9 from 0.1
    return module


def make_two_unit_checkpoint(trial, env_config=None):
    """A trial's folder with a checkpoint of the two units; the folder, as text."""
    return write_checkpoint(trial, two_unit_module(), IBL, env_config or {})
