"""Known answers of Cued Catch, in both forms."""

import itertools

import numpy as np
import pytest

from engram.envs.games.cued_catch.batched import BatchedCuedCatch
from engram.envs.games.cued_catch.rules import LOOK, CuedCatchRules
from engram.envs.games.cued_catch.single import CuedCatch
from engram.envs.games.oracles import CuedCatchOracle

from .play import FORMS, drawn, make, play

ID = "engram/CuedCatch-v0"
UP, DOWN, STAY = 0, 1, 4
PLAYER, TOP, BOTTOM, SIGNS = range(4)
SMALL = {"initial_cue_duration": 2, "cue_duration": 4, "num_trials": 6, "reward_free_trials": 2}

both_forms = pytest.mark.parametrize("form", FORMS)


@both_forms
def test_oracle_catches_every_ball(form):
    lanes = {"single": 2, "batched": 64}[form]
    _, rewards, returns, lengths, facts = play(make(ID, form, lanes), CuedCatchOracle(lanes).act)
    assert (returns == 60.0).all()
    assert (lengths == 739).all()
    assert (facts["caught"] == 60).all()
    assert facts["success"].all()
    paid = np.zeros(740)
    paid[[45 + 7 * trial for trial in range(40, 100)]] = 1.0
    assert np.flatnonzero(paid)[0] == 325
    assert (rewards == paid[:, None]).all()


@pytest.mark.parametrize("free", [0, 5, 10, 20, 30, 99, 100])
def test_the_best_return_is_the_number_of_paid_trials(free):
    env = make(ID, "batched", 4, reward_free_trials=free)
    _, _, returns, _, facts = play(env, CuedCatchOracle(4).act)
    assert returns.tolist() == [100.0 - free] * 4
    assert facts["success"].all()


@both_forms
@pytest.mark.parametrize(
    ("lesson", "cue", "trials", "free", "bar"),
    [(1, 1, 3, 0, False), (3, 7, 4, 1, False), (2, 4, 5, 2, True), (4, 9, 1, 0, False), (1, 6, 3, 3, True)],
)
def test_oracle_under_other_parameters(form, lesson, cue, trials, free, bar):
    env = make(
        ID,
        form,
        3,
        initial_cue_duration=lesson,
        cue_duration=cue,
        num_trials=trials,
        reward_free_trials=free,
        always_show_ball_symbol=bar,
    )
    oracle = CuedCatchOracle(3)
    for seed in range(3):  # the same oracle plays on: it needs no reset
        _, _, returns, lengths, _ = play(env, oracle.act, seed=seed)
        assert returns.tolist() == [trials - free] * 3
        assert lengths.tolist() == [4 * lesson - 1 + 7 * trials] * 3


def test_the_wrong_ball_earns_nothing():
    oracle = CuedCatchOracle(8)
    _, _, returns, _, facts = play(make(ID, "batched", 8), lambda seen: 1 - oracle.act(seen))
    assert not returns.any()
    assert not facts["caught"].any()
    assert not facts["success"].any()


def test_random_play_earns_half():
    """Each of 60 paid balls is caught with 1/2, independently: 30 on average, 3.87 the deviation."""
    rng = np.random.default_rng(0)
    _, _, returns, *_ = play(make(ID, "batched", 1024), lambda seen: rng.integers(5, size=1024))
    assert returns.mean() == pytest.approx(30.0, abs=0.5)
    assert returns.std() == pytest.approx(np.sqrt(60) / 2, abs=0.3)


def test_random_play_earns_half_on_pycolab():
    rng = np.random.default_rng(0)
    env = make(ID, "single", 40, **SMALL | {"num_trials": 22})
    _, _, returns, *_ = play(env, lambda seen: rng.integers(5, size=40))
    assert returns.mean() == pytest.approx(10.0, abs=1.5)


def cells(seen, plane):
    """The cells of one plane of one lane's observation, as (row, column) pairs."""
    return [tuple(cell) for cell in np.argwhere(seen[0, :, :, plane]).tolist()]


def block(rows, cols):
    return set(itertools.product(rows, cols))


MARKERS = block((1, 2), (0, 1, 10, 11))
BARS = {True: block((3, 4), range(6)), False: block((3, 4), range(6, 12))}
CUES = [block((5, 6), range(3 * cue, 3 * cue + 3)) for cue in range(4)]


