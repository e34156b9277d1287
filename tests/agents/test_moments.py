"""Running statistics against NumPy's, over everything at once; what is normalised, and where they go."""

import numpy as np
import pytest
import recall  # noqa: F401  registers the task
import torch
from gymnasium import spaces
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.core.rl_module.rl_module import RLModule

from engram.agents import make_config
from engram.agents.columns.fragment import concatenate
from engram.agents.models.moments import Normalization, NormalizationOptions, RunningMoments

LANES, STEPS = 6, 7
BOTH = {"normalize_observations": True, "normalize_rewards": True}


@pytest.mark.parametrize("middle", [0.0, 1e3])
@pytest.mark.parametrize("cuts", [[1], [5, 6], [3, 3, 40], [100]])
def test_batches_are_merged_as_if_seen_at_once(cuts, middle):
    rows = np.random.default_rng(0).normal(middle, [1.0, 3.0], (120, 2)).astype(np.float32)
    moments = RunningMoments((2,))
    for part in np.split(rows, np.cumsum(cuts)):
        moments.observe(torch.from_numpy(part))
    assert int(moments.count) == 120
    np.testing.assert_allclose(moments.mean, rows.mean(0, np.float64), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moments.var, rows.var(0, np.float64), rtol=1e-3 if middle else 1e-5)


def observe_as_one_of_two(rank, folder):
    store = torch.distributed.FileStore(f"{folder}/store", 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    moments = RunningMoments((2,))
    for part in (ROWS[rank::2], ROWS[: 5 * rank]):  # in the second turn one of them saw nothing
        moments.observe(part)
    torch.save(moments.state_dict(), f"{folder}/{rank}")
    torch.distributed.destroy_process_group()


ROWS = torch.rand(20, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
def test_learners_see_what_the_others_see(tmp_path):
    torch.multiprocessing.spawn(observe_as_one_of_two, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / name) for name in ("0", "1"))
    seen = torch.cat([ROWS, ROWS[:5]]).double()
    for state in (first, second):
        assert int(state["count"]) == 25
        torch.testing.assert_close(state["mean"], seen.mean(0).float())
        torch.testing.assert_close(state["var"], seen.var(0, unbiased=False).float())


def test_nothing_is_nothing():
    moments = RunningMoments(())
    moments.observe(torch.zeros(0))
    assert (int(moments.count), float(moments.mean), float(moments.var)) == (0, 0.0, 1.0)


def test_parts_of_floats_are_normalised_and_no_others():
    space = spaces.Dict(
        {
            "speed": spaces.Box(-9, 9, (2,), np.float32),
            "image": spaces.Box(0, 255, (3,), np.uint8),
            "kind": spaces.Discrete(4),
            "inner": spaces.Tuple([spaces.MultiBinary(2), spaces.Box(0, 1, (), np.float64)]),
        }
    )
    module = Normalization(space, NormalizationOptions(True, False, 1.5))
    assert module.names == ["observation['inner'][1]", "observation['speed']"]
    rng = np.random.default_rng(1)
    seen = {
        "speed": torch.from_numpy(rng.normal(5, 2, (4, 3, 2)).astype(np.float32)),
        "image": torch.from_numpy(rng.integers(0, 256, (4, 3, 3), np.uint8)),
        "kind": torch.from_numpy(rng.integers(0, 4, (4, 3))),
        "inner": (torch.ones(4, 3, 2, dtype=torch.int8), torch.from_numpy(rng.random((4, 3)))),
    }
    module.observe(seen)
    normal = module(seen)
    assert normal["image"] is seen["image"]
    assert normal["kind"] is seen["kind"]
    assert normal["inner"][0] is seen["inner"][0]
    for raw, found in ((seen["speed"], normal["speed"]), (seen["inner"][1], normal["inner"][1])):
        raw = raw.numpy().astype(np.float64)
        expected = (raw - raw.mean((0, 1))) / np.sqrt(raw.var((0, 1)) + 1e-8)
        np.testing.assert_allclose(found, expected.clip(-1.5, 1.5), atol=1e-5)
        assert found.dtype == torch.float32
        assert (np.abs(expected) > 1.5).any()
    unclipped = Normalization(space, NormalizationOptions(True, False, None))
    unclipped.load_state_dict(module.state_dict())
    assert float(unclipped(seen)["speed"].abs().max()) > 1.5


def test_a_space_without_floats_is_refused():
    with pytest.raises(ValueError, match=r"normalize_observations: no part of MultiBinary\(3\) is a Box"):
        Normalization(spaces.MultiBinary(3), NormalizationOptions(True, True, None))
    rewards_alone = Normalization(spaces.MultiBinary(3), NormalizationOptions(False, True, None))
    assert not rewards_alone.names


def settings(run="RecurrentPPO", **others):
    result = make_config(run, {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "gru", "size": 8}})
    result.environment("recall:engram_tests/CueRecall-v0").debugging(seed=0)
    result.num_envs_per_env_runner, result.rollout_fragment_length = LANES, STEPS
    for name, value in {**BOTH, **others}.items():
        setattr(result, name, value)
    return result


class Shell:
    """Runners and a learner of equal weights, in this process."""

    def __init__(self, config, runners=1):
        torch.manual_seed(0)
        self.config = config
        self.runners = [config.env_runner_cls(config=config, worker_index=index) for index in range(runners)]
        env = self.runners[0].env
        pair = (env.single_observation_space, env.single_action_space)
        self.learner = config.build_learner(spaces={DEFAULT_MODULE_ID: pair})
        self.learner.build()
        self.module = self.learner.module[DEFAULT_MODULE_ID]
        self.fragments = []

    def turn(self):
        for runner in self.runners:
            runner.module.set_state(self.module.get_state())
        sampled = [fragment for runner in self.runners for fragment in runner.sample()]
        self.learner.update(
            training_data=TrainingData(episodes=sampled),
            timesteps={"num_env_steps_sampled_lifetime": 0},
            num_epochs=2,
            minibatch_size=2 * STEPS,
        )
        self.fragments.append(concatenate(sampled))


