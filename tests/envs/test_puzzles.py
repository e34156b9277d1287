"""Puzzles in general: scores, finite sets, the environments around them, pondering."""

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Discrete, MultiBinary

from engram.envs.data.splits import SETS, split_rng
from engram.envs.puzzles import BatchedPuzzle, FixedProblems, Problems, PuzzleTask, SinglePuzzle
from engram.envs.puzzles.maze.env import BatchedMaze
from engram.envs.puzzles.ponder import BatchedPonder, Ponder
from engram.envs.puzzles.prefix_sums.env import BatchedPrefixSums
from engram.envs.puzzles.prefix_sums.task import PrefixSumsTask


class Labels(PuzzleTask):
    """A number is shown; name it. Numbers below 2 do not count."""

    observation_space = Box(0, 9, (1, 2, 2), np.uint8)
    action_space = Discrete(10)
    group_by = "label"

    def draw(self, rng, count):
        labels = rng.integers(10, size=count)
        return self.of(labels)

    def of(self, labels):
        labels = np.asarray(labels)
        observations = np.broadcast_to(labels[:, None, None, None], (len(labels), 1, 2, 2)).astype(np.uint8)
        return Problems(observations, labels, labels >= 2, {"label": labels})


class Noted(Labels):
    """Presents each problem with a fresh mark in a corner."""

    def present(self, rng, problems):
        marked = problems.observations.copy()
        marked[:, 0, 0, 0] = rng.integers(10, size=problems.size)
        return problems._replace(observations=marked)


def bits(*rows):
    return np.array([[int(bit) for bit in row] for row in rows])


def test_scores_count_masked_positions_only():
    puzzles = PrefixSumsTask(4)
    targets = bits("0110", "0110", "0110", "0110")
    actions = bits("0110", "0111", "1001", "0100")
    masks = bits("1111", "1110", "1111", "1110").astype(bool)
    assert puzzles.solved(actions, targets, masks).tolist() == [True, True, False, False]
    assert puzzles.fraction(actions, targets, masks).tolist() == [1, 1, 0, 2 / 3]


def test_scores_of_labels():
    answers, targets = np.array([3, 4, 0]), np.array([3, 3, 1])
    masks = targets >= 2
    assert Labels().solved(answers, targets, masks).tolist() == [True, False, True]
    assert Labels().fraction(answers, targets, masks).tolist() == [1, 0, 0]


@pytest.mark.parametrize(("reward", "expected"), [("exact", [1, 0, 0]), ("fraction", [1, 0.75, 0])])
def test_rewards(reward, expected):
    envs = BatchedPrefixSums(3, bits=4, reward=reward)
    _, info = envs.reset(seed=0)
    answers = info["target"].copy()
    answers[1, 2] ^= 1
    answers[2] ^= 1
    _, rewards, terminated, truncated, after = envs.step(answers)
    assert rewards.tolist() == expected
    assert terminated.all()
    assert not truncated.any()
    assert after["final_info"]["success"].tolist() == [True, False, False]
    assert np.array_equal(after["final_info"]["target"], info["target"])
    assert not after["success"].any()


def test_a_label_environment():
    envs = BatchedPuzzle(Labels(), 5)
    assert envs.action_space == gymnasium.spaces.MultiDiscrete([10] * 5)
    observations, info = envs.reset(seed=3)
    assert np.array_equal(observations[:, 0, 0, 0], info["target"])
    _, rewards, *_ = envs.step((info["target"] + np.array([0, 1, 0, 1, 0])) % 10)
    assert rewards.tolist() == np.where([True, False] * 2 + [True], 1.0, info["target"] < 2).tolist()
    single = SinglePuzzle(Labels())
    _, info = single.reset(seed=0)
    assert (type(info["target"]), type(info["mask"]), type(info["label"])) == (int, bool, int)


def test_the_single_form_is_a_batch_of_one():
    single, batched = SinglePuzzle(PrefixSumsTask(6)), BatchedPuzzle(PrefixSumsTask(6), 1)
    for seed in (5, None, None):
        observation, info = single.reset(seed=seed)
        if seed is not None:
            observations, infos = batched.reset(seed=seed)
        assert np.array_equal(observation, observations[0])
        assert np.array_equal(info["target"], infos["target"][0])
        observation, reward, terminated, truncated, info = single.step(info["target"])
        assert (reward, terminated, truncated, info["success"]) == (1.0, True, False, True)
        observations, *_, infos = batched.step(infos["target"])
        assert np.array_equal(observation, infos["final_obs"][0])
    with pytest.raises(ResetNeeded):
        single.step(info["target"])


def test_what_was_returned_is_the_callers():
    envs = BatchedPrefixSums(2, bits=5, autoreset_mode="NEXT_STEP")
    observations, info = envs.reset(seed=0)
    right, seen = info["target"].copy(), observations.copy()
    observations += 1
    info["target"] ^= 1
    again, rewards, *_ = envs.step(right)
    assert np.array_equal(again, seen)
    assert rewards.tolist() == [1, 1]


