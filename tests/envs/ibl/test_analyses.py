"""Analyses of the IBL task: what is planted is found, and slow twins agree."""

import numpy as np
import pandas
import pytest

from engram.envs.ibl.analyses import behaviour
from engram.envs.ibl.analyses.distillation import decoherence, distil, run_free, scaled
from engram.envs.ibl.analyses.dynamics import (
    field_of_transitions,
    fixed_points,
    grid_inside,
    vector_field,
)
from engram.envs.ibl.analyses.evidence import agreement, movements, slope_of
from engram.envs.ibl.analyses.plane import Plane, fit_plane
from engram.envs.ibl.analyses.populations import block_means, find_populations, groups_by_readout
from engram.envs.ibl.analyses.readouts import Readouts, angle, decode_block, find_readouts, stimulus_readout
from engram.envs.ibl.analyses.recording import Steps, Watched, trials_after
from engram.envs.ibl.batched import BatchedIBL
from engram.envs.ibl.bayes import Observer
from engram.envs.ibl.play import play_sessions
from engram.envs.ibl.radd import INPUT, RECURRENT, TwoUnitActor

RNG = np.random.default_rng(0)


def steps_of(hidden, sessions, **columns):
    """Steps of sessions of equal lengths."""
    length = len(hidden) // sessions
    session, step = np.divmod(np.arange(len(hidden)), length)
    return Steps(hidden, {"session": session, "step": step, **columns})


# Behaviour


def table_of(**columns):
    return pandas.DataFrame(columns)


def test_a_planted_psychometric_curve_is_found():
    planted = behaviour.Curve(bias=0.3, slope=2.0, low=0.05, high=0.1)
    signed = np.linspace(-2.5, 2.5, 11)
    found = behaviour.fit_curve(signed, planted(signed), np.full(11, 1000))
    assert found == pytest.approx(planted, abs=1e-4)
    assert planted(np.array([-100.0, 0.3, 100.0])) == pytest.approx([0.05, 0.475, 0.9])


def test_too_few_strengths_have_no_curve():
    assert np.isnan(behaviour.fit_curve(np.arange(4.0), np.full(4, 0.5), np.full(4, 9))).all()


