"""Every example of README, docs and `--help` runs, in a form that takes seconds; README's Python, too."""

import contextlib
import glob
import io
import json
import re
import shutil
from pathlib import Path

import examples
import pytest
import ray
import torch
import yaml
from made_up_ibl import SESSIONS, make_two_unit_checkpoint
from made_up_runs import make_population, make_trial
from made_up_thinkers import SMALL, make_evaluation, module_for, write_checkpoint
from ray.tune import PlacementGroupFactory
from ray.tune.experiment import Trial

from engram.agents.models.recurrent import RecurrentModule
from engram.memory import make_core
from engram.train.environments.facts import make_batched
from engram.train.evaluation.agent import load_agent
from engram.train.evaluation.sharing import write_shared
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.experiments.inheritance import read_whole_document
from engram.train.experiments.loading import shipped_configs
from engram.train.pictures.rim_activation import RIMS
from engram.train.plans.plan import make_plan, resolved
from engram.train.population.lineage import read_lineage
from engram.train.population.replay import as_yaml, replay_of
from engram.train.runs.record import make_record, write_record

ROOT = Path(__file__).parent.parent.parent
OWN = "your_own.md"  # a page whose files and commands `test_your_own.py` runs
TEXTS = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").glob("*.md") if page.name != OWN)]
SOURCE = "tmaze_short"  # what examples start from: a network of its full size
TINY = {"encoder": {"type": "mlp", "hidden": [4]}, "core": {"type": "lstm", "size": 4}}
SMALL_TASKS = {
    "engram/TMaze-v0": {"level": 0, "limbo_time": 5, "teleport_delay": 2, "timeout_frames": 60},
    "engram/Copying-v0": {"span": 5},
    "engram/PrefixSums-v0": {"bits": 8},
    "engram/Maze-v0": {"positions": 5, "split_sizes": {"train": 4, "valid": 4, "test": 4}},
}


def all_commands():
    """Each command of the texts and of `--help` -> where it stands."""
    found = {command: path.name for path in reversed(TEXTS) for command in examples.in_text(path.read_text())}
    return found | dict.fromkeys(examples.in_help(), "--help")


def light_commands():
    commands = all_commands()
    only_named = examples.mentioned(commands)
    found = {}
    for command, place in commands.items():
        for split in [] if command in only_named else examples.words(command):
            try:
                found.setdefault(tuple(examples.light(split)), command)
            except KeyError as error:
                found[(f"{place}: {command}: nobody says what {error} means",)] = command
    return found


LIGHT = light_commands()
RUNS = sorted(
    {name for split in LIGHT for name in re.findall(r"~/ray_results/(\w+)(?![\w*])", " ".join(split))}
    - {"tmaze_transfer"}
)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A user's folder, with a small run under each name that an example speaks of."""
    home = tmp_path_factory.mktemp("home")
    torch.manual_seed(0)
    for name in sorted({*RUNS, SOURCE}):
        make_run(home / "ray_results" / name)
    make_transfer(home / "ray_results" / "tmaze_transfer")
    agent = load_agent(home / "ray_results" / "tmaze_concrete")
    write_shared(agent, home / "policy.safetensors")
    return home


def make_transfer(folder):
    """Two trials, one of them from scratch."""
    for source in (None, "/runs/tmaze_short/trial_00/checkpoint_000001"):
        config = {"seed": 0, "model": {"init_from": source}}
        make_trial(folder, env_config={}, config=config, **RETURNS)


RETURNS = {"success_rate": [0.4, 0.5, 0.6], "episode_return_mean": [0.1, 0.2, 0.3]}


