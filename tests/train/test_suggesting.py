"""`search_alg: optuna`: what a study is asked and told, what it is made from again, what cannot be."""

import json
import math
import os
import signal
import subprocess
import sys
from statistics import mean

import pytest
from ray.tune.experiment import Experiment as TuneExperiment
from rllib_process import command, environment, heed_ctrl_c

from engram.train.console.errors import ExperimentError
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.experiments.search import split
from engram.train.experiments.search_algorithms import OptunaOptions, score_of
from engram.train.plans.changes import ResumedRun
from engram.train.plans.header import rows
from engram.train.plans.plan import make_plan, resolved
from engram.train.running import suggesting
from engram.train.running.suggesting import Suggesting, Suggestions, given_space, suggestions
from engram.train.runs.results import read_trials
from engram.train.runs.tune_state import check_restorable, unfinished_trials

CUE = "small_envs:small/Cue-v0"
MODEL = {"encoder": {"type": "mlp", "hidden": [4]}, "core": {"type": "lstm", "size": 4}}
RATE = {"lr": {"loguniform": [1e-5, 1e-1]}}
RETURN = "env_runners/episode_return_mean"


def plan(search_alg="optuna", config=RATE, seeds=None, **section):
    settings = {"seed": 3, "num_envs_per_env_runner": 4, "rollout_fragment_length": 5, "model": MODEL}
    whole = {"env": CUE, "run": "RecurrentPPO", "search_alg": search_alg, **section}
    document = {"cue": whole | {"config": {**settings, **config}}}
    (read,), _ = read_experiments(document, Overrides(seeds=seeds))
    return make_plan(read)


def error_of(*arguments, **settings):
    with pytest.raises(ExperimentError) as caught:
        plan(*arguments, **settings)
    return str(caught.value)


def searcher(config, score=(RETURN, "max"), **options):
    return Suggesting(split(config, "config")[1], OptunaOptions(**options), score)


@pytest.mark.parametrize(
    ("search_alg", "said"),
    [
        ("optna", "search_alg.type: unknown 'optna'; did you mean 'optuna'? known: optuna, random"),
        ({"seed": 3}, "search_alg.type: missing; known: optuna, random"),
        (7, "search_alg: expected a name, or {type: NAME, ...}, got 7"),
        ({"type": "optuna", "sead": 3}, "search_alg.sead: unknown key; did you mean 'seed'?"),
        ({"type": "optuna", "sampler": "cmaes"}, "search_alg.sampler: unknown 'cmaes'; known: gp, random"),
        ({"type": "optuna", "startup": 0}, "search_alg.startup: expected an integer >= 1, got 0"),
        ({"type": "random", "seed": 3}, "search_alg.seed: unknown key; known:"),
        ("HyperOptSearch", "search_alg: HyperOptSearch: not used; search spaces are grids and random draws"),
        ({"type": "optuna", "metric": "episode_len_mean"}, "search_alg.metric: not used; the score is"),
        ({"type": "optuna", "mode": "min"}, "search_alg.mode: not used; see checkpoint_config.checkpoint_"),
    ],
)
def test_what_is_wrong_with_a_search_algorithm(search_alg, said):
    assert error_of(search_alg).startswith(said)


def test_what_cannot_be_suggested(monkeypatch):
    grid = "a grid_search, which search_alg: optuna does not go through; use choice, or leave search_alg out"
    assert error_of(config={"lr": {"grid_search": [1e-3, 1e-4]}}) == f"config.lr: {grid}"
    assert error_of(env={"grid_search": [CUE, CUE]}, config=RATE) == f"env: {grid}"
    assert error_of(seeds=3) == f"config.seed: {grid.replace('h,', 'h (which --seeds makes of it),', 1)}"
    inner = {"type": "lstm", "size": {"choice": [4, 8]}}
    nested = error_of(config={"model": {**MODEL, "core": {"choice": [inner, {"type": "gru", "size": 4}]}}})
    assert nested == "config.model.core: a search space inside another: not with search_alg: optuna"
    assert error_of(config={}).startswith("search_alg: optuna has nothing to search: no setting is a search")
    scheduler = {"type": "pbt", "members": 2, "mutate": {"gamma": [0.9, 0.99]}}
    assert "search_alg: optuna beside scheduler: pbt, whose members all start at once; keep one" in error_of(
        scheduler=scheduler
    )
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert error_of() == "search_alg: optuna needs one more package: pip install 'engram[optuna]'"


