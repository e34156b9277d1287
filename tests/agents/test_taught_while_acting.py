"""`run: Supervised` where the network itself acts: fragments, steps, trials; on the IBL task."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from shell import Shell
from torch import nn

import engram.envs  # noqa: F401  registers the tasks
from engram.agents import make_config
from engram.agents.columns.results import bptt_steps_of
from engram.agents.columns.trials import TRIALS, TrialLog, per_trial
from engram.agents.models.actions import action_converter

IBL = "engram.envs:engram/IBL-v0"
SESSION = {"blocks_per_session": 1, "min_block": 2, "max_block": 2}  # two trials, 6 to 24 env steps
THRESHOLD = {"type": "engram.envs.ibl.threshold:BatchedThresholdAction", "threshold": 0.6}
SGD = {"type": "sgd", "momentum": 0.1}
RNN = {
    "encoder": {"type": "one_hot"},
    "core": {"type": "rnn", "size": 5},
    "head": {"init": "torch"},
    "softmax": True,
}
LANES = 3


def config(model=RNN, lanes=LANES, env_config=SESSION, wrappers=(THRESHOLD,), **settings):
    result = make_config("Supervised", model)
    result.environment(IBL, env_config={**env_config, "wrappers": list(wrappers)}).debugging(seed=3)
    result.num_envs_per_env_runner, result.rollout_fragment_length = lanes, 30
    result.behavior, result.loss, result.optimizer = "network", {"type": "neg_prob"}, SGD
    for name, value in settings.items():
        setattr(result, name, value)
    result.validate()
    return result


def plain_twin(shell):
    """The network as plain PyTorch has it, with the same weights: an RNN and a linear layer, float64."""
    module = shell.module
    rnn, readout = nn.RNN(3, module.core.output_size), nn.Linear(module.core.output_size, 2)
    rnn.load_state_dict(module.core.rnn.state_dict())
    readout.load_state_dict(module.policy_head.state_dict())
    return rnn.double(), readout.double()


def probabilities_of(twin, observations, resets, hidden):
    """Probabilities (T, B, 2), step by step, and the state behind them."""
    rnn, readout = twin
    rows = []
    for seen, reset in zip(torch.from_numpy(observations).double(), torch.from_numpy(resets), strict=True):
        hidden = hidden * (~reset)[None, :, None]
        outputs, hidden = rnn(seen[None], hidden)
        rows.append(readout(outputs[0]).softmax(-1))
    return torch.stack(rows), hidden


def test_the_network_acts_and_is_told_what_was_right():
    """Each fragment is played again, step by step, by a plain network and the rule of the threshold."""
    shell = Shell(config())
    shell.sync()
    envs = gymnasium.make_vec(
        "engram/IBL-v0", num_envs=LANES, vectorization_mode="vector_entry_point", **SESSION
    )
    seen, infos = envs.reset(seed=shell.runner._lane_seeds())
    hidden, twin = torch.zeros(1, LANES, 5, dtype=torch.float64), plain_twin(shell)
    resets, acts = np.ones(LANES, bool), 0
    for _ in range(2):
        fragment = shell.sample()
        for step in range(30):
            np.testing.assert_array_equal(fragment.observations[step], seen)
            np.testing.assert_array_equal(fragment.resets[step], resets)
            np.testing.assert_array_equal(fragment.targets[step], infos["side"] > 0)
            np.testing.assert_array_equal(fragment.masks[step], ~infos["is_blank"])
            with torch.no_grad():
                rows, hidden = probabilities_of(twin, seen[None], resets[None], hidden)
            left, right = rows[0].numpy().T
            actions = np.select([right > 0.6, left > 0.6], [1, 0], 2)
            acts += (actions != 2).sum()
            seen, _, terminated, truncated, infos = envs.step(actions)
            resets = terminated | truncated
    assert 0 < acts < 2 * 30 * LANES


@pytest.mark.parametrize("settings", [{}, {"batch_mode": "complete_episodes", "rollout_fragment_length": 1}])
def test_updates_equal_plain_gradients(settings):
    """Fragments of all lanes, or one session after the other: one step of SGD on each of them."""
    whole = bool(settings)
    shell = Shell(config(lanes=1 if whole else LANES, lr=0.5, **settings))
    twin = plain_twin(shell)
    optimizer = torch.optim.SGD([*twin[0].parameters(), *twin[1].parameters()], lr=0.5, momentum=0.1)
    hidden = torch.zeros(1, shell.runner.num_envs, 5, dtype=torch.float64)
    for _ in range(3):
        shell.sync()
        given = shell.sample()
        if whole:
            assert given.resets[:, 0].tolist() == [True] + [False] * (len(given.resets) - 1)
            assert 6 <= len(given.resets) <= 24
        assert shell.update(given)["steps_taken"] == 1
        rows, hidden = probabilities_of(twin, given.observations, given.resets, hidden.detach())
        right = rows.gather(-1, torch.from_numpy(given.targets)[..., None])[..., 0]
        loss = -(right * torch.from_numpy(given.masks)).sum() / given.masks.size
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for layer, plain in zip(plain_twin(shell), twin, strict=True):
        for name, weight in layer.named_parameters():
            torch.testing.assert_close(weight, plain.get_parameter(name), rtol=1e-5, atol=1e-6, msg=name)


def test_whole_sessions_follow_each_other():
    shell = Shell(config(lanes=1, batch_mode="complete_episodes", rollout_fragment_length=1))
    assert shell.settings.total_train_batch_size == 1
    assert bptt_steps_of(shell.settings) is None
    sessions = [shell.sample() for _ in range(4)]
    assert len({session.observations.tobytes() for session in sessions}) == 4
    assert shell.runner.num_env_steps_sampled_lifetime == sum(len(session.resets) for session in sessions)


def test_targets_may_act_by_certainty():
    shell = Shell(config(behavior="targets"))
    given = shell.sample()
    observed = given.masks.sum()
    reported = Reported(shell.runner)
    assert reported[TRIALS] == {}  # nobody plays
    blank = 2 * observed  # every trial takes one observation after two blank steps
    assert abs(given.masks.size - (blank + observed)) <= 2 * LANES


class Reported(dict):
    """Stands in for RLlib's metrics: sums of trials by name."""

    def __init__(self, runner):
        super().__init__({TRIALS: {}})
        runner._episodes.report(self)

    def log_value(self, key, value, **_):
        if key[0] == TRIALS and value:
            self[TRIALS][key[1]] = value


