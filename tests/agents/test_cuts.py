"""Returns that end with a life: the steps, what is learned from, and what goes on all the same."""

import cuts_env
import numpy as np
import pytest
import torch
from shell import Shell

from engram.agents import make_config
from engram.agents.columns.cuts import ReturnCuts
from engram.agents.columns.failures import EnvError
from engram.train.console.errors import ExperimentError
from engram.train.experiments.experiment import Experiment
from engram.train.plans.header import rows
from engram.train.plans.plan import make_plan

ENV = "cuts_env:Lives"
LANES, STEPS, GAMMA = 2, 30, 0.5


def config(run="RecurrentPPO", key="lives", **settings):
    made = make_config(run, {"encoder": {"type": "mlp", "hidden": [4]}, "core": {"type": "gru", "size": 4}})
    made.environment(ENV).debugging(seed=0)
    made.num_env_runners, made.num_envs_per_env_runner, made.rollout_fragment_length = 0, LANES, STEPS
    made.train_batch_size_per_learner, made.minibatch_size = LANES * STEPS, None
    made.gamma, made.cut_returns_at = GAMMA, key
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def steps_of(flags):
    return [np.flatnonzero(lane).tolist() for lane in flags.T]


def test_returns_end_with_lives_and_episodes_with_the_last():
    shell = Shell(config())
    fragment = shell.sample()
    length = cuts_env.LOST_AT[-1]
    rows = [[start + at - 1 for start in range(0, STEPS, length) for at in cuts_env.LOST_AT]] * LANES
    assert steps_of(fragment.terminateds) == [[t for t in row if t < STEPS] for row in rows]
    assert steps_of(fragment.resets) == [list(range(0, STEPS + 1, length))] * LANES
    episodes = shell.runner.get_metrics()["episodes"].peek()
    assert {(episode[0], episode[1]) for episode in episodes} == {(float(length), length)}


def test_without_it_returns_end_with_episodes():
    fragment = Shell(config(key=None)).sample()
    assert steps_of(fragment.terminateds) == [[8, 17, 26]] * LANES


def test_what_is_learned_from_is_the_return_of_a_life():
    """With a trace that does not decay, the target of a step is what the life still earns, discounted."""
    shell = Shell(config(lambda_=1.0))
    (batch,) = shell.learner.batches(shell.sample(), 1, None)
    left = [2, 1, 3, 2, 1, 4, 3, 2, 1]  # steps of a life that are still to come
    expected = torch.tensor([sum(GAMMA**k for k in range(n)) for n in left])
    for lane in range(LANES):
        torch.testing.assert_close(batch["value_targets"][:9, lane], expected)


@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentA2C", "RecurrentIMPALA"])
def test_nothing_behind_a_life_is_learned_from(run):
    """Rewards behind the loss of a life change no gradient of those before it."""
    steps = cuts_env.LOST_AT[0]
    shell = Shell(config(run, rollout_fragment_length=steps, train_batch_size_per_learner=LANES * steps))
    fragment = shell.sample()
    assert fragment.terminateds[-1].all()
    assert not fragment.resets[1:].any()
    weights = []
    for value in (0.0, 1e3):
        twin = Shell(config(run, rollout_fragment_length=steps, train_batch_size_per_learner=LANES * steps))
        fragment.last_values[:] = value
        twin.update(fragment)
        weights.append(torch.cat([leaf.flatten() for leaf in twin.weights().values()]))
    torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_lives_lost_between_two_fragments_are_found():
    """Whatever their length, and after a restore."""
    whole = Shell(config()).sample().terminateds
    shell = Shell(config(rollout_fragment_length=1, train_batch_size_per_learner=LANES))
    single = []
    for t in range(STEPS):
        if t == 4:  # the next step loses a life
            state = shell.runner.lanes_state()
            shell = Shell(config(rollout_fragment_length=1, train_batch_size_per_learner=LANES))
            shell.runner.set_lanes_state(state)
        single.append(shell.sample().terminateds)
    np.testing.assert_array_equal(np.concatenate(single), whole)


def test_a_run_may_be_resumed_with_it():
    """The first step cuts nothing: what was told before it is not known."""
    shell = Shell(config(key=None, rollout_fragment_length=1, train_batch_size_per_learner=LANES))
    shell.sample()
    state = shell.runner.lanes_state()
    shell = Shell(config(rollout_fragment_length=1, train_batch_size_per_learner=LANES))
    shell.runner.set_lanes_state(state)
    ends = [shell.sample().terminateds.all() for _ in range(8)]
    assert ends == [False, False, False, True, False, False, False, True]


def test_a_number_that_rises_or_belongs_to_the_next_episode_cuts_nothing():
    cuts = ReturnCuts("lives", 3)
    cuts.restart({"lives": np.array([3, 1, 2])})
    ended = np.array([False, True, False])
    assert cuts.step(ended, {"lives": np.array([4, 0, 2])}).tolist() == [False, False, False]
    assert cuts.step(~ended & False, {"lives": np.array([3, 0, 1])}).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("live", "info has no 'live'; it tells: lives, name"),
        ("name", r"info\['name'\] is .* of shape \(2,\); legal: a number of each of 2 lanes"),
    ],
)
def test_lanes_that_do_not_tell_it(key, said):
    with pytest.raises(EnvError, match=said):
        Shell(config(key=key)).sample()


def test_the_header_says_so():
    settings = {"gamma": 0.9, "model": {"core": {"type": "gru"}}}
    said = [
        dict(rows(make_plan(Experiment(name="x", env=ENV, run="RecurrentPPO", config=settings | more))))
        for more in ({"cut_returns_at": "lives"}, {})
    ]
    ends = "; returns that are learned from end where lives falls"
    assert [each["discount"] for each in said] == [f"gamma 0.9 per env step{end}" for end in (ends, "")]


def test_it_is_refused_before_anything_starts():
    settings = {"cut_returns_at": "live", "model": {"core": {"type": "gru"}}}
    experiment = Experiment(name="x", env=ENV, run="RecurrentPPO", config=settings)
    said = "in its info: unknown 'live'; did you mean 'lives'\\? known: lives, name$"
    with pytest.raises(ExperimentError, match=said):
        make_plan(experiment)


@pytest.mark.parametrize(
    ("infos", "said"),
    [
        ({"lives": np.array([3, 0]), "_lives": np.array([True, False])}, "no number of lane 1 in this step"),
        ({"lives": np.array([np.nan, 3.0])}, "no number of lane 0 in this step"),
        ({"lives": 3}, r"of shape \(\); legal: a number of each of 2 lanes"),
        ({"lives": np.ones((2, 2))}, r"float64 of shape \(2, 2\)"),
        ({"lives": np.ones(1)}, r"float64 of shape \(1,\)"),
        ({"lives": np.array([3, None])}, r"object of shape \(2,\)"),
    ],
)
def test_every_lane_tells_one_number(infos, said):
    cuts = ReturnCuts("lives", 2)
    cuts.restart({"lives": np.array([3, 3])})
    with pytest.raises(ValueError, match=said):
        cuts.step(np.zeros(2, bool), infos)


def test_evaluations_need_no_such_number():
    settings = config(key="live")
    settings.in_evaluation = True
    runner = settings.env_runner_cls(config=settings)
    assert runner.sample(num_episodes=2)[0].env_steps() == LANES * cuts_env.LOST_AT[-1]


def test_no_key_is_null():
    with pytest.raises(ValueError, match="cut_returns_at: '' is no key of info"):
        config(key="").validate()
