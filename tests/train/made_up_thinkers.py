"""Thinking networks whose thoughts have a closed form, and checkpoints of untrained ones."""

import json
import pickle

import torch

from engram.agents.models.thinking import ThinkingModule
from engram.memory.thinking import Answers, Thinker, ThinkerOptions
from engram.train.environments.facts import make_batched
from engram.train.runs.checkpoints import MODULE

SUMS, MAZE = "engram/PrefixSums-v0", "engram/Maze-v0"
SMALL = {"type": "deep_thinking", "width": 4, "thinking_steps": 4}


class Nearing(Thinker):
    """h_t = h_(t-1) + (x - h_(t-1)) / pace from h_0 = 0, x being the problem; answers by the sign of h."""

    outer_layers, layers_per_iteration = 0, 1

    def __init__(self, length, pace=2):
        super().__init__((1, length), Answers(), ThinkerOptions())
        self.pace = pace
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))  # its dtype counts

    def begin(self, problems):
        return torch.zeros_like(self.prepare(problems))

    def iterate(self, thought, problems, iteration):
        return thought + (problems - thought) / self.pace

    def answer(self, thought):
        return torch.cat((torch.zeros_like(thought), thought), 1)

    def recurrent_parameters(self):
        return []


class Keeping(Nearing):
    """Thinks of the first problem that it is shown, and of nothing else."""

    def begin(self, problems):
        return self.prepare(problems)

    def iterate(self, thought, problems, iteration):
        return thought.clone()


def module_for(env_id, env_config, core):
    """An untrained network for the puzzles of an environment."""
    env = make_batched(env_id, 1, env_config)
    torch.manual_seed(0)
    return ThinkingModule(
        observation_space=env.single_observation_space,
        action_space=env.single_action_space,
        model_config={"core": core, "readout": {}},
    )


def make_checkpoint(trial, env_id, env_config, **core):
    """A trial's folder with a checkpoint of an untrained network, as `rllib train` leaves it.

    Args:
        trial: The folder.
        env_id: The environment's id.
        env_config: Its settings.
        core: Options of the network that differ from `SMALL`.

    Returns:
        The trial's folder, as text.
    """
    return write_checkpoint(trial, module_for(env_id, env_config, {**SMALL, **core}), env_id, env_config)


def write_checkpoint(trial, module, env_id, env_config):
    """A trial's folder with a checkpoint of a module; as `make_checkpoint`."""
    checkpoint = trial / "checkpoint_000000"
    module.save_to_path(checkpoint / MODULE)
    for part in (checkpoint, *(checkpoint / parent for parent in MODULE.parents[:3])):
        description = "rllib_checkpoint.json" if part == checkpoint else "metadata.json"
        names = {"class_and_ctor_args_file": "class_and_ctor_args.pkl", "state_file": "state"}
        (part / description).write_text(json.dumps(names))
        for name in ("class_and_ctor_args.pkl", "state.pkl"):
            (part / name).write_bytes(pickle.dumps({}))
    record = {"experiment": {"env": env_id}, "trial_config": {"env_config": env_config}}
    (trial / "run.json").write_text(json.dumps(record))
    return str(trial)


def make_evaluation(file, solved, *, accuracy=(0.0, 0.5, 1.0, 0.75), exits=None, **others):
    """A file as `rllib evaluate --thinking-steps N --out FILE` writes it.

    Args:
        file: Where to.
        solved: Which problems are solved in the end.
        accuracy: Of the rule `last`.
        exits: Other rules, and how many problems they answer after each iteration.
        others: What differs from prefix sums of 8 bits with seed 0.

    Returns:
        The file, as text.
    """
    accuracy = list(accuracy)

    def curve(counts):
        best = accuracy.index(max(accuracy))
        return {
            "accuracy": accuracy,
            "exits": counts,
            "steps_to_best": best + 1,
            "drop_after_best": accuracy[best] - min(accuracy[best:]),
        }

    last = [0] * (len(accuracy) - 1) + [len(solved)]
    values = {
        "checkpoint": f"runs/{file.stem}",
        "env": SUMS,
        "env_config": {"bits": 8},
        "seed": 0,
        "curves": {rule: curve(counts) for rule, counts in {"last": last, **(exits or {})}.items()},
        "solved": list(solved),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values | others))
    return str(file)
