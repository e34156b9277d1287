"""`rllib describe` and `rllib list`: every option of everything that ships has a meaning."""

import dataclasses
import json
import re

import pytest
import yaml
from rich.console import Console

from engram.agents import ALGORITHMS, ENCODERS
from engram.agents.columns.optimizers import EpochOptions, OptimizerOptions
from engram.agents.models.recurrent_network import HeadOptions
from engram.agents.models.thinking_network import ReadoutOptions
from engram.envs import GAMES, IDS, PUZZLES, SEQUENCES
from engram.memory import CORES
from engram.memory.losses import SEQUENCE_LOSSES
from engram.memory.options import Options, integer, integers, number, numbers
from engram.memory.thinking import EXIT_RULES, LOSSES, THINKERS
from engram.train.console import screen
from engram.train.console.errors import ExperimentError
from engram.train.describe import catalog, docstrings, kind_of
from engram.train.describe.algorithms import algorithm
from engram.train.describe.configs import config
from engram.train.describe.cores import core, encoder, exit_rule, loss, picture
from engram.train.describe.envs import env
from engram.train.describe.options import rows, type_name
from engram.train.describe.page import Page
from engram.train.describe.show import parts, reflowed
from engram.train.experiments.loading import shipped_configs
from engram.train.pictures import KINDS as PICTURES
from engram.train.plans import build, effects, settings

MADE_OF_OPTIONS = [
    *((core, name) for name in (*CORES, *THINKERS)),
    *((encoder, name) for name in ENCODERS),
    *((loss, name) for name in (*LOSSES, *SEQUENCE_LOSSES)),
    *((exit_rule, name) for name in EXIT_RULES),
    *((picture, name) for name in PICTURES),
]

# A number of one of these is a quantity of time or of steps, and has a unit.
OF_TIME = re.compile(
    r"(^|_)(steps?|iterations?|horizon|delay|time|frames?|tau|window|longest|memory|warmup|epochs?|lags?|span)"
    r"(_|$)"
)


def options_of(page):
    return [option for section in page.sections for option in section.options]


@pytest.mark.parametrize(("describe", "name"), MADE_OF_OPTIONS)
def test_every_option_has_type_range_and_meaning(describe, name):
    page = describe(name)
    assert page.summary
    for option in options_of(page):
        assert option.meaning, option.name
        assert option.type, option.name
        assert option.legal, option.name
        if OF_TIME.search(option.name) and option.type in ("integer", "number"):
            assert option.unit, option.name
    json.dumps(page.data(), allow_nan=False)


def test_cores_and_networks_name_their_source():
    for name in {**CORES, **THINKERS}.keys() - {"mlp"}:  # the control is nobody's
        assert core(name).source, name
    for name in (*LOSSES, *SEQUENCE_LOSSES):
        assert loss(name).source, name
    for name in EXIT_RULES:
        assert exit_rule(name).source, name


LEAKED = re.compile(
    r"\b(Args|Attributes|Raises|Returns|Yields):|:(class|meth|func|py|attr)[\w:]*`|\.\. \w+::"
    r"|(?<!`)``(?!`)|<\S+ object"
)


@pytest.mark.parametrize(
    ("describe", "name"),
    [
        *MADE_OF_OPTIONS,
        *((env, name) for name in (*IDS, "CartPole-v1", "Acrobot-v1", "own_envs:Good")),
        *((config, name) for name in shipped_configs()),
        *((lambda name: algorithm(name, everything=True), name) for name in build.algorithms()),
    ],
)
def test_pages_hold_no_raw_docstrings_and_no_half_sentences(describe, name):
    page = describe(name)
    meanings = [option.meaning for option in options_of(page)]
    for text in (page.summary, page.source, *map(str, page.facts.values()), *page.text.values(), *meanings):
        assert not LEAKED.search(text), text
    for text in (page.summary, page.source, *map(str, page.facts.values())):
        assert not text.endswith((":", ",", " in", "...")), text
        assert text.count("(") == text.count(")"), text


def test_a_summary_is_a_whole_sentence_and_stands_once(capsys):
    assert env("CartPole-v1").summary.endswith("](https://ieeexplore.ieee.org/document/6313077).")
    text = "As Cho et al. have it,\ne.g. here. More."
    screen.show(*parts(Page("core", "x", docstrings.sentence(text), {"": text})))
    assert capsys.readouterr().out == "x (core): As Cho et al. have it, e.g. here.\n\nMore.\n"


