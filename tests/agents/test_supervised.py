"""`run: Supervised`, part by part and without Ray: data, losses, steps; each against a plain loop."""

import itertools
import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from shell import Shell
from torch import nn
from torch.nn import functional

import engram.envs  # noqa: F401  registers the tasks
from engram.agents import RecurrentModule, check_model, make_config
from engram.agents.columns.fragment import concatenate
from engram.agents.columns.optimizers import (
    epoch_options,
    lr_factor,
    make_optimizer,
    optimizer_options,
)
from engram.agents.columns.results import bptt_steps_of
from engram.agents.models.thinking import ThinkingModule
from engram.agents.supervised.labelled import LabelledFragment
from engram.agents.supervised.objectives import TARGETS
from engram.memory.thinking.deep_thinking import DeepThinking

PREFIX_SUMS = "engram.envs:engram/PrefixSums-v0"
COPYING = "engram.envs:engram/Copying-v0"
THINKER = {"core": {"type": "deep_thinking", "width": 8, "thinking_steps": 3}}
LSTM = {"encoder": {"type": "mlp", "hidden": [6]}, "core": {"type": "lstm", "size": 7}}
SPAN, LENGTH, SYMBOLS = 3, 2, 4
COPY = {"span": SPAN, "length": LENGTH, "symbols": SYMBOLS}
EPISODE = SPAN + 2 * LENGTH
LANES = 5


def config(model=THINKER, env=PREFIX_SUMS, env_config=None, **settings):
    result = make_config("Supervised", model)
    defaults = {PREFIX_SUMS: {"bits": 6}, COPYING: COPY}.get(env, {})
    result.environment(env, env_config=env_config or defaults).debugging(seed=0)
    result.num_envs_per_env_runner = LANES
    result.autocast = None  # the same numbers on any hardware
    for name, value in settings.items():
        setattr(result, name, value)
    result.validate()
    return result


def copying(**settings):
    return config(LSTM, COPYING, **settings)


# Labelled fragments and where they come from.


def test_runner_asks_prefix_sums_and_their_answers():
    runner = Shell(config(rollout_fragment_length=4)).runner
    first, second = runner.sample()[0], runner.sample()[0]
    for fragment in (first, second):
        bits = (fragment.observations[:, :, 0] + 0.5).astype(int)
        assert fragment.observations.shape == (4, LANES, 1, 6)
        np.testing.assert_array_equal(fragment.targets, bits.cumsum(-1) % 2)
        assert fragment.masks.all()
        assert fragment.resets.all()
    shown = np.concatenate([first.observations, second.observations]).reshape(8 * LANES, -1)
    assert len(np.unique(shown, axis=0)) > LANES


def test_runner_follows_the_episodes_of_copying():
    """Labelled fragments of 5 steps, episodes of 7: each is replayed by hand."""
    runner = Shell(copying(rollout_fragment_length=5)).runner
    fragments = [runner.sample()[0] for _ in range(9)]
    columns = {
        name: np.concatenate([getattr(fragment, name) for fragment in fragments])
        for name in ("observations", "resets", "targets", "masks")
    }
    steps = np.arange(45)
    for lane in range(LANES):
        np.testing.assert_array_equal(columns["resets"][:, lane], steps % EPISODE == 0)
        np.testing.assert_array_equal(columns["masks"][:, lane], steps % EPISODE >= SPAN + LENGTH)
        tokens = columns["observations"][:, lane].argmax(-1)
        for start in range(0, 45 - EPISODE + 1, EPISODE):
            string = tokens[start : start + LENGTH]
            said = columns["targets"][start + SPAN + LENGTH : start + EPISODE, lane]
            np.testing.assert_array_equal(said, string)
    assert len({tuple(columns["targets"][:, lane]) for lane in range(LANES)}) == LANES