def test_a_set_is_drawn_epoch_by_epoch():
    labels = Labels()
    fixed = FixedProblems(labels, labels.of(range(10)))
    rng = np.random.default_rng(0)
    drawn = np.concatenate([fixed.draw(rng, count).targets for count in (3, 4, 6, 25, 2)])
    epochs = drawn.reshape(4, 10)
    assert np.array_equal(np.sort(epochs, axis=1), np.tile(np.arange(10), (4, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert (fixed.group_by, fixed.action_space) == ("label", Discrete(10))


def test_a_set_is_drawn_at_random():
    labels = Labels()
    fixed = FixedProblems(labels, labels.of(range(10)), order="random")
    counts = np.bincount(fixed.draw(np.random.default_rng(0), 10_000).targets, minlength=10)
    assert ((counts - 1000) ** 2 / 1000).sum() < 27.9  # chi-square of 9 degrees, 0.1 %


def test_a_set_begins_anew_with_a_seed_and_goes_on_without():
    labels = Labels()
    envs = BatchedPuzzle(FixedProblems(labels, labels.of(range(10))), 4)
    first = [envs.reset(seed=1)[1]["target"], envs.reset()[1]["target"]]
    again = [envs.reset(seed=1)[1]["target"], envs.reset()[1]["target"]]
    assert np.array_equal(first, again)
    assert len(set(np.concatenate(first))) == 8  # of one epoch


def test_a_state_holds_the_place_in_the_epoch():
    def make():
        labels = Labels()
        return BatchedPuzzle(FixedProblems(labels, labels.of(range(10))), 3)

    def play(envs):
        return [envs.step(np.zeros(3, np.int64))[-1]["target"] for _ in range(6)]

    envs = make()
    envs.reset(seed=0)
    play(envs)
    state = envs.get_state()
    ahead = play(envs)
    other = make()
    other.set_state(state)
    assert np.array_equal(play(other), ahead)


def test_a_set_is_presented_anew_each_time():
    noted = Noted()
    fixed = FixedProblems(noted, noted.of([5]))
    rng = np.random.default_rng(0)
    marks = {int(fixed.draw(rng, 1).observations[0, 0, 0, 0]) for _ in range(30)}
    assert len(marks) > 3
    assert fixed.problems.observations[0, 0, 0, 0] == 5


def test_an_empty_set_and_an_unknown_order_are_refused():
    labels = Labels()
    with pytest.raises(ValueError, match="problems: the set is empty"):
        FixedProblems(labels, labels.of(np.empty(0, np.int64)))
    with pytest.raises(ValueError, match="order: unknown 'epoch'; did you mean 'epochs'"):
        FixedProblems(labels, labels.of([1]), order="epoch")


def test_problems_can_be_given():
    labels = Labels()
    envs = BatchedPuzzle(labels, 3)
    for given, expected in (([7], [7, 7, 7]), ([1, 2, 3], [1, 2, 3])):
        observations, info = envs.reset(options={"problem": labels.of(given)})
        assert info["target"].tolist() == observations[:, 0, 1, 1].tolist() == expected
    problem = envs.hidden_choices(2)["problem"]
    assert problem.targets.tolist() == [3]
    for options, message in (
        ({"problem": labels.of([1, 2])}, r"options.problem: \(2, 1, 2, 2\); legal: Problems, 1 or 3 of them"),
        ({"problem": [1]}, r"options.problem: list; legal: Problems"),
        ({"problem": PrefixSumsTask(4).of_bits(bits("0101").astype(np.uint8))}, r"of shape \(1, 2, 2\)"),
        ({"problems": None}, "options.problems: unknown 'problems'; did you mean 'problem'"),
    ):
        with pytest.raises(ValueError, match=message):
            envs.reset(options=options)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (
            np.zeros((2, 4), int),
            r"actions: int64 \(2, 4\); legal: whole numbers, an answer per lane \(3, 4\)",
        ),
        (np.zeros((3, 4)), r"actions: float64 \(3, 4\)"),
        (np.array([[0] * 4, [0, 0, 2, 0], [0] * 4]), r"actions\[1, 2\]: 2 is not legal; legal: 0 .. 1"),
        (np.full((3, 4), -1), r"actions\[0, 0\]: -1 is not legal"),
    ],
)
def test_illegal_answers_are_named(actions, message):
    envs = BatchedPrefixSums(3, bits=4)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        envs.step(actions)


def test_illegal_arguments_are_named():
    with pytest.raises(ValueError, match="reward: unknown 'exat'; did you mean 'exact'"):
        BatchedPrefixSums(reward="exat")
    with pytest.raises(ValueError, match="render_mode: unknown 'ansi'"):
        BatchedPrefixSums(render_mode="ansi")
    with pytest.raises(ValueError, match="autoreset_mode: unknown 'DISABLED'"):
        BatchedPrefixSums(autoreset_mode="DISABLED")
    with pytest.raises(ValueError, match="num_envs: 0 is too small"):
        BatchedPrefixSums(0)
    with pytest.raises(ResetNeeded):
        BatchedPrefixSums(1).problems  # noqa: B018


def test_the_size_is_an_argument():
    """What is trained on one size is tested on another: same code, other spaces."""
    for env_id, small, large in (
        ("engram/PrefixSums-v0", {"bits": 5}, {"bits": 512}),
        ("engram/Maze-v0", {"positions": 5}, {"positions": 59}),
    ):
        shapes = []
        for arguments in (small, large):
            envs = gymnasium.make_vec(env_id, 2, vectorization_mode="vector_entry_point", **arguments)
            observations, info = envs.reset(seed=0)
            assert observations in envs.observation_space
            assert info["target"].astype(np.int8) in envs.action_space
            assert isinstance(envs.single_action_space, MultiBinary)
            assert info["target"].shape == info["mask"].shape == envs.action_space.shape
            assert info["size"].tolist() == [*arguments.values()] * 2
            shapes.append(observations.shape)
        assert shapes[0] != shapes[1]


def test_pictures():
    observation = np.array([[[0, 9], [9, 0]]], np.uint8)
    picture = Labels().picture(observation)
    assert picture.shape == (16, 16, 3)
    assert picture[::8, ::8, 0].tolist() == [[0, 255], [255, 0]]
    many = np.zeros((4, 2, 2), np.uint8)
    many[2, 0, 1] = 9
    assert Labels().picture(many)[::8, ::8, 2].tolist() == [[0, 255], [0, 0]]
    row = PrefixSumsTask(3).picture(np.array([[-0.5, 0.5, 0.5]], np.float32))
    assert (row.shape, row[0, ::8, 1].tolist()) == ((8, 24, 3), [0, 255, 255])


def test_sets_have_streams_of_their_own():
    draws = [split_rng(seed, name).integers(2**62, size=4) for seed in (0, 1) for name in SETS]
    assert len(np.unique(draws)) == 24
    assert np.array_equal(draws[0], split_rng(0, "train").integers(2**62, size=4))


def ponder(answers, **arguments):
    """Rewards of answers to one string: "right", "half" or "wrong" per step."""
    env = Ponder(puzzle_config={"bits": 4}, ponder_steps=len(answers), **arguments)
    _, info = env.reset(seed=0)
    flips = {"right": 0, "half": np.array([1, 1, 0, 0]), "wrong": 1}
    played = [env.step(info["target"] ^ flips[answer]) for answer in answers]
    assert [step[2] for step in played] == [False] * (len(answers) - 1) + [True]
    assert [step[4]["success"] for step in played] == [answer == "right" for answer in answers]
    return [step[1] for step in played]


def test_the_last_answer_counts():
    assert ponder(["right", "wrong", "right"]) == [0, 0, 1]
    assert ponder(["right", "right", "half"]) == [0, 0, 0]
    assert ponder(["right", "right", "half"], reward="fraction") == [0, 0, 0.5]


def test_gains_sum_up_to_the_last_less_the_first_score():
    assert ponder(["half", "right", "half", "wrong"], reward="fraction", credit="gain") == [
        0,
        0.5,
        -0.5,
        -0.5,
    ]
    assert ponder(["wrong", "half", "right"], credit="gain") == [0, 0, 1]
    assert ponder(["right", "wrong"], credit="gain") == [0, -1]


@pytest.mark.parametrize("shown", ["always", "first"])
def test_pondering_is_over_the_puzzles_of_one_step(shown):
    """The same seed gives the same problems in both; they stay, or are seen once."""
    envs = BatchedPonder(3, puzzle_config={"bits": 8}, ponder_steps=4, shown=shown)
    quick = BatchedPrefixSums(3, bits=8)
    seen, info = envs.reset(seed=2)
    expected, facts = quick.reset(seed=2)
    for _ in range(3):
        assert np.array_equal(seen, expected)
        for step in range(4):
            assert np.array_equal(info["target"], facts["target"])
            seen, _, ended, _, info = envs.step(facts["target"])
            later = info["final_obs"] if step == 3 else seen
            assert np.array_equal(np.stack(later), expected if shown == "always" else np.zeros((3, 1, 8)))
            assert ended.all() == (step == 3)
        expected, *_, facts = quick.step(facts["target"])


def test_ponders_arguments():
    mazes = BatchedMaze(2, positions=3).task
    assert BatchedPonder(2, mazes).single_observation_space.shape == (3, 12, 12)
    for arguments, message in (
        ({"puzzle": "engram/Maze"}, "puzzle: unknown 'engram/Maze'; did you mean 'engram/Maze-v0'"),
        ({"puzzle": mazes, "puzzle_config": {"bits": 4}}, "puzzle_config: goes with an id"),
        ({"puzzle_config": {"bit": 4}}, "puzzle_config: .*'bit'"),
        ({"ponder_steps": 0}, "ponder_steps: 0 is too small"),
        ({"shown": "last"}, "shown: unknown 'last'"),
        ({"credit": "gains"}, "credit: unknown 'gains'; did you mean 'gain'"),
    ):
        with pytest.raises(ValueError, match=message):
            BatchedPonder(2, **arguments)
