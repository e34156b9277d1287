"""A population on a cluster of two nodes of this machine, of which a part is killed: all goes on.

`ENGRAM_KILLS=5 pytest -m slow tests/train/test_kills.py` kills each of them five times.
"""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster
from rllib_process import command, environment

POPULATION = """
killed:
  env: unlucky_envs:unlucky/Slow-v0
  run: RecurrentPPO
  num_samples: 2
  scheduler:
    {type: pbt, interval_timesteps: 1920, quantile: 0.5, resample: 0, mutate: {lr: [1e-3, 2e-3, 4e-3]}}
  stop: {training_iteration: 40}
  checkpoint_config: {checkpoint_frequency: 4, num_to_keep: 2}
  config:
    env_config: {delay: 2, pause: 0.001}
    seed: 1
    lr: 2.0e-3
    num_env_runners: 1
    num_envs_per_env_runner: 16
    rollout_fragment_length: 15
    model: {encoder: {type: mlp, hidden: [8]}, core: {type: lstm, size: 8}}
"""
EVERY, LAST = 4, 40
EACH = 2  # CPUs of a node, and of a member: one member for each node
PATIENCE = 540  # s


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with room for a member each; whoever takes one away puts another in its place."""
    made = Cluster()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
        patch.setenv("RAY_worker_niceness", "0")  # other tests of the machine would leave them nothing
        try:
            for _ in range(2):
                add_node(made)
            yield made
        finally:
            made.shutdown()


def add_node(cluster):
    """Adds a node; its parts have half a minute to start, which on a busy machine takes several tries."""
    for left in reversed(range(5)):
        try:
            cluster.add_node(num_cpus=EACH, include_dashboard=False)
        except Exception:
            if not left:
                raise
        else:
            return


@pytest.fixture
def start(cluster, tmp_path):
    """Starts the command, which prints into a file; ends what is left of it."""
    started = []

    def run(*more):
        started.append(begun(cluster, tmp_path, *more))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def begun(cluster, folder, *more):
    """The process of the command."""
    file = folder / "killed.yaml"
    file.write_text(POPULATION)
    arguments = ("-f", file, "--local-dir", folder, "--ray-address", cluster.address, *more)
    with (folder / "printed").open("a") as printed:
        return subprocess.Popen(
            command("train", *arguments),
            stdout=printed,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,
        )


def reports(folder):
    """Of each member by its number, as far as they are written."""
    found = {}
    for record in sorted((folder / "killed").glob("RecurrentPPO_*/run.json")):
        lines = record.with_name("result.json")
        rows = lines.read_text().splitlines() if lines.exists() else []
        member = json.loads(record.read_text())["trial_config"]["population"]["member"]
        found[member] = [json.loads(row) for row in rows if row.endswith("}")]
    return found


def wait_for(condition, process, folder):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, (folder / "printed").read_text()
        assert time.monotonic() < deadline, (folder / "printed").read_text()
        time.sleep(0.1)


def lineage(folder):
    lines = (folder / "killed" / "population.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def titled(cluster, title):
    """The processes of a cluster's nodes whose title begins so."""
    nodes = (cluster.head_node, *cluster.worker_nodes)
    raylets = [process.pid for node in nodes for name, process in node.live_processes() if name == "raylet"]
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and (entry / "cmdline").read_bytes().startswith(title.encode()):
                found.append(int(entry.name))
        except OSError:  # it has ended
            continue
    return found


def kill(victim, cluster, process, folder):
    """Kills one of what the run consists of; returns whether it has to be resumed by hand."""
    if victim == "node":
        (node,) = cluster.worker_nodes
        cluster.remove_node(node, allow_graceful=False)
        add_node(cluster)  # as whoever runs a cluster does
        return False
    pid = {
        "runner": lambda: titled(cluster, "ray::ColumnarEnvRunner")[0],
        "trial": lambda: reports(folder)[0][-1]["pid"],
        "board": lambda: titled(cluster, "ray::Board")[0],
        "driver": lambda: process.pid,
    }[victim]()
    os.kill(pid, signal.SIGKILL)
    return victim == "driver"


@pytest.mark.slow
@pytest.mark.parametrize("repetition", range(int(os.environ.get("ENGRAM_KILLS", "1"))))
@pytest.mark.parametrize("victim", ["runner", "trial", "driver", "board", "node"])
def test_a_population_outlives_it(victim, repetition, cluster, start, tmp_path):
    process = start()
    wait_for(
        lambda: [len(rows) > 2 * EVERY for rows in reports(tmp_path).values()] == [True] * 2,
        process,
        tmp_path,
    )
    before, looks = reports(tmp_path), lineage(tmp_path)
    if kill(victim, cluster, process, tmp_path):
        process.wait(60)
        process = start("--resume")
    process.wait(PATIENCE)
    printed = (tmp_path / "printed").read_text()
    assert process.returncode == 0, printed
    assert "Traceback" not in printed
    for member, rows in reports(tmp_path).items():
        assert [row["training_iteration"] for row in rows] == list(range(1, LAST + 1)), printed
        begun = [row["training_iteration"] for row in rows if row["iterations_since_restore"] == 1][1:]
        assert len(begun) <= 1
        assert all(first > len(before[member]) - EVERY for first in begun), (begun, len(before[member]))
        assert begun or victim in ("runner", "board", "node") or (victim, member) == ("trial", 1)
        kept = [
            each for each in looks if each["member"] == member and (not begun or each["iteration"] < begun[0])
        ]
        assert [each for each in lineage(tmp_path) if each["member"] == member][: len(kept)] == kept
