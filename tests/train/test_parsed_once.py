"""Sections are parsed once where they are checked, and once where the network is built from them."""

from collections import Counter

import pytest

import engram.agents.models.choice
import engram.agents.models.encoders
import engram.agents.models.recurrent_network
import engram.agents.models.thinking_network
import engram.memory
import engram.memory.thinking
import engram.train.environments.facts
from engram.memory import options
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.plans.plan import make_plan

MODEL = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}
THINKING = {"core": {"type": "deep_thinking", "width": 4, "thinking_steps": 2}}
SMALL = {"num_envs_per_env_runner": 4, "rollout_fragment_length": 5, "model": MODEL}


def plan(seeds=None, run="RecurrentPPO", env="small_envs:small/Cue-v0", probed=None, **config):
    section = {"env": env, "run": run, "config": SMALL | config}
    experiments, _ = read_experiments({"e": section}, Overrides(seeds=seeds))
    return make_plan(experiments[0], probed=probed)


def count(monkeypatch, modules, name, key):
    """Counts calls of a function, by the module that calls it."""
    counts = Counter()
    for module in modules:
        original = getattr(module, name)

        def counting(*arguments, original=original):
            counts[key(arguments)] += 1
            return original(*arguments)

        monkeypatch.setattr(module, name, counting)
    return counts


@pytest.fixture
def parsed(monkeypatch):
    modules = (
        engram.agents.models.encoders,
        engram.agents.models.recurrent_network,
        engram.agents.models.thinking_network,
        engram.memory,
        engram.memory.thinking,
    )
    assert all(module.parse_options is options.parse_options for module in modules)
    return count(monkeypatch, modules, "parse_options", lambda arguments: arguments[0].__name__)


def test_a_recurrent_model(parsed):
    plan()
    assert {"MLPEncoderOptions", "LSTMOptions", "HeadOptions"} <= parsed.keys()
    assert set(parsed.values()) == {2}


def test_a_thinking_model(parsed):
    sums = {"run": "Supervised", "env": "engram/PrefixSums-v0", "env_config": {"bits": 8}}
    plan(**sums, model=THINKING)
    assert {"DeepThinkingOptions", "ReadoutOptions"} <= parsed.keys()
    assert set(parsed.values()) == {2}


def test_a_model_that_variants_share(parsed):
    plan(seeds=3, lr={"grid_search": [1e-3, 1e-4, 1e-5]})
    assert {"MLPEncoderOptions", "LSTMOptions", "HeadOptions"} <= parsed.keys()
    assert set(parsed.values()) == {2}


def test_a_frozen_writer_shares_the_parsed_encoder(parsed):
    low_pass = {"type": "low_pass", "pools": 2, "size": 8, "train_input": False}
    plan(model=MODEL | {"core": low_pass, "skip": True})
    assert parsed["MLPEncoderOptions"] == 2


def test_environments_are_probed_once(monkeypatch):
    def key(arguments):
        env, env_config, form, _ = arguments
        return env, env_config.get("delay"), form

    probed = count(monkeypatch, (engram.train.plans.plan,), "probe", key)
    evaluation = {"evaluation_interval": 1, "evaluation_config": {"env_config": {"delay": 3}}}
    plan(lr={"grid_search": [1e-3, 1e-4]}, env_config={"delay": {"grid_search": [2, 3]}}, **evaluation)
    cue = "small_envs:small/Cue-v0"
    assert probed == {(cue, 2, "lanes"): 1, (cue, 3, "lanes"): 1}


def test_environments_of_several_experiments_are_probed_once(monkeypatch):
    probed = count(monkeypatch, (engram.train.plans.plan,), "probe", lambda arguments: arguments[0])
    known = {}
    for lr in (1e-3, 1e-4):
        plan(lr=lr, probed=known)
    assert probed == {"small_envs:small/Cue-v0": 1}
    assert len(known) == 1