@both_forms
def test_timeline_of_the_defaults(form):
    top, cues = [True, False, False, True], ([2, 0, 3] * 34)[:101]
    options = {"cue_is_top": top, "trial_cues": cues}
    seen, *_ = play(make(ID, form), lambda seen: np.array([STAY]), options)
    for frame in range(40):
        cue = (39 - frame) // 10
        assert set(cells(seen[frame], SIGNS)) == MARKERS | BARS[top[cue]] | CUES[cue]
        assert cells(seen[frame], TOP) == cells(seen[frame], BOTTOM) == []
        assert cells(seen[frame], PLAYER) == [(1, 3)]
    for frame in range(40, 739):
        trial, age = divmod(frame - 39, 7)
        assert set(cells(seen[frame], SIGNS)) == CUES[cues[trial]]
        assert cells(seen[frame], TOP) == [(1, 8 - age)]
        assert cells(seen[frame], BOTTOM) == [(2, 8 - age)]
        assert cells(seen[frame], PLAYER) == ([] if age == 5 else [(1, 3)])  # the ball hides it


@both_forms
def test_the_last_observation_shows_one_more_cue(form):
    options = {"cue_is_top": [1, 1, 0, 0], "trial_cues": [0, 0, 0, 0, 0, 0, 3]}
    env = make(ID, form, **SMALL)
    env.reset(options=options)
    for _ in range(48):
        *_, terminated, _, _ = env.step(np.array([STAY]))
        assert not terminated
    _, reward, terminated, _, info = env.step(np.array([STAY]))
    assert terminated
    assert reward == 0.0
    last = info["final_obs"][0][None]
    assert set(cells(last, SIGNS)) == CUES[3]
    assert (cells(last, TOP), cells(last, BOTTOM)) == ([(1, 8)], [(2, 8)])


@both_forms
@pytest.mark.parametrize("duration", [1, 4, 6, 7, 12])
@pytest.mark.parametrize("bar", [False, True])
def test_how_long_a_cue_is_seen(form, duration, bar):
    options = {"cue_is_top": [1, 0, 1, 0], "trial_cues": [1, 2, 2, 0]}
    parameters = {"initial_cue_duration": 1, "cue_duration": duration, "num_trials": 3}
    env = make(ID, form, **parameters, reward_free_trials=0, always_show_ball_symbol=bar)
    seen, *_ = play(env, lambda seen: np.array([STAY]), options)
    for frame in range(4, 24):
        trial, age = divmod(frame - 3, 7)
        cue = options["trial_cues"][trial]
        whole = CUES[cue] | (BARS[cue % 2 == 0] if bar else set())
        late = 1 if trial == 0 else 0  # the first cue follows the lesson's last frame
        assert set(cells(seen[frame], SIGNS)) == (whole if age - late < duration else set())


@both_forms
def test_the_last_moment_to_decide(form):
    """The action on the observation 5 frames after a trial's begin still counts, the next does not."""
    options = {"cue_is_top": [0, 0, 1, 1], "trial_cues": [0] * 7}
    parameters = SMALL | {"num_trials": 6, "reward_free_trials": 0}
    for chosen_on, caught in ((12, 1.0), (13, 0.0)):
        env = make(ID, form, **parameters)
        env.reset(options=options)
        earned = [0.0]
        for frame in range(1, 15):
            _, reward, *_ = env.step(np.array([DOWN if frame - 1 >= chosen_on else UP]))
            earned.append(reward[0])
        assert earned == [0.0] * 13 + [caught, 0.0]


@both_forms
@pytest.mark.parametrize("action", range(5))
def test_what_each_action_does(form, action):
    env = make(ID, form, **SMALL)
    env.reset(seed=0)
    for start, before in ((UP, 1), (DOWN, 2)):
        env.step(np.array([start]))
        seen, *_ = env.step(np.array([action]))
        assert cells(seen, PLAYER) == [({UP: 1, DOWN: 2}.get(action, before), 3)]


