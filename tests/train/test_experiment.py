import pytest

from engram.train.console.errors import Errors, ExperimentError
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.experiments.loading import parse_yaml
from engram.train.running.command import TrainRequest, file_name, read_request

BASE = {"env": "CartPole-v1", "run": "PPO"}


def read(section, **overrides):
    experiments, notices = read_experiments({"e": section}, Overrides(**overrides))
    return experiments[0], notices


def test_historical_file():
    text = """
old:
    env: CartPole-v0
    run: PPO
    repeat: 2
    local_dir: /tmp/somewhere
    checkpoint_freq: 5
    checkpoint_at_end: false
    keep_checkpoints_num: 3
    checkpoint_score_attr: min-episode_len_mean
    stop: {episode_reward_mean: 150, timesteps_total: 100000}
    config:
        framework: torch
        num_workers: 1
        num_envs_per_worker: 2
        num_sgd_iter: 3
        sgd_minibatch_size: 64
        lambda: 0.9
        train_batch_size: 1e3
"""
    (experiment,), (notice,) = read_experiments(parse_yaml(text, "x"), Overrides())
    assert experiment.stop == {"env_runners/episode_return_mean": 150, "timesteps_total": 100000}
    assert experiment.num_samples == 2
    assert experiment.storage_path == "/tmp/somewhere"
    saving = experiment.checkpoint_config
    assert (saving.checkpoint_frequency, saving.checkpoint_at_end, saving.num_to_keep) == (5, False, 3)
    assert saving.checkpoint_score_attribute == "env_runners/episode_len_mean"
    assert saving.checkpoint_score_order == "min"
    assert experiment.config == {
        "num_env_runners": 1,
        "num_envs_per_env_runner": 2,
        "num_epochs": 3,
        "minibatch_size": 64,
        "lambda_": 0.9,
        "train_batch_size_per_learner": 1000.0,
    }
    assert "num_workers -> num_env_runners" in notice
    assert "episode_reward_mean -> env_runners/episode_return_mean" in notice


def test_env_may_stand_inside_config():
    experiment, notices = read({"run": "PPO", "config": {"env": "CartPole-v1"}})
    assert experiment.env == "CartPole-v1"
    assert experiment.config == {}
    assert notices == []


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (BASE | {"stopp": {}}, "e.stopp: unknown key; did you mean 'stop'?"),
        (
            BASE | {"stop": {"timestep_total": 1}},
            "stop.timestep_total: unknown key; did you mean 'timesteps_total'?",
        ),
        (BASE | {"stop": {"timesteps_total": "many"}}, "stop.timesteps_total: expected a number, got 'many'"),
        (BASE | {"stop": 3}, "e.stop: expected a mapping"),
        (BASE | {"config": [1]}, "e.config: expected a mapping"),
        (BASE | {"num_samples": 0}, "num_samples: "),
        (BASE | {"num_samples": 1.5}, "num_samples: "),
        (
            BASE | {"checkpoint_config": {"num_to_kep": 1}},
            "checkpoint_config.num_to_kep: unknown key; did you mean",
        ),
        (BASE | {"checkpoint_freq": -1}, "checkpoint_config.checkpoint_frequency: "),
        (BASE | {"config": {"env": "Other-v0"}}, "config.env: 'Other-v0' here"),
        (
            BASE | {"config": {"num_workers": 1, "num_env_runners": 2}},
            "config.num_env_runners: the same setting",
        ),
        (BASE | {"config": {"framework": "keras"}}, "config.framework: 'keras'; legal: torch"),
        ({"env": "CartPole-v1"}, "e.run: missing"),
        ({"run": "PPO"}, "e.env: missing"),
        ({"run": 3, "env": "CartPole-v1"}, "run: "),
        (None, "e: expected {env"),
    ],
)
def test_wrong_experiments(section, message):
    with pytest.raises(ExperimentError) as caught:
        read(section)
    assert str(caught.value).startswith(message)


