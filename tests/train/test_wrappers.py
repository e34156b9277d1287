"""`wrappers:` of an experiment, texts as tokens, and what the first steps of such an environment show."""

import json
import sys

import gymnasium as gym
import numpy as np
import pytest
import wrapped_envs
from test_checks import plan

from engram.agents.columns.env_specs import OwnEnv
from engram.agents.columns.lanes import vectorize
from engram.agents.columns.wrappers import WrapperError, split_settings
from engram.envs.forms.words import Tokens, Vocabulary
from engram.train.console.errors import ExperimentError
from engram.train.environments import hints
from engram.train.environments.facts import make_batched, make_rendered, probe
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.plans import build, header
from engram.train.plans.plan import make_plan, resolved

LIMIT = {"type": "TimeLimit", "max_episode_steps": 3}
LETTERS = Vocabulary("abc", "characters")


def read(section, **settings):
    document = {"x": {"env": "CartPole-v1", "run": "RecurrentPPO", **section}}
    (experiment,), _ = read_experiments(document, Overrides(settings))
    return experiment


def rewards(lanes, steps=1):
    lanes.reset(seed=0)
    return [lanes.step(lanes.action_space.sample())[1].tolist() for _ in range(steps)][-1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("TimeLimt", "wrappers[0]: unknown 'TimeLimt'; did you mean 'TimeLimit'?"),
        ({"type": "TimeLimit"}, "wrappers[0].max_episode_steps: missing"),
        (LIMIT | {"max_step": 1}, "wrappers[0].max_step: unknown key; did you mean 'max_episode_steps'?"),
        (LIMIT | {"max_episode_steps": "3"}, "wrappers[0].max_episode_steps: expected an integer, got '3'"),
        (
            {"type": "AtariPreprocessing", "noop_mx": 3},
            "wrappers[0].noop_mx: unknown key; did you mean 'noop_max'?",
        ),
        ("gymnasium:Env", "wrappers[0]: 'gymnasium:Env' is no wrapper; expected a class derived from"),
        ("wrapped_envs:Plain", "wrappers[0]: 'wrapped_envs:Plain' is no wrapper"),
        ("wrapped_envs:NUMBERS", "wrappers[0]: 'wrapped_envs:NUMBERS' is no wrapper"),
        ("wrapped_envs:Dobled", "has no attribute 'Dobled'; did you mean 'Doubled'?"),
        ("no_such.module:Wrapper", "wrappers[0]: cannot load 'no_such.module:Wrapper': No module named"),
        (
            {"type": "wrapped_envs:Doubled", "factor": -1.0},
            "wrappers[0]: Doubled raises ValueError: factor: ex",
        ),
        ({"type": "TransformReward", "func": "math:sqr"}, "wrappers[0].func: cannot load 'math:sqr': module"),
        ({"type": 3}, "wrappers[0].type: expected a class path, got 3"),
        ({"limit": 3}, "wrappers[0]: expected a class path, or {type: class path, argument: value}"),
        (7, "wrappers[0]: expected a class path"),
        ("TextTokens", "wrappers[0]: TextTokens raises ValueError: there is no text in the observations"),
        ("EncodedGrid", "is no level of minigrid"),
        (
            "gymnasium.wrappers.vector:NormalizeObservation",
            "lanes reset in mode AutoresetMode.SAME_STEP, which it may not take",
        ),
    ],
)
def test_a_wrong_wrapper_is_one_line(row, message):
    with pytest.raises(ExperimentError) as raised:
        probe("CartPole-v1", {"wrappers": [row]})
    (line,) = raised.value.lines
    assert message in line


def test_the_place_in_the_list_is_named():
    rows = ["FlattenObservation", {"type": "wrapped_envs:Doubled", "factr": 1}]
    with pytest.raises(ExperimentError, match=r"^wrappers\[1\]\.factr: unknown key; did you mean 'factor'\?"):
        probe("CartPole-v1", {"wrappers": rows})


