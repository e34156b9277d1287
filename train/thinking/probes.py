"""Probes of a network that thinks: does it settle, does it recover, does it end alike from anywhere?

B problems of a batch, P problems in all, T iterations.

Sources: Bansal et al., End-to-end Algorithm Synthesis with Recurrent Networks, 2022 (disturbances);
Anil et al., Path Independent Equilibrium Models Can Better Exploit Test-Time Computation, 2022 (asymptotic
alignment). The relative change is the residual by which solvers of equilibrium models stop.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from engram.memory.thinking import Thinker, exact, predict
from engram.train.thinking.puzzles import Puzzles

TINY = 1e-8
"""Keeps the change of a thought of zeros finite."""


class Disturbed(NamedTuple):
    """A thought that was disturbed, and the problems that the network sees from then on."""

    thought: Tensor
    puzzles: Puzzles


Disturbance = Callable[[Tensor, Puzzles, torch.Generator], Disturbed]
"""Disturbs the thoughts or the problems of a batch, without changing its arguments."""


def swap(thought: Tensor, puzzles: Puzzles, generator: torch.Generator) -> Disturbed:
    """Give each problem the thought about the one before it.

    Raises:
        ValueError: There is one problem only.
    """
    if len(thought) < 2:
        raise ValueError("swap: expected at least 2 problems in a batch, got 1")
    return Disturbed(thought.roll(1, 0), puzzles)


def make_noise(strength: float) -> Disturbance:
    """Make a disturbance that adds white noise to a thought.

    Args:
        strength: Standard deviation of the noise, 1 being the root mean square of the problem's thought.
    """

    def noise(thought: Tensor, puzzles: Puzzles, generator: torch.Generator) -> Disturbed:
        return Disturbed(thought + strength * white_noise(thought, generator), puzzles)

    return noise


def flip(thought: Tensor, puzzles: Puzzles, generator: torch.Generator) -> Disturbed:
    """Flip one bit of each problem for good, and with it the prefix sums from there on; (B, 1, N) only."""
    problems, targets, masks = puzzles
    count, length = targets.shape
    places = torch.randint(length, (count, 1), generator=generator)
    positions = torch.arange(length)
    flipped = torch.where(positions == places, -1, 1).unsqueeze(1).to(problems.dtype)
    changed = (positions >= places).to(targets.dtype)
    return Disturbed(thought, Puzzles(problems * flipped, targets ^ changed, masks))


def white_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw normal numbers with the root mean square of each problem's thought, (B, F, *S) as `like`."""
    size = like.square().flatten(1).mean(1).sqrt().reshape(-1, *[1] * (like.ndim - 1))
    return size * torch.randn(like.shape, generator=generator, dtype=like.dtype)


class Recovery(NamedTuple):
    """Answers after a disturbance, of the problems that were solved before it.

    Attributes:
        solved_before: Number of these problems.
        right: (T + 1,) share of them that is right after 0, ..., T more iterations.
        iterations: Iterations until the answer is right for good, of each that gets there within T.
    """

    solved_before: int
    right: list[float]
    iterations: list[int]

    @property
    def recovered(self) -> float:
        """Share of the problems solved before that is right for good within T iterations."""
        return len(self.iterations) / self.solved_before if self.solved_before else 0.0


class Alignment(NamedTuple):
    """The end of thinking from another start.

    Attributes:
        cosine: Asymptotic alignment: mean over problems of the cosine similarity of the two last thoughts.
        accuracy: Share of problems solved at the end.
    """

    cosine: float
    accuracy: float


class Probes(NamedTuple):
    """Results of all probes.

    Attributes:
        problems: Number of problems.
        iterations: T.
        accuracy: Share solved after T iterations from the usual start.
        changes: (T,) mean over problems of |h_t - h_(t-1)| / |h_t|, h_t being the thought after iteration t.
        recovery: By disturbance.
        alignment: By start, `another` problem's last thought or `random` numbers of its size.
    """

    problems: int
    iterations: int
    accuracy: float
    changes: list[float]
    recovery: dict[str, Recovery]
    alignment: dict[str, Alignment]


