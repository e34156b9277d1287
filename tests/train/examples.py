"""Finds every `rllib ...` command in texts, and makes of each a form that takes seconds.

A command is left as it is but for three things: placeholders (CHECKPOINT, my.yaml, '{...}') get a meaning by
`PLACEHOLDERS`, numbers that say how much work it is are capped by `CAPS`, and `LIGHT` and `SETTINGS` say what
is added where a command does not say it itself, and `HEAVY` what is left out. A placeholder without a meaning
is a KeyError.
"""

import re
import shlex
from itertools import product

import typer

from engram.train.cli import app
from engram.train.plans.build import algorithms

COMMAND = re.compile(r"^\s*(?:\$ )?((?:rllib|engram) .*)$")

PLACEHOLDERS = {
    "FILE": {"--gif": "episode.gif", "-f": "tmaze_concrete", "file": "tmaze_concrete", "--out": "out.json"},
    "RUN": "SUBJECT",
    "TRIAL": "SUBJECT",
    "CHECKPOINT": "SUBJECT",
    "TYPE": "low_pass",
    "NAME": "prefix_sums_delta",
    "NAME_2": "tmaze_concrete_2",
    "CORE": "lstm",
    "ENV_ID": "engram/TMaze-v0",
    "FIRST_NODE": "head",
    "ALE": "ALE",  # part of an id
    "SEED": "3",
    "S": "3",
    "N": "3",
    "M": "2",
    "my.yaml": "tmaze_lstm",
    "policy.onnx": "policy.safetensors",  # the other takes seconds; `tests/policy/test_onnx.py` does it
    "my_module:MyCore": "my_cores:Patient",
    "my_package.cores:MyCore": "my_cores:Patient",
    "package.module:Class": "my_cores:Patient",
    "{...}": "{}",
}
"""What a word means; where it depends on the option before it, by that option. SUBJECT: see `subject`."""

CAPS = {
    "bits": 32,
    "blocks": 10,
    "episodes": 2,
    "iterations": 4,
    "positions": 13,
    "problems": 4,
    "span": 20,
    "steps": 100,
    "thinking-steps": 4,
    "thinking_steps": 4,
}
"""The most that is asked of an option or a setting of that name."""

LIGHT = {
    "analyze": ("--blocks", "10", "--only", "components"),
    "train": ("--dry-run",),
    "probe-core": ("--steps", "100"),
    "evaluate": ("--episodes", "2"),
    "extrapolate": ("--episodes", "2"),
    "probe-thinking": ("--problems", "4"),
}
"""The option that a command gets where it does not say so itself."""

HEAVY = ("--measure",)
"""What is left out of a command: it starts Ray; `test_cost.py` does it."""

SETTINGS = {"impulse-responses": "steps: 100", "pool-contents": "steps: 50"}
"""What a picture gets among its `--options`."""

SUBJECTS = {
    "analyze": "ibl_rnn",
    "span": "copying_lstm",
    "positions": "mazes_delta_small",
    "bits": "prefix_sums_delta",
    "thinking": "prefix_sums_delta",
    "filters": "mazes_delta_small",
    "thoughts": "mazes_delta_small",
    "lineage": "tmaze_short_pbt",
    "schedule": "tmaze_short_pbt",
    "population": "tmaze_concrete_paper_pbt",
}
"""A word in a command -> the experiment whose run a placeholder then means; else the T-maze's."""


def in_text(text):
    """The commands of a Markdown text: lines of fenced blocks, and inline code."""
    text = text.replace("\\\n", " ")
    fence = re.compile(r"^```\w*\n(.*?)^```", re.S | re.M)
    lines = [line for block in fence.findall(text) for line in block.splitlines()]
    inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", fence.sub("", text))]
    return [match[1].strip() for line in [*lines, *inline] if (match := COMMAND.match(line))]


def in_help():
    """The commands in the texts of `--help`, those of every command and option included."""
    root = typer.main.get_command(app)
    found = []
    for command in [root, *root.commands.values()]:
        texts = [command.help, command.epilog, *(getattr(option, "help", None) for option in command.params)]
        for text in filter(None, texts):
            found += [match[1].strip() for line in text.splitlines() if (match := COMMAND.match(line))]
            found += [code for code in re.findall(r"`([^`]+)`", text) if COMMAND.match(code)]
    return found


def mentioned(commands):
    """Commands that are only named, such as `rllib picture thoughts`: others say them in full."""
    return {
        short
        for short in commands
        if any(other.startswith(f"{short} ") for other in commands) and len(short.split()) <= 3
    }


def words(command):
    """The words of each command that a line stands for: remarks, pipes and inputs cut, `a|b` one by one."""
    line = re.sub(r"\s{2,}\(.*\)\s*$", "", command)
    split = shlex.split(line, comments=True)
    split = split[: min(split.index(sign) for sign in "|<" if sign in split)] if {*"|<"} & {*split} else split
    choices = [word.split("|") if re.fullmatch(r"[\w-]+(\|[\w-]+)+", word) else [word] for word in split[1:]]
    return [list(choice) for choice in product(*choices)]


def subject(split):
    """The name of the experiment whose run CHECKPOINT and RUN mean in a command."""
    text = " ".join(split)
    name = next((name for word, name in SUBJECTS.items() if word in text), "tmaze_concrete")
    return f"~/ray_results/{name}"


def light(split):
    """A command that takes seconds; raises KeyError for a placeholder without a meaning."""
    meant = [_meant(word, before, split) for word, before in zip(split, ["", *split], strict=False)]
    capped = [_capped(word, before) for word, before in zip(meant, ["", *meant], strict=False)]
    small = [word for word in capped if word not in HEAVY]
    extra = LIGHT.get(small[0], ())
    small += () if extra and extra[0] in small else extra
    for kind in SETTINGS.keys() & small:
        options = small[small.index("--options") + 1] if "--options" in small else "{}"
        merged = f"{{{SETTINGS[kind]}, {options[1:]}"
        small = [merged if word == options else word for word in small]
        small += [] if "--options" in small else ["--options", merged]
    return [{"--install-completion": "--help"}.get(word, word) for word in small]


def _meant(word, before, split):
    def meaning(name):
        if name in algorithms():
            return name
        found = PLACEHOLDERS[name]
        found = found[before] if isinstance(found, dict) else found
        return subject(split) if found == "SUBJECT" else found

    if word in PLACEHOLDERS:
        return meaning(word)
    return re.sub(
        r"(?<![\w.~])([A-Z][A-Z_]*)(?![\w.-])|(?<=[_/=])([A-Z]{2,})\b(?!-)|(?<==)([A-Z])$",
        lambda match: meaning(match[0]),
        word,
    )


def _capped(word, before):
    name = before.removeprefix("--")
    if before.startswith("--") and name in CAPS:
        return _at_most(CAPS[name], word)
    for name, most in CAPS.items():
        written = rf"(?<=\b{name}: )\d+|(?<=\b{name}=)[\d,]+"
        word = re.sub(written, lambda match, most=most: _at_most(most, match[0]), word)
    return word


def _at_most(most, numbers):
    """A list of numbers, each capped, those that are now equal once."""
    return ",".join(dict.fromkeys(str(min(int(number), most)) for number in numbers.split(",")))
