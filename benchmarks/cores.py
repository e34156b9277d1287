"""How fast the cores are beside PyTorch's own LSTM, on one thread: ``python benchmarks/cores.py --help``.

All cores take turns in one process, so that whatever else the machine does hits them alike; medians are
shown. T time, B lanes, F features.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from engram.memory import make_core

CORES: dict[str, dict[str, Any]] = {
    "lstm": {"type": "lstm"},
    "gru": {"type": "gru"},
    "rnn": {"type": "rnn"},
    "ind_rnn": {"type": "ind_rnn"},
    "mlp": {"type": "mlp"},
    "frame_stack": {"type": "frame_stack"},
    "gtrxl": {"type": "gtrxl"},
    "low_pass": {"type": "low_pass"},
    "low_pass parallel": {"type": "low_pass", "parallel": True},
    "low_pass layer": {"type": "low_pass", "normalize": "layer"},
    "low_pass running": {"type": "low_pass", "normalize": "running"},
    "low_pass running, frozen input": {"type": "low_pass", "normalize": "running", "train_input": False},
}
BASELINE = "nn.LSTM"


def medians(jobs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Milliseconds per call of every job, the jobs taking turns."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats + 2):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            taken[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(times[2:]) for name, times in taken.items()}


def forward_job(core: Any, inputs: torch.Tensor, resets: torch.Tensor | None) -> Callable[[], object]:
    """A call without gradients that carries the state from call to call, as sampling does."""
    baseline = isinstance(core, nn.LSTM)
    state = None if baseline else core.initial_state(inputs.shape[1])

    @torch.no_grad()
    def run() -> None:
        nonlocal state
        arguments = (inputs, state) if baseline else (inputs, state, resets)
        state = core(*arguments)[1]

    return run


def training_job(core: Any, inputs: torch.Tensor, resets: torch.Tensor | None) -> Callable[[], object]:
    """Forward and backward, gradients with respect to the inputs included, as learning does."""
    baseline = isinstance(core, nn.LSTM)
    arguments = () if baseline else (core.initial_state(inputs.shape[1]), resets)

    def run() -> None:
        leaf = inputs.detach().requires_grad_()
        core(leaf, *arguments)[0].sum().backward()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=128)
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 20, 100])
    parser.add_argument(
        "--episode", type=float, default=400, help="mean steps between resets of a lane; 0: none"
    )
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cores = {name: make_core(options.features, section) for name, section in CORES.items()}
    modules = {BASELINE: nn.LSTM(options.features, 128), **cores}
    print(f"{options.lanes} lanes, {options.features} features, resets every {options.episode:g} lane-steps")
    print(f"{'core':32}{'T':>5}{'B':>5}{'forward ms':>12}{'ratio':>7}{'fwd+bwd ms':>12}{'ratio':>7}")
    for steps in options.steps:
        inputs = torch.randn(steps, options.lanes, options.features)
        resets = torch.rand(steps, options.lanes) < 1 / options.episode if options.episode else None
        repeats = options.repeats * (10 if steps == 1 else 1)
        forward = medians({n: forward_job(m, inputs, resets) for n, m in modules.items()}, repeats)
        training = medians({n: training_job(m, inputs, resets) for n, m in modules.items()}, repeats)
        for name in modules:
            ratios = forward[name] / forward[BASELINE], training[name] / training[BASELINE]
            print(
                f"{name:32}{steps:5}{options.lanes:5}"
                f"{forward[name]:12.3f}{ratios[0]:7.2f}{training[name]:12.3f}{ratios[1]:7.2f}"
            )


if __name__ == "__main__":
    main()
