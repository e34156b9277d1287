"""What numbers come to together: reports, rounding, checkpoints, trials, memory, CPUs."""

import io
import sys

import gymnasium as gym
import pytest

from engram.envs.forms.frames import FrameStack
from engram.train.console.errors import ExperimentError
from engram.train.environments.facts import EnvFacts
from engram.train.experiments import metrics
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.plans import build, forecast, header, memory_limits
from engram.train.plans import plan as plan_module
from engram.train.plans.plan import make_plan
from engram.train.running import cluster

MODEL = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}
SMALL = {"num_envs_per_env_runner": 4, "rollout_fragment_length": 5, "model": MODEL}  # 20 env steps a round


def plan(config=None, run="RecurrentPPO", seeds=None, **rest):
    section = {"env": "small_envs:small/Cue-v0", "run": run, "config": SMALL | (config or {}), **rest}
    experiments, _ = read_experiments({"e": section}, Overrides(seeds=seeds))
    return make_plan(experiments[0])


def config(run="RecurrentPPO", **settings):
    result = build.defaults(run, MODEL)
    result.num_envs_per_env_runner, result.rollout_fragment_length = 4, 5
    for name, value in settings.items():
        setattr(result, name, value)
    return result


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, 20),
        ({"num_env_runners": 2}, 40),
        ({"train_batch_size_per_learner": 30}, 40),
        ({"min_sample_timesteps_per_iteration": 50}, 60),
        ({"min_train_timesteps_per_iteration": 100}, 60),  # two epochs: 40 trained for 20 sampled
        ({"min_train_timesteps_per_iteration": 100, "num_epochs": 1}, 100),
        ({"min_train_timesteps_per_iteration": 100, "num_learners": 2}, None),
        ({"min_time_s_per_iteration": 1}, None),
        ({"run": "RecurrentIMPALA", "train_batch_size_per_learner": 60}, 20),
        ({"run": "RecurrentIMPALA", "num_env_runners": 1}, None),
        ({"run": "PPO"}, None),
        ({"run": "IMPALA"}, None),
    ],
)
def test_env_steps_of_a_report(settings, steps):
    assert forecast.steps_per_report(config(**settings)) == steps


