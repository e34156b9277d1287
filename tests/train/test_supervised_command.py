"""`run: Supervised` from the command line: what is refused before Ray starts, the header, a run."""

import itertools
import json

import numpy as np
import pytest
import ray
import torch

from engram.train.console.errors import ExperimentError
from engram.train.environments.facts import make_batched, probe
from engram.train.evaluation import TrainedAgent
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.plans import build, header, network
from engram.train.plans.plan import make_plan
from engram.train.runs import checkpoints
from engram.train.runs.best import best_checkpoint
from engram.train.thinking.sweep import think

THINKER = {"core": {"type": "deep_thinking", "width": 8, "thinking_steps": 3}}
LSTM = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}
SUMS, COPYING = "engram/PrefixSums-v0", "engram/Copying-v0"


def plan(env=SUMS, run="Supervised", **config):
    section = {"env": env, "run": run, "config": {"model": THINKER} | config}
    experiments, _ = read_experiments({"e": section}, Overrides())
    return make_plan(experiments[0])


REFUSED = [
    ({"loss": {"type": "dleta"}}, "config: loss.type: unknown 'dleta'; did you mean 'delta'?"),
    ({"loss": "delta"}, "config.loss: expected a mapping or null, got 'delta'"),
    ({"loss": {"type": "progressive", "alpha": 2}}, "config: loss.alpha: expected a number"),
    ({"optimizer": {"type": "sdg"}}, "config: optimizer.type: unknown 'sdg'; did you mean 'sgd'?"),
    (
        {"lr_epochs": {"size": 10, "warm_up": 2}},
        "config: lr_epochs.warm_up: unknown key; did you mean 'warmup'?",
    ),
    ({"lr_epochs": {"size": 0}}, "config: lr_epochs.size: expected an integer >= 1"),
    ({"autocast": "float16"}, "config: autocast: unknown 'float16'; did you mean 'bfloat16'?"),
    ({"throttle": 1}, "config.throttle: expected true or false, got 1"),
    ({"truncation": 4}, "config: truncation: expected null, got 4; a core that thinks"),
    (
        {"model": {"core": {"type": "deep_thinkin"}}},
        "config.model.core.type: unknown 'deep_thinkin'; did you",
    ),
    ({"model": THINKER | {"encoder": {}}}, "config.model.encoder: unknown key; "),
    (
        {"model": {"core": THINKER["core"] | {"width": 7}}},
        "config.model.core.width: expected a multiple of 2",
    ),
    ({"model": THINKER | {"readout": {"top": 32}}}, "config.model.readout.top: expected none, or fewer than"),
    (
        {"model": THINKER | {"readout": {"tops": 2}}},
        "config.model.readout.tops: unknown key; did you mean 'top'",
    ),
    ({"env": COPYING}, "config.model.core.type: this network answers per position, not one of 9 labels"),
    ({"env": COPYING, "model": LSTM, "throttle": True}, "config: throttle: expected false, got True"),
    (
        {"env": COPYING, "model": LSTM, "loss": {"type": "delta"}},
        "config: loss: {'type': 'delta'} is for networks",
    ),
    (
        {"env": "small_envs:small/Cue-v0", "model": LSTM},
        "env: small_envs:small/Cue-v0 does not tell target and mask in its info, which holds cue, success",
    ),
    (
        {"evaluation_config": {"env_config": {"bit": 9}}},
        "config.evaluation_config.env_config.bit: unknown key; did you mean 'bits'?",
    ),
    (
        {"evaluation_config": {"env_config": {"bits": 0}}},
        "config.evaluation_config.env_config: bits: 0",
    ),
    (
        {"env": COPYING, "model": LSTM, "evaluation_config": {"env_config": {"symbols": 3}}},
        "config.evaluation_config.env_config: the model is made for Box(0, 1, (10,), uint8) and Discrete(9)",
    ),
]


@pytest.mark.parametrize(("config", "message"), REFUSED)
def test_what_is_refused_before_ray_starts(config, message):
    with pytest.raises(ExperimentError) as caught:
        plan(**config)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not ray.is_initialized()


def test_every_run_is_told_of_unknown_settings_of_its_evaluations():
    with pytest.raises(ExperimentError, match=r"config\.evaluation_config\.env_config\.dela: unknown key"):
        plan("small_envs:small/Cue-v0", "PPO", model=LSTM, evaluation_config={"env_config": {"dela": 9}})


