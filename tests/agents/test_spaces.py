"""Every space of observations and actions, on columns and under RLlib's own PPO: runner and learner agree."""

import any_spaces
import numpy as np
import pytest
import torch
from gymnasium import spaces
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.training_data import TrainingData

from engram.agents import make_config
from engram.agents.actor_critic.learner import ColumnBatch
from engram.agents.columns.failures import RunnerError
from engram.agents.columns.inputs import NoLegalActionError
from engram.agents.columns.results import ResultCallbacks
from engram.train.console.errors import ExperimentError
from engram.train.environments.facts import probe
from engram.train.evaluation.agent import TrainedAgent
from engram.train.evaluation.policy import make_policy
from engram.train.evaluation.rollout import play_episodes

ENV = "any_spaces:engram_tests/AnySpaces-v0"
LANES, STEPS = 5, 9
CORE = {"type": "gru", "size": 8}


def config(run, env_config, **model):
    result = make_config(run, {"core": CORE, **model})
    result.environment(ENV, env_config=env_config).debugging(seed=0)
    result.num_envs_per_env_runner, result.rollout_fragment_length = LANES, STEPS
    result.num_env_runners, result.num_learners = 0, 0
    return result


class Pair:
    """A runner and a learner of equal weights, with a policy that is far from uniform."""

    def __init__(self, settings):
        torch.manual_seed(0)
        self.runner = settings.env_runner_cls(config=settings)
        self.learner = settings.build_learner(spaces=self.runner.get_spaces())
        self.learner.build()
        self.module = self.learner.module[DEFAULT_MODULE_ID]
        if hasattr(self.module, "policy_head"):
            with torch.no_grad():
                self.module.policy_head.weight.mul_(100.0)
        self.runner.module.set_state(self.module.get_state())

    def first_pass(self, fragment):
        """Distribution inputs (T, B, A) and the ratios' logarithms (T, B)."""
        batch = self.learner.prepare_batch(ColumnBatch.from_fragment(fragment, torch.device("cpu")))
        inputs = self.module.forward_train(batch)[Columns.ACTION_DIST_INPUTS][:STEPS]
        return inputs.detach(), self.learner.evaluate_actions(batch, inputs)[1].detach().numpy()

    def update(self, fragments):
        self.learner.update(
            training_data=TrainingData(episodes=fragments), timesteps={"num_env_steps_sampled_lifetime": 0}
        )


def assert_agree(settings):
    """The learner's first pass over fragments with resets inside and a state carried in has ratios of 1."""
    pair = Pair(settings)
    for _ in range(2):
        (fragment,) = pair.runner.sample()
        assert fragment.resets[1:].any()
        assert fragment.final_values.any()
        inputs, log_ratios = pair.first_pass(fragment)
        assert inputs.std() > 0.01
        assert np.abs(np.expm1(log_ratios)).max() < 1e-4
    before = {name: value.clone() for name, value in pair.module.named_parameters()}
    pair.update([fragment])
    return pair, {name for name, value in pair.module.named_parameters() if not value.equal(before[name])}


@pytest.mark.parametrize(
    ("run", "name"), [("RecurrentIMPALA", "grid"), *(("RecurrentPPO", n) for n in any_spaces.OBSERVATIONS)]
)
def test_observations(run, name):
    """A gradient reaches every part, too."""
    pair, moved = assert_agree(config(run, {"observation": name}))
    assert moved == dict(pair.module.named_parameters()).keys()


@pytest.mark.parametrize("name", any_spaces.ACTIONS)
@pytest.mark.parametrize("squash", [False, True])
def test_actions(name, squash):
    """The environment refuses what is not in its space."""
    bounded = isinstance(any_spaces.ACTIONS[name], spaces.Box) and name != "unbounded"
    if not squash or bounded:
        pair, _ = assert_agree(config("RecurrentPPO", {"action": name}, squash=squash))
        pair.runner.sample(random_actions=True)


