"""Known answers of Sequence Recall, in both forms."""

import itertools
from collections import deque

import numpy as np
import pytest

from engram.envs.forms.actions import MOVES
from engram.envs.games.oracles import SequenceRecallOracle
from engram.envs.games.oracles.sequence_recall import moves_to_go
from engram.envs.games.sequence_recall.batched import BatchedSequenceRecall
from engram.envs.games.sequence_recall.rules import (
    LOOK,
    START,
    SequenceRecallRules,
    lights_by_cell,
    wall_cells,
)
from engram.envs.games.sequence_recall.single import SequenceRecall

from .play import FORMS, drawn, make, play

ID = "engram/SequenceRecall-v0"
UP, DOWN, LEFT, RIGHT, STAY = range(5)
PLAYER, DARK, WALL = 0, 5, 6
BRIEF = {"demo_light_on_frames": 2, "demo_light_off_frames": 2, "pause_frames": 2}
ALL_SEQUENCES = ["".join(lights) for lights in itertools.product("1234", repeat=4)]
BOARD = """
#####################
#        MMM        #
#      MMMMMMM      #
#      MMMMMMM      #
#      MMMMMMM      #
#        MMM        #
#  MMM         MMM  #
#MMMMMMM %%% MMMMMMM#
#MMMMMMM %P% MMMMMMM#
#MMMMMMM %%% MMMMMMM#
#  MMM         MMM  #
#        MMM        #
#      MMMMMMM      #
#      MMMMMMM      #
#      MMMMMMM      #
#        MMM        #
#####################
""".strip().splitlines()

both_forms = pytest.mark.parametrize("form", FORMS)


def fewest_moves(sequence):
    """By search over (cell, lights entered, inside one), knowing nothing of the oracle's way of counting."""
    lights, walls = lights_by_cell(), wall_cells()
    start = (START, 0, False)
    reached, waiting = {start: 0}, deque([start])
    while waiting:
        state = waiting.popleft()
        (row, col), entered, inside = state
        for down, right in MOVES:
            there = (row + down, col + right)
            if walls[there]:
                continue
            light = int(lights[there])
            enters = light and not inside
            if enters and light != int(sequence[entered]):
                continue
            if enters and entered + 1 == len(sequence):
                return reached[state] + 1
            after = (there, entered + bool(enters), bool(light))
            if after not in reached:
                reached[after] = reached[state] + 1
                waiting.append(after)
    raise AssertionError("no way")


def lit(seen):
    """The light that is lit in each observation, 0 for none: (..., R, C, K) -> (...)."""
    shining = seen[..., 1:5].any(axis=(-3, -2))
    return np.where(shining.any(axis=-1), 1 + shining.argmax(axis=-1), 0)


def penned(seen):
    return seen[..., START[0] - 1, START[1] - 1, WALL] == 1


def where(seen):
    """The player's cell in one observation."""
    return tuple(np.argwhere(seen[..., PLAYER])[0].tolist())


def test_the_oracles_ways_are_shortest():
    longer = ["", "1", "31", "122", "43434", "141432", "2222222"]
    for sequence in ALL_SEQUENCES + longer[1:]:
        assert moves_to_go(sequence)[START] == fewest_moves(sequence)
    assert moves_to_go("")[START] == 0


def test_oracle_earns_the_best_return_with_every_sequence():
    options = {"sequence": ALL_SEQUENCES}
    _, _, returns, lengths, facts = play(make(ID, "batched", 256), SequenceRecallOracle(256).act, options)
    moves = np.array([fewest_moves(sequence) for sequence in ALL_SEQUENCES])
    last_entered = 361 + moves
    assert lengths.tolist() == (last_entered + 3).tolist()
    assert returns == pytest.approx(4 - 0.005 * (last_entered + 1), abs=1e-12)
    assert returns.mean() == pytest.approx(2.1105, abs=5e-5)
    assert returns.min() == pytest.approx(2.085, abs=1e-12)
    assert returns.max() == pytest.approx(2.145, abs=1e-12)
    assert (facts["recalled"] == 4).all()
    assert facts["success"].all()


