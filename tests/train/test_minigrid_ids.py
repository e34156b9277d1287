"""`minigrid:ANY-ID` trains as it is, on columns and under stock RLlib; missions are tokens of their space."""

import re

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.training_data import TrainingData

from engram.agents.columns.env_states import restore_env, save_env
from engram.agents.columns.lanes import vectorize
from engram.agents.columns.packing import pack, unpack
from engram.envs.minigrid.words import MISSION_LENGTH, MISSIONS, WORDS
from engram.train.environments.facts import probe
from engram.train.plans.build import build_config

pytest.importorskip("minigrid")

IDS = sorted(name for name in gym.registry if re.match("(MiniGrid|BabyAI)-(?!WFC)", name))
FEW = ["MiniGrid-MemoryS7-v0", "BabyAI-GoToLocal-v0", "MiniGrid-DoorKey-5x5-v0"]
LANES, STEPS = 8, 50
MODEL = {"core": {"type": "gru", "size": 16}}
VALUES = {
    "RecurrentPPO": {"rollout_fragment_length": STEPS, "num_epochs": 1},
    "PPO": {
        "rollout_fragment_length": STEPS,
        "num_epochs": 1,
        "train_batch_size_per_learner": LANES * STEPS,
        "minibatch_size": LANES * STEPS,
        "num_env_runners": 0,
    },
}


def test_these_are_all_ids():
    assert len(IDS) == 172


def shell(run, env_id):
    """Runner and learner of an algorithm, in this process."""
    facts = probe(f"minigrid:{env_id}", {}, "lanes" if run == "RecurrentPPO" else "copies")
    values = {"model": MODEL, "num_envs_per_env_runner": LANES, "seed": 1, **VALUES[run]}
    config = build_config(run, facts, values)
    runner = config.env_runner_cls(config=config)
    spaces = {DEFAULT_MODULE_ID: (facts.observation_space, facts.action_space)}
    learner = config.build_learner(env=runner.env, spaces=spaces)
    learner.build()
    return facts, runner, learner


def missions(run, sampled):
    """Tokens of all that was seen, (N, L)."""
    if run == "RecurrentPPO":
        return sampled[0].observations["mission"].reshape(-1, MISSION_LENGTH)
    return np.concatenate([episode.get_observations()["mission"] for episode in sampled])


@pytest.mark.parametrize("run", sorted(VALUES))
@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.slow
def test_every_id_trains(run, env_id, capfd):
    check_training(run, env_id, 2_000)
    assert "Sampling rejected" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("run", "env_id"), list(zip(["RecurrentPPO", "PPO", "RecurrentPPO"], FEW, strict=True))
)
def test_it_trains(run, env_id):
    check_training(run, env_id, 500)


@pytest.mark.parametrize("env_id", FEW)
def test_lanes_play_on_from_a_saved_state(env_id):
    check_playing_on(env_id)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.slow
def test_lanes_of_every_id_play_on_from_a_saved_state(env_id):
    check_playing_on(env_id)


def check_playing_on(env_id):
    """Through episodes that end after the state was taken, rewards and flags included."""
    lanes, other = (
        vectorize(f"minigrid:{env_id}", 2, {}, autoreset_mode=AutoresetMode.SAME_STEP) for _ in range(2)
    )
    actions = np.random.default_rng(0).integers(0, 7, (90, 2))
    lanes.reset(seed=1), other.reset(seed=5)
    for action in actions[:30]:
        lanes.step(action)
    restored = restore_env(other, unpack(pack(save_env(lanes))))
    for action in actions[30:]:
        (seen, *others, _), (same, *alike, _) = lanes.step(action), restored.step(action)
        for one, two in zip([*seen.values(), *others], [*same.values(), *alike], strict=True):
            np.testing.assert_array_equal(one, two)


