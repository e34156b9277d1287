"""The random numbers that all parts of a process draw: those of PyTorch, NumPy and Python."""

import random
from typing import Any

import numpy as np
import torch


def random_streams() -> dict[str, Any]:
    """Where the streams are, as plain data."""
    version, numbers, gauss = random.getstate()
    streams = {
        "python": (version, np.array(numbers, np.uint32), gauss),
        "numpy": np.random.get_state(legacy=False),
        "torch": torch.get_rng_state().numpy(),
    }
    if torch.cuda.is_available():
        streams["cuda"] = [state.numpy() for state in torch.cuda.get_rng_state_all()]
    return streams


def set_random_streams(streams: dict[str, Any]) -> None:
    """Goes on from `random_streams()`; on a machine with other GPUs, theirs begin anew."""
    version, numbers, gauss = streams["python"]
    random.setstate((version, tuple(numbers.tolist()), gauss))
    np.random.set_state(streams["numpy"])
    torch.set_rng_state(torch.from_numpy(streams["torch"]))
    cuda = streams.get("cuda", [])
    if len(cuda) == torch.cuda.device_count():
        for device, state in enumerate(cuda):
            torch.cuda.set_rng_state(torch.from_numpy(state), device)