def fragment(lanes, first=0, length=3):
    place = np.arange(length)[:, None] * 100 + np.arange(first, first + lanes)
    return LabelledFragment(
        place[..., None], place == 0, place, place > 0, np.arange(first, first + lanes), 7
    )


def test_lessons_split_and_join_by_lanes():
    whole = fragment(6)
    parts = whole.split(3)
    assert [part.lanes for part in parts] == [2, 2, 2]
    assert [len(part) for part in parts] == [6, 6, 6]
    np.testing.assert_array_equal(parts[1].targets, [[2, 3], [102, 103], [202, 203]])
    np.testing.assert_array_equal(parts[2].streams, [4, 5])
    joined = concatenate([fragment(2), fragment(4, first=2)])
    for name in ("observations", "resets", "targets", "masks", "streams"):
        np.testing.assert_array_equal(getattr(concatenate(parts), name), getattr(whole, name))
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert (joined.weights_seq_no, joined.env_steps()) == (7, 18)


def test_puzzles_are_shuffled_and_each_is_seen_once_an_epoch():
    shell = Shell(config(rollout_fragment_length=4, minibatch_size=8, num_epochs=2))
    given = shell.sample()
    given.observations[:] = np.arange(20).reshape(4, LANES, 1, 1)
    batches = list(shell.learner.batches(given, 2, 8))
    assert [len(batch) for batch in batches] == [8, 8, 4] * 2
    seen = [batch[Columns.OBS][:, 0, 0].tolist() for batch in batches]
    first, second = (list(itertools.chain(*seen[epoch : epoch + 3])) for epoch in (0, 3))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    for batch in batches:  # problem and answer stay together
        rows = batch[Columns.OBS][:, 0, 0].long()
        np.testing.assert_array_equal(batch[TARGETS], given.targets.reshape(20, -1)[rows])
    assert [len(batch) for batch in shell.learner.batches(given, 1, None)] == [LANES] * 4


def test_an_environment_that_does_not_teach_is_refused():
    settings = config({"core": {"type": "lstm"}}, "CartPole-v1")
    runner = settings.env_runner_cls(config=settings)
    with pytest.raises(
        ValueError, match=r"env: CartPole-v1 does not say .* no 'target' in info, which holds"
    ):
        runner.sample()


# Step sizes and optimisers.


def test_step_size_by_epochs():
    """Warm-up 1 - exp(-(e + 1) / W) up to epoch W - 2, 1 from W - 1 on, then the milestones."""
    options = epoch_options({"size": 100, "warmup": 4, "decay_at": [5, 7], "decay_factor": 0.1})
    expected = [1 - math.exp(-1 / 4), 1 - math.exp(-2 / 4), 1 - math.exp(-3 / 4), 1, 1, 0.1, 0.1, 0.01, 0.01]
    assert [lr_factor(options, 100 * epoch) for epoch in range(9)] == pytest.approx(expected)
    assert [lr_factor(options, 100 * epoch + 99) for epoch in range(9)] == pytest.approx(expected)
    assert lr_factor(epoch_options({}), 10**6) == 1.0
    assert lr_factor(epoch_options({"size": 10, "warmup": 1}), 0) == 1.0
    late = epoch_options({"size": 100, "decay_at": [1.5]})
    assert [lr_factor(late, steps) for steps in (100, 199, 200)] == pytest.approx([1.0, 1.0, 0.1])


def test_an_update_takes_the_step_size_of_the_epoch_it_began_in():
    """Epochs of two updates: the first two are epoch 0, whose warm-up factor is the smallest."""
    shell = Shell(config(rollout_fragment_length=2, lr=0.5, lr_epochs={"size": 20, "warmup": 3}))
    used = []
    for _ in range(6):
        shell.update(shell.sample())
        used += shell.rates()
    rising = [0.5 * (1 - math.exp(-1 / 3))] * 2 + [0.5 * (1 - math.exp(-2 / 3))] * 2
    assert used == pytest.approx([*rising, 0.5, 0.5])