def make_run(folder):
    """Two trials with reports and a checkpoint of an untrained network, for a shipped experiment's task."""
    if folder.name.endswith("_pbt"):
        make_population(folder)
        return
    if folder.name.startswith("atari"):
        core = {"type": folder.name.split("_")[1]}
        make_trial(folder, env_config={}, env="ALE/Pong-v5", config={"model": {"core": core}}, **RETURNS)
        return
    if folder.name.startswith("ibl"):
        make_two_unit_checkpoint(folder / "trial")
        return
    env, thinks, model = "engram/PrefixSums-v0", True, TINY
    if folder.name == SOURCE:
        model = read_whole_document(SOURCE)[SOURCE]["config"]["model"]
    if folder.name in shipped_configs():
        section = read_whole_document(folder.name)[folder.name]
        env, thinks = section["env"], section["run"] == "Supervised" and "copying" not in folder.name
    for seed in range(2):
        env_config = SMALL_TASKS[env] | ({"limbo_time": 5 * seed} if "TMaze" in env else {})
        trial = make_trial(
            folder,
            env=env,
            env_config=env_config,
            config={"seed": seed, "model": {}},
            **RETURNS,
        )
        record = (trial / "run.json").read_text()
        module = module_for(env, env_config, SMALL) if thinks else recurrent_module(env, env_config, model)
        write_checkpoint(trial, module, env, env_config)
        (trial / "run.json").write_text(record)


def recurrent_module(env_id, env_config, model):
    env = make_batched(env_id, 1, env_config)
    return RecurrentModule(
        observation_space=env.single_observation_space,
        action_space=env.single_action_space,
        model_config=model,
    )


