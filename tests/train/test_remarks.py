"""What the header and the record say of scaling, dropout and precision."""

import io

import pytest
import torch
from rich.console import Console

from engram.train.experiments.experiment import Experiment
from engram.train.plans.header import print_header, rows
from engram.train.plans.plan import make_plan
from engram.train.runs.record import host_class

IMAGE = {"data": "digits", "normalise": False}
RIMS = {"type": "rims", "num_rims": 3, "rim_size": 8, "num_active": 2}


def said(run, env, tmp_path, **config):
    plan = make_plan(
        Experiment(name="x", run=run, env=env, config=config, stop={}, storage_path=str(tmp_path))
    )
    console = Console(record=True, width=1000, file=io.StringIO(), markup=False, highlight=False)
    print_header(plan, console)
    return dict(rows(plan)), console.export_text()


@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentA2C", "RecurrentIMPALA", "PPO", "IMPALA", "APPO"])
def test_dropout_is_announced_as_without_effect_under_policy_gradients(run, tmp_path):
    model = {"core": RIMS | {"input_dropout": 0.1, "initial_state": "random"}}
    _, text = said(run, "engram/Copying-v0", tmp_path, model=model)
    assert (
        f"notice: initial_state random, input_dropout 0.1 of core rims: without effect under {run}, a policy "
        "gradient, whose policy must be the one that acted"
    ) in text


def test_nothing_is_said_where_dropout_acts_or_none_is_asked_for(tmp_path):
    for run, core in (("Supervised", RIMS | {"input_dropout": 0.1}), ("RecurrentPPO", RIMS)):
        _, text = said(run, "engram/Copying-v0", tmp_path, model={"core": core})
        assert "without effect" not in text


def test_batch_norm_is_announced(tmp_path):
    core = {"type": "res_net_bn", "width": 4}
    for run, expected in (("RecurrentPPO", True), ("Supervised", False)):
        _, text = said(
            run,
            "engram/ImageClassification-v0",
            tmp_path,
            env_config={"data": "digits"},
            model={"core": core},
        )
        assert ("normalises by the batch where it learns" in text) == expected


def test_scaling_is_said_where_it_is_done(tmp_path):
    model = {"core": {"type": "lstm", "size": 8}}
    plain, text = said("RecurrentPPO", "engram/Copying-v0", tmp_path, model=model)
    assert "scaling" not in plain
    assert "notice" not in text
    env = "engram/ImageClassification-v0"
    scaled, text = said("RecurrentPPO", env, tmp_path, env_config=IMAGE, model=model)
    assert scaled["scaling"] == "0 to 255 by their bounds to 0 to 1"
    assert "config.model.encoder.scale: none leaves them as they are" in text


def test_precision_is_said_and_a_slow_one_is_warned_of(monkeypatch, tmp_path):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    thinker = {"core": {"type": "deep_thinking", "width": 4}}
    for asked, expected, warned in (
        ({}, "full (autocast auto: there is no bfloat16 arithmetic on this machine's cpu)", False),
        ({"autocast": "bfloat16"}, "bfloat16", True),
        ({"autocast": None}, "full", False),
    ):
        told, text = said("Supervised", "engram/PrefixSums-v0", tmp_path, model=thinker, **asked)
        assert told["precision"] == expected
        assert ("about ten times slower" in text) == warned
    assert "precision" not in said("RecurrentPPO", "engram/Copying-v0", tmp_path)[0]


def test_the_record_names_the_kind_of_processor():
    host = host_class()
    assert isinstance(host["processor"], str)
    assert host["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert host["bfloat16"] in (True, False)
