"""Steps that the suite's own policy has played: what it was given, and what it did.

B lanes.
"""

from functools import partial
from typing import Any, NamedTuple

import any_spaces  # noqa: F401  registers the environment
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from engram.agents.columns.inputs import add_inputs
from engram.agents.columns.lanes import vectorize
from engram.agents.models.choice import module_class
from engram.agents.models.given import ACTION_MASK, OBSERVATION
from engram.agents.models.recurrent import TAKES_CHANCES
from engram.policy import write_policy
from engram.policy.card import card_of
from engram.train.evaluation.policy import make_policy

ENV = "any_spaces:engram_tests/AnySpaces-v0"
MLP = {"type": "mlp", "hidden": [8]}
GRU = {"encoder": MLP, "core": {"type": "gru", "size": 8}}


LINE, SQUARE, IMAGE = spaces.Box(0, 1, (1, 9)), spaces.Box(0, 1, (3, 6, 6)), spaces.Box(0, 1, (1, 20, 19))
SMALL = {"width": 4, "thinking_steps": 2}
THINKING = {
    "deep_thinking": (LINE, spaces.MultiBinary(9), SMALL),
    "maze_net": (SQUARE, spaces.MultiBinary(36), SMALL),
    "thinking_mlp": (IMAGE, spaces.Discrete(5), SMALL),
    "conv_net": (IMAGE, spaces.Discrete(5), SMALL),
    "res_net": (IMAGE, spaces.Discrete(5), SMALL),
    "res_net_bn": (IMAGE, spaces.Discrete(5), SMALL),
    "res_net18": (IMAGE, spaces.Discrete(5), {}),
}
"""Each network that thinks -> what it sees, what it answers, its options."""


OF_TRAINING = ("normalization", TAKES_CHANCES)
"""What the algorithm adds to a `model:` section, and a card has not."""


class Step(NamedTuple):
    """One step of B lanes: what a loaded policy is given, and what the trained one did."""

    given: dict[str, Any]
    actions: Any
    logits: Any


def make_module(model, seen, done, made=None):
    """An untrained RLModule whose policy is far from uniform."""
    torch.manual_seed(0)
    module = (made or module_class(model))(observation_space=seen, action_space=done, model_config=model)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.add_(0.1 * torch.randn_like(weight))
            weight.mul_(100.0 if name == "policy_head.weight" else 1.0)
    return module


def make_thinker(kind, **model):
    """An untrained RLModule of a network that thinks."""
    seen, done, options = THINKING[kind]
    return make_module({"core": {"type": kind, **options}, **model}, seen, done)


def write(module, file, **others):
    """The module's policy as a file."""
    known = {key: value for key, value in module.model_config.items() if key not in OF_TRAINING}
    return write_policy(file, module, card_of(module, known, **others))


class Recorded:
    """The suite's policy of a module, and the numbers that its network gives."""

    def __init__(self, module, lanes, greedy=True):
        self.policy, self.numbers = make_policy(module, lanes, greedy), []
        self.forward = module.forward_columns
        module.forward_columns = self.kept
        torch.manual_seed(3)

    def kept(self, *given):
        outputs = self.forward(*given)
        self.numbers.append(outputs.action_dist_inputs.reshape(-1, outputs.action_dist_inputs.shape[-1]))
        return outputs


def act(module, seen, steps=50, lanes=20, greedy=True):
    """What the suite's policy makes of observations that are drawn from their space."""
    space = batch_space(seen, lanes)
    space.seed(1)
    drawn, recorded = np.random.default_rng(2), Recorded(module, lanes, greedy)
    played = []
    for step in range(steps):
        resets = drawn.random(lanes) < 0.1 if step else np.ones(lanes, bool)
        observation = space.sample()
        actions = recorded.policy.act(observation, resets)
        given = {"observation": observation, "resets": resets}
        played.append(Step(given, actions, recorded.numbers[-1].numpy()))
    return played


def play(model, env_config, steps=50, lanes=20, greedy=True):
    """A module for lanes of an environment, and what the suite's policy does in them."""
    make = partial(vectorize, ENV, env_config=env_config, autoreset_mode=AutoresetMode.SAME_STEP)
    envs = add_inputs(make(lanes), model, partial(make, 1), ENV)
    module = make_module(model, envs.single_observation_space, envs.single_action_space)
    if module.normalization is not None:
        envs.single_observation_space.seed(0)
        rows = [envs.single_observation_space.sample()[OBSERVATION] for _ in range(9)]
        module.normalization.observe(torch.from_numpy(np.stack(rows))[None])
    recorded, played = Recorded(module, lanes, greedy), []
    observations, _ = envs.reset(seed=1)
    resets, reward = np.ones(lanes, bool), None
    for _ in range(steps):
        given = {"observation": observations, "resets": resets}
        if module.inputs.several:
            given["observation"] = observations[OBSERVATION]
        if module.inputs.reward:
            given["reward"] = reward
        if module.inputs.told_mask:
            given["action_mask"] = observations[ACTION_MASK]
        actions = recorded.policy.act(observations, resets)
        played.append(Step(given, actions, recorded.numbers[-1].numpy()))
        observations, reward, terminated, truncated, _ = envs.step(actions)
        resets = terminated | truncated
    return module, played


def agrees(policy, played, **how):
    """Whether a loaded policy does the same, number for number."""
    policy.reset(lanes=len(played[0].actions), seed=3)
    for step in played:
        actions = policy.act(**step.given, **how)
        if actions.dtype != step.actions.dtype or not np.array_equal(actions, step.actions):
            return False
        if not np.array_equal(policy.logits, step.logits):
            return False
    return True