@pytest.fixture
def desk(home, tmp_path, monkeypatch):
    """The folder of a user who has followed the texts so far, and nobody at the keyboard."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("engram.train.commands.play.check_terminal", lambda: None)
    monkeypatch.setattr("engram.train.play.screen.run", lambda *arguments: None)
    (tmp_path / "my_env.py").write_text(own_file("my_env.py"))
    (tmp_path / "sessions.csv").write_text(SESSIONS)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("delta", "progressive"):
        make_evaluation(tmp_path / f"{name}.json", [True, False], exits={"confidence": [1, 0, 1, 0]})
    lineage = read_lineage(home / "ray_results" / "tmaze_short_pbt")
    (tmp_path / "replay.yaml").write_text(as_yaml(lineage, replay_of(lineage, 2)))
    torch.save(make_core(10, RIMS).state_dict(), tmp_path / "core.pt")
    shutil.copyfile(home / "policy.safetensors", tmp_path / "policy.safetensors")
    return tmp_path


def interrupt(split, home):
    """The state that a run leaves which Ctrl-C ended, so that there is something to resume."""
    experiment = split[split.index("-f") + 1]
    name = split[split.index("--experiment-name") + 1] if "--experiment-name" in split else experiment
    folder = home / "ray_results" / name
    folder.mkdir(exist_ok=True, parents=True)
    ((asked,), _) = read_experiments({name: read_whole_document(experiment)[experiment]}, Overrides())
    plan = make_plan(asked)
    write_record(folder, make_record(resolved(plan), plan.seeds))
    trial = Trial(plan.config.algo_class.__name__, trial_id="a", stub=True)
    trial.placement_group_factory = PlacementGroupFactory([{"CPU": 1}])
    trials = {"trial_data": [trial.get_json_state()]}
    (folder / "experiment_state-1.json").write_text(json.dumps(trials))


def expanded(split, home):
    """What a shell makes of `~` and `*`."""
    at_home = [re.sub(r"~(?=/)", str(home), word) for word in split]
    return [file for word in at_home for file in (sorted(glob.glob(word)) if "*" in word else [word])]


@pytest.mark.parametrize("split", LIGHT, ids=" ".join)
def test_an_example_runs(typed, desk, home, split, monkeypatch):
    assert "nobody says" not in split[0], split[0]
    if "--resume" in split:
        interrupt(split, home)
    if "-" in split:
        monkeypatch.setattr("sys.stdin", io.StringIO(shipped_configs()["tmaze_concrete"]))
    code, out, err = typed(*expanded(split, home))
    assert code == 0, f"{LIGHT[split]}\n{err}"
    assert out or split[0] == "play"
    assert not ray.is_initialized()


def test_examples_are_found():
    """The extractor sees fences, continued lines, inline code, pipes, alternatives and remarks."""
    text = (
        "```\nrllib a \\\n   --b 1  # why\npip c\n```\nSee `rllib list x|y-z` and `rllib\nd FILE`, `pytest`."
    )
    assert examples.in_text(text) == ["rllib a     --b 1  # why", "rllib list x|y-z", "rllib d FILE"]
    assert examples.words("rllib a --b 1  # why") == [["a", "--b", "1"]]
    assert examples.words("rllib list x|y-z") == [["list", "x"], ["list", "y-z"]]
    assert examples.words("rllib e C --json | tail -n 1") == [["e", "C", "--json"]]
    assert examples.words("rllib train -f my.yaml --resume     (go on)") == [
        ["train", "-f", "my.yaml", "--resume"]
    ]
    assert "rllib train -f configs/tmaze_concrete.yaml" in all_commands()
    assert {"train", "evaluate", "play", "probe-core", "picture", "list"} <= {split[0] for split in LIGHT}
    assert len(LIGHT) > 60


@pytest.mark.parametrize(
    ("line", "light"),
    [
        ("rllib train -f FILE", "train -f tmaze_concrete --dry-run"),
        ("rllib train -f x --dry-run", "train -f x --dry-run"),
        ("rllib evaluate C.x --episodes 9 --gif FILE", "evaluate C.x --episodes 2 --gif episode.gif"),
        (
            "rllib evaluate RUN --env-config '{bits: 512}' --thinking-steps 9",
            "evaluate ~/ray_results/prefix_sums_delta --env-config {bits: 32} --thinking-steps 4 "
            "--episodes 2",
        ),
        ("rllib picture pool-contents", "picture pool-contents --options {steps: 50, }"),
        (
            "rllib picture impulse-responses --options '{pools: 9}'",
            "picture impulse-responses --options {steps: 100, pools: 9}",
        ),
        ("rllib extrapolate x --sizes span=5,30,40", "extrapolate x --sizes span=5,20 --episodes 2"),
        ("rllib train -f tmaze_delays_CORE --set a=S", "train -f tmaze_delays_lstm --set a=3 --dry-run"),
        ("rllib train --run PPO", "train --run PPO --dry-run"),
    ],
)
def test_light_forms(line, light):
    (split,) = examples.words(line)
    assert " ".join(examples.light(split)) == light


def test_a_placeholder_without_a_meaning_is_an_error():
    for line in ("rllib train -f WHATEVER", "rllib evaluate RUN --out FILES", "rllib train --env FILE"):
        (split,) = examples.words(line)
        with pytest.raises(KeyError):
            examples.light(split)


def own_file(name):
    """The block of README that begins with a file's name."""
    (block,) = (block for block in python_blocks().values() if block.startswith(f"# {name}\n"))
    return block


def python_blocks():
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    return dict(enumerate(blocks))


@pytest.mark.parametrize("block", python_blocks().values(), ids=[str(index) for index in python_blocks()])
def test_a_python_block_runs(block, desk):
    names = {}
    with contextlib.ExitStack() as leaving:
        leaving.callback(ray.shutdown)
        exec(compile(block, "README.md", "exec"), names)
        if "algorithm" in names:
            leaving.callback(names["algorithm"].stop)


def test_shipped_names_of_examples_exist():
    """What an example calls a run is a shipped experiment, or has a name that an example gave."""
    shipped = {name for text in shipped_configs().values() for name in yaml.safe_load(text)}
    assert {*RUNS} - shipped <= {
        "delta",
        "progressive",
        "tmaze_with_lstm",
    }
    for name in RUNS:
        if name in shipped_configs():
            read_experiments(read_whole_document(name), Overrides())
