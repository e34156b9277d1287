"""Whatever is typed: the command ends with 0, or with 2 and says what is wrong; never a traceback."""

import contextlib
import io
import itertools
import os
import sys

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram.train import cli

TEXTS = (
    "",
    " ",
    "-1",
    "0",
    "1",
    "1e3",
    "nan",
    "inf",
    "1e400",
    "99999999999999999999",
    "null",
    "{}",
    "[1, 2",
    "{a: 1}",
    "{level: 1}",
    "{pools: -1}",
    "config.lr=1e-4",
    "config.lr",
    "=",
    "config.model.core.type=gru",
    "timesteps_total=100",
    "timesteps_total=-5",
    "bits=8,16",
    "lstm",
    "low_pass",
    "mlp",
    "tmaze_lstm",
    "configs/cued_catch_lstm.yaml",
    "prefix_sums_delta",
    "engram/TMaze-v0",
    "CartPole-v1",
    "RecurrentPPO",
    "PPO",
    "confidence",
    "cores",
    "envs",
    "core",
    "delays",
    "missing/folder",
    "/proc",
    "x.png",
    "x.json",
    "\x00",
    "\udcff",
    "ä" * 300,
    "--",
    "a b",
)
SLOW_TO_ANSWER = {
    "--blocks": "10",
    "--steps": "50",
    "--episodes": "2",
    "--problems": "2",
    "--thinking-steps": "2",
}
"""Options that only say how much is computed."""

NEVER = {
    "--measure",
    "--ray-address",
    "--ray-num-cpus",
    "--ray-num-gpus",
    "--install-completion",
    "--show-completion",
}
"""Options that reach for what lies outside the folder of the test."""

COMMANDS = typer.main.get_command(cli.app).commands


@st.composite
def command_lines(draw):
    """A verb with some of its options and arguments, legal or not."""
    verb = draw(st.sampled_from(sorted(COMMANDS)))
    text = st.one_of(st.sampled_from(TEXTS), st.text(max_size=6))
    words = [verb, *(["--dry-run"] if verb == "train" else [])]
    options = [p for p in COMMANDS[verb].params if p.param_type_name == "option" and not NEVER & {*p.opts}]
    for option in draw(st.lists(st.sampled_from(options), max_size=4)) if options else ():
        name = draw(st.sampled_from([*option.opts, *option.secondary_opts]))
        if name == "--dry-run":
            continue
        words.append(name)
        if not option.is_flag and not option.count:
            words.append(
                draw(st.one_of(st.just(SLOW_TO_ANSWER[name]), st.sampled_from(["-1", "x", ""])))
                if name in SLOW_TO_ANSWER
                else draw(text)
            )
    words += draw(st.lists(text, max_size=3))
    return [word for word in words if "\x00" not in word]


def ended(words, folder):
    """Exit code and what was printed to stderr; in an empty folder, with nothing on standard input."""
    before, err = os.getcwd(), io.StringIO()
    os.chdir(folder)
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(err),
        ):
            patch.setattr("engram.train.running.cluster.set_environment", lambda options: None)
            patch.setattr(sys, "argv", ["rllib", *words])
            patch.setattr(sys, "stdin", io.StringIO())
            with pytest.raises(SystemExit) as end:
                cli.main()
    finally:
        os.chdir(before)
    return end.value.code or 0, err.getvalue()


def check(words, folder):
    code, said = ended(words, folder)
    assert code in (0, 2), said
    assert "Traceback" not in said
    if code == 2:
        assert said.startswith(("error: ", "notice: ", "warning: "))


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_no_words_and_too_many(verb, tmp_path):
    for words in ([verb], [verb, *itertools.repeat("x", 9)]):
        if words != ["version"]:
            check([*words, *(["--dry-run"] if verb == "train" else [])], tmp_path)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(command_lines())
def test_any_command_line(tmp_path_factory, words):
    check(words, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@settings(max_examples=4000, deadline=None, suppress_health_check=list(HealthCheck))
@given(command_lines())
def test_any_command_line_long(tmp_path_factory, words):
    check(words, tmp_path_factory.getbasetemp())
