"""Actions that do not start at 0, from the distribution to the environment and back, on every path."""

import any_spaces
import counted
import numpy as np
import pytest
import torch
from gymnasium import spaces
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.training_data import TrainingData

from engram.agents import make_config
from engram.agents.models.actions import action_converter
from engram.agents.stock.draws import counted_from_zero, space_of_draws
from engram.agents.stock.runner import StockEnvRunner
from engram.train.environments.facts import make_batched
from engram.train.evaluation.answers import AnswerLog
from engram.train.evaluation.policy import make_policy

MODEL = {"encoder": {"type": "mlp", "hidden": [16]}, "core": {"type": "lstm", "size": 8}}
LANES, STEPS = 6, 12


def config(run, actions="start", observations="vector", model=MODEL, **settings):
    result = make_config(run, model)
    env_config = {"actions": actions, "observations": observations}
    result.environment("counted:engram_tests/Counted-v0", env_config=env_config).debugging(seed=0)
    result.num_envs_per_env_runner, result.rollout_fragment_length, result.num_learners = LANES, STEPS, 0
    result.num_env_runners = 0
    for name, value in settings.items():
        setattr(result, name, value)
    return result


def runner_of(settings):
    torch.manual_seed(0)
    return settings.env_runner_cls(config=settings)


@pytest.mark.parametrize("name", counted.ACTIONS)
def test_there_and_back(name):
    space = counted.ACTIONS[name]
    actions = action_converter(space)
    taken = np.stack([space.sample() for _ in range(50)])
    drawn = actions.from_env(taken)
    assert actions.to_env(drawn).dtype == space.dtype
    np.testing.assert_allclose(actions.to_env(drawn), taken, rtol=1e-6)
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        assert drawn.dtype == np.int64
        assert drawn.min(0).tolist() == (0 if drawn.ndim == 1 else [0, 0])
        assert (drawn.max(0) == getattr(space, "n", getattr(space, "nvec", None)) - 1).all()


def test_draws_of_a_gaussian_are_cut():
    space = spaces.Box(-0.1, 0.1, (2,))
    np.testing.assert_allclose(action_converter(space).to_env(np.array([[3.0, 0.05]])), [[0.1, 0.05]])


def test_squashed_draws_reach_the_bounds():
    space = any_spaces.ACTIONS["matrix"]
    actions = action_converter(space, squash=True)
    ends = actions.to_env(np.array([[-1.0] * 4, [1.0] * 4, [0.0] * 4]))
    np.testing.assert_array_equal(ends, [space.low, space.high, (space.low + space.high) / 2])
    assert ends.dtype == space.dtype
    taken = np.stack([space.sample() for _ in range(50)])
    np.testing.assert_allclose(actions.to_env(actions.from_env(taken)), taken, atol=1e-6)


@pytest.mark.parametrize("name", any_spaces.ACTIONS)
def test_a_draw_is_flat(name):
    space = any_spaces.ACTIONS[name]
    actions = action_converter(space)
    taken = np.stack([space.sample() for _ in range(6)]).reshape(2, 3, *space.shape)
    drawn = actions.from_env(taken)
    assert drawn.shape == (2, 3, *space_of_draws(actions).shape)
    assert actions.to_env(drawn).shape == taken.shape
    np.testing.assert_allclose(actions.to_env(drawn), taken, rtol=1e-6)


def test_features_of_several_choices_are_one_hot_each():
    actions = action_converter(spaces.MultiDiscrete([[3, 2], [1, 2]], start=[[1, -1], [0, 0]]))
    seen = actions.features(np.array([[[2, -1], [0, 1]]]))
    np.testing.assert_array_equal(seen, [[0, 1, 0, 1, 0, 1, 0, 1]])


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 3, (2,), np.int32),
        spaces.Tuple((spaces.Discrete(2), spaces.Discrete(3))),
        spaces.Dict(a=spaces.Discrete(2)),
        spaces.Text(3),
    ],
)
def test_other_spaces_are_refused(space):
    with pytest.raises(ValueError, match=r"cannot act in the action space .*; known: Discrete, "):
        action_converter(space)


