"""Ray that does not start: one more try, then one line."""

from types import SimpleNamespace

import pytest
import ray

from engram.train.console.errors import ExperimentError
from engram.train.running import cluster


@pytest.fixture
def start(monkeypatch):
    """Starts Ray with an `init` that raises these in turn; the number of calls."""
    monkeypatch.setattr("engram.train.plans.build.per_trial", lambda config, kind: 1)

    def run(*errors):
        left = list(errors)
        calls = []

        def init(**options):
            calls.append(options)
            if left:
                raise left.pop(0)

        monkeypatch.setattr(ray, "init", init)
        cluster.start_ray([SimpleNamespace(config=None)], cluster.RayOptions())
        return len(calls)

    return run


SLOW = Exception("The current node timed out during startup.\nThis could happen because ...")


def test_a_second_try(start, capsys):
    assert start() == 1
    assert capsys.readouterr().err == ""
    assert start(SLOW) == 2
    assert capsys.readouterr().err == (
        "notice: Ray did not start (The current node timed out during startup.); once more\n"
    )


@pytest.mark.parametrize(
    "error", [SLOW, TimeoutError("too slow"), ray.exceptions.RaySystemError("gone"), OSError(28, "full")]
)
def test_then_one_line(start, error):
    with pytest.raises(ExperimentError, match="Ray could not be started on this machine, twice: "):
        start(error, error)


def test_a_wrong_option_is_not_tried_again(start):
    with pytest.raises(ExperimentError, match="Ray could not be started on this machine: no such"):
        start(ValueError("no such option"))