@both_forms
def test_noise_is_added_to_hits_and_misses_of_paid_trials(form):
    noise = [0.5, -0.25, 1.0, 0.0]
    options = {"cue_is_top": [1, 1, 0, 0], "trial_cues": [0, 0, 0, 3, 0, 3, 0], "noise": noise}
    env = make(ID, form, **SMALL, reward_sigma=0.3)
    _, rewards, returns, *_ = play(env, lambda seen: np.array([UP]), options)
    paid = [7 + 7 * trial + 6 for trial in range(2, 6)]
    assert rewards[paid, 0].tolist() == [1.5, -0.25, 2.0, 0.0]
    assert returns == [3.25]
    assert set(np.flatnonzero(rewards)) <= set(paid)


def test_noise_has_the_deviation_asked_for():
    env = make(ID, "batched", 512, **SMALL, reward_sigma=0.3)
    env.reset(seed=0)
    noise = np.array([drawn(env, lane)["noise"] for lane in range(512)])
    assert noise.shape == (512, 4)
    assert noise.mean() == pytest.approx(0.0, abs=0.03)
    assert noise.std() == pytest.approx(0.3, abs=0.02)


@both_forms
def test_hidden_choices_are_uniform_and_fresh(form):
    env = make(ID, form, 64, **SMALL | {"num_trials": 2, "reward_free_trials": [0, 2]})
    env.reset(seed=1)
    choices = []
    for _ in range(8):
        choices += [drawn(env, lane) for lane in range(64)]
        for _ in range(21):
            env.step(np.full(64, STAY))
    pairs = dict.fromkeys(itertools.permutations((True, True, False, False)), 0)
    for choice in choices:
        pairs[tuple(choice["cue_is_top"])] += 1
    assert len(pairs) == 6
    assert all(abs(count / len(choices) - 1 / 6) < 0.06 for count in pairs.values())
    cues = np.array([choice["trial_cues"] for choice in choices])
    assert cues.shape == (512, 3)
    for trial in range(3):
        assert (abs(np.bincount(cues[:, trial], minlength=4) / 512 - 1 / 4) < 0.08).all()
    together = np.bincount(4 * cues[:, 0] + cues[:, 1], minlength=16) / 512  # drawn with replacement
    assert (abs(together - 1 / 16) < 0.05).all()
    free = [choice["reward_free_trials"] for choice in choices]
    assert set(free) == {0, 2}
    assert abs(np.mean(free) - 1.0) < 0.2
    assert len({str(choice) for choice in choices[:64]} & {str(choice) for choice in choices[64:128]}) < 20


@both_forms
def test_an_episode_can_be_had_again(form):
    parameters = SMALL | {"reward_free_trials": [1, 3], "reward_sigma": 0.5}
    env = make(ID, form, 2, **parameters)
    env.reset(seed=3)
    hidden = drawn(env, 0)
    moves = np.random.default_rng(0).integers(2, size=49)
    played = []
    for seed in (4, 5):
        following = iter(moves)
        env = make(ID, form, 2, **parameters)
        played.append(play(env, lambda _, following=following: np.full(2, next(following)), hidden, seed))
    (seen, rewards, *_), (seen_again, rewards_again, *_) = played
    assert rewards.any()
    for one in (seen[:49, 1], seen_again[:49, 0], seen_again[:49, 1]):
        assert np.array_equal(one, seen[:49, 0])
    for one in (rewards[:, 1], rewards_again[:, 0], rewards_again[:, 1]):
        assert np.array_equal(one, rewards[:, 0])


def test_choices_may_be_given_per_lane():
    env = BatchedCuedCatch(2, **SMALL | {"reward_free_trials": [0, 1, 2, 3]}, reward_sigma=1.0)
    options = {
        "cue_is_top": [[1, 1, 0, 0], [0, 1, 0, 1]],
        "trial_cues": [[0, 1, 2, 3, 0, 1, 2], [3, 3, 3, 3, 3, 3, 3]],
        "reward_free_trials": [2, 3],
        "noise": [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7]],
    }
    _, info = env.reset(options=options)
    assert info["reward_free_trials"].tolist() == [2, 3]
    for lane in range(2):
        assert env.hidden_choices(lane) == {name: values[lane] for name, values in options.items()}
    env.reset(seed=0, options={"trial_cues": [1] * 7})
    assert [env.hidden_choices(lane)["trial_cues"] for lane in range(2)] == [[1] * 7] * 2


