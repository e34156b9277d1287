"""Check that every node of a cluster sees the folder to which results go."""

import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engram.train.console.errors import ExperimentError
from engram.train.console.files import naming

_PATIENCE = 60.0  # s that a node has to look


def check_seen(folders: Iterable[Path]) -> None:
    """Refuse folders of results that some node of the cluster does not see: its trials would save elsewhere.

    Args:
        folders: Where results go.

    Raises:
        ExperimentError: a node does not see one, and which.
    """
    others = _other_nodes()
    if not others:
        return
    for folder in folders:
        with _marker(folder) as marker:
            blind = [address for address, sees in _ask(others, str(marker)) if not sees]
        if blind:
            raise ExperimentError(
                f"storage_path: {folder} is not seen by {', '.join(blind)} of the cluster; --local-dir is to "
                "be a folder that every node sees at the same place (NFS, Lustre), or a URI such as s3://..."
            )


def _other_nodes() -> dict[str, str]:
    """Nodes of the cluster without this one: id -> address."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    alive = (node for node in ray.nodes() if node["Alive"] and node["NodeID"] != here)
    return {node["NodeID"]: node["NodeManagerAddress"] for node in alive}


@contextmanager
def _marker(folder: Path) -> Iterator[Path]:
    """A file in a folder while the block runs."""
    marker = folder / f".seen_{secrets.token_hex(8)}"
    with naming(f"storage_path: {folder} cannot be written to"):
        folder.mkdir(parents=True, exist_ok=True)
        marker.touch()
    try:
        yield marker
    finally:
        marker.unlink(missing_ok=True)


def _ask(nodes: dict[str, str], file: str) -> list[tuple[str, bool]]:
    """Whether nodes see a file; a notice names those that do not answer, which count as if they did."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look: Any = ray.remote(_look())
    asked = {}
    for node, address in nodes.items():
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": there}
        asked[look.options(**options).remote(file)] = address
    ray.wait(list(asked), num_returns=len(asked), timeout=_PATIENCE)
    answers = []
    for reference, address in asked.items():
        try:
            answers.append((address, bool(ray.get(reference, timeout=0.1))))
        except Exception as error:  # of Ray, which has a class for each way in which a node does not answer
            why = f"whether it sees {Path(file).parent} ({type(error).__name__})"
            print(f"notice: {address} does not say {why}", file=sys.stderr)
    return answers


def _look() -> Callable[[str], bool]:
    """Makes the task anew: so it travels whole, and what runs it need not import this package."""

    def look(file: str) -> bool:
        folder, name = os.path.split(file)
        try:
            return name in os.listdir(folder)  # which a network file system asks for anew
        except OSError:
            return False

    return look
