"""Rewards, observations, losses, gradients and parameters that are not finite: named, left out, stopped."""

import math

import faulty  # noqa: F401  registers the task
import numpy as np
import pytest
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.training_data import TrainingData

from engram.agents import make_config
from engram.agents.columns.episodes import EPISODES
from engram.agents.columns.finite import NON_FINITE, LaneGuard, NonFinite, all_finite
from engram.agents.columns.learner import STEPS_TAKEN
from engram.agents.columns.results import ResultCallbacks

OURS = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}
LANES, STEPS = 4, 5


def config(run="RecurrentPPO", env_config=None, env="faulty:engram_tests/Faulty-v0", **settings):
    """A fragment has 5 steps of 4 lanes; an iteration one fragment."""
    result = make_config(run, OURS).environment(env, env_config=env_config or {})
    result.debugging(seed=0)
    result.num_env_runners, result.num_envs_per_env_runner, result.num_learners = 0, LANES, 0
    result.rollout_fragment_length, result.train_batch_size_per_learner = STEPS, LANES * STEPS
    result.minibatch_size, result.num_epochs = None, 1
    result.min_time_s_per_iteration, result.min_sample_timesteps_per_iteration = None, LANES * STEPS
    for name, value in settings.items():
        setattr(result, name, value)
    result.validate()
    return result


class Shell:
    """A runner and a learner, taking turns as the algorithm has them do."""

    def __init__(self, *arguments, **settings):
        torch.manual_seed(0)
        self.config = settings.pop("made", None) or config(*arguments, **settings)
        self.runner = self.config.env_runner_cls(config=self.config)
        spaces = (self.runner.env.single_observation_space, self.runner.env.single_action_space)
        self.learner = self.config.build_learner(spaces={DEFAULT_MODULE_ID: spaces})
        self.learner.build()
        self.module = self.learner.module[DEFAULT_MODULE_ID]

    def sample(self):
        (fragment,) = self.runner.sample()
        return fragment

    def told(self):
        """Metrics since the last call; a series of one comes as it is."""
        metrics = self.runner.get_metrics()
        return {name: metrics[name].peek() for name in (EPISODES, NON_FINITE) if name in metrics}

    def update(self, fragment):
        results = self.learner.update(
            training_data=TrainingData(episodes=[fragment]),
            timesteps={"num_env_steps_sampled_lifetime": 20},
            num_epochs=self.config.num_epochs,
            minibatch_size=self.config.minibatch_size,
        )
        return {name: stats.peek() for name, stats in results[DEFAULT_MODULE_ID].items()}

    def weights(self):
        return torch.cat([leaf.detach().flatten() for leaf in self.module.parameters()]).clone()


def finding(value):
    """What `told` holds under `NON_FINITE`: one finding, or a list."""
    return NonFinite(*(value if not isinstance(value, list) or not isinstance(value[0], tuple) else value[0]))


# Where it is.


@pytest.mark.parametrize(
    ("env_config", "first"),
    [
        ({"what": "reward"}, "reward: nan at env step 12 (step 3 of the fragment, lane 0, env runner 0)"),
        ({"what": "reward", "fault": -np.inf, "at": 1}, "reward: -inf at env step 4 (step 1"),
        ({"what": "reward", "fault": 1e300}, "reward: 1e+300, beyond single precision (3.4e+38) at env step"),
        ({"what": "reward", "fault": None}, "reward: nan at env step 12"),
        (
            {"what": "observation", "at": 2},
            "observation[1]: nan at env step 8 (step 2 of the fragment, lane 0",
        ),
        ({"what": "observation", "fault": np.inf}, "observation[1]: inf at"),
        (
            {"what": "observation", "dtype": "float64", "fault": -1e39},
            "observation[1]: -1e+39, beyond single",
        ),
        ({"what": "observation", "dtype": "float16"}, "observation[1]: nan at env step 12"),
        ({"what": "final", "length": 5, "cut": True}, "final observation[1]: nan at env step 20 (step 5"),
    ],
)
def test_the_first_number_that_is_not_finite_is_named(env_config, first):
    shell = Shell(env_config=env_config)
    fragment = shell.sample()
    found = finding(shell.told()[NON_FINITE])
    assert found.message.startswith(first)
    assert found.left_out == LANES
    assert fragment.dropped.all()


