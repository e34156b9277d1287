"""Every shipped experiment: it loads, its settings are accepted, and every number has its source."""

import re
from pathlib import Path

import pytest

from engram.agents.results import gradient_window
from engram.agents.supervised.optimizers import epoch_options, optimizer_options
from engram.memory import CORES
from engram.memory.thinking import make_loss, thinker_options
from engram.train.errors import ExperimentError
from engram.train.experiment import Overrides, read_experiments
from engram.train.inheritance import read_whole_document
from engram.train.plan import make_plan

LICHESS = "there is no lichess_db_puzzle.csv"
WITH_FILES_OF_THE_USERS = {
    "chess_delta_paper": LICHESS,
    "chess_progressive_paper": LICHESS,
    "cifar10_paper": "cifar-10-batches-bin; legal: the folder that holds CIFAR-10",
}
SEVERAL = {"cifar10_paper": 8, "mazes_by_depth_paper": 45}
"""Files of several experiments, and how many."""
CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_experiment_is_accepted(path):
    experiments, notices = read_experiments(read_whole_document(str(path)), Overrides())
    assert not notices
    names = {experiment.name for experiment in experiments}
    if path.stem in SEVERAL:
        assert len(names) == len(experiments) == SEVERAL[path.stem]
        assert names.isdisjoint(path.stem for path in CONFIGS)
    else:
        assert names == {path.stem}
    for experiment in experiments:
        if path.stem in WITH_FILES_OF_THE_USERS:
            with pytest.raises(ExperimentError, match=WITH_FILES_OF_THE_USERS[path.stem]):
                make_plan(experiment)
        else:
            assert make_plan(experiment).config is not None


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_number_has_a_comment(path):
    """A line with a number says its unit or its source; what a run is called and counted by needs none."""
    plain = re.compile(r"^\s*(seed|checkpoint_at_end)\b")
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        value = line.partition("#")[0].partition(":")[2]
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


def test_every_core_has_its_tmaze_delays_and_they_differ_in_the_core_alone():
    sections = {}
    for core in CORES:
        section = read_whole_document(str(CONFIGS[0].parent / f"tmaze_delays_{core}.yaml"))[
            f"tmaze_delays_{core}"
        ]
        assert section["config"]["model"].pop("core")["type"] == core
        sections[core] = section
    assert all(section == sections["low_pass"] for section in sections.values())


@pytest.mark.parametrize("task", ["tmaze", "cued_catch"])
def test_appendix_f_has_gradients_over_whole_fragments(task):
    name = f"appendix_f_{task}"
    (experiment,), _ = read_experiments(read_whole_document(name), Overrides())
    config = make_plan(experiment).config
    assert config.rollout_fragment_length == gradient_window(config) == 300
    assert config.model_config["core"] == {"type": "lstm", "size": 128, "horizon": 300}


def training_of(experiment):
    """The settings of an experiment that thinks, with all defaults, as its learner reads them."""
    config = make_plan(experiment).config
    assert config.minibatch_size is None
    assert config.num_epochs == 1
    _, core = thinker_options(config.model_config["core"])
    return config, optimizer_options(config.optimizer), epoch_options(config.lr_epochs), core


def epochs_of(experiment, schedule):
    """How many epochs an experiment lasts."""
    return experiment.stop["timesteps_total"] / schedule.size


ADAM, SGD = ("adam", 0.0), ("sgd", 0.9)
# Of "A Simple Loss Function for Convergent Algorithm Synthesis using RNNs", its code's values where its table has others:
# loss, alpha | optimiser, step size | drops at epochs, to | warm-up, epochs | clip | throttle | batch | data of an epoch
PAPER_2 = """
chess_delta_paper             | delta None       | adam 0.0 0.001 | 100,115 0.1 | 10 130 | None | True  | 250 | 480000
mazes_delta                   | delta None       | adam 0.0 0.001 |             | 10 50  | 10   | True  | 100 | 40000
prefix_sums_delta_paper       | delta None       | adam 0.0 0.001 | 60,100 0.1  | 10 150 | 0.1  | False | 100 | 8000
chess_progressive_paper       | progressive 0.5  | sgd 0.9 0.01   | 100,115 0.1 | 10 130 | None | False | 300 | 480000
mazes_progressive_paper       | progressive 0.01 | adam 0.0 0.001 |             | 10 50  | None | True  | 50  | 40000
prefix_sums_progressive_paper | progressive 1.0  | adam 0.0 0.001 | 60,100 0.1  | 10 150 | 1.0  | False | 100 | 8000
"""
