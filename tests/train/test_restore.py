"""`restore`: what of a checkpoint would be left out, or begin anew, is refused before anything starts."""

import json
import pickle

import pytest
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from test_checks import MODEL, plan

from engram.train.console.errors import ExperimentError
from engram.train.plans.build import trainable
from engram.train.plans.network import build_module
from engram.train.plans.restore import check_fits
from engram.train.runs.wholeness import MODULE

OBSERVATIONS, REWARDS = {"normalize_observations": True}, {"normalize_rewards": True}
PENDULUM = {"env": "Pendulum-v1"}


def checkpoint(planned, folder, optimizer=torch.optim.Adam, **options):
    """A checkpoint's folder with what is read of one: class, network, and the optimizer's settings."""
    module = build_module(planned.config, planned.env)
    module.save_to_path(folder / MODULE)
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    state = {"optimizer": {"one": {"state": optimizer(trained, **options).state_dict()}}}
    (folder / MODULE.parents[1] / "state.pkl").write_bytes(pickle.dumps(state))
    made: type[Algorithm] = trainable(planned.config)
    (folder / "class_and_ctor_args.pkl").write_bytes(pickle.dumps({"class": made}))
    return folder


TRAINED = "trained with normalize_{0}: {1}, here it is {2}; set config.normalize_{0}: {1}"
LACKS = "config.optimizer: rmsprop with momentum 0 cannot go on from what another one remembers; set it "
MADE = "made for another model: it "


@pytest.mark.parametrize(
    ("before", "now", "line"),
    [
        ({}, {}, None),
        (OBSERVATIONS | REWARDS, REWARDS | OBSERVATIONS | {"normalization_clip": 3.0}, None),
        (OBSERVATIONS, {}, TRAINED.format("observations", "true", "false")),
        ({}, OBSERVATIONS, TRAINED.format("observations", "false", "true")),
        (OBSERVATIONS | REWARDS, OBSERVATIONS, TRAINED.format("rewards", "true", "false")),
        (OBSERVATIONS, OBSERVATIONS | REWARDS, TRAINED.format("rewards", "false", "true")),
        ({}, {"model": MODEL | {"core": {"type": "gru"}}}, f"{MADE}lacks 4 weights: core.gru."),
        ({"model": MODEL | {"head": {"hidden": [8]}}}, {}, f"{MADE}has 2 weights too many: shared_head.0."),
        ({}, {"model": MODEL | {"head": {"hidden": [8]}}}, f"{MADE}lacks 2 weights: shared_head.0.bias, "),
        (
            {},
            {"model": MODEL | {"freeze": ["core"]}},
            "10 weights were trained, here 6 are; set config.model.",
        ),
    ],
)
def test_under_our_algorithms(tmp_path, before, now, line):
    found = checkpoint(plan(before, **PENDULUM), tmp_path)
    check(found, plan(now, **PENDULUM), line)


def check(found, planned, line):
    if line is None:
        check_fits(found, planned.config, planned.env)
        return
    with pytest.raises(ExperimentError) as caught:
        check_fits(found, planned.config, planned.env)
    assert str(caught.value).startswith(f"--restore {found}: {line}")


@pytest.mark.parametrize(
    ("optimizer", "options", "line"),
    [
        (torch.optim.RMSprop, {"alpha": 0.5}, None),
        (
            torch.optim.RMSprop,
            {"momentum": 0.5},
            "config.optimizer: rmsprop with momentum 0 cannot go on from",
        ),
        (
            torch.optim.Adam,
            {},
            "config.optimizer: rmsprop with momentum 0 cannot go on from what another one ",
        ),
    ],
)
def test_an_optimizer_that_remembers_other_things(tmp_path, optimizer, options, line):
    planned = plan(run="RecurrentA2C")
    check(checkpoint(planned, tmp_path, optimizer, **options), planned, line)


@pytest.mark.parametrize("targets", [False, True])
def test_under_rllibs_algorithms(tmp_path, targets):
    """RLlib's own networks, too: a layer more or less is no matter to RLlib. APPO's have slow copies."""
    plain = {"env": "CartPole-v1", "run": "APPO" if targets else "PPO"}
    deep = {"model": {"fcnet_hiddens": [8, 8, 8]}}
    planned = plan({"model": {"fcnet_hiddens": [8, 8]}}, **plain)
    module = build_module(planned.config, planned.env)
    if targets:
        module.make_target_networks()
    found = checkpoint(planned, tmp_path)
    module.save_to_path(found / MODULE)
    check(found, planned, None)
    check(found, plan(deep, **plain), "made for another model: it lacks 4 weights: encoder.")


def test_of_several_variants_each_is_checked(finished_run, tmp_path, typed):
    section = json.dumps({"normalize_rewards": {"grid_search": [False, True]}})
    code, _, err = typed(
        *("train", "-f", finished_run[0], "--restore", finished_run[1], "--local-dir", tmp_path),
        *("--config", section, "--stop", "timesteps_total=1e6", "--dry-run"),
    )
    assert code == 2
    assert (
        "trained with normalize_rewards: false, here it is true; set config.normalize_rewards: false" in err
    )