def test_recorded_frames_may_be_given_per_lane():
    """What a recorded episode holds, of two episodes at once; a wrong frame of the second lane is seen."""
    env = BatchedCuedCatch(2, **SMALL | {"reward_free_trials": [4, 5]}, reward_sigma=1.0)
    first = env.rules.first_trial
    resets = [first + 7 * trial for trial in range(7)]
    options = {
        "reward_free_trials": [4, 5],
        "trial_reset_frames": [resets, resets],
        "noise": [[0.1, 0.2], [0.3]],
        "noise_frames": [[resets[4] + 6, resets[5] + 6], [resets[5] + 6]],
    }
    env.reset(options=options)
    assert [env.hidden_choices(lane)["noise"] for lane in range(2)] == options["noise"]
    with pytest.raises(ValueError, match=r"options\.noise_frames: these are not the frames"):
        env.reset(options=options | {"noise_frames": [resets[4] + 6, resets[5] + 6]})


@both_forms
def test_there_is_no_noise_without_a_deviation(form):
    env = make(ID, form, **SMALL)
    env.reset(options={"noise": []})
    env.reset(options={"noise": [0.0] * (SMALL["num_trials"] - SMALL["reward_free_trials"])})
    with pytest.raises(ValueError, match=r"options\.noise: there is none where reward_sigma is 0"):
        env.reset(options={"noise": [0.5] * (SMALL["num_trials"] - SMALL["reward_free_trials"])})


def test_reward_free_trials_may_be_outside_of_what_is_drawn():
    env = CuedCatch(**SMALL)
    _, info = env.reset(options={"reward_free_trials": 5})
    assert (info["reward_free_trials"], info["delay"]) == (5, 40)


@both_forms
@pytest.mark.parametrize(("free", "delay"), [(40, 285), (0, 5), (3, 26)])
def test_the_delay_is_what_an_episode_shows(form, free, delay):
    env = make(ID, form, reward_free_trials=free)
    seen, rewards, *_ = play(env, CuedCatchOracle().act)
    last_lesson = max(frame for frame in range(739) if set(cells(seen[frame], SIGNS)) >= MARKERS)
    first_paid = np.flatnonzero(rewards[:, 0])[0]
    assert first_paid - 1 - last_lesson == delay
    _, info = env.reset()
    assert info["delay"].tolist() == [delay]


def test_memory_delay_is_the_longest():
    for form in (CuedCatch, BatchedCuedCatch):
        assert form().memory_delay == 285
        assert form(reward_free_trials=[20, 3]).memory_delay == 145
        shown = form(always_show_ball_symbol=True)
        assert shown.memory_delay == 0
        assert shown.reset(seed=0)[1]["delay"] == 0


def test_results_are_split_by_reward_free_trials():
    for form in (CuedCatch, BatchedCuedCatch):
        assert form().metadata["group_by"] == form(reward_free_trials=[0, 4]).metadata["group_by"]
        assert form().metadata["group_by"] == "reward_free_trials"


def test_rendering():
    options = {"cue_is_top": [False, False, True, True], "trial_cues": [1] * 101}
    lesson = ["            ", "QQ P      QQ", "QQ        QQ", *["QQQQQQ      "] * 2, *["         QQQ"] * 2]
    trial = ["            ", "   P   a    ", "       b    ", *["            "] * 2, *["   QQQ      "] * 2]
    for mode in ("ansi", "rgb_array"):
        single, batched = CuedCatch(render_mode=mode), BatchedCuedCatch(2, render_mode=mode)
        single.reset(options=options)
        batched.reset(options=options)
        for steps, lines in ((0, lesson), (40, trial)):
            for _ in range(steps):
                single.step(STAY)
                batched.step(np.full(2, STAY))
            frames = [single.render(), *batched.render()]
            for frame in frames:
                if mode == "ansi":
                    assert frame.splitlines() == lines
                else:
                    pixels = [[LOOK.colours.get(glyph, (0, 0, 0)) for glyph in line] for line in lines]
                    assert frame.shape == (7 * 16, 12 * 16, 3)
                    assert np.array_equal(frame[::16, ::16], pixels)
                    assert np.array_equal(frame[15::16, 15::16], pixels)