def test_all_that_is_wrong_is_said_at_once():
    section = {
        "run": 3,
        "stopp": {},
        "num_samples": True,
        "checkpoint_config": {"num_to_kep": 1, "checkpoint_frequency": -1},
        "stop": {"time": 3, "timesteps_total": "many", "training_iteration": 4},
        "config": {"framework": "keras", "num_workers": 1, "num_env_runners": 2},
    }
    with pytest.raises(ExperimentError) as caught:
        read_experiments({"a b": section, "c": 3, "d": BASE}, Overrides({"lr": 3, "config.x.y": 1}))
    assert [line.partition(": ")[0] for line in caught.value.lines] == [
        "'a b'",
        "config.num_env_runners",
        "--set lr",
        "experiment.stopp",
        "experiment.env",
        "config.framework",
        "stop.time",
        "stop.timesteps_total",
        "checkpoint_config.num_to_kep",
        "run",
        "checkpoint_config.checkpoint_frequency",
        "num_samples",
        "c",
    ]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"env": 3}, "env: expected an id, a class path, or {grid_search: [A, B]} of these, got 3"),
        ({"env": ["A"]}, "env: expected an id, a class path, or {grid_search: [A, B]} of these, got ['A']"),
        ({"run": 3}, "run: expected the name of an algorithm, got 3; see `rllib list algorithms`"),
        (
            {"run": ["PPO"]},
            "run: expected one algorithm, got ['PPO']; write an experiment for each into the file",
        ),
        ({"num_samples": "x"}, "num_samples: expected a whole number, got 'x'"),
        ({"num_samples": 0}, "num_samples: 0 is out of range; legal: 1 or more"),
        ({"storage_path": []}, "storage_path: expected text, got []"),
        (
            {"restore": True},
            "restore: expected text, got True (yes, no, on and off are true and false unless in quotes)",
        ),
        ({"max_failures": 1.5}, "max_failures: expected a whole number, got 1.5"),
        ({"config": []}, "e.config: expected a mapping, got []"),
        (
            {"checkpoint_config": {"checkpoint_at_end": "yes"}},
            "checkpoint_config.checkpoint_at_end: expected true or false, got 'yes'",
        ),
        (
            {"checkpoint_config": {"checkpoint_score_order": "maxx"}},
            "checkpoint_config.checkpoint_score_order: unknown 'maxx'; did you mean 'max'? known: max, min",
        ),
    ],
)
def test_values_of_wrong_types_are_one_line_in_our_words(section, message):
    with pytest.raises(ExperimentError) as caught:
        read_experiments({"e": BASE | section}, Overrides())
    assert caught.value.lines == (message,)


def test_what_is_right_is_kept_for_further_checks():
    errors = Errors()
    section = BASE | {"stopp": {}, "num_samples": True, "stop": {"time": 3, "training_iteration": 4}}
    (experiment,), _ = read_experiments({"e": section}, Overrides(), errors=errors)
    assert (experiment.num_samples, experiment.stop) == (1, {"training_iteration": 4})
    assert len(errors.lines) == 3


@pytest.mark.parametrize(
    ("config", "kept", "notices"),
    [
        (
            {"lr": 1, "lr_schedule": [[0, 2]]},
            {"lr": [[0, 2]]},
            ["config.lr has no effect: lr_schedule has the"],
        ),
        ({"lr": 1, "lr_schedule": None}, {"lr": 1}, []),
        ({"soft_horizon": False}, {}, ["config.soft_horizon has no effect: an episode ends where its"]),
        ({"framework": "tf"}, {}, ["config.framework 'tf' has no effect: PyTorch is used"]),
        (
            {"evaluation_config": {"num_workers": 0, "framework": "tf", "input": "sampler"}},
            {"evaluation_config": {"num_env_runners": 0}},
            ["config.evaluation_config.input has no", "config.evaluation_config.framework 'tf' has no"],
        ),
        (
            {"model": {"use_attention": False, "fcnet_hiddens": [8]}},
            {"model": {"fcnet_hiddens": [8]}},
            ["config.model.use_attention has no effect: today: model: {core: {type: gtrxl}}"],
        ),
    ],
)
def test_keys_of_old_without_effect(config, kept, notices):
    experiment, said = read(BASE | {"config": config})
    assert experiment.config == kept
    said = [text for text in said if "names of older" not in text]
    for text, expected in zip(said, notices, strict=True):
        assert text.startswith(f"e: {expected}")


