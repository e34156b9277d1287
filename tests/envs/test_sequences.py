"""Sequences of symbols: what is asked is read off the tokens here, by other means than the environments'."""

import itertools
import math
import re

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from scipy.stats import chisquare

from engram.envs.data.digits.sets import open_digits
from engram.envs.sequences.copying import (
    BatchedCopying,
    Copying,
    CopyingTask,
    chance_accuracy,
    chance_cross_entropy,
)
from engram.envs.sequences.sequential_digits import (
    BatchedSequentialDigits,
    SequentialDigits,
    SequentialDigitsTask,
)
from engram.envs.sequences.task import Chance
from engram.envs.sequences.temporal_order import (
    VARIANTS,
    BatchedTemporalOrder,
    TemporalOrder,
    TemporalOrderTask,
)

# Straight from the sources: lengths, where markers begin, their length, steps of start and end.
ORDER = {
    "two_symbols": ((100, 110), [(10, 20), (50, 60)], 1, 1),
    "three_symbols": ((100, 110), [(10, 20), (33, 43), (66, 76)], 1, 1),
    "low_frequency": ((98, 133), [(10, 20), (50, 60)], 8, 4),
    "order_only": ((98, 133), [(10, 20), (50, 60)], 8, 4),
}
RUNS = {
    "low_frequency": {
        "X": ["aaaaaaaa", "bbbbbbbb", "aaaabbbb", "bbbbaaaa", "aabbbbaa"],
        "Y": ["cccccccc", "dddddddd", "ccccdddd", "ddddcccc", "ccddddcc"],
    },
    "order_only": {
        "X": ["aaaabbbb", "bbbbcccc", "ccccdddd", "ddddaaaa", "aaaacccc"],
        "Y": ["bbbbaaaa", "ccccbbbb", "ddddcccc", "aaaadddd", "ccccaaaa"],
    },
}
SEED = 20251121
every_variant = pytest.mark.parametrize("variant", ORDER)


def record(env, episodes, act=None, seed=0, options=None):
    """Whole episodes of each lane: for each lane a list of dicts of columns.

    Actions are the targets unless `act(observations, info)` chooses others.
    """
    lanes = env.num_envs
    done, current = [[] for _ in range(lanes)], [[] for _ in range(lanes)]
    observations, info = env.reset(seed=seed, options=options)
    while min(map(len, done)) < episodes:
        actions = info["target"] if act is None else act(observations, info)
        before = observations, info
        observations, rewards, terminated, truncated, info = env.step(actions)
        assert not truncated.any()
        for lane in range(lanes):
            row = {
                name: before[1][name][lane] for name in before[1] if name[0] != "_" and "final" not in name
            }
            current[lane].append({"seen": before[0][lane], "reward": rewards[lane], **row})
            if terminated[lane]:
                columns = {
                    name: np.array([each[name] for each in current[lane]]) for name in current[lane][0]
                }
                final = {name: values[lane] for name, values in info["final_info"].items() if name[0] != "_"}
                done[lane].append(columns | {"final": final, "last": info["final_obs"][lane]})
                current[lane] = []
    return [lane[:episodes] for lane in done]


def spelled(episode, alphabet):
    """An episode's observations as text; each is one-hot."""
    assert (episode["seen"].sum(axis=1) == 1).all()
    return "".join(alphabet[token] for token in episode["seen"].argmax(axis=1))


def uniform(counts):
    """Whether counts look like equal odds (a seed that fails does so once in ten thousand)."""
    return chisquare(counts).pvalue > 1e-4


def counts(values, low, high):
    assert values.min() >= low
    assert values.max() <= high
    return np.bincount(values - low, minlength=high - low + 1)


# Copying


