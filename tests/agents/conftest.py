"""One small Ray for the tests that need runners and learners of their own."""

import sys
from pathlib import Path

import pytest
import ray

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)


@pytest.fixture(scope="module")
def ray_cluster():
    """Gone again when the tests of a file are done: other files assert that no Ray is started."""
    ray.init(
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"env_vars": {"PYTHONPATH": HERE}},
    )
    yield ray
    ray.shutdown()
