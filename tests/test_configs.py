"""Every shipped experiment: it loads, its settings are accepted, and every number has its source."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from engram.agents.columns.optimizers import epoch_options, optimizer_options
from engram.agents.columns.results import bptt_steps_of
from engram.envs.atari.published import published_scores
from engram.memory import CORES
from engram.memory.thinking import make_loss, thinker_options
from engram.train.console.errors import ExperimentError
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.experiments.inheritance import read_whole_document
from engram.train.experiments.loading import shipped_experiments
from engram.train.plans.plan import make_plan

LICHESS = "there is no lichess_db_puzzle.csv"
WITH_FILES_OF_THE_USERS = {
    "atari_transfer": "config.model.init_from: ~/ray_results/atari_(lstm|rims): no such folder",
    "atari_transfer_paper": "init_from: ~/ray_results/atari_pong_(lstm|rims)_paper: no such folder",
    "grid_transfer": "config.model.init_from: ~/ray_results/multi_room_(lstm|rims): no such folder",
    "grid_memory_any_far": "config.model.init_from: ~/ray_results/grid_memory_any: no such folder",
    "tmaze_transfer": "config.model.init_from: ~/ray_results/tmaze_short: no such folder",
    "chess_delta_paper": LICHESS,
    "chess_progressive_paper": LICHESS,
    "cifar10_paper": "cifar-10-batches-bin; legal: the folder that holds CIFAR-10",
}
SEVERAL = {
    "atari": 5,
    "atari_paper": 3,
    "atari_sources_paper": 6,
    "atari_transfer": 2,
    "atari_transfer_paper": 2,
    "babyai_paper": 2,
    "cifar10_paper": 8,
    "grid_memory": 15,
    "grid_transfer": 2,
    "ibl_populations": 2,
    "ibl_rl": 5,
    "ibl_rnn_variants": 3,
    "mazes_by_depth_paper": 45,
    "multi_room": 2,
    "multiroom_paper": 2,
    "pickup": 6,
    "tmaze_delays": 15,
}
"""Files of several experiments, and how many."""
CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


def with_two_games(experiment):
    """An experiment of many games with the first two: each takes a quarter of a second to make."""
    if not isinstance(experiment.env, dict):
        return experiment
    return experiment.model_copy(update={"env": {"grid_search": experiment.env["grid_search"][:2]}})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_experiment_is_accepted(path, monkeypatch, tmp_path):
    if path.stem.startswith("atari"):
        pytest.importorskip("ale_py", reason="ale_py is missing: engram[atari]")
    monkeypatch.setenv("HOME", str(tmp_path))  # without runs
    experiments, notices = read_experiments(read_whole_document(str(path)), Overrides())
    assert not notices
    names = {experiment.name for experiment in experiments}
    if path.stem in SEVERAL:
        assert len(names) == len(experiments) == SEVERAL[path.stem]
        assert names.isdisjoint(path.stem for path in CONFIGS)
    else:
        assert names == {path.stem}
    probed = {}
    for experiment in map(with_two_games, experiments):
        if path.stem in WITH_FILES_OF_THE_USERS:
            with pytest.raises(ExperimentError, match=WITH_FILES_OF_THE_USERS[path.stem]):
                make_plan(experiment, probed=probed)
        else:
            assert make_plan(experiment, probed=probed).config is not None


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_number_has_a_comment(path):
    """A line with a number says its unit or its source; names and counts of runs need none."""
    plain = re.compile(r"^\s*(seed|checkpoint_at_end|run)\b")
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        value = re.sub(r"[&*]\w+", "", line.partition("#")[0].partition(":")[2])  # anchors are names
        if re.search(r"\d", value) and "engram/" not in value and not plain.match(line):
            assert "#" in line, f"{path.name}:{number}: {line.strip()}"


def test_the_three_tmaze_experiments_differ_in_the_core_alone():
    sections = {}
    for core in ("concrete", "lstm", "mlp"):
        document = read_whole_document(str(CONFIGS[0].parent / f"tmaze_{core}.yaml"))
        section = document[f"tmaze_{core}"]
        del section["config"]["model"]["core"]
        sections[core] = section
    assert sections["concrete"] == sections["lstm"] == sections["mlp"]


@pytest.mark.parametrize("file", ["grid_memory", "tmaze_delays"])
def test_experiments_of_every_core_differ_in_it_alone(file):
    sections = read_whole_document(file)
    assert len(sections) == len(CORES)
    for name, section in sections.items():
        assert f"{file}_{section['config']['model'].pop('core')['type']}" == name
        assert section == sections[f"{file}_low_pass"]


def test_an_experiment_of_a_file_is_found_by_its_name():
    files = [read_whole_document(path.stem) for path in CONFIGS]
    assert len(shipped_experiments()) == sum(map(len, files))  # no name stands twice
    for experiments in files:
        name, experiment = list(experiments.items())[-1]
        assert read_whole_document(name) == read_whole_document(f"configs/{name}.yaml") == {name: experiment}


def test_the_papers_atari_games_in_numbers():
    """57 games, three trials of each, RIMs of 4 and of 5 active ones; 30 games with and without attention."""
    pytest.importorskip("ale_py", reason="ale_py is missing: engram[atari]")
    experiments, _ = read_experiments(read_whole_document("atari_paper"), Overrides())
    listed = {each.name: each.env["grid_search"] for each in experiments}
    games = listed["atari_lstm_paper"]
    assert games == listed["atari_rims_paper"] == [f"ALE/{game}-v5" for game in published_scores()]
    assert listed["atari_rims_no_input_attention_paper"] == games[:30]
    pong, _ = read_experiments(read_whole_document("atari_paper"), Overrides({"env": "ALE/Pong-v5"}))
    plans = {each.name: make_plan(each) for each in pong}
    assert [plan.trials for plan in plans.values()] == [3, 6, 6]
    lstm = plans["atari_lstm_paper"]
    core, encoder, heads = 2_101_248, 59_520 + 803_328, 513 * (6 + 1)
    assert (lstm.module.core_parameters, lstm.module.parameters) == (core, core + encoder + heads)
    assert lstm.config.minibatch_steps() == [256] * 4


@pytest.mark.parametrize("task", ["tmaze", "cued_catch"])
def test_appendix_f_has_gradients_over_whole_fragments(task):
    name = f"appendix_f_{task}"
    (experiment,), _ = read_experiments(read_whole_document(name), Overrides())
    config = make_plan(experiment).config
    assert config.rollout_fragment_length == bptt_steps_of(config) == 300
    assert config.model_config["core"] == {"type": "lstm", "size": 128, "horizon": 300}


class Training(NamedTuple):
    """How a thinking network is trained, as an experiment's learner reads it."""

    loss: str
    alpha: float | None
    optimizer: str
    momentum: float
    lr: float
    decay_at: tuple[float, ...] | None
    decay_factor: float
    warmup: int  # epochs
    epochs: float
    clip: float | None  # global norm
    throttle: bool
    batch: int
    problems: int  # of an epoch
    thinking_steps: int
    weight_decay: float = 0.0

    @classmethod
    def of(cls, plan):
        config = plan.config
        assert config.minibatch_size is None
        assert config.num_epochs == 1
        loss, optimizer = make_loss(config.loss), optimizer_options(config.optimizer)
        epochs, (_, core) = epoch_options(config.lr_epochs), thinker_options(config.model_config["core"])
        return cls(
            loss=config.loss["type"],
            alpha=getattr(loss, "alpha", None),
            optimizer=optimizer.type,
            momentum=optimizer.momentum,
            lr=config.lr,
            decay_at=epochs.decay_at,
            decay_factor=epochs.decay_factor if epochs.decay_at else 1.0,
            warmup=epochs.warmup,
            epochs=plan.experiment.stop["timesteps_total"] / epochs.size,
            clip=config.grad_clip,
            throttle=config.throttle,
            batch=config.lanes,
            problems=epochs.size,
            thinking_steps=loss.iterations or core.thinking_steps,
            weight_decay=optimizer.weight_decay,
        )