def test_old_files_mean_the_same():
    old = {"type": "OptunaSearch", "metric": "episode_reward_mean", "mode": "max", "n_startup_trials": 4}
    assert plan(old).experiment.search_alg == {"type": "optuna", "startup": 4}
    for name in ("random", "BasicVariantGenerator", "variant_generator", None, False, {}, []):
        made = plan(name)
        assert suggestions(made) is None
        assert [label for label, _ in rows(made) if label == "search"] == []
    assert "search_alg" not in resolved(plan({}))


def test_header_and_notices():
    made = plan({"type": "optuna", "startup": 4}, num_samples=20)
    assert dict(rows(made))["search"] == f"optuna: tpe, the larger {RETURN} the better; 4 at random first"
    assert made.notices == ()
    keeping = {"checkpoint_score_attribute": "env_runners/episode_len_mean", "checkpoint_score_order": "min"}
    made = plan({"type": "optuna", "sampler": "random"}, checkpoint_config=keeping)
    assert dict(rows(made))["search"] == "optuna: random, the smaller env_runners/episode_len_mean the better"
    assert made.notices == ()
    assert score_of(made.experiment) == ("env_runners/episode_len_mean", "min")
    drawn = "search_alg.startup: 10, and num_samples is 10: every trial is drawn at random"
    assert plan(num_samples=10).notices == (drawn,)


SPACES = {
    "gamma": {"uniform": [0.9, 0.99]},
    "lr": {"loguniform": [1e-5, 1e-2]},
    "lambda_": {"quniform": [0.5, 1.0, 0.25]},
    "num_epochs": {"randint": [1, 4]},
    "model": {"core": {"size": {"quniform": [4, 12, 4]}}, "head": {"choice": [{"hidden": [4]}, {}]}},
}


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 12), ("random", 12), ("gp", 5)])
def test_settings_lie_in_their_spaces(sampler, trials):
    """Under the names of a trial's settings; mappings stay mappings, whole numbers whole."""
    suggested = searcher(SPACES, sampler=sampler, startup=3)
    found = []
    for number in range(trials):
        found.append(suggested.suggest(f"t{number}"))
        suggested.on_trial_complete(f"t{number}", {RETURN: float(number)})
    assert all(0.9 <= each["gamma"] <= 0.99 and 1e-5 <= each["lr"] <= 1e-2 for each in found)
    assert {each["lambda"] for each in found} <= {0.5, 0.75, 1.0}
    assert {each["num_epochs"] for each in found} <= {1, 2, 3}
    sizes = [each["_model_config"]["core"]["size"] for each in found]
    assert set(sizes) <= {4, 8, 12}
    assert all(isinstance(size, int) for size in sizes)
    assert all(each["_model_config"]["head"] in ({"hidden": [4]}, {}) for each in found)
    assert len({str(each) for each in found}) == trials


def test_what_a_study_is_told():
    """The score of the last result, as Tune gives it, flat; no score and failures are failures."""
    suggested = searcher(RATE, score=("evaluation/env_runners/success_rate", "min"))
    score = "evaluation/env_runners/success_rate"
    results = [{score: 0.5}, {score: math.nan}, {}, None, {score: 0.25}, {RETURN: 1.0}]
    for number, result in enumerate(results):
        suggested.suggest(f"t{number}")
        suggested.on_trial_complete(f"t{number}", result, error=number == 4)
        suggested.on_trial_complete(f"t{number}", {score: 9.0})  # what has been told stays
    suggested.suggest("running")
    suggested.on_trial_complete("of nobody", {score: 1.0})
    trials = suggested._study.trials
    assert [trial.value for trial in trials] == [0.5, None, None, None, None, None, None]
    assert [trial.state.name for trial in trials] == ["COMPLETE", *["FAIL"] * 5, "RUNNING"]
    assert suggested._study.direction.name == "MINIMIZE"
    assert suggested.made == 7


