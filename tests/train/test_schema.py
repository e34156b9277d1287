"""`rllib schema`: what editors are told about an experiment file."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from engram.envs import IDS
from engram.memory import CORES
from engram.memory.thinking import THINKERS
from engram.train.experiments.loading import parse_yaml
from engram.train.plans.schema import experiment_schema

CONFIGS = sorted((Path(__file__).parent.parent.parent / "configs").glob("*.yaml"))
OLD = sorted((Path(__file__).parent / "old_experiments").glob("*.yaml"))
PARTS = {
    "type": "dict",
    "image": {"type": "conv", "channels": [8]},
    "mission": {"type": "gru"},
    "join": "film",
}
MODEL = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(json.dumps(experiment_schema(), allow_nan=False))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def errors(validator, config=None, run="RecurrentPPO", env="engram/TMaze-v0", **rest):
    section = {"run": run, "env": env, "config": config or {}, **rest}
    return [error.message for error in validator.iter_errors({"e": section})]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_experiments_are_valid(validator, path):
    document = parse_yaml(path.read_text(), path.name)
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    "section",
    [
        {"config": {"lr": {"grid_search": [1e-3, 1e-4]}}},
        {"config": {"lr": {"tune.loguniform": [1e-4, 1e-2]}}},
        {"config": {"lr": [[0, 1e-3], [1e6, 0]]}},
        {"config": {"num_epochs": 2.0, "train_batch_size_per_learner": 1e3}},
        {"config": {"model": MODEL | {"core": {"type": "lstm", "size": {"choice": [8, 16]}}}}},
        {"config": {"model": MODEL | {"core": {"grid_search": [{"type": "lstm"}, {"type": "low_pass"}]}}}},
        {"config": {"model": MODEL | {"core": {"type": {"grid_search": ["lstm", "gru"]}, "size": 8}}}},
        {"config": {"model": {"grid_search": [MODEL, {"core": {"type": "rims", "preset": "authors"}}]}}},
        {"config": {"model": {"core": {"type": "my.cores:Mine", "anything": [1]}}}},
        {"config": {"env_config": {"level": {"grid_search": [0, 1]}}}},
        {"config": {"model": MODEL | {"encoder": PARTS}}},
        {"config": {"model": MODEL | {"encoder": {"type": "dict", "parts": {"join": {"type": "mlp"}}}}}},
        {"config": {"model": MODEL | {"squash": True, "action_mask": "legal", "previous_action": True}}},
        {"config": {"num_workers": 2, "lambda": 0.9}, "checkpoint_freq": 3},
        {"run": "PPO", "config": {"model": {"fcnet_hiddens": [8]}}},
        {"env": "CartPole-v1", "config": {"env_config": {"anything": 3}}},
        {"env": {"grid_search": ["CartPole-v1", "engram/TMaze-v0"]}},
        {"search_alg": "OptunaSearch", "scheduler": {"type": "asha", "max_t": 10}},
        {"search_alg": {"type": "optuna", "sampler": "gp", "n_startup_trials": 3}, "num_samples": 9},
        {"init_from": {"grid_search": [None, "~/ray_results/a"]}, "init": {"core": False}},
        {"config": {"init_from": "a", "freeze": ["core"]}},
        {"config": {"model": MODEL | {"init_from": None, "init": {"encoder": ["image"]}, "freeze": []}}},
        {"stop": {"timesteps_total": 1e6, "evaluation/env_runners/groups/3/success_rate": 0.9}},
    ],
)
def test_valid(validator, section):
    assert errors(validator, **section) == []


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"config": {"lrr": 1e-3}}, "lrr"),
        ({"config": {"gamma": 1.5}}, "1.5"),
        ({"config": {"grad_clip_by": "norn"}}, "norn"),
        ({"config": {"use_gae": True}}, "use_gae"),
        ({"config": {"model": MODEL | {"core": {"type": "lstm", "sise": 3}}}}, "sise"),
        ({"config": {"model": MODEL | {"core": {"type": "lstmm"}}}}, "lstmm"),
        ({"config": {"model": MODEL | {"encoder": {"type": "mlp", "hiden": [3]}}}}, "hiden"),
        ({"config": {"model": MODEL | {"core": {"grid_search": [{"type": "lstm", "sise": 3}]}}}}, "sise"),
        ({"config": {"model": MODEL | {"cor": {}}}}, "cor"),
        ({"config": {"model": MODEL | {"encoder": PARTS | {"join": "flim"}}}}, "flim"),
        (
            {"config": {"model": MODEL | {"encoder": PARTS | {"left": {"type": "mlp", "hiden": [3]}}}}},
            "hiden",
        ),
        (
            {"config": {"model": MODEL | {"encoder": {"type": "dict", "parts": {"a": {"type": "mlpp"}}}}}},
            "mlpp",
        ),
        ({"config": {"env_config": {"levle": 3}}}, "levle"),
        ({"config": {"env_config": {"level": "four"}}}, "four"),
        ({"config": {"env_config": {"num_envs": 3}}}, "num_envs"),
        ({"config": {"evaluation_config": {"explor": True}}}, "explor"),
        ({"run": "Supervised", "config": {"loss": {"type": "delta", "alfa": 1}}}, "alfa"),
        ({"stop": {"timestep_total": 3}}, "timestep_total"),
        ({"chekpoint_config": {}}, "chekpoint_config"),
        ({"checkpoint_config": {"num_to_kep": 3}}, "num_to_kep"),
        ({"search_alg": "hyperopt"}, "hyperopt"),
        ({"search_alg": {"type": "optuna", "sampler": "tpee"}}, "tpee"),
        ({"search_alg": {"type": "random", "seed": 3}}, "seed"),
        ({"scheduler": {"type": "asha", "members": 3}}, "members"),
        ({"run": "PPOO"}, "PPOO"),
        ({"init_from": 3}, "3"),
        ({"init_form": "a"}, "init_form"),
        ({"config": {"freeze": "core"}}, "core"),
        ({"config": {"model": MODEL | {"freeze": [1]}}}, "1"),
        ({"num_samples": "x"}, "'x'"),
    ],
)
def test_invalid(validator, section, named):
    found = errors(validator, **section)
    assert found
    assert any(named in message for message in found)


@pytest.mark.parametrize("name", [*CORES, *THINKERS])
def test_a_misspelt_option_of_each_core_is_refused(validator, name):
    assert errors(validator, {"model": {"core": {"type": name}}}) == []
    assert errors(validator, {"model": {"core": {"type": name, "sizze": 3}}})


@pytest.mark.parametrize("env", IDS)
def test_a_misspelt_setting_of_each_environment_is_refused(validator, env):
    assert errors(validator, {"env_config": {}}, env=env) == []
    assert errors(validator, {"env_config": {"sizze": 3}}, env=env)


def test_the_command(typed, tmp_path):
    code, out, err = typed("schema")
    assert (code, err) == (0, "")
    schema = json.loads(out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    code, out, _ = typed("schema", "--out", str(tmp_path / "experiment.json"))
    assert code == 0
    assert json.loads((tmp_path / "experiment.json").read_text()) == schema
    code, _, err = typed("schema", "--out", str(tmp_path / "none" / "experiment.json"))
    assert code == 2
    assert "no such folder" in err


@pytest.mark.parametrize(
    "rest",
    [
        {"num_samples": 0},
        {"checkpoint_config": {"num_to_keep": 0}},
        {"stop": {"timesteps_total": -3}},
        {"config": {"env_config": {"max_episode_steps": 30}}},
        {"config": {"env_config": {"autoreset_mode": "SameStep"}}},
    ],
)
def test_what_a_run_refuses_is_refused(validator, rest):
    assert errors(validator, **rest)


def test_returns_may_be_negative(validator):
    assert not errors(validator, stop={"env_runners/episode_return_mean": -100})
