"""One step as ONNX, run by ONNX Runtime, against the policy it was written of."""

import json

import any_spaces
import numpy as np
import pytest
from gymnasium import spaces
from onnxruntime import InferenceSession
from played import GRU, MLP, THINKING, act, make_module, make_thinker, play

from engram.envs.forms.frames import FrameStack
from engram.memory import CORES
from engram.policy import onnx
from engram.policy.card import card_of

SEEN, DONE = any_spaces.OBSERVATIONS, any_spaces.ACTIONS
slow = pytest.mark.slow  # a few seconds each


def export(module, folder):
    card = card_of(module, dict(module.model_config))
    return onnx.write_onnx(folder / "p.onnx", module, card), card


def assert_agrees(file, module, played, wanted):
    """The file gives the logits of the steps, its state carried by hand, for any number of lanes."""
    session = InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names, results = ([each.name for each in some] for some in (session.get_inputs(), session.get_outputs()))
    state = module.initial_state(len(played[0].actions))
    assert names == [*wanted, *(f"state.{name}" for name in state), "resets"]
    assert results == ["logits", "value", *(f"next_state.{name}" for name in state)]
    carried = [leaf.numpy() for leaf in state.values()]
    for step in played:
        beside = [step.given[name] for name in ("action_mask",) if name in names]
        seen = [_part(step.given["observation"], path) for path in wanted if path.startswith("observation")]
        given = [*seen, *beside, *carried, step.given["resets"]]
        logits, value, *carried = session.run(None, dict(zip(names, given, strict=True)))
        legal = step.logits > -1e30
        np.testing.assert_allclose(logits[legal], step.logits[legal], rtol=1e-3, atol=1e-4)
        assert (logits[~legal] < -1e30).all()
        assert value.shape == (len(step.actions),)


def _part(nest, path):
    """What `observation.goal.0` names in a nest."""
    for key in path.split(".")[1:]:
        nest = nest[key if isinstance(nest, dict) else int(key)]
    return nest


@slow
@pytest.mark.parametrize("core", CORES)
def test_cores(core, tmp_path):
    module = make_module({"encoder": MLP, "core": {"type": core}}, SEEN["vector"], DONE["choices"])
    file, _ = export(module, tmp_path)
    for lanes in (1, 5):
        assert_agrees(file, module, act(module, SEEN["vector"], steps=6, lanes=lanes), ["observation"])


@slow
@pytest.mark.parametrize("name", SEEN)
def test_observations(name, tmp_path):
    module = make_module({"core": GRU["core"]}, SEEN[name], DONE["choice"])
    file, _ = export(module, tmp_path)
    wanted = [f"observation{path}" for path in _paths(SEEN[name])]
    assert_agrees(file, module, act(module, SEEN[name], steps=6, lanes=5), wanted)


@slow
@pytest.mark.parametrize("kind", ["dqn", "impala"])
def test_pictures_of_several_frames(kind, tmp_path):
    seen = FrameStack(20, 21, 1, 4)
    module = make_module({"encoder": {"type": kind, "size": 5}, "core": GRU["core"]}, seen, DONE["choice"])
    file, _ = export(module, tmp_path)
    assert_agrees(file, module, act(module, seen, steps=6, lanes=5), ["observation"])


def _paths(space):
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        return [f".{name}{path}" for name, part in parts for path in _paths(part)]
    return [""]


def test_what_lanes_tell_and_the_card(tmp_path):
    """No file of this machine is named."""
    env_config = {"observation": "goal", "mask": "info", "action": "choices"}
    module, played = play(GRU, env_config, steps=6, lanes=5)
    file, card = export(module, tmp_path)
    parts = [f"observation.{name}" for name in ("observation", "achieved_goal", "desired_goal")]
    assert_agrees(file, module, played, [*parts, "action_mask"])
    metadata = InferenceSession(str(file)).get_modelmeta().custom_metadata_map
    assert {*metadata} == {"card"}
    assert json.loads(metadata["card"]) == card.data()
    assert b".py" not in file.read_bytes()


@slow
def test_the_same_policy_gives_the_same_bytes(tmp_path):
    module = make_module({"core": GRU["core"]}, SEEN["grid"], DONE["choice"])
    before = export(module, tmp_path)[0].read_bytes()
    assert export(module, tmp_path)[0].read_bytes() == before


@slow
@pytest.mark.parametrize(
    ("kind", "model"), [*((kind, {}) for kind in THINKING), ("deep_thinking", {"carry": True})]
)
def test_networks_that_think(kind, model, tmp_path):
    module = make_thinker(kind, **model)
    file, _ = export(module, tmp_path)
    assert_agrees(file, module, act(module, module.observation_space, steps=4, lanes=5), ["observation"])


def test_what_cannot_be_exported_is_one_line(tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("\nNo decomposition for aten.thing\nand much more")

    monkeypatch.setattr("torch.onnx.export", fail)
    module = make_module(GRU, SEEN["vector"], DONE["choice"])
    line = r"^core gru: PyTorch cannot write this network as ONNX: No decomposition for aten\.thing$"
    with pytest.raises(ValueError, match=line):
        export(module, tmp_path)
    assert not [*tmp_path.iterdir()]
