"""A loaded policy does what the trained agent does, number for number.

B lanes.
"""

import pickle
import re
import subprocess
import sys

import any_spaces
import numpy as np
import pytest
import torch
from gymnasium import spaces
from played import GRU, MLP, THINKING, act, agrees, make_module, make_thinker, play, write

import engram
from engram.agents.models.recurrent import TAKES_CHANCES
from engram.agents.stock.module import StockRecurrentModule
from engram.envs.forms.frames import FrameStack
from engram.envs.forms.words import Tokens, Vocabulary
from engram.memory import CORES
from engram.memory.thinking import THINKERS

SEEN, DONE = any_spaces.OBSERVATIONS, any_spaces.ACTIONS

FILM = {"type": "dict", "join": "film", "mission": {"type": "bag"}, "image": {"type": "conv"}}
ENCODERS = {
    "conv": ("picture", {"type": "conv", "channels": [2], "size": 4}),
    "grid_conv": ("board", {"type": "grid_conv", "channels": [2, 3]}),
    "one_hot": ("board", {"type": "one_hot"}),
    "mlp": ("nest", {"type": "mlp", "hidden": [4]}),
    "bag": ("tokens", {"type": "bag"}),
    "embed": ("board", {"type": "mlp", "hidden": [4], "cells": "embed"}),
    "cells": ("board", {"type": "conv", "channels": [2], "size": 4, "cells": "one_hot"}),
    "symlog": ("number", {"type": "mlp", "hidden": [4], "scale": "symlog"}),
    "film": ("grid", FILM),
    "auto": (FrameStack(20, 21, 1, 4), {"type": "auto"}),
    "nature": (FrameStack(36, 40, 3, 2), {"type": "nature", "channels": [2, 3, 4], "size": 5}),
    "impala": (FrameStack(9, 8, 1, 4), {"type": "impala", "channels": [2, 3], "size": 5}),
}

FRESH = """
import pickle, sys
import engram

with open(sys.argv[1], "rb") as file:
    cases = pickle.load(file)
wrong = []
for name, (path, played) in cases.items():
    policy = engram.load_policy(path)
    policy.reset(lanes=len(played[0][1]))
    for given, actions, logits in played:
        found = policy.act(**given)
        if found.dtype != actions.dtype or (found != actions).any() or (policy.logits != logits).any():
            wrong.append(name)
            break
heavy = {"ray", "gymnasium", "tree", "scipy", "pandas", "pydantic", "yaml", "rich"} & {*sys.modules}
print(len(cases), wrong, sorted(heavy))
"""