def test_behaviour_of_a_few_trials():
    table = table_of(
        block=[0, 0, 1, 1, 2, 2],
        trial_in_block=[0, 1, 0, 1, 0, 1],
        block_side=[-1, -1, 1, 1, -1, -1],
        mu=[0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
        concordant=[True, True, False, True, True, False],
        correct=[True, True, False, True, True, True],
        n_obs=[1, 1, 3, 1, 1, 2],
        reward=[1.0, 1.0, -1.1, 1.0, 1.0, 0.95],
        block_belief=[0.1, 0.1, 0.4, 0.7, 0.6, 0.1],
    )
    after = behaviour.after_change(table).set_index("trial")
    assert after["accuracy"].tolist() == [0.5, 1.0]
    assert after["accuracy_zero"][1] == 0.5
    assert np.isnan(after["accuracy_zero"][2])
    assert after["belief_in_block"].tolist() == pytest.approx([0.4, 0.8])
    assert after["block_known"].tolist() == [0, 1]
    rewards = behaviour.reward_by_observations(table, -0.05).set_index("n_obs")
    assert rewards["reward"].tolist() == pytest.approx([1.0, 0.95, -1.1])
    assert rewards["reward_paper"].tolist() == pytest.approx([0.95, 0.9, -1.15])
    assert behaviour.prior_gap(table) == 1.0
    assert behaviour.accuracy_by_strength(table).query("trials == 'discordant'")["accuracy"].tolist() == [
        0,
        1,
    ]
    steps = behaviour.chronometric(table, 2).query("correct and not concordant")
    assert steps["steps"].tolist() == [4]


def test_beliefs_are_nan_where_there_are_none():
    table = table_of(block=[1], trial_in_block=[0], block_side=[1], mu=[1.0], correct=[True])
    assert behaviour.after_change(table)[["belief_in_block", "block_known"]].isna().all(axis=None)


# States


def planted_states(count=4000, units=12):
    """Two orthogonal directions, of stimulus and block, with little noise around them."""
    block = np.repeat(RNG.choice([-1, 1], count // 20), 20)
    stimulus = RNG.normal(size=count)
    basis = np.linalg.qr(RNG.normal(size=(units, 2)))[0].T
    hidden = 3 * stimulus[:, None] * basis[0] + block[:, None] * basis[1]
    return hidden + 0.01 * RNG.normal(size=hidden.shape) + 0.5, stimulus, block, basis


def test_the_plane_holds_what_varies_and_points_right():
    hidden, stimulus, block, basis = planted_states()
    plane = fit_plane(hidden, stimulus, block)
    assert plane.shares[:2].sum() > 0.999
    assert np.abs(plane.axes - basis).max() < 0.05  # right stimuli to the right, right blocks above
    points = RNG.normal(size=(5, 2))
    assert np.allclose(plane.project(plane.lift(points)), points)
    with pytest.raises(ValueError, match="two or more"):
        fit_plane(hidden[:, :1], stimulus, block)


def test_readouts_are_the_planted_weights():
    hidden, stimulus, block, basis = planted_states()
    weights = 2 * basis[0]
    readout, explained = stimulus_readout(hidden, hidden @ weights - 0.7)
    assert readout.vector == pytest.approx(weights)
    assert (readout.offset, explained) == pytest.approx((-0.7, 1.0))
    found = find_readouts(fit_plane(hidden, stimulus, block), hidden, hidden @ weights, block)
    assert found.share_in_plane > 0.999
    assert found.block.accuracy == found.block_in_plane.accuracy == 1.0
    assert found.angles()["plane"] == pytest.approx(90, abs=3)
    along = found.coordinates(hidden)
    assert np.corrcoef(along[:, 0], stimulus)[0, 1] > 0.99


def test_angles_by_definition():
    plane = Plane(np.array([0.0, 0.0, 2.0]), np.eye(3)[:2], np.ones(2))
    from engram.envs.ibl.analyses.readouts import Decoded, Readout

    stimulus = Readout(np.array([1.0, 0.0, 1.0]), 0.0)
    full = Decoded(Readout(np.array([0.0, 1.0, 0.0]), 0.0), 1.0, 1)
    inside = Decoded(Readout(np.array([1.0, 1.0]), 0.0), 1.0, 1)
    angles = Readouts(plane, stimulus, 1.0, full, inside).angles()
    assert angles["plane"] == pytest.approx(45)
    assert angles["full"] == pytest.approx(90)
    assert angles["lifted"] == pytest.approx(np.degrees(np.arccos(3 / np.sqrt(12))))
    assert angles["lifted, no mean"] == pytest.approx(60)
    assert angle(np.array([1, 0]), np.array([-2, 0])) == pytest.approx(180)


def test_whole_blocks_held_out_show_what_leaks():
    blocks = np.repeat(np.arange(40), 25)
    hidden = np.eye(40)[blocks]  # a state tells the number of the block, and nothing of its side
    side = RNG.permutation(np.repeat([-1, 1], 20))[blocks]
    assert decode_block(hidden, side).accuracy > 0.95
    assert decode_block(hidden, side, blocks).accuracy < 0.7
    with pytest.raises(ValueError, match="one side"):
        decode_block(hidden, np.ones(1000))


def test_slopes_of_planted_movements():
    difference = RNG.normal(size=300)
    along = np.cumsum(np.stack([0.8 * difference, 0.2 * difference + 1], axis=1), axis=0)
    follows = np.ones(300, bool)
    follows[[0, 100]] = False
    moved = movements(along, follows)
    assert np.isnan(moved[[0, 100]]).all()
    assert slope_of(difference, moved[:, 0]).slope == pytest.approx(0.8)
    second = slope_of(difference, moved[:, 1])
    assert (second.slope, second.intercept, second.r) == pytest.approx((0.2, 1.0, 1.0))
    with pytest.raises(ValueError, match="differ"):
        slope_of(np.ones(5), np.arange(5.0))


def test_a_projection_is_scaled_through_the_origin():
    belief = np.array([0.1, 0.4, np.nan, 0.9, 0.8])
    found = agreement(np.array([-4.0, -1.0, 7.0, 4.0, 3.0]), belief)
    assert (found.scale, found.r) == pytest.approx((0.2, 1.0), abs=0.02)
    assert found.scale == pytest.approx((4 * 0.8 + 0.2 + 4 * 0.8 + 3 * 0.6) / (16 + 1 + 16 + 9))


def test_planted_populations_are_found():
    group = np.array([0, 1, 1, 0, 0, 1, 0, 1])
    signal = RNG.normal(size=(500, 1))
    hidden = signal * np.where(group, -1.0, 1.0) + 0.3 * RNG.normal(size=(500, 8))
    hidden = np.insert(hidden, 4, 0.25, axis=1)  # a unit that never varies
    found = find_populations(hidden)
    assert 4 not in found.order
    assert len(set(group[found.order - (found.order > 4)][found.group == 0])) == 1
    means = block_means(found.correlations, found.group)
    assert means["within first"] > 0.8
    assert means["within second"] > 0.8
    assert means["between"] < -0.8
    weights = np.array([[9.0, 1, -1], [2, 9, -1], [-3, -3, 9]])
    assert block_means(weights, np.array([0, 0, 1])) == pytest.approx(
        {"within first": 1.5, "within second": np.nan, "between": -2.0}, nan_ok=True
    )
    assert groups_by_readout(np.array([0.2, -0.2, 0.1])).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="three or more"):
        find_populations(hidden[:, :2])


# Dynamics


WEIGHTS = np.array([[2.0, 0.0], [0.0, 0.5]])


def bistable(states, inputs):
    return np.tanh(states @ WEIGHTS.T + inputs[:, :1])


def bistable_jacobian(states, inputs):
    return (1 - bistable(states, inputs) ** 2)[:, :, None] * WEIGHTS


def test_fixed_points_of_a_bistable_network():
    starts = RNG.uniform(-0.9, 0.9, (40, 2))
    found = fixed_points(bistable, bistable_jacobian, starts, np.zeros(3), iterations=100)
    place = 0.9575040240772688  # x = tanh(2 x)
    stable, unstable = found[:2], found[2:]
    assert sorted(each.state[0] for each in stable) == pytest.approx([-place, place])
    assert sum(each.share for each in stable) == pytest.approx(1)
    for each in stable:
        assert each.stable
        assert sorted(np.abs(each.eigenvalues)) == pytest.approx([2 * (1 - place**2), 0.5])
    assert [(each.stable, each.share) for each in unstable] == [(False, 0.0)]
    assert unstable[0].eigenvalues == pytest.approx([2.0, 0.5])
    pushed = fixed_points(bistable, bistable_jacobian, starts, np.array([3.0, 0, 0]), iterations=100)
    assert len(pushed) == 1


def test_vector_fields_of_planted_steps():
    plane = Plane(np.zeros(2), np.eye(2), np.ones(2))
    grid = grid_inside(RNG.uniform(-1, 1, (500, 2)), 7)
    assert 0 < len(grid) <= 49
    field = vector_field(lambda states, inputs: 0.5 * states + inputs[:, :2], plane, grid, (0.1, 0.2, 0))
    assert field.moves == pytest.approx(-0.5 * grid + [0.1, 0.2])
    with pytest.raises(ValueError, match="line"):
        grid_inside(np.stack([np.arange(50.0)] * 2, axis=1))
    points = np.cumsum(np.tile([0.1, -0.2], (50, 1)), axis=0)
    observations = np.tile([0.0, 0.0, 1.0], (50, 1))
    observations[::2, 2] = 0
    real = field_of_transitions(points, observations, np.arange(50) > 0, (0, 0, 1), 5)
    assert real.moves == pytest.approx(np.tile([0.1, -0.2], (len(real.moves), 1)))
    assert not len(field_of_transitions(points, observations, np.arange(50) > 0, (0, 5, 1), 5).points)


# Distillation


def driven(weights, sessions=4, length=200):
    """Beliefs of two units that random observations drive, and their steps."""
    recurrent, inputs = weights
    seen = RNG.normal(size=(sessions * length, 3))
    beliefs = np.zeros((len(seen), 2))
    for row in range(len(seen)):
        before = beliefs[row - 1] if row % length else np.zeros(2)
        beliefs[row] = np.tanh(recurrent @ before + inputs @ seen[row])
    left, right, reward = seen.T
    return steps_of(beliefs, sessions, left=left, right=right, reward=reward)


def test_planted_two_units_are_recovered():
    steps = driven((RECURRENT, INPUT))
    found = distil(steps.hidden, steps.observations, steps.follows)
    assert found.recurrent == pytest.approx(RECURRENT, abs=1e-9)
    assert found.inputs == pytest.approx(INPUT, abs=1e-9)
    assert found.r2 == pytest.approx(1)
    assert run_free(RECURRENT, INPUT, steps, steps.hidden) == pytest.approx(steps.hidden)
    late = steps.where(~((steps["session"] == 1) & (steps["step"] > 20)))  # sessions of different lengths
    assert run_free(RECURRENT, INPUT, late, late.hidden) == pytest.approx(late.hidden)


def test_scaled_states_stay_inside():
    inside = scaled(np.array([[1.0, -4.0], [-2.0, 2.0]]))
    assert np.abs(inside).max(axis=0) == pytest.approx([1 / 1.01, 1 / 1.01])


def test_decoherence_equals_its_twin():
    states = RNG.normal(size=(60, 3))
    lanes = [slice(0, 25), slice(25, 60)]
    found = decoherence(states, lanes, 6)
    for lag in range(6):
        distances = [
            np.sqrt(((states[later] - states[later - lag]) ** 2).sum())
            for lane in lanes
            for later in range(lane.start + lag, lane.stop)
        ]
        assert found[lag] == pytest.approx(np.mean(distances) / np.sqrt(3))


# In the task


class Shown(TwoUnitActor):
    """The two units as a network that can be watched."""

    @property
    def hidden(self):
        return self.beliefs

    @property
    def log_odds(self):
        return 2 * self.gain * self.beliefs[:, 0]

    def act(self, observations, resets, infos=None):
        self.choices = super().act(observations, resets, infos)
        return self.choices


@pytest.fixture(scope="module")
def watched():
    """The paper's two units in 24 sessions: steps and trials."""
    envs = BatchedIBL(24)
    player = Watched(Shown(24), Observer(24, envs.rules, blocks="markov"))
    trials = play_sessions(player, envs, 24, seed=3)
    return player.steps(), trials, envs.rules


def test_steps_and_trials_of_a_player_agree(watched):
    steps, trials, _ = watched
    ends = steps.where(steps.ends)
    for name in ("session", "trial", "side", "mu", "block_side", "n_obs"):
        assert (ends[name] == trials[name]).all()
    acted = trials["acted"]
    assert (np.sign(ends["log_odds"])[acted] == trials["response"][acted]).all()
    assert np.bincount(steps["session"]).tolist() == np.bincount(trials["session"], trials["steps"]).tolist()
    free = run_free(RECURRENT, INPUT, steps, steps.hidden)
    assert free == pytest.approx(steps.hidden, abs=1e-4)  # states are kept in float32


def test_the_observer_sees_what_the_network_sees(watched):
    steps, trials, rules = watched
    believed = steps["block_belief"][steps.answered + 1]
    side, acted = trials["side"], trials["acted"]
    assert len(steps.answered) == len(side) - 24  # a session's last result is not seen
    expected, stays = 0.5, 1 - rules.hazard
    for trial in range(int(np.argmin(acted))):  # until the first timeout
        right = rules.p_s if side[trial] > 0 else 1 - rules.p_s
        belief = expected * right / (expected * right + (1 - expected) * (1 - right))
        assert believed[trial] == pytest.approx(belief)
        expected = stays * belief + rules.hazard * (1 - belief)


def test_the_papers_two_units_are_right_in_87_percent(watched):
    _, trials, _ = watched
    assert trials["correct"].mean() == pytest.approx(0.871, abs=0.02)
    assert trials["n_obs"].mean() == pytest.approx(2.37, abs=0.12)


def test_early_trials_are_left_out(watched):
    _, trials, _ = watched
    kept = trials_after(trials, 200)
    for session in range(24):
        steps = trials["steps"][trials["session"] == session]
        begun = np.cumsum(steps) - steps
        assert (begun >= 200).sum() == (kept["session"] == session).sum()


def test_two_units_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"recurrent: shape \(3, 3\) does not fit; legal: \(2, 2\)"):
        TwoUnitActor(recurrent=np.zeros((3, 3)))