@pytest.mark.parametrize(("symbols", "span", "length"), [(8, 50, 10), (5, 1, 3), (1, 2, 1), (61, 7, 2)])
def test_copying_asks_for_the_string(symbols, span, length):
    task = CopyingTask(symbols, span, length)
    env = BatchedCopying(3, symbols, span, length)
    assert (env.single_observation_space.shape, env.single_action_space.n) == ((symbols + 2,), symbols + 1)
    for episode in itertools.chain(*record(env, 3)):
        text = spelled(episode, task.alphabet)
        form = rf"([^.*]{{{length}}})\.{{{span - 1}}}\*\.{{{length}}}"
        string = re.fullmatch(form, text).group(1)
        said = "".join(task.alphabet[target] for target in episode["target"])
        assert said == "." * (span + length) + string
        assert episode["mask"].tolist() == [False] * (span + length) + [True] * length
        assert episode["reward"] == pytest.approx([0.0] * (span + length) + [1 / length] * length)
        assert (episode["delay"] == span + length).all()
        assert not episode["last"].any()
        assert episode["final"] == {
            **{"span": span, "delay": span + length, "target": 0, "mask": False, "scored": False},
            **{"correct": length, "success": True},
        }


def test_the_papers_copying_task_has_70_steps():
    env = Copying()
    env.reset(seed=0)
    assert sum(1 for _ in iter(lambda: env.step(0)[2], True)) + 1 == 50 + 20
    assert env.memory_delay == 60


def test_copying_draws_spans_lengths_and_symbols_uniformly():
    task = CopyingTask(5, {"low": 3, "high": 9}, [2, 4])
    hidden = task.draw(np.random.default_rng(SEED), 20_000)
    sequences = task.lay_out(hidden)
    assert uniform(counts(sequences.facts["span"], 3, 9))
    length = (sequences.lengths - sequences.facts["span"]) // 2
    assert np.array_equal(sequences.facts["delay"], sequences.facts["span"] + length)
    assert task.memory_delay == sequences.facts["delay"].max() == 9 + 4
    assert uniform(np.bincount(length)[[2, 4]])
    assert set(length) == {2, 4}
    for place in range(4):
        assert uniform(np.bincount(hidden["string"][:, place])[1:])
    text = [
        "".join(task.alphabet[token] for token in row[:steps])
        for row, steps in zip(sequences.tokens, sequences.lengths, strict=True)
    ]
    for row in range(500):
        string = re.fullmatch(r"([1-5]+)\.*\*(\.+)", text[row]).group(1)
        assert len(string) == length[row]
        assert text[row].index("*") == length[row] + sequences.facts["span"][row] - 1
        recalled = sequences.targets[row, : sequences.lengths[row]][-length[row] :]
        assert "".join(map(str, recalled)) == string


@pytest.mark.parametrize(("wrong", "earned"), [(0, 1.0), (1, 0.75), (4, 0.0)])
def test_the_return_is_the_share_recalled(wrong, earned):
    """Errors at unmasked steps cost nothing; an error at a masked one costs 1 / length."""

    def act(observations, info):
        return np.where(
            info["mask"] & (info["correct"] >= 4 - wrong), 0, np.where(info["mask"], info["target"], 3)
        )

    for episode in itertools.chain(*record(BatchedCopying(2, span=6, length=4), 2, act)):
        assert episode["reward"].sum() == pytest.approx(earned)
        assert episode["final"]["correct"] == 4 - wrong
        assert episode["final"]["success"] == (wrong == 0)
        assert not episode["success"].any()  # none before the last answer


def test_under_mask_all_every_step_counts_in_the_loss_and_the_recall_alone_in_the_return():
    for episode in record(BatchedCopying(1, span=5, length=2, mask="all"), 2)[0]:
        assert episode["mask"].all()
        assert episode["mask"].shape == (9,)
        assert (episode["target"][:7] == 0).all()
        assert episode["scored"].tolist() == [False] * 7 + [True] * 2
        assert episode["reward"].tolist() == [0.0] * 7 + [0.5] * 2
    speechless = record(BatchedCopying(1, span=5, length=2, mask="all"), 2, lambda *_: np.zeros(1, np.int64))
    assert [episode["reward"].sum() for episode in speechless[0]] == [0.0, 0.0]


