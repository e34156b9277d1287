"""How fast the cores are beside PyTorch's own LSTM, and what they keep: ``benchmarks/cores.py --help``.

All cores take turns in one process, so that whatever else the machine does hits them alike; medians are
shown, as ratios to an `nn.LSTM` of the same width, on the same inputs, which is given no resets. Every core
has its default options but for its width. T time, B lanes, F features.

Memory is counted, not measured: the state of a lane, and what autograd keeps of each lane and step for the
backward pass beside parameters and inputs. (What PyTorch's LSTM keeps in a layout of its own is counted too.)
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engram.memory import CORES, make_core

WIDTH = 128
VARIANTS: dict[str, dict[str, Any]] = {
    **{name: {"type": name} for name in CORES},
    "low_pass parallel": {"type": "low_pass", "parallel": True},
    "low_pass layer": {"type": "low_pass", "normalize": "layer"},
    "low_pass running": {"type": "low_pass", "normalize": "running"},
    "low_pass running, frozen input": {"type": "low_pass", "normalize": "running", "train_input": False},
    "rims": {"type": "rims", "rim_size": 22, "input_key_size": 32, "comm_heads": 2, "comm_key_size": 16},
}
"""The cores that are compared at a width of 128; the six RIMs have 22 units each."""

Job = Callable[[], object]


class Baseline(nn.Module):
    """`nn.LSTM` in the shape of a core, without resets."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, width)

    def initial_state(self, lanes: int) -> dict[str, Tensor]:
        """Zeros."""
        width = self.lstm.hidden_size
        return {name: self.lstm.weight_hh_l0.new_zeros(lanes, width) for name in ("hidden", "cell")}

    def forward(
        self, inputs: Tensor, state: Mapping[str, Tensor], resets: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As `Core.forward`."""
        outputs, (hidden, cell) = self.lstm(inputs, (state["hidden"][None], state["cell"][None]))
        return outputs, {"hidden": hidden[0], "cell": cell[0]}


def medians(jobs: Mapping[str, Job], repeats: int, device: torch.device) -> dict[str, float]:
    """Milliseconds per call of every job, the jobs taking turns."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats + 2):
        for name, job in jobs.items():
            start = _now(device)
            job()
            taken[name].append(1e3 * (_now(device) - start))
    return {name: statistics.median(times[2:]) for name, times in taken.items()}


def _now(device: torch.device) -> float:
    """Seconds; of this process alone on a CPU, where one thread does all the work."""
    if device.type == "cpu":
        return time.process_time()
    torch.accelerator.synchronize()
    return time.perf_counter()


def forward_job(core: Any, inputs: Tensor, resets: Tensor | None) -> Job:
    """A call without gradients that carries the state from call to call, as sampling does."""
    state = core.initial_state(inputs.shape[1])

    @torch.no_grad()
    def run() -> None:
        nonlocal state
        _, state = core(inputs, state, resets)

    return run


def training_job(core: Any, inputs: Tensor, resets: Tensor | None) -> Job:
    """Forward and backward, gradients with respect to inputs included, as learning does."""
    state = core.initial_state(inputs.shape[1])

    def run() -> None:
        core(inputs.detach().requires_grad_(), state, resets)[0].sum().backward()

    return run


def kept_bytes(core: Any, inputs: Tensor) -> float:
    """Bytes that autograd keeps for the backward pass per lane and step."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (inputs, *core.parameters(), *core.buffers())}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        outputs = core(inputs, core.initial_state(inputs.shape[1]), None)[0]
    del outputs
    return sum(kept.values()) / inputs.shape[:2].numel()


def state_bytes(core: Any) -> int:
    """Bytes of the state of one lane."""
    return sum(leaf.nbytes for leaf in core.initial_state(1).values())


def compare(options: argparse.Namespace, device: torch.device) -> Iterator[str]:
    """The table of all cores at one width."""
    cores = {"nn.LSTM": Baseline(options.features, WIDTH)}
    cores |= {name: make_core(options.features, section) for name, section in VARIANTS.items()}
    cores = {name: core.to(device) for name, core in cores.items()}
    columns: dict[str, dict[str, float]] = {}
    for steps in options.steps:
        inputs = torch.randn(steps, options.lanes, options.features, device=device)
        resets = (
            torch.rand(inputs.shape[:2], device=device) < 1 / options.episode if options.episode else None
        )
        repeats = options.repeats * (10 if steps == 1 else 1)
        for kind, job in (("forward", forward_job), ("fwd+bwd", training_job)):
            jobs = {name: job(core, inputs, resets) for name, core in cores.items()}
            columns[f"{kind} T={steps}"] = medians(jobs, repeats, device)
    probe = torch.randn(options.steps[-1], options.lanes, options.features, device=device)
    yield f"{options.lanes} lanes, {options.features} features, resets every {options.episode:g} lane-steps"
    yield "ms of nn.LSTM, then ratios to it; bytes of state per lane, kept in training per lane-step"
    yield (
        f"{'core':31}{'weights':>9}" + "".join(f"{name:>15}" for name in columns) + f"{'state':>8}{'kept':>8}"
    )
    for name, core in cores.items():
        times = [column[name] / column["nn.LSTM"] for column in columns.values()]
        if name == "nn.LSTM":
            times = [column[name] for column in columns.values()]
        weights = sum(parameter.numel() for parameter in core.parameters())
        yield (
            f"{name:31}{weights:9}"
            + "".join(f"{value:15.2f}" for value in times)
            + (f"{state_bytes(core):8}{kept_bytes(core, probe):8.0f}")
        )


def compare_rims(options: argparse.Namespace, device: torch.device) -> Iterator[str]:
    """RIMs of the paper's size (K = 6, 4 active, 100 units each) beside `nn.LSTM` of 600 units."""
    lstm, rims = Baseline(600, 600).to(device), make_core(600, {"type": "rims"}).to(device)
    inputs = torch.randn(100, options.lanes, 600, device=device)
    yield f"RIMs (6 of 100 units, 4 active) and nn.LSTM of 600: {options.lanes} lanes, T=100, ms of fwd+bwd"
    jobs = {label: training_job(core, inputs, None) for label, core in (("lstm", lstm), ("rims", rims))}
    taken = medians(jobs, max(3, options.repeats // 4), device)
    lstm_ms, rims_ms = taken["lstm"], taken["rims"]
    yield f"{'600 features':31}{lstm_ms:9.1f}{rims_ms:9.1f}  ratio {rims_ms / lstm_ms:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=WIDTH)
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 20, 100, 512])
    parser.add_argument(
        "--episode", type=float, default=400, help="mean steps between resets of a lane; 0: none"
    )
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for line in (*compare(options, options.device), "", *compare_rims(options, options.device)):
        print(line)


if __name__ == "__main__":
    main()
