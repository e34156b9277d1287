"""Folders as `rllib train` leaves them, with reports that a test makes up."""

import json
import math

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


def look(member, number, donor, steps, *, donor_steps=None, copied=True, after=None):
    """One line of `population.jsonl`."""
    return {
        "member": member, "look": number, "donor": donor, "copied": copied, "why": "", "env_steps": steps,
        "episodes": steps, "iteration": steps // 1000, "p": 0.01, "mean": 0.1, "n": 50, "donor_mean": 0.5,
        "donor_n": 60, "donor_env_steps": donor_steps, "before": {"lr": 1.0}, "after": after or {"lr": 1.0},
    }  # fmt: skip


def make_population(folder):
    """Three members, 6 reports of 1000 env steps each; member 2 copied 1, which had copied 0.

    Member 1 goes from lr 2 to 20 as it copies member 0 at 3000 of its own, of 2000 of the other's; member 2
    copies that at 5000 of its own, of 4000. Returns the experiment's folder.
    """
    rates = [[1.0] * 6, [2.0] * 3 + [20.0] * 3, [3.0] * 5 + [30.0]]
    returns = [[0.1] * 6, [0.2] * 6, [0.3] * 3 + [math.nan] + [0.5] * 2]
    for member, (lr, mean) in enumerate(zip(rates, returns, strict=True)):
        settings = {"lr": lr[0], "gamma": 0.9, "population": {"member": member}, "seed": member}
        trial = make_trial(folder, env_config={"level": 0}, config=settings, episode_return_mean=mean)
        lines = [json.loads(line) for line in (trial / "result.json").read_text().splitlines()]
        for line, value in zip(lines, lr, strict=True):
            line["hyperparameters"] = {"lr": value, "gamma": 0.9 if value < 20 else 0.99}
        (trial / "result.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
        record = json.loads((trial / "run.json").read_text())
        record["experiment"] |= {"run": "RecurrentPPO", "checkpoint_config": {"checkpoint_frequency": 3}}
        (trial / "run.json").write_text(json.dumps(record))
    looks = [
        look(1, 1, 0, 3000, donor_steps=2000, after={"lr": 20.0, "gamma": 0.99}),
        look(0, 1, 2, 3000, copied=False, donor_steps=3000),
        look(2, 1, 1, 5000, donor_steps=4000, after={"lr": 30.0, "gamma": 0.99}),
    ]
    (folder / "population.jsonl").write_text("".join(json.dumps(each) + "\n" for each in looks))
    return folder