def test_chance_of_copying():
    """The numbers of the published comparison, and the cross-entropy measured of one who knows no string."""
    assert chance_cross_entropy(8, 50, 10, "all") == pytest.approx(0.297, abs=5e-4)
    assert chance_cross_entropy(8, 200, 10, "all") == pytest.approx(0.0945, abs=5e-5)
    assert chance_cross_entropy() == math.log(8)
    for mask in ("recall", "all"):
        task = CopyingTask(5, 7, 3, mask)
        sequences = task.lay_out(task.draw(np.random.default_rng(0), 50))
        guess = np.where(sequences.scored[..., None], [0.0, *[1 / 5] * 5], [1.0, *[0.0] * 5])
        given = np.take_along_axis(guess, sequences.targets[..., None], axis=-1)[..., 0]
        assert -np.log(given[sequences.masks]).mean() == pytest.approx(chance_cross_entropy(5, 7, 3, mask))
    rng = np.random.default_rng(0)
    env = BatchedCopying(64, span=1, length=4)
    guessed = record(env, 10, lambda *_: rng.integers(1, 9, size=64))
    returns = [episode["reward"].sum() for lane in guessed for episode in lane]
    assert np.mean(returns) == pytest.approx(chance_accuracy(8), abs=0.03)
    with pytest.raises(ValueError, match=r"mask: unknown 'al'; did you mean 'all'\?"):
        chance_cross_entropy(mask="al")


def play_without_memory(env, choices):
    """The chance of some sequences, one in each lane, measured of a player that sees nothing of them.

    At each step it gives an answer the probability with which that is right there, in all sequences where the
    same steps are scored; the likeliest one is played.
    """
    sequences = env.rules.lay_out({name: np.array(values) for name, values in choices.items()})
    steps, classes = env.rules.longest, env.rules.classes
    scored = sequences.scored & (np.arange(steps) < sequences.lengths[:, None])
    shares = np.zeros((env.num_envs, steps, classes))
    for alike in (np.flatnonzero((scored == form).all(axis=1)) for form in np.unique(scored, axis=0)):
        shares[alike] = np.eye(classes)[sequences.targets[alike]].mean(axis=0)
    _, info = env.reset(options=choices)
    losses, returns = {"mask": [], "scored": []}, np.zeros(env.num_envs)
    goes_on = np.ones(env.num_envs, bool)
    for step in range(steps):
        for key, given in losses.items():
            rows = np.flatnonzero(goes_on & info[key])
            given.extend(-np.log(shares[rows, step, info["target"][rows]]))
        _, rewards, ended, _, info = env.step(shares[:, step].argmax(axis=1))
        returns += goes_on * rewards
        goes_on &= ~ended
    assert not goes_on.any()
    return Chance(returns.mean(), np.mean(losses["mask"]), np.mean(losses["scored"]))


def every(**values):
    """All combinations: name -> one of each, in their order."""
    rows = zip(*itertools.product(*values.values()), strict=True)
    return {name: list(row) for name, row in zip(values, rows, strict=True)}


@pytest.mark.parametrize("mask", ["recall", "all"])
def test_the_chance_of_copying_is_that_of_all_its_sequences(mask):
    """Longer strings weigh more: a loss is a mean over steps, not over sequences."""
    strings = list(itertools.product([1, 2, 3], repeat=3))
    choices = every(span=[1, 2, 4], length=[1, 3], string=strings)
    env = BatchedCopying(3 * 2 * 27, 3, [1, 2, 4], [1, 3], mask)
    expected = np.log(3) * (1.0 if mask == "recall" else (1 + 3) / 2 / (7 / 3 + 1 + 3))
    assert play_without_memory(env, choices) == pytest.approx(env.chance)
    assert env.chance == pytest.approx((1 / 3, expected, np.log(3)))
    assert Copying().chance == (1 / 8, math.log(8), math.log(8))
    assert Copying(mask="all").chance == pytest.approx((1 / 8, 0.297, math.log(8)), abs=5e-4)