def test_oracle_earns_the_best_return_with_every_sequence_on_pycolab():
    env, oracle = SequenceRecall(**BRIEF), SequenceRecallOracle()
    for sequence in ALL_SEQUENCES:
        observation, _ = env.reset(options={"sequence": sequence})
        earned, terminated, steps = 0.0, False, 0
        while not terminated:
            observation, reward, terminated, _, info = env.step(oracle.act(observation[None])[0])
            earned += reward
            steps += 1
        last_entered = 17 + fewest_moves(sequence)
        assert steps == last_entered + 3
        assert earned == pytest.approx(4 - 0.005 * (last_entered + 1), abs=1e-12)
        assert info == {"sequence_length": 4, "delay": 14, "recalled": 4, "success": True}


@both_forms
@pytest.mark.parametrize("sequence", ["4413", "2131", "1111"])
def test_oracle_with_the_defaults(form, sequence):
    _, _, returns, lengths, _ = play(make(ID, form), SequenceRecallOracle().act, {"sequence": sequence})
    assert lengths == [364 + fewest_moves(sequence)]
    assert returns == pytest.approx([4 - 0.005 * (362 + fewest_moves(sequence))], abs=1e-12)


@both_forms
def test_oracle_plays_on_through_other_parameters(form):
    """The same oracle, episode after episode, without a word between them."""
    env = make(ID, form, 3, sequence_length=[1, 6], demo_light_on_frames=[2, 5], pause_frames=[0, 4])
    oracle = SequenceRecallOracle(3)
    observation, _ = env.reset(seed=0)
    choices, ended = [drawn(env, lane) for lane in range(3)], 0
    earned = np.zeros(3)
    for _ in range(900):
        observation, rewards, terminated, _, info = env.step(oracle.act(observation))
        earned += rewards
        for lane in np.flatnonzero(terminated):
            sequence, on = choices[lane]["sequence"], choices[lane]["demo_light_on_frames"]
            opening = len(sequence) * (on + 30) + choices[lane]["pause_frames"]
            last_entered = opening - 1 + fewest_moves(sequence)
            assert earned[lane] == pytest.approx(len(sequence) - 0.005 * (last_entered + 1), abs=1e-12)
            assert info["final_info"]["success"][lane]
            choices[lane], earned[lane], ended = drawn(env, lane), 0.0, ended + 1
    assert ended > 8


def test_random_play():
    """The published game's 400 random episodes earn -1.09 on average with deviation 0.83, in 422 frames."""
    rng = np.random.default_rng(0)
    _, _, returns, lengths, _ = play(make(ID, "batched", 512), lambda _: rng.integers(5, size=512))
    assert returns.mean() == pytest.approx(-1.09, abs=0.12)
    assert returns.std() == pytest.approx(0.83, abs=0.12)
    assert lengths.mean() == pytest.approx(422, abs=10)


def test_random_play_on_pycolab():
    rng = np.random.default_rng(0)
    env = make(ID, "single", 60, **BRIEF)
    _, _, returns, lengths, _ = play(env, lambda _: rng.integers(5, size=60))
    # Freed 344 frames earlier than with the defaults; one in four lights is right.
    assert returns.mean() == pytest.approx(-1.09 + 0.005 * 344, abs=0.4)
    assert lengths.mean() == pytest.approx(422 - 344, abs=20)


@both_forms
def test_idle_play_runs_into_the_timeout(form):
    _, rewards, returns, lengths, facts = play(make(ID, form), lambda _: np.array([STAY]))
    assert returns == pytest.approx([-4.99])
    assert lengths == [1000]
    assert rewards[:, 0].tolist() == [0.0, 0.0, *[-0.005] * 998, 0.0]
    assert not facts["success"].any()


