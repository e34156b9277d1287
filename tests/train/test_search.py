import pytest

from engram.train.errors import ExperimentError
from engram.train.search import Domain, split, variants


def test_split_takes_spaces_out():
    config = {
        "lr": {"loguniform": [1e-4, 1e-2]},
        "model": {"core": {"type": {"tune.grid_search": ["lstm", "mlp"]}, "size": 8}},
        "env_config": {"level": [0, 1]},
    }
    plain, domains = split(config, "config")
    assert plain == {
        "lr": 1e-4,
        "model": {"core": {"type": "lstm", "size": 8}},
        "env_config": {"level": [0, 1]},
    }
    assert domains == {
        ("lr",): Domain("loguniform", (1e-4, 1e-2)),
        ("model", "core", "type"): Domain("grid_search", ("lstm", "mlp")),
    }


def test_variants_show_every_example_once():
    plain, domains = split(
        {"a": {"grid_search": [1, 2]}, "b": {"choice": [3, 4]}, "c": {"randint": [0, 5]}}, "c"
    )
    assert list(variants(plain, domains)) == [
        {"a": 1, "b": 3, "c": 0},
        {"a": 2, "b": 3, "c": 0},
        {"a": 1, "b": 4, "c": 0},
        {"a": 1, "b": 3, "c": 4},
    ]


@pytest.mark.parametrize(
    ("space", "part"),
    [
        ({"grid_search": 3}, "config.lr.grid_search: expected a list"),
        ({"grid_search": []}, "expected a list"),
        ({"uniform": [2, 1]}, "bounds must rise"),
        ({"uniform": [1]}, "[lower, upper]"),
        ({"uniform": ["a", "b"]}, "finite numbers"),
        ({"loguniform": [0, 1]}, "positive"),
        ({"quniform": [0, 1]}, "[lower, upper, step]"),
        ({"randint": [0.5, 2]}, "whole numbers"),
        ({"uniform": [0, float("inf")]}, "finite numbers"),
    ],
)
def test_wrong_spaces(space, part):
    with pytest.raises(ExperimentError) as caught:
        split({"lr": space}, "config")
    assert part in str(caught.value)