def test_a_nest_names_its_part_and_a_lane_is_told_from_the_others():
    guard = LaneGuard(3, runner=2)
    guard.begin(600)
    guard.step = 4
    seen = {"board": np.zeros((3, 2, 2), np.float32), "text": np.zeros((3, 9), np.int64)}
    assert guard.observe(seen) is seen
    seen["board"][1, 0, 1] = np.nan
    cleaned = guard.observe(seen)
    assert np.isfinite(cleaned["board"]).all()
    assert np.isnan(seen["board"][1, 0, 1]), "the environment's own array stays as it is"
    where = "step 4 of the fragment, lane 1, env runner 2"
    assert guard.finding() == (f"observation['board'][0, 1]: nan at env step 612 ({where})", 1)
    guard.look({"reward": np.array([[0.0, 0.0, np.inf]])}, first_step=2)
    assert guard.finding() == (
        "reward: inf at env step 606 (step 2 of the fragment, lane 2, env runner 2)",
        2,
    )
    guard.begin(700)
    assert guard.bad.tolist() == [False, True, False], "what a lane sees now goes into the next fragment"
    guard.observe(cleaned)
    guard.begin(800)
    assert guard.finding() is None


def test_finite_numbers_are_handed_on_as_they_are():
    guard = LaneGuard(2)
    for dtype in (np.float32, np.float64, np.uint8, np.int64, np.bool_):
        seen = np.ones((2, 3), dtype)
        assert guard.observe(seen) is seen
    assert not guard.bad.any()


# What becomes of it.


def test_a_lane_is_dropped_whole_and_the_others_are_learned_from(monkeypatch):
    """One lane of four earns a NaN: the update is that of the three others alone."""
    shell, others = Shell(on_non_finite="skip"), Shell(on_non_finite="skip")
    given = shell.sample()
    given.dropped[2] = True
    kept = given.map(lambda x: x[:, [0, 1, 3]], lambda x: x[[0, 1, 3]])
    kept.dropped[:] = False
    given.rewards[:, 2] = np.nan
    assert shell.update(given)[STEPS_TAKEN] == others.update(kept)[STEPS_TAKEN] == 1
    torch.testing.assert_close(shell.weights(), others.weights(), rtol=0, atol=0)
    assert not torch.equal(shell.weights(), Shell().weights())


def test_without_faults_every_lane_is_learned_from():
    shell = Shell()
    fragment = shell.sample()
    assert not fragment.dropped.any()
    assert NON_FINITE not in shell.told()
    assert NON_FINITE not in shell.update(fragment)


@pytest.mark.parametrize("minibatch_size", [None, STEPS])
def test_where_every_lane_is_dropped_no_step_is_taken(minibatch_size):
    """Not even one of momentum."""
    shell = Shell(env_config={"what": "reward"}, on_non_finite="skip", minibatch_size=minibatch_size)
    shell.update(Shell().sample())
    before = shell.weights()
    assert shell.update(shell.sample())[STEPS_TAKEN] == 0
    torch.testing.assert_close(shell.weights(), before, rtol=0, atol=0)


def test_fewer_lanes_than_minibatches_leave_the_number_of_minibatches():
    """Learners must take the same number of them."""
    shell = Shell(minibatch_size=STEPS)
    fragment = shell.sample()
    fragment.dropped[:3] = True
    batches = list(shell.learner.batches(fragment, num_epochs=2, minibatch_size=STEPS))
    assert [batch.counts for batch in batches] == [True, False, False, False] * 2
    assert {batch.lanes for batch in batches} == {1}


def test_a_bad_observation_is_neither_acted_on_nor_remembered():
    shell = Shell(env_config={"what": "observation", "at": 2}, on_non_finite="skip")
    for _ in range(4):
        fragment = shell.sample()
        assert all(np.isfinite(leaf).all() for leaf in (fragment.observations, fragment.values))
        assert np.isfinite(fragment.state_in["hidden"]).all()


def test_an_observation_behind_the_last_step_goes_with_both_fragments():
    shell = Shell(env_config={"what": "observation", "at": 5, "length": 20}, on_non_finite="skip")
    dropped = [shell.sample().dropped.all() for _ in range(3)]
    assert dropped == [True, True, False]