@both_forms
def test_wrong_lights_take_their_turn(form):
    """Left, out, left, out, ...: each entry counts, none is right but the third."""
    ways = itertools.chain([STAY] * 17, [LEFT] * 3, [RIGHT, LEFT] * 9)
    seen, rewards, *_, facts = play(
        make(ID, form, **BRIEF), lambda _: np.array([next(ways)]), {"sequence": "2413"}
    )
    entered = [20, 22, 24, 26]
    assert np.flatnonzero(rewards[:, 0] > 0).tolist() == [24]
    assert [lit(seen[frame])[0] for frame in range(18, 29)] == [0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1]
    assert rewards[entered, 0].tolist() == pytest.approx([-0.005, -0.005, 0.995, -0.005])
    assert facts["recalled"] == [1]
    assert not facts["success"].any()


@both_forms
def test_timeline_of_the_defaults(form):
    sequence = "2443"
    seen, rewards, *_ = play(make(ID, form), SequenceRecallOracle().act, {"sequence": sequence})
    shown = lit(seen[:, 0])
    lit_on = np.zeros(362, int)
    for light, (first, last) in zip(sequence, [(30, 89), (120, 179), (210, 269), (300, 359)], strict=True):
        lit_on[first : last + 1] = int(light)
    assert shown[:362].tolist() == lit_on.tolist()
    assert penned(seen[:362]).all()
    assert not penned(seen[362:-1]).any()
    assert [where(one) for one in seen[:362, 0]] == [START] * 362
    assert [where(one) for one in seen[362:365, 0]] == [(7, 10), (6, 10), (5, 10)]
    assert shown[362:365].tolist() == [0, 0, 2]
    assert rewards[:2].tolist() == [[0.0], [0.0]]
    assert (rewards[2:362] == -0.005).all()
    entered = 361 + fewest_moves(sequence)
    assert rewards[entered : entered + 4, 0] == pytest.approx([0.995, -0.005, -0.005, 0.0])


@both_forms
@pytest.mark.parametrize(
    "times", [(1, 1, 0), (0, 0, 1), (2, 2, 2), (1, 2, 1), (3, 1, 2), (2, 5, 3), (4, 2, 7), (7, 3, 0)]
)
def test_flashes_and_pauses_last_two_frames_at_least(form, times):
    on, off, pause = (max(2, time) for time in times)
    names = ("demo_light_on_frames", "demo_light_off_frames", "pause_frames")
    env = make(ID, form, sequence_length=3, **dict(zip(names, times, strict=True)))
    seen, *_ = play(env, SequenceRecallOracle().act, {"sequence": "131"})
    demonstration = [0] * off + [1] * on + [0] * off + [3] * on + [0] * off + [1] * on + [0] * pause
    opening = len(demonstration)
    assert lit(seen[:opening, 0]).tolist() == demonstration
    assert penned(seen[:opening]).all()
    assert not penned(seen[opening])
    assert where(seen[opening - 1, 0]) == START
    assert where(seen[opening, 0]) == (8, 9)


@both_forms
@pytest.mark.parametrize("before", [0, 1, 2, 3, 4, 50])
def test_timeouts_about_the_last_light(form, before):
    """The last light is entered on frame E; a timeout on E or E + 1 holds, a later one gives way to E + 3."""
    entered = 5 + 3  # pen and walk
    env = make(ID, form, **BRIEF, sequence_length=1, timeout_frames=entered - 1 + before)
    _, rewards, _, lengths, facts = play(env, SequenceRecallOracle().act, {"sequence": "1"})
    end = {0: entered - 1, 1: entered, 2: entered + 1}.get(before, entered + 3)
    assert lengths == [end]
    expected = [0.0, 0.0, *[-0.005] * (end - 2), 0.0]
    if before > 0:
        expected[entered] += 1.0
    assert rewards[:, 0] == pytest.approx(expected)
    assert facts["success"] == [before > 0]