@pytest.mark.parametrize("name", ["tokens", "grid", "nest"])
@pytest.mark.parametrize("run", ["Supervised", "PPO"])
def test_observations_of_other_algorithms(run, name):
    pair = Pair(config(run, {"observation": name}))
    samples = pair.runner.sample()
    if run == "Supervised":
        pair.update(samples)
    else:
        assert sum(len(episode) for episode in samples) >= LANES * STEPS


@pytest.mark.parametrize("name", ["table", "plane", "number", "matrix"])
def test_actions_of_rllibs_runner(name):
    for model in ({}, {"squash": True}) if name in ("number", "matrix") else ({},):
        Pair(config("PPO", {"action": name}, **model)).runner.sample()


MASKS = {
    "info": ({"mask": "info"}, {}),
    "tuple": ({"mask": "tuple"}, {}),
    "part": ({"mask": "action_mask"}, {}),
    "named": ({"mask": "legal", "observation": "grid"}, {"action_mask": "legal"}),
}


@pytest.mark.parametrize(
    ("mask", "action"),
    [("info", "start"), ("info", "table"), ("tuple", "choices"), ("part", "choices"), ("named", "choice")],
)
def test_illegal_actions_are_never_taken(mask, action):
    """The environment refuses them; nothing is left to them in the learner, either."""
    env_config, model = MASKS[mask]
    settings = config("RecurrentPPO", env_config | {"action": action}, **model)
    pair, _ = assert_agree(settings)
    (fragment,) = pair.runner.sample()
    given = {key: torch.from_numpy(part) for key, part in _flat(fragment.observations).items()}
    legal = given[next(key for key in given if key.endswith(("action_mask", "legal")))][:-1] != 0
    inputs, _ = pair.first_pass(fragment)
    converter = pair.module.actions
    for part, allowed in zip(
        inputs.split(list(converter.choices), -1), legal.split(list(converter.choices), -1), strict=True
    ):
        probabilities = part.softmax(-1)
        assert (probabilities[~allowed] == 0).all()
        assert (~allowed).any()
    pair.runner.sample(random_actions=True)
    pair.runner.sample(num_episodes=4)
    pair.runner.sample(num_episodes=4, random_actions=True)
    policy = make_policy(pair.runner.module, LANES, greedy=False)
    observations, _ = pair.runner.env.reset(seed=1)
    resets = np.ones(LANES, bool)
    for _ in range(STEPS):
        observations, _, terminated, truncated, _ = pair.runner.env.step(policy.act(observations, resets))
        resets = terminated | truncated


def _flat(nest, path=""):
    if not isinstance(nest, dict):
        return {path: nest}
    return {key: leaf for name, part in nest.items() for key, leaf in _flat(part, f"{path}/{name}").items()}


@pytest.mark.parametrize("mask", MASKS)
def test_entropy_is_over_what_is_legal(mask):
    env_config, model = MASKS[mask]
    pair = Pair(config("RecurrentPPO", env_config, **model))
    with torch.no_grad():
        pair.module.policy_head.weight.zero_()
    (fragment,) = pair.runner.sample()
    batch = pair.learner.prepare_batch(ColumnBatch.from_fragment(fragment, torch.device("cpu")))
    inputs = pair.module.forward_train(batch)[Columns.ACTION_DIST_INPUTS]
    entropy = pair.module.get_train_action_dist_cls().from_logits(inputs).entropy()
    counts = pair.module.legal(batch[Columns.OBS]).sum(-1)
    torch.testing.assert_close(entropy, counts.float().log())
    entropy.mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in pair.module.parameters())


@pytest.mark.parametrize("mask", MASKS)
def test_rllibs_runner_takes_legal_actions_alone(mask):
    env_config, model = MASKS[mask]
    Pair(config("PPO", env_config, **model)).runner.sample()