def test_so_it_does_where_a_checkpoint_lies_between():
    settings = {"env_config": {"what": "observation", "at": 5, "length": 20}, "on_non_finite": "skip"}
    shell, other = Shell(**settings), Shell(**settings)
    shell.sample()
    other.runner.set_lanes_state(shell.runner.lanes_state())
    other.runner.num_env_steps_sampled_lifetime = shell.runner.num_env_steps_sampled_lifetime
    shell.told()
    for each in (shell, other):
        assert each.sample().dropped.all()
    assert other.told()[NON_FINITE] == shell.told()[NON_FINITE]
    assert not other.sample().dropped.any()


def test_a_memory_that_is_not_finite_begins_anew():
    shell = Shell(on_non_finite="skip")
    shell.sample()
    shell.runner._state["hidden"][1] = np.nan
    assert shell.sample().dropped.tolist() == [False, True, False, False]
    assert "action logits[0]: nan at env step 24" in finding(shell.told()[NON_FINITE]).message
    assert not shell.sample().dropped.any()


def test_an_episode_with_such_a_return_is_no_episode():
    shell = Shell(env_config={"what": "reward", "at": 3, "length": 5, "every": 2})
    for _ in range(2):
        shell.sample()
    assert shell.told()[EPISODES] == [(-5.0, 5, None, None)] * LANES


def test_evaluations_look_too():
    shell = Shell(env_config={"what": "reward", "at": 7, "every": 2})
    shell.runner.sample(num_episodes=8)
    told = shell.told()
    assert told[EPISODES] == [(-8.0, 8, None, None)] * LANES
    assert finding(told[NON_FINITE]).message.startswith("reward: nan at env step 60 (step 15 of the fragment")


# Supervised: what is seen counts for nothing, and a stream goes on.


def supervised(env, env_config, model):
    made = make_config("Supervised", model).environment(f"engram.envs:engram/{env}-v0", env_config=env_config)
    made.num_envs_per_env_runner, made.rollout_fragment_length, made.on_non_finite = LANES, STEPS, "skip"
    return Shell(made=made)


def copying():
    model = {"encoder": {"type": "mlp", "hidden": [6]}, "core": {"type": "lstm", "size": 7}}
    return supervised("Copying", {"span": 1, "length": 2, "symbols": 3}, model)


def test_of_a_stream_with_such_an_observation_no_answer_counts(monkeypatch):
    shell = copying()
    step = shell.runner.env.step

    def broken(actions):
        observations, *others = step(actions)
        observations = observations.astype(np.float32)
        observations[1, 0] = np.nan
        return observations, *others

    monkeypatch.setattr(shell.runner.env, "step", broken)
    fragment = shell.sample()
    assert finding(shell.told()[NON_FINITE]).message.startswith(
        "observation[0]: nan at env step 4 (step 1 of"
    )
    assert (
        fragment.dropped.tolist()
        == fragment.masks.any(0).__invert__().tolist()
        == [False, True, False, False]
    )
    assert np.isfinite(fragment.observations).all()
    assert shell.update(fragment)[STEPS_TAKEN] == 1


def test_a_stream_begins_anew_behind_a_loss_that_is_not_finite():
    shell = copying()
    fragment = shell.sample()
    fragment.observations = np.full(fragment.observations.shape, np.nan, np.float32)
    assert shell.update(fragment)[STEPS_TAKEN] == 0
    assert shell.learner._state == {}
    assert shell.update(shell.sample())[STEPS_TAKEN] == 1


def test_puzzles_of_which_nothing_counts_make_no_step():
    shell = supervised(
        "PrefixSums", {"bits": 4}, {"core": {"type": "deep_thinking", "width": 8, "thinking_steps": 3}}
    )
    fragment, before = shell.sample(), shell.weights()
    fragment.masks[:], fragment.dropped[:] = False, True
    assert shell.update(fragment)[STEPS_TAKEN] == 0
    torch.testing.assert_close(shell.weights(), before, rtol=0, atol=0)
    fragment.masks[:, 1:], fragment.dropped[1:] = True, False
    assert shell.update(fragment)[STEPS_TAKEN] == STEPS


# Losses, gradients, parameters.


def broken_gradient(shell):
    """Makes the value head's gradient NaN, and nothing else."""
    return shell.module.value_head.bias.register_hook(lambda gradient: gradient * math.nan)


