"""Whether `low_pass` picks the faster of its paths, and how long its stretches should be.

    python benchmarks/low_pass_paths.py            # both paths over a grid of sizes, on one thread
    python benchmarks/low_pass_paths.py --stretch  # stretch lengths, each on the path that is picked

What is compared takes turns in one process, so that whatever else the machine does hits all alike; medians
are shown. T time, B lanes, D width of a pool, V width of a viewport, k pools.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable

import torch

from engram.memory.pools.filter_bank import FilterBank
from engram.memory.pools.low_pass import LowPass, LowPassOptions, Path

PATHS: tuple[Path, ...] = ("contents first", "viewports first")
STRETCHES = (16, 24, 32, 50, 64)
SHAPES = ((64, 8, 9), (16, 8, 9), (16, 32, 9), (128, 4, 4), (32, 4, 12), (64, 64, 9))  # D, V, k
FEATURES = 64


def make(shape: tuple[int, int, int]) -> LowPass:
    size, viewports, pools = shape
    return LowPass(FEATURES, LowPassOptions(size=size, viewports=viewports, pools=pools))


def job(core: LowPass, steps: int, lanes: int, train: bool) -> Callable[[], object]:
    """A forward pass, or forward and backward with gradients with respect to the inputs."""
    inputs, state = torch.randn(steps, lanes, FEATURES), core.initial_state(lanes)

    def run() -> None:
        with torch.set_grad_enabled(train):
            outputs, _ = core(inputs.requires_grad_(train), state)
        if train:
            outputs.sum().backward()

    return run


def milliseconds(jobs: list[Callable[[], object]], budget: float) -> list[float]:
    """Per call of every job, the jobs taking turns for about `budget` seconds, at least five times."""
    taken: list[list[float]] = [[] for _ in jobs]
    end = time.perf_counter() + budget
    while len(taken[0]) < 7 or time.perf_counter() < end:
        for times, run in zip(taken, jobs, strict=True):
            start = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(times[2:]) for times in taken]


def compare_paths(budget: float) -> None:
    """Prints both paths over the grid, and where the choice cost more than a tenth."""
    print(f"{'T':>4}{'B':>5}{'D':>5}{'V':>4}{'k':>4}{'':10}{'contents':>10}{'viewports':>11}  picked")
    right = total = 0
    for shape, lanes, steps in itertools.product(SHAPES, (1, 16, 64), (2, 8, 16, 32, 100)):
        cores = [make(shape) for _ in PATHS]
        picked = cores[0].path(steps, lanes)
        for core, path in zip(cores, PATHS, strict=True):
            core.path = lambda *_, path=path: path  # type: ignore[method-assign, misc]
        for train in (False, True):
            times = milliseconds([job(core, steps, lanes, train) for core in cores], budget)
            lost = times[PATHS.index(picked)] / min(times) - 1
            right, total = right + (lost <= 0.1), total + 1
            size, viewports, pools = shape
            print(
                f"{steps:4}{lanes:5}{size:5}{viewports:4}{pools:4}  {'training' if train else 'forward':8}"
                f"{times[0]:10.3f}{times[1]:11.3f}  {picked}{f', {lost:.0%} slower' if lost > 0.1 else ''}"
            )
    print(f"picked the faster path, or one within 10%: {right} of {total}")


def compare_stretches(budget: float) -> None:
    """Prints milliseconds for forward and backward over 100 steps in stretches of several lengths."""
    print(
        "B, D, V, k: ms for T=100 forward and backward, in stretches of at most "
        + ", ".join(map(str, STRETCHES))
    )
    longest = FilterBank.longest
    for shape, lanes in itertools.product(SHAPES, (16, 64, 256)):
        cores = []
        for FilterBank.longest in STRETCHES:
            cores.append(make(shape))
            cores[-1].bank.longest = FilterBank.longest
        FilterBank.longest = longest
        times = milliseconds([job(core, 100, lanes, train=True) for core in cores], 4 * budget)
        print(f"{lanes:4}{shape!s:14}" + "".join(f"{taken:9.2f}" for taken in times))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stretch", action="store_true", help="compare stretch lengths instead of paths")
    parser.add_argument("--seconds", type=float, default=0.3, help="per line of the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    (compare_stretches if options.stretch else compare_paths)(options.seconds)


if __name__ == "__main__":
    main()
