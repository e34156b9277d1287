"""One thread: on tensors this small more threads only wait for each other."""

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded():
    """What a test draws must not depend on which tests ran before it."""
    torch.manual_seed(0)