@pytest.mark.parametrize("mask", MASKS)
def test_a_mask_without_a_legal_action_is_refused(mask):
    env_config, model = MASKS[mask]
    runner = Pair(config("RecurrentPPO", env_config | {"stuck": True}, **model)).runner
    with pytest.raises(NoLegalActionError, match=STUCK):
        runner.sample(num_timesteps=30 * LANES)


STUCK = (
    r"action_mask: any_spaces:engram_tests/AnySpaces-v0 leaves no action legal 2 steps into an episode "
    r"\(lane \d\); of each choice, one number at least is not to be 0$"
)


class OneRunner:
    """A group of one remote runner, whose process has come back."""

    def __init__(self, runner):
        self.runner = runner

    def foreach_env_runner(self, func, **_):
        return [self.runner.apply(func)]


@pytest.mark.parametrize("run", ["RecurrentPPO", "PPO"])
def test_a_remote_runner_without_a_legal_action_ends_the_trial(run, monkeypatch):
    """RLlib would start it again, and forget why."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    runner = Pair(config(run, {"mask": "info", "stuck": True})).runner
    restarted = {"env_runner_group": OneRunner(runner), "env_runner_indices": [1]}
    ResultCallbacks().on_env_runners_recreated(**restarted)
    with pytest.raises(RunnerError, match=STUCK):
        runner.apply(lambda runner: runner.sample(num_timesteps=30 * LANES))
    with pytest.raises(NoLegalActionError, match=STUCK):
        ResultCallbacks().on_env_runners_recreated(**restarted)


@pytest.mark.parametrize(
    ("env_config", "model", "message"),
    [
        ({}, {"action_mask": "legl"}, r"action_mask: unknown 'legl'; known: auto, info, none"),
        (
            {"mask": "legal"},
            {"action_mask": "legl"},
            r"action_mask: unknown 'legl'; did you mean 'legal'\? known: auto, info, legal, none, seen",
        ),
        (
            {"observation": "goal"},
            {"action_mask": "desired_goal"},
            r"action_mask: 'desired_goal' of the observation has 2 numbers, one for each of 3 choices",
        ),
        (
            {"action": "vector"},
            {"action_mask": "info"},
            r"action_mask: 'info' is for the action spaces Discrete",
        ),
        ({"action": "choice"}, {"squash": True}, r"squash: true is for the action space Box with bounds"),
        ({"action": "unbounded"}, {"squash": True}, r"squash: true is for the action space Box with bounds"),
    ],
)
def test_what_does_not_fit_is_refused(env_config, model, message):
    with pytest.raises(ValueError, match=message):
        Pair(config("RecurrentPPO", env_config, **model))


def test_a_mask_that_is_not_asked_for_is_ignored():
    runner = Pair(config("RecurrentPPO", {"mask": "info"}, action_mask="none")).runner
    assert runner.env.single_observation_space == any_spaces.OBSERVATIONS["vector"]
    with pytest.raises(RuntimeError) as raised:
        runner.sample(num_timesteps=50 * LANES)
    assert "is not legal" in str(raised.value.__cause__)


@pytest.mark.parametrize(
    ("mask", "action"), [("info", "start"), ("tuple", "choices"), ("action_mask", "start")]
)
def test_first_steps_are_legal_ones(mask, action):
    """Those of `--dry-run`; the environment refuses others."""
    env_config = {"mask": mask, "action": action}
    assert probe(ENV, env_config).tells_mask == (mask != "action_mask")
    with pytest.raises(ExperimentError, match=r"step\(\) number \d: no action is legal by the action_mask"):
        probe(ENV, env_config | {"stuck": True})


@pytest.mark.parametrize("run", ["RecurrentPPO", "PPO"])
@pytest.mark.parametrize("action", ["table", "matrix"])
def test_an_agent_that_is_evaluated_is_told_the_same(run, action):
    env_config = {"action": action, "observation": "nest", "mask": "info" if action == "table" else "nowhere"}
    module = Pair(config(run, env_config, squash=action == "matrix", **BESIDE)).runner.module
    agent = TrainedAgent("x", module, ENV, env_config)
    envs = agent.make_envs(3)
    assert envs.single_observation_space == module.observation_space
    observations, _ = envs.reset(seed=0)
    assert not observations["previous_action"].any()
    policy = agent.make_policy(3)
    actions = policy.act(observations, np.ones(3, bool))
    observations, rewards, *_ = envs.step(actions)
    np.testing.assert_array_equal(observations["previous_action"], module.actions.features(actions))
    np.testing.assert_allclose(observations["previous_reward"][:, 0], rewards, rtol=1e-6)
    assert len(play_episodes(agent, 5).episodes) == 5


BESIDE = {"previous_action": True, "previous_reward": True}


@pytest.mark.parametrize("action", ["start", "table", "plane", "matrix"])
def test_what_was_done_before_is_seen(action):
    """Within an episode, across the edge of a fragment, and nothing at an episode's first step."""
    pair, moved = assert_agree(config("RecurrentPPO", {"action": action, "observation": "grid"}, **BESIDE))
    assert moved == dict(pair.module.named_parameters()).keys()
    converter = pair.module.actions
    (first,), (second,) = pair.runner.sample(), pair.runner.sample()
    for name in BESIDE:
        np.testing.assert_array_equal(first.observations[name][-1], second.observations[name][0])
    for fragment in (first, second):
        begun = fragment.resets[1:]
        done = converter.features(converter.to_env(fragment.actions))
        expected = np.where(begun[..., None], 0, done)
        np.testing.assert_array_equal(fragment.observations["previous_action"][1:], expected)
        earned = np.where(begun, 0, fragment.rewards)
        np.testing.assert_array_equal(fragment.observations["previous_reward"][1:, :, 0], earned)