def test_evaluations_give_the_likeliest_answer():
    assert plan().config.get_evaluation_config_object().explore is False
    drawn = plan(evaluation_config={"explore": True})
    assert drawn.config.get_evaluation_config_object().explore is True


def test_evaluations_may_play_other_sizes():
    made = plan(evaluation_config={"env_config": {"bits": 64}})
    assert made.config.get_evaluation_config_object().env_config == {"bits": 64}
    assert made.config.env_config == {}
    made = plan(COPYING, model=LSTM, evaluation_config={"env_config": {"span": 90}})
    assert made.config.get_evaluation_config_object().env_config == {"span": 90}


@pytest.mark.parametrize(
    ("model", "thinking", "depth"),
    [
        (THINKER, "3 iterations in training, 3 in tests", "19 layers in 3 iterations; 18 as"),
        (
            THINKER | {"readout": {"thinking_steps": 10}},
            "3 iterations in training, 10 in tests",
            "19 layers in 3 iterations, 54 layers in 10 iterations; 18 and 53 as",
        ),
    ],
)
def test_header_tells_how_long_it_thinks(model, thinking, depth):
    """DT-Recall: 4 layers outside, 5 in each iteration; the tables leave one out."""
    rows = dict(header.rows(plan(model=model)))
    assert rows["core"].startswith("deep_thinking, 1,320 parameters of 1,329 in all")
    assert rows["thinking"] == thinking
    assert rows["depth"].startswith(depth)


def test_header_tells_the_window_of_truncated_gradients():
    rows = dict(header.rows(plan(COPYING, model=LSTM, rollout_fragment_length=20, truncation=5)))
    assert rows["BPTT window"] == "5 env steps"
    assert "thinking" not in rows


