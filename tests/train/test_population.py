"""`scheduler:` from the file to the picture; members that train, and runs that are made up."""

import csv
import json
import math

import numpy as np
import pytest
import yaml
from made_up_runs import look, make_population
from ray.tune.experiment import Trial

from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.plans.header import rows
from engram.train.plans.plan import make_plan, resolved
from engram.train.population.lineage import FILE, Stretch, read_lineage, read_looks
from engram.train.population.log import PopulationLog
from engram.train.population.replay import experiment, replay_of
from engram.train.running.cluster import RayOptions, check_resources
from engram.train.running.halving import Halving, scheduler

CUE = "small_envs:small/Cue-v0"
MODEL = {"encoder": {"type": "mlp", "hidden": [4]}, "core": {"type": "lstm", "size": 4}}
RATES = {"lr": {"loguniform": [1e-5, 1e-2]}}


def plan(scheduler=None, run="RecurrentPPO", env=CUE, config=None, **section):
    settings = {"seed": 3, "num_envs_per_env_runner": 4, "rollout_fragment_length": 5, "model": MODEL}
    whole = {"env": env, "run": run, "scheduler": scheduler, **section}
    document = {"cue": whole | {"config": {**settings, **(config or {})}}}
    (read,), _ = read_experiments(document, Overrides())
    return make_plan(read)


def error_of(*arguments, **settings):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the message is compared
        plan(*arguments, **settings)
    return str(caught.value)


