"""Accuracy against iterations: every budget and every exit rule in one run, in constant memory.

B problems of a batch, T the budget: iterations that are run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engram.agents.supervised.runner import NEEDED_INFO
from engram.agents.thinking import ThinkingModule
from engram.memory.thinking.exit_sweep import ExitSweep, drop_after_best, steps_to_best
from engram.memory.thinking.exits import EXIT_RULES, make_exit_rule
from engram.memory.thinking.predictions import exact, predict
from engram.train.environments import make_batched
from engram.train.errors import ExperimentError, unknown

MAX_LANES = 100
"""Problems that are thought about at once, at most; a thought about a large one takes much memory."""


class Curve(NamedTuple):
    """What an exit rule comes to.

    Attributes:
        accuracy: Share of problems solved within a budget of 1, ..., T iterations.
        exits: How many problems it answers after 1, ..., T iterations, given all T.
        steps_to_best: Iterations until the accuracy is at its maximum.
        drop_after_best: How far the accuracy falls below that afterwards: overthinking.
    """

    accuracy: list[float]
    exits: list[int]
    steps_to_best: int
    drop_after_best: float


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


class Puzzles(NamedTuple):
    """A batch of B problems."""

    problems: Tensor
    targets: Tensor
    masks: Tensor


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
    if not isinstance(module, ThinkingModule):
        raise ExperimentError(f"--thinking-steps: {type(module).__name__} does not think in iterations")
    for name in rules:
        if name not in EXIT_RULES:
            raise unknown("--exit-rule", name, EXIT_RULES)
    env = make_batched(env_id, min(problems, MAX_LANES), env_config)
    try:
        module.resize(env.single_observation_space, env.single_action_space)
        return _sweep(module.eval(), _batches(env, problems, seed), budget, rules)
    finally:
        env.close()


def _batches(env: Any, problems: int, seed: int) -> Iterator[Puzzles]:
    """Batches of puzzles, in all as many as asked for."""
    observations, infos = env.reset(seed=seed)
    missing = [key for key in NEEDED_INFO if key not in infos]
    if missing:
        raise ExperimentError(
            f"--thinking-steps: the environment tells no {' and no '.join(missing)} in info"
        )
    while problems > 0:
        targets = infos["target"]
        batch = (observations, targets, infos["mask"])
        yield Puzzles(*(torch.as_tensor(column[:problems]) for column in batch))
        problems -= len(targets)
        observations, _, _, _, infos = env.step(targets)


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
