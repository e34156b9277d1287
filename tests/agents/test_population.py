"""Populations: when a difference counts, what a copy copies, what changes at once."""

import math

import numpy as np
import pytest
import recall  # noqa: F401  registers the task
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

from engram.agents import make_config
from engram.agents.columns.live import current, set_live
from engram.agents.columns.results import ResultCallbacks
from engram.agents.population.board import Standing, board_class
from engram.agents.population.copying import learned, take_over
from engram.agents.population.member import AnsweringMember, Member, Membership
from engram.agents.population.options import Place
from engram.agents.population.rules import ranking, rule_of
from engram.agents.population.significance import compare, corrected
from engram.agents.population.spaces import at, clamped, drawn, perturbed, share_of
from engram.agents.population.surrogate import Surrogate

ZERO_ONE = np.tile([0.0, 1.0], 50)
NAN = np.array([1.0, math.nan])


def place(type_="paper_pbt", member=0, members=9, shown=("lr",), board="board", **options):
    return Place(board, member, members, shown, {"type": type_, **options})


def standing(member, returns, values=None, steps=1000, gains=()):
    return Standing(member, steps, np.array(returns, float), values or {}, [], list(gains))


@pytest.mark.parametrize(
    ("own", "other", "why"),
    [
        pytest.param(ZERO_ONE, ZERO_ONE + 1, "", id="better"),
        pytest.param(ZERO_ONE + 1, ZERO_ONE, "the other is worse", id="worse"),
        pytest.param(ZERO_ONE, ZERO_ONE, "equal means", id="equal"),
        pytest.param(ZERO_ONE, ZERO_ONE + 1e-12, "equal means", id="equal but for rounding"),
        pytest.param(np.full(9, -0.1), np.full(9, 0.5), "no spread in the returns of either", id="flat"),
        pytest.param(np.cumsum(np.full(999, 0.1)) * 0 - 0.1, ZERO_ONE, "", id="only one has no spread"),
        pytest.param(np.array([0.5]), ZERO_ONE, "fewer than 2 episodes: 1 of own", id="one episode"),
        pytest.param(ZERO_ONE, np.empty(0), "fewer than 2 episodes: 0 of the other's", id="no episode"),
        pytest.param(ZERO_ONE, NAN, "returns of the other's episodes are not finite", id="nan"),
        pytest.param(ZERO_ONE, ZERO_ONE + 0.01, "p 0.888 is not below 0.05", id="by chance"),
    ],
)  # fmt: skip
def test_when_a_difference_counts(own, other, why):
    found = compare(own, other, 0.05)
    assert (found.better, found.why) == (not why, why)


def test_p_is_of_welch():
    found = compare(ZERO_ONE[:20], ZERO_ONE * 3 + 0.5, 0.05)
    assert found.p == pytest.approx(
        stats.ttest_ind(ZERO_ONE[:20], ZERO_ONE * 3 + 0.5, equal_var=False).pvalue
    )


def test_members_alike_seldom_differ():
    """Nine members of one distribution, 540 tests: as many are significant as chance has it."""
    rng, significant, tests, looks = np.random.default_rng(0), 0, 540, 60
    rules = [rule_of(place(member=member)) for member in range(9)]
    for look in range(1, looks + 1):
        standings = {member: standing(member, rng.exponential(size=200)) for member in range(9)}
        choices = [rule.choose(standings[m], standings, look) for m, rule in enumerate(rules)]
        significant += sum(choice.p < 0.05 for choice in choices)
        assert all(choice.donor != member for member, choice in enumerate(choices))
        assert sum(choice.copies for choice in choices) <= sum(choice.p < 0.05 for choice in choices)
    low, high = stats.binom.interval(0.999, tests, 0.05)
    assert low <= significant <= high


def test_correction_shares_out_p():
    shares = [corrected(0.05, "bonferroni", test) for test in range(1, 10_000)]
    assert shares[0] == 0.025
    assert 0.0499 < sum(shares) < 0.05
    assert corrected(0.05, "none", 7) == 0.05


