"""Environments by class path, unknown ids, searched environments, and what a foreign environment may do."""

import json

import gymnasium as gym
import own_envs
import pytest
from test_checks import plan

from engram.agents.columns.env_specs import OwnEnv, find_spec
from engram.agents.columns.lanes import vectorize
from engram.train.console.errors import ExperimentError
from engram.train.environments import guard, hints
from engram.train.environments.facts import (
    info_keys,
    make_batched,
    make_rendered,
    probe,
)
from engram.train.environments.ids import qualified, short_name
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.plans import build, header
from engram.train.runs.checkpoints import source
from engram.train.runs.scores import show_results

BOTH = {"grid_search": ["own_envs:Good", "engram/CuedCatch-v0"]}


@pytest.mark.parametrize(
    ("env", "config", "shape"),
    [
        ("own_envs:Good", {}, (3,)),
        ("own_envs.Good", {"size": 4}, (4,)),
        ("own_envs:Outer.Inner", {"size": 5}, (5,)),
        ("own_envs:InConfig", {"size": 4, "anything": 1}, (4,)),
        ("own_envs:InConfig", {"env_config": {"size": 7}}, (7,)),
        ("own_envs:InConfigRendered", {"size": 4}, (4,)),
        ("own_envs:InConfigRendered", {}, (3,)),
        ("own_envs:make", {"size": 2}, (2,)),
        ("own_envs:make_by_keywords", {}, (6,)),
        ("own_envs:Lanes", {"size": 4}, (4,)),
        ("own_envs:LanesInConfig", {"size": 4}, (4,)),
        ("own_envs:Prints", {}, (3,)),
        ("own_envs:Threads", {}, (3,)),
        ("own_envs:Forks", {}, (3,)),
        ("own_envs:ArraysOfOne", {}, (3,)),
    ],
)
def test_a_class_path_is_an_environment(env, config, shape, capfd):
    assert probe(env, config).observation_space.shape == shape
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("env", ["own_envs:Good", "own_envs:InConfig", "own_envs:Lanes"])
def test_lanes_of_a_class_path(env):
    lanes = make_batched(env, 3, {"size": 4})
    assert lanes.reset(seed=1)[0].shape == (3, 4)
    assert lanes.metadata["autoreset_mode"] is gym.vector.AutoresetMode.SAME_STEP


def test_copies_know_their_runner():
    lanes = vectorize("own_envs:InConfig", 2, {}, worker_index=3)
    assert [env.unwrapped.worker_index for env in lanes.envs] == [3, 3]


@pytest.mark.parametrize(
    ("run", "env", "config"),
    [
        ("PPO", "own_envs.Good", {}),
        ("PPO", "own_envs:InConfig", {"size": 4}),
        ("IMPALA", "own_envs:make_by_keywords", {}),
        ("RecurrentPPO", "own_envs:Lanes", {}),
        ("RecurrentIMPALA", "own_envs.InConfig", {}),
    ],
)
def test_experiments_with_class_paths(run, env, config):
    made = plan({"env_config": config}, env=env, run=run)
    assert made.config.env == qualified(env)
    assert dict(header.rows(made))["environment"] == env


def test_what_stock_runners_call():
    assert OwnEnv("own_envs:Good")({"size": 4}).observation_space.shape == (4,)
    assert OwnEnv("own_envs:InConfig")({"size": 4}).observation_space.shape == (4,)
    assert OwnEnv("own_envs:Lanes")({"size": 4, "num_envs": 2}).observation_space.shape == (2, 4)
    config = {"env_config": {"autoreset_mode": "NEXT_STEP"}, "gym_env_vectorize_mode": "vector_entry_point"}
    assert plan(config, env="own_envs:Lanes", run="PPO").env.observation_space.shape == (3,)


def test_names():
    assert qualified("engram/TMaze-v0") == "engram.envs:engram/TMaze-v0"
    assert qualified("a.b.MyEnv") == "a.b:MyEnv"
    assert qualified("CartPole-v1") == "CartPole-v1"
    names = ["engram/TMaze-v0", "engram.envs:engram/TMaze-v0", "a.b.MyEnv", "a.b:MyEnv", "minigrid:X-v0"]
    assert [short_name(name) for name in names] == ["TMaze-v0", "TMaze-v0", "MyEnv", "MyEnv", "X-v0"]


def test_rendered_by_class_path():
    for env_id in ("own_envs:Good", "own_envs.InConfigRendered"):
        env = make_rendered(env_id, {"size": 4}, ("rgb_array",), "--gif")
        assert env.reset()[0].shape == (4,)
        assert env.render().shape == (4, 4, 3)
    with pytest.raises(ExperimentError, match=r"--gif: own_envs:Lanes has a batched form only"):
        make_rendered("own_envs:Lanes", {}, ("rgb_array",), "--gif")