def test_order_and_forms():
    single, lanes = {"type": "wrapped_envs:Doubled", "factor": 3.0}, "wrapped_envs:DoubledLanes"
    both = vectorize("wrapped_envs:Plain", 2, {"wrappers": [single, lanes]})
    assert rewards(both) == [6.0, 6.0]
    with pytest.raises(WrapperError, match=r"wrappers\[0\]: DoubledLanes wraps all lanes at once, and wrap"):
        split_settings({"wrappers": [lanes, single]})
    with pytest.raises(ExperimentError, match=r"wrappers\[0\]: Doubled wraps a single environment, and own_"):
        probe("own_envs:Lanes", {"wrappers": [single]})
    assert rewards(make_batched("own_envs:Lanes", 2, {"wrappers": [lanes]})) == [2.0, 2.0]


def test_the_batched_form_stays_where_no_wrapper_is_of_single_environments():
    quick = {"level": 0}
    facts = probe("engram/TMaze-v0", {**quick, "wrappers": ["wrapped_envs:DoubledLanes"]})
    assert (facts.wrappers, facts.remarks) == (("DoubledLanes",), ())
    facts = probe("engram/TMaze-v0", {**quick, "wrappers": ["wrapped_envs:Doubled"]})
    assert "batched form is not used" in facts.remarks[0]
    copies = make_batched("engram/TMaze-v0", 2, {**quick, "wrappers": ["wrapped_envs:Doubled"]})
    assert isinstance(copies.unwrapped, gym.vector.SyncVectorEnv)
    assert copies.metadata["group_by"] == "level"


def test_functions_are_named():
    row = {"type": "TransformReward", "func": "math:exp"}
    assert rewards(vectorize("wrapped_envs:Plain", 1, {"wrappers": [row]})) == pytest.approx([np.e])


@pytest.mark.parametrize("config", [{}, {"env_config": {"level": 1}}])
def test_they_go_to_env_config(config):
    rows = ["FlattenObservation", LIMIT]
    env_config = read({"wrappers": rows, "config": config}).config["env_config"]
    assert env_config == {**config.get("env_config", {}), "wrappers": rows}
    assert read({"config": config}, wrappers=rows).config["env_config"]["wrappers"] == rows


@pytest.mark.parametrize(
    "wrappers", ["TimeLimit", {"type": "TimeLimit"}, 3, {"uniform": [1, 2]}, {"grid_search": "TimeLimit"}]
)
def test_they_are_a_list(wrappers):
    with pytest.raises(ExperimentError, match=r"wrappers: expected a list|grid_search: expected a list"):
        make_plan(read({"wrappers": wrappers}))


def test_they_may_be_searched():
    made = plan({"env_config": {"wrappers": {"grid_search": [[], [LIMIT]]}}}, env="CartPole-v1")
    assert made.trials == 2
    section = {"wrappers": {"grid_search": [[LIMIT], ["ClipReward"]]}, "config": {"env_config": {}}}
    assert read(section).config["env_config"] == {"wrappers": section["wrappers"]}
    several = {"wrappers": [LIMIT], "config": {"env_config": {"grid_search": [{"level": 0}, {"level": 1}]}}}
    listed = read(several).config["env_config"]["grid_search"]
    assert listed == [{"level": level, "wrappers": [LIMIT]} for level in (0, 1)]


@pytest.mark.parametrize("run", ["RecurrentPPO", "PPO"])
def test_every_consumer_makes_the_same(run):
    env, rows = "wrapped_envs:Plain", ["wrapped_envs:Doubled", LIMIT, "wrapped_envs:DoubledLanes"]
    made = plan({"env_config": {"wrappers": rows}, "num_envs_per_env_runner": 2}, env=env, run=run)
    assert dict(header.rows(made))["wrappers"] == "Doubled, TimeLimit, DoubledLanes"
    assert json.loads(json.dumps(resolved(made)))["config"]["env_config"]["wrappers"] == rows
    runner = made.config.env_runner_cls(config=made.config)
    runner.env.reset(seed=0)
    steps = [runner.env.step(runner.env.action_space.sample()) for _ in range(3)]
    assert [step[1].tolist() for step in steps] == [[4.0, 4.0]] * 3
    assert [step[3].tolist() for step in steps] == [[False] * 2] * 2 + [[True] * 2]
    assert rewards(make_batched(env, 2, made.config.env_config)) == [4.0, 4.0]
    single = OwnEnv(env)(made.config.env_config)
    single.reset()
    assert single.step(0)[1] == 2.0