PBT = {"type": "pbt", "members": 4, "mutate": {"lr": [1e-3, 1e-2]}}
PB2 = {**PBT, "type": "pb2"}


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        ("papr_pbt", "scheduler.type: unknown 'papr_pbt'; did you mean 'paper_pbt'? known: asha, fifo"),
        ({"members": 3}, "scheduler.type: missing; known: asha, fifo, paper_pbt, pb2, pbt"),
        ({"type": "paper_pbt", "windw": 3}, "scheduler.windw: unknown key; did you mean 'window'? known:"),
        ({"type": "paper_pbt", "members": 3, "p_value": 2}, "scheduler.p_value: expected a number > 0"),
        ({"type": "paper_pbt", "window": 1, "members": 3}, "scheduler.window: expected an integer >= 2"),
        ("paper_pbt", "scheduler.members: missing, and the experiment has one trial; legal: 2 or more"),
        ({"type": "pbt", "members": 4}, "scheduler.mutate: missing"),
        ({**PBT, "mutate": {}}, "scheduler.mutate: empty; known: lr, entropy_coeff, gamma"),
        ({**PBT, "mutate": {"lrr": [1, 2]}}, "scheduler.mutate.lrr: unknown key; did you mean 'lr'?"),
        ({**PBT, "mutate": {"lr": 0.1}}, "scheduler.mutate.lr: expected a list of values, or a search space"),
        ({**PBT, "mutate": {"lr": ["a"]}}, "scheduler.mutate.lr: expected numbers, got 'a'"),
        ({**PBT, "mutate": {"gamma": [0.9, 2.0]}}, "scheduler.mutate.gamma: 2.0 is out of range"),
        ({**PBT, "mutate": {"lr": {"uniform": [2, 1]}}}, "scheduler.mutate.lr.uniform: bounds must rise"),
        ({**PB2, "mutate": {"lr": {"choice": [1, 2]}}}, "scheduler.mutate.lr: expected [lower, upper], or"),
        ({**PB2, "mutate": {"lr": [1, 2, 3]}}, "scheduler.mutate.lr.uniform: expected [lower, upper]"),
        ({**PB2, "factors": [2]}, "scheduler.factors: unknown key; known:"),
        (7, "scheduler: expected a name, or {type: NAME, ...}, got 7"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_scheduler(scheduler, said):
    assert error_of(scheduler).startswith(said)


def test_what_a_population_cannot_be():
    stock = error_of(PBT, run="PPO", config={"model": {}, "rollout_fragment_length": 5})
    assert "scheduler: pbt is for our own algorithms (RecurrentPPO, RecurrentA2C" in stock
    assert "scheduler.members: 4, but the experiment has 3 trials" in error_of(PBT, num_samples=3)
    searched = error_of(PBT, config={"env_config": {"delay": {"choice": [1, 2]}}})
    assert searched.startswith(
        "env_config.delay: a search space, but members of a population copy each other"
    )
    sizes = {**MODEL, "core": {"type": "lstm", "size": {"choice": [4, 8]}}}
    assert "parameters in one population" in error_of(PBT, config={"model": sizes})
    assert "resources.cpu_per_trial: unknown key; did you mean 'cpus_per_trial'?" in error_of(
        PBT, resources={"cpu_per_trial": 1}
    )
    assert "resources.cpus_per_trial: 0 is out of range; legal: more than 0" in error_of(
        PBT, resources={"cpus_per_trial": 0}
    )


def test_members_have_values_of_their_own():
    """Grids in turn, draws that are the same in every run, seeds that count up; one place for each."""
    settings = {"lr": {"loguniform": [1e-4, 1e-2]}, "gamma": {"grid_search": [0.9, 0.99]}}
    scheduler = {"type": "paper_pbt", "seed": 5}
    made = plan(scheduler, config=settings, num_samples=2)
    values = {place: domain.examples() for place, domain in made.domains.items()}
    assert values[("population", "member")] == (0, 1, 2, 3)
    assert values[("gamma",)] == (0.9, 0.99, 0.9, 0.99)
    assert values[("seed",)] == (3, 4, 5, 6)
    assert len(set(values[("lr",)])) == 4
    assert values == {
        place: domain.examples()
        for place, domain in plan(
            {"type": "paper_pbt", "seed": 5}, config=settings, num_samples=2
        ).domains.items()
    }
    assert (made.trials, made.samples, made.seeds) == (4, 1, [3, 4, 5, 6])
    assert made.config.population["shown"] == ("lr", "gamma")
    assert resolved(made)["max_failures"] == 3
    assert plan({"type": "paper_pbt", "members": 3}, max_failures=0).experiment.max_failures == 0


def test_old_files_mean_the_same():
    old = {
        "scheduler": "PopulationBasedTraining",
        "scheduler_config": {
            "time_attr": "timesteps_total",
            "metric": "episode_reward_mean",
            "mode": "max",
            "perturbation_interval": 2000,
            "hyperparam_mutations": {"lambda": [0.8, 0.9]},
            "resample_probability": 0.5,
        },
        "num_samples": 3,
    }
    made = plan(**old)
    assert made.experiment.scheduler == {
        "type": "pbt", "interval_timesteps": 2000, "mutate": {"lambda": [0.8, 0.9]}, "resample": 0.5,
    }  # fmt: skip
    assert made.config.population["scheduler"]["mutate"] == {"lambda_": [0.8, 0.9]}
    bounds = {"hyperparam_bounds": {"lr": [1e-4, 1e-2]}}
    bandit = plan("PB2", scheduler_config=bounds, num_samples=3).config.population["scheduler"]
    assert (bandit["type"], bandit["mutate"]) == ("pb2", {"lr": {"uniform": [1e-4, 1e-2]}})
    text = "scheduler.time_attr: not used; time is counted in env steps"
    assert text in error_of("pbt", scheduler_config={"time_attr": "training_iteration"})


def test_options_of_the_command(typed, tmp_path):
    settings = ["--set", "config.num_envs_per_env_runner=4", "--set", f"config.model={json.dumps(MODEL)}"]
    words = ["--run", "RecurrentPPO", "--env", CUE, *settings, "--scheduler", "pbt", "--dry-run"]
    options = "{members: 4, mutate: {lr: [1e-3, 1e-2]}}"
    code, out, err = typed("train", *words, "--scheduler-config", options)
    assert (code, err) == (0, "")
    assert "population   pbt: 4 members; from 200,000 env steps on, every 200,000" in out
    assert typed("train", *words)[0] == 2


def test_members_train_all_at_once():
    scheduler = {"type": "paper_pbt", "members": 9}
    with pytest.raises(ValueError, match=r"9 in all, and there are 2; .*: {cpus_per_trial: 0\.22}"):
        check_resources(plan(scheduler), RayOptions(cpus=2))
    check_resources(plan(scheduler, resources={"cpus_per_trial": 0.22}), RayOptions(cpus=2))
    several = plan(scheduler, resources={"cpus_per_trial": 0.3}, config={"num_env_runners": 2})
    assert several.config.num_cpus_per_env_runner == 0.1
    assert plan(config={"num_cpus_for_main_process": 0.5}).config.num_cpus_for_main_process == 0.5
    with pytest.raises(ValueError, match=r"0\.5 GPUs each, 4\.5 in all, and there are 1"):
        check_resources(plan(scheduler, resources={"gpus_per_trial": 0.5}), RayOptions(cpus=64, gpus=1))


def test_the_log_keeps_what_happened(tmp_path, capsys):
    """A line for each look; those of a member that goes back are taken out, whoever reads them later."""

    def tell(log, member, looks, *found):
        trial = Trial("PPO", stub=True)
        trial.config = {"population": {"member": member}}
        result = {"population": {"found": list(found), "looks": looks, "copies": 0}}
        log.on_trial_result(1, [], trial, result)
        return result["population"]

    log = PopulationLog(tmp_path)
    one, two, other = (
        look(0, 1, 1, 1000, donor_steps=900),
        look(0, 2, 1, 2000, copied=False),
        look(1, 1, 0, 1500),
    )
    assert tell(log, 0, 1, one) == {"looks": 1, "copies": 0}
    said = capsys.readouterr().out
    assert said.startswith(
        "population: at 1,000 env steps member 0 takes the weights of member 1 (mean return 0.5"
    )
    tell(log, 1, 1, other)
    tell(log, 0, 2, two)
    assert read_looks(tmp_path) == [one, other, two]
    with (tmp_path / FILE).open("a") as file:
        file.write('{"member": 0, "lo')
    log = PopulationLog(tmp_path)
    tell(log, 0, 1)
    assert read_looks(tmp_path) == [one, other]
    again = look(0, 2, 1, 2000, donor_steps=1900)
    tell(log, 0, 2, again)
    assert read_looks(tmp_path) == [one, other, again]


@pytest.fixture
def population(tmp_path):
    return make_population(tmp_path / "tmaze_pbt")


def test_whose_training_the_best_comes_from(population):
    lineage = read_lineage(population)
    assert lineage.best() == 2
    assert lineage.ancestry(2) == [Stretch(0, 0, 2000), Stretch(1, 3000, 4000), Stretch(2, 5000, 6000)]
    assert lineage.ancestry(0) == [Stretch(0, 0, 6000)]
    assert lineage.ancestry(1) == [Stretch(0, 0, 2000), Stretch(1, 3000, 6000)]


def test_a_schedule_is_an_ordinary_experiment(population):
    lineage = read_lineage(population)
    replay = replay_of(lineage, 2)
    assert replay.env_steps == 4000
    assert replay.schedules["lr"] == [[0, 1.0], [2000, 20.0], [3000, 30.0]]
    made = experiment(lineage, replay)
    assert made["config"] == {
        "env_config": {"level": 0},
        "seed": 2,
        "lr": [[0, 1.0], [2000, 1.0], [2001, 20.0], [3000, 20.0], [3001, 30.0]],
        "gamma": 0.9,
        "schedules": {"gamma": [[0, 0.9], [2000, 0.99]]},
    }
    assert made["stop"] == {"timesteps_total": 4000}


def test_the_written_schedule_is_accepted(population, typed, tmp_path):
    """By the command itself, without a change, with seeds of its own."""
    file = tmp_path / "replay.yaml"
    code, out, _ = typed("schedule", population, "--out", file, "--json")
    assert code == 0
    assert out.startswith(
        "member 2, 4,000 env steps in 3 stretches: member 0 0 to 2,000, member 1 3,000 to 4,000"
    )
    assert json.loads(out.splitlines()[-1])["schedules"]["gamma"] == [[0, 0.9], [2000, 0.99]]
    assert "# Env steps 2,000 to 3,000: member 1, its own 3,000 to 4,000." in file.read_text()
    assert list(yaml.safe_load(file.read_text())) == ["tmaze_pbt_replay"]
    code, out, err = typed("train", "-f", file, "--seeds", 2, "--dry-run")
    assert (code, err) == (0, "")
    assert "trials       2, seeds 2, 3" in out
    code, _, err = typed("schedule", population, "--member", 7)
    assert (code, err) == (2, f"error: --member: no member 7 in {population}; known: best, 0, 1, 2\n")


def test_picture_of_a_lineage(population, typed, tmp_path):
    code, out, _ = typed("picture", "lineage", population, "--out", tmp_path / "lineage.png")
    assert code == 0
    assert "| 2 | 6,000 | 0.5 | 1 | 1 | 0 |" in out
    assert (
        "the best, member 2, comes from: member 0 0 to 2,000, member 1 3,000 to 4,000, member 2 5,000" in out
    )
    with (tmp_path / "lineage.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["member"], row["donor"], row["copied"]) for row in rows] == [
        ("1", "0", "True"), ("0", "2", "False"), ("2", "1", "True"),
    ]  # fmt: skip
    assert (tmp_path / "lineage.png").stat().st_size > 10_000


def test_picture_of_the_best_members(population, typed, tmp_path):
    """The best two of three at each step; over a gap after a copy the line is straight."""
    settings = "{top: 2, points: 6, band: none}"
    out = tmp_path / "best.svg"
    code, _, err = typed("picture", "population", population, "--options", settings, "--out", out)
    assert (code, err) == (0, "")
    with (tmp_path / "best.csv").open() as file:
        found = [[float(value) for value in row[2:4]] for row in list(csv.reader(file))[1:]]
    assert found == [
        [1000, 0.25], [2000, 0.25], [3000, 0.25], [4000, pytest.approx(0.3)], [5000, 0.35], [6000, 0.35],
    ]  # fmt: skip
    code, _, err = typed("picture", "population", population, "--options", "{top: 5}", "--out", out)
    assert "3 members have a number at env_runners/episode_return_mean, of which the best 5 are" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "asha: at 100,000 env steps and each 4 times as many, one of 4 trials goes on"),
        ({"max_t": 500_000}, "asha: at 100,000 env steps and each 4 times as many up to 500,000, one of 4"),
    ],
)
def test_what_the_header_says_of_halving(options, said):
    assert dict(rows(plan({"type": "asha", **options})))["scheduler"].startswith(said)
    assert "scheduler" not in dict(rows(plan()))