def test_a_space_without_numbers_is_refused():
    with pytest.raises(ValueError, match="holds no numbers"):
        action_converter(spaces.Box(0, 3, (0,)))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-1, 1, None),
        (-2, np.inf, None),
        (-np.inf, np.inf, None),
        (0, 1, None),
        (-50, 50, None),
        (100, 200, "hardly any lie within the bounds 100 and 200; model.squash: true stretches them"),
        (0, 1e-4, "hardly any lie within the bounds 0 and 0.0001; model.squash: true stretches them"),
        (3, np.inf, "hardly any lie within the bounds 3 and inf; a wrapper may shift them"),
        (-1e4, 1e4, "they reach little of what lies within the bounds -10000 and 10000; model.squash: true"),
    ],
)
def test_bounds_that_a_new_policy_misses_are_told(low, high, said):
    """A standard normal draw lies within 0 and 1 in 34 %, beyond 3 in 0.1 %, within 0 and 1e-4 in 0.004 %."""
    remark = action_converter(spaces.Box(low, high, (2,))).remark()
    assert (remark is None) if said is None else (said in remark)
    if np.isfinite([low, high]).all():
        assert action_converter(spaces.Box(low, high, (2,)), squash=True).remark() is None


def test_counted_from_zero():
    assert counted_from_zero(spaces.Discrete(3, start=-2)) == spaces.Discrete(3)
    assert counted_from_zero(spaces.MultiDiscrete([3, 2], start=[0, 1])) == spaces.MultiDiscrete([3, 2])
    for space in (spaces.Discrete(3), spaces.Box(-1, 1, (2,)), spaces.Dict(a=spaces.Discrete(3))):
        assert counted_from_zero(space) is space
    for space in (spaces.Dict(a=spaces.Discrete(3, start=1)), spaces.Tuple((spaces.Discrete(3, start=1),))):
        with pytest.raises(ValueError, match="its parts must count from 0, without start"):
            counted_from_zero(space)


@pytest.mark.parametrize("random_actions", [False, True])
@pytest.mark.parametrize("name", counted.ACTIONS)
def test_columnar_runner_gives_the_environment_its_own_actions(name, random_actions):
    """The environment refuses others."""
    runner = runner_of(config("RecurrentPPO", name))
    (fragment,) = runner.sample(random_actions=random_actions)
    if isinstance(counted.ACTIONS[name], spaces.Discrete):
        assert set(np.unique(fragment.actions)) == {0, 1, 2}
        counts = np.arange(STEPS) % counted.STEPS < counted.STEPS - 1
        right = fragment.actions == (np.arange(STEPS) % counted.STEPS % 3)[:, None]
        np.testing.assert_array_equal(fragment.rewards[counts], right[counts])


