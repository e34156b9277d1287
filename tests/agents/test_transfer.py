"""A new run starts from another run's weights: which parts, bit for bit, in learners and env runners."""

import re

import gymnasium as gym
import numpy as np
import pytest
import recall  # noqa: F401  registers the task
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.rl_module import RLModule, RLModuleSpec

import engram.envs  # noqa: F401  registers the tasks
from engram.agents import make_config
from engram.agents.models import transfer
from engram.agents.models.choice import module_class
from engram.agents.models.moments import NORMALIZATION
from engram.train.runs.wholeness import MODULE

RECALL = "recall:engram_tests/CueRecall-v0"
PREFIX_SUMS = "engram.envs:engram/PrefixSums-v0"
MLP = {"type": "mlp", "hidden": [8]}
LSTM = {"encoder": MLP, "core": {"type": "lstm", "size": 8}}
FROZEN_INPUT = {
    "encoder": MLP,
    "core": {"type": "low_pass", "pools": 3, "size": 4, "normalize": "running", "train_input": False},
    "skip": True,
    "head": {"hidden": [6]},
}
THINKER = {"core": {"type": "deep_thinking", "width": 4, "thinking_steps": 2}}
BOX, TWO, FIVE = gym.spaces.Box(0, 1, (4,)), gym.spaces.Discrete(2), gym.spaces.Discrete(5)
BITS, OF_BITS = gym.spaces.Box(0, 1, (1, 6)), gym.spaces.MultiBinary(6)


def build(model, actions=TWO, observations=BOX, seed=0):
    torch.manual_seed(seed)
    return RLModuleSpec(
        module_class=module_class(model),
        observation_space=observations,
        action_space=actions,
        model_config=model,
    ).build()


def saved(module, folder):
    """A checkpoint's folder with a module in it and nothing else."""
    module.save_to_path(folder / transfer.STATE.parent)
    return str(folder)


def start(model, source, actions=TWO, observations=BOX, **init):
    return transfer.start_of(build({**model, "init_from": source, "init": init}, actions, observations, 1))


def test_weights_are_read_where_checkpoints_have_them():
    assert transfer.STATE.parent == MODULE


HEADS = ["policy_head.bias", "policy_head.weight", "value_head.bias", "value_head.weight"]


@pytest.mark.parametrize(
    ("model", "init", "copied", "new"),
    [
        (LSTM, {}, {"encoder": 2, "core": 4}, ["heads"]),
        (LSTM, {"heads": True}, {"encoder": 2, "core": 4, "heads": 4}, []),
        (LSTM, {"core": False}, {"encoder": 2}, ["core", "heads"]),
        (LSTM, {"encoder": False, "core": False, "heads": True}, {"heads": 4}, ["encoder", "core"]),
        (FROZEN_INPUT, {"core": False}, {"encoder": 4}, ["core", "heads"]),
        (FROZEN_INPUT, {"encoder": False, "heads": True}, {"core": 12, "heads": 6}, ["encoder"]),
    ],
)
def test_parts_of_a_recurrent_network(tmp_path, model, init, copied, new):
    source = build(model)
    found = start(model, saved(source, tmp_path), **init)
    if "core" in copied:
        copied = copied | {"core": len(source.core.state_dict())}
    assert (found.source, found.copied, found.new) == (str(tmp_path), copied, new)
    state = source.state_dict()
    for name, value in found.state.items():
        assert np.array_equal(value, state[name])


def test_parts_of_a_thinking_network_have_its_own_names(tmp_path):
    source = saved(build(THINKER, OF_BITS, BITS), tmp_path)
    longer = gym.spaces.Box(0, 1, (1, 9)), gym.spaces.MultiBinary(9)
    found = start(THINKER, source, longer[1], longer[0])
    assert found.copied == {"projection": 1, "recall": 1, "blocks": 4}
    assert found.new == ["head", "value_head"]
    assert start(THINKER, source, OF_BITS, BITS, head=True).new == ["value_head"]


def test_members_of_a_part(tmp_path):
    """Inputs of other sizes: all but the first layer of the encoder."""
    model = LSTM | {"encoder": {"type": "mlp", "hidden": [8, 8]}}
    source = saved(build(model), tmp_path)
    wider = gym.spaces.Box(0, 1, (7,))
    found = start(model, source, observations=wider, encoder=["2"])
    assert found.copied == {"encoder": 2, "core": 4}
    assert {name for name in found.state if name.startswith("enc")} == {
        "encoder.layers.2.weight",
        "encoder.layers.2.bias",
    }
    assert found.new == ["encoder", "heads"]