def test_halving_ends_the_worse():
    """Of four trials that come to a rung, the later worse ones end; one without a return is the worst."""
    made = plan({"type": "asha", "grace_period": 100, "reduction_factor": 2})
    assert isinstance(scheduler(made).halving, Halving)
    halving = scheduler(made).halving
    ends = {}
    for name, mean in (("good", 1.0), ("worse", 0.5), ("better", 2.0), ("nothing", math.nan)):
        trial = Trial("PPO", trial_id=name, stub=True)
        halving.add(trial)
        for steps in (50, 100, 150):
            result = {
                "timesteps_total": steps,
                "env_runners/episode_return_mean": mean,
            }  # flat, as Tune's are
            ends.setdefault(name, []).append(halving.ends(trial, result))
    assert ends == {
        "good": [False] * 3,
        "worse": [False, True, False],
        "better": [False] * 3,
        "nothing": [False, True, False],
    }


FORCED = """
forced:
  env: small_envs:small/Cue-v0
  run: RecurrentPPO
  num_samples: 3
  scheduler:
    {type: pbt, interval_timesteps: 480, quantile: 0.5, resample: 0, mutate: {lr: [1e-3, 2e-3, 4e-3]}}
  resources: {cpus_per_trial: 0.5}
  stop: {training_iteration: 12}
  checkpoint_config: {checkpoint_frequency: 6}
  config:
    env_config: {delay: 2}
    seed: 1
    lr: {grid_search: [2.0e-3]}
    num_envs_per_env_runner: 16
    rollout_fragment_length: 15
    model: {encoder: {type: mlp, hidden: [8]}, core: {type: lstm, size: 8}}
"""