def test_info_of_a_class_path():
    assert info_keys("own_envs:Good", {}) == {"told"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Exits", "its constructor calls sys.exit(3); it printed: no licence found"),
        ("RaisesBase", "its constructor raises BaseException: odd (tests/train/own_envs.py:"),
        ("Crashes", "its constructor ends the process by SIGSEGV (in tests/train/own_envs.py:"),
        ("Interrupts", "reset() raises KeyboardInterrupt (tests/train/own_envs.py:"),
        ("ResetsToArray", "reset() returns an array of float32 (3,), expected a tuple (observation, info)"),
        ("NoSeed", "reset() takes no `seed`"),
        (
            "FourValues",
            "step() number 1 returns 4 values, as in the older package gym; expected a tuple (obs",
        ),
        ("WrongShape", "step() number 1: observation has shape (2,), its space says (3,)"),
        ("WrongKind", "reset(): observation is float32, its space says int32, which cannot hold it"),
        ("OutOfBounds", "step() number 1: observation is 2."),
        ("OutOfDiscrete", "reset(): observation['a'] 0 is outside its space Discrete(3, start=1)"),
        ("NotANumberSeen", "step() number 1: observation is nan at [1]"),
        ("ListReward", "step() number 1: reward is a list of 1 values, expected a number"),
        ("NotANumberReward", "step() number 1: reward is nan, expected a finite number"),
        ("NumberFlag", "step() number 1: terminated is 0 (int), expected true or false"),
        ("NoInfo", "step() number 1: info is None (NoneType), expected a dict"),
        ("Raises", "step() number 1 raises KeyError: 'x' (tests/train/own_envs.py:"),
        ("LanesOfOneReward", "step() number 1: rewards is 1.0 (float), expected numbers of shape (2,)"),
        ("TextSuccess", "step() number 1: info['success'] is 'no' (str), expected a bool"),
        ("LateMask", "step() number 1: info has an action_mask, and that of reset() has none"),
        ("LanesWithoutLast", "step() number 1: a lane has begun anew, and info['final_obs'] lacks its last"),
        ("LanesOfWrongSpace", "observation_space is Box(0.0, 1.0, (3,), float32), expected"),
    ],
)
def test_faults_of_an_environment(name, message, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    with pytest.raises(ExperimentError) as caught:
        probe(f"own_envs:{name}", {})
    assert str(caught.value).startswith(f"env: own_envs:{name}: {message}")


@pytest.mark.parametrize(
    ("env", "config", "message"),
    [
        (
            "own_envs:Goud",
            {},
            "env: cannot load 'own_envs:Goud': module 'own_envs' has no attribute 'Goud'; did",
        ),
        ("own_envs:NoEnvironment", {}, "env: 'own_envs:NoEnvironment' is no environment; expected a class"),
        ("own_envs:NUMBER", {}, "env: 'own_envs:NUMBER' is 3, no environment"),
        (
            "own_envs:NoSpaces",
            {},
            "env: own_envs:NoSpaces: observation_space is missing; expected a gymnasium.spaces.Space",
        ),
        ("own_envs:Needs", {"pears": 2}, "config.env_config.apples: missing"),
        (
            "own_envs:Needs",
            {"aples": 2, "apples": 1},
            "config.env_config.aples: unknown key; did you mean 'apples'",
        ),
        ("own_envs:Good", {"sise": 2}, "config.env_config.sise: unknown key; did you mean 'size'?"),
        ("own_envs:Lanes", {"sise": 2}, "config.env_config.sise: unknown key; did you mean 'size'?"),
        (
            "own_envs:Lanes",
            {"autoreset_mode": "NEXT_STEP"},
            "config.env_config: own_envs:Lanes has a batched form",
        ),
        (
            "no_such.thing",
            {},
            "env: 'no_such:thing': module 'no_such' cannot be imported: No module named 'no_s",
        ),
        (
            "syntax:Env",
            {},
            "env: 'syntax:Env': module 'syntax' cannot be imported: its import raises SyntaxError",
        ),
        (
            "exits:Env",
            {},
            "env: 'exits:Env': module 'exits' cannot be imported: its import raises SystemExit: no l",
        ),
        (
            "needs:Env",
            {},
            "env: 'needs:Env': module 'needs' cannot be imported: No module named 'not_there' (needs",
        ),
    ],
)
def test_wrong_class_paths(env, config, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "syntax.py").write_text("def f(:\n")
    (tmp_path / "exits.py").write_text("import sys\nsys.exit('no licence')\n")
    (tmp_path / "needs.py").write_text("import not_there\n")
    with pytest.raises(ExperimentError) as caught:
        probe(env, config)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("env", ["CartPole-v1", "own_envs:Typed"])
@pytest.mark.parametrize("inside", [None, "evaluation_config"])
def test_values_of_wrong_types_are_told_all_at_once(env, inside):
    section = {"sutton_barto_reward": "yes", "max_episode_steps": "ten", "render_mode": 3, "bariers": 1}
    config = {"env_config": section}
    with pytest.raises(ExperimentError) as caught:
        plan(config if inside is None else {inside: config}, env=env)
    path = "config.env_config" if inside is None else f"config.{inside}.env_config"
    assert [line.partition("; ")[0] for line in caught.value.lines] == [
        f"{path}.sutton_barto_reward: expected true or false, got 'yes'",
        f"{path}.max_episode_steps: expected an integer or none, got 'ten'",
        f"{path}.render_mode: expected text or none, got 3",
        f"{path}.bariers: unknown key",
    ]


@pytest.mark.parametrize(
    ("name", "space", "run"),
    [
        (
            "SeesText",
            "Tokens(3 of 4 characters)",
            "PPO",
        ),  # with RLlib's own network, which has no encoder for it
        ("ActsInText", "Text(", "PPO"),
        ("ActsInText", "Text(", "RecurrentPPO"),
    ],
)
def test_a_space_that_nothing_is_made_for_is_told_with_its_environment(name, space, run):
    config = {} if run == "RecurrentPPO" else {"model": {}}
    with pytest.raises(ExperimentError) as caught:
        plan(config, env=f"own_envs:{name}", run=run)
    assert f"own_envs:{name}" in str(caught.value)
    assert space in str(caught.value)


def test_a_value_of_the_type_of_the_default_is_right_whatever_the_annotation_says():
    probe("own_envs:Typed", {"sizes": [1, 2], "map": 2, "sutton_barto_reward": True})


@pytest.mark.parametrize(
    ("name", "doing"),
    [("HangsMade", "its constructor"), ("HangsReset", "reset()"), ("HangsInC", "step() number 1")],
)
def test_what_hangs_is_ended(name, doing, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    monkeypatch.setenv("ENGRAM_ENV_SECONDS", "1")
    with pytest.raises(ExperimentError) as caught:
        probe(f"own_envs:{name}", {})
    said = f"env: own_envs:{name}: {doing} has not ended after 1 s (in tests/train/own_envs.py:"
    assert str(caught.value).startswith(said)


def test_the_check_can_be_left_out(monkeypatch):
    monkeypatch.setenv("ENGRAM_ENV_SECONDS", "0")
    assert probe("own_envs:OutOfBounds", {}).observation_space.shape == (3,)
    monkeypatch.setenv("ENGRAM_ENV_SECONDS", "soon")
    with pytest.raises(ExperimentError, match=r"ENGRAM_ENV_SECONDS: expected seconds, .* got 'soon'"):
        probe("own_envs:Good", {})


def test_ours_and_gymnasiums_need_no_process(monkeypatch):
    monkeypatch.setattr(guard, "run_guarded", None)
    probe("engram/TMaze-v0", {})
    probe("CartPole-v1", {})


def test_a_batched_form_alone_under_stock_runners():
    with pytest.raises(
        ExperimentError, match=r"own_envs:Lanes has a batched form only; set config.gym_env_vec"
    ):
        plan(env="own_envs:Lanes", run="PPO")


@pytest.mark.parametrize(
    ("env", "module", "install"),
    [
        ("MiniGrid-MemoryS7-v0", "minigrid", '"engram[minigrid]"'),
        ("BabyAI-GoToObj-v0", "minigrid", '"engram[minigrid]"'),
        ("ALE/Pong-v5", "ale_py", '"engram[atari]"'),
        ("PongNoFrameskip-v4", "ale_py", '"engram[atari]"'),
        ("Breakout-ramDeterministic-v0", "ale_py", '"engram[atari]"'),
        ("FetchReach-v4", "gymnasium_robotics", "gymnasium-robotics"),
        ("HandReach-v3", "gymnasium_robotics", "gymnasium-robotics"),
        ("highway-fast-v0", "highway_env", "highway-env"),
        ("mo-lunar-lander-v3", "mo_gymnasium", "mo-gymnasium"),
        ("dm_control/cartpole-swingup-v0", "shimmy", '"shimmy[dm-control]"'),
        ("popgym-RepeatFirstEasy-v0", "popgym", "popgym"),
        ("DelayMatchSample-v0", "neurogym", "neurogym"),
        ("MortarMayhem-Grid-v0", "memory_gym", "memory-gym"),
        ("procgen-coinrun-v0", "procgen", "procgen"),
    ],
)
def test_ids_of_packages(env, module, install, monkeypatch):
    monkeypatch.delitem(gym.registry, env, raising=False)  # another test may have imported the package
    for other in [each for each in gym.registry if each.startswith(("MiniGrid-", "BabyAI-"))]:
        monkeypatch.delitem(gym.registry, other)
    monkeypatch.setattr(hints, "_installed", lambda name: True)
    assert hints.hint(env).startswith(f"import it: {module}:{env}")
    monkeypatch.setattr(hints, "_installed", lambda name: False)
    assert hints.hint(env).startswith(f"pip install {install}, then import it: {module}:{env}")
    assert hints.how_to_install(module) == f"pip install {install}"


def test_a_package_that_is_missing(monkeypatch):
    monkeypatch.setattr(hints, "_installed", lambda name: False)
    with pytest.raises(
        ExperimentError, match=r"'popgym' cannot be imported: No module named .*; pip install pop"
    ):
        probe("popgym:popgym-RepeatFirstEasy-v0", {})


def test_versions():
    for env, newest in (("Pendulum-v0", "Pendulum-v1"), ("LunarLander-v1", "LunarLander-v3")):
        with pytest.raises(ExperimentError, match=rf"'{env}' is not registered; .* the newest is {newest}"):
            probe(env, {})
    with pytest.raises(ExperimentError, match="it names no version; the newest is CartPole-v1"):
        probe("CartPole", {})
    assert probe("CartPole-v0", {}).remarks == (
        "env: CartPole-v0 is an older version; the newest is CartPole-v1",
    )
    assert probe("CartPole-v1", {}).remarks == ()


def test_gymnasiums_own_say_what_to_install():
    if hints._installed("Box2D"):
        pytest.skip("it is installed")
    with pytest.raises(
        ExperimentError, match=r"env: LunarLander-v3: Box2D is not installed, .*gymnasium\[box2d\]"
    ):
        probe("LunarLander-v3", {})


def test_environments_can_be_searched():
    made = plan({"lr": {"grid_search": [1e-3, 1e-4]}}, env=BOTH)
    space = build.trial_space(made.config, made.domains)
    assert space["env"] == {"grid_search": ["own_envs:Good", "engram.envs:engram/CuedCatch-v0"]}
    assert made.trials == 4
    assert dict(header.rows(made))["environment"].startswith(
        "grid_search of own_envs:Good, engram/CuedCatch-v0"
    )
    assert plan(env={"choice": ["own_envs:Good"]}).domains["env",].kind == "choice"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env": {"grid_search": ["own_envs:Good", "own_envs:Goud"]}}, "env: cannot load 'own_envs:Goud'"),
        ({"env": {"grid_search": []}}, "env.grid_search: expected a list of values, got []"),
        ({"env": {"grid_search": [1]}}, "env: expected an id, a class path, or {grid_search: [A, B]}"),
        ({"env": {"uniform": [0, 1]}}, "env: expected an id, a class path, or {grid_search: [A, B]}"),
        ({"env": 3}, "env: expected an id, a class path, or {grid_search: [A, B]}"),
        ({"run": {"grid_search": ["PPO", "APPO"]}}, "run: expected one algorithm, got"),
        (
            {"env": BOTH, "config": {"env_config": {"size": 4}}},
            "config.env_config.size: unknown key; known: always_show_ball_symbol",
        ),
    ],
)
def test_wrong_searches(changes, message):
    section = {"env": "own_envs:Good", "run": "RecurrentPPO", **changes}
    with pytest.raises(ExperimentError) as caught:
        plan(section.pop("config", {}), **section)
    assert str(caught.value).startswith(message)