DICT = LSTM | {"encoder": {"type": "dict", "mission": {"type": "bag"}}}
PICKUP, ROOMS = (
    gym.make_vec(f"engram/{name}-v0", num_envs=1).single_observation_space
    for name in ("PickupDist", "MultiRoom")
)


@pytest.mark.parametrize(
    ("encoder", "members"),
    [
        (True, {"image", "direction", "mission"}),
        (["image"], {"image"}),
        (["mission", "image"], {"image", "mission"}),
        (["parts.mission.vectors"], {"mission"}),
    ],
)
def test_parts_of_an_observation_are_taken_over_by_name(tmp_path, encoder, members):
    """From one grid level to another, with heads for another number of actions."""
    source = build(DICT, gym.spaces.Discrete(7), PICKUP)
    found = start(DICT, saved(source, tmp_path), FIVE, ROOMS, encoder=encoder)
    numbers = {name: f"encoder.parts.{number}." for number, name in enumerate(source.encoder.names)}
    taken = {name for name, begin in numbers.items() if any(key.startswith(begin) for key in found.state)}
    assert taken == members - {"direction"}  # which has no weights
    whole = {name for name in source.state_dict() if name.startswith(tuple(numbers[one] for one in members))}
    assert {name for name in found.state if name.startswith("encoder.")} == whole
    assert found.new == ["heads"] if members >= {"image", "mission"} else ["encoder", "heads"]


def test_parts_of_a_network_that_cannot_be_built_any_more_are_numbered_as_here(tmp_path):
    source = saved(build(DICT, FIVE, PICKUP), tmp_path)
    (tmp_path / MODULE / "class_and_ctor_args.pkl").unlink()
    assert start(DICT, source, FIVE, PICKUP, encoder=["mission"]).copied == {"encoder": 1, "core": 4}


def test_parts_of_an_observation_keep_their_names_where_their_numbers_change(tmp_path):
    """Two parts stand before them here, and one is left out."""
    source = build(DICT, FIVE, PICKUP)
    more = gym.spaces.Dict({"a": BOX, "b": BOX, **PICKUP.spaces})
    model = DICT | {"encoder": {"type": "dict", "direction": {"type": "none"}, "mission": {"type": "gru"}}}
    init = {"encoder": ["image"], "core": False}
    found = start(model, saved(source, tmp_path), FIVE, more, **init)
    mine, theirs = build(model, FIVE, more).encoder.names, source.encoder.names
    before, after = (f"encoder.parts.{names.index('image')}." for names in (theirs, mine))
    assert before != after
    state = source.state_dict()
    expected = {
        name.replace(before, after): value for name, value in state.items() if name.startswith(before)
    }
    assert found.state.keys() == expected.keys()
    assert all(np.array_equal(found.state[name], value) for name, value in expected.items())
    line = "init_from: encoder.parts.a.layers.0.weight is missing in"
    with pytest.raises(ValueError, match=re.escape(line)):
        start(model, str(tmp_path), FIVE, more, core=False)
    with pytest.raises(ValueError, match=r"init\.encoder: unknown 'imag'; did you mean 'image'\?"):
        start(model, str(tmp_path), FIVE, more, encoder=["imag"])


def normalising(observations=False, rewards=False):
    """LSTM, under an algorithm that normalises."""
    return LSTM | {NORMALIZATION: (observations, rewards, None)}


def test_statistics_of_observations_go_with_the_encoder_and_those_of_returns_with_the_heads(tmp_path):
    model = normalising(observations=True, rewards=True)
    source = build(model)
    source.normalization.observe(torch.rand(3, 2, 4))
    source.normalization.observe_returns(torch.rand(3, 2))
    path = saved(source, tmp_path)
    found = start(model, path)
    assert found.copied == {"encoder": 2, "core": 4, "normalization": 3}
    assert found.new == ["heads"]
    assert int(found.state["normalization.parts.0.count"]) == 6
    assert not [name for name in found.state if "returns" in name]
    assert start(model, path, heads=True).copied == found.copied | {"heads": 4 + 3}
    assert start(model, path, normalization=False).new == ["normalization", "heads"]


