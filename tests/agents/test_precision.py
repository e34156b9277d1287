"""Precision as the hardware has it, asked of PyTorch, where the learner is."""

import platform

import pytest
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from torch import nn

from engram.agents import make_config
from engram.agents.supervised.precision import described, precision, warning
from engram.memory.precision import has_bfloat16

THINKER = {"core": {"type": "deep_thinking", "width": 4, "thinking_steps": 2}}
LSTM = {"core": {"type": "lstm", "size": 4}}


@pytest.fixture
def hardware(monkeypatch):
    """Says what PyTorch says of the processor."""

    def has(bf16=False, amx=False, arm=None, machine="x86_64"):
        monkeypatch.setattr(platform, "machine", lambda: machine)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
        if arm is not None:
            monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: arm, raising=False)

    return has


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ({}, False),
        ({"bf16": True}, True),
        ({"amx": True}, True),
        ({"machine": "aarch64", "arm": True}, True),
        ({"machine": "arm64", "arm": False, "amx": True}, False),
    ],
)
def test_asks_pytorch(hardware, says, expected):
    hardware(**says)
    assert has_bfloat16("cpu") is expected
    assert has_bfloat16("meta") is False


def test_versions_of_pytorch_that_cannot_tell_have_none(hardware, monkeypatch):
    hardware(bf16=True)
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert has_bfloat16("cpu") is False


@pytest.mark.parametrize(("available", "supported"), [(False, True), (True, False), (True, True)])
def test_asks_the_gpu_without_emulation(monkeypatch, available, supported):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert has_bfloat16("cuda") is (available and supported)


@pytest.mark.parametrize(
    ("asked", "thinks", "has", "expected"),
    [
        ("auto", True, True, torch.bfloat16),
        ("auto", True, False, None),
        ("auto", False, True, None),
        ("bfloat16", True, False, torch.bfloat16),
        ("bfloat16", False, True, torch.bfloat16),
        (None, True, True, None),
        ("none", True, True, None),
    ],
)
def test_what_is_computed_in(hardware, asked, thinks, has, expected):
    hardware(bf16=has)
    assert precision(asked, "cpu", thinks) is expected
    warned = warning(asked, "cpu", thinks)
    assert (warned is not None) == (asked == "bfloat16" and not has)
    assert described(asked, "cpu", thinks).startswith("full" if expected is None else "bfloat16")


def test_the_warning_says_how_much_slower(hardware):
    hardware()
    assert "no bfloat16 arithmetic on this machine's cpu" in warning("bfloat16", "cpu", True)
    assert "about ten times slower than in full precision" in warning("bfloat16", "cpu", True)


@pytest.mark.parametrize(("has", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_is_the_default_and_the_learner_decides(hardware, has, dtype):
    """The settings are the same; what the learner's own process finds makes the difference."""
    settings = make_config("Supervised", THINKER)
    settings.environment("engram.envs:engram/PrefixSums-v0", env_config={"bits": 4}).debugging(seed=0)
    settings.num_envs_per_env_runner = 3
    assert settings.autocast == "auto"
    runner = settings.env_runner_cls(config=settings)
    spaces = (runner.env.single_observation_space, runner.env.single_action_space)
    learner = settings.build_learner(spaces={DEFAULT_MODULE_ID: spaces})
    hardware(bf16=has)
    learner.build()
    module, kinds = learner.module[DEFAULT_MODULE_ID], set()
    for part in module.modules():
        if isinstance(part, nn.Conv1d):
            part.register_forward_hook(lambda *args: kinds.add(args[-1].dtype))
    (fragment,) = runner.sample()
    (batch, *_) = learner.batches(fragment, 1, None)
    module.forward_train(batch)
    assert kinds == {dtype}


@pytest.mark.parametrize("model", [THINKER, LSTM])
def test_other_precisions_are_refused(model):
    settings = make_config("Supervised", model)
    settings.environment("engram.envs:engram/PrefixSums-v0")
    settings.autocast = "float16"
    with pytest.raises(
        ValueError, match=r"autocast: unknown 'float16'; did you mean 'bfloat16'\? known: auto, "
    ):
        settings.validate()
