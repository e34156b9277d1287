import pytest

from engram.train.console.errors import ExperimentError
from engram.train.experiments.inheritance import merged, read_whole_document

PARENT = """
parent:
  env: CartPole-v1
  run: PPO
  stop: {timesteps_total: 100}
  config: {lr: 1e-3, gamma: 0.9, model: {core: {type: lstm, size: 8}, skip: true}}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "parent.yaml").write_text(PARENT)
    return tmp_path


def read(folder, text):
    (folder / "child.yaml").write_text(text)
    return read_whole_document(str(folder / "child.yaml"))


def test_a_child_says_only_what_differs(folder):
    document = read(folder, "child: {base: parent.yaml, config: {lr: 1e-4, model: {core: {size: 9}}}}")
    assert document == {
        "child": {
            "env": "CartPole-v1",
            "run": "PPO",
            "stop": {"timesteps_total": 100},
            "config": {
                "lr": 1e-4,
                "gamma": 0.9,
                "model": {"core": {"type": "lstm", "size": 9}, "skip": True},
            },
        }
    }


def test_settings_of_one_environment_mean_nothing_to_another(folder):
    evaluation = "evaluation_config: {env_config: {x: 2}, explore: true}"
    (folder / "parent.yaml").write_text(
        f"parent: {{env: A, config: {{lr: 1, env_config: {{x: 1}}, {evaluation}}}}}"
    )
    other = read(folder, "child: {base: parent.yaml, env: B, config: {env_config: {y: 3}}}")["child"]
    assert other["config"] == {"lr": 1, "env_config": {"y": 3}, "evaluation_config": {"explore": True}}
    same = read(folder, "child: {base: parent.yaml, env: A, config: {env_config: {y: 3}}}")["child"]
    assert same["config"]["env_config"] == {"x": 1, "y": 3}


def test_grandchildren_and_several_experiments(folder):
    (folder / "middle.yaml").write_text("middle: {base: parent.yaml, config: {gamma: 0.5}}")
    document = read(folder, "a: {base: middle.yaml}\nb: {env: X, run: PPO}")
    assert document["a"]["config"]["gamma"] == 0.5
    assert document["a"]["config"]["lr"] == 1e-3
    assert document["b"] == {"env": "X", "run": "PPO"}


def test_a_shipped_config_is_a_base_too(folder):
    document = read(folder, "child: {base: tmaze_lstm, stop: {timesteps_total: 1}}")
    assert document["child"]["stop"] == {"timesteps_total": 1}
    assert document["child"]["config"]["model"]["core"]["type"] == "lstm"


def test_an_experiment_of_the_same_file_is_a_base(folder):
    """So a copy of a shipped file of several follows what is changed in the copy."""
    text = "tmaze_lstm: {env: X, run: PPO, config: {lr: 1}}\nchild: {base: tmaze_lstm, config: {gamma: 1}}"
    assert read(folder, text)["child"] == {"env": "X", "run": "PPO", "config": {"lr": 1, "gamma": 1}}
    document = read(folder, "tmaze_lstm: {base: tmaze_lstm}\nchild: {base: tmaze_lstm, run: PPO}")
    assert document["child"]["env"] == document["tmaze_lstm"]["env"] == "engram/TMaze-v0"
    with pytest.raises(ExperimentError, match="more than 10 bases"):
        read(folder, "a: {base: b}\nb: {base: a}")


def test_bases_of_shipped_configs_are_shipped(folder, monkeypatch):
    (folder / "tmaze_delays_low_pass").write_text(PARENT)
    monkeypatch.chdir(folder)
    assert read_whole_document("tmaze_delays_gru")["tmaze_delays_gru"]["env"] == "engram/TMaze-v0"


@pytest.mark.parametrize(
    ("base", "own", "result"),
    [
        ({"type": "lstm", "size": 8}, {"type": "gru"}, {"type": "gru"}),
        ({"type": "lstm", "size": 8}, {"type": "lstm", "size": 9}, {"type": "lstm", "size": 9}),
        ({"size": 8}, {"grid_search": [1]}, {"grid_search": [1]}),
        ({"grid_search": [1]}, {"size": 8}, {"size": 8}),
        ({"size": 8}, {"type": "lstm"}, {"size": 8, "type": "lstm"}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_merging(base, own, result):
    assert merged(base, own) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("child: {base: child.yaml}", "more than 10 bases; does 'child.yaml' build on itself"),
        ("child: {base: [1]}", r"child.base: expected the name of an experiment file, got \[1\]"),
        ("child: {base: tmaze_lstn}", "no such file and no shipped config.*did you mean 'tmaze_lstm'"),
        ("child: {base: two.yaml}", "child.base: two.yaml holds no experiment, or several"),
        ("child: {base: list.yaml}", "child.base: list.yaml holds no experiment, or several"),
    ],
)
def test_bases_that_cannot_be(folder, text, message):
    (folder / "two.yaml").write_text(PARENT + "other: {}")
    (folder / "list.yaml").write_text("[1]")
    with pytest.raises(ExperimentError, match=message):
        read(folder, text)
