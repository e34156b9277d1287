"""Accuracy against iterations: every budget and every exit rule in one run, in constant memory.

B problems of a batch, T the budget: iterations that are run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from engram.agents.models.thinking import ThinkingModule
from engram.memory.thinking.exit_sweep import ExitSweep, drop_after_best, steps_to_best
from engram.memory.thinking.exits import EXIT_RULES, make_exit_rule
from engram.memory.thinking.predictions import exact, predict
from engram.train.console.errors import unknown
from engram.train.thinking.questions import MAX_LANES, Puzzles, Questions
from engram.train.thinking.record import Curve


@dataclass(frozen=True)
class Thinking:
    """What `think` found out.

    Attributes:
        problems: How many problems there were.
        curves: Rule to what it comes to.
        solved: Which problems are solved after T iterations, in the order in which they were drawn.
    """

    problems: int
    curves: dict[str, Curve]
    solved: list[bool]


def think(
    module: ThinkingModule,
    env_id: str,
    env_config: Mapping[str, Any],
    *,
    problems: int,
    budget: int,
    rules: Sequence[str],
    seed: int,
) -> Thinking:
    """Thinks `budget` iterations about each problem and asks the exit rules after each.

    Args:
        module: A network that thinks.
        env_id: An environment of one-step puzzles.
        env_config: Its settings; the size may differ from that of training.
        problems: How many.
        budget: Iterations, T.
        rules: Names in `EXIT_RULES`.
        seed: Of the environment.

    Raises:
        ExperimentError: An unknown rule, a module that does not think, a network made for one size.
    """
    for name in rules:
        if name not in EXIT_RULES:
            raise unknown("--exit-rule", name, EXIT_RULES)
    with Questions(module, env_id, env_config, min(problems, MAX_LANES)) as questions:
        return _sweep(module, questions.batches(problems, seed), budget, rules)


@torch.inference_mode()
def _sweep(module: ThinkingModule, batches: Iterator[Puzzles], budget: int, rules: Sequence[str]) -> Thinking:
    trained = {"n_plus_k": {"trained": min(module.thinking_steps, budget)}}
    sweep = ExitSweep(
        {name: make_exit_rule({"type": name, **trained.get(name, {})}) for name in rules},
        budget,
        module.readout.top,
    )
    solved: list[bool] = []
    for problems, targets, masks in batches:
        sweep.start(targets, masks)
        for thought in module.thinker.thoughts(problems, budget):
            logits = module.thinker.answer(thought)
            sweep.observe(logits)
        solved += exact(predict(logits, masks, module.readout.top), targets, masks).tolist()
    return Thinking(sweep.problems, {name: _curve(sweep, name) for name in rules}, solved)


def _curve(sweep: ExitSweep, name: str) -> Curve:
    accuracy = sweep.accuracy(name)
    return Curve(
        accuracy.tolist(), sweep.exits(name).tolist(), steps_to_best(accuracy), drop_after_best(accuracy)
    )