@every_variant
def test_the_chance_of_temporal_order(variant):
    markers = len(ORDER[variant][1])
    task = TemporalOrderTask(variant, 0.4)
    hidden = task.hidden
    choices = every(
        length=[int(hidden["length"].low), task.longest],
        places=[hidden["places"].low.tolist()],
        markers=list(itertools.product([0, 1], repeat=markers)),
        ways=[[0] * markers],
        distractors=[[2] * task.longest],
    )
    env = BatchedTemporalOrder(2 * 2**markers, variant, 0.4)
    assert play_without_memory(env, choices) == pytest.approx(env.chance)
    assert env.chance == pytest.approx((1 / 2**markers, markers * np.log(2), markers * np.log(2)))


def test_the_chance_of_digits_is_that_of_the_split():
    """Of 25 digits, 0 to 4 are there three times, the others twice."""
    arguments = {"split": "train", "split_sizes": {"train": 25}}
    env = BatchedSequentialDigits(50, [2, 3], **arguments)
    entropy = -5 * (0.12 * np.log(0.12) + 0.08 * np.log(0.08))
    assert play_without_memory(env, every(size=[2, 3], digit=range(25))) == pytest.approx(env.chance)
    assert env.chance == pytest.approx((0.12, entropy, entropy))
    assert SequentialDigits().chance == pytest.approx((0.1, np.log(10), np.log(10)))
    few = SequentialDigits(split="valid", split_sizes={"valid": 4})
    assert few.chance == pytest.approx((0.25, np.log(4), np.log(4)))  # six classes never come


# Temporal order


@every_variant
def test_the_class_is_that_of_the_markers(variant):
    lengths, windows, _, edge = ORDER[variant]
    env = BatchedTemporalOrder(4, variant)
    assert (env.single_observation_space.shape, env.single_action_space.n) == ((8,), 2 ** len(windows))
    for episode in itertools.chain(*record(env, 12, seed=SEED)):
        text = spelled(episode, "EBabcdXY")
        assert lengths[0] <= len(text) <= lengths[1]
        assert re.fullmatch(rf"E{{{edge}}}[^EB]*B{{{edge}}}", text)
        assert episode["mask"].tolist() == [False] * (len(text) - 1) + [True]
        assert (episode["target"][:-1] == 0).all()
        assert episode["reward"].tolist() == [0.0] * (len(text) - 1) + [1.0]
        if variant in RUNS:
            continue  # which runs are the markers cannot be told from the text: see below
        markers = [match.start() for match in re.finditer("[XY]", text)]
        assert all(low <= place <= high for place, (low, high) in zip(markers, windows, strict=True))
        names = "".join(text[place] for place in markers)
        in_order = [
            "".join("XY"[int(bit)] for bit in f"{n:0{len(windows)}b}") for n in range(2 ** len(windows))
        ]
        assert in_order[:2] == ["X" * len(windows), "X" * (len(windows) - 1) + "Y"]
        assert in_order[episode["target"][-1]] == names
        assert (episode["label"] == episode["target"][-1]).all()
        assert (episode["delay"] == len(text) - 1 - markers[0]).all()


@pytest.mark.parametrize("variant", RUNS)
def test_runs_of_distractors_are_the_markers(variant):
    task = TemporalOrderTask(variant)
    hidden = task.draw(np.random.default_rng(SEED), 2000)
    sequences = task.lay_out(hidden)
    for row in range(2000):
        text = "".join("EBabcdXY"[token] for token in sequences.tokens[row, : sequences.lengths[row]])
        shown = [text[place : place + 8] for place in hidden["places"][row]]
        markers = ["X" if run in RUNS[variant]["X"] else "Y" for run in shown]
        assert all(run in RUNS[variant][marker] for run, marker in zip(shown, markers, strict=True))
        assert ["XX", "XY", "YX", "YY"].index("".join(markers)) == sequences.facts["label"][row]
        assert sequences.targets[row, len(text) - 1] == sequences.facts["label"][row]
        assert sequences.facts["delay"][row] == len(text) - 1 - (hidden["places"][row, 0] + 7)