def test_trials_are_counted_in_every_report():
    """Against the infos of the same sessions, added up."""
    shell = Shell(config(rollout_fragment_length=200))
    told = []
    step = shell.runner.env.step

    def listen(actions):
        results = step(actions)
        told.append(results)
        return results

    shell.runner.env.step = listen
    for _ in range(2):
        told.clear()
        shell.sample()
        means = per_trial(Reported(shell.runner)[TRIALS])
        trials = right = acted = waited = rewards = 0
        for _, earned, terminated, truncated, infos in told:
            rewards += earned.sum()
            over = terminated | truncated
            for lane in range(LANES):
                now = infos["final_info"] if over[lane] else infos
                trials += int(now["trial_end"][lane])
                right += int(now["correct"][lane])
                acted += int(now["acted"][lane])
                waited += int(now["observations"][lane])
        assert means["count"] == trials > 0
        assert means["accuracy"] == pytest.approx(right / trials)
        assert means["acted"] == pytest.approx(acted / trials)
        assert means["observations"] == pytest.approx(waited / trials)
        assert means["reward"] == pytest.approx(rewards / trials)


def test_lanes_that_do_not_count_are_left_out():
    log = TrialLog({"accuracy": "correct"})
    infos = {"trial_end": np.array([True, True, False]), "correct": np.array([True, False, False])}
    log.step(np.array([1.0, -1.0, -0.05]), np.zeros(3, bool), infos, np.array([True, False, True]))
    assert per_trial(log.get_state()) == pytest.approx({"count": 1, "accuracy": 1.0, "reward": 0.95})
    log.forget()
    assert np.isnan(per_trial(log.get_state())["accuracy"])


