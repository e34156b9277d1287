"""N and M iterations in a row are those of N, a checkpoint, and M more, to the last bit."""

import itertools
import math
import threading
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import tree
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.tune.utils.util import flatten_dict

import engram.envs  # noqa: F401  registers the tasks
from engram.agents import make_config
from engram.agents.columns.under_way import LOST, UNDER_WAY

CORES = {
    "low_pass": {"type": "low_pass", "pools": 4, "size": 8, "summariser": 16, "normalize": "running"},
    "lstm": {"type": "lstm", "size": 16},
    "rims": {"type": "rims", "num_rims": 3, "rim_size": 8, "num_active": 2, "input_dropout": 0.2},
}
ENVS = {
    "tmaze": ("engram/TMaze-v0", {"level": 0, "limbo_time": 5, "teleport_delay": 4, "timeout_frames": 30}),
    "catch": ("engram/CuedCatch-v0", {}),
    "recall": ("engram/SequenceRecall-v0", {}),
    "grid": ("engram/Memory-v0", {}),
    "puzzle": ("engram/PrefixSums-v0", {"bits": 4}),
    "copying": ("engram/Copying-v0", {"span": 2, "length": 1, "symbols": 3}),
    "cart": ("CartPole-v1", {"wrappers": ["TimeAwareObservation", "RecordEpisodeStatistics"]}),
}
INPUTS = ("previous_action", "previous_reward")
RUNS = ("RecurrentPPO", "RecurrentIMPALA", "RecurrentA2C")
TOLD = ("puzzle", "copying")  # environments that say what would be right


def config(run="RecurrentPPO", core="lstm", env="tmaze", inputs=(), **settings):
    model = {"encoder": {"type": "mlp", "hidden": [8]}, "core": CORES[core]}
    result = make_config(run, model | dict.fromkeys(inputs, True))
    name, arguments = ENVS[env]
    result.environment(name, env_config=arguments).debugging(seed=3)
    result.num_envs_per_env_runner, result.rollout_fragment_length = 8, 5
    result.lr = [[0, 1e-3], [120, 1e-4]]  # ends with the third iteration
    if run == "RecurrentPPO":
        result.minibatch_size = 20
    for key, value in settings.items():
        setattr(result, key, value)
    return result


def state_of(algorithm):
    learner = algorithm.learner_group._learner
    state = learner.module[DEFAULT_MODULE_ID].state_dict(), learner._get_optimizer_state()
    return [leaf.numpy() if hasattr(leaf, "numpy") else np.array(leaf) for leaf in tree.flatten(state)]


TIMES = ("time", "perf", "throughput", "date", "pid", "host", "node_ip", "config", "per_second", "restore")


def numbers(result):
    """What an iteration reports but for clocks and processes."""
    flat = flatten_dict(result)
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in flat.items()
        if not key.endswith("env_runners/sample") and not any(word in key for word in TIMES)
    }


def run_on(algorithm, iterations):
    """What M iterations report, and weights and optimiser after them."""
    reports = [numbers(algorithm.train()) for _ in range(iterations)]
    state = state_of(algorithm)
    algorithm.stop()
    return reports, state


def restored(settings, path):
    algorithm = settings().build_algo()
    algorithm.restore_from_path(path)
    return algorithm


def check_exact(folder, settings, before=2, after=2):
    algorithm = settings().build_algo()
    for _ in range(before):
        algorithm.train()
    path = algorithm.save_to_path(str(folder))
    start = state_of(algorithm)
    reports, state = run_on(algorithm, after)
    reports_again, state_again = run_on(restored(settings, path), after)
    assert reports_again == reports
    assert len(start) == len(state) == len(state_again)
    for one, other in zip(state, state_again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one != other).any() for one, other in zip(start, state, strict=True)), "nothing was learned"
    return reports