def check_training(run, env_id, least):
    """Env steps to take, at least."""
    facts, runner, learner = shell(run, env_id)
    space = facts.observation_space["mission"]
    assert (space.vocabulary, space.length) == (MISSIONS, MISSION_LENGTH)
    before = learner.module[DEFAULT_MODULE_ID].get_state()
    steps = 0
    while steps < least:
        sampled = runner.sample() if run == "RecurrentPPO" else runner.sample(num_timesteps=LANES * STEPS)
        told = missions(run, sampled)
        assert all(space.contains(row) for row in np.unique(told, axis=0).astype(np.int64))
        assert not (told == 1).any(), "an unknown word"
        learner.update(
            training_data=TrainingData(episodes=sampled),
            timesteps={"num_env_steps_sampled_lifetime": steps},
            num_epochs=1,
            minibatch_size=LANES * STEPS,
        )
        runner.module.set_state(learner.module[DEFAULT_MODULE_ID].get_state())
        steps += sum(len(each) for each in sampled)
    runner.stop()
    after = learner.module[DEFAULT_MODULE_ID].get_state()
    assert any(np.any(after[name] != before[name]) for name in before)


@pytest.mark.parametrize("env_id", FEW)
def test_codes_reach_their_bounds_and_not_beyond(env_id):
    """What 300 random steps show is within the declared bounds, and the bounds of 255 are gone."""
    image = probe(f"minigrid:{env_id}", {}).observation_space["image"]
    assert image.high.reshape(-1, 3).max(0).tolist() == [10, 5, 2]
    env = gym.make(f"minigrid:{env_id}")
    env.action_space.seed(0)
    seen = [env.reset(seed=0)[0]]
    for _ in range(300):
        observation, _, ended, cut, _ = env.step(env.action_space.sample())
        seen.append(env.reset()[0] if ended or cut else observation)
    assert all((each["image"] <= image.high).all() for each in seen)


def test_words_are_those_of_the_missions():
    """53 words and the comma: every one occurs, and no other, in all missions that spaces can make."""
    found = set()
    for env_id in [name for name in IDS if name.startswith("MiniGrid")]:
        space = gym.make(env_id, disable_env_checker=True).observation_space["mission"]
        for chosen in _placeholders(space.ordered_placeholders or []):
            found.update(MISSIONS.split(space.mission_func(*chosen)))
    grammar = "go to open pick up put next to and , then after you a the object box ball key door"
    grammar += " red green blue purple yellow grey in front of you behind you on your left right"
    assert found | set(grammar.split()) == set(WORDS)
    assert len(WORDS) == len(set(WORDS)) == 54


def _placeholders(lists):
    """Choices in which each placeholder takes each of its values once."""
    longest = max((len(each) for each in lists), default=1)
    return [[each[index % len(each)] for each in lists] for index in range(longest)]


def test_the_longest_mission_fits_exactly():
    """The grammar of `minigrid.envs.babyai.core.verifier`, each part at its longest."""
    verifier = pytest.importorskip("minigrid.envs.babyai.core.verifier")

    class Described(verifier.ObjDesc):
        def find_matching_objs(self, env, use_location=True):
            self.obj_set = [self]
            return [self], []

    lengths = []
    things = [
        Described(kind, color, loc) for kind in verifier.OBJ_TYPES for color in (None, "red") for loc in LOCS
    ]
    longest = max(things, key=lambda each: len(MISSIONS.split(each.surface(None))))
    put = verifier.PutNextInstr(longest, longest)
    actions = [put, verifier.GoToInstr(longest), verifier.PickupInstr(longest)]
    both = max((verifier.AndInstr(a, put) for a in actions), key=lambda each: len(each.surface(None)))
    for kind in (verifier.BeforeInstr, verifier.AfterInstr):
        lengths.append(len(MISSIONS.split(kind(both, both).surface(None))))
    assert max(lengths) == MISSION_LENGTH


LOCS = [None, "left", "right", "front", "behind"]