def test_whom_the_paper_picks():
    """Everybody else alike, whoever has reported; the same again in another run."""
    rule = rule_of(place(member=4, members=5))
    picks = [rule.choose(standing(4, ZERO_ONE), {}, look).donor for look in range(1, 401)]
    assert picks == [rule.choose(standing(4, ZERO_ONE), {}, look).donor for look in range(1, 401)]
    assert {donor: picks.count(donor) > 60 for donor in set(picks)} == dict.fromkeys(range(4), True)
    assert rule.choose(standing(4, ZERO_ONE), {}, 1).why == "it has not reported yet, or is gone"


def pbt(member=0, **options):
    return rule_of(
        place("pbt", member, mutate={"lr": {"loguniform": [1e-5, 1e-2]}}, **{"resample": 0.0, **options})
    )


def test_whom_pbt_picks():
    """The two worst of eight members copy the two best, the others nobody; one without a return waits."""
    standings = {member: standing(member, [member, member]) for member in range(8)}
    standings[8] = standing(8, [])
    choices = [pbt(member).choose(standings[member], standings, 1) for member in range(9)]
    assert [choice.copies for choice in choices] == [True, True] + [False] * 7
    assert all(choice.donor in (6, 7) for choice in choices[:2])
    assert choices[2].why == "not among the 2 worst of 8"
    assert choices[8].why == "no episode of its own has ended"
    assert ranking(list(standings.values()))[0].member == 0
    alone = pbt().choose(standings[0], {0: standings[0]}, 1)
    assert (alone.donor, alone.why) == (None, "nobody else has ended an episode")
    level = {0: standing(0, [1, 1]), 1: standing(1, [1, 1])}
    assert pbt().choose(level[0], level, 1).why == "equal means"


def test_what_pbt_changes():
    donor = standing(3, [1], {"lr": 1e-3, "gamma": 0.9})
    high = donor._replace(values={"lr": 1e-2})
    assert {round(pbt().values(donor, {}, look)["lr"], 9) for look in range(1, 40)} == {8e-4, 1.25e-3}
    assert all(pbt().values(high, {}, look)["lr"] <= 1e-2 for look in range(1, 20))
    anew = {pbt(resample=1.0).values(donor, {}, look)["lr"] for look in range(1, 20)}
    assert len(anew) == 19
    assert all(1e-5 <= lr <= 1e-2 for lr in anew)