def test_async_lanes():
    rows = ["wrapped_envs:Doubled", "wrapped_envs:DoubledLanes"]
    lanes = vectorize("wrapped_envs:Told", 2, {"wrappers": rows}, "async")
    try:
        assert isinstance(lanes.unwrapped, gym.vector.AsyncVectorEnv)
        assert lanes.reset(seed=0)[0]["word"].tolist() == [[2, 0, 0, 0, 0]] * 2
        assert rewards(lanes) == [4.0, 4.0]
    finally:
        lanes.close()


def test_a_picture_has_the_wrappers():
    env = make_rendered(
        "own_envs:Good", {"wrappers": ["wrapped_envs:Doubled"]}, ("ansi", "rgb_array"), "--gif"
    )
    env.reset(seed=0)
    assert env.step(0)[1] == 2.0
    assert env.render().shape == (4, 4, 3)


def test_texts_become_tokens():
    space = probe("wrapped_envs:Told", {}).observation_space
    assert space["word"] == space["pair"][1] == Tokens(LETTERS, 5)
    assert space["numbers"] == wrapped_envs.NUMBERS
    lanes = vectorize("wrapped_envs:Told", 2, {})
    seen = lanes.reset(seed=0)[0]
    for _ in range(4):
        assert all(lanes.single_observation_space.contains(_lane(seen, lane)) for lane in range(2))
        last, (seen, _, ended, _, info) = seen, lanes.step(np.zeros(2, int))
    assert ended.all()
    assert LETTERS.decode(last["word"][1]) == "abca"
    assert LETTERS.decode(info["final_obs"][1]["word"]) == "abcab"
    assert LETTERS.decode(info["final_obs"][1]["pair"][1]) == "bacba"


def _lane(seen, lane):
    if isinstance(seen, dict):
        return {key: _lane(part, lane) for key, part in seen.items()}
    return tuple(_lane(part, lane) for part in seen) if isinstance(seen, tuple) else seen[lane]


def test_a_vocabulary_of_ones_own(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("ab abc\nabca\n", encoding="utf-8")
    for vocabulary in (["ab", "abc", "abca"], str(file)):
        row = {"type": "TextTokens", "vocabulary": vocabulary, "length": 1}
        space = probe("wrapped_envs:Told", {"wrappers": [row]}).observation_space["word"]
        assert space == Tokens(Vocabulary(["ab", "abc", "abca"]), 1)
    for wrong, message in (
        ({"vocabulary": str(tmp_path / "none.txt")}, "none.txt' cannot be read"),
        ({"vocabulary": []}, "there is no word in it"),
        ({"length": 0}, "length: expected 1 or more tokens, got 0"),
        ({"unit": "letters"}, r"wrappers\[0\].unit: expected one of words, characters, got 'letters'"),
    ):
        with pytest.raises(ExperimentError, match=message):
            probe("wrapped_envs:Told", {"wrappers": [{"type": "TextTokens", **wrong}]})


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("number", "reset() raises ValueError: observation['word'] is 3, its space says a text"),
        ("long", "observation['word']: 'aaaaaaa' has 7 characters; legal: at most 5"),
        ("strange", "observation['word'] has characters that its space lacks, shown as ?: 'a?b'"),
        ("inside", "observation['pair'][1] is None, its space says a text"),
        ("numbers", "observation['numbers'] has shape (), its space says (2,)"),
        ("nan", "observation['numbers'] is nan at [1]"),
        ("missing", "observation has numbers, word; its space says numbers, pair, word"),
    ],
)
def test_the_first_steps_name_the_part(fault, message):
    with pytest.raises(ExperimentError) as raised:
        probe("wrapped_envs:Told", {"fault": fault})
    (line,) = raised.value.lines
    assert line.startswith("env: wrapped_envs:Told: reset()")
    assert message in line


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("nan", "observation is nan at [0]"),
        ("shape", "observation has shape (3,), its space says (2,)"),
        ("dtype", "observation is complex128, its space says float32, which cannot hold it"),
        ("range", "observation is 7 at [0], its space says 0 to 1"),
        ("string", "observation has shape (), its space says (2,)"),
        ("reward", "reward is 'much' (str), expected a number"),
        ("reward_nan", "reward is nan, expected a finite number"),
        ("raises", "raises KeyError: 'gone' (tests/train/wrapped_envs.py:"),
    ],
)
def test_the_first_steps_go_through_wrappers(fault, message, monkeypatch):
    row = {"type": "wrapped_envs:Broken", "fault": fault}
    with pytest.raises(ExperimentError) as raised:
        probe("wrapped_envs:Plain", {"wrappers": [row]})
    (line,) = raised.value.lines
    assert line.startswith("env: wrapped_envs:Plain: step() number 1")
    assert message in line


