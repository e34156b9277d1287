"""Before an episode has ended there is no return, whoever plays it; one that ends is told whole."""

import math

import pytest
import recall  # noqa: F401  registers the task

from engram.agents import make_config
from engram.agents.columns.results import ResultCallbacks

OURS = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}
OF_EPISODES = [f"episode_{name}_{stat}" for name in ("return", "len") for stat in ("mean", "min", "max")]


def config(run, delay, steps=320, **settings):
    """16 lanes; an iteration of `steps` env steps, episodes of `delay` + 1."""
    result = make_config(run, OURS).environment(
        "recall:engram_tests/CueRecall-v0", env_config={"delay": delay}
    )
    result.num_env_runners, result.num_envs_per_env_runner, result.num_learners = 0, 16, 0
    result.rollout_fragment_length, result.train_batch_size_per_learner = 20, 320
    result.minibatch_size = result.min_time_s_per_iteration = None
    result.min_sample_timesteps_per_iteration, result.num_epochs = steps, 1
    for name, value in settings.items():
        setattr(result, name, value)
    return result


@pytest.fixture
def built(ray_cluster):
    """Builds algorithms and stops them in the end."""
    algorithms = []

    def build(*arguments, **settings):
        algorithms.append(config(*arguments, **settings).build_algo())
        return algorithms[-1]

    yield build
    for algorithm in algorithms:
        algorithm.stop()


@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentIMPALA", "PPO", "IMPALA"])
def test_a_return_is_one_of_finished_episodes(built, run):
    """Episodes of 31 steps: the first report is of 20 steps a lane, the second of 40, the third of 60."""
    algorithm = built(run, delay=30)
    first, second, third = (algorithm.train() for _ in range(3))
    before = first["env_runners"]
    assert all(math.isnan(before[name]) for name in [*OF_EPISODES, "success_rate"])
    assert (before["num_episodes_in_window"], before["unfinished_episode_len_max"]) == (0, 20)
    assert "groups" not in before
    assert first["timesteps_total"] == 320
    assert first["steps_per_second"] > 0
    assert first["bptt_steps"] == 20
    for result, ended in ((second, 16), (third, 16)):  # the third ends none: the last ones stand
        runners = result["env_runners"]
        assert runners["num_episodes_in_window"] == ended
        assert runners["episode_len_min"] == runners["episode_len_max"] == 31
        assert 0.0 <= runners["episode_return_mean"] == runners["success_rate"] <= 1.0
        assert "unfinished_episode_len_max" not in runners


@pytest.mark.parametrize("run", ["RecurrentPPO", "PPO"])
def test_an_evaluation_in_which_no_episode_ended_has_no_return(built, run):
    """Lanes go on where the last evaluation left them: 20 steps each time, episodes of 31."""
    evaluation = {
        "evaluation_interval": 2,
        "evaluation_duration": 320,
        "evaluation_duration_unit": "timesteps",
        "evaluation_force_reset_envs_before_iteration": False,
    }
    algorithm = built(run, delay=30, **evaluation)
    results = [algorithm.train() for _ in range(7)]
    returns = [result["evaluation"]["env_runners"]["episode_return_mean"] for result in results[1:]]
    counts = [result["evaluation"]["env_runners"]["num_episodes_in_window"] for result in results[1:]]
    assert [math.isnan(value) for value in returns] == [True, True, False, False, True, True]
    assert counts == [0, 0, 16, 16, 0, 0]


def test_the_window_travels_and_an_empty_one_stays_empty(built):
    """What is under way is lost with a process; it must not come back as a return."""
    donor, heir = built("RecurrentPPO", delay=30), built("RecurrentPPO", delay=200)
    for _ in range(2):
        donor.train()
    ResultCallbacks.of(heir).set_state(ResultCallbacks.of(donor).get_state())
    runners = heir.train()["env_runners"]
    assert (runners["num_episodes_in_window"], runners["episode_len_mean"]) == (16, 31)
    ResultCallbacks.of(heir).set_state({"episodes": [], "evaluated": {}})
    assert math.isnan(heir.train()["env_runners"]["episode_return_mean"])
