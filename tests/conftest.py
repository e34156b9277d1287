"""What holds for every test: one torch thread, a Ray cluster that is nobody else's, long files first."""

import gc
import inspect
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

# Ray reads these when it is imported.
os.environ["RAY_AUTH_MODE"] = "token"
if "PYTEST_XDIST_WORKER" not in os.environ:  # processes that share the tests share Ray
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from filelock import FileLock

if not torch.cuda.is_available():
    # Without a GPU, `torch.manual_seed` notes the stack of its caller three times for later, which takes
    # longer than most tests do.
    torch.manual_seed = torch.default_generator.manual_seed

LONG = (
    "agents/test_columnar_path",
    "train/test_run",
    "train/test_own_envs",
    "envs/test_vector_checks",
    "train/test_wrappers",
    "train/test_fuzz",
    "train/test_supervised_command",
    "agents/test_supervised_path",
    "train/test_your_own",
    "agents/test_finite",
    "train/test_going_on",
    "train/test_swap",
    "train/test_damage",
    "memory/test_conformance",
    "train/test_examples",
)
"""Files that take longest, and files that fork, which is quick while processes are small."""


def pytest_collection_modifyitems(items):
    """Put long files first, so that processes that share the tests end together."""
    rank = {f"tests/{name}.py": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.nodeid.split("::")[0], len(LONG)))


def pytest_collection_finish():
    """Leave what is imported by now to itself: it is not garbage, and to look through it takes long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    connectors = sys.modules.get("ray.rllib.connectors.connector_v2")
    if connectors is not None:  # it reads the source of every caller, of which a test has many
        connectors.inspect = SimpleNamespace(stack=two_frames, getargvalues=inspect.getargvalues)


def two_frames():
    """The first two entries of `inspect.stack()`, without the sources."""
    here = sys._getframe(1)
    return [SimpleNamespace(frame=here), SimpleNamespace(frame=here.f_back)]


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory):
    """A folder of this run of the tests, whichever process runs them."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def shared_ray(base_folder):
    """The address of one Ray that all tests share which do not ask for one of their own."""
    address = base_folder / "shared_ray"
    with FileLock(f"{address}.lock"):
        if not address.exists():
            whole = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
            script = Path(__file__).with_name("shared_ray.py")
            holder = subprocess.Popen([sys.executable, script, address, str(whole)], start_new_session=True)
            while not address.exists():
                assert holder.poll() is None, "Ray does not start"
                time.sleep(0.1)
    return address.read_text()