def test_order_only_markers_are_each_other_backwards():
    """So both hold the same symbols equally often."""
    one, other = VARIANTS["order_only"].ways
    assert {way[4:] + way[:4] for way in one} == set(other)
    assert not set(one) & set(other)


@every_variant
def test_lengths_places_markers_and_distractors_are_uniform(variant):
    (low, high), windows, steps, _ = ORDER[variant]
    task = TemporalOrderTask(variant)
    hidden = task.draw(np.random.default_rng(SEED), 20_000)
    sequences = task.lay_out(hidden)
    assert uniform(counts(sequences.lengths, low, high))
    assert uniform(np.bincount(sequences.facts["label"], minlength=2 ** len(windows)))
    for place, window in enumerate(windows):
        assert uniform(counts(hidden["places"][:, place], *window))
        if variant in RUNS:
            assert uniform(counts(hidden["ways"][:, place], 0, 4))
        else:
            marked = sequences.tokens[np.arange(20_000), hidden["places"][:, place]]
            assert uniform(counts(marked.astype(np.int64), 6, 7))
    free = sequences.tokens[:, windows[0][1] + steps : windows[1][0]].astype(np.int64)  # between two markers
    assert uniform(counts(free.ravel(), 2, 5))
    pairs = (
        4 * (free[:, :-1:2] - 2) + free[:, 1::2] - 2 if free.shape[1] % 2 == 0 else free[:, :2] @ [4, 1] - 10
    )
    assert uniform(counts(pairs.ravel(), 0, 15))  # drawn one by one


@every_variant
def test_memory_delay_is_the_longest(variant):
    (_, longest), windows, steps, _ = ORDER[variant]
    task = TemporalOrderTask(variant)
    delays = task.lay_out(task.draw(np.random.default_rng(SEED), 20_000)).facts["delay"]
    assert task.memory_delay == delays.max() == longest - 1 - (windows[0][0] + steps - 1)
    assert TemporalOrder(variant).memory_delay == BatchedTemporalOrder(1, variant).memory_delay


def test_the_delays_of_the_original_task():
    assert TemporalOrder().memory_delay == 99


@every_variant
def test_at_every_legal_scale_markers_lie_apart(variant):
    smallest = VARIANTS[variant].smallest_scale
    _, _, steps, edge = ORDER[variant]
    for scale in np.concatenate([np.linspace(smallest, 1.5, 300), [2, 3.3, 10]]):
        task = TemporalOrderTask(variant, float(scale))
        hidden = task.hidden
        first, last = hidden["places"].low, hidden["places"].high
        ends = [edge - 1, *(last + steps - 1)]
        begins = [*first, hidden["length"].low - edge]
        assert all(end < begin for end, begin in zip(ends, begins, strict=True)), scale
        assert task.longest == round(ORDER[variant][0][1] * scale)


# Digits, pixel by pixel


def test_pixels_come_in_raster_order():
    digits = open_digits()
    env = BatchedSequentialDigits(3, [5, 7, 10])
    assert (env.single_observation_space.shape, env.single_action_space.n) == ((2,), 10)
    first = [env.hidden_choices(lane) for lane in range(3)] if env.reset(seed=SEED) else None
    for lane, (episode,) in enumerate(record(env, 1, seed=SEED)):
        size, digit = first[lane]["size"], first[lane]["digit"]
        picture = digits.pixels(np.array([digit]), size)[0]
        lines = ["".join(".#"[int(ink)] for ink in row) for row in picture]
        assert spelled(episode, ".#") == "".join(lines)
        assert episode["mask"].tolist() == [False] * (size**2 - 1) + [True]
        assert episode["target"].tolist() == [0] * (size**2 - 1) + [digit % 10]
        assert (episode["size"] == size).all()
        assert (episode["delay"] == size**2 - 1).all()
        assert episode["reward"].sum() == 1.0


