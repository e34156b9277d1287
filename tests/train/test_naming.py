"""What trials are called: by what differs, in characters that are safe, the same everywhere."""

import pickle
import re
from types import SimpleNamespace

import pytest
from made_up_runs import make_trial

from engram.train.experiments.search import put, split
from engram.train.plans.build import space_path
from engram.train.running.naming import TagTrials, TrialNames
from engram.train.runs.labels import differing, label, natural, short_keys, shown
from engram.train.runs.results import read_trials
from engram.train.runs.scores import show_results


def domains_of(config):
    return split(config, "config")[1]


def trial(settings, tag="3_lr=0.1", trial_id="1a2b3_00003"):
    """A trial of Tune with these values, by place, in its settings."""
    config = {"env": "engram.envs:engram/TMaze-v0"}
    for place, value in settings.items():
        put(config, space_path(place), value)
    made = SimpleNamespace(
        config=config, trainable_name="RecurrentPPO", trial_id=trial_id, experiment_tag=tag
    )
    made.set_experiment_tag = lambda tag: setattr(made, "experiment_tag", tag)
    return made


GRID = {
    "lr": {"grid_search": [1e-3, 1e-4]},
    "lambda_": {"choice": [0.9, 1.0]},
    "seed": {"grid_search": [1, 2]},
    "env_config": {"level": {"grid_search": [[0, 1], 4]}},
    "model": {"core": {"type": {"grid_search": ["lstm", "low_pass"]}}},
}


def test_a_folder_is_named_by_what_is_searched_in_the_order_of_the_file():
    names = TrialNames(domains_of(GRID))
    made = trial(
        {
            ("lr",): 1e-3,
            ("lambda_",): 0.9,
            ("seed",): 2,
            ("env_config", "level"): [0, 1],
            ("model", "core", "type"): "low_pass",
        }
    )
    settings = "lr=0.001 lambda_=0.9 seed=2 level=0-1 type=low_pass"
    assert names.label(made) == settings
    assert names.folder(made) == f"RecurrentPPO_TMaze-v0_{settings.replace(' ', '_')}_1a2b3_00003"
    TagTrials(pickle.loads(pickle.dumps(names))).on_trial_start(0, [], made)
    assert made.experiment_tag == f"3_{settings}"  # what the table of progress shows


def test_where_nothing_differs_the_name_is_short():
    for config in ({}, {"lr": {"grid_search": [1e-3]}}, {"lr": {"choice": [1, 1]}}):
        names = TrialNames(domains_of(config))
        made = trial({("lr",): 1e-3}, tag="0")
        assert names.folder(made) == "RecurrentPPO_TMaze-v0_1a2b3_00003"
        TagTrials(names).on_trial_start(0, [], made)
        assert made.experiment_tag == "0"


def test_keys_are_as_short_as_they_can_be():
    places = [("model", "core", "type"), ("model", "encoder", "type"), ("lr",), ("a", "lr"), ("seed",)]
    assert list(short_keys(places).values()) == ["core.type", "encoder.type", "lr", "a.lr", "seed"]


def test_sections_are_looked_into():
    cores = [{"type": "lstm", "size": 8}, {"type": "lstm", "size": 16}, {"type": "mlp", "size": 8}]
    domains = domains_of({"model": {"core": {"grid_search": cores}}})
    assert differing(domains) == [("model", "core", "type"), ("model", "core", "size")]
    domains = domains_of({"model": {"core": {"grid_search": cores[:2]}}})
    assert differing(domains) == [("model", "core", "size")]
    domains = domains_of({"model": {"core": {"grid_search": [cores[0], {"type": "mlp"}]}}})
    made = trial({("model", "core"): {"type": "mlp"}})
    assert TrialNames(domains).label(made) == "type=mlp"  # it has no size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"),
        (1e-05, "1e-05"),
        (0.12345678, "0.123457"),
        (3.0, "3"),
        (1234567, "1234567"),
        (True, "true"),
        (None, "null"),
        ("a/b c:*?\n", "a-b-c-"),
        ("ä", "-"),
        ([[0, 1e-3], [100, 1e-4]], "0-0.001-100-0.0001"),
        ({"type": "lstm"}, "type=lstm"),
        ("x" * 500, "x" * 30),
    ],
)
def test_values(value, text):
    assert shown(value) == text


def test_names_are_safe_and_not_too_long():
    settings = {(f"a/b {number}",): "y" * 100 for number in range(50)}
    texts = label(settings, short_keys(settings))
    assert 1 < len(texts) < 5
    assert len("_".join(texts)) <= 100
    assert all(re.fullmatch(r"[\w.+=-]+", text, re.ASCII) for text in texts)


def test_an_environment_stands_in_front():
    names = TrialNames({("env",): domains_of({"env": {"grid_search": ["A-v0", "B-v0"]}})[("env",)]})
    made = trial({})
    assert names.folder(made) == "RecurrentPPO_TMaze-v0_1a2b3_00003"
    assert names.label(made) == "env=TMaze-v0"


def test_order_is_that_of_numbers():
    names = ["a_seed=10", "a_seed=2", "a_lr=0.001", "a_lr=1e-05", "b", "a"]
    assert sorted(names, key=natural) == ["a", "a_lr=1e-05", "a_lr=0.001", "a_seed=2", "a_seed=10", "b"]


def test_results_show_the_same_label_for_new_folders_and_old(tmp_path, capsys):
    old = "RecurrentPPO_TMaze-v0_1a2b3_00000_0_type=lstm_2026-11-29_20-00-00"
    new = "RecurrentPPO_TMaze-v0_core.type=mlp_encoder.type=conv_1a2b3_00001"
    for name, core, encoder in ((old, "lstm", "mlp"), (new, "mlp", "conv")):
        model = {"core": {"type": core}, "encoder": {"type": encoder}}
        made = make_trial(
            tmp_path / "grid", env_config={}, config={"model": model}, episode_return_mean=[0.5]
        )
        made.rename(made.parent / name)
    assert [found.folder.name for found in read_trials(tmp_path / "grid")] == [old, new]
    show_results([str(tmp_path / "grid")], as_json=False)
    out = capsys.readouterr().out
    assert "grid core.type=lstm encoder.type=mlp" in out
    assert "grid core.type=mlp encoder.type=conv" in out