def test_a_source_keeps_its_formulas():
    assert "after the recurrent weights:\n\n    r = sigmoid(W_r x" in core("gru").source


def test_keys_without_effect_say_so_in_the_words_of_the_check():
    page = algorithm("SAC", everything=True)
    first, rest = page.sections[:2]
    assert "actor_lr" in {option.name for option in first.options}
    meanings = {option.name: option.meaning for option in rest.options}
    assert meanings["lr"] == f"refused: {effects.find('SAC', 'lr').why}"
    assert meanings["buffer_size"] == "refused: an old name; today: replay_buffer_config.capacity"


@pytest.mark.parametrize("section", [HeadOptions, ReadoutOptions, OptimizerOptions, EpochOptions])
def test_sections_of_settings(section):
    for option in rows(section):
        assert option.meaning, option.name
        assert option.type, option.name


@pytest.mark.parametrize("name", IDS)
def test_every_parameter_of_an_environment_has_a_meaning(name):
    page = env(name)
    options = options_of(page)
    assert options
    for option in options:
        assert option.meaning, option.name
        assert option.type != "any", option.name
        if re.match("integer|number", option.type):
            assert re.search(
                r"at least|>= ?\d|\b[01] to\b|from 3 on|counts as|never|2 .* or 1|larger|likewise",
                option.meaning,
            )
    assert {"Description", "Observation", "Action", "Reward", "End", "Info"} <= set(page.text)
    assert {"observation", "action", "info at reset", "class"} <= set(page.facts)
    assert page.source
    json.dumps(page.data(), allow_nan=False)


@pytest.mark.parametrize("name", GAMES)
def test_best_returns_are_those_of_the_docstrings(name):
    page = env(name)
    assert page.facts["best return"].split()[0] in page.text["Reward"]


@pytest.mark.parametrize("name", [*PUZZLES, *SEQUENCES, "engram/Ponder-v0"])
def test_whole_answers_earn_one(name):
    assert env(name).facts["best return"] == "1"


@pytest.mark.parametrize("name", [*ALGORITHMS, "DQN", "SAC"])
def test_every_key_of_config_has_a_meaning(name):
    page = algorithm(name, everything=True)
    for option in options_of(page):
        assert option.meaning, option.name
    written = [option for section in page.sections[:2] for option in section.options]
    assert {option.name for option in written} == settings.names(build.defaults(name, {}))
    json.dumps(page.data(), allow_nan=False)


def test_what_is_most_used_comes_first_and_the_rest_with_all():
    page = algorithm("RecurrentPPO", everything=False)
    names = [option.name for option in page.sections[0].options]
    assert names[:4] == ["clip_param", "sample_ahead", "lambda_", "vf_loss_coeff"]
    assert {"lr", "gamma", "num_envs_per_env_runner", "rollout_fragment_length", "model"} <= set(names)
    assert len(names) < 40
    assert page.sections[0].hidden > 100
    assert "sections" not in names
    (lr,) = (option for option in page.sections[0].options if option.name == "lr")
    assert (lr.type, lr.default, lr.legal) == ("number or list", 1e-3, "0 to 1e+37")


def test_what_experiments_set_is_shown_without_all():
    used = {run: set() for run, row in ALGORITHMS.items() if row.columnar}
    for name in shipped_configs():
        for experiment in config(name).data()["experiments"].values():
            used[experiment["run"]] |= set(experiment["config"])
    for run, keys in used.items():
        shown = {option.name for option in algorithm(run, everything=False).sections[0].options}
        assert keys <= shown, run


def test_nested_sections_of_supervised():
    titles = " ".join(section.title for section in algorithm("Supervised", everything=False).sections)
    for part in ("config.loss: {type: delta", "config.optimizer", "config.lr_epochs", "config.model.readout"):
        assert part in titles


@pytest.mark.parametrize("name", shipped_configs())
def test_every_config_says_what_it_is_and_what_it_builds_on(name):
    page = config(name)
    assert page.summary
    text = shipped_configs()[name]
    assert page.text["File"] in text
    assert page.facts["env"].startswith(("engram/", "ALE/"))
    assert ("Resolved" in page.text) is any("base" in each for each in yaml.safe_load(text).values())