def test_an_error_names_its_environment():
    with pytest.raises(ExperimentError, match=r"'conv' needs observations .* \(env: own_envs:Good\)"):
        plan({"model": {"encoder": {"type": "conv"}}}, env=BOTH)


def test_a_trial_says_which_environment_is_its_own(tmp_path, capsys):
    for index, env in enumerate(("own_envs:Good", "engram/TMaze-v0")):
        folder = tmp_path / "e" / f"trial_{index}" / "checkpoint_000000"
        folder.mkdir(parents=True)
        record = {"experiment": {"name": "e", "env": BOTH}, "trial_config": {"env": env, "seed": 1}}
        (folder.parent / "run.json").write_text(json.dumps(record))
        assert source(folder).env == env
    rows = show_results([str(tmp_path / "e")], as_json=False)
    assert [row["settings"] for row in rows] == [{"env": "own_envs:Good"}, {"env": "engram/TMaze-v0"}]


def test_the_env_option_replaces_a_search():
    overrides = Overrides(settings={"env": "own_envs:Good"})
    experiments, _ = read_experiments({"e": {"env": BOTH, "run": "PPO"}}, overrides)
    assert experiments[0].env == "own_envs:Good"


def test_specs_are_found_in_every_process():
    assert find_spec("own_envs:Good").entry_point is own_envs.Good
    assert find_spec("own_envs:Lanes").entry_point is None
    assert find_spec("small_envs:small/Cue-v0").id == "small/Cue-v0"
