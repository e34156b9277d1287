import pytest

from engram.train.console.errors import Errors, ExperimentError
from engram.train.experiments.search import Domain, split, variants


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


def test_spaces_inside_listed_sections():
    plain, domains = split(
        {"core": {"grid_search": [{"size": {"choice": [4, 8]}}, {"pools": {"grid_search": [1, 2, 3]}}, "x"]}},
        "c",
    )
    assert plain == {"core": {"size": 4}}
    (domain,) = domains.values()
    assert domain.examples() == ({"size": 4}, {"size": 8}, {"pools": 1}, {"pools": 2}, {"pools": 3}, "x")
    assert domain.points() == 5
    tuned = domain.to_tune()["grid_search"]
    assert tuned[0]["size"].categories == [4, 8]
    assert tuned[1:] == [{"pools": {"grid_search": [1, 2, 3]}}, "x"]


def test_broken_spaces_are_left_out_where_errors_are_kept():
    errors = Errors()
    plain, domains = split({"a": {"grid_search": 3}, "b": {"c": {"uniform": [2, 1]}, "d": 1}}, "c", errors)
    assert (plain, domains) == ({"b": {"d": 1}}, {})
    assert [line.partition(":")[0] for line in errors.lines] == ["c.a.grid_search", "c.b.c.uniform"]


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