def gained(count, best, seed, interval=100):
    """Gains of drawn learning rates, larger the nearer to the best one, which may move with time."""
    rng = np.random.default_rng(seed)
    for row in range(count):
        share = rng.random()
        gain = 1 - 4 * (share - best(row / count)) ** 2 + 0.05 * rng.normal()
        yield (interval * (row // 5 + 1), gain, {"lr": at({"loguniform": [1e-5, 1e-2]}, share)})


@pytest.mark.parametrize(
    ("best", "near"), [(lambda time: 0.7, 0.7), (lambda time: 0.2 + 0.6 * time, 0.8)], ids=["still", "moving"]
)
def test_where_pb2_looks(best, near):
    """Where the latest gains were largest; what was best long ago is forgotten."""
    space = {"loguniform": [1e-5, 1e-2]}
    found = []
    for seed in range(10):
        standings = {
            0: standing(0, [0], {"lr": 1e-5, "gamma": 0.9}, steps=1300),
            1: standing(1, [1], {"lr": 1e-3, "gamma": 0.99}, steps=1300, gains=gained(60, best, seed)),
        }
        rule = rule_of(
            place("pb2", 0, shown=("lr", "gamma"), mutate={"lr": space}, interval_timesteps=100, seed=seed)
        )
        values = rule.values(standings[1], standings, 3)
        assert values == rule.values(standings[1], standings, 3)
        assert values["gamma"] == 0.99
        found.append(share_of(space, values["lr"]))
    assert np.abs(np.array(found) - near).mean() < 0.12


def test_pb2_begins_with_draws_and_keeps_apart():
    """Without gains it draws; of hyperparameters that others try out now, little is left to find out."""
    space = {"uniform": [0.0, 1.0]}
    rule = rule_of(place("pb2", 0, shown=("gamma",), mutate={"gamma": space}))
    own, donor = standing(0, [0], {"gamma": 0.5}), standing(1, [1], {"gamma": 0.5})
    draws = {rule.values(donor, {0: own, 1: donor}, look)["gamma"] for look in range(20)}
    assert len(draws) == 20
    surrogate = Surrogate(np.array([[0.4], [0.6]]), np.zeros(2), np.array([1.0, 1.0]))
    asked = np.array([[0.0], [0.9]])
    mean, alone = surrogate.believed(asked, 0.0, np.empty((0, 1)))
    again, beside = surrogate.believed(asked, 0.0, np.array([[0.95]]))
    assert np.allclose(mean, again)
    assert beside[1] < 0.5 * alone[1]
    unknown = standing(1, [1], {"gamma": None}, gains=[(1, 1.0, {"gamma": None})] * 3)
    assert 0 <= rule.values(unknown, {0: own, 1: unknown}, 1)["gamma"] <= 1


def test_surrogate_is_a_gaussian_process():
    """The same mean and deviation as scikit-learn's, its kernel over time as a Matern one of order 1/2."""
    rng = np.random.default_rng(0)
    shares, times, gains = rng.random((12, 2)), np.repeat([1.0, 2.0, 4.0], 4), rng.normal(size=12)
    surrogate = Surrogate(shares, times, gains)
    surrogate.length, surrogate.forgetting, surrogate.noise = 0.3, 0.2, 0.1
    twin = GaussianProcessRegressor(_SharesAndTimes(0.3, -2 / np.log(0.8)), alpha=0.1, optimizer=None)
    twin.fit(np.column_stack([shares, times]), (gains - gains.mean()) / gains.std())
    asked = rng.random((5, 2))
    mean, deviation = twin.predict(np.column_stack([asked, np.full(5, 5.0)]), return_std=True)
    found = surrogate.believed(asked, 5.0, np.empty((0, 2)))
    assert np.allclose(found[0], mean)
    assert np.allclose(found[1], deviation)


class _SharesAndTimes(kernels.Kernel):
    """A kernel of the first two columns times one of the third."""

    def __init__(self, length, time):
        self.length, self.time = length, time

    def __call__(self, first, second=None):
        second = first if second is None else second
        over_time = kernels.Matern(self.time, nu=0.5)(first[:, 2:], second[:, 2:])
        return kernels.RBF(self.length)(first[:, :2], second[:, :2]) * over_time

    def diag(self, first):
        return np.ones(len(first))

    def is_stationary(self):
        return True


def test_spaces():
    rng = np.random.default_rng(0)
    assert {drawn([1, 2, 3], rng) for _ in range(50)} == {1, 2, 3}
    assert {perturbed([1, 2, 4, 8], 2, (), rng) for _ in range(50)} == {1, 4}
    assert {perturbed({"choice": [1, 2]}, 2, (), rng) for _ in range(50)} == {1, 2}
    assert {drawn({"randint": [0, 3]}, rng) for _ in range(50)} == {0, 1, 2}
    assert {drawn({"quniform": [0, 1, 0.5]}, rng) for _ in range(50)} == {0, 0.5, 1}
    assert clamped({"uniform": [0, 1]}, 3.0) == 1.0
    assert clamped({"quniform": [0, 1, 0.25]}, 0.3) == 0.25
    assert clamped({"randint": [0, 3]}, 7.2) == 2
    assert clamped([1, 2, 4], 2.9) == 2
    for space in ({"loguniform": [1e-4, 1e-2]}, {"uniform": [-1, 3]}):
        assert share_of(space, at(space, 0.3)) == pytest.approx(0.3)
    assert [at({"randint": [2, 5]}, share) for share in (0.0, 0.4, 1.0)] == [2, 3, 4]
    assert share_of({"uniform": [0, 2]}, 9.0) == 1.0
    draws = [drawn({"loguniform": [1e-4, 1e-2]}, rng) for _ in range(200)]
    assert 70 < sum(draw < 1e-3 for draw in draws) < 130


def test_when_a_member_looks():
    """By its own episodes under the paper's rule, by env steps under the other; never twice at once."""
    member = Membership(place(first_test=30, test_every=10), 100)
    looks = []
    for _ in range(7):
        member.count([0.0] * 12)
        looks.append(member.is_due(0))
    assert looks == [False, False, True, True, True, True, True]
    assert member.due == 90
    member = Membership(place("pbt", mutate={}, interval_timesteps=100, burn_in=250), 100)
    assert [member.is_due(steps) for steps in (100, 249, 260, 300, 449, 450, 1000)] == [
        False, False, True, False, True, True, True,
    ]  # fmt: skip


def test_a_membership_goes_on_from_a_checkpoint():
    before, after = (Membership(place(window=3), 100) for _ in range(2))
    before.count([1.0, 2.0, 3.0, 4.0])
    before.looks, before.copies, before.due, before.values = 2, 1, 36_000, {"lr": 0.5}
    after.set_state(before.get_state())
    assert after.get_state() == before.get_state()
    assert list(after.window) == [2.0, 3.0, 4.0]


def test_a_board_fills_again():
    board = board_class()()
    for member in (2, 0, 2):
        board.post(*standing(member, [member]))
    assert [member for member, *_ in board.standings()] == [0, 2]


# Two algorithms in this process.

MODEL = {
    "encoder": {"type": "mlp", "hidden": [8]},
    "core": {"type": "low_pass", "pools": 3, "size": 8, "normalize": "running", "train_input": False},
}
BLINKS = "engram/Copying-v0"
SETTINGS = {
    "RecurrentPPO": {"clip_param": 0.3, "lambda_": 0.8, "entropy_coeff": 0.02, "gamma": 0.7, "lr": 2e-3},
    "RecurrentIMPALA": {"entropy_coeff": 0.02, "gamma": 0.7, "lr": 2e-3, "vf_loss_coeff": 0.25},
    "Supervised": {"lr": 2e-3, "grad_clip": 0.5},
}


def config(run, member, **settings):
    made = make_config(run, MODEL)
    if run == "Supervised":
        made.environment(BLINKS, env_config={"span": 2})
    else:
        made.environment("recall:engram_tests/CueRecall-v0", env_config={"delay": 2})
        made.normalize_observations = True
        made.entropy_coeff = [[0, 0.1], [1000, 0.0]]
    made.debugging(seed=member)
    made.num_envs_per_env_runner, made.rollout_fragment_length = 8, 6
    made.callbacks(AnsweringMember if run == "Supervised" else Member)
    made.lr = [[0, 1e-3], [1000, 0.0]]
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def membership(member, board, scheduler):
    return place(member=member, members=2, board=board, **scheduler)._asdict()


@pytest.fixture
def pair(ray_cluster, request):
    """Builds two members of a population: `pair(run, options of the scheduler)`."""
    made = []

    def build(run, **scheduler):
        board = f"board of {request.node.name}"
        for member in range(2):
            settings = config(run, member)
            settings.population = membership(member, board, {"shown": tuple(SETTINGS[run]), **scheduler})
            made.append(settings.build_algo())
        return made

    yield build
    for algorithm in made:
        algorithm.stop()


def weights(module):
    return {name: np.asarray(tensor.cpu()).copy() for name, tensor in module.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def moments(learner):
    (optimizer,) = learner._named_optimizers.values()
    return [value.clone() for state in optimizer.state.values() for value in state.values()]


@pytest.mark.parametrize("run", SETTINGS)
@pytest.mark.parametrize("optimizer", [False, True])
def test_a_copy_is_the_donor_bit_for_bit(pair, run, optimizer):
    donor, heir = pair(run)
    donor.train(), donor.train(), heir.train()
    learner, runner = heir.learner_group._learner, heir.env_runner
    own, number, steps = moments(learner), learner._weights_seq_no, runner.num_env_steps_sampled_lifetime
    assert not equal(weights(donor.get_module()), weights(learner.network))
    take_over(heir, learned(donor), optimizer)
    there = weights(donor.learner_group._learner.network)
    assert equal(weights(learner.network), there)
    assert any("mean" in name or "count" in name for name in there), "running statistics are among them"
    assert equal(weights(runner.module), weights(donor.env_runner.module))
    wanted = moments(donor.learner_group._learner) if optimizer else own
    assert all(torch.equal(a, b) for a, b in zip(moments(learner), wanted, strict=True))
    assert learner._weights_seq_no == runner._weights_seq_no == number + 1
    assert runner.num_env_steps_sampled_lifetime == steps
    assert runner._resets.all()
    fresh = runner.module.initial_state(8)
    assert all(torch.equal(leaf, fresh[name]) for name, leaf in runner._state.items())
    before = moments(donor.learner_group._learner)
    heir.train()
    assert all(torch.equal(a, b) for a, b in zip(moments(donor.learner_group._learner), before, strict=True))


@pytest.mark.slow
def test_nothing_is_learned_from_what_older_weights_sampled(ray_cluster):
    """A remote runner of IMPALA is sampling while weights are copied."""
    heir = config("RecurrentIMPALA", 1, num_env_runners=1, normalize_observations=False)
    heir.callbacks(ResultCallbacks)
    heir = heir.build_algo()
    try:
        heir.train(), heir.train()
        learner = heir.learner_group._learner
        take_over(heir, learned(heir), optimizer=False)
        copied, seen, batches = learner._weights_seq_no, [], learner.batches

        def watched(columns, *others):
            seen.append(columns.weights_seq_no)
            return batches(columns, *others)

        learner.batches = watched
        while len(seen) < 3:
            heir.train()
        assert min(seen) >= copied
    finally:
        heir.stop()


@pytest.mark.parametrize("run", SETTINGS)
def test_hyperparameters_hold_on_the_very_next_update(pair, monkeypatch, run):
    """What the learner's optimiser and loss use in it, and the schedules end."""
    _, heir = pair(run)
    heir.train()
    set_live(heir, SETTINGS[run])
    learner = heir.learner_group._learner
    used = []
    step, loss = learner.apply_gradients, learner.compute_loss_for_module

    def apply_gradients(gradients):
        (optimizer,) = learner._named_optimizers.values()
        used.append({"lr": optimizer.param_groups[0]["lr"]})
        step(gradients)

    def compute_loss_for_module(*, config, **others):
        named = {key: getattr(config, key) for key in SETTINGS[run] if key != "lr"}
        entropy = getattr(learner, "_entropy_coeff", None)
        seen.append(
            named | ({} if entropy is None else {"entropy_coeff": float(entropy.get_current_value())})
        )
        return loss(config=config, **others)

    seen = []
    monkeypatch.setattr(learner, "apply_gradients", apply_gradients)
    monkeypatch.setattr(learner, "compute_loss_for_module", compute_loss_for_module)
    result = heir.train()
    assert used[0] | seen[0] == pytest.approx(SETTINGS[run])
    assert learner.config.gamma == heir.env_runner.config.gamma == heir.config.gamma
    assert result["hyperparameters"].items() >= SETTINGS[run].items()
    assert current(heir.config, 10**9)["lr"] == 2e-3


def test_a_schedule_of_any_live_setting(ray_cluster):
    """Each value holds from the iteration behind its step on; a checkpoint goes on where the schedule is."""
    settings = config("RecurrentPPO", 0, schedules={"gamma": [[0, 0.5], [48, 0.6], [1000, 0.7]]})
    settings.callbacks(ResultCallbacks)
    algorithm = settings.build_algo()
    try:
        seen = [algorithm.learner_group._learner.config.gamma]
        for _ in range(2):  # of 48 env steps each
            algorithm.train()
            seen.append(algorithm.learner_group._learner.config.gamma)
        assert seen == [0.5, 0.6, 0.6]
        assert algorithm.env_runner.config.gamma == 0.6
    finally:
        algorithm.stop()


@pytest.mark.parametrize(
    ("schedules", "said"),
    [
        ({"lr": [[0, 1], [5, 2]]}, "schedules.lr: written where it stands, config.lr"),
        ({"gama": [[0, 1]]}, "schedules.gama: unknown key; did you mean 'gamma'"),
        ({"gamma": [[5, 1]]}, r"schedules.gamma: expected \[\[0, value\]"),
        ({"gamma": [[0, 1], [0, 2]]}, "with rising steps"),
        ({"gamma": 3}, "got 3"),
    ],
)
def test_what_is_no_schedule(schedules, said):
    with pytest.raises(ValueError, match=said):
        config("RecurrentPPO", 0, schedules=schedules).validate()


def test_a_member_copies_a_better_one_and_begins_anew(pair):
    """The whole of it: a test, a copy, an empty window, and a checkpoint that remembers."""
    donor, heir = pair("RecurrentPPO", first_test=20, test_every=20, window=50)
    better = next(callback for callback in donor.callbacks)
    better.scores = lambda result: [float(n % 2) + 5 for n in range(30)]
    assert donor.train()["population"]["looks"] == 1
    first = heir.train()
    while not first["population"]["found"]:
        first = heir.train()
    (found,) = first["population"]["found"]
    assert (found["member"], found["donor"], found["copied"], found["why"]) == (1, 0, True, "")
    assert found["p"] < 1e-9
    assert (found["n"], found["donor_n"]) == (
        32,
        30,
    )  # two iterations of 8 lanes x 6 steps, and as said above
    assert found["donor_mean"] == 5.5
    assert equal(weights(heir.get_module()), weights(donor.get_module()))
    own = Member.of(heir)
    assert not own.membership.window
    assert not own.get_state()["episodes"]
    assert own.membership.get_state()["copies"] == 1
    after = heir.train()
    assert after["timesteps_total"] > first["timesteps_total"]
    assert after["training_iteration"] == first["training_iteration"] + 1
    assert after["time_total_s"] > first["time_total_s"]
    assert (
        after["env_runners"]["num_episodes_in_window"] == 16
    )  # two of each lane in 6 steps: those begun anew


def test_a_donor_that_is_gone_is_not_copied(pair, ray_cluster, monkeypatch):
    donor, heir = pair("RecurrentPPO", first_test=1, test_every=1)
    donor.train()
    there = Member.of(heir).membership.seat
    (lost,) = there.standings().values()
    lost = lost._replace(returns=np.tile([5.0, 6.0], 20), weights=[ray_cluster.ObjectRef.from_random()])
    monkeypatch.setattr(there, "standings", lambda: {0: lost})
    monkeypatch.setattr("engram.agents.population.board.PATIENCE", 0.1)
    before = None
    for _ in range(2):
        result = heir.train()
        before = weights(heir.get_module())
    (found,) = result["population"]["found"]
    assert (found["copied"], found["why"]) == (False, "its weights are gone with it")
    assert equal(weights(heir.get_module()), before)


def test_pb2_learns_from_what_members_gain(pair):
    """From one look to the next; after a copy from where the donor stood."""
    space = {"lr": {"loguniform": [1e-4, 1e-2]}}
    donor, heir = pair("RecurrentPPO", type_="pb2", interval_timesteps=96, mutate=space, quantile=0.5)
    scores = {donor: iter([2.0] * 5), heir: iter([0.0, 0.0, 7.0, 7.0])}
    for algorithm, given in scores.items():
        Member.of(algorithm).scores = lambda result, given=given: [next(given)]
    for _ in range(2):
        donor.train(), heir.train()
    copied = dict(Member.of(heir).membership.values)
    assert 1e-4 <= copied["lr"] <= 1e-2
    for _ in range(2):
        donor.train(), heir.train()
    better, worse = (Member.of(algorithm).membership for algorithm in (donor, heir))
    (gain,) = worse.gains
    assert gain == (192, 7.0 - 2.0, {**current(heir.config, 192), **copied})
    assert [(steps, gain) for steps, gain, _ in better.gains] == [(192, 0.0)]
    donor.train()
    assert worse.seat.standings()[better.place.member].gains == better.gains
    assert worse.get_state()["gains"] == [gain]


def test_pbt_goes_on_with_other_hyperparameters(pair):
    """The worse copies all and changes its rate, which a checkpoint keeps."""
    space = {"lr": {"loguniform": [1e-4, 1e-2]}}
    donor, heir = pair(
        "RecurrentPPO", type_="pbt", interval_timesteps=96, mutate=space, quantile=0.5, resample=0.0
    )
    for algorithm, level in ((donor, 1.0), (heir, 0.0)):
        Member.of(algorithm).scores = lambda result, level=level: [level]
    donor.train(), donor.train()
    for _ in range(2):
        result = heir.train()
    (found,) = result["population"]["found"]
    assert found["copied"]
    lr = Member.of(heir).membership.values["lr"]
    assert found["before"]["lr"] == current(donor.config, 96)["lr"]  # of one schedule at one moment
    assert lr in (pytest.approx(0.8 * found["before"]["lr"]), pytest.approx(1.25 * found["before"]["lr"]))
    assert found["after"]["lr"] == lr
    state = heir.get_state()
    other = config("RecurrentPPO", 1)
    other.population = heir.config.population
    restored = other.build_algo()
    try:
        restored.set_state(state)
        assert current(restored.config, 0)["lr"] == lr
        assert restored.learner_group._learner.config.lr == lr
    finally:
        restored.stop()
    assert DEFAULT_MODULE_ID in learned(heir)["rl_module"]