def test_the_header_says_where_a_stop_between_two_reports_ends():
    assert dict(header.rows(plan(stop={"timesteps_total": 110})))["stop"] == (
        "timesteps_total >= 110 (120: a report is 20 env steps)"
    )
    assert dict(header.rows(plan(stop={"timesteps_total": 120})))["stop"] == "timesteps_total >= 120"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"config": {"train_batch_size_per_learner": 30}}, "takes whole fragments, 40 env steps over all"),
        (
            {"config": {"minibatch_size": 3}},
            "a learner's batch of 20 env steps makes 4 minibatches of 5, not of 3",
        ),
        ({"config": {"minibatch_size": 13}}, "makes 2 minibatches of 10, not of 13"),
        (
            {"config": {"evaluation_interval": 9}, "stop": {"timesteps_total": 60}},
            "9, but training ends after 3 re",
        ),
        (
            {"config": {"evaluation_interval": 9}, "stop": {"training_iteration": 1}},
            "after 1 report: nothing is ev",
        ),
        (
            {"checkpoint_freq": 4, "stop": {"timesteps_total": 60}},
            "4, but training ends after 3 reports: only the la",
        ),
        (
            {"checkpoint_freq": 4, "checkpoint_at_end": False, "stop": {"timesteps_total": 60}},
            "training ends after 3 reports: nothing is saved",
        ),
        ({"checkpoint_at_end": False}, "nothing is saved; checkpoint_frequency is 0"),
        (
            {"keep_checkpoints_num": 3},
            "checkpoint_config.num_to_keep has no effect without checkpoint_frequency",
        ),
        (
            {"checkpoint_score_attr": "episode_reward_mean"},
            "checkpoint_config.checkpoint_score_attribute has no effect without checkpoint_frequency",
        ),
        (
            {"config": {"lr": {"grid_search": [1e-3, 1e-3]}}},
            "config.lr.grid_search: 0.001 stands there twice",
        ),
        (
            {"config": {"min_time_s_per_iteration": 1e9}},
            "min_time_s_per_iteration: the first report comes after 1,000,000,000 s, and stop is looked at",
        ),
        (
            {"config": {"min_time_s_per_iteration": 90}, "stop": {"time_total_s": 60}},
            "the first report comes after 90 s, and stop is looked at then, not after 60 s",
        ),
        (
            {"config": {"min_sample_timesteps_per_iteration": 10**9}, "stop": {"timesteps_total": 60}},
            "the first report comes after 1,000,000,000 env steps, and stop is looked at then, not after 60",
        ),
        (
            {
                "config": {"evaluation_interval": 1, "evaluation_duration": 10**9},
                "stop": {"timesteps_total": 60},
            },
            "each evaluation is 1,000,000,000 episodes, more than the 60 env steps of all training",
        ),
        (
            {"config": {"compress_observations": True}},
            "config.compress_observations has no effect under Recurrent",
        ),
        (
            {"config": {"gamma": {"grid_search": [0.9, 0.8]}, "log_gradients": True, "eager_tracing": False}},
            "Tensor",
        ),
    ],
)
def test_notices(changes, text):
    notices = plan(**changes).notices
    assert len(notices) == 1
    assert text in notices[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"config": {"minibatch_size": 10, "train_batch_size_per_learner": 40}},
        {"config": {"evaluation_interval": 3}, "checkpoint_freq": 3, "stop": {"timesteps_total": 60}},
        {"keep_checkpoints_num": 1},
        {"config": {"min_time_s_per_iteration": 60}, "stop": {"time_total_s": 60}},
        {"config": {"min_sample_timesteps_per_iteration": 60}, "stop": {"timesteps_total": 60}},
        {"config": {"lr": {"choice": [1e-3, 1e-3]}}},  # weights
    ],
)
def test_no_notices(changes):
    assert plan(**changes).notices == ()


@pytest.mark.parametrize(
    ("stop", "message"),
    [
        ({"timesteps_total": -5}, "stop.timesteps_total: -5 is out of range; legal: more than 0"),
        ({"timesteps_total": 0}, "stop.timesteps_total: 0 is out of range"),
        ({"training_iteration": 0}, "stop.training_iteration: 0 is out of range"),
        ({"time_total_s": -1}, "stop.time_total_s: -1 is out of range"),
        ({"timesteps_total": float("inf")}, "stop.timesteps_total: no result reaches inf"),
        (
            {"episode_reward_mean": float("-inf")},
            "stop.env_runners/episode_return_mean: no result reaches -inf",
        ),
        (
            {"success_rate": 90},
            "stop.env_runners/success_rate: 90 is out of range; legal: more than 0, up to 1",
        ),
        ({"env_runners/episode_len_mean": 0}, "stop.env_runners/episode_len_mean: 0 is out of range"),
        (
            {"env_runners/episode_retrun_mean": 1},
            "stop.env_runners/episode_retrun_mean: unknown key; did you mean 'env_runners/episode_return_me",
        ),
        (
            {"learners/default_policy/vf_los": 1},
            "stop.learners/default_policy/vf_los: unknown key; did you mean",
        ),
        ({"evaluation/nonsense": 1}, "stop.evaluation/nonsense: unknown key"),
        ({"env_runners/groups/4/nonsense": 1}, "stop.env_runners/groups/4/nonsense: unknown key"),
        (
            {"evaluation/env_runners/success_rate": 1},
            "stop.evaluation/env_runners/success_rate: evaluation/env_run",
        ),
    ],
)
def test_conditions_that_cannot_be_meant(stop, message):
    with pytest.raises(ExperimentError) as caught:
        plan(stop=stop)
    assert str(caught.value).startswith(message)