def test_every_core_in_an_interpreter_without_ray_and_gymnasium(tmp_path):
    """1,000 steps of each core, with resets; networks that think answer 20 problems."""
    cases = {}
    for core in CORES:
        module = make_module({"encoder": MLP, "core": {"type": core}}, SEEN["vector"], DONE["choices"])
        cases[core] = write(module, tmp_path / core), act(module, SEEN["vector"])
        assert len({tuple(row) for step in cases[core][1] for row in step.actions}) > 1
    for kind in THINKING:
        module = make_thinker(kind)
        cases[kind] = write(module, tmp_path / kind), act(module, module.observation_space, steps=2, lanes=10)
    module = make_module({"core": GRU["core"]}, SEEN["grid"], DONE["matrix"])
    cases["grid"] = write(module, tmp_path / "grid"), act(module, SEEN["grid"])
    assert cases.keys() == {*CORES, *THINKERS, "grid"}
    plain = {name: (path, [tuple(step) for step in played]) for name, (path, played) in cases.items()}
    (tmp_path / "cases").write_bytes(pickle.dumps(plain))
    command = [sys.executable, "-c", FRESH, str(tmp_path / "cases")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == (f"{len(cases)} [] []", "")


@pytest.mark.parametrize("name", SEEN)
def test_observations(name, tmp_path):
    module = make_module({"core": GRU["core"]}, SEEN[name], DONE["choice"])
    assert agrees(engram.load_policy(write(module, tmp_path / "p")), act(module, SEEN[name]))


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders(name, tmp_path):
    seen, options = ENCODERS[name]
    space = SEEN[seen] if isinstance(seen, str) else seen
    module = make_module({"encoder": options, "core": GRU["core"]}, space, DONE["choice"])
    assert agrees(engram.load_policy(write(module, tmp_path / "p")), act(module, space))


@pytest.mark.parametrize("explore", [False, True])
@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("made", [None, StockRecurrentModule])
@pytest.mark.parametrize("name", DONE)
def test_actions(name, made, squash, explore, tmp_path):
    """Drawn from the same seed, too; under RLlib's own algorithms, a `Box` is scaled from -1 to 1."""
    box = isinstance(DONE[name], spaces.Box)
    if squash and not (box and name != "unbounded"):
        return
    module = make_module(GRU | {"squash": squash}, SEEN["vector"], DONE[name], made)
    played = act(module, SEEN["vector"], greedy=not explore)
    policy = engram.load_policy(write(module, tmp_path / "p", rescaled=box and made is not None))
    assert agrees(policy, played, explore=explore)
    assert policy.card.rescaled == (box and made is not None)


@pytest.mark.parametrize("explore", [False, True])
def test_actions_that_are_probabilities(explore, tmp_path):
    """Nothing is drawn: they are the same whether the policy explores or not."""
    model = GRU | {"softmax": True, TAKES_CHANCES: True}
    module = make_module(model, SEEN["vector"], spaces.Box(0.0, 1.0, (3,)))
    policy = engram.load_policy(write(module, tmp_path / "p"))
    assert policy.card.actions == "softmax"
    assert agrees(policy, act(module, SEEN["vector"], greedy=not explore), explore=explore)


LANES = {
    "told": ({"mask": "info", "action": "choices"}, {}),
    "tuple": ({"mask": "tuple", "action": "table"}, {"previous_reward": True}),
    "part": ({"mask": "legal", "observation": "grid"}, {"action_mask": "legal", "previous_action": True}),
    "before": ({"action": "matrix"}, {"previous_action": True, "previous_reward": True}),
    "statistics": ({"observation": "double"}, {"previous_action": True, "normalization": (True, True, 5.0)}),
}


@pytest.mark.parametrize("name", LANES)
def test_what_lanes_tell(name, tmp_path):
    """Legal actions, the step before and running statistics; the environment refuses what is not legal."""
    env_config, model = LANES[name]
    module, played = play({"core": GRU["core"], "skip": True, **model}, env_config)
    told = model.get("normalization")
    normalization = told and dict(zip(("observations", "rewards", "clip"), told, strict=True))
    policy = engram.load_policy(write(module, tmp_path / "p", normalization=normalization))
    assert agrees(policy, played)
    if told:
        assert policy.network.normalization.parts["0"].count == 9
    without_reward = [step._replace(given={**step.given, "reward": None}) for step in played]
    if model.get("previous_reward"):
        with pytest.raises(ValueError, match="reward: missing; this policy is given the reward of the step"):
            agrees(policy, without_reward)


def test_frozen_writers_and_statistics_of_a_core(tmp_path):
    core = {"type": "low_pass", "pools": 3, "size": 6, "normalize": "running", "train_input": False}
    module = make_module(GRU | {"core": core, "skip": True, "freeze": ["core"]}, SEEN["vector"], DONE["bits"])
    module.core(torch.randn(9, 4, 8), module.initial_state(4))
    assert agrees(engram.load_policy(write(module, tmp_path / "p")), act(module, SEEN["vector"]))


@pytest.fixture(scope="module")
def choosing(tmp_path_factory):
    """A policy of the grid: a picture, a direction and a text."""
    module = make_module({"core": GRU["core"]}, SEEN["grid"], DONE["start"])
    return engram.load_policy(write(module, tmp_path_factory.mktemp("policy") / "p"))


def test_one_observation_at_a_time_is_one_lane(choosing):
    SEEN["grid"].seed(0)
    seen = [SEEN["grid"].sample() for _ in range(12)]
    choosing.reset()
    alone, logits = [], []
    for step, observation in enumerate(seen):
        if step == 6:
            choosing.reset()
        action = choosing.act(observation)
        assert DONE["start"].contains(action)
        assert choosing.logits.shape == (3,)
        assert choosing.value.shape == ()
        alone.append(int(action))
        logits.append(choosing.logits)
    choosing.reset(lanes=1)
    for step, observation in enumerate(seen):
        lane = {key: np.asarray(part)[None] for key, part in observation.items()}
        assert choosing.act(lane, [step == 6]).tolist() == [alone[step]]
        assert np.array_equal(choosing.logits, logits[step][None])
    assert len({*alone}) > 1


def test_single_actions_are_in_their_space(tmp_path):
    for name, space in DONE.items():
        policy = engram.load_policy(write(make_module(GRU, SEEN["vector"], space), tmp_path / "p"))
        for explore in (False, True):
            action = policy.act(np.zeros(3), explore=explore)
            assert space.contains(action), (name, action)


def test_a_text_is_its_row_of_tokens(choosing):
    SEEN["grid"].seed(0)
    observation, text = SEEN["grid"].sample(), "Go to the blue, red ball"
    choosing.reset()
    choosing.act(observation | {"mission": any_spaces.TEXT.vocabulary.encode(text.replace("blue,", "x"), 6)})
    logits = choosing.logits
    choosing.reset()
    choosing.act(observation | {"mission": text.replace(",", "")})
    assert np.array_equal(choosing.logits, logits)
    both = {key: np.stack([part, part]) for key, part in observation.items()}
    choosing.reset(lanes=2)
    choosing.act(both | {"mission": [text.replace(",", ""), "go"]})
    np.testing.assert_allclose(choosing.logits[0], logits, rtol=1e-5)
    with pytest.raises(ValueError, match=r"has 9 words; legal: at most 6"):
        choosing.act(both | {"mission": ["go, go, go, go, go", ""]})


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_texts_are_cut_as_in_training(unit, tmp_path):
    space = Tokens(Vocabulary(["go", "to", "The", "red", "ball", ",", "a"], unit), 40)
    module = make_module({"core": GRU["core"]}, space, DONE["choice"])
    loaded = engram.load_policy(write(module, tmp_path / "p")).network.observation_space
    for text in ("", "Go to the red ball", "go,to the_red  ball!", "ein Ball äöü , a"):
        np.testing.assert_array_equal(loaded.encode(text), space.encode(text))


@pytest.fixture(scope="module")
def drawing(tmp_path_factory):
    """The file of a policy that draws numbers of any size."""
    module = make_module(GRU, SEEN["vector"], DONE["unbounded"])
    return write(module, tmp_path_factory.mktemp("policy") / "p", explore=True)


def test_draws_follow_the_seed(drawing):
    before = torch.get_rng_state()
    policy = engram.load_policy(drawing)

    def drawn(seed):
        policy.reset(seed=seed)
        return policy.act(np.zeros(3), explore=True).tolist()

    first = drawn(1)
    assert first == drawn(1)
    assert first not in (drawn(2), drawn(None), engram.load_policy(drawing).act(np.zeros(3)).tolist())
    assert torch.equal(torch.get_rng_state(), before)


def test_the_card_says_whether_actions_are_drawn(drawing, tmp_path):
    policy = engram.load_policy(drawing)
    likeliest = policy.act(np.zeros(3), explore=False)
    assert np.array_equal(likeliest, policy.logits[:2])
    policy.reset()
    assert not np.array_equal(policy.act(np.zeros(3)), likeliest)
    choosing = engram.load_policy(write(make_module(GRU, SEEN["vector"], DONE["unbounded"]), tmp_path / "p"))
    assert np.array_equal(choosing.act(np.zeros(3)), likeliest)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"observation": np.zeros(3)}, "observation: lacks image, direction, mission"),
        ({"image": None}, "observation.image: expected numbers, uint8: "),
        ({"image": np.zeros((7, 7))}, "observation.image: expected shape (7, 7, 3), got (7, 7)"),
        ({"direction": [1]}, "observation.direction: expected shape (), got (1,)"),
        ({"mission": "go to the red ball go go"}, "'go to the red ball go go' has 7 words; legal: at most 6"),
        ({"resets": [True]}, "resets: expected shape (), got (1,)"),
    ],
)
def test_what_does_not_fit_is_refused(choosing, given, line):
    choosing.reset()
    SEEN["grid"].seed(0)
    observation = SEEN["grid"].sample()
    if "observation" not in given and "resets" not in given:
        given = {"observation": observation | given}
    with pytest.raises(ValueError, match=re.escape(line)):
        choosing.act(**{"observation": observation} | given)