@pytest.mark.parametrize(
    ("before", "now", "init", "line"),
    [
        ({"observations": True}, {}, {}, "observations: true, here it is false; {encoder: false}"),
        ({"observations": True}, {}, {"encoder": False}, None),
        ({}, {"observations": True}, {}, "observations: false, here it is true; {normalization: false}"),
        ({}, {"observations": True}, {"normalization": False}, None),
        ({"rewards": True}, {}, {"heads": True}, "rewards: true, here it is false; {heads: false}"),
        ({}, {"rewards": True}, {"heads": True}, "rewards: false, here it is true; {heads: false}"),
        ({"rewards": True}, {}, {}, None),
    ],
)
def test_statistics_that_are_in_one_place_alone(tmp_path, before, now, init, line):
    source = saved(build(normalising(**before)), tmp_path)
    if line is None:
        assert start(normalising(**now), source, **init).copied["core"] == 4
        return
    setting, _, part = line.partition("; ")
    with pytest.raises(
        ValueError, match=f"{re.escape(f'{source} was trained with normalize_{setting}; say')}.*{part}"
    ):
        start(normalising(**now), source, **init)


def test_frozen_statistics_stay():
    for freeze, count in (([], 6), (["encoder"], 6), (["normalization"], 0)):
        module = build(normalising(observations=True) | {"freeze": freeze})
        module.normalization.observe(torch.rand(3, 2, 4))
        assert int(module.normalization.parts["0"].count) == count