@both_forms
def test_nothing_moves_after_the_last_light(form):
    ways = iter([STAY] * 5 + [LEFT] * 3 + [RIGHT] * 3)
    env = make(ID, form, **BRIEF, sequence_length=1)
    env.reset(options={"sequence": "1"})
    for _ in range(8):
        seen, *_ = env.step(np.array([next(ways)]))
    assert where(seen[0]) == (8, 7)
    for over in (False, False, True):
        seen, _, terminated, _, info = env.step(np.array([next(ways)]))
        assert terminated == [over]
        last = info["final_obs"][0] if over else seen[0]
        assert where(last) == (8, 7)
        assert lit(last) == 1


@both_forms
def test_timeouts_before_the_pen_opens(form):
    for timeout in (1, 2, 7, 17):
        _, rewards, _, lengths, _ = play(
            make(ID, form, **BRIEF, timeout_frames=timeout), lambda _: np.array([UP])
        )
        assert lengths == [timeout]
        assert rewards[-1] == 0.0
        assert (rewards[2:-1] == -0.005).all()


@both_forms
def test_without_a_timeout_an_episode_goes_on(form):
    env = make(ID, form, **BRIEF, timeout_frames=-1)
    env.reset(seed=0)
    for _ in range(1500):
        _, _, terminated, _, _ = env.step(np.array([STAY]))
        assert not terminated


@both_forms
@pytest.mark.parametrize(
    ("action", "wall"), [(UP, (1, 8)), (DOWN, (15, 8)), (LEFT, (8, 1)), (RIGHT, (8, 19))]
)
def test_only_the_border_stops_the_player(form, action, wall):
    aside = [LEFT] * 2 if action in (UP, DOWN) else []  # lights are walked through as well
    ways = iter([STAY] * 17 + aside + [action] * 12)
    env = make(ID, form, **BRIEF)
    env.reset(options={"sequence": "2222"})
    for way in ways:
        seen, *_ = env.step(np.array([way]))
    assert where(seen[0]) == wall


@both_forms
def test_hidden_choices_are_uniform_and_fresh(form):
    env = make(ID, form, 64, sequence_length=[1, 2], demo_light_on_frames=[0, 3, 9], timeout_frames=1)
    env.reset(seed=1)
    choices = []
    for _ in range(8):
        choices.append([drawn(env, lane) for lane in range(64)])
        env.step(np.full(64, STAY))
    assert len({str(episode) for episode in choices}) == 8
    assert len({str(choice) for choice in choices[0]}) > 20
    flat = list(itertools.chain(*choices))
    lengths = [len(choice["sequence"]) for choice in flat]
    assert abs(np.mean(lengths) - 1.5) < 0.1
    on = [choice["demo_light_on_frames"] for choice in flat]
    assert set(on) == {2, 3, 9}
    assert all(abs(on.count(time) / 512 - 1 / 3) < 0.08 for time in (2, 3, 9))
    pairs = [choice["sequence"] for choice in flat if len(choice["sequence"]) == 2]
    counts = [pairs.count(first + second) / len(pairs) for first in "1234" for second in "1234"]
    assert sum(counts) == pytest.approx(1.0)
    assert all(abs(count - 1 / 16) < 0.05 for count in counts)


@both_forms
def test_an_episode_can_be_had_again(form):
    parameters = {"sequence_length": [2, 3], "demo_light_on_frames": [2, 5], "pause_frames": [2, 6]}
    env = make(ID, form, 2, **parameters)
    env.reset(seed=3)
    hidden = drawn(env, 0)
    again = make(ID, form, 2, **parameters)
    seen, rewards, *_ = play(again, SequenceRecallOracle(2).act, hidden, seed=4)
    first, first_rewards, *_ = play(env, SequenceRecallOracle(2).act, hidden, seed=5)
    for lane in range(2):
        assert np.array_equal(seen[:-1, lane], first[:-1, 0])
        assert np.array_equal(rewards[:, lane], first_rewards[:, 0])


