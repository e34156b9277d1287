"""A minibatch that goes through the network in parts: the same step, the same numbers reported."""

import film
import numpy as np
import pytest
import test_finite
import test_frames
import torch
from shell import Shell

from engram.agents import make_config
from engram.agents.actor_critic.learner import ColumnBatch
from engram.train.console.errors import ExperimentError
from engram.train.plans import build

CORES = {
    "lstm": {"type": "lstm", "size": 8},
    "low_pass": {"type": "low_pass", "pools": 3, "size": 8},
    "rims": {"type": "rims", "num_rims": 3, "num_active": 2, "rim_size": 6},
}
LANES, STEPS = 6, 10


def config(run, core="lstm", **settings):
    """One minibatch of 6 lanes, whose episodes end and begin inside."""
    made = make_config(run, {"encoder": {"type": "mlp", "hidden": [8]}, "core": CORES[core]})
    made.environment("recall:engram_tests/CueRecall-v0").debugging(seed=0)
    made.num_env_runners, made.num_envs_per_env_runner, made.num_learners = 0, LANES, 0
    made.rollout_fragment_length, made.train_batch_size_per_learner = STEPS, LANES * STEPS
    made.minibatch_size = None
    for name, value in settings.items():
        setattr(made, name, value)
    made.validate()
    return made


def updated(settings, updates=3):
    """What the last of some updates reports, the weights after it, and the lanes of each forward pass."""
    shell, lanes = Shell(settings), []
    forward = shell.module.forward_train

    def seen(batch, **others):
        lanes.append(batch.lanes)
        return forward(batch, **others)

    shell.module.forward_train = seen
    for _ in range(updates):
        told = shell.update(shell.sample())
        shell.sync()
    return told, shell.weights(), lanes


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentA2C", "RecurrentIMPALA"])
def test_parts_add_up_to_the_step_of_the_whole(run, core):
    whole, weights, lanes = updated(config(run, core))
    parts, others, pieces = updated(config(run, core, microbatch_size=2 * STEPS))
    assert (set(lanes), set(pieces)) == ({LANES}, {2})
    assert len(pieces) == 3 * len(lanes)
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-4, atol=1e-6, msg=name)
    assert parts.keys() == whole.keys()
    for name, value in whole.items():
        assert parts[name] == pytest.approx(value, rel=1e-3, abs=1e-6, nan_ok=True), name


def test_parts_that_are_not_alike_count_by_their_steps():
    """Of 6 lanes, 4 at a time are one part, and 5 a step are rounded down to whole lanes: 6 parts."""
    _, weights, _lanes = updated(config("RecurrentPPO"))
    for size, expected in ((4 * STEPS, {6}), (3 * STEPS, {3}), (5, {1})):
        _, others, pieces = updated(config("RecurrentPPO", microbatch_size=size))
        assert set(pieces) == expected
        for name, weight in weights.items():
            torch.testing.assert_close(others[name], weight, rtol=1e-4, atol=1e-6, msg=name)


def test_pieces_are_views_of_all_lanes_once():
    columns = {"rewards": torch.arange(14.0).view(2, 7), "state_in": {"h": torch.arange(7.0)[:, None]}}
    batch = ColumnBatch(columns)
    parts = batch.parts(4)
    assert [part.lanes for part in parts] == [3, 2, 2]
    assert torch.equal(torch.cat([part["rewards"] for part in parts], 1), batch["rewards"])
    assert torch.equal(torch.cat([part["state_in"]["h"] for part in parts]), columns["state_in"]["h"])
    assert all(part["rewards"]._base is not None for part in parts)
    assert batch.parts(None) == [batch]


@pytest.mark.parametrize("shared", [True, False])
def test_pictures_of_shared_frames_go_through_in_parts_too(shared):
    settings = {"minibatch_size": None}
    _, weights, _ = updated(test_frames.configured(shared, **settings))
    lane = test_frames.STEPS
    _, others, pieces = updated(test_frames.configured(shared, **settings, microbatch_size=lane))
    assert set(pieces) == {1}
    assert film.FRAMES > 1
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-4, atol=1e-6, msg=name)


def test_a_part_that_is_not_finite_makes_no_step():
    """Whichever it is; and says what."""
    for lane in range(test_finite.LANES):
        shell = test_finite.Shell(on_non_finite="skip", microbatch_size=test_finite.STEPS)
        fragment, before = shell.sample(), shell.weights()
        fragment.action_logp[2, lane] = np.nan
        told = shell.update(fragment)
        assert "loss" in str(told["non_finite"]) or "policy_loss" in str(told["non_finite"])
        torch.testing.assert_close(shell.weights(), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"microbatch_size": 61},
            "microbatch_size: 61 is more than a minibatch of 60 env steps; legal: 1 to 60",
        ),
        (
            {"microbatch_size": 30, "minibatch_size": 20},
            "microbatch_size: 30 is more than a minibatch of 20 env steps",
        ),
        ({"microbatch_size": 0}, "microbatch_size: 0 is not legal; legal: 1 to 60, or null"),
        ({"microbatch_size": 2.5}, "microbatch_size: 2.5 is not legal"),
        ({"microbatch_size": "20"}, "microbatch_size: '20' is not legal"),
        ({"microbatch_size": 20, "num_learners": 2}, "microbatch_size: not with 2 learners"),
    ],
)
def test_sizes_that_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        config("RecurrentPPO", **settings)


def test_it_is_for_actor_critics_of_ours():
    with pytest.raises(ExperimentError, match="microbatch_size"):
        build.build_config("PPO", "CartPole-v1", {"microbatch_size": 10})