@pytest.mark.parametrize(
    ("model", "actions", "init", "line"),
    [
        (
            LSTM | {"core": {"type": "lstm", "size": 9}},
            TWO,
            {},
            "init_from: core.lstm.weight_ih_l0 is (32, 8) in HERE and (36, 8) here; leave that part out by "
            "init: {core: false}",
        ),
        (
            LSTM | {"core": {"type": "gru", "size": 8}},
            TWO,
            {},
            "init_from: core.gru.weight_ih_l0 is missing in HERE and (24, 8) here; leave that part out by "
            "init: {core: false}",
        ),
        (
            LSTM,
            FIVE,
            {"heads": True},
            "init_from: policy_head.weight is (2, 8) in HERE and (5, 8) here; leave that part out by "
            "init: {heads: false}",
        ),
        (LSTM, TWO, {"encodr": True}, "init.encodr: unknown key; did you mean 'encoder'? known: core, enc"),
        (LSTM, TWO, {"encoder": ["layer"]}, "init.encoder: unknown 'layer'; did you mean 'layers'? known: "),
        (LSTM, TWO, {"encoder": 1}, "init.encoder: expected true, false or a list of its members, got 1"),
        (LSTM, TWO, {"encoder": []}, "init.encoder: expected true, false or a list of its members, got []"),
        (LSTM, TWO, {"encoder": False, "core": False}, "init: takes nothing over from HERE; leave init_from"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, model, actions, init, line):
    source = saved(build(LSTM), tmp_path)
    with pytest.raises(ValueError, match=re.escape(line.replace("HERE", source))):
        start(model, source, actions, **init)


def test_a_part_is_taken_over_whole_or_refused(tmp_path):
    source = saved(build(LSTM | {"encoder": {"type": "mlp", "hidden": [8, 8]}}), tmp_path)
    line = (
        f"init_from: encoder.layers.2.weight is (8, 8) in {source} and missing here; leave that part out by"
    )
    with pytest.raises(ValueError, match=re.escape(line)):
        start(LSTM, source)


@pytest.mark.parametrize("content", [None, b"no pickle", b""])
def test_a_checkpoint_that_cannot_be_read(tmp_path, content):
    if content is not None:
        (tmp_path / transfer.STATE).parent.mkdir(parents=True)
        (tmp_path / transfer.STATE).write_bytes(content)
    with pytest.raises(ValueError, match=r"^init_from: .*module_state\.pkl cannot be read: "):
        start(LSTM, str(tmp_path))


def config(run, model, env=RECALL, **settings):
    made = make_config(run, model)
    made.environment(env, env_config={"bits": 6} if env == PREFIX_SUMS else {}).debugging(seed=3)
    made.env_runners(num_env_runners=0, num_envs_per_env_runner=8).learners(num_learners=0)
    made.rollout_fragment_length = 1 if env == PREFIX_SUMS else 10
    made.train_batch_size_per_learner = 8 * made.rollout_fragment_length
    made.num_epochs, made.minibatch_size = 1, None
    made.min_time_s_per_iteration, made.min_sample_timesteps_per_iteration = None, 1
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def learner_of(algorithm):
    return algorithm.learner_group._learner


def weights_of(algorithm):
    """Weights of the learner's network and of the runner's."""
    modules = learner_of(algorithm).module[DEFAULT_MODULE_ID], algorithm.get_module()
    return [{name: value.numpy().copy() for name, value in each.state_dict().items()} for each in modules]


CASES = [
    ("RecurrentPPO", FROZEN_INPUT, RECALL, "encoder"),
    ("Supervised", THINKER, PREFIX_SUMS, "recall"),
    ("APPO", LSTM, RECALL, "encoder"),
    *(
        pytest.param(run, LSTM, RECALL, "core", marks=pytest.mark.slow)
        for run in ("RecurrentPPO", "RecurrentIMPALA", "PPO", "IMPALA")
    ),
]


@pytest.mark.parametrize(("run", "model", "env", "frozen"), CASES)
def test_learner_and_runner_start_from_these_weights(ray_cluster, tmp_path, run, model, env, frozen):
    """... bit for bit, with fresh optimisers; what is frozen stays; a restored run keeps its own."""
    source = build_source(run, model, env, tmp_path / "source")
    scratch = config(run, model, env).build_algo()
    expected = weights_of(scratch)[0]
    scratch.stop()
    asked = model | {"init_from": str(tmp_path / "source"), "freeze": [frozen]}
    algorithm = config(run, asked, env).build_algo()
    parts = algorithm.get_module().parts()
    taken = [name for name in expected if parts.part_of(name) not in (None, *parts.heads)]
    expected |= {name: source[name] for name in taken}
    for weights in weights_of(algorithm):
        same = {name: np.array_equal(weights[name], expected[name]) for name in weights}
        assert set(same) >= set(taken)
        assert [name for name in same if not same[name] and not name.startswith("_target")] == []
    module = learner_of(algorithm).module[DEFAULT_MODULE_ID]
    for network, slow in module.get_target_network_pairs() if run == "APPO" else ():
        assert all(
            torch.equal(slow.state_dict()[name], value) for name, value in network.state_dict().items()
        )
    assert not any(optimizer.state for optimizer in learner_of(algorithm)._named_optimizers.values())
    for _ in range(2):
        result = algorithm.train()
    assert result["training_iteration"] == 2
    trained, _ = weights_of(algorithm)
    still = {name for name in taken if np.array_equal(trained[name], source[name])}
    assert still >= {name for name in taken if parts.part_of(name) == frozen}
    assert set(taken) - still or run == "APPO"
    algorithm.save_to_path(tmp_path / "own")
    algorithm.stop()
    saved = saved_weights(tmp_path / "own")
    (tmp_path / "source" / transfer.STATE).unlink()
    restored = Algorithm.from_checkpoint(str(tmp_path / "own"))
    again, _ = weights_of(restored)
    assert restored.train()["training_iteration"] == 3
    restored.stop()
    assert all(np.array_equal(again[name], saved[name]) for name in saved)


def build_source(run, model, env, folder):
    """Weights of a network that was trained a little with other settings, and lies in a checkpoint."""
    algorithm = config(run, model, env, seed=11).build_algo()
    algorithm.train()
    algorithm.save_to_path(folder)
    algorithm.stop()
    return saved_weights(folder)


def saved_weights(folder):
    """Weights in a checkpoint; those of a learner may have gone on, for IMPALA's does not wait."""
    state = RLModule.from_checkpoint(folder / MODULE).state_dict()
    return {name: value.numpy() for name, value in state.items()}


def test_a_source_that_is_gone_is_an_error_for_a_new_run(ray_cluster, tmp_path):
    algorithm = config("RecurrentPPO", LSTM | {"init_from": str(tmp_path)}).build_algo()
    with pytest.raises(ValueError, match=r"^init_from: .* cannot be read"):
        algorithm.train()
    algorithm.stop()


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (
            LSTM | {"freeze": ["cor"]},
            "freeze: unknown 'cor'; did you mean 'core'? known: core, encoder, heads",
        ),
        (
            LSTM | {"freeze": ["encoder", "core", "heads"]},
            "freeze: encoder, core, heads is all there is; nothing would be left to train",
        ),
    ],
)
def test_what_cannot_be_frozen(model, line):
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        build(model)


def test_running_statistics_of_a_frozen_core_stay():
    """... though the module is in training mode."""
    for freeze, moved in ((["core"], False), ([], True)):
        module = build(FROZEN_INPUT | {"freeze": freeze}).train()
        before = {name: value.clone() for name, value in module.core.named_buffers()}
        module.forward_columns(torch.rand(5, 3, 4), module.initial_state(3))
        after = dict(module.core.named_buffers())
        assert any(not torch.equal(before[name], after[name]) for name in before) is moved
