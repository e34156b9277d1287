"""Folders as `rllib train` leaves them, with reports that a test makes up."""

import json

TMAZE = "engram/TMaze-v0"


def make_trial(experiment, *, env_config, env=TMAZE, done=True, groups=None, config=None, **metrics):
    """Write a trial into an experiment's folder.

    Args:
        experiment: The folder; its name is the experiment's.
        env_config: Settings of the environment.
        env: The environment's id.
        done: Whether the last report says so.
        groups: Group -> metric -> a value for each report.
        config: Other settings.
        metrics: A list for each metric, with a value for each report.

    Returns:
        The trial's folder.
    """
    folder = experiment / f"trial_{len(list(experiment.glob('trial_*'))):02d}"
    folder.mkdir(parents=True)
    record = {
        "experiment": {"name": experiment.name, "env": env},
        "trial_config": {"env_config": env_config, "seed": 0, **(config or {})},
    }
    (folder / "run.json").write_text(json.dumps(record))
    count = len(next(iter(metrics.values()), []))
    with (folder / "result.json").open("w") as file:
        for index in range(count):
            values = _at(metrics, index)
            if groups:
                values["groups"] = {name: _at(series, index) for name, series in groups.items()}
            print(json.dumps(report(index + 1, done and index == count - 1, values)), file=file)
    return folder


def report(iteration, done, values):
    """One line of `result.json`."""
    return {
        "training_iteration": iteration,
        "timesteps_total": 1000 * iteration,
        "done": done,
        "env_runners": {"num_episodes_in_window": 9, **values},
    }


def _at(series, index):
    return {name: values[index] for name, values in series.items()}
