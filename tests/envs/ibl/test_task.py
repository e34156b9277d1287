"""The IBL task: timing, rewards, laws of blocks, stimuli, options, whatever the preset."""

import gymnasium
import numpy as np
import pytest

from engram.envs.ibl.batched import BatchedIBL
from engram.envs.ibl.blocks import draw_by_odds, hazards, length_odds
from engram.envs.ibl.radd import TwoUnitActor
from engram.envs.ibl.rules import LEFT, PRESETS, RIGHT, WAIT, make_rules
from engram.envs.ibl.single import IBL
from engram.envs.ibl.threshold import BatchedThresholdAction, ThresholdAction, act_above

# The worked trace of the specification: k, left, right, reward seen, p(right), action, reward.
TRACE = [
    (0, 0, 0, 0, 0.500, WAIT, 0),
    (1, 0, 0, 0, 0.500, WAIT, 0),
    (2, 0.72, -0.47, 0, 0.204, WAIT, -0.05),
    (3, 0.80, -1.84, -0.05, 0.030, LEFT, 1),
    (0, 0, 0, 1, 0.109, WAIT, 0),
    (1, 0, 0, 0, 0.176, WAIT, 0),
    (2, -1.27, -0.31, 0, 0.438, WAIT, -0.05),
    (3, -0.19, 0.43, -0.05, 0.543, WAIT, -0.05),
    (4, -1.29, 0.38, -0.05, 0.839, WAIT, -0.05),
    (5, 0.99, -2.29, -0.05, 0.054, LEFT, -1),
]


def options_of_trace():
    """Noise that makes the trace's observations of a stimulus on the left, 2, then on the right, 0."""
    noise = np.zeros((2, 10, 2))
    noise[0, :2] = [(0.72 - 2, -0.47), (0.80 - 2, -1.84)]
    noise[1, :4] = [(-1.27, -0.31), (-0.19, 0.43), (-1.29, 0.38), (0.99, -2.29)]
    return {
        "blocks": [2],
        "first_block": "left",
        "sides": ["left", "right"],
        "mus": [2.0, 0.0],
        "noise": noise,
    }


def test_the_worked_trace():
    env, player = IBL(), TwoUnitActor()
    seen, info = env.reset(options=options_of_trace())
    over = False
    for step, (k, left, right, reward_seen, p_right, action, reward) in enumerate(TRACE):
        assert not over
        assert info["k"] == k
        assert seen == pytest.approx([left, right, reward_seen], abs=1e-6)
        chosen = player.act(seen[None], np.array([step == 0]))[0]
        # The printed observations have two decimals.
        assert player.stimulus_belief[0] == pytest.approx(p_right, abs=0.004)
        assert chosen == action
        seen, got, over, _, info = env.step(chosen)
        assert got == pytest.approx(reward)
    assert over
    assert seen == pytest.approx([0, 0, -1])
    assert (info["trial"], info["accuracy"], info["success"]) == (1, 0.5, False)


