"""Files of policies: what is in them, the same bytes every time, and one line where one is broken."""

import json
import pickle
import re
import struct
import sys

import any_spaces
import pytest
import torch
from played import GRU, act, agrees, make_module, write
from safetensors.torch import load_file, save_file

import engram
import engram.policy
from engram.agents.models.recurrent_network import RecurrentNetwork
from engram.agents.models.space_data import space_data
from engram.policy.card import FORMAT, card_of
from engram.policy.files import read_policy

SEEN, DONE = any_spaces.OBSERVATIONS["vector"], any_spaces.ACTIONS["choice"]
LSTM = {
    "encoder": {"type": "mlp", "hidden": [4]},
    "core": {"type": "lstm", "size": 3},
    "head": {"hidden": [5]},
}
OWN = {"encoder": {"type": "own_parts:Plain"}, "core": {"type": "own_parts:Sum"}}


@pytest.fixture
def shared(tmp_path):
    """The file of a small policy."""
    return write(make_module(LSTM, SEEN, DONE), tmp_path / "policy.safetensors", seed=7)


def change(file, card=None, tensors=None):
    """Writes a file anew, with other entries of its card or other tensors."""
    before, found = read_policy(file)
    data = {key: value for key, value in (before.data() | (card or {})).items() if value is not ...}
    kept = {key: value for key, value in (found | (tensors or {})).items() if value is not None}
    save_file(kept, file, {"card": json.dumps(data)})


def test_the_card_says_what_is_needed_to_act(shared):
    card = engram.load_policy(shared).card
    assert (card.core, card.encoder, card.head, card.actions) == ("lstm", "mlp", [5], "categorical")
    assert (card.action_mask, card.previous_action, card.previous_reward) == ("none", False, False)
    assert card.model == LSTM
    assert card.observation_space == space_data(SEEN, "")
    assert card.action_space == {"type": "Discrete", "n": 3, "start": 0, "dtype": "int64"}
    assert card.parameters == sum(tensor.numel() for tensor in load_file(shared).values())
    assert (card.seed, card.returns, card.scaling) == (7, {}, None)


def test_the_same_policy_gives_the_same_bytes(shared, tmp_path):
    again = write(make_module(LSTM, SEEN, DONE), tmp_path / "again", seed=7)
    assert again.read_bytes() == shared.read_bytes()
    (size,) = struct.unpack("<Q", shared.read_bytes()[:8])
    header = json.loads(shared.read_bytes()[8 : 8 + size])
    assert json.loads(header["__metadata__"]["card"])["format"] == FORMAT
    assert {*tmp_path.iterdir()} == {again, shared}