@pytest.mark.parametrize("document", [None, [], 3, "text", {}, {"a/b": BASE}, {"..": BASE}, {"": BASE}])
def test_no_experiments(document):
    with pytest.raises(ExperimentError):
        read_experiments(document, Overrides())


def test_overrides_win():
    section = BASE | {
        "stop": {"timesteps_total": 5},
        "config": {"lr": 1, "model": {"core": {"type": "lstm"}}},
    }
    settings = {
        "config.lr": 2,
        "config.model.core.size": 8,
        "config.num_sgd_iter": 4,
        "num_samples": 3,
        "checkpoint_freq": 7,
    }
    experiment, _ = read(section, settings=settings, stop={"time_total_s": 60}, seeds=3)
    assert experiment.config == {
        "lr": 2,
        "model": {"core": {"type": "lstm", "size": 8}},
        "num_epochs": 4,
        "seed": {"grid_search": [0, 1, 2]},
    }
    assert experiment.stop == {"timesteps_total": 5, "time_total_s": 60}
    assert experiment.num_samples == 3
    assert experiment.checkpoint_config.checkpoint_frequency == 7
    assert section["config"]["model"] == {"core": {"type": "lstm"}}  # the document itself stays as it was


def test_seeds_count_from_the_seed():
    experiment, _ = read(BASE | {"config": {"seed": 7}}, seeds=2)
    assert experiment.config["seed"] == {"grid_search": [7, 8]}


def request(**values):
    return TrainRequest(**{"file": None, "overrides": {"run": "PPO", "env": "CartPole-v1"}} | values)


def test_an_experiment_from_options_alone():
    (experiment,), _ = read_request(
        request(
            config='{"lr": 1e-4, "gamma": 0.9}',
            settings=["config.gamma=0.5", "config.env_config.a=[1, 2]"],
            stop=["timesteps_total=1e5", "{training_iteration: 3}"],
        )
    )
    assert experiment.name == "default"
    assert experiment.config == {"lr": 1e-4, "gamma": 0.5, "env_config": {"a": [1, 2]}}
    assert experiment.stop == {"timesteps_total": 1e5, "training_iteration": 3}


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"settings": ["lr=3"]}, "did you mean 'config.lr'?"),
        ({"settings": ["config.lr"]}, "expected path=value"),
        ({"settings": ["config..a=3"]}, "expected path=value"),
        ({"settings": ["config.lr=[1"]}, "--set config.lr"),
        ({"settings": ["config.lr=1", "config.lr.x=1"]}, "no mapping"),
        ({"stop": ["nonsense"]}, "--stop"),
        ({"config": "3"}, "--config"),
        ({"overrides": {}}, "expected an experiment file"),
    ],
)
def test_wrong_options(values, part):
    with pytest.raises(ExperimentError) as caught:
        read_request(request(**values))
    assert part in str(caught.value)


def test_three_ways_to_name_a_file():
    assert file_name(["file", "a"], None) == file_name(["a"], None) == file_name([], "a") == "a"
    assert file_name([], None) is None
    for words, option in [(["file"], None), (["a", "b"], None), (["a"], "b"), (["file", "a"], "b")]:
        with pytest.raises(ExperimentError):
            file_name(words, option)


def test_several_experiments_take_no_common_name(tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text("a: {env: CartPole-v1, run: PPO}\nb: {env: CartPole-v1, run: PPO}")
    experiments, _ = read_request(TrainRequest(file=str(path)))
    assert [experiment.name for experiment in experiments] == ["a", "b"]
    with pytest.raises(ExperimentError, match="2 experiments"):
        read_request(TrainRequest(file=str(path), name="c"))


def test_one_experiment_of_several(tmp_path):
    path = tmp_path / "three.yaml"
    path.write_text("".join(f"{name}: {{env: CartPole-v1, run: PPO}}\n" for name in ("one", "two", "three")))
    experiments, _ = read_request(TrainRequest(file=str(path), only=["three", "one"]))
    assert [experiment.name for experiment in experiments] == ["three", "one"]
    (renamed,), _ = read_request(TrainRequest(file=str(path), only=["two"], name="mine"))
    assert renamed.name == "mine"
    with pytest.raises(ExperimentError, match=r"^--only: unknown 'tow'; did you mean 'two'\? known: on"):
        read_request(TrainRequest(file=str(path), only=["one", "tow"]))