def test_an_experiment_of_a_config_has_a_page_of_its_own():
    page = config("tmaze_delays_mlp")
    assert page.summary == "The T-maze at four delays with no memory, the control."
    assert page.text["File"].startswith("tmaze_delays_mlp:\n  base: tmaze_delays_low_pass")
    assert page.facts["experiments"] == "tmaze_delays_mlp"
    assert "type: mlp" in page.text["Resolved"]


def test_all_environments_of_a_search_are_named(tmp_path):
    (tmp_path / "one.yaml").write_text(
        "one: {env: {grid_search: [A-v0, B-v0]}, run: PPO}\ntwo: {env: A-v0}\n"
    )
    assert config(str(tmp_path / "one.yaml")).facts["env"] == "A-v0, B-v0"


def test_a_config_of_ones_own(tmp_path):
    (tmp_path / "one.yaml").write_text(
        "# Mine.\n#\n# More.\none:\n  env: A-v0\n  run: PPO\n  config: {lr: .1}\n"
    )
    (tmp_path / "two.yaml").write_text("two: {base: one.yaml, config: {gamma: 1}}\n")
    page = config(str(tmp_path / "one.yaml"))
    assert (page.summary, page.text[""]) == ("Mine.", "Mine.\n\nMore.")
    page = config(str(tmp_path / "two.yaml"))
    assert page.facts["base"] == "one.yaml"
    assert page.data()["experiments"] == {
        "two": {"env": "A-v0", "run": "PPO", "config": {"lr": 0.1, "gamma": 1}}
    }


def test_ranges_in_words():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Some(Options):
        a: int = integer(1, "a")
        b: int | None = integer(None, "b", low=0, high=5000)
        c: float = number(1.0, "c", above=0, high=float("inf"))
        d: float = number(1.0, "d", low=-1, high=1)
        e: float = number(1.0, "e", high=3)
        f: tuple[int, ...] = integers((), "f", high=9)
        g: tuple[float, ...] | None = numbers(None, "g", above=0, high=1)

    assert [option.legal for option in rows(Some)] == [
        ">= 1",
        "0 to 5,000, or null",
        "> 0",
        "-1 to 1",
        "<= 3",
        "each 1 to 9; may be empty",
        "each > 0, <= 1, or null",
    ]


def test_a_plain_dataclass_is_read_by_its_annotations():
    @dataclasses.dataclass
    class Plain:
        """Mine.

        Attributes:
            size: How wide.
            names: Which ones,
                and why.
        """

        size: int
        names: list[str] | None = None

    assert [dataclasses.astuple(option) for option in rows(Plain)] == [
        ("size", "integer", "(required)", "", "", "How wide."),
        ("names", "list of texts or null", None, "", "", "Which ones, and why."),
    ]


def test_docstrings_by_parts():
    arguments = "Args:\n    a (int): One\n        thing.\n    *b: Two.\n\nEnd."
    text = f"First.\n\nDescription:\n    More.\n\n    Yet more.\n\n{arguments}"
    assert docstrings.parts(text) == {
        "": "First.\n\nEnd.",
        "Description": "More.\n\nYet more.",
        "Args": "a (int): One\n    thing.\n*b: Two.",
    }
    assert docstrings.arguments(text) == {"a": "One thing.", "b": "Two."}
    assert docstrings.parts("## Top\nText.\n\n## Next\n* one: two") == {"Top": "Text.", "Next": "* one: two"}