def test_conditions_that_can():
    stop = {
        "time_total_s": float("inf"),
        "env_runners/episode_return_mean": -3,
        "env_runners/groups/4/success_rate": 1,
        "learners/default_policy/entropy": 0.0,
        "evaluation/env_runners/groups/delay 3/episode_return_max": 0,
    }
    assert plan({"evaluation_interval": 1}, stop=stop).experiment.stop == stop


@pytest.mark.parametrize(
    ("score", "settings", "message"),
    [
        ("nonsense", {}, "unknown 'nonsense'; "),
        (
            "env_runners/sucess_rate",
            {},
            "unknown 'env_runners/sucess_rate'; did you mean 'env_runners/success_rate'",
        ),
        (
            "evaluation/env_runners/success_rate",
            {},
            "needs evaluations; config.evaluation_interval is not set",
        ),
    ],
)
def test_scores_that_no_result_has(score, settings, message):
    with pytest.raises(ExperimentError, match=r"checkpoint_config\.checkpoint_score_attribute: ") as caught:
        plan(settings, checkpoint_config={"checkpoint_frequency": 1, "checkpoint_score_attribute": score})
    assert message in str(caught.value)


def test_losses_of_a_users_own_have_any_name():
    assert metrics.is_known("learners/default_policy/worst_iteration", "Supervised")
    assert not metrics.is_known("learners/default_policy/worst_iteration", "RecurrentPPO")


@pytest.mark.parametrize(
    ("config", "seeds", "rest", "factors"),
    [
        ({}, None, {"num_samples": 1_000_000}, "1,000,000 trials (num_samples 1,000,000)"),
        ({}, 100_000, {}, "100,000 trials (config.seed 100,000 values)"),
        ({"lr": {"grid_search": [1e-3, 1e-4]}}, 6000, {}, "config.lr 2 values x config.seed 6,000 values"),
    ],
)
def test_too_many_trials(monkeypatch, config, seeds, rest, factors):
    monkeypatch.setattr("engram.train.plans.plan.probe", None)  # refused before anything is built
    with pytest.raises(ExperimentError, match="legal: at most 10,000 of one experiment") as caught:
        plan(config, seeds=seeds, **rest)
    assert factors in str(caught.value)


def test_seeds_are_checked_but_not_built(monkeypatch):
    built = []
    make = build.build_config
    monkeypatch.setattr(build, "build_config", lambda *arguments: built.append(0) or make(*arguments))
    many = plan(seeds=1000)
    assert len(built) == 1
    assert many.trials == 1000
    assert dict(header.rows(many))["trials"] == "1000, seeds 0, 1, 2, ..., 999"
    with pytest.raises(ExperimentError, match=r"config\.seed: -1 is out of range"):
        plan({"seed": {"grid_search": [0, -1]}})


def test_many_variants_say_that_they_are_checked(monkeypatch, capsys):
    monkeypatch.setattr("engram.train.plans.plan.MANY", 2)
    plan({"lr": {"grid_search": [1e-3, 1e-4, 1e-5]}})
    assert "e: checking 3 variants" in capsys.readouterr().err


def test_lanes_that_no_memory_holds():
    big = plan({"num_envs_per_env_runner": 10**12})
    with pytest.raises(
        ExperimentError, match=r"config\.num_envs_per_env_runner: fragments of 5 steps of 1,000,000"
    ):
        cluster.check_resources(big, cluster.RayOptions())
    cluster.check_resources(big, cluster.RayOptions(address="there:1"))


def test_what_observations_take(monkeypatch):
    monkeypatch.setattr(memory_limits, "total", lambda: 6 * 4 * (24 + 100 * 4 + 8) - 1)
    space = gym.spaces.Dict({"seen": gym.spaces.Box(0, 1, (10, 10)), "told": gym.spaces.Discrete(3)})
    with pytest.raises(ExperimentError, match=r"take 10\.1 KB at least"):
        memory_limits.check_lanes(config(), facts(space))


def facts(space, wrappers=()):
    return EnvFacts("Any-v0", space, gym.spaces.Discrete(2), None, None, wrappers)