ADAM, SGD = ("adam", 0.0), ("sgd", 0.9)
CHESS, MAZES, SUMS = (((100, 115), 0.1, 10, 130), (None, 1.0, 10, 50), ((60, 100), 0.1, 10, 150))
# A Simple Loss Function for Convergent Algorithm Synthesis using RNNs; its code, where its table differs.
PAPER_2 = {
    "chess_delta_paper": Training("delta", None, *ADAM, 1e-3, *CHESS, None, True, 250, 480_000, 30),
    "mazes_delta": Training("delta", None, *ADAM, 1e-3, *MAZES, 10, True, 100, 40_000, 30),
    "prefix_sums_delta_paper": Training("delta", None, *ADAM, 1e-3, *SUMS, 0.1, False, 100, 8_000, 30),
    "chess_progressive_paper": Training(
        "progressive", 0.5, *SGD, 1e-2, *CHESS, None, False, 300, 480_000, 30
    ),
    "mazes_progressive_paper": Training("progressive", 0.01, *ADAM, 1e-3, *MAZES, None, True, 50, 40_000, 30),
    "prefix_sums_progressive_paper": Training(
        "progressive", 1.0, *ADAM, 1e-3, *SUMS, 1, False, 100, 8_000, 30
    ),
}


@pytest.mark.parametrize("name", PAPER_2)
def test_paper_2_is_trained_as_its_code_does(name):
    generated = {"config.env_config": {}, "config.evaluation_config": {}}  # needs no file; other sizes
    changes = generated if name.startswith("chess") else {}
    (experiment,), _ = read_experiments(read_whole_document(name), Overrides(changes))
    assert Training.of(make_plan(experiment)) == PAPER_2[name]


