"""Sessions of trials: what evaluations and reports say of each, and what the header says."""

from types import SimpleNamespace

import pytest

from engram.envs.ibl.bayes import LegacyActor
from engram.envs.ibl.play import play_sessions
from engram.envs.ibl.players import summarise as summarise_trials
from engram.train.console.errors import ExperimentError
from engram.train.environments.facts import make_batched
from engram.train.evaluation import TrainedAgent
from engram.train.evaluation.rollout import play_episodes
from engram.train.evaluation.scripted import load_player
from engram.train.evaluation.summary import summary_parts, trials_in_short
from engram.train.experiments import metrics
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.experiments.inheritance import read_whole_document
from engram.train.plans import header, network
from engram.train.plans.plan import make_plan
from engram.train.running.progress import Progress

IBL = "engram/IBL-v0"
SHORT = {"blocks_per_session": 2, "min_block": 3, "max_block": 6}


def plan(name, **changes):
    (experiment,), _ = read_experiments(read_whole_document(name), Overrides(changes))
    return make_plan(experiment)


def test_an_evaluation_says_of_trials_what_their_table_says():
    """Sessions of different lengths, more than lanes: each trial counts once, a timeout is wrong."""
    agent = load_player("engram.envs.ibl.bayes:LegacyActor", IBL, SHORT, {})
    summary = play_episodes(agent, 300, seed=7).summary()
    envs = make_batched(IBL, 256, SHORT)
    told = summarise_trials(play_sessions(LegacyActor(256, envs.unwrapped.rules), envs, 300, seed=7))
    expected = {
        "count": told["trials"],
        "accuracy": told["accuracy"],
        "acted": told["acted"],
        "observations": told["n_obs"],
        "reward": told["reward_per_trial"],
    }
    assert summary["trials"] == pytest.approx(expected)
    lines = [part for part in summary_parts(summary) if isinstance(part, str)]
    assert lines == [f"trials: {trials_in_short(summary['trials'])}"]


def test_trials_in_a_line():
    means = {"count": 1234.0, "reward": 0.7, "accuracy": 0.85, "observations": 1.25}
    assert trials_in_short(means) == "1,234, accuracy 0.8500, observations 1.2500, reward per trial 0.7000"


def test_a_network_of_probabilities_is_played_by_its_threshold():
    """With a threshold of nearly 1 a new network never acts: every trial is a timeout."""
    made = plan("ibl_rnn", **{"config.env_config.min_block": 3, "config.env_config.max_block": 3})
    module, settings = network.build_module(made.config, made.env), made.config.env_config
    (wrapper,) = settings["wrappers"]
    found = {}
    for threshold in (0.5, 0.999):
        changed = settings | {"wrappers": [wrapper | {"threshold": threshold}]}
        agent = TrainedAgent("checkpoint", module, IBL, changed)
        found[threshold] = play_episodes(agent, 8).summary()["trials"]
    assert found[0.5] | {"accuracy": 0, "reward": 0} == {
        "count": 8 * 12,
        "accuracy": 0,
        "acted": 1.0,
        "observations": 1.0,
        "reward": 0,
    }
    assert found[0.999] == pytest.approx(
        {"count": 8 * 12, "accuracy": 0, "acted": 0, "observations": 10, "reward": -1.45}
    )


def test_header_names_loss_and_who_acts():
    rows = dict(header.rows(plan("ibl_rnn")))
    assert rows["actions"].endswith("the probabilities of 2 classes (softmax)")
    assert rows["loss"].startswith("neg_prob: sum over answers that count / number of all answers")
    assert rows["behavior"] == "the network acts in training"
    assert rows["BPTT window"] == rows["fragment"] == "500 env steps"
    assert "discount" not in rows
    literal = dict(header.rows(plan("ibl_rnn_literal")))
    assert (literal["fragment"], literal["BPTT window"]) == ("an episode, however long", "whole episodes")
    told = dict(header.rows(plan("copying_lstm")))
    assert told["loss"].startswith("cross_entropy: ")
    assert told["behavior"] == "what is right is done (targets) in training"


def test_header_names_the_discount():
    assert dict(header.rows(plan("ibl_rl_gru")))["discount"] == "gamma 0.98 per env step"
    assert dict(header.rows(plan("ibl_rl_gru", **{"config.gamma": 1})))["discount"] == (
        "gamma 1 per env step; rewards of an episode count alike, whenever they come"
    )
    assert dict(header.rows(plan("tmaze_lstm")))["discount"] == "gamma 0.998 per env step"


def test_measures_of_trials_may_be_scores():
    assert metrics.is_known("env_runners/trials/accuracy", "Supervised")
    assert metrics.is_known("evaluation/env_runners/trials/reward", "RecurrentPPO")
    assert not metrics.is_known("env_runners/trials/", "Supervised")
    assert not metrics.is_known("learners/trials/accuracy", "RecurrentPPO")


def test_progress_shows_measures_of_trials(capsys):
    result = {"env_runners": {"trials": {"count": 9.0, "reward": 0.5, "accuracy": 0.8512, "acted": 1.0}}}
    progress = Progress({})
    progress.on_trial_result(1, [], SimpleNamespace(experiment_tag="0", trial_id="a"), result)
    assert capsys.readouterr().out.rstrip().endswith("accuracy 0.851, acted 1.000")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config.behavior": "netwerk"}, "config: behavior: unknown 'netwerk'; did you mean 'network'?"),
        ({"config.loss.type": "neg_pro"}, "config: loss.type: unknown 'neg_pro'; did you mean 'neg_prob'?"),
        ({"config.model.softmax": False}, "config.model: cannot be told what is right in Box"),
        ({"config.model.squash": True}, "config.model.softmax: true and squash: true contradict each other"),
        ({"config.model.head.init": "pytorch"}, "config.model.head.init: "),
        ({"config.batch_mode": "complete_episodes"}, "config: batch_mode: complete_episodes makes an update"),
    ],
)
def test_what_is_refused_before_ray_starts(changes, message):
    with pytest.raises(ExperimentError) as caught:
        plan("ibl_rnn", **changes)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