def play(env, act, seed=0, options=None):
    """One session: rows of (seen, info, action, reward, next info), and the last observation."""
    seen, info = env.reset(seed=seed, options=options)
    rows, over = [], False
    while not over:
        action = act(info)
        then, reward, over, _, now = env.step(action)
        rows.append((seen, info, action, reward, now))
        seen, info = then, now
    return rows, seen


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "change", [{}, {"final_feedback_step": True}, {"feedback": "noisy", "zero_steps": 0}]
)
def test_timing(preset, change):
    env = IBL(preset, blocks_per_session=2, min_block=2, max_block=9, unbiased_trials=3, **change)
    rules, rng = env.rules, np.random.default_rng(1)
    rows, last = play(env, lambda info: int(rng.choice(3, p=[0.1, 0.1, 0.8])))
    seen_reward, decided, trial = 0.0, False, 0
    for step, (seen, info, action, reward, now) in enumerate(rows):
        assert seen[2] == np.float32(seen_reward)
        assert info["trial"] == trial
        noisy = rules.zero_steps <= info["k"]
        feedback = decided and (rules.feedback == "noisy" or step == len(rows) - 1)
        if feedback:
            assert info["is_blank"] == (rules.feedback == "blank")
            assert reward == 0
            observing = False
        else:
            observing = noisy
            assert info["is_blank"] == (not noisy)
        assert bool(seen[:2].any()) == (not info["is_blank"])
        assert info["mask"] == observing
        assert info["target"] == (info["side"] > 0)
        if observing:
            assert info["n_obs"] == info["k"] - rules.zero_steps + 1
            acts, late = action != WAIT, info["n_obs"] == rules.max_observations
            right = acts and action == info["target"]
            expected = 1.0 if right else -1.0 if acts or late else rules.wait_reward
            assert (now["acted"], now["correct"], now["timeout"]) == (acts, right, late and not acts)
        else:
            acts = late = False
            expected = 0.0 if feedback else rules.blank_reward
            assert {now[name] for name in ("acted", "correct", "timeout")} == {False}
            assert now["ignored"] == (action != WAIT)
        assert reward == pytest.approx(expected)
        decided = acts or late
        assert now["trial_end"] == decided
        own_step = rules.feedback == "noisy"
        trial += feedback if own_step else decided
        trial = min(trial, rows[-1][1]["trial"])
        seen_reward = reward
    assert last[2] == np.float32(seen_reward)
    assert rows[-1][4]["trial"] == trial


def test_a_timeout_is_on_the_twelfth_step():
    rows, _ = play(IBL(blocks_per_session=1, min_block=2, max_block=2), lambda info: WAIT)
    assert [row[3] for row in rows] == 2 * [0, 0, *9 * [-0.05], -1]
    assert [row[4]["timeout"] for row in rows] == 2 * [*11 * [False], True]


def test_what_a_trial_costs_is_not_seen():
    sessions = [
        play(IBL(blocks_per_session=1, trial_cost=cost), lambda info: info["k"] % 3, seed=3)[0]
        for cost in (0, 0.7)
    ]
    for (seen, _, _, reward, now), (seen_too, _, _, paid, now_too) in zip(*sessions, strict=True):
        assert np.array_equal(seen, seen_too)
        assert paid == pytest.approx(reward - 0.7 * now["trial_end"])
        assert now["trial_end"] == now_too["trial_end"]


def test_rewards_are_floats_where_whole_numbers_are_given():
    envs = BatchedIBL(2, wait_reward=-2, blank_reward=-1, trial_cost=0.5)
    envs.reset(seed=0)
    paid = [envs.step(np.array([WAIT, RIGHT]))[1] for _ in range(3)]
    assert [each.dtype for each in paid] == 3 * [np.float64]
    assert [each[0] for each in paid] == [-1, -1, -2]
    assert paid[2][1] in (0.5, -1.5)


def test_the_papers_cut():
    """One blank step, which costs; a noisy step after the action; the session's last result is seen."""
    rows, last = play(
        IBL("paper", blocks_per_session=1, min_block=1, max_block=1), lambda info: info["target"]
    )
    trials = rows[-1][1]["trial"] + 1
    assert [row[3] for row in rows] == pytest.approx(trials * [-0.05, 1, 0])
    assert [row[1]["k"] for row in rows] == trials * [0, 1, 2]
    assert last[2] == 0
    assert rows[-1][4]["success"]


LENGTHS = {
    "rejection": (49.419, 45, {20: 0.0248, 100: 0.00493, 101: 0.0}),
    "hazard": (59.461, 54, {20: 0.02, 101: 0.1947}),
}


@pytest.mark.parametrize("law", LENGTHS)
def test_laws_of_blocks(law):
    mean, median, some = LENGTHS[law]
    odds = length_odds(law, 0.02, 20, 100)
    assert odds.sum() == pytest.approx(1)
    assert odds @ np.arange(len(odds)) == pytest.approx(mean, abs=5e-4)
    assert np.searchsorted(np.cumsum(odds), 0.5) == median
    assert np.flatnonzero(odds)[0] == 20
    for length, share in some.items():
        assert odds[length : length + 1].sum() == pytest.approx(share, abs=5e-5)
    drawn = draw_by_odds(np.random.default_rng(0), odds, 40_000)
    assert drawn.mean() == pytest.approx(mean, abs=4 * drawn.std() / 200)
    assert (drawn.min(), drawn.max()) == (20, len(odds) - 1)