@pytest.mark.parametrize(
    ("loss", "divisor"), [({"type": "final"}, 3), ({"type": "final", "iterations": 2}, 2)]
)
def test_throttle_divides_the_step_size_of_what_iterations_share(loss, divisor):
    shell = Shell(config(throttle=True, loss=loss, lr=0.6, optimizer={"type": "sgd"}))
    before, given = shell.weights(), shell.sample()
    shell.update(given)
    assert shell.rates() == pytest.approx([0.6, 0.6 / divisor])
    after, gradients = shell.weights(), {n: p.grad for n, p in shell.module.named_parameters()}
    recurrent = {name for name in before if name.startswith(("thinker.blocks", "thinker.recall"))}
    assert len(recurrent) == 5
    for name, gradient in gradients.items():
        if gradient is None:
            assert name.startswith("value_head")
            continue
        rate = 0.6 / divisor if name in recurrent else 0.6
        torch.testing.assert_close(after[name], before[name] - rate * gradient, msg=name)


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        ({"type": "adam", "eps": 1e-4}, torch.optim.Adam, {"eps": 1e-4, "betas": (0.9, 0.999)}),
        ({"type": "adamw", "weight_decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
        ({"type": "sgd", "momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.0}),
    ],
)
def test_optimisers(options, kind, expected):
    shared, own = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    optimizer = make_optimizer(optimizer_options(options), [shared, own], [shared], 0.25)
    assert type(optimizer) is kind
    assert [(group["params"], group["scale"]) for group in optimizer.param_groups] == [
        ([own], 1.0),
        ([shared], 0.25),
    ]
    for group in optimizer.param_groups:
        assert {name: group[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": {"type": "dleta"}}, r"loss\.type: unknown 'dleta'; did you mean 'delta'\?"),
        (
            {"loss": {"type": "delta", "aplha": 1}},
            r"loss\.aplha: unknown key; .*known: iterations, reduction",
        ),
        ({"loss": {"type": "progressive", "aplha": 1}}, r"loss\.aplha: unknown key; did you mean 'alpha'\?"),
        ({"loss": {}}, r"loss\.type: missing"),
        ({"optimizer": {"type": "adm"}}, r"optimizer\.type: unknown 'adm'; did you mean 'adam'\?"),
        ({"optimizer": {"momentu": 1}}, r"optimizer\.momentu: unknown key; did you mean 'momentum'\?"),
        ({"lr_epochs": {"size": 9, "warmpu": 1}}, r"lr_epochs\.warmpu: unknown key; did you mean 'warmup'\?"),
        ({"lr_epochs": {"warmup": 1}}, r"lr_epochs\.size: missing"),
        (
            {"optimizer": {"type": "adam", "eps": math.inf}},
            r"optimizer\.eps: expected a number >= 0, finite, got inf",
        ),
        ({"autocast": "bfloat"}, r"autocast: unknown 'bfloat'; did you mean 'bfloat16'\?"),
        ({"truncation": 5}, r"truncation: expected null, got 5; a core that thinks"),
    ],
)
def test_settings_of_thinking_that_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        config(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": {"type": "delta"}}, r"loss: \{'type': 'delta'\} is for networks that think over one step"),
        ({"throttle": True}, r"throttle: expected false, got True; it is for cores that think"),
        ({"truncation": 0}, r"truncation: expected an integer >= 1, or null, got 0"),
        ({"num_epochs": 2}, r"num_epochs: sequences are seen once, expected 1, got 2"),
        ({"minibatch_size": 10}, r"minibatch_size: expected null, got 10; of sequences"),
        (
            {"rollout_fragment_length": 4, "train_batch_size_per_learner": 21},
            r"train_batch_size_per_learner: of sequences, it is one fragment of every lane, 20 env steps",
        ),
    ],
)
def test_settings_of_sequences_that_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        copying(**settings)


def test_sequences_are_answered_by_one_of_several():
    settings = config({"core": {"type": "lstm"}}, "Pendulum-v1")
    space = gym.spaces.Box(-1, 1, (3,))
    with pytest.raises(ValueError, match="cannot be told what is right in Box"):
        settings.build_learner(spaces={DEFAULT_MODULE_ID: (space, space)}).build()


# Gradient steps against plain loops.


def deep_thinking(weights, problems, steps):
    """Logits of paper 2's network in plain PyTorch."""

    def conv(x, name):
        return functional.conv1d(x, weights[f"thinker.{name}.weight"], padding=1)

    thought = conv(problems, "projection").relu()
    for _ in range(steps):
        thought = conv(torch.cat([thought, problems], 1), "recall").relu()
        for first, second in (("conv1", "conv2"), ("conv3", "conv4")):
            inner = conv(thought, f"blocks.0.{first}").relu()
            thought = (conv(inner, f"blocks.0.{second}") + thought).relu()
    return conv(conv(conv(thought, "head.0").relu(), "head.1").relu(), "head.2")


def test_updates_of_a_thinker_equal_a_plain_loop():
    shell = Shell(config(lr=0.02, grad_clip=0.3))
    plain = {name: leaf.requires_grad_() for name, leaf in shell.weights().items() if "thinker" in name}
    optimizer = torch.optim.Adam(plain.values(), lr=0.02)
    for _ in range(4):
        given = shell.sample()
        shell.update(given)
        logits = deep_thinking(plain, torch.from_numpy(given.observations[0]), 3)
        optimizer.zero_grad()
        functional.cross_entropy(logits, torch.from_numpy(given.targets[0]).long()).backward()
        nn.utils.clip_grad_norm_(plain.values(), 0.3)
        optimizer.step()
    after = shell.weights()
    for name, leaf in plain.items():
        torch.testing.assert_close(after[name], leaf.detach(), rtol=1e-3, atol=1e-5, msg=name)


def lstm(weights, observations, resets, hidden, cell):
    """Logits (T, B, K) and the state, step by step in plain PyTorch."""
    matrices = [weights[f"core.lstm.{n}_l0"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    logits = []
    for seen, reset in zip(observations, resets, strict=True):
        kept = (~reset)[:, None].float()
        x = functional.linear(seen, weights["encoder.layers.0.weight"], weights["encoder.layers.0.bias"])
        hidden, cell = torch.lstm_cell(x.relu(), (hidden * kept, cell * kept), *matrices)
        logits.append(functional.linear(hidden, weights["policy_head.weight"], weights["policy_head.bias"]))
    return torch.stack(logits), hidden, cell


def test_updates_of_an_lstm_equal_a_plain_loop_of_truncated_gradients():
    """Windows of 4 in fragments of 8, episodes of 7: states go on, gradients do not."""
    sgd = {"type": "sgd", "momentum": 0.9, "weight_decay": 0.01}
    shell = Shell(copying(rollout_fragment_length=8, truncation=4, optimizer=sgd, lr=0.3, grad_clip=1.0))
    plain = {n: leaf.requires_grad_() for n, leaf in shell.weights().items() if "value_head" not in n}
    optimizer = torch.optim.SGD(plain.values(), lr=0.3, momentum=0.9, weight_decay=0.01)
    hidden, cell = torch.zeros(LANES, 7), torch.zeros(LANES, 7)
    for _ in range(3):
        given = shell.sample()
        shell.update(given)
        for window in (slice(0, 4), slice(4, 8)):
            seen = torch.from_numpy(given.observations[window]).float()
            resets = torch.from_numpy(given.resets[window])
            logits, hidden, cell = lstm(plain, seen, resets, hidden.detach(), cell.detach())
            counted = torch.from_numpy(given.masks[window])
            loss = logits.sum() * 0
            if counted.any():
                right = torch.from_numpy(given.targets[window])
                loss = loss + functional.cross_entropy(logits[counted], right[counted])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(plain.values(), 1.0)
            optimizer.step()
    after = shell.weights()
    for name, leaf in plain.items():
        torch.testing.assert_close(after[name], leaf.detach(), rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("truncation", [1, 3, None])
def test_windows_carry_the_state(truncation):
    """With a step size of 0, fragments cut into windows give what one pass over all of them gives."""
    shell = Shell(copying(rollout_fragment_length=5, truncation=truncation, lr=0.0))
    shell.module.policy_head.weight.data *= 100  # or all logits would look alike
    logits = []
    shell.module.policy_head.register_forward_hook(lambda _, __, output: logits.append(output.detach()))
    fragments = [shell.sample() for _ in range(3)]
    for given in fragments:
        shell.update(given)
    in_windows = torch.cat(logits)
    with torch.no_grad():
        columns = [
            torch.from_numpy(np.concatenate(c)) for c in zip(*map(seen_and_resets, fragments), strict=True)
        ]
        whole = shell.module.forward_columns(columns[0], shell.module.initial_state(LANES), columns[1])
    torch.testing.assert_close(in_windows, whole.action_dist_inputs)
    assert bptt_steps_of(shell.settings) == (truncation or 5)


def seen_and_resets(given):
    return given.observations, given.resets


def test_streams_begin_anew_where_lanes_are_missing():
    shell = Shell(copying(rollout_fragment_length=3))
    shell.update(shell.sample())
    lanes = shell.sample()
    states = []
    forward = shell.module.forward_columns
    shell.module.forward_columns = lambda obs, state, resets: (
        states.append(state),
        forward(obs, state, resets),
    )[1]
    half = lanes.split(2)[0]
    for given in (half, half, lanes):
        shell.update(given)
    carried = [bool(state["hidden"].any()) for state in states]
    assert [len(state["hidden"]) for state in states] == [2, 2, 5]
    assert carried == [False, True, False]


# What is reported.


def test_share_of_right_answers_of_a_thinker():
    shell = Shell(config(rollout_fragment_length=40, lr=0.0, env_config={"bits": 2}))
    given = shell.sample()
    told = shell.update(given)
    problems = torch.from_numpy(given.observations.reshape(200, 1, 2))
    with torch.no_grad():
        answers = shell.module.thinker(problems, 3)[-1].argmax(1).numpy()
    right = (answers == given.targets.reshape(200, 2)).all(1).sum()
    assert 0 < right < 200
    assert (told["solved_sum"], told["judged_sum"]) == (right, 200)


def test_share_of_right_answers_of_sequences():
    """Steps that do not count are not judged."""
    shell = Shell(copying(rollout_fragment_length=40, truncation=8, lr=0.0))
    given = shell.sample()
    told = shell.update(given)
    with torch.no_grad():
        seen, resets = torch.from_numpy(given.observations), torch.from_numpy(given.resets)
        outputs = shell.module.forward_columns(seen, shell.module.initial_state(LANES), resets)
    right = (outputs.action_dist_inputs.argmax(-1).numpy() == given.targets)[given.masks]
    assert (told["solved_sum"], told["judged_sum"]) == (right.sum(), given.masks.sum())


def test_a_loss_that_is_no_number_stops_the_run():
    shell = Shell(config())
    shell.module.thinker.projection.weight.data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="loss: nan at update 1; a smaller lr may help"):
        shell.update(shell.sample())


def test_autocast_multiplies_in_half_precision_and_learns_in_single():
    cast, exact = Shell(config(autocast="bfloat16")), Shell(config())
    kinds = []
    cast.module.thinker.projection.register_forward_hook(lambda _, __, output: kinds.append(output.dtype))
    given, before = exact.sample(), exact.weights()
    cast.module.load_state_dict(exact.module.state_dict())
    losses = [shell.update(given)["total_loss"] for shell in (cast, exact)]
    assert kinds == [torch.bfloat16]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
    for name, leaf in cast.weights().items():
        assert leaf.dtype == torch.float32
        if name.startswith("thinker"):
            assert not torch.equal(leaf, before[name])


@pytest.mark.parametrize("loss", ["final", "mean", "delta", "delta_random", "progressive"])
def test_every_loss_trains_under_autocast(loss):
    shell = Shell(config(autocast="bfloat16", loss={"type": loss}))
    before = shell.weights()
    for _ in range(4):  # progressive reaches the first layer only now and then
        shell.update(shell.sample())
    changed = {name for name, leaf in shell.weights().items() if not torch.equal(leaf, before[name])}
    assert changed >= {name for name in before if name.startswith(("thinker.blocks", "thinker.head"))}


# The module.


class Own(DeepThinking):
    """A class of one's own, by its import path."""


def test_a_thinker_of_ones_own():
    model = {"core": {"type": f"{__name__}:Own", "width": 8, "thinking_steps": 3}}
    assert check_model(model).core == model["core"]
    assert isinstance(config(model).get_default_rl_module_spec().module_class, type)
    assert config(model).get_default_rl_module_spec().module_class is ThinkingModule
    assert config(LSTM).get_default_rl_module_spec().module_class is RecurrentModule


def thinking_module(bits, **readout):
    torch.manual_seed(0)
    return ThinkingModule(
        observation_space=gym.spaces.Box(-0.5, 0.5, (1, bits)),
        action_space=gym.spaces.MultiBinary(bits),
        model_config=THINKER | {"readout": readout},
    ).eval()


def act(module, problems):
    columns = torch.from_numpy(problems)[None]
    inputs = module.forward_columns(columns, module.initial_state(len(problems))).action_dist_inputs[0]
    return module.get_inference_action_dist_cls().from_logits(inputs).to_deterministic().sample()


def strings(count, bits):
    return (np.random.default_rng(0).integers(0, 2, (count, 1, bits)) - 0.5).astype(np.float32)


def test_the_likeliest_bits_are_the_answer():
    module, problems = thinking_module(6), strings(50, 6)
    expected = module.thinker(torch.from_numpy(problems), 3)[-1].argmax(1)
    np.testing.assert_array_equal(act(module, problems), expected)


@pytest.mark.parametrize("top", [1, 2, 5])
def test_readout_of_the_largest_logits(top):
    module, problems = thinking_module(6, top=top), strings(50, 6)
    logits = module.thinker(torch.from_numpy(problems), 3)[-1][:, 1].detach().numpy()
    chosen = act(module, problems).numpy()
    for row, bits in zip(logits, chosen, strict=True):
        assert set(np.flatnonzero(bits)) == set(np.argsort(row)[-top:])


def test_readout_cannot_set_all_bits():
    with pytest.raises(
        ValueError, match=r"readout\.top: expected none, or fewer than the bits of MultiBinary"
    ):
        thinking_module(6, top=6)


def test_tests_may_think_for_longer():
    module, problems = thinking_module(6, thinking_steps=9), strings(50, 6)
    thoughts = module.thinker(torch.from_numpy(problems), 9)
    np.testing.assert_array_equal(act(module, problems), thoughts[2].argmax(1))
    module.prepare_tests()
    np.testing.assert_array_equal(act(module, problems), thoughts[8].argmax(1))


def test_weights_answer_puzzles_of_another_size():
    small, large = thinking_module(6), thinking_module(17)
    large.load_state_dict(small.state_dict())
    small.resize(large.observation_space, large.action_space)
    problems = strings(20, 17)
    np.testing.assert_array_equal(act(small, problems), act(large, problems))
    with pytest.raises(ValueError, match=r"made for answers in MultiBinary\(17\), not in Discrete\(2\)"):
        small.resize(large.observation_space, gym.spaces.Discrete(2))