HALF, QUARTER, TENTH = 0.5, 0.25, 0.1
# Thinking Deeply with Recurrence: depth, step sizes for small, medium and large mazes, drops at, to, epochs.
RECURRENT = {
    8: ((0.1, 0.1, 0.1), (175,), TENTH, 200),
    12: ((0.05, 0.05, 0.05), (50, 100), TENTH, 150),
    16: ((0.02, 0.05, 0.04), (50, 100), TENTH, 150),
    20: ((0.01, 0.04, 0.02), (50, 100), TENTH, 150),
    24: ((0.002, 0.008, 0.01), (60, 120), HALF, 160),
    28: ((0.002, 0.006, 0.006), (60, 120), QUARTER, 160),
    36: ((0.001, 0.006, 0.004), (40, 100), QUARTER, 160),
    44: ((0.001, 0.004, 0.006), (60, 120), QUARTER, 160),
}
FEED_FORWARD = {
    depth: (rates, (175,), TENTH, 200)
    for depth, rates in {
        12: (0.05, 0.05, 0.05),
        16: (0.001, 0.001, 0.005),
        **dict.fromkeys((20, 24, 28, 36, 44), (0.001, 0.001, 0.002)),
    }.items()
}
SIZES = {"small": 9, "medium": 11, "large": 13}  # positions


def maze_net(lr, decay_at, decay_factor, epochs, depth, optimizer=SGD):
    settings = (lr, decay_at, decay_factor, 5, epochs, None, True, 50, 50_000, (depth - 4) // 4)
    return Training("final", None, *optimizer, *settings, weight_decay=2e-4)


def test_paper_1_has_a_row_for_each_depth_of_its_maze_networks():
    experiments, _ = read_experiments(read_whole_document("mazes_by_depth_paper"), Overrides())
    found = {experiment.name: experiment for experiment in experiments}
    for ending, rows in {"": RECURRENT, "_ff": FEED_FORWARD}.items():
        for depth, (rates, *schedule) in rows.items():
            for (size, positions), lr in zip(SIZES.items(), rates, strict=True):
                plan = make_plan(found.pop(f"mazes_{size}_{depth}{ending}"))
                assert Training.of(plan) == maze_net(lr, *schedule, depth)
                assert plan.config.env_config["positions"] == positions
                assert plan.config.model_config["core"].get("feed_forward", False) == bool(ending)
                assert [layers for layers, _ in plan.module.thinking.depths.values()] == [depth]
    assert not found


@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("maze_net_paper", maze_net(0.001, (60, 120), QUARTER, 160, 44)),
        ("maze_net_84_paper", maze_net(5e-4, (40, 100), QUARTER, 140, 84, ADAM)),
    ],
)
def test_paper_1_has_deep_maze_networks(name, training):
    (experiment,), _ = read_experiments(read_whole_document(name), Overrides())
    assert Training.of(make_plan(experiment)) == training


def test_paper_1_classifies_with_step_sizes_by_family():
    experiments, _ = read_experiments(read_whole_document("cifar10_paper"), Overrides())
    rates = {}
    for experiment in experiments:
        config = experiment.config
        rates[experiment.name.removeprefix("cifar10_")] = config["lr"], config["lr_epochs"]["decay_at"]
        assert config["optimizer"] == {"type": "sgd", "momentum": 0.9, "weight_decay": 2e-4}
        assert config["num_envs_per_env_runner"] == 128
        assert experiment.stop == {"timesteps_total": 200 * config["lr_epochs"]["size"]}
    late, early = [100, 150, 175], [60, 120]
    assert rates == {
        "mlp": (0.01, late),
        "conv_net": (0.01, late),
        "conv_net_ff": (0.05, late),
        "res_net": (0.1, late),
        "res_net_19": (0.01, late),
        "res_net_ff": (0.1, late),
        "res_net_bn": (0.1, early),
        "res_net18": (0.1, early),
    }