@pytest.mark.parametrize(("wrappers", "pictures"), [((), 1), (("TimeLimit",), 4)])
def test_shared_frames_count_once(monkeypatch, wrappers, pictures):
    """Of pictures of four frames; behind a wrapper nothing is shared."""
    monkeypatch.setattr(memory_limits, "total", lambda: 6 * 4 * (24 + 100 * pictures) - 1)
    known = facts(FrameStack(10, 10, 1, 4), wrappers)
    with pytest.raises(ExperimentError, match="fragments of 5 steps of 4 lanes take"):
        memory_limits.check_lanes(config(), known)
    monkeypatch.setattr(memory_limits, "total", lambda: 6 * 4 * (24 + 100 * pictures))
    memory_limits.check_lanes(config(), known)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"train_batch_size_per_learner": 10**13},
            r"config\.train_batch_size_per_learner: a batch of 10,000,000,000,000 env steps takes 327\.4 TB",
        ),
        (
            {"rollout_fragment_length": 10**10},
            r"config\.rollout_fragment_length: fragments of 10,000,000,000 steps of 4 lanes",
        ),
        (
            {
                "evaluation_interval": 1,
                "evaluation_config": {"num_envs_per_env_runner": 10**13},
            },
            r"config\.evaluation_config\.num_envs_per_env_runner: 10,000,000,000,000 lanes take 327\.4",
        ),
    ],
)
def test_sizes_that_no_memory_holds(settings, message):
    big = plan(settings)
    with pytest.raises(ExperimentError, match=message):
        cluster.check_resources(big, cluster.RayOptions())
    cluster.check_resources(big, cluster.RayOptions(address="there:1"))


def test_a_stock_batch_and_a_replay_buffer_that_no_memory_holds():
    sections = {
        "PPO": (
            {"train_batch_size_per_learner": 10**12},
            "config.train_batch_size_per_learner: fragments of 500,000,000,000 steps of 1 lanes",
        ),
        "DQN": (
            {"replay_buffer_config": {"type": "PrioritizedEpisodeReplayBuffer", "capacity": 10**12}},
            "config.replay_buffer_config.capacity: the priorities of 1,000,000,000,000 env steps take",
        ),
    }
    for run, (settings, message) in sections.items():
        section = {"env": "small_envs:small/Cue-v0", "run": run, "config": settings}
        (experiment,), _ = read_experiments({"e": section}, Overrides())
        with pytest.raises(ExperimentError) as caught:
            cluster.check_resources(make_plan(experiment), cluster.RayOptions())
        assert str(caught.value).startswith(message)


def test_a_batch_of_all_runners_together(monkeypatch):
    """Two runners' fragments of 20 env steps, 36 bytes each."""
    several = plan({"num_env_runners": 2})
    monkeypatch.setattr(memory_limits, "total", lambda: 40 * 36)
    memory_limits.check_batch(several.config, several.env)
    monkeypatch.setattr(memory_limits, "total", lambda: 40 * 36 - 1)
    with pytest.raises(ExperimentError, match=r"config\.num_env_runners: a batch of 40 env steps takes"):
        memory_limits.check_batch(several.config, several.env)


def test_more_processes_than_memory_holds(monkeypatch):
    monkeypatch.setattr(memory_limits, "total", lambda: 10 * memory_limits.PROCESS)
    cluster.check_resources(plan({"num_env_runners": 9}), cluster.RayOptions())
    for settings in ({"num_env_runners": 10}, {"num_env_runners": {"grid_search": [1, 10]}}):
        with pytest.raises(ExperimentError, match=r"config\.num_env_runners: a trial of 11 processes takes"):
            cluster.check_resources(plan(settings), cluster.RayOptions())
    cluster.check_resources(plan({"num_env_runners": 10}), cluster.RayOptions(address="there:1"))