def test_a_wrapper_that_hangs_around_gymnasiums_own(monkeypatch):
    monkeypatch.setenv("ENGRAM_ENV_SECONDS", "3")
    row = {"type": "wrapped_envs:Broken", "fault": "hangs"}
    with pytest.raises(
        ExperimentError, match=r"step\(\) number 1 has not ended after 3 s \(in .*wrapped_env"
    ):
        probe("CartPole-v1", {"wrappers": [row]})


@pytest.mark.parametrize(
    ("env", "wrappers"),
    [("minigrid:BabyAI-GoToLocal-v0", []), ("CartPole-v1", ["minigrid.wrappers:ImgObsWrapper"])],
)
def test_without_minigrid_one_line_says_what_to_install(env, wrappers, monkeypatch):
    for name in [each for each in sys.modules if each.split(".")[0] == "minigrid"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "minigrid", None)
    monkeypatch.setattr(hints, "_installed", lambda name: False)
    with pytest.raises(ExperimentError) as raised:
        probe(env, {"wrappers": wrappers})
    (line,) = raised.value.lines
    assert line.endswith('; pip install "engram[minigrid]"')


def test_what_no_array_holds_is_named():
    with pytest.raises(ExperimentError, match=r"observation\['graph'\] is a Graph, which no array holds; kn"):
        probe("wrapped_envs:Drawn", {})


@pytest.mark.parametrize("key", ["normalize_observations", "normalize_rewards", "normalization_clip"])
def test_normalisation_is_for_our_own_algorithms(key):
    value = 5.0 if key.endswith("clip") else True
    with pytest.raises(ExperimentError, match=f"config.{key}: is for our own actor-critics, whose names be"):
        build.check_settings("PPO", {key: value})
    with pytest.raises(ExperimentError, match=f"config.evaluation_config.{key}: is for our own"):
        build.check_settings("PPO", {"evaluation_config": {key: value}})


@pytest.mark.parametrize("value", [True, False])
def test_evaluations_play_what_is_trained(value):
    config = {"normalize_observations": not value, "evaluation_config": {"normalize_observations": value}}
    with pytest.raises(
        ExperimentError, match=r"^config.evaluation_config.normalize_observations: .* the netw"
    ):
        build.check_settings("RecurrentPPO", config)


def test_what_is_normalised_is_said():
    made = plan({"normalize_observations": True}, env="CartPole-v1")
    assert dict(header.rows(made))["scaling"].startswith("observation by running mean and deviation")
    with pytest.raises(
        ExperimentError, match=r"^config.normalize_observations: no part of .* is a Box of fl"
    ):
        plan({"normalize_observations": True}, env="engram/TMaze-v0")
    (notice,) = plan({"normalization_clip": 5.0}, env="CartPole-v1").notices
    assert notice.startswith("config.normalization_clip has no effect without normalize_observations or")