def test_digits_are_balanced_and_sizes_uniform():
    task = SequentialDigitsTask({"low": 3, "high": 6}, "train", split_sizes={"train": 200})
    hidden = task.draw(np.random.default_rng(SEED), 5000)
    assert uniform(counts(hidden["size"], 3, 6))
    assert uniform(counts(hidden["digit"], 0, 199))
    assert uniform(np.bincount(task.digits.labels(hidden["digit"])))
    assert task.memory_delay == 35
    assert SequentialDigits().memory_delay == 195


# What all have in common


FAMILIES = {
    "copying": (Copying, BatchedCopying, {"span": {"low": 1, "high": 9}, "length": [1, 3]}),
    "order": (TemporalOrder, BatchedTemporalOrder, {"variant": "low_frequency", "scale": 0.4}),
    "digits": (SequentialDigits, BatchedSequentialDigits, {"size": [3, 4, 6]}),
}
every_family = pytest.mark.parametrize("family", FAMILIES)


def make_single(family, **arguments):
    single, _, own = FAMILIES[family]
    return single(**own, **arguments)


def make_batched(family, lanes, **arguments):
    _, batched, own = FAMILIES[family]
    return batched(lanes, **own, **arguments)


@every_family
def test_lanes_of_other_lengths_go_on_by_themselves(family):
    """Each lane shows what a single environment shows, told the lane's hidden choices, episode by episode."""
    env, single = make_batched(family, 5), make_single(family)
    observations, info = env.reset(seed=SEED)
    rng, ends = np.random.default_rng(0), set()
    twins = [make_single(family) for _ in range(5)]
    for lane, twin in enumerate(twins):
        twin.reset(options=env.hidden_choices(lane))
    for _ in range(120):
        actions = np.where(
            rng.random(5) < 0.7, info["target"], rng.integers(env.single_action_space.n, size=5)
        )
        observations, rewards, terminated, _, info = env.step(actions)
        ends.add(tuple(terminated))
        for lane, twin in enumerate(twins):
            seen, reward, over, _, facts = twin.step(actions[lane])
            assert (reward, over) == (rewards[lane], terminated[lane])
            told = info["final_info"] if over else info
            assert facts == {name: told[name][lane] for name in facts}
            if over:
                assert np.array_equal(seen, info["final_obs"][lane])
                seen, facts = twin.reset(options=env.hidden_choices(lane))
                assert facts == {name: info[name][lane] for name in facts}
            assert np.array_equal(seen, observations[lane])
    assert len(ends) > 3  # not all at once
    with pytest.raises(ResetNeeded):
        single.step(0)


@every_family
def test_scored_answers_are_those_that_earn(family):
    for episode in itertools.chain(*record(make_batched(family, 2), 2)):
        assert np.array_equal(episode["scored"], episode["reward"] > 0)
        assert not episode["final"]["scored"]


@every_family
def test_both_forms_have_the_same_chance(family):
    assert make_single(family).chance == make_batched(family, 2).chance


@every_family
def test_a_state_goes_on_bit_for_bit(family):
    env = make_batched(family, 3, stagger=True, render_mode="ansi")
    env.reset(seed=0)
    for _ in range(7):
        env.step(np.zeros(3, np.int64))
    state, shown = env.get_state(), env.render()
    first = [env.step(np.full(3, step % 3)) for step in range(60)]
    other = make_batched(family, 3, stagger=True, render_mode="ansi")
    other.set_state(state)
    assert other.render() == shown
    for step in range(60):
        for one, two in zip(first[step][:4], other.step(np.full(3, step % 3))[:4], strict=True):
            assert np.array_equal(one, two)
    assert [env.hidden_choices(lane) for lane in range(3)] == [
        other.hidden_choices(lane) for lane in range(3)
    ]