def test_hazards_of_the_laws():
    rejection = hazards(length_odds("rejection", 0.02, 20, 100))
    assert rejection[[20, 21, 50, 90, 99, 100]] == pytest.approx(
        [0.0248, 0.0250, 0.0311, 0.100, 0.505, 1], abs=5e-4
    )
    hazard = hazards(length_odds("hazard", 0.02, 20, 100))
    assert hazard[1:20] == pytest.approx(0)
    assert hazard[20:101] == pytest.approx(0.02)
    assert hazard[101] == pytest.approx(1)


def sessions(envs):
    """What is drawn for each lane."""
    return [envs.hidden_choices(lane) for lane in range(envs.num_envs)]


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_drawn(preset):
    """Bands are of four standard errors."""
    envs = BatchedIBL(256, preset)
    rules = envs.rules
    envs.reset(seed=0)
    drawn = sessions(envs)
    mus = np.concatenate([each["mus"] for each in drawn])
    for strength, odds in zip(rules.strengths, rules.strength_odds, strict=True):
        assert (mus == strength).mean() == pytest.approx(odds, abs=4 * np.sqrt(odds / mus.size))
    sides = np.concatenate([each["sides"] for each in drawn])
    blocks = np.concatenate([favoured(each, rules) for each in drawn])
    share = (sides == blocks)[blocks != 0]
    assert share.mean() == pytest.approx(0.8, abs=4 * 0.4 / np.sqrt(share.size))
    even = sides[blocks == 0] > 0
    assert even.size == 256 * rules.unbiased_trials
    if even.size:
        assert even.mean() == pytest.approx(0.5, abs=2 / np.sqrt(even.size))
    firsts = np.array([each["first_block"] for each in drawn])
    assert (firsts > 0).mean() == pytest.approx(0.5, abs=0.125)
    noise = np.concatenate([each["noise"].ravel() for each in drawn])
    assert noise.std() == pytest.approx(1, abs=4 / np.sqrt(2 * noise.size))
    assert all(20 <= length <= rules.longest_block for each in drawn for length in each["blocks"])


def favoured(session, rules):
    """The side that each trial's block favours, 0 in unbiased trials: blocks alternate."""
    sides = session["first_block"] * (-1) ** np.arange(len(session["blocks"]))
    return np.concatenate([np.zeros(rules.unbiased_trials, int), np.repeat(sides, session["blocks"])])


def test_the_difference_of_sides_has_variance_two():
    env = IBL(max_observations=1000, blocks_per_session=1, min_block=1, max_block=1)
    rows, _ = play(env, lambda info: WAIT, options={"sides": "left", "mus": 1.5})
    seen = np.array([row[0] for row in rows])[2:]
    difference = seen[:, 1] - seen[:, 0]
    assert difference.var() == pytest.approx(2, abs=0.4)
    assert difference.mean() == pytest.approx(-1.5, abs=0.2)


@pytest.mark.parametrize("preset", PRESETS)
def test_lanes_are_single_forms_under_the_same_choices(preset):
    settings = {
        "preset": preset,
        "blocks_per_session": 2,
        "min_block": 2,
        "max_block": 4,
        "unbiased_trials": 1,
    }
    envs, rng = BatchedIBL(3, **settings), np.random.default_rng(0)
    observations, info = envs.reset(seed=4)
    singles = [IBL(**settings) for _ in range(3)]
    told = [single.reset(options=each) for single, each in zip(singles, sessions(envs), strict=True)]
    assert np.array_equal([seen for seen, _ in told], observations)
    told = {name for name in info if not name.startswith("_")}
    alive = np.ones(3, bool)
    while alive.any():
        actions = rng.choice(3, size=3, p=[0.2, 0.2, 0.6])
        observations, rewards, over, _, info = envs.step(actions)
        for lane in np.flatnonzero(alive):
            seen, reward, ended, _, facts = singles[lane].step(actions[lane])
            final = info["final_info"] if over[lane] else info
            expected = info["final_obs"][lane] if over[lane] else observations[lane]
            assert np.array_equal(seen, expected)
            assert (reward, ended) == (rewards[lane], over[lane])
            assert facts == {name: final[name][lane] for name in facts}
            assert facts.keys() == told
        alive &= ~over


