"""A connection to Ray for the tests that need runners and learners of their own."""

import sys
from pathlib import Path

import pytest
import ray

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)


@pytest.fixture(scope="module")
def ray_cluster(shared_ray):
    """Connected, until the tests of a file are done: other files assert that no Ray is started."""
    ray.init(address=shared_ray, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()
