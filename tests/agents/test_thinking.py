"""Networks that think as policies: all iterations in one step, or one per step with the thought carried."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from engram.agents.models.thinking import ThinkingModule

BITS, LANES, STEPS = 6, 3, 5


def make_module(thinking_steps, core=(), **model):
    torch.manual_seed(0)
    return ThinkingModule(
        observation_space=gym.spaces.Box(-0.5, 0.5, (1, BITS), np.float32),
        action_space=gym.spaces.MultiBinary(BITS),
        model_config={
            "core": {
                "type": "deep_thinking",
                "width": 8,
                "thinking_steps": thinking_steps,
                **dict(core),
            },
            **model,
        },
    )


@pytest.fixture
def puzzles():
    return torch.randint(2, (LANES, 1, BITS), generator=torch.Generator().manual_seed(1)) - 0.5


def first_steps(*starts):
    """Resets (T, B): every lane begins at step 0, and lane i again at `starts[i]`, if that is a step."""
    resets = torch.zeros(STEPS, LANES, dtype=torch.bool)
    resets[0] = True
    for lane, start in enumerate(starts):
        resets[start, lane] = True
    return resets


def test_one_iteration_per_step_comes_to_the_same_as_all_in_one_step(puzzles):
    at_once, carried = make_module(STEPS), make_module(1, carry=True)
    carried.load_state_dict(at_once.state_dict())
    shown = puzzles.expand(STEPS, -1, -1, -1)
    whole = at_once.forward_columns(puzzles[None], {})
    steps = carried.forward_columns(shown, carried.initial_state(LANES), first_steps())
    torch.testing.assert_close(steps.action_dist_inputs[-1], whole.action_dist_inputs[0])
    torch.testing.assert_close(steps.values[-1], whole.values[0])


def test_a_new_episode_begins_with_a_new_thought(puzzles):
    module = make_module(1, carry=True)
    shown = puzzles.expand(STEPS, -1, -1, -1)
    unbroken = module.forward_columns(shown, module.initial_state(LANES), first_steps())
    broken = module.forward_columns(shown, module.initial_state(LANES), first_steps(0, 2))
    torch.testing.assert_close(broken.action_dist_inputs[:, 0], unbroken.action_dist_inputs[:, 0])
    torch.testing.assert_close(broken.action_dist_inputs[2:, 1], unbroken.action_dist_inputs[:3, 1])


def test_the_state_goes_on_where_it_was(puzzles):
    module = make_module(1, carry=True)
    shown = puzzles.expand(STEPS, -1, -1, -1)
    whole = module.forward_columns(shown, module.initial_state(LANES), first_steps())
    first = module.forward_columns(shown[:2], module.initial_state(LANES), first_steps()[:2])
    second = module.forward_columns(shown[2:], first.state)
    torch.testing.assert_close(second.action_dist_inputs, whole.action_dist_inputs[2:])


def test_a_network_of_so_many_iterations_cannot_carry():
    with pytest.raises(ValueError, match="carry: a network whose iterations have weights of their own"):
        make_module(2, core={"feed_forward": True, "recall_relu": False}, carry=True)


def test_weights_that_are_missing_are_an_error():
    module = make_module(1)
    state = module.get_state()
    state.pop(next(name for name in state if name.startswith("thinker.")))
    with pytest.raises(ValueError, match=r"the state lacks 1 weights of this network: thinker\."):
        module.set_state(state)


@pytest.mark.parametrize("space", [gym.spaces.Dict(a=gym.spaces.Discrete(3)), gym.spaces.Discrete(3)])
def test_a_puzzle_is_one_array(space):
    with pytest.raises(
        ValueError, match=r"core: one that thinks reads an array, got the observation space D"
    ):
        ThinkingModule(
            observation_space=space,
            action_space=gym.spaces.Discrete(3),
            model_config={"core": {"type": "deep_thinking"}},
        )