def test_a_population_trains(trained, tmp_path):
    """Three members on one machine: copies are made, and all that is written of them agrees."""
    (tmp_path / "forced.yaml").write_text(FORCED)
    done = trained("-f", tmp_path / "forced.yaml", "--local-dir", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lineage = read_lineage(tmp_path / "forced")
    assert list(lineage.trials) == [0, 1, 2]
    names = [trial.folder.name for trial in lineage.trials.values()]
    assert all(f"_member={n}_seed={n + 1}_" in name for n, name in enumerate(names)), names
    assert lineage.copies, "returns of nine tries of a coin are seldom equal"
    assert done.stdout.count("takes the weights of member") == len(lineage.copies)
    for member, trial in lineage.trials.items():
        own = [each for each in lineage.looks if each["member"] == member]
        assert [each["look"] for each in own] == list(range(1, len(own) + 1))
        assert [report["training_iteration"] for report in trial.reports] == list(range(1, 13))
        assert np.all(np.diff([report["timesteps_total"] for report in trial.reports]) == 240)
        assert np.all(np.diff([report["time_total_s"] for report in trial.reports]) > 0)
        assert trial.reports[-1]["population"] == {"looks": len(own), "copies": sum(e["copied"] for e in own)}
        rates = [report["hyperparameters"]["lr"] for report in trial.reports]
        assert rates[0] == trial.config["lr"] == 2e-3
        for each in own:
            later = rates[each["iteration"] :]
            assert not later or later[0] == each["after"]["lr"]
            assert each["copied"] or each["after"] == each["before"]
    assert "found" not in trial.reports[-1]["population"]