def cases():
    """Every algorithm with every core, the environments in turn; all the others if slow tests are wanted."""
    for place, (run, core) in enumerate(itertools.product(RUNS, CORES)):
        for number, env in enumerate(ENVS):
            slow = number != (place + place // 3) % len(ENVS)
            yield pytest.param(run, core, env, marks=pytest.mark.slow if slow else ())
    for number, (core, env) in enumerate(itertools.product(CORES, TOLD)):
        yield pytest.param("Supervised", core, env, marks=pytest.mark.slow if number % 4 in (1, 2) else ())


@pytest.mark.parametrize(("run", "core", "env"), [*cases()])
def test_a_resumed_run_is_the_same_run(ray_cluster, tmp_path, run, core, env):
    reports = check_exact(tmp_path, lambda: config(run, core, env))
    rate = reports[-1][f"learners/{DEFAULT_MODULE_ID}/default_optimizer_learning_rate"]
    assert rate == pytest.approx(1e-4)  # a schedule that has come to its end stays there


@pytest.mark.parametrize(
    ("run", "env", "settings", "before"),
    [
        pytest.param("RecurrentIMPALA", "tmaze", {"_train_batch_size_per_learner": 120}, 4, id="waiting"),
        pytest.param("RecurrentIMPALA", "tmaze", {"broadcast_interval": 3}, 3, id="older_weights"),
        pytest.param(
            "RecurrentPPO",
            "tmaze",
            {
                "evaluation_interval": 1,
                "evaluation_duration": 5,
                "evaluation_config": {"explore": True},
            },
            2,
            id="evaluated",
        ),
        pytest.param(
            "RecurrentPPO",
            "cart",
            {"normalize_observations": True, "normalize_rewards": True},
            2,
            id="normalised",
        ),
        pytest.param("RecurrentPPO", "catch", {"seed": None}, 2, id="no_seed"),
        pytest.param("RecurrentA2C", "tmaze", {"inputs": INPUTS}, 2, id="inputs"),
        pytest.param(
            "Supervised", "copying", {"rollout_fragment_length": 6, "truncation": 3}, 2, id="truncated"
        ),
    ],
)
def test_so_it_is_with(ray_cluster, tmp_path, run, env, settings, before):
    settings = {"min_sample_timesteps_per_iteration": 1} | settings
    check_exact(tmp_path, lambda: config(run, "lstm", env, **settings), before, 3)


class Locked(gym.Env):
    """An environment that cannot be pickled; it counts its steps."""

    observation_space = gym.spaces.Box(0, 1e6, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, context):
        self.lock, self.steps = threading.Lock(), 0

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return self._seen(), {}

    def step(self, action):
        self.steps += 1
        return self._seen(), 0.0, False, False, {}

    def _seen(self):
        return np.array([self.steps], np.float32)


def test_lanes_that_cannot_be_saved_begin_anew(ray_cluster, tmp_path):
    def settings():
        return config().environment(Locked, env_config={})

    algorithm = settings().build_algo()
    algorithm.train()
    lost = algorithm.get_state()[UNDER_WAY][LOST]
    assert lost.startswith("Locked cannot be pickled (")
    assert "\n" not in lost
    again = restored(settings, algorithm.save_to_path(str(tmp_path)))
    for each, steps in ((algorithm, 2 * 5), (again, 5)):
        assert each.train()["env_runners"]["unfinished_episode_len_max"] == steps
        each.stop()


def test_another_trial_begins_new_episodes_with_draws_of_its_own(ray_cluster):
    """`--restore`, or a copy within a population, would play the same episodes as its donor."""
    donor = config(env="copying").build_algo()
    donor.train()
    donor._storage = SimpleNamespace(trial_dir_name="donor")
    state = donor.get_state()
    donor._storage = None
    own = donor.env_runner.sample()[0]
    donor.stop()
    played = {}
    for name in ("donor", "heir"):
        algorithm = config(env="copying").build_algo()
        algorithm._storage = SimpleNamespace(trial_dir_name=name)
        algorithm.set_state(state)
        played[name] = algorithm.env_runner.sample()[0]
        algorithm._storage = None
        algorithm.stop()
    for column in ("observations", "actions", "resets"):
        np.testing.assert_array_equal(getattr(played["donor"], column), getattr(own, column))
    assert played["heir"].resets[0].all()
    assert not own.resets[0].all()
    assert (played["heir"].actions != own.actions).any()


def test_lanes_that_cannot_go_on_begin_anew_and_the_result_says_so(ray_cluster):
    algorithm, fewer = config().build_algo(), config(num_envs_per_env_runner=4).build_algo()
    algorithm.train()
    state = algorithm.get_state()
    algorithm.stop()
    fewer.set_state(state)
    result = fewer.train()
    assert result["new_episodes"].startswith("ValueError: ")
    assert "new_episodes" not in fewer.train()
    assert result["env_runners"]["unfinished_episode_len_max"] == 5
    fewer.stop()


def test_new_episodes_of_a_resumed_runner_are_not_those_of_the_start(ray_cluster):
    """A runner in another process is not in the checkpoint; all would see the first episodes again."""
    algorithm = config(env="copying").build_algo()
    runner = algorithm.env_runner
    first = runner.sample()[0]
    runner._needs_initial_reset = True
    later = runner.sample()[0]
    algorithm.stop()
    assert (first.observations != later.observations).any()