@pytest.mark.parametrize("name", counted.ACTIONS)
def test_log_probabilities_and_values_are_the_networks(name):
    runner = runner_of(config("RecurrentPPO", name))
    (fragment,) = runner.sample()
    states = {key: torch.from_numpy(value) for key, value in fragment.state_in.items()}
    outputs = runner.module.forward_columns(
        torch.from_numpy(fragment.observations[:-1]), states, torch.from_numpy(fragment.resets[:-1])
    )
    dist = runner.module.get_train_action_dist_cls().from_logits(outputs.action_dist_inputs)
    logp = dist.logp(torch.from_numpy(fragment.actions)).detach().numpy()
    np.testing.assert_allclose(fragment.action_logp, logp, atol=1e-5)
    np.testing.assert_allclose(fragment.values, outputs.values.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("name", counted.ACTIONS)
def test_random_actions_do_not_ask_the_network(name, monkeypatch):
    runner = runner_of(config("RecurrentPPO", name))
    runner.sample()
    assert any(leaf.any() for leaf in runner._state.values())
    with monkeypatch.context() as without_network:
        without_network.setattr(runner.module, "forward_columns", None)
        (fragment,) = runner.sample(random_actions=True)
    for unknown in (fragment.action_logp, fragment.values, fragment.last_values, fragment.final_values):
        assert not unknown.any()
    (after,) = runner.sample()
    assert all(not leaf.any() for leaf in after.state_in.values())
    assert after.values.any()
    monkeypatch.setattr(runner.module, "forward_columns", None)
    assert runner.sample(num_episodes=LANES, random_actions=True)[0].env_steps() > 0


@pytest.mark.parametrize("name", counted.ACTIONS)
def test_random_actions_repeat_by_seed(name):
    first, second, other = (
        runner_of(config("RecurrentPPO", name).debugging(seed=seed)).sample(random_actions=True)[0].actions
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_evaluation_plays_in_the_environments_own_actions():
    runner = runner_of(config("RecurrentPPO", "negative"))
    assert runner.sample(num_episodes=4, explore=False)[0].env_steps() >= 4 * counted.STEPS


@pytest.mark.parametrize("name", ["plain", "start", "negative", "uint8"])
def test_supervised_learns_answers_that_do_not_start_at_zero(name):
    settings = config("Supervised", name, lr=0.02)
    runner = runner_of(settings)
    spaces_ = (runner.env.single_observation_space, runner.env.single_action_space)
    learner = settings.build_learner(spaces={DEFAULT_MODULE_ID: spaces_})
    learner.build()
    for step in range(40):
        (fragment,) = runner.sample()
        at = np.arange(step * STEPS, (step + 1) * STEPS) % counted.STEPS
        counts = at < counted.STEPS - 1
        np.testing.assert_array_equal(fragment.masks, counts[:, None].repeat(LANES, 1))
        np.testing.assert_array_equal(fragment.targets[counts], (at % 3)[counts, None].repeat(LANES, 1))
        results = learner.update(
            training_data=TrainingData(episodes=[fragment]), timesteps={"num_env_steps_sampled_lifetime": 0}
        )[DEFAULT_MODULE_ID]
    assert float(results["solved_sum"].peek()) == float(results["judged_sum"].peek()) > 0


def test_supervised_names_a_target_outside_the_space(monkeypatch):
    monkeypatch.setattr(counted.Counted, "_told", lambda self: {"target": np.int64(9), "mask": True})
    with pytest.raises(
        ValueError, match=r"env: .* says that 9 is right, which is not in Discrete\(3, start=5\)"
    ):
        runner_of(config("Supervised")).sample()


@pytest.mark.parametrize("model", [MODEL, {"use_lstm": True}], ids=["ours", "own"])
@pytest.mark.parametrize("name", ["plain", "start", "negative", "int32", "several_int16"])
def test_stock_runner_gives_the_environment_its_own_actions(model, name):
    runner = runner_of(config("PPO", name, model=model))
    assert isinstance(runner, StockEnvRunner)
    assert runner.get_spaces()[DEFAULT_MODULE_ID][1] == counted.ACTIONS[name] == runner.module.action_space
    for random_actions in (False, True):
        episodes = runner.sample(random_actions=random_actions, force_reset=True)
        drawn = np.concatenate([episode.get_actions() for episode in episodes])
        assert (drawn.min(), drawn.max()) == (0, 2)


@pytest.mark.parametrize("observations", counted.OBSERVATIONS)
def test_observations_that_do_not_start_at_zero(observations):
    runner = runner_of(config("RecurrentPPO", observations=observations))
    (fragment,) = runner.sample()
    prepared = runner.module.encoder.prepare(torch.from_numpy(fragment.observations[:, 0]))
    t = np.arange(STEPS + 1) % counted.STEPS
    if observations == "symbols":
        expected = np.concatenate([np.eye(3)[t % 3], np.eye(4)[t % 4]], 1)
    else:
        expected = np.eye(4)[t % 4]
    np.testing.assert_array_equal(prepared, expected)


@pytest.mark.parametrize("observations", counted.OBSERVATIONS)
def test_stock_runner_shows_symbols_to_our_module(observations):
    episodes = runner_of(config("PPO", observations=observations)).sample()
    assert sum(len(episode) for episode in episodes) == LANES * STEPS


@pytest.mark.parametrize(
    ("run", "model"),
    [("RecurrentPPO", MODEL), ("PPO", MODEL), ("PPO", {"use_lstm": True})],
    ids=["columns", "stock", "own"],
)
@pytest.mark.parametrize("name", ["start", "negative", "uint8", "several_int16"])
def test_policies_that_are_evaluated_act_in_the_environments_own_actions(run, model, name):
    """The environment refuses others; what is said of the right answers is their likelihood."""
    module = runner_of(config(run, name, model=model)).module
    env = make_batched("counted:engram_tests/Counted-v0", 3, {"actions": name})
    for greedy in (True, False):
        policy = make_policy(module, 3, greedy)
        seen, infos = env.reset(seed=0)
        resets = np.ones(3, bool)
        for _ in range(7):
            actions = policy.act(seen, resets)
            assert actions.dtype == counted.ACTIONS[name].dtype
            if infos["mask"].all():
                assert np.exp(policy.log_likelihood(infos["target"])).max() < 0.9
            seen, _, resets, _, infos = env.step(actions)


def test_answers_that_do_not_count_need_not_be_actions():
    env = make_batched("counted:engram_tests/Counted-v0", 3, {"actions": "start"})
    policy, log = make_policy(runner_of(config("RecurrentPPO")).module, 3, True), AnswerLog(env)
    seen, infos = env.reset(seed=0)
    for _ in range(counted.STEPS):
        actions = policy.act(seen, np.zeros(3, bool))
        log.step(policy, infos, np.ones(3, bool))
        seen, _, _, _, infos = env.step(actions)
    assert log.summary()["cross_entropy"] == pytest.approx(np.log(3), abs=0.05)