# The action that is probabilities.


def test_an_action_of_probabilities():
    actions = action_converter(spaces.Box(0.0, 1.0, (3,), np.float64), softmax=True)
    logits = torch.tensor([[0.0, np.log(2.0), np.log(5.0)]])
    assert (actions.kind, actions.size, actions.classes) == ("softmax", 3, 3)
    for drawn in (actions.likeliest(logits), actions.draw(logits, torch.Generator())):
        np.testing.assert_allclose(actions.to_env(drawn.numpy()), [[1 / 8, 2 / 8, 5 / 8]], rtol=1e-6)
    targets = actions.targets(np.array([2, 0]))
    np.testing.assert_array_equal(actions.to_env(actions.certain(targets)), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize(
    "space", [spaces.Discrete(2), spaces.Box(0, 1, (1,)), spaces.Box(-1, 1, (2,)), spaces.Box(0, 1, (2, 2))]
)
def test_other_spaces_hold_no_probabilities(space):
    with pytest.raises(ValueError, match=r"softmax: true is for the action space Box from 0 to 1"):
        action_converter(space, softmax=True)


def test_probabilities_are_not_drawn():
    settings = make_config("RecurrentPPO", RNN)
    space = spaces.Box(0.0, 1.0, (2,), np.float64)
    spec = settings.get_default_rl_module_spec()
    spec.observation_space, spec.action_space, spec.model_config = spaces.Box(-1, 1, (3,)), space, RNN
    with pytest.raises(ValueError, match="softmax: true is for run: Supervised"):
        spec.build()


@pytest.mark.parametrize("init", ["even", "torch"])
def test_what_the_readout_starts_from(init):
    shell = Shell(config(RNN | {"core": {"type": "rnn", "size": 50}, "head": {"init": init}}))
    bound = 1 / np.sqrt(50)  # PyTorch draws weights and biases uniformly
    largest = shell.module.policy_head.weight.abs().max().item()
    assert largest <= (bound if init == "torch" else bound / 100)
    assert largest >= 0.8 * (bound if init == "torch" else bound / 100)
    assert bool(shell.module.policy_head.bias.any()) == (init == "torch")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"behavior": "networks"}, r"behavior: unknown 'networks'; did you mean 'network'\?"),
        (
            {"batch_mode": "complete_episodes"},
            r"batch_mode: complete_episodes .* one lane .*, got 3",
        ),
        ({"loss": {"type": "final"}}, r"loss: \{'type': 'final'\} is for networks that think over one step"),
        ({"loss": {"type": "neg_probs"}}, r"loss\.type: unknown 'neg_probs'; did you mean 'neg_prob'\?"),
    ],
)
def test_what_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        config(**settings)


def test_a_wrong_class_is_named():
    shell = Shell(config())
    shell.runner.sample()
    shell.runner._infos["target"] = np.array([0, 5, 1])
    shell.runner._infos["mask"] = np.ones(3, bool)
    with pytest.raises(ValueError, match=r"says that 5 is right, which is not in the 2 classes of Box"):
        shell.runner.sample()


def test_a_state_of_lanes_goes_on(tmp_path):
    """A runner that goes on from another's state plays what that one plays."""
    first, second = Shell(config()), Shell(config())
    for shell in (first, second):
        shell.sync()
    second.runner.module.load_state_dict(first.module.state_dict())
    first.sample()
    second.runner.set_lanes_state(first.runner.lanes_state())
    one, other = first.sample(), second.sample()
    for name in ("observations", "resets", "targets", "masks"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
