"""Starts a Ray for the tests to share, and ends with the process of the tests.

python shared_ray.py FILE PID: writes its address to FILE; lives as long as process PID does.
"""

import os
import sys
import time
from pathlib import Path

import ray

TESTS = Path(__file__).parent
CPUS = 16  # what trials ask for together; the tests take turns
ATTEMPTS = 3


def main(file, process):
    """Starts Ray; its workers can import the stand-ins of the tests."""
    os.environ["PYTHONPATH"] = os.pathsep.join(str(TESTS / folder) for folder in ("train", "agents"))
    started = start(ATTEMPTS)
    new = Path(f"{file}.new")
    new.write_text(started.address_info["gcs_address"])
    new.rename(file)
    while os.path.exists(f"/proc/{process}"):
        time.sleep(0.5)


def start(attempts):
    """Starts Ray; on a busy machine, a part of it may not answer within Ray's own limits."""
    try:
        return ray.init(
            address="local",
            num_cpus=CPUS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _system_config={"prestart_worker_first_driver": False},
        )
    except Exception:
        ray.shutdown()
        if attempts == 1:
            raise
        return start(attempts - 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