@both_forms
@pytest.mark.parametrize(
    "value",
    ["4413", [4, 4, 1, 3], list("4413"), np.array(list("4413")), np.array("4413"), ("4", "4", "1", "3")],
)
def test_a_sequence_may_be_written_in_many_ways(form, value):
    env = make(ID, form)
    env.reset(options={"sequence": value, "pause_frames": np.array(3)})
    assert drawn(env, 0)["sequence"] == "4413"
    lanes = BatchedSequenceRecall(4)
    lanes.reset(options={"sequence": value})
    assert [lanes.hidden_choices(lane)["sequence"] for lane in range(4)] == ["4413"] * 4


def test_choices_may_be_given_per_lane():
    env = BatchedSequenceRecall(2, sequence_length=[1, 3])
    _, info = env.reset(options={"sequence": ["431", "2"], "pause_frames": [5, 0]})
    assert info["sequence_length"].tolist() == [3, 1]
    assert info["delay"].tolist() == [2 * 90 + 5, 2]
    assert [env.hidden_choices(lane)["sequence"] for lane in range(2)] == ["431", "2"]
    for one in ("21", [2, 1], np.array([2, 1])):
        env.reset(options={"sequence": one})
        assert [env.hidden_choices(lane)["sequence"] for lane in range(2)] == ["21", "21"]
    env.reset(options={"sequence": [[1, 2, 3], [4]]})
    assert [env.hidden_choices(lane)["sequence"] for lane in range(2)] == ["123", "4"]
    env.reset(
        options={"sequence": ["2", "1"]}
    )  # texts: one for each lane, as episodes of one light are legal
    assert [env.hidden_choices(lane)["sequence"] for lane in range(2)] == ["2", "1"]
    _, info = env.reset(seed=0, options={"sequence_length": 2, "demo_light_on_frames": 1})
    assert info["sequence_length"].tolist() == [2, 2]
    assert info["delay"].tolist() == [32 + 2] * 2


@both_forms
@pytest.mark.parametrize(
    ("length", "on", "off", "pause", "delay"),
    [(4, 60, 30, 1, 272), (1, 5, 5, 9, 9), (2, 0, 3, 0, 7), (3, 4, 2, 6, 18)],
)
def test_the_delay_is_what_an_episode_shows(form, length, on, off, pause, delay):
    env = make(
        ID,
        form,
        sequence_length=length,
        demo_light_on_frames=on,
        demo_light_off_frames=off,
        pause_frames=pause,
    )
    seen, *_ = play(env, lambda _: np.array([UP]), {"sequence": "3" + "1" * (length - 1)})
    first_light = np.flatnonzero(lit(seen[:, 0]) == 3)
    last_sight = first_light[0] + max(2, on) - 1
    first_moved = next(frame for frame in range(len(seen)) if where(seen[frame, 0]) != START)
    assert first_moved - 1 - last_sight == delay
    _, info = env.reset()
    assert info["delay"].tolist() == [delay]


def test_memory_delay_is_the_longest():
    for form in (SequenceRecall, BatchedSequenceRecall):
        assert form().memory_delay == 272
        assert (
            form(sequence_length=[2, 1], pause_frames=[1, 9], **{"demo_light_on_frames": [1]}).memory_delay
            == 41
        )


def test_results_are_split_by_what_is_drawn():
    for form in (SequenceRecall, BatchedSequenceRecall):
        assert form().metadata["group_by"] == "sequence_length"
        assert form(sequence_length=[2, 4], pause_frames=[3]).metadata["group_by"] == "sequence_length"
        assert form(demo_light_off_frames=[2, 4]).metadata["group_by"] == "delay"
        assert form(sequence_length=[2, 4], pause_frames=[3, 9]).metadata["group_by"] == "delay"


