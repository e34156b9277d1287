"""What the suite claims, from the command line to the evaluation; minutes each (make test-slow)."""

import json
import subprocess
import sys

import pytest


def rllib(*arguments):
    """Runs the command and returns the last line it printed."""
    command = [sys.executable, "-m", "engram.train", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1]


def train(name, folder, *options):
    rllib("train", "-f", name, "--local-dir", str(folder), *options)


def train_and_evaluate(name, folder, **env_config):
    train(name, folder)
    settings = ("--env-config", json.dumps(env_config))
    return json.loads(rllib("evaluate", str(folder / name), "--episodes", "200", *settings, "--json"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tmaze_concrete", "tmaze_concrete_impala"])
def test_low_pass_carries_the_cue_through_limbo(name, tmp_path):
    report = train_and_evaluate(name, tmp_path, level=4)
    assert report["success_rate"] >= 0.99
    assert report["return_mean"] >= 0.60


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tmaze_lstm", "tmaze_mlp"])
def test_without_a_memory_that_reaches_back_the_goal_is_a_guess(name, tmp_path):
    """The success rate of a guess is 0.5; 200 episodes put it below 0.65 with a probability beyond 0.9999."""
    report = train_and_evaluate(name, tmp_path, level=[0, 1, 2, 3, 4])
    assert report["success_rate"] <= 0.65


@pytest.mark.slow
def test_low_pass_keeps_a_lesson_for_hundreds_of_steps(tmp_path):
    assert train_and_evaluate("cued_catch_concrete", tmp_path)["return_mean"] >= 58


@pytest.mark.slow
def test_low_pass_recalls_a_sequence(tmp_path):
    """The best return is 2.11; four lights in any order earn about -0.9."""
    assert train_and_evaluate("sequence_recall_concrete", tmp_path)["return_mean"] >= 1.6


def think(folder, steps, problems, *rules, **env_config):
    """What each exit rule comes to within so many iterations."""
    rules = [option for rule in rules or ("last",) for option in ("--exit-rule", rule)]
    asked = ("--thinking-steps", str(steps), "--episodes", str(problems), "--seed", "1000", *rules)
    settings = ("--env-config", json.dumps(env_config))
    return json.loads(rllib("evaluate", str(folder), *asked, *settings, "--json"))["rules"]


@pytest.mark.slow
def test_prefix_sums_carry_from_32_bits_to_512(tmp_path):
    train("prefix_sums_delta", tmp_path)
    assert think(tmp_path / "prefix_sums_delta", 300, 100, bits=512)["last"]["accuracy"] == 1.0


@pytest.mark.slow
def test_mazes_carry_from_9_to_19(tmp_path):
    train("mazes_delta_small", tmp_path)
    for positions, steps, bar in ((9, 60, 0.99), (13, 100, 0.97), (19, 200, 0.90)):
        found = think(tmp_path / "mazes_delta_small", steps, 200, positions=positions)
        assert found["last"]["accuracy"] >= bar


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stays"), [("prefix_sums_final", False), ("prefix_sums_delta", True)])
def test_who_is_told_about_the_last_thought_alone_thinks_too_long(name, stays, tmp_path):
    train(name, tmp_path)
    found = think(tmp_path / name, 300, 200)["last"]
    assert found["best"] >= 0.99
    assert found["drop_after_best"] <= 0.01 if stays else found["drop_after_best"] >= 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("name", "low", "high"), [("copying_rims", 0.99, 1.0), ("copying_lstm", 0.0, 0.7)])
def test_rims_say_again_what_an_lstm_forgets(name, low, high, tmp_path):
    assert train_and_evaluate(name, tmp_path)["return_mean"] >= 0.99
    spanned = rllib("extrapolate", str(tmp_path / name), "--sizes", "span=100", "--episodes", "500", "--json")
    assert low <= json.loads(spanned)[0]["measures"]["return_mean"] <= high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("low_pass", 0.99, 1.0), ("parallel", 0.99, 1.0), ("lstm", 0.0, 0.4)],
)
def test_low_pass_tells_the_order_of_what_gradients_do_not_reach(name, low, high, tmp_path):
    """Four orders: a guess is right in a quarter of all cases."""
    report = train_and_evaluate(f"temporal_order_{name}", tmp_path)
    assert low <= report["return_mean"] <= high


@pytest.mark.slow
def test_a_network_that_is_taught_while_it_acts_infers_sides_and_blocks(tmp_path):
    """Accuracy peaks when it waits for two observations, and falls as it comes to act at the first one.

    Without the blocks, the first observation tells the side in 0.773 of all trials.
    """
    trials = train_and_evaluate("ibl_rnn", tmp_path)["trials"]
    assert 0.82 < trials["accuracy"] < 0.87
    assert trials["acted"] > 0.99
    assert trials["observations"] < 1.7
    (results,) = (tmp_path / "ibl_rnn").glob("*/result.json")
    curve = [
        json.loads(line)["env_runners"]["trials"]["accuracy"] for line in results.read_text().splitlines()
    ]
    assert max(curve) > 0.855
    assert max(curve) > curve[-1] + 0.005


@pytest.mark.slow
def test_with_cross_entropy_it_waits_until_time_is_over(tmp_path):
    trials = train_and_evaluate("ibl_rnn_cross_entropy", tmp_path)["trials"]
    assert 0.75 < trials["acted"] < 0.90
    assert trials["observations"] > 3.0
    assert trials["accuracy"] / trials["acted"] > 0.92


@pytest.mark.slow
def test_a_ball_is_returned_in_breakout(tmp_path):
    """Random actions score 1.0."""
    pytest.importorskip("ale_py")
    train("atari_lstm", tmp_path, "--stop", json.dumps({"timesteps_total": 300_000}))
    report = json.loads(rllib("evaluate", str(tmp_path / "atari_lstm"), "--episodes", "64", "--json"))
    assert report["return_mean"] >= 4.0
