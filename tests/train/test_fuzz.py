"""Whatever the file says: valid experiments, or the one error that the command prints as a line."""

import copy
import string

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram.train.console.errors import ExperimentError
from engram.train.experiments.experiment import KEYS, Overrides, read_experiments
from engram.train.experiments.loading import parse_yaml
from engram.train.experiments.search import KINDS
from engram.train.plans.plan import make_plan

VALID = {
    "run": "RecurrentPPO",
    "env": "small_envs:small/Cue-v0",
    "stop": {"timesteps_total": 100},
    "checkpoint_config": {"checkpoint_frequency": 1, "num_to_keep": 2},
    "num_samples": 1,
    "config": {
        "env_config": {"delay": 3},
        "lr": 1e-3,
        "gamma": 0.9,
        "lambda_": 0.9,
        "clip_param": 0.2,
        "vf_loss_coeff": 0.5,
        "normalize_advantages": True,
        "seed": 0,
        "num_envs_per_env_runner": 4,
        "rollout_fragment_length": 5,
        "train_batch_size_per_learner": 20,
        "minibatch_size": 10,
        "entropy_coeff": {"grid_search": [0.0, 0.1]},
        "model": {
            "encoder": {"type": "mlp", "hidden": [4]},
            "core": {"type": "low_pass", "pools": 2, "size": 4, "bptt_steps": 5},
            "skip": True,
        },
    },
}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.integers(),
    st.floats(),
    st.sampled_from(["auto", "lstm", "CartPole-v1", "PPO", "", "x", "1e3", "null"]),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*KINDS, *KEYS, "type", "size", "lr", "a"]), inner, max_size=3),
    ),
    max_leaves=6,
)


def paths(section, prefix=()):
    for key, value in section.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from paths(value, (*prefix, key))


def change(section, path, value):
    changed = copy.deepcopy(section)
    here = changed
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return changed


def complaint(text, whole):
    """What the command would say about a file; any exception but its own fails the test."""
    try:
        experiments, _ = read_experiments(parse_yaml(text, "file"), Overrides())
        for experiment in experiments if whole else []:
            make_plan(experiment)
    except ExperimentError as error:
        return str(error) or "an empty message\n"
    return ""


def test_the_seed_document_is_valid():
    (experiment,), _ = read_experiments({"e": VALID}, Overrides())
    assert make_plan(experiment).trials == 2


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.text(), st.text(alphabet=string.ascii_letters + string.digits + " \n:-[]{}&*!|>'\"#%@,.?"))
)
def test_any_text(text):
    assert "\n" not in complaint(text, whole=False)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_any_document(document):
    assert "\n" not in complaint(yaml.safe_dump(document, allow_unicode=True), whole=False)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(paths(VALID))), VALUES)
def test_any_value_in_place_of_one(path, value):
    assert "\n" not in complaint(
        yaml.safe_dump({"e": change(VALID, path, value)}, allow_unicode=True), whole=True
    )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([(), ("config",), ("config", "model", "core"), ("config", "env_config"), ("stop",)]),
    st.data(),
)
def test_any_further_key(prefix, data):
    key = data.draw(
        st.one_of(st.text(min_size=1, max_size=8), st.sampled_from(["lr", "callbacks_class", "policies"]))
    )
    assert "\n" not in complaint(
        yaml.safe_dump({"e": change(VALID, (*prefix, key), data.draw(VALUES))}, allow_unicode=True),
        whole=True,
    )


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(paths(VALID))), VALUES)
def test_any_value_in_place_of_one_long(path, value):
    assert "\n" not in complaint(
        yaml.safe_dump({"e": change(VALID, path, value)}, allow_unicode=True), whole=True
    )