def test_types_in_words():
    assert type_name(int | None) == "integer or null"
    assert type_name(tuple[float, ...]) == "list of numbers"
    assert type_name(dict[str, int]) == "mapping"
    assert type_name("whatever") == "whatever"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["core", "low_pass"], ["LP-RNN", "pools", "1 to 32", "2^(n+1)", "1805.04955"]),
        (["cores", "rims"], ["preset: paper", "input_heads: 4", "preset: dido"]),
        (["core", "deep_thinking"], ["iterations", "config.model.readout", "preset: mazes", "width: 128"]),
        (["encoder", "conv"], ["channels", "planes"]),
        (["env", "engram/TMaze-v0"], ["limbo_time", "env steps", "0.613", "Discrete(5)", "281", "level"]),
        (["env", "TMaze-v0"], ["limbo_time"]),
        (["env", "small_envs:small/Cue-v0"], ["delay", "2 env steps", "cue, success"]),
        (["envs", "CartPole-v1"], ["sutton_barto_reward", "500 env steps", "Discrete(2)"]),
        (["algorithm", "RecurrentPPO"], ["clip_param", "that are seldom named: --all", "env_config"]),
        (["algorithms", "DQN", "--all"], ["epsilon", "double_q", "placement_strategy"]),
        (["config", "tmaze_lstm"], ["tmaze_concrete.yaml", "# units; ours", "limbo_time: 280"]),
        (["configs", "configs/tmaze_lstm.yaml"], ["type: lstm"]),
        (["loss", "progressive"], ["alpha", "0 to 1"]),
        (["exit-rule", "agreement"], ["window"]),
        (["picture", "curves"], ["band", "min-max"]),
        (["core", "engram.memory.classic.lstm:LSTM"], ["forget", "size"]),
    ],
)
def test_the_command(typed, arguments, parts):
    code, out, err = typed("describe", *arguments)
    assert (code, err) == (0, "")
    for part in parts:
        assert part in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cor", "lstm"], "describe: unknown 'cor'; did you mean 'core'?"),
        (["core", "lstn"], "describe core: unknown 'lstn'; did you mean 'lstm'? known: conv_net"),
        (["core", "no_module:Core"], "describe core: cannot load 'no_module:Core'"),
        (["core", "engram.agents:ENCODERS"], "describe core: 'engram.agents:ENCODERS' is no subclass of"),
        (["encoder", "con"], "describe encoder: unknown 'con'; did you mean 'conv'?"),
        (["env", "engram/TMaze-v1"], "env: unknown 'engram/TMaze-v1'; did you mean 'engram/TMaze-v0'?"),
        (["algorithm", "RecurentPPO"], "run: unknown 'RecurentPPO'; did you mean 'RecurrentPPO'?"),
        (["config", "tmaze_lst"], "tmaze_lst: no such file and no shipped config: unknown 'tmaze_lst'; did"),
        (["loss", "deltas"], "describe loss: unknown 'deltas'; did you mean 'delta'?"),
        (["picture", "curve"], "describe picture: unknown 'curve'; did you mean 'curves'?"),
    ],
)
def test_a_typo_is_one_line(typed, arguments, message):
    code, out, err = typed("describe", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1


def test_json_is_all_that_is_printed(typed):
    for arguments in (["core", "gtrxl"], ["env", "Maze-v0"], ["algorithm", "PPO"], ["config", "tmaze_mlp"]):
        _, out, _ = typed("describe", *arguments, "--json")
        data = json.loads(out)
        assert data["name"]
        assert out.count("\n") == 1
    _, out, _ = typed("list", "configs", "--json")
    rows_ = {row["name"]: row for row in json.loads(out)}
    assert rows_["tmaze_lstm"]["group"] == "engram/TMaze-v0"
    assert set(rows_) == set(shipped_configs())


def test_kinds_in_singular_and_plural():
    for kind, meant in (("core", "core"), ("losses", "loss"), ("environments", "env"), ("thinking", "core")):
        assert kind_of(kind) == meant
    with pytest.raises(ExperimentError, match="did you mean 'config'"):
        kind_of("confgs")


def test_lists_are_grouped_and_never_cut(typed):
    _, out, _ = typed("list", "cores")
    assert out.index("low_pass") < out.index("think in iterations") < out.index("deep_thinking")
    _, out, _ = typed("list", "configs")
    lines = out.splitlines()
    assert lines.index("engram/TMaze-v0") < next(n for n, line in enumerate(lines) if "tmaze_mlp" in line)
    assert any("arXiv 1805.04955" in line for line in lines)
    texts = [text for _, text in catalog.entries("configs")]
    assert len({line.index(text) for text in texts for line in lines if line.endswith(text)}) == 1


def test_in_a_terminal_texts_wrap_inside_their_column(monkeypatch, capsys):
    narrow = Console(width=60, force_terminal=True, color_system=None)
    monkeypatch.setattr(screen, "Console", lambda **options: narrow)
    page = core("linear_attention")
    (meant,) = [each.meaning for each in page.sections[0].options if each.name == "bptt_steps"]
    screen.show(*parts(page))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    start = next(n for n, line in enumerate(lines) if line.startswith("bptt_steps"))
    meaning = lines[start].index(meant.split()[0])
    assert lines[start + 1][: len("bptt_steps")].strip() == ""
    assert lines[start + 1][meaning:].strip()


def test_paragraphs_are_reflowed_and_formulas_are_not():
    text = "One\ntwo.\n\n    a = b\n    c = d\n\n- x\n- y"
    assert reflowed(text) == "One two.\n\n    a = b\n    c = d\n\n- x\n- y"