def test_a_gradient_names_its_parameter_and_makes_no_step():
    stopping, skipping = Shell(), Shell(on_non_finite="skip")
    before = skipping.weights()
    for shell in (stopping, skipping):
        hook = broken_gradient(shell)
    message = r"gradient of value_head\.bias\[0\]: nan at update 1; a smaller lr may help \(env step 20\)"
    with pytest.raises(FloatingPointError, match=message):
        stopping.update(stopping.sample())
    told = skipping.update(skipping.sample())
    assert finding(told[NON_FINITE]).left_out == 1
    assert told[STEPS_TAKEN] == 0
    for shell in (stopping, skipping):
        torch.testing.assert_close(shell.weights(), before, rtol=0, atol=0)
    hook.remove()
    assert skipping.update(skipping.sample())[STEPS_TAKEN] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fragment, _: fragment.rewards.fill(3e38), "(advantages|policy_loss).*: inf at update 1"),
        (
            lambda _, module: module.policy_head.weight.data.fill_(math.nan),
            r"action logits\[0, 0, 0\]: nan at",
        ),
        (lambda _, module: module.value_head.bias.data.fill_(math.inf), r"value\[0, 0\]: inf at update 1"),
    ],
    ids=["overflow", "logits", "value"],
)
@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentIMPALA"])
def test_a_loss_names_what_made_it(run, change, message):
    shell = Shell(run)
    fragment = shell.sample()
    change(fragment, shell.module)
    with pytest.raises(FloatingPointError, match=message):
        shell.update(fragment)


def test_importance_ratios_may_overflow():
    """V-trace clips them: actions that were all but impossible when they were taken."""
    shell = Shell("RecurrentIMPALA")
    fragment = shell.sample()
    fragment.action_logp[:] = -1e4
    assert shell.update(fragment)[STEPS_TAKEN] == 1


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_a_parameter_stops_either_way(policy):
    shell = Shell(on_non_finite=policy)
    fragment = shell.sample()
    step = shell.learner.apply_gradients

    def overflow(gradients):
        step(gradients)
        shell.module.value_head.bias.data.fill_(math.inf)

    shell.learner.apply_gradients = overflow
    with pytest.raises(FloatingPointError, match=r"parameter value_head\.bias\[0\]: inf at update 1"):
        shell.update(fragment)


def test_a_norm_that_overflows_is_no_finding():
    assert all_finite([torch.full((3,), 1e38)])
    assert all_finite([])
    assert not all_finite([torch.ones(2), torch.tensor([1.0, math.inf])])


# What the algorithm makes of it.


class Judge:
    """The callbacks on made-up results."""

    def __init__(self, policy):
        self.algorithm = type("Algorithm", (), {"config": config(on_non_finite=policy)})()
        self.callbacks = ResultCallbacks()

    def __call__(self, steps=1, played=(), learned=(), evaluated=(), **more):
        module = {STEPS_TAKEN: steps, "num_module_steps_trained": 20, NON_FINITE: list(learned), **more}
        result = {
            "env_runners": {NON_FINITE: list(played)},
            "learners": {DEFAULT_MODULE_ID: module},
            "evaluation": {"env_runners": {NON_FINITE: list(evaluated)}},
        }
        self.callbacks.on_train_result(algorithm=self.algorithm, result=result)
        return result


@pytest.mark.parametrize("part", ["played", "learned", "evaluated"])
def test_stop_ends_the_trial_wherever_it_was_found(part):
    with pytest.raises(FloatingPointError, match=r"^reward: nan$"):
        Judge("stop")(**{part: [("reward: nan", 2), ("reward: inf", 1)]})


def test_skip_counts_and_goes_on_while_there_is_something_to_learn_from():
    judge = Judge("skip")
    judge.callbacks.set_state({"episodes": [], "evaluated": {}, "skipped": 5})
    found = [("reward: nan", 2), ("reward: inf", 1)]
    result = judge(played=found, learned=[("loss: nan", 1)], vf_loss=math.inf)
    assert (result["non_finite_skipped"], result["non_finite"]) == (9, "loss: nan")
    assert NON_FINITE not in result["env_runners"]
    assert not {NON_FINITE, STEPS_TAKEN} & set(result["learners"][DEFAULT_MODULE_ID])
    assert math.isnan(result["learners"][DEFAULT_MODULE_ID]["vf_loss"])
    assert judge.callbacks.get_state()["skipped"] == 9
    with pytest.raises(
        FloatingPointError, match="reward: nan; on_non_finite is skip, but this iteration has noth"
    ):
        judge(steps=0, played=[("reward: nan", 4)])