def test_what_takes_long_to_check_is_announced(monkeypatch, capsys):
    """More variants, or more environments, than are checked in a moment."""
    variants, envs = (
        {"lr": {"grid_search": [0.1, 0.2]}},
        ["small_envs:small/Cue-v0", "small_envs:small/Toll-v0"],
    )
    plan(variants, env={"grid_search": envs})
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(plan_module, "MANY", 1)
    plan(variants)
    assert capsys.readouterr().err == "e: checking 2 variants ...\n"
    monkeypatch.setattr(plan_module, "MANY", 4)
    monkeypatch.setattr(plan_module, "MANY_ENVS", 1)
    plan(variants, env={"grid_search": envs})
    assert capsys.readouterr().err == "e: checking 4 variants in 2 environments ...\n"


@pytest.mark.parametrize(
    "settings",
    [
        {"custom_resources_for_main_process": {"unobtainium": 1}},
        {"num_env_runners": 1, "custom_resources_per_env_runner": {"unobtainium": 1}},
        {"num_learners": 1, "custom_resources_per_learner": {"unobtainium": 1}},
    ],
)
def test_resources_that_no_node_has(settings, capsys):
    """Ray would wait for them without end: refused here, announced where a cluster may grow."""
    asking = plan(settings)
    key = next(key for key in settings if key.startswith("custom"))
    with pytest.raises(
        ExperimentError, match=f"config.{key}: a trial asks for 1 unobtainium, a Ray started on"
    ):
        cluster.check_resources(asking, cluster.RayOptions())
    cluster.check_resources(asking, cluster.RayOptions(address="there:1"))
    cluster.tell_lacking([asking], {"CPU": 99, "unobtainium": 1})
    assert capsys.readouterr().err == ""
    cluster.tell_lacking([asking], {"CPU": 99})
    assert capsys.readouterr().err == (
        "notice: e: a trial asks for 1 unobtainium, the cluster has 0: it waits until there is more\n"
    )


def test_more_processes_than_cores_are_announced(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    busy = plan({"num_env_runners": 3})
    assert cluster.notice(busy, cluster.RayOptions()) == (
        "e: one trial asks for 4 CPUs, this machine has 2: its processes will share them, and trials run one "
        "by one"
    )
    assert cluster.notice(plan({"num_env_runners": 1}), cluster.RayOptions()) is None
    assert cluster.notice(busy, cluster.RayOptions(cpus=4)) is None
    assert cluster.notice(busy, cluster.RayOptions(address="there:1")) is None


EXPERIMENT = """
piped:
  env: small_envs:small/Cue-v0
  run: RecurrentPPO
  stop: {timesteps_total: 110}
  config:
    num_envs_per_env_runner: 4
    rollout_fragment_length: 5
    compress_observations: true
    model: {encoder: {type: mlp, hidden: [8]}, core: {type: lstm, size: 8}}
"""


@pytest.mark.parametrize("arguments", [["-f", "-"], ["-"], ["file", "-"]])
def test_a_dry_run_of_standard_input_shows_notices(typed, monkeypatch, arguments):
    monkeypatch.setattr(sys, "stdin", io.StringIO(EXPERIMENT))
    code, out, err = typed("train", *arguments, "--dry-run")
    assert (code, err) == (0, "")
    assert "timesteps_total >= 110 (120: a report is 20 env steps)" in out
    assert "notice: config.compress_observations has no effect under RecurrentPPO" in out


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stdin", [io.StringIO(""), io.StringIO("\n \n"), Terminal(EXPERIMENT), None])
def test_standard_input_that_holds_nothing(typed, monkeypatch, stdin):
    monkeypatch.setattr(sys, "stdin", stdin)
    code, _, err = typed("train", "-f", "-", "--dry-run")
    assert code == 2
    assert err == "error: standard input: empty; expected an experiment file: rllib train -f - < FILE\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--local-dir", ""), "error: storage_path: empty; leave it out for ~/ray_results"),
        (("--experiment-name", ""), "error: '': an experiment's name is its folder"),
    ],
)
def test_names_that_are_empty(typed, arguments, message):
    code, _, err = typed("train", "--run", "RecurrentPPO", "--env", "CartPole-v1", "--dry-run", *arguments)
    assert code == 2
    assert err.startswith(message)