@pytest.mark.parametrize("name", ["choice", "start"])
def test_the_features_of_an_action_are_one_hot(name):
    pair = Pair(config("RecurrentPPO", {"action": name}, **BESIDE))
    (fragment,) = pair.runner.sample()
    seen = fragment.observations["previous_action"][1:]
    np.testing.assert_array_equal(
        seen[~fragment.resets[1:]], np.eye(3)[fragment.actions[~fragment.resets[1:]]]
    )


def test_the_last_observation_of_an_episode_tells_what_led_to_it():
    runner = Pair(config("RecurrentPPO", {"mask": "info"}, **BESIDE)).runner
    runner.env.reset(seed=0)
    ended = np.zeros(LANES, bool)
    while not ended.any():
        legal = runner._observations["action_mask"] if hasattr(runner, "_observations") else None
        actions = np.argmax(legal, 1) if legal is not None else _first_legal(runner.env)
        observations, rewards, terminated, truncated, infos = runner.env.step(actions)
        runner._observations = observations
        ended = terminated | truncated
    lane = int(np.argmax(ended))
    final = infos["final_obs"][lane]
    np.testing.assert_array_equal(final["previous_action"], np.eye(3)[actions[lane]])
    assert final["previous_reward"] == np.float32(rewards[lane])
    assert final["action_mask"].all()
    assert not observations["previous_action"][lane].any()
    assert not observations["previous_reward"][lane].any()


def _first_legal(env):
    return np.array([np.argmax(each.unwrapped.legal) for each in env.unwrapped.envs])


@pytest.mark.parametrize("mask", ["nowhere", "info"])
def test_rllibs_runner_tells_what_was_done_before(mask):
    runner = Pair(config("PPO", {"mask": mask}, **BESIDE)).runner
    for episode in runner.sample():
        seen = episode.get_observations()
        told, earned = seen["previous_action"], seen["previous_reward"][:, 0]
        assert not told[0].any()
        np.testing.assert_array_equal(told[1:], np.eye(3)[np.asarray(episode.get_actions())])
        np.testing.assert_allclose(earned[1:], episode.get_rewards(), rtol=1e-6)