EXPERIMENT = """
sums:
  env: engram/PrefixSums-v0
  run: Supervised
  stop: {training_iteration: 4}
  checkpoint_config:
    checkpoint_frequency: 1
    num_to_keep: 1
    checkpoint_score_attribute: evaluation/env_runners/episode_return_mean
  config:
    env_config: {bits: 2}
    seed: 1
    lr: 1.0e-2
    autocast: null
    num_envs_per_env_runner: 10
    min_sample_timesteps_per_iteration: 1_000
    evaluation_interval: 1
    evaluation_duration: 200
    evaluation_config: {env_config: {bits: 3}}
    model: {core: {type: deep_thinking, width: 8, thinking_steps: 3}}
"""


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """A finished run: its folder, its trial's folder, what it printed."""
    folder = tmp_path_factory.mktemp("supervised")
    (folder / "sums.yaml").write_text(EXPERIMENT)
    done = trained("-f", folder / "sums.yaml", "--local-dir", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (trial,) = (folder / "sums").glob("Supervised_*")
    return folder, trial, done.stdout


def test_checkpoints_are_kept_by_the_score_of_evaluations(run):
    """Strings of two bits are learnt at the cost of those of three: the best checkpoint is not the last."""
    _, trial, printed = run
    results = [json.loads(line) for line in (trial / "result.json").read_text().splitlines()]
    scores = [result["evaluation"]["env_runners"]["episode_return_mean"] for result in results]
    assert max(scores) > scores[-1], "this test cannot tell the best from the last"
    kept = {checkpoints.training_iteration(folder): folder for folder in trial.glob("checkpoint_*")}
    assert [scores[iteration - 1] for iteration in sorted(kept)] == [max(scores), scores[-1]]
    assert max(kept) == len(scores) == 4
    assert f"best checkpoint: {kept[min(kept)]} (evaluation/env_runners/episode_return_mean" in printed


def accuracies(module, bits, problems, budget):
    """Share of whole strings solved after each iteration, all problems in one batch, without exit rules."""
    env = make_batched(SUMS, 100, {"bits": bits})
    seen, right = env.reset(seed=5)
    strings, answers = [], []
    for _ in range(problems // 100):
        strings.append(torch.from_numpy(seen))
        answers.append(torch.from_numpy(right["target"]))
        seen, *_, right = env.step(right["target"])
    with torch.no_grad():
        logits = module.thinker(torch.cat(strings), budget)
    return [(given.argmax(1) == torch.cat(answers)).all(1).double().mean().item() for given in logits]


def test_accuracy_after_each_iteration(run, typed):
    """On strings of another length than in training, against all iterations at once."""
    _, trial, _ = run
    out = trial / "curves.json"
    code, printed, _ = typed(
        *("evaluate", trial, "--thinking-steps", "12", "--episodes", "300", "--seed", "5"),
        *("--env-config", "{bits: 3}", "--exit-rule", "last", "--exit-rule", "confidence"),
        *("--out", out, "--json"),
    )
    assert code == 0
    expected = accuracies(checkpoints.load_module(best_checkpoint(str(trial))), 3, 300, 12)
    curves = json.loads(out.read_text())["curves"]
    assert curves["last"]["accuracy"] == pytest.approx(expected)
    assert len(set(expected)) > 1, "this test cannot tell iterations apart"
    summary = json.loads(printed.splitlines()[-1])
    assert summary["rules"]["last"]["accuracy"] == pytest.approx(expected[-1])
    assert summary["rules"]["last"]["best"] == pytest.approx(max(expected))
    assert summary["problems"] == sum(curves["confidence"]["exits"]) == 300
    assert summary["env_config"] == {"bits": 3}


def test_evaluation_plays_what_thinking_counts(run, typed):
    """The same strings by `evaluate` alone: the mean return is the accuracy after the trained iterations."""
    _, trial, _ = run
    typed_in = ("evaluate", trial, "--episodes", "100", "--seed", "5", "--env-config", "{bits: 3}", "--json")
    code, printed, _ = typed(*typed_in)
    expected = accuracies(checkpoints.load_module(best_checkpoint(str(trial))), 3, 100, 3)
    assert code == 0
    assert json.loads(printed.splitlines()[-1])["return_mean"] == pytest.approx(expected[2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--thinking-steps", "3", "--exit-rule", "lst"), "--exit-rule: unknown 'lst'; did you mean 'last'?"),
        (("--thinking-steps", "3", "--gif", "x.gif"), "--gif: not with --thinking-steps"),
        (("--exit-rule", "last"), "--exit-rule: needs --thinking-steps"),
        (("--thinking-steps", "3", "--env-config", "{bit: 3}"), "unknown key; did you mean 'bits'?"),
    ],
)
def test_evaluations_that_are_refused(run, typed, options, message):
    code, _, error = typed("evaluate", run[1], *options)
    assert code != 0
    assert message in error


def test_a_network_made_for_another_task_is_refused():
    module = network.build_module(plan().config, probe(SUMS, {}))
    settings = {"problems": 3, "budget": 2, "rules": ["last"], "seed": 0}
    with pytest.raises(ValueError, match=r"made for answers in MultiBinary\(32\), not in Discrete\(9\)"):
        think(TrainedAgent("x", module, COPYING), **settings)
    with pytest.raises(ExperimentError, match="its infos have no target and mask"):
        think(TrainedAgent("x", labels_module(), "small_envs:small/Cue-v0"), **settings)
    lstm = network.build_module(plan(COPYING, model=LSTM).config, probe(COPYING, {}))
    with pytest.raises(ExperimentError, match="RecurrentModule does not think in iterations"):
        think(TrainedAgent("x", lstm, COPYING), **settings)


def labels_module():
    facts = probe("small_envs:small/Cue-v0", {})
    model = {"core": {"type": "thinking_mlp", "width": 8, "thinking_steps": 3}}
    config = build.build_config("RecurrentPPO", facts, {"model": model})
    return network.build_module(config, facts)


def test_a_loss_that_is_no_number_ends_the_run_with_one_line(run, trained):
    """The strings come from files, named as they are called where the command is typed."""
    folder, *_ = run
    (folder / "strings").mkdir()
    for bits in (2, 3):
        strings = np.array(list(itertools.product((0, 1), repeat=bits)), np.int64)
        np.save(folder / "strings" / f"{bits}_data.npy", strings)
        np.save(folder / "strings" / f"{bits}_targets.npy", strings.cumsum(1) % 2)
    files = "path: strings, split: test, split_sizes: {test: 4}"
    broken = EXPERIMENT.replace("env_config: {", f"env_config: {{{files}, ")
    broken = broken.replace("lr: 1.0e-2", "lr: 1.0e+30").replace("  config:", "  max_failures: 0\n  config:")
    (folder / "broken.yaml").write_text(broken)
    done = trained("-f", "broken.yaml", "--local-dir", "broken", cwd=folder)
    assert done.returncode == 1
    said = "failed: FloatingPointError: loss: nan at update 2; a smaller lr may help (env step "
    failed, kept = done.stdout.splitlines()[-4:-2]
    assert failed.startswith(said)
    assert kept.startswith("nothing is saved of ")
    assert kept.endswith(": no iteration had ended")