def best_of(sampler, seed, trials=30):
    """The best score where it falls with the distance from one rate and one discount."""
    suggested, scores = searcher(RATE | {"gamma": {"uniform": [0, 1]}}, sampler=sampler, seed=seed), []
    for number in range(trials):
        found = suggested.suggest(f"t{number}")
        scores.append(-((math.log10(found["lr"]) + 3) ** 2) - (4 * found["gamma"] - 1) ** 2)
        suggested.on_trial_complete(f"t{number}", {RETURN: scores[-1]})
    return max(scores)


def test_scores_help():
    drawn = mean(best_of("random", seed) for seed in range(5))
    assert mean(best_of("tpe", seed) for seed in range(5)) > drawn / 2
    assert best_of("gp", 0, trials=14) > drawn / 2


def tune_record(folder, trials):
    """Tune's record of trials, and their folders: (trial id, status, settings, score or None)."""
    data = []
    for trial_id, status, config, score in trials:
        data.append([json.dumps({"trial_id": trial_id, "status": status, "config": config}), "{}"])
        (folder / trial_id).mkdir()
        (folder / trial_id / "run.json").write_text(json.dumps({"experiment": {}, "trial_id": trial_id}))
        if score is not None:
            reports = [
                {"training_iteration": n, "env_runners": {"episode_return_mean": n * score}} for n in (0, 1)
            ]
            lines = "".join(json.dumps(report) + "\n" for report in reports)
            (folder / trial_id / "result.json").write_text(lines)
    (folder / "experiment_state-1.json").write_text(json.dumps({"trial_data": data}))


def test_a_run_goes_on_as_if_it_had_not_ended(tmp_path):
    """Made again from Tune's record and the results, a study suggests what it would have suggested."""
    spaces = SPACES | {"grad_clip": {"choice": [1, 1.0, None, True]}}
    straight, trials = searcher(spaces, startup=2), []
    for number in range(6):
        config = straight.suggest(f"t{number}")
        ends = number not in (1, 5)
        score = None if number == 2 or not ends else config["gamma"]
        if ends:
            straight.on_trial_complete(f"t{number}", score and {RETURN: score})
        status = "TERMINATED" if ends else "RUNNING"
        trials.append((f"t{number}", status, {**config, "seed": 1}, score))
    tune_record(tmp_path, trials)
    again = searcher(spaces, startup=2)
    over = {trial_id for trial_id, status, *_ in trials if status == "TERMINATED"}
    suggesting._recall_all(again, tmp_path, over)
    assert again.made == 6
    for number in range(6, 9):
        assert again.suggest(f"t{number}") == straight.suggest(f"t{number}")
        for each in (again, straight):
            each.on_trial_complete({6: "t1", 7: "t5", 8: "t7"}[number], {RETURN: number / 10})
    values = [[trial.value for trial in each._study.trials] for each in (again, straight)]
    assert values[0] == values[1]
    tune_record(tmp_path / "t0", [("t9", "RUNNING", {"seed": 1}, None)])
    with pytest.raises(ExperimentError, match="Tune's record lacks the settings of trial t9; start anew"):
        suggesting._recall_all(again, tmp_path / "t0", set())


def test_trials_are_made_of_suggestions(tmp_path):
    """As many as there are samples, a mapping in place of another one; what is stored says how many."""
    spaces = {"env_config": {"choice": [{"delay": 2}, {}]}, **RATE}
    made = plan({"type": "optuna", "seed": 1}, config=spaces, num_samples=4)
    generator = suggestions(made)
    assert isinstance(generator, Suggestions)
    experiment = TuneExperiment("cue", run=lambda config: None, num_samples=4, storage_path=tmp_path)
    experiment.spec["config"] = {key: given_space(made)[key] for key in ("env", "env_config", "lr", "seed")}
    generator.add_configurations([experiment])
    trials = [generator.next_trial() for _ in range(3)]
    assert {str(trial.config["env_config"]) for trial in trials} == {"{}", "{'delay': 2}"}
    assert all(trial.config["env"] == CUE and trial.config["seed"] == 3 for trial in trials)
    generator.save_to_dir(str(tmp_path), "now")
    assert [file.name for file in tmp_path.glob("search*")] == ["search_gen_state-now.json"]
    again = suggestions(made)
    for trial in trials[:2]:  # a record of trials that is older than the search's own
        again.searcher.recall(trial.trial_id, trial.config)
    again.restore_from_dir(str(tmp_path))
    assert again.next_trial().config["lr"] == trials[2].config["lr"]
    assert again.next_trial() is not None
    assert (again.next_trial(), again.is_finished()) == (None, True)