@pytest.mark.parametrize("runners", [1, 2])
@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentIMPALA"])
def test_statistics_are_those_of_all_lanes_of_all_runners(run, runners):
    shell = Shell(settings(run), runners)
    returns, running = [], np.zeros(runners * LANES)
    for _ in range(3):
        shell.turn()
        fragment = shell.fragments[-1]
        for t in range(STEPS):
            begun = np.where(fragment.resets[t], 0.0, running)
            running = fragment.rewards[t] + shell.config.gamma * begun
            returns.append(running)
    found = shell.module.normalization
    seen = np.concatenate([each.observations[:-1].reshape(-1, 3) for each in shell.fragments])
    np.testing.assert_allclose(found.parts["0"].mean, seen.mean(0, np.float64), atol=1e-6)
    np.testing.assert_allclose(found.parts["0"].var, seen.var(0, np.float64), atol=1e-6)
    np.testing.assert_allclose(found.returns.var, np.var(returns), rtol=1e-5)
    assert int(found.returns.count) == int(found.parts["0"].count) == 3 * STEPS * runners * LANES


@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentIMPALA"])
@pytest.mark.parametrize("observations", [True, False])
def test_of_the_first_observations_statistics_alone_are_learned(run, observations):
    """They were met as they are, whatever their size."""
    shell = Shell(settings(run, normalize_observations=observations))
    for learned in (not observations, True):
        before = {name: value.clone() for name, value in shell.module.named_parameters()}
        shell.turn()
        changed = [not torch.equal(value, before[name]) for name, value in shell.module.named_parameters()]
        assert any(changed) is learned


def test_rewards_are_divided_where_they_are_learned_from_and_nowhere_else():
    shell = Shell(settings(normalization_clip=None))
    shell.turn()
    shell.turn()
    (fragment,) = shell.runners[0].sample()
    assert set(np.unique(fragment.rewards)) <= {0.0, 1.0}
    assert fragment.rewards.any()
    (batch,) = shell.learner.batches(fragment, 1, None)
    deviation = float(shell.module.normalization.returns.var) ** 0.5
    np.testing.assert_allclose(batch["rewards"], fragment.rewards / deviation, rtol=1e-5)
    assert deviation < 0.9


def test_dropped_lanes_are_not_counted():
    shell = Shell(settings())
    (fragment,) = shell.runners[0].sample()
    fragment.dropped[1:] = True
    shell.learner.update(
        training_data=TrainingData(episodes=[fragment]), timesteps={"num_env_steps_sampled_lifetime": 0}
    )
    np.testing.assert_allclose(
        shell.module.normalization.parts["0"].mean, fragment.observations[:-1, 0].mean(0), atol=1e-6
    )
    assert int(shell.module.normalization.returns.count) == STEPS


def test_a_reward_that_is_not_finite_does_not_stay():
    shell = Shell(settings(on_non_finite="skip"))
    runner = shell.runners[0]
    step, calls = runner.env.step, []

    def broken(actions):
        observations, rewards, *rest = step(actions)
        calls.append(rewards)
        return observations, np.where(np.arange(LANES) < (len(calls) == 2), np.nan, rewards), *rest

    runner.env.step = broken
    for _ in range(3):
        shell.turn()
    assert [each.dropped.tolist() for each in shell.fragments] == [[True] + [False] * 5] + [
        [False] * LANES
    ] * 2
    assert int(shell.module.normalization.returns.count) == (3 * LANES - 1) * STEPS
    assert all(torch.isfinite(value).all() for value in shell.module.state_dict().values())


def test_a_checkpoint_holds_them_to_the_last_bit(tmp_path):
    shell = Shell(settings())
    for _ in range(2):
        shell.turn()
    path = shell.module.save_to_path(str(tmp_path / "module"))
    loaded = RLModule.from_checkpoint(path)
    for name, value in shell.module.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
        assert loaded.state_dict()[name].dtype == value.dtype
    seen = torch.rand(2, 3, 3)
    outputs = [each.forward_columns(seen, each.initial_state(3)).values for each in (loaded, shell.module)]
    assert torch.equal(*outputs)
    other = Shell(settings(seed=1))
    other.learner.set_state(shell.learner.get_state())  # as a population copies its best
    for name, value in shell.module.normalization.state_dict().items():
        assert torch.equal(other.module.normalization.state_dict()[name], value)


def test_they_stand_still_in_evaluations():
    config = settings()
    config.evaluation_config = {"explore": False}
    evaluation = config.get_evaluation_config_object()
    evaluation.in_evaluation = True
    runner = evaluation.env_runner_cls(config=evaluation)
    before = {name: value.clone() for name, value in runner.module.state_dict().items()}
    runner.sample(num_episodes=4)
    assert all(torch.equal(runner.module.state_dict()[name], value) for name, value in before.items())
    assert "normalization.parts.0.mean" in before


def test_a_checkpoint_without_them_is_refused():
    plain = Shell(settings(normalize_observations=False, normalize_rewards=False))
    with pytest.raises(ValueError, match="the state lacks 6 weights of this network: normalization"):
        Shell(settings()).module.set_state(plain.module.get_state())