def test_no_pickle_is_loaded(shared, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    assert engram.policy.load_policy(shared).act([0.0, 0.0, 0.0]) in range(3)


def test_load_policy_has_two_names():
    assert engram.load_policy is engram.policy.load_policy
    with pytest.raises(AttributeError, match="has no attribute 'load_polcy'"):
        _ = engram.load_polcy


def test_a_network_of_appo_is_written_without_its_slow_copies(tmp_path):
    module = make_module(LSTM, SEEN, DONE)
    whole = write(module, tmp_path / "whole").read_bytes()
    module._target_networks = torch.nn.ModuleList([torch.nn.Linear(2, 2)])
    assert write(module, tmp_path / "again").read_bytes() == whole


OWN_PARTS = """
import torch
from engram.agents import Encoder, EncoderOptions
from engram.memory import Core

class Plain(Encoder):
    Options = EncoderOptions
    def __init__(self, reader, options):
        super().__init__(reader, options)
        (self.output_size,) = reader.shape
        self.scale = torch.nn.Parameter(torch.ones(1))
    def forward(self, prepared):
        return prepared * self.scale

class Sum(Core):
    def __init__(self, input_size, options):
        super().__init__(input_size, options)
        self.output_size = input_size
    def initial_state(self, lanes):
        return {"sum": torch.zeros(lanes, self.input_size)}
    def unroll(self, inputs, state, resets, return_info):
        if resets is not None:
            state = self.reset_state(state, resets[0])
        total = state["sum"] + inputs[0]
        return total[None], {"sum": total}, {}
"""


def test_classes_of_ones_own_are_imported_where_they_are_named(tmp_path, monkeypatch):
    (tmp_path / "own_parts.py").write_text(OWN_PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    module = make_module(OWN, SEEN, DONE)
    file = write(module, tmp_path / "p")
    del sys.modules["own_parts"]
    for named in ((), ("own_parts:Plain",)):
        with pytest.raises(ValueError, match=r"p: needs own_parts:\w+, a class of its author's own"):
            engram.load_policy(file, named)
        assert "own_parts" not in sys.modules
    policy = engram.load_policy(file, own_classes=["own_parts:Plain", "own_parts:Sum"])
    assert agrees(policy, act(module, SEEN, steps=9))
    assert policy.card.encoder == "own_parts:Plain"
    del sys.modules["own_parts"]


def test_an_encoder_of_ones_own_is_found_deep_inside(tmp_path):
    module = make_module({"core": GRU["core"]}, any_spaces.OBSERVATIONS["nest"], DONE)
    file = write(module, tmp_path / "p")
    deep = {"type": "dict", "left": {"type": "dict", "0": {"type": "os:system"}}}
    change(file, {"model": {"core": GRU["core"], "encoder": deep}})
    with pytest.raises(ValueError, match="needs os:system, a class of its author's own"):
        engram.load_policy(file)
    with pytest.raises(ValueError, match=r"'os:system' is no subclass of engram\.agents\.Encoder"):
        engram.load_policy(file, own_classes=["os:system"])


LACKING, NONE = "lacks core.lstm.bias_hh_l0", "its card describes no network: "
BOX = {"type": "Box", "shape": [2**40], "low": 0, "high": 1, "dtype": "uint8"}
BROKEN = {
    "other format": (
        {"format": 2},
        {},
        "format 2; this version of engram reads 1: another one has written it",
    ),
    "no format": ({"format": ...}, {}, "its card says no format"),
    "a key": ({"model": ...}, {}, "its card lacks model"),
    "a kind": ({"model": [1]}, {}, "its card has model [1]"),
    "a number": ({"parameters": True}, {}, "its card has parameters True"),
    "space": (
        {"action_space": {"type": "Set"}},
        {},
        f"{NONE}action_space: describes no space: ",
    ),
    "sizes": (
        {"observation_space": BOX},
        {},
        f"{NONE}observation_space: describes no space: ValueError: shape (1099511627776,)",
    ),
    "core": ({"model": {"core": {"type": "lstn"}}}, {}, f"{NONE}model.core.type: unknown 'lstn'; did you"),
    "statistics": ({"normalization": {"observation": 1}}, {}, f"{NONE}TypeError: "),
    "core's name": ({"core": "gru"}, {}, "its card says core: 'gru', and describes 'lstm'"),
    "head": ({"head": [6]}, {}, "its card says head: [6], and describes [5]"),
    "another model": (
        {"model": LSTM | {"core": {"type": "lstm", "size": 4}}, "parameters": 194},
        {},
        "its card says parameters: 194, and describes",
    ),
    "missing": ({}, {"core.lstm.bias_hh_l0": None}, LACKING),
    "several": ({}, {"core.lstm.bias_hh_l0": None, "value_head.bias": None}, f"{LACKING} (and 1 more)"),
    "too many": ({}, {"core.more": torch.zeros(1)}, "holds core.more, which its card does not describe"),
    "shape": (
        {},
        {"value_head.bias": torch.zeros(2)},
        "holds value_head.bias (2,) torch.float32, its card describes (1,) torch.float32",
    ),
    "dtype": (
        {},
        {"value_head.bias": torch.zeros(1, dtype=torch.float64)},
        "holds value_head.bias (1,) torch.float64, its card describes (1,) torch.float32",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_go_together_is_one_line(shared, name):
    card, tensors, line = BROKEN[name]
    change(shared, card, tensors)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{shared}: {line}')}.*$"):
        engram.load_policy(shared)


def test_a_mask_that_the_observation_lacks(shared):
    change(shared, {"action_mask": "legal", "model": LSTM | {"action_mask": "legal"}})
    with pytest.raises(ValueError, match="its card describes no network: action_mask: unknown 'legal'"):
        engram.load_policy(shared)


CONTENTS = {
    "nothing": b"",
    "a text": b"no policy",
    "a pickle": pickle.dumps({"weights": [1.0]}),
    "a header that is too long": struct.pack("<Q", 2**62) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"abcd",
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_that_is_none_of_ours(tmp_path, name):
    file = tmp_path / "p.safetensors"
    file.write_bytes(CONTENTS[name])
    with pytest.raises(ValueError, match=r"^.*p\.safetensors: no whole safetensors file: .*$"):
        engram.load_policy(file)


def test_a_file_that_is_cut_off_anywhere(shared):
    content = shared.read_bytes()
    for length in (4, 8, 100, len(content) // 2, len(content) - 1):
        shared.write_bytes(content[:length])
        with pytest.raises(ValueError, match=": no whole safetensors file: "):
            engram.load_policy(shared)


def test_no_file_and_no_card(tmp_path):
    for path, line in ((tmp_path / "none", "No such file"), (tmp_path, "")):
        with pytest.raises(ValueError, match=f"^{path}: .*{line}"):
            engram.load_policy(path)
    file = tmp_path / "p"
    for metadata, line in (
        (None, "no policy: there is no card in its metadata"),
        ({"card": "{"}, "its card is no JSON"),
        ({"card": "[1]"}, "its card says no format"),
        ({"card": "[" * 100_000}, "its card is no JSON"),
    ):
        save_file({"a": torch.zeros(1)}, file, metadata)
        with pytest.raises(ValueError, match=f"^{file}: {line}$"):
            engram.load_policy(file)


def test_a_card_of_another_network_is_not_written(tmp_path):
    module = make_module(LSTM, SEEN, DONE)
    with pytest.raises(ValueError, match="its card says parameters: 168, and describes 176"):
        write_with_other_head(module, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def write_with_other_head(module, file):
    card = card_of(module, LSTM | {"head": {"hidden": [6]}})
    return engram.policy.write_policy(file, module, card)


def test_a_network_without_rllib_can_be_written(shared, tmp_path):
    policy = engram.load_policy(shared)
    assert type(policy.network) is RecurrentNetwork
    again = engram.policy.write_policy(tmp_path / "again", policy.network, policy.card)
    assert again.read_bytes() == shared.read_bytes()