def test_lanes_that_do_not_fit_are_refused(choosing):
    for lanes in (0, -1, True, 2.0):
        with pytest.raises(ValueError, match="lanes: expected none or an integer >= 1, got "):
            choosing.reset(lanes=lanes)
    choosing.reset(lanes=3)
    SEEN["grid"].seed(0)
    line = "observation.image: expected shape (3, 7, 7, 3), 3 lanes first, got (7, 7, 3)"
    with pytest.raises(ValueError, match=re.escape(line)):
        choosing.act(SEEN["grid"].sample())


def test_numbers_that_are_not_finite_are_said(tmp_path):
    module = make_module(GRU, SEEN["vector"], DONE["choice"])
    with torch.no_grad():
        module.policy_head.bias[0] = torch.nan
    policy = engram.load_policy(write(module, tmp_path / "p"))
    with pytest.raises(ValueError, match="the network's numbers are not finite; its weights may be broken"):
        policy.act(np.zeros(3))


def test_thoughts_that_are_carried_and_thought_for_longer_in_tests(tmp_path):
    module = make_thinker("deep_thinking", carry=True, readout={"thinking_steps": 3})
    policy = engram.load_policy(write(module, tmp_path / "p"))
    assert agrees(policy, act(module, module.observation_space, steps=6))
    assert policy.network.thinking_steps == 3