STARTS: dict[str, Disturbance] = {
    "another": swap,
    "random": lambda thought, puzzles, generator: Disturbed(white_noise(thought, generator), puzzles),
}
"""Thoughts to start from, made from the last ones."""


@torch.inference_mode()
def probe(
    thinker: Thinker,
    batches: Iterable[Puzzles],
    iterations: int,
    disturbances: Mapping[str, Disturbance],
    *,
    top: int | None = None,
    seed: int = 0,
) -> Probes:
    """Think about batches of problems, disturb the thoughts, and start from other ones.

    Each batch is thought about for T iterations, disturbed, and thought about for T more; then T iterations
    again from each of the other starts.

    Args:
        thinker: The network.
        batches: At least one.
        iterations: T.
        disturbances: By name.
        top: How logits become answers, see `predict`.
        seed: Of the noise and of the places.

    Raises:
        ValueError: The network has fewer than 2 T iterations, or a batch is too small for a probe.
    """
    generator = torch.Generator().manual_seed(seed)
    seen: dict[tuple[str, str], list[Tensor]] = defaultdict(list)

    def right(thought: Tensor, puzzles: Puzzles) -> Tensor:
        answers = predict(thinker.answer(thought), puzzles.masks, top)
        return exact(answers, puzzles.targets, puzzles.masks)

    for puzzles in batches:
        last, changes = state_changes(thinker, puzzles.problems, iterations)
        seen["changes", ""].append(changes)
        seen["solved", ""].append(right(last, puzzles))
        for name, disturb in disturbances.items():
            thought, changed = disturb(last, puzzles, generator)
            after = thinker.thoughts(changed.problems, iterations, thought, iterations)
            seen["recovery", name].append(torch.stack([right(each, changed) for each in (thought, *after)]))
        for name, start in STARTS.items():
            begun = start(last, puzzles, generator).thought
            end = deque(thinker.thoughts(puzzles.problems, iterations, begun), maxlen=1).pop()
            seen["cosine", name].append(functional.cosine_similarity(end.flatten(1), last.flatten(1)))
            seen["end", name].append(right(end, puzzles))
    found = {key: torch.cat(parts, -1) for key, parts in seen.items()}
    solved = found["solved", ""]
    return Probes(
        len(solved),
        iterations,
        _mean(solved),
        found["changes", ""].mean(1).tolist(),
        {name: recovery(found["recovery", name][:, solved]) for name in disturbances},
        {name: Alignment(_mean(found["cosine", name]), _mean(found["end", name])) for name in STARTS},
    )


def state_changes(thinker: Thinker, problems: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Think, and measure how much each iteration changes the thought.

    Args:
        thinker: The network.
        problems: (B, C, *S).
        iterations: T.

    Returns:
        The last thoughts, and (T, B) of |h_t - h_(t-1)| / |h_t|, Euclidean norms over all of a thought.
    """
    before = thinker.begin(problems)
    changes = []
    for after in thinker.thoughts(problems, iterations, before):
        changes.append((after - before).flatten(1).norm(dim=1) / (after.flatten(1).norm(dim=1) + TINY))
        before = after
    return before, torch.stack(changes)


def recovery(right: Tensor) -> Recovery:
    """Sum up answers after a disturbance.

    Args:
        right: (T + 1, P) bool, which of P problems are right after 0, ..., T more iterations.
    """
    latest = len(right) - right.flip(0).to(torch.int8).argmin(0)  # one after the last that is wrong
    latest[right.all(0)] = 0
    return Recovery(
        right.shape[1],
        right.double().mean(1).tolist() if right.shape[1] else [],
        latest[right[-1]].tolist(),
    )


def _mean(values: Tensor) -> float:
    return float(values.double().mean())