@pytest.mark.parametrize("form", [CuedCatch, BatchedCuedCatch])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"initial_cue_duration": 0},
            r"initial_cue_duration: 0 is too small; legal: >= 1 env steps; nearest: 1",
        ),
        ({"initial_cue_duration": 2.0}, r"initial_cue_duration: 2.0 is not a whole number"),
        ({"cue_duration": 0}, r"cue_duration: 0 is too small; legal: >= 1 env steps; nearest: 1"),
        ({"num_trials": 0}, r"num_trials: 0 is too small; legal: >= 1 trials; nearest: 1"),
        ({"num_trials": 30}, r"reward_free_trials: 40 is too large; legal: 0 to 30 trials, .*; nearest: 30"),
        ({"reward_free_trials": -1}, r"reward_free_trials: -1 is too small; legal: 0 to 100 .*; nearest: 0"),
        ({"reward_free_trials": [0, 101]}, r"reward_free_trials: 101 is too large; .*nearest: 100"),
        ({"reward_free_trials": []}, r"reward_free_trials: the list is empty; legal: 0 to 100 trials"),
        ({"always_show_ball_symbol": 1}, r"always_show_ball_symbol: 1 is not a boolean; legal: true, false"),
        ({"reward_sigma": -0.1}, r"reward_sigma: -0.1 is no standard deviation; legal: a finite number >= 0"),
        ({"reward_sigma": float("nan")}, r"reward_sigma: nan"),
        ({"reward_sigma": True}, r"reward_sigma: True"),
        (
            {"render_mode": "ascii"},
            r"render_mode: unknown 'ascii'; did you mean 'ansi'\? known: ansi, .*rgb_array",
        ),
    ],
)
def test_illegal_arguments_are_named(form, arguments, message):
    with pytest.raises(ValueError, match=message):
        form(**arguments)


@pytest.mark.parametrize("form", [CuedCatch, BatchedCuedCatch])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"cue_is_tip": [1, 1, 0, 0]},
            r"options.cue_is_tip: unknown 'cue_is_tip'; did you mean 'cue_is_top'\?",
        ),
        ({"cue_is_top": [1, 1, 1, 0]}, r"options.cue_is_top: .*legal: 4 booleans, two of them true"),
        ({"cue_is_top": ["yes", "yes", "no", "no"]}, r"options.cue_is_top: .*legal: 4 booleans"),
        ({"cue_is_top": [1, 0]}, r"options.cue_is_top: shape \(2,\) does not fit; legal: \(4,\)"),
        ({"trial_cues": [0] * 6}, r"options.trial_cues: shape \(6,\) does not fit; legal: \(7,\)"),
        ({"trial_cues": [0, 1, 2, 3, 4, 0, 0]}, r"options.trial_cues: legal: cues 0 to 3, 7 of them"),
        ({"trial_cues": [0.5] * 7}, r"options.trial_cues: legal: cues 0 to 3"),
        ({"noise": [0.1, 0.2]}, r"options.noise: 2 numbers; legal: one per trial that is paid, 4"),
        ({"noise": [[0.1] * 4] * 5}, r"options.noise: 5 lists; legal: one list, or one per lane"),
        ({"noise": ["loud"] * 4}, r"options.noise: .*legal: finite numbers"),
        ({"noise": [float("inf")] * 4}, r"options.noise: .*legal: finite numbers"),
        ({"noise": 0.5}, r"options.noise: 1 numbers; legal: one per trial that is paid, 4"),
        ({"reward_free_trials": 7}, r"options.reward_free_trials: 7 is too large; .*nearest: 6"),
        ({"reward_free_trials": [1] * 5}, r"options.reward_free_trials: shape \(5,\) does not fit"),
        ({"trial_reset_frames": [7, 14]}, r"options.trial_reset_frames: these are not the frames that"),
        ({"noise_frames": [27]}, r"options.noise_frames: these are not the frames that"),
    ],
)
def test_illegal_reset_options_are_named(form, options, message):
    with pytest.raises(ValueError, match=message):
        form(**SMALL, reward_sigma=0.1).reset(options=options)


def test_defaults_are_the_papers():
    assert CuedCatch().rules == BatchedCuedCatch().rules == CuedCatchRules(10, 10, 100, 40, False, 0.0)