def test_what_is_left_counts_trials_that_are_not_made(tmp_path):
    tune_record(tmp_path, [("a", "TERMINATED", {}, 0.5), ("b", "TERMINATED", {}, 0.5)])
    assert (unfinished_trials(tmp_path), unfinished_trials(tmp_path, 5)) == (0, 3)
    run = ResumedRun({}, 0, 2, {}, unmade=3)
    assert (run.is_over, str(run)) == (
        False, "0 of 2 trials and 3 that are still to be made, with its stored settings",
    )  # fmt: skip
    assert ResumedRun({}, 0, 2, {}).is_over
    with pytest.raises(ExperimentError, match="Tune's record of what is still to be tried is missing"):
        check_restorable(tmp_path, 3)
    (tmp_path / "experiment_state-1.json").unlink()
    (tmp_path / "search_gen_state-1.json").write_text("broken")
    with pytest.raises(ExperimentError, match=r"search_gen_state-1.json is broken"):
        check_restorable(tmp_path, 3)


SEARCHED = f"""
found:
  env: {CUE}
  run: RecurrentPPO
  num_samples: 4
  search_alg: {{type: optuna, startup: 1, seed: 4}}
  resources: {{cpus_per_trial: 10}}
  stop: {{training_iteration: 3}}
  checkpoint_config: {{checkpoint_frequency: 1}}
  config:
    env_config: {{choice: [{{delay: 2}}, {{}}]}}
    seed: 1
    lr: {{loguniform: [1.0e-4, 1.0e-2]}}
    num_envs_per_env_runner: 8
    rollout_fragment_length: 6
    model: {{encoder: {{type: mlp, hidden: [4]}}, core: {{type: lstm, size: {{quniform: [4, 12, 4]}}}}}}
"""


@pytest.mark.slow
def test_a_search_is_interrupted_and_goes_on(trained, shared_ray, tmp_path):
    """One trial at a time; what is suggested after the resume follows from what came before it."""
    file = tmp_path / "found.yaml"
    file.write_text(SEARCHED)
    words = ("train", "-f", file, "--local-dir", tmp_path, "--ray-address", shared_ray)
    process = subprocess.Popen(
        command(*words), env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    begun = list(iter_until(process.stdout, "iteration 3", "iteration 1"))
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=240)[0]
    assert process.returncode == 130, "".join(begun) + said
    assert "resume with: rllib train -f" in said
    before = {trial.folder: trial.config for trial in read_trials(tmp_path / "found")}
    assert len(before) == 2
    done = trained("-f", file, "--local-dir", tmp_path, "--resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of 3 trials and 1 that are still to be made, with its stored settings" in done.stdout
    trials = {trial.folder: trial for trial in read_trials(tmp_path / "found")}
    assert len(trials) == 4
    assert all(trials[folder].config == config for folder, config in before.items())
    assert [len(trial.reports) for trial in trials.values()] == [3] * 4
    assert len({trial.config["lr"] for trial in trials.values()}) == 4
    assert {str(trial.config["env_config"]) for trial in trials.values()} <= {"{}", "{'delay': 2}"}
    again = trained("-f", file, "--local-dir", tmp_path, "--resume")
    assert again.stderr.startswith("error: --resume: every trial in")


def iter_until(lines, *texts):
    """Lines until one with each of the texts, in their order, has come."""
    texts = list(texts)
    for line in lines:
        yield line
        if texts and texts[0] in line:
            del texts[0]
        if not texts:
            return
    pytest.fail(f"no line with {texts[0]!r}")