def test_one_lane_is_the_single_form_under_the_same_seed():
    envs, single, rng = BatchedIBL(1), IBL(), np.random.default_rng(0)
    assert np.array_equal(envs.reset(seed=7)[0][0], single.reset(seed=7)[0])
    for action in rng.integers(3, size=300):
        assert np.array_equal(envs.step(np.array([action]))[0][0], single.step(action)[0])


CONTROLLED = {"blocks": [2, 3], "first_block": "right", "sides": "left", "mus": [0, 1, 2, 3.5, 0], "noise": 0}


def test_controlled_trials():
    rows, _ = play(IBL(), lambda info: WAIT, options=CONTROLLED)
    observed = [row for row in rows if row[1]["k"] == 2]
    assert [float(row[0][0]) for row in observed] == CONTROLLED["mus"]
    told = [
        [row[1][name] for row in observed] for name in ("block", "block_side", "trial_in_block", "concordant")
    ]
    assert told == [
        [0, 0, 1, 1, 1],
        [1, 1, -1, -1, -1],
        [0, 1, 0, 1, 2],
        [False, False, True, True, True],
    ]
    assert [row[1]["signed_contrast"] for row in observed] == [0, -1, -2, -3.5, 0]


def test_options_may_differ_between_lanes():
    envs = BatchedIBL(2)
    envs.reset(
        options={"blocks": [[1, 2], [2, 3]], "first_block": ["left", "right"], "sides": [[-1] * 5, [1] * 5]}
    )
    first, second = sessions(envs)
    assert (first["blocks"], first["first_block"], first["sides"]) == ([1, 2], -1, [-1] * 3)
    assert (second["blocks"], second["first_block"], second["sides"]) == ([2, 3], 1, [1] * 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"block": [3]},
            r"options\.block: unknown 'block'; did you mean 'blocks'\? known: blocks, first_block",
        ),
        ({"blocks": [3, 0]}, r"options\.blocks: \[3, 0\]; legal: trials of each block, whole numbers >= 1"),
        ({"blocks": [100] * 5}, r"options\.blocks: .* at most 400 in all"),
        ({"blocks": 3}, r"options\.blocks: 3; legal: trials of each block"),
        ({"first_block": "up"}, r"options\.first_block: 'up' is no side; legal: left \(or -1\), right"),
        (
            {"first_block": "lft"},
            r"options\.first_block: 'lft' is no side; did you mean 'left'\? legal: left",
        ),
        ({"first_block": 0}, r"options\.first_block: 0 is no side"),
        ({"blocks": [2], "sides": ["left", None]}, r"options\.sides: None is no side"),
        (
            {"sides": ["left", "right"]},
            r"options\.sides: lists trials, and their number is drawn; legal: one",
        ),
        ({"mus": [1.0, 2.0]}, r"options\.mus: lists trials, and their number is drawn"),
        ({"blocks": [3], "sides": ["left"] * 4}, r"options\.sides: shape \(4,\) does not fit; legal: \(3,\)"),
        (
            {"blocks": [3], "mus": [1, 2]},
            r"options\.mus: shape \(2,\) does not fit; legal: \(3,\) or one per",
        ),
        ({"blocks": [3], "sides": ["left"]}, r"options\.sides: shape \(1,\) does not fit; legal: \(3,\) or"),
        ({"blocks": [3], "mus": -1}, r"options\.mus: -1 is out of range; legal: 0 to 1000; nearest: 0"),
        ({"blocks": [2], "mus": [1, np.nan]}, r"options\.mus: nan is no number; legal: 0 to 1000"),
        ({"blocks": [2], "mus": [1, None]}, r"options\.mus: None is no number; legal: 0 to 1000"),
        ({"blocks": [3], "noise": np.zeros((3, 9, 2))}, r"options\.noise: shape \(3, 9, 2\) does not fit"),
        ({"noise": "loud"}, r"options\.noise: 'loud' is no number; legal: -1000 to 1000"),
    ],
)
def test_options_that_contradict_are_one_line(options, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        IBL().reset(options=options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "papper"}, r"preset: unknown 'papper'; did you mean 'paper'\? known: code, mouse, paper"),
        (
            {"min_block": 101},
            r"min_block: 101 is too large; legal: >= 1 trials, no more than max_block, at mo",
        ),
        ({"hazard": 0}, r"hazard: 0 would never end a block"),
        ({"p_s": 1.2}, r"p_s: 1\.2 is out of range; legal: 0 to 1; nearest: 1"),
        ({"strengths": [1, -1]}, r"strengths: -1 is out of range; legal: 0 to 1000; nearest: 0"),
        ({"strengths": []}, r"strengths: \[\] is no list of numbers"),
        ({"strengths": [1, 2], "weights": [1]}, r"weights: 1 numbers; legal: one per strength, 2"),
        ({"weights": [0] * 6}, r"weights: all are 0; legal: at least one above 0"),
        ({"block_law": "geometric"}, r"block_law: unknown 'geometric'; .*known: hazard, rejection"),
        ({"feedback": "noise"}, r"feedback: unknown 'noise'; did you mean 'noisy'"),
        (
            {"blocks_per_session": 10_000, "max_observations": 1000},
            r"blocks_per_session: 10000 blocks would t",
        ),
    ],
)
def test_parameters_that_are_not_legal_are_one_line(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make_rules(**arguments)


def test_presets_differ_where_the_sources_do():
    paper, code = make_rules("paper"), make_rules("code")
    changed = {name for name in PRESETS["code"] if getattr(paper, name) != getattr(code, name)}
    assert changed == {"block_law", "zero_steps", "feedback", "final_feedback_step", "blank_reward"}
    assert make_rules("paper", zero_steps=2).zero_steps == 2
    assert make_rules("mouse", strengths=[0, 1]).strength_odds.tolist() == [0.5, 0.5]


def test_the_threshold_is_strict():
    """A difference of logits of ln 9 is a probability of 0.9."""
    logits = np.log(9) + np.array([-1e-9, 1e-9])
    assert act_above(1 / (1 + np.exp(-logits))).tolist() == [WAIT, RIGHT]
    assert act_above(1 / (1 + np.exp(logits))).tolist() == [WAIT, LEFT]
    assert act_above(np.array([0.9, 0.1, 0.95]), left=np.array([0.1, 0.9, 0.05])).tolist() == [
        WAIT,
        WAIT,
        RIGHT,
    ]


def test_probabilities_as_actions():
    single, envs = ThresholdAction(IBL()), BatchedThresholdAction(BatchedIBL(2), 0.6)
    assert single.action_space == gymnasium.spaces.Box(0, 1, (2,), np.float64)
    assert envs.action_space.shape == (2, 2)
    for env, sure in ((single, [0.05, 0.95]), (envs, [[0.7, 0.3], [0.5, 0.5]])):
        env.reset(seed=0)
        for _ in range(3):
            *_, info = env.step(np.array(sure))
        assert np.array_equal(info["acted"], True if env is single else [True, False])
    with pytest.raises(ValueError, match=r"threshold: 0\.4 is out of range; legal: 0\.5 to 1"):
        ThresholdAction(IBL(), 0.4)


def test_a_picture_of_a_trial():
    env = IBL(render_mode="ansi")
    env.reset(options={"blocks": [1], "sides": "right", "mus": 1.0, "noise": 0})
    for _ in range(3):
        env.step(WAIT)
    lines = env.render().splitlines()
    assert lines[0].strip() == "."
    assert [line.strip() for line in lines[1:4]] == ["|RRR", "|RRR", "|"]
