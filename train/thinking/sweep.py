"""Accuracy against iterations: every budget and every exit rule in one run, in constant memory.

B problems of a batch, T the budget: iterations that are run.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing

import torch

from engram.agents.models.thinking import ThinkingModule
from engram.memory.thinking.exit_sweep import ExitSweep, drop_after_best, steps_to_best
from engram.memory.thinking.exits import EXIT_RULES, make_exit_rule
from engram.memory.thinking.predictions import exact, predict
from engram.train.console.errors import unknown
from engram.train.evaluation import TrainedAgent
from engram.train.thinking.puzzles import Puzzles, batches, make_puzzles
from engram.train.thinking.record import Curve, Evaluation


def think(agent: TrainedAgent, *, problems: int, budget: int, rules: Sequence[str], seed: int) -> Evaluation:
    """Think `budget` iterations about each problem, and ask the exit rules after each iteration.

    Args:
        agent: A network that thinks in iterations, and an environment of one-step puzzles; their size may
            differ from that of training.
        problems: Number of problems.
        budget: Iterations, T.
        rules: Names in `EXIT_RULES`.
        seed: Of the environment.

    Raises:
        ExperimentError: An unknown rule, or see `make_puzzles` and `batches`.
        ValueError: See `make_puzzles`.
    """
    for name in rules:
        if name not in EXIT_RULES:
            raise unknown("--exit-rule", name, EXIT_RULES)
    with closing(make_puzzles(agent, problems)) as envs:
        curves, solved = _sweep(agent.module, batches(envs, problems, seed), budget, rules)
    return Evaluation(**agent.record(), seed=seed, curves=curves, solved=solved)


@torch.inference_mode()
def _sweep(
    module: ThinkingModule, puzzles: Iterator[Puzzles], budget: int, rules: Sequence[str]
) -> tuple[dict[str, Curve], list[bool]]:
    """A curve for each rule, and which problems are solved after T iterations."""
    trained = {"n_plus_k": {"trained": min(module.thinking_steps, budget)}}
    sweep = ExitSweep(
        {name: make_exit_rule({"type": name, **trained.get(name, {})}) for name in rules},
        budget,
        module.readout.top,
    )
    solved: list[bool] = []
    for problems, targets, masks in puzzles:
        sweep.start(targets, masks)
        for thought in module.thinker.thoughts(problems, budget):
            logits = module.thinker.answer(thought)
            sweep.observe(logits)
        solved += exact(predict(logits, masks, module.readout.top), targets, masks).tolist()
    return {name: _curve(sweep, name) for name in rules}, solved


def _curve(sweep: ExitSweep, name: str) -> Curve:
    accuracy = sweep.accuracy(name)
    return Curve(
        accuracy.tolist(), sweep.exits(name).tolist(), steps_to_best(accuracy), drop_after_best(accuracy)
    )
