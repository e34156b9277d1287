"""Every shipped experiment: it loads, its settings are accepted, and every number has its source."""

import re
from pathlib import Path

import pytest

from engram.agents.results import gradient_window
from engram.memory import CORES
from engram.train.errors import ExperimentError
from engram.train.experiment import Overrides, read_experiments
from engram.train.inheritance import read_whole_document
from engram.train.plan import make_plan

WITH_A_FILE_OF_THE_USERS = {"chess_delta_paper": "lichess_db_puzzle.csv"}
CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_experiment_is_accepted(path):
    experiments, notices = read_experiments(read_whole_document(str(path)), Overrides())
    assert not notices
    assert [experiment.name for experiment in experiments] == [path.stem]
    for experiment in experiments:
        if path.stem in WITH_A_FILE_OF_THE_USERS:
            with pytest.raises(ExperimentError, match=f"there is no {WITH_A_FILE_OF_THE_USERS[path.stem]}"):
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