def test_rendering():
    options = {"sequence": "2143"}
    first_light = [line.replace("M", "2") if row < 6 else line for row, line in enumerate(BOARD)]
    for mode in ("ansi", "rgb_array"):
        single, batched = SequenceRecall(render_mode=mode), BatchedSequenceRecall(2, render_mode=mode)
        single.reset(options=options)
        batched.reset(options=options)
        for steps, painted in ((0, BOARD), (30, first_light)):
            lines = [line.replace("%", "#") for line in painted]
            for _ in range(steps):
                single.step(STAY)
                batched.step(np.full(2, STAY))
            assert ["".join(map(chr, row)) for row in single.board] == painted
            assert ["".join(map(chr, row)) for row in batched.board[1]] == painted
            for frame in [single.render(), *batched.render()]:
                if mode == "ansi":
                    assert frame.splitlines() == lines
                else:
                    pixels = [[LOOK.colours.get(glyph, (0, 0, 0)) for glyph in line] for line in lines]
                    assert frame.shape == (17 * 16, 21 * 16, 3)
                    assert np.array_equal(frame[::16, ::16], pixels)


@pytest.mark.parametrize("form", [SequenceRecall, BatchedSequenceRecall])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequence_length": 0}, r"sequence_length: 0 is too small; legal: >= 1 lights, .*; nearest: 1"),
        ({"sequence_length": [3, 0]}, r"sequence_length: 0 is too small"),
        ({"sequence_length": []}, r"sequence_length: the list is empty; legal: >= 1 lights"),
        ({"sequence_length": 4.0}, r"sequence_length: 4.0 is not a whole number"),
        (
            {"demo_light_on_frames": -1},
            r"demo_light_on_frames: -1 is too small; legal: >= 0 env .*nearest: 0",
        ),
        ({"demo_light_off_frames": "30"}, r"demo_light_off_frames: '30' is not a whole number"),
        ({"pause_frames": [1, -2]}, r"pause_frames: -2 is too small; legal: >= 0 env steps"),
        ({"timeout_frames": 0}, r"timeout_frames: 0 would end .*legal: -1 \(never\) or >= 1 .*nearest: 1"),
        ({"timeout_frames": -2}, r"timeout_frames: -2 is too small"),
        (
            {"render_mode": "ascii"},
            r"render_mode: unknown 'ascii'; did you mean 'ansi'\? known: ansi, .*rgb_array",
        ),
    ],
)
def test_illegal_arguments_are_named(form, arguments, message):
    with pytest.raises(ValueError, match=message):
        form(**arguments)


@pytest.mark.parametrize("form", [SequenceRecall, BatchedSequenceRecall])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequenze": "1234"}, r"options.sequenze: unknown 'sequenze'; did you mean 'sequence'\?"),
        ({"sequence": "1235"}, r"options.sequence: '1235'; legal: lights 1 left, 2 top, 3 right, 4 bottom"),
        ({"sequence": ""}, r"options.sequence: ''; legal: lights"),
        ({"sequence": []}, r"options.sequence: \[\]; legal: lights"),
        ({"sequence": [1, 0]}, r"options.sequence: \[1, 0\]; legal: lights"),
        ({"sequence": [[12, 34]]}, r"options.sequence: \[12, 34\]; legal: lights"),
        ({"sequence": 4413}, r"options.sequence: 4413; legal: lights"),
        (
            {"sequence": ["12", "21", "13"]},
            r"options.sequence: 3 sequences; legal: one, or one per lane \(1\)",
        ),
        ({"sequence": "12341"}, r"a sequence of 5 lights is longer .*; legal: 1 to 4 lights; nearest: 4"),
        ({"sequence_length": 5}, r"a sequence of 5 lights is longer .*; legal: 1 to 4 lights; nearest: 4"),
        ({"pause_frames": -1}, r"options.pause_frames: -1 is too small; legal: >= 0 env steps"),
        ({"pause_frames": [1, 2]}, r"options.pause_frames: shape \(2,\) does not fit"),
    ],
)
def test_illegal_reset_options_are_named(form, options, message):
    with pytest.raises(ValueError, match=message):
        form().reset(options=options)


def test_defaults_are_the_papers():
    expected = SequenceRecallRules(4, 60, 30, 1, 1000)
    assert SequenceRecall().rules == BatchedSequenceRecall().rules == expected
