"""How a network thinks: does it settle, does it recover, does the way there matter?

B problems of a batch, P problems in all, T iterations.

Sources: Bansal et al., End-to-end Algorithm Synthesis with Recurrent Networks, 2022 (disturbances);
Anil et al., Path Independent Equilibrium Models Can Better Exploit Test-Time Computation, 2022 (asymptotic
alignment). The relative change is the residual by which solvers of equilibrium models stop.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from engram.memory.thinking import Thinker, exact, predict
from engram.train.thinking.questions import Puzzles

TINY = 1e-8
"""Keeps the change of a thought of zeros finite."""


class Disturbed(NamedTuple):
    """What a network goes on with: a thought, and the problems that it now sees and is asked about."""

    thought: Tensor
    puzzles: Puzzles


Disturbance = Callable[[Tensor, Puzzles, torch.Generator], Disturbed]
"""What is done to a batch's thoughts or problems; it leaves what it is given as it is."""


def swap(thought: Tensor, puzzles: Puzzles, generator: torch.Generator) -> Disturbed:
    """Each problem gets the thought about the one before it.

    Raises:
        ValueError: There is one problem only.
    """
    if len(thought) < 2:
        raise ValueError("swap: expected at least 2 problems in a batch, got 1")
    return Disturbed(thought.roll(1, 0), puzzles)


def make_noise(strength: float) -> Disturbance:
    """Adds white noise to a thought.

    Args:
        strength: Standard deviation of the noise, 1 being the root mean square of the problem's thought.
    """

    def noise(thought: Tensor, puzzles: Puzzles, generator: torch.Generator) -> Disturbed:
        return Disturbed(thought + strength * white_noise(thought, generator), puzzles)

    return noise


def flip(thought: Tensor, puzzles: Puzzles, generator: torch.Generator) -> Disturbed:
    """One bit of each problem changes for good, and with it the prefix sums from there on; (B, 1, N) only."""
    problems, targets, masks = puzzles
    count, length = targets.shape
    places = torch.randint(length, (count, 1), generator=generator)
    positions = torch.arange(length)
    flipped = torch.where(positions == places, -1, 1).unsqueeze(1).to(problems.dtype)
    changed = (positions >= places).to(targets.dtype)
    return Disturbed(thought, Puzzles(problems * flipped, targets ^ changed, masks))


def white_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Normal numbers with the root mean square that each problem's thought has, (B, F, *S) as `like`."""
    size = like.square().flatten(1).mean(1).sqrt().reshape(-1, *[1] * (like.ndim - 1))
    return size * torch.randn(like.shape, generator=generator, dtype=like.dtype)


class Recovery(NamedTuple):
    """Answers after a disturbance; counted are the problems that were solved before it.

    Attributes:
        solved_before: How many these are.
        right: (T + 1,) share of these that is right after 0, ..., T more iterations.
        iterations: More iterations until the answer is right for good, for each that is so within T.
    """

    solved_before: int
    right: list[float]
    iterations: list[int]

    @property
    def recovered(self) -> float:
        """Share of the problems solved before that is right for good within T iterations."""
        return len(self.iterations) / self.solved_before if self.solved_before else 0.0


class Alignment(NamedTuple):
    """Where the network ends if it starts from another thought.

    Attributes:
        cosine: Asymptotic alignment: mean over problems of the cosine similarity of the two last thoughts.
        accuracy: Share of problems solved at the end.
    """

    cosine: float
    accuracy: float


class Probes(NamedTuple):
    """What `probe` found out.

    Attributes:
        problems: How many there were.
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


class Prober:
    """Adds up, batch after batch, what the probes find.

    Each batch is thought about for T iterations, disturbed, and thought about for T more; then T iterations
    again from each of the other starts.

    Attributes:
        thinker: The network.
        iterations: T.
    """

    def __init__(
        self,
        thinker: Thinker,
        iterations: int,
        disturbances: Mapping[str, Disturbance],
        *,
        top: int | None = None,
        seed: int = 0,
    ) -> None:
        """Nothing is found yet.

        Args:
            thinker: The network.
            iterations: T.
            disturbances: What to recover from, by name.
            top: How logits become answers, see `predict`.
            seed: Of the noise and of the places.
        """
        self.thinker = thinker
        self.iterations = iterations
        self.disturbances = dict(disturbances)
        self.top = top
        self._generator = torch.Generator().manual_seed(seed)
        self._solved: list[Tensor] = []
        self._changes: list[Tensor] = []
        self._right: dict[str, list[Tensor]] = {name: [] for name in self.disturbances}
        self._cosines: dict[str, list[Tensor]] = {name: [] for name in STARTS}
        self._ends: dict[str, list[Tensor]] = {name: [] for name in STARTS}

    @torch.inference_mode()
    def add(self, puzzles: Puzzles) -> None:
        """Probes one batch.

        Raises:
            ValueError: The network has fewer than 2 T iterations, or the batch is too small for a probe.
        """
        last, changes = state_changes(self.thinker, puzzles.problems, self.iterations)
        self._changes.append(changes)
        self._solved.append(self._right_now(last, puzzles))
        for name, disturb in self.disturbances.items():
            self._right[name].append(self._recover(disturb(last, puzzles, self._generator)))
        for name, start in STARTS.items():
            end = self._think_from(start(last, puzzles, self._generator).thought, puzzles)
            self._cosines[name].append(functional.cosine_similarity(end.flatten(1), last.flatten(1)))
            self._ends[name].append(self._right_now(end, puzzles))

    def found(self) -> Probes:
        """What was found in all batches so far."""
        solved = torch.cat(self._solved)
        return Probes(
            len(solved),
            self.iterations,
            _mean(solved),
            torch.cat(self._changes, 1).mean(1).tolist(),
            {name: recovery(torch.cat(right, 1)[:, solved]) for name, right in self._right.items()},
            {
                name: Alignment(_mean(torch.cat(self._cosines[name])), _mean(torch.cat(self._ends[name])))
                for name in STARTS
            },
        )

    def _right_now(self, thought: Tensor, puzzles: Puzzles) -> Tensor:
        logits = self.thinker.answer(thought)
        return exact(predict(logits, puzzles.masks, self.top), puzzles.targets, puzzles.masks)

    def _recover(self, disturbed: Disturbed) -> Tensor:
        """Which are right after 0, ..., T more iterations: (T + 1, B)."""
        thought, puzzles = disturbed
        after = self.thinker.thoughts(puzzles.problems, self.iterations, thought, self.iterations)
        return torch.stack([self._right_now(each, puzzles) for each in (thought, *after)])

    def _think_from(self, thought: Tensor, puzzles: Puzzles) -> Tensor:
        for after in self.thinker.thoughts(puzzles.problems, self.iterations, thought):
            thought = after
        return thought


def state_changes(thinker: Thinker, problems: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Thinks, and measures how much each iteration changes.

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
    """Sums up answers after a disturbance.

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
