"""Frames that pictures share: stored once, stacked as the environment stacks them, and learned from alike.

T time, B lanes.
"""

import film
import numpy as np
import pytest
import torch
from gymnasium import spaces
from shell import Shell

from engram.agents import make_config
from engram.agents.columns.env_runner import FragmentBuffer
from engram.agents.columns.frames import frame_counts, stack_frames, stacked
from engram.envs.forms.frames import FrameStack

LANES, STEPS = 3, 12


def slow_stacks(film_rows, resets, first):
    """Stacks frame by frame: `film_rows` (T, B, ...), of which row 0 is the newest of the picture `first`."""
    pictures = [first]
    for t in range(1, len(film_rows)):
        older = pictures[-1][..., film_rows.shape[-1] :] * ~resets[t][:, None, None, None]
        pictures.append(np.concatenate([older, film_rows[t]], axis=-1))
    return np.stack(pictures)


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("frames", [1, 2, 4, 7])
def test_gathered_stacks_are_those_of_a_slow_twin(frames, planes):
    generator = np.random.default_rng(frames)
    resets = generator.random((STEPS, LANES)) < 0.3
    resets[:3, 0], resets[4:6, 1], resets[:, 2] = True, True, False
    rows = generator.integers(1, 256, (STEPS + frames - 1, LANES, 2, 3, planes), np.uint8)
    rows[: frames - 1, 0] = 0  # lane 0 begins an episode in the first row
    first = np.concatenate(list(rows[:frames]), axis=-1)
    expected = slow_stacks(rows[frames - 1 :], resets, first)
    got = stack_frames(torch.from_numpy(rows), torch.from_numpy(resets))
    np.testing.assert_array_equal(got.numpy(), expected)


def configured(shared=True, planes=1, run="RecurrentPPO", model=None, **settings):
    """An algorithm on films, the same ones whether frames are shared or not."""
    encoder = {"type": "dqn", "size": 16}
    config = make_config(run, {"encoder": encoder, "core": {"type": "gru", "size": 8}, **(model or {})})
    wrappers = {} if shared else {"wrappers": ["film:Same"]}
    config.environment("film:Film", env_config={"planes": planes, **wrappers}).debugging(seed=1)
    config.num_envs_per_env_runner, config.rollout_fragment_length = LANES, STEPS
    config.minibatch_size, config.num_epochs = STEPS, 2
    for name, value in settings.items():
        setattr(config, name, value)
    return config


@pytest.mark.parametrize("planes", [1, 3])
def test_fragments_hold_each_frame_once_and_stack_to_what_was_seen(planes):
    one, other = (Shell(configured(shared, planes)) for shared in (True, False))
    for _ in range(3):  # pictures reach back into the fragment before
        shared, whole = one.sample(), other.sample()
        frame = film.SIDE**2 * planes
        assert shared.observations.nbytes == (STEPS + film.FRAMES) * LANES * frame
        assert whole.observations.nbytes == (STEPS + 1) * LANES * frame * film.FRAMES
        np.testing.assert_array_equal(shared.resets, whole.resets)
        assert shared.resets[1:-1].any()
        got = stack_frames(torch.from_numpy(shared.observations), torch.from_numpy(shared.resets))
        np.testing.assert_array_equal(got.numpy(), whole.observations)


@pytest.mark.parametrize("wrappers", [[], ["film:Skip"]])
def test_single_environments_are_stored_as_they_were_seen(wrappers):
    """A wrapper keeps the space of what it wraps, whatever it shows."""
    config = configured()
    config.environment("film:OneFilm", env_config={"wrappers": wrappers})
    shell, seen = Shell(config), []
    see = shell.runner._see
    shell.runner._see = lambda pictures: seen.append(see(pictures)) or seen[-1].copy()
    for _ in range(2):
        np.testing.assert_array_equal(shell.sample().observations, np.stack(seen[-STEPS - 1 :]))


@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentIMPALA"])
@pytest.mark.parametrize("model", [{}, {"previous_action": True, "previous_reward": True}])
def test_learning_from_shared_frames_is_learning_from_whole_pictures(run, model):
    weights = []
    for shared in (True, False):
        shell = Shell(configured(shared, run=run, model=model))
        before = shell.weights()
        for _ in range(2):
            shell.update(shell.sample())
            shell.sync()
        weights.append(shell.weights())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in before)
    assert not any(torch.equal(weights[0][name], before[name]) for name in before)


def test_lanes_are_split_with_their_frames():
    fragment = Shell(configured()).sample()
    parts = fragment.split(LANES)
    for lane, part in enumerate(parts):
        np.testing.assert_array_equal(part.observations[:, 0], fragment.observations[:, lane])


def test_a_picture_among_other_parts():
    space = spaces.Dict({"screen": FrameStack(2, 3, 1, 4), "a": spaces.Discrete(3)})
    assert frame_counts(space) == [1, 4]
    assert frame_counts(space, shared=False) == [1, 1]
    buffer = FragmentBuffer(5, 2, space, frame_counts(space))
    seen = {"screen": np.ones((2, 2, 3, 4), np.uint8), "a": np.array([1, 2])}
    for t in range(6):
        buffer.begin(t, seen, np.zeros(2, bool))
    rows = {name: torch.from_numpy(column) for name, column in buffer.observations.items()}
    assert {name: tuple(column.shape) for name, column in rows.items()} == {
        "a": (6, 2),
        "screen": (9, 2, 2, 3, 1),
    }
    whole = stacked(rows, torch.from_numpy(buffer.resets), space)
    assert torch.equal(whole["a"], rows["a"])
    assert torch.equal(whole["screen"], torch.ones(6, 2, 2, 3, 4, dtype=torch.uint8))


@pytest.mark.parametrize(("clip", "learned"), [(None, 7.0), (False, 7.0), (True, 1.0), (2.5, 2.5)])
def test_clipped_is_what_is_learned_from_and_not_what_is_told(clip, learned):
    shell = Shell(configured(clip_rewards=clip))
    fragment = shell.sample()
    assert (fragment.rewards == 7.0).all()
    for batch in shell.learner.batches(fragment, 1, None):
        assert (batch["rewards"] == learned).all()
    episodes = shell.runner.get_metrics()["episodes"].peek()
    assert all(episode[0] == 7.0 * episode[1] for episode in episodes)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"clip_rewards": 0.0}, "clip_rewards: 0.0 is out of range; legal: true"),
        ({"clip_rewards": -1.0}, "clip_rewards: -1.0 is out of range; legal: true"),
        ({"clip_rewards": True, "normalize_rewards": True}, "clip_rewards: normalize_rewards scales rewards"),
    ],
)
def test_clipping_that_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        configured(**settings).validate()


def test_spaces_of_other_frames_are_not_equal():
    assert FrameStack(4, 4, 1, 12) == FrameStack(4, 4, 1, 12) == spaces.Box(0, 255, (4, 4, 12), np.uint8)
    assert FrameStack(4, 4, 1, 12) != FrameStack(4, 4, 3, 4)
    assert FrameStack(4, 4, 1, 12) != FrameStack(4, 4, 1, 11)