def test_staggered_lanes_are_not_aligned():
    """The first episode begins at a uniform step, all others at their first; aligned ones end together."""
    lanes, steps = 6000, 8
    env = BatchedCopying(lanes, span=4, length=2, stagger=True)
    aligned = BatchedCopying(4, span=4, length=2)
    env.reset(seed=SEED)
    aligned.reset(seed=SEED)
    starts = np.array([env.hidden_choices(lane)["start"] for lane in range(lanes)])
    assert uniform(counts(starts, 0, steps - 1))
    ends = []
    for _ in range(2 * steps):
        ends.append(env.step(np.zeros(lanes, np.int64))[2])
        together = aligned.step(np.zeros(4, np.int64))[2]
        assert together.all() or not together.any()
    ends = np.array(ends)
    assert np.array_equal(ends.argmax(axis=0), steps - 1 - starts)
    assert np.array_equal(ends[:steps], ends[steps:])  # from then on whole episodes
    assert {env.hidden_choices(lane)["start"] for lane in range(lanes)} == {0}


def test_the_return_of_an_episode_cut_at_its_start_is_the_share_of_what_was_shown():
    env = Copying(span=4, length=4)  # 12 steps, the last four scored
    for start, scored in ((0, 4), (7, 4), (8, 4), (9, 3), (11, 1)):
        _, info = env.reset(seed=0, options={"start": start})
        total, over, steps = 0.0, False, 0
        while not over:
            _, reward, over, _, info = env.step(info["target"])
            total, steps = total + reward, steps + 1
        assert (steps, total, info["correct"], info["success"]) == (
            12 - start,
            pytest.approx(1.0),
            scored,
            True,
        )


def test_a_single_stream_is_staggered_where_it_begins():
    env = TemporalOrder(stagger=True)

    def start(seed=None):
        env.reset(seed=seed)
        return env.hidden_choices["start"]

    assert start() > 0
    assert [start() for _ in range(5)] == [0] * 5
    again = [start(seed) for seed in range(8)]
    assert len(set(again)) > 4
    assert again == [start(seed) for seed in range(8)]
    env.reset(seed=3, options={"start": 0})
    assert env.hidden_choices["start"] == 0


@every_family
def test_an_episode_can_be_had_again(family):
    env = make_batched(family, 3)
    env.reset(seed=1)
    hidden = env.hidden_choices(2)
    again = make_batched(family, 2)
    seen, _ = again.reset(seed=5, options=hidden)
    assert [again.hidden_choices(lane) for lane in range(2)] == [hidden] * 2
    assert np.array_equal(seen[0], seen[1])


def test_options_may_be_given_per_lane():
    env = BatchedCopying(2, symbols=3, span=[2, 5], length=2)
    _, info = env.reset(options={"span": [2, 3], "string": [[1, 2], [3, 3]], "start": [0, 1]})
    assert info["span"].tolist() == [2, 3]
    assert env.hidden_choices(1) == {"span": 3, "length": 2, "string": [3, 3], "start": 1}
    _, info = env.reset(options={"string": [3, 1]})
    assert [env.hidden_choices(lane)["string"] for lane in range(2)] == [[3, 1]] * 2


