"""What a dry run says a run would cost: env steps in all, and estimates from updates that are timed."""

import pytest
from test_forecast import config, plan

from engram.train.console.errors import ExperimentError
from engram.train.plans.forecast import trial_steps
from engram.train.running import cost
from engram.train.running.cluster import RayOptions
from engram.train.running.cost import Timed, described, time_updates


class Counting:
    """Stands in for an algorithm: each update is of as many env steps as its config says."""

    def __init__(self, settings):
        self.config, self.metrics, self.updates = settings, self, 0

    def training_step(self):
        self.updates += 1

    def peek(self, path, default):
        assert path == ("env_runners", "num_env_steps_sampled_lifetime")
        return self.updates * self.config.update_steps


@pytest.mark.parametrize(
    ("stop", "steps"),
    [
        ({"timesteps_total": 110}, 120),  # a report is 20 env steps
        ({"training_iteration": 6, "timesteps_total": 400}, 120),
        ({"env_runners/episode_return_mean": 1}, None),
        ({"time_total_s": 60}, None),
    ],
)
def test_env_steps_of_a_trial(stop, steps):
    made = plan(stop=stop)
    assert trial_steps(made.experiment, made.config) == steps
    if steps is None:
        assert described(made, None) is None


def test_env_steps_where_reports_come_by_the_clock():
    made = plan({"min_time_s_per_iteration": 1}, stop={"timesteps_total": 110})
    assert trial_steps(made.experiment, made.config) == 110


def test_what_is_not_timed_is_said():
    assert described(plan(seeds=2, stop={"timesteps_total": 110}), None) == (
        "240 env steps in all; time not measured (--measure)"
    )


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        (
            1,
            "7,200,000 env steps in all; estimate from 60 timed here: 10 ms of a core for each, 20 h a trial",
        ),
        (
            6,
            "43,200,000 env steps in all; estimate from 60 timed here: 10 ms of a core for each, 20 h a "
            "trial, 120 h (5 days) for 6 like the first",
        ),
    ],
)
def test_an_estimate_by_hand(seeds, text):
    """10 ms for each of 7,200,000 env steps are 72,000 s."""
    made = plan(seeds=seeds, stop={"timesteps_total": 7_200_000})
    assert described(made, Timed(steps=60, seconds=0.6, of="a core")) == text


@pytest.mark.parametrize(("runners", "of", "steps"), [(0, "a core", 60), (2, "3 CPUs", 120)])
def test_three_updates_are_timed_after_one_that_is_not(runners, of, steps):
    algorithm = Counting(config(num_env_runners=runners))
    timed = time_updates(algorithm)
    assert (timed.steps, timed.of, algorithm.updates) == (steps, of, 4)


def test_algorithms_of_rllibs_own_are_not_timed():
    stock = plan(run="PPO", config={"model": {}, "rollout_fragment_length": "auto"})
    with pytest.raises(ExperimentError, match=r"--measure: PPO is RLlib's own; legal: "):
        cost.measure([stock], RayOptions())


def test_only_a_dry_run_measures(typed, experiment_file):
    assert typed("train", "-f", experiment_file, "--measure") == (
        2,
        "",
        "error: --measure: needs --dry-run\n",
    )


def test_a_dry_run_measures(trained, experiment_file, tmp_path):
    done = trained("-f", experiment_file, "--dry-run", "--measure", "--local-dir", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("cost"))
    assert line.startswith("cost         14,400 env steps in all; estimate from 288 timed here: ")
    assert not (tmp_path / "results").exists()
