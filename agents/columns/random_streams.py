"""The random numbers that all parts of a process draw: those of PyTorch, NumPy and Python."""

import random
from typing import Any

import numpy as np
import torch

from engram.agents.columns.packing import pack


def random_streams() -> dict[str, Any]:
    """Where the streams are: name -> plain data."""
    version, numbers, gauss = random.getstate()
    streams = {
        "python": (version, np.array(numbers, np.uint32), gauss),
        "numpy": np.random.get_state(legacy=False),
        "torch": torch.get_rng_state().numpy().view(np.uint64),
    }
    if torch.cuda.is_available():
        streams["cuda"] = [state.numpy() for state in torch.cuda.get_rng_state_all()]
    return streams


def moved_since(start: dict[str, Any]) -> dict[str, Any]:
    """The streams that were drawn from since `start`, which is what `random_streams()` said."""
    return {name: now for name, now in random_streams().items() if pack(now) != pack(start[name])}


def set_random_streams(streams: dict[str, Any]) -> None:
    """Moves streams to where they were; on a machine with other GPUs, theirs stay."""
    if "python" in streams:
        version, numbers, gauss = streams["python"]
        random.setstate((version, tuple(numbers.tolist()), gauss))
    if "numpy" in streams:
        np.random.set_state(streams["numpy"])
    if "torch" in streams:
        torch.set_rng_state(torch.from_numpy(streams["torch"].view(np.uint8)))
    if len(streams.get("cuda", ())) == torch.cuda.device_count():
        for device, state in enumerate(streams.get("cuda", ())):
            torch.cuda.set_rng_state(torch.from_numpy(state), device)