def test_a_mixture_of_lengths_is_rendered_row_by_row():
    env = BatchedSequentialDigits(2, [2, 3], render_mode="ansi")
    env.reset(options={"size": [2, 3], "digit": [7, 7], "start": [0, 1]})
    picture = [open_digits().pixels(np.array([7]), size)[0] for size in (2, 3)]
    chars = [[[".#"[int(ink)] for ink in row] for row in each] for each in picture]
    for _ in range(2):
        env.step(np.zeros(2, np.int64))
    small, large = (text.split("\n") for text in env.render())
    assert small == ["".join(chars[0][0]) + " ", chars[0][1][0] + "  ", "   "]
    assert large == [" " + "".join(chars[1][0][1:]), chars[1][1][0] + "  ", "   "]


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (Copying, {"symbols": 0}, r"symbols: 0 is too small; legal: 1 to 61 symbols; nearest: 1"),
        (Copying, {"symbols": 62}, r"symbols: 62 is too large; legal: 1 to 61 symbols; nearest: 61"),
        (Copying, {"span": 0}, r"span: 0 is too small; legal: >= 1 env steps, a list .*range.*nearest: 1"),
        (Copying, {"span": []}, r"span: the list is empty"),
        (Copying, {"span": {"low": 3}}, r"span: \{'low': 3\} is no range; legal: .*\{low: ..., high: ...\}"),
        (Copying, {"span": {"lo": 3, "high": 4}}, r"span.lo: unknown 'lo'; did you mean 'low'\?"),
        (Copying, {"span": {"low": 5, "high": 4}}, r"span.high: 4 is too small; legal: >= span.low, 5"),
        (Copying, {"length": 1.5}, r"length: 1.5 is not a whole number"),
        (Copying, {"mask": "recal"}, r"mask: unknown 'recal'; did you mean 'recall'\?"),
        (Copying, {"stagger": 1}, r"stagger: 1 is not a boolean; legal: true, false"),
        (
            Copying,
            {"render_mode": "human"},
            r"render_mode: 'human' is a window .*here: ansi, rgb_array",
        ),
        (TemporalOrder, {"variant": "2"}, r"variant: unknown '2'; .*known: low_frequency, order_only"),
        (
            TemporalOrder,
            {"scale": 0.09},
            r"scale: 0.09 is too small for 'two_symbols'.*legal: >= 0.1; nearest",
        ),
        (TemporalOrder, {"scale": float("inf")}, r"scale: inf"),
        (TemporalOrder, {"scale": float("nan")}, r"scale: nan"),
        (TemporalOrder, {"scale": "1"}, r"scale: '1' is not a number; legal: >= 0.1"),
        (TemporalOrder, {"scale": True}, r"scale: True is not a number"),
        (SequentialDigits, {"size": 1}, r"size: 1 is too small; legal: >= 2 pixels a side"),
        (SequentialDigits, {"split": "dev"}, r"split: unknown 'dev'; .*known: online, test, train, valid"),
        (SequentialDigits, {"path": "/nowhere/at/all", "split": "test"}, r"/nowhere/at/all: is no folder"),
    ],
)
def test_illegal_arguments_are_named(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Copying, {"spam": 3}, r"options.spam: unknown 'spam'; did you mean 'span'\?"),
        (Copying, {"span": 51}, r"options.span: 51 is out of range; legal: 1 to 50; nearest: 50"),
        (Copying, {"string": [1] * 9}, r"options.string: shape \(9,\) does not fit; legal: \(10,\)"),
        (Copying, {"string": [*range(10)]}, r"options.string: 0 is out of range; legal: 1 to 8; nearest: 1"),
        (Copying, {"span": 3.0}, r"options.span: 3.0 is not whole"),
        (Copying, {"start": -1}, r"options.start: -1 is out of range; legal: 0 to 69"),
        (Copying, {"start": 30, "span": 1}, r"options.start: 30 is beyond the sequence; legal: 0 to 20"),
        (Copying, {"start": "any"}, r"options.start: unknown 'any'; known: random"),
        (TemporalOrder, {"places": [9, 50]}, r"options.places: 9 is out of range; legal: 10 to 20"),
        (TemporalOrder, {"places": [10, 61]}, r"options.places: 61 is out of range; legal: 50 to 60"),
        (TemporalOrder, {"markers": [0, 2]}, r"options.markers: 2 is out of range; legal: 0 to 1"),
        (SequentialDigits, {"digit": -1}, r"options.digit: -1 is out of range; legal: 0 to"),
    ],
)
def test_illegal_reset_options_are_named(make, options, message):
    with pytest.raises(ValueError, match=message):
        make().reset(options=options)


def test_illegal_actions_are_named():
    env = BatchedCopying(2, symbols=3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions\[1\]: 4 is not legal; legal: 0 to 3"):
        env.step(np.array([3, 4]))


def test_defaults_are_the_papers():
    assert Copying().rules == CopyingTask(8, 50, 10, "recall")
    assert gymnasium.make("engram/SequentialDigits-v0").unwrapped.rules.sizes == (14,)
    assert TemporalOrder().rules == TemporalOrderTask("two_symbols", 1.0)