@pytest.mark.parametrize(
    ("loss", "trained", "stops"),
    [(math.nan, 20, True), (math.inf, 20, True), (1.0, 20, False), (math.nan, math.nan, False)],
)
def test_a_loss_of_a_stock_learner_stops_where_it_has_learned(loss, trained, stops):
    """Where an asynchronous learner has not answered, RLlib repeats its metrics, as NaN."""
    judge = Judge("stop")
    if not stops:
        assert judge(vf_loss=loss, num_module_steps_trained=trained)["non_finite_skipped"] == 0
        return
    with pytest.raises(FloatingPointError, match=r"learners/default_policy/vf_loss: (nan|inf); a smaller lr"):
        judge(vf_loss=loss, num_module_steps_trained=trained)


def test_what_was_skipped_by_a_learner_that_has_not_answered_is_no_reason_to_stop():
    idle = {"steps": math.nan, "num_module_steps_trained": math.nan}
    assert Judge("skip")(played=[("reward: nan", 4)], **idle)["non_finite_skipped"] == 4


def iterate(algorithm):
    """Some iterations: one of IMPALA may be over before its runner has played."""
    for _ in range(50):
        algorithm.train()


@pytest.mark.parametrize(
    ("run", "settings"),
    [
        ("RecurrentPPO", {}),
        pytest.param("RecurrentPPO", {"num_env_runners": 1}, marks=pytest.mark.slow),
        ("RecurrentIMPALA", {"num_env_runners": 1}),
        ("PPO", {}),
        pytest.param("PPO", {"num_env_runners": 1}, marks=pytest.mark.slow),
        pytest.param("IMPALA", {}, marks=pytest.mark.slow),
    ],
)
def test_a_trial_stops_whoever_plays(ray_cluster, run, settings):
    """RLlib restarts a remote runner that raises; this one does not have to."""
    algorithm = config(run, {"what": "observation"}, **settings).build_algo()
    try:
        with pytest.raises(FloatingPointError, match=r"observation\[1\]: nan at env step 12 \(step 3 of the"):
            iterate(algorithm)
        weights = algorithm.learner_group.get_weights()[DEFAULT_MODULE_ID]
        assert all(np.isfinite(leaf).all() for leaf in weights.values())
    finally:
        algorithm.stop()


def test_a_stock_runner_counts_env_steps_as_rllib_does():
    """Episodes of 8 steps, then a step in which a lane resets; NaN in the fourth one, in all lanes at once.

    A sample has 20 env steps of 4 lanes: 5 steps, or 6 where lanes reset in one of them.
    """
    made = config("PPO", {"what": "reward", "every": 4, "at": 2}, num_epochs=1)
    runner = made.env_runner_cls(config=made, worker_index=0)
    named = []
    while not named:
        before = runner.metrics.peek("num_env_steps_sampled_lifetime", default=0)
        runner.sample()
        found = runner.env.guard.finding()
        named += [found.message] if found is not None else []
    assert before == 100
    assert named[0].startswith("reward: nan at env step 104 (step 1 of the fragment, lane 0, env runner 0)")


@pytest.mark.slow
def test_learners_agree_on_what_they_skip(ray_cluster):
    """Two learners: the second has nothing to learn from; then a NaN in its loss keeps both from a step."""
    algorithm = config(num_learners=2, num_cpus_per_learner=0.5, on_non_finite="skip").build_algo()
    try:
        (fragment,) = algorithm.env_runner.sample()
        fragment.dropped[2:] = True
        algorithm._update([fragment])
        fragment.dropped[2:] = False
        fragment.rewards[0, 3] = np.nan
        algorithm._update([fragment])
        first, second = (
            call.get()
            for call in algorithm.learner_group.foreach_learner(
                lambda learner: [leaf.sum().item() for leaf in learner.module[DEFAULT_MODULE_ID].parameters()]
            )
        )
        assert first == second
        assert all(math.isfinite(number) for number in first)
    finally:
        algorithm.stop()
