"""One word changes the core, the encoder or the loss; what of the other keys still holds."""

import copy
import json

import pytest
import yaml

from engram.agents import check_model, make_config
from engram.memory import CORES, core_options
from engram.train.console.errors import ExperimentError
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.experiments.inheritance import merged, read_whole_document
from engram.train.experiments.loading import shipped_configs
from engram.train.experiments.search import split
from engram.train.experiments.swap import fitted, types_of
from engram.train.plans import build
from engram.train.plans.plan import make_plan, resolved

LOW_PASS = {"type": "low_pass", "pools": 3, "size": 16, "base": 2.0, "bptt_steps": 5}
NOTICE = (
    "tmaze_concrete: core lstm: takes size 64, bptt_steps 20 (kept); drops pools, base, viewports, "
    "summariser, orthonormal, normalize, normalize_input, train_input (of low_pass)"
)
OF_CORES = [
    name
    for name in shipped_configs()
    if next(iter(read_whole_document(name).values()))["run"] != "Supervised"
]


def read(name, **settings):
    return read_experiments(read_whole_document(name), Overrides(settings))


def fit(model, **former):
    config, notices = fitted({"model": model}, former)
    return config["model"], notices


@pytest.mark.parametrize("core", CORES)
def test_any_core_takes_the_place_of_any_other_by_one_word(core):
    for name in OF_CORES:
        for experiment in read(name, **{"config.model.core.type": core})[0]:
            model = split(experiment.config, "config")[0]["model"]
            check_model(model)
            assert model["core"]["type"] == core


@pytest.mark.parametrize("core", CORES)
def test_the_headline_swap_builds_with_every_core(core):
    (experiment,), _ = read("tmaze_concrete", **{"config.model.core.type": core})
    assert make_plan(experiment).module.core == core


def test_a_notice_names_what_is_kept_and_what_is_dropped():
    (swapped,), notices = read("tmaze_concrete", **{"config.model.core.type": "lstm"})
    assert notices == [NOTICE]
    document = read_whole_document("tmaze_concrete")
    document["tmaze_concrete"]["config"]["model"]["core"]["type"] = "lstm"  # in the file
    (written,), notices = read_experiments(document, Overrides())
    assert notices == [NOTICE]
    assert written == swapped
    assert swapped.config["model"]["core"] == {"type": "lstm", "size": 64, "bptt_steps": 20}


def test_what_is_shown_and_recorded_runs_again_without_a_notice():
    (swapped,), _ = read("tmaze_concrete", **{"config.model.core.type": "lstm"})
    shown = resolved(make_plan(swapped))
    document = yaml.safe_load(yaml.safe_dump({shown.pop("name"): shown}))
    (again,), notices = read_experiments(document, Overrides())
    assert notices == []
    assert again.config == swapped.config


def test_dry_run_says_it_and_shows_what_is_in_force(typed):
    code, out, err = typed(
        "train", "-f", "tmaze_concrete", "--set", "config.model.core.type=lstm", "--dry-run"
    )
    assert (code, err) == (0, f"notice: {NOTICE}\n")
    shown = yaml.safe_load(out.partition("\nexperiment ")[0])
    assert shown["tmaze_concrete"]["config"]["model"]["core"] == {
        "type": "lstm",
        "size": 64,
        "bptt_steps": 20,
    }
    assert "warning: gradients reach back 20 env steps" in out


def test_a_key_that_no_core_knows_is_an_error_with_the_new_cores_names():
    (experiment,), notices = read(
        "tmaze_concrete", **{"config.model.core.type": "lstm", "config.model.core.sise": 3}
    )
    assert notices == [NOTICE]
    with pytest.raises(ExperimentError) as caught:
        make_plan(experiment)
    assert str(caught.value) == (
        "config.model.core.sise: unknown key; did you mean 'size'? known: bptt_steps, horizon, size"
    )


def test_a_value_left_behind_that_the_new_core_refuses_is_dropped():
    (experiment,), (notice,) = read("sequence_recall_concrete_paper", **{"config.model.core.type": "gtrxl"})
    assert "size" not in experiment.config["model"]["core"]
    assert notice.endswith("(of low_pass), size 198 (heads: expected a divisor of size 198, got 4)")
    model = {"core": {"type": "linear_attention", "size": 198, "bptt_steps": 9}}  # all keys are known to both
    assert fit(model, core=["gtrxl"]) == fit(model)  # but nobody could have written it for GTrXL
    assert fit(model, core=["lru"]) == (
        {"core": {"type": "linear_attention", "bptt_steps": 9}},
        [
            "core linear_attention: takes bptt_steps 9 (kept); "
            "drops size 198 (size: expected a multiple of heads (4), got 198)"
        ],
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"config.model.core.type": "gtrxl", "config.model.core.size": 66},  # just set, and wrong
        {"config.model.core.type": "lstm", "config.model.core.bptt_steps": -1},
        {"config.model.core.type": "low_pass", "config.model.core.size": -1},
    ],
)
def test_a_wrong_value_is_an_error(changes):
    (experiment,), _ = read("tmaze_concrete", **changes)
    with pytest.raises(ExperimentError, match=r"^config\.model\.core\.(size|heads|bptt_steps): "):
        make_plan(experiment)
    model = {"core": {"type": "lstm", "size": -3, "pools": 3}}
    assert fit(model)[0] == {"core": {"type": "lstm", "size": -3}}  # no core would take it


@pytest.mark.parametrize(
    ("model", "fit_model", "said"),
    [
        ({"core": {"type": "rims", "preset": "papr"}}, None, None),  # no one's: refused later
        ({"core": {"type": "lstm", "preset": "papr"}}, None, None),
        (
            {"core": {"type": "lstm", "preset": "paper", "size": 8}},
            {"core": {"type": "lstm", "size": 8}},
            "core lstm: takes size 8 (kept); drops preset (of rims)",
        ),
        (
            {"core": {"type": "maze_net", "preset": "mazes", "width": 8}},
            {"core": {"type": "maze_net", "width": 8}},
            "core maze_net: takes width 8 (kept); drops preset (of deep_thinking)",
        ),
        (
            {"core": {"type": "mlp", "hidden": [4], "horizon": 9}},
            {"core": {"type": "mlp", "hidden": [4]}},
            "core mlp: takes hidden [4] (kept); drops horizon (of gru, ind_rnn, lstm, ...)",
        ),
        (
            {"core": {"type": "rnn", "pools": 2, "heads": 2, "base": 2.0}},
            {"core": {"type": "rnn"}},
            "core rnn: drops pools, base (of low_pass), heads (of gtrxl, linear_attention)",
        ),
        (
            {"encoder": {"type": "mlp", "channels": [4], "size": 9}},
            {"encoder": {"type": "mlp"}},
            "encoder mlp: drops channels, size (of conv, dqn, impala, ...)",
        ),
        (
            {"encoder": {"type": "mlp", "image": {"type": "conv"}, "join": "film", "hidden": [4]}},
            {"encoder": {"type": "mlp", "hidden": [4]}},
            "encoder mlp: takes hidden [4] (kept); drops image, join (of dict)",
        ),
        ({"encoder": {"type": "dict", "image": {"type": "conv"}, "join": "film"}}, None, None),
        (
            {
                "core": {"type": "deep_thinking", "width": 8},
                "encoder": {"type": "mlp"},
                "skip": True,
                "head": {},
            },
            {"core": {"type": "deep_thinking", "width": 8}},
            "model with core deep_thinking: drops encoder, skip, head",
        ),
        (
            {"core": {"type": "lstm"}, "readout": {"top": 2}, "carry": True, "skip": False},
            {"core": {"type": "lstm"}, "skip": False},
            "model with core lstm: drops readout, carry",
        ),
        ({"core": {"type": "nothing", "pools": 3}}, None, None),
        ({"core": {"type": "no.such:Core", "pools": 3}}, None, None),
        ({"core": {"pools": 3}}, None, None),
        ({"core": 3, "encoder": [1]}, None, None),
        ({"use_lstm": True}, None, None),
        (3, None, None),
    ],
)
def test_fitting_a_model(model, fit_model, said):
    before = copy.deepcopy(model)
    fit_to, notices = fit(model)
    assert model == before
    assert fit_to == (model if fit_model is None else fit_model)
    assert notices == ([] if said is None else [said])


def test_classes_of_the_users_own():
    path = "my_cores:Patient"
    assert fit({"core": {"type": path, "patience": 4, "size": 8, "pools": 3}}) == (
        {"core": {"type": path, "patience": 4, "size": 8}},
        [f"core {path}: takes patience 4, size 8 (kept); drops pools (of low_pass)"],
    )
    written = {
        "env": "X",
        "run": "PPO",
        "config": {"model": {"core": {"type": path, "patience": 4, "size": 8}}},
    }
    (experiment,), notices = read_experiments({"e": written}, Overrides({"config.model.core.type": "lstm"}))
    assert experiment.config["model"] == {"core": {"type": "lstm", "size": 8}}
    assert notices == [f"e: core lstm: takes size 8 (kept); drops patience (of {path})"]
    assert fit({"core": {"type": "lstm", "patience": 4}})[1] == []  # in a file, nobody knows whose it was


def test_a_loss_is_swapped_alike():
    name = "prefix_sums_progressive"
    (experiment,), (notice,) = read(name, **{"config.loss.type": "final"})
    assert experiment.config["loss"] == {"type": "final"}
    assert notice == f"{name}: loss final: drops alpha (of progressive)"
    make_plan(experiment)


def test_every_thinking_network_takes_the_place_of_every_other():
    for core in ("deep_thinking", "res_net", "conv_net", "thinking_mlp", "maze_net"):
        for name in ("prefix_sums_delta", "mazes_delta", "digits_res_net_bn", "ponder_prefix_sums"):
            (experiment,), _ = read(name, **{"config.model.core.type": core})
            check_model(experiment.config["model"])


def test_a_base_with_another_type_is_replaced_whole():
    assert merged({"core": LOW_PASS}, {"core": {"type": "lstm"}}) == {"core": {"type": "lstm"}}
    (experiment,), notices = read("tmaze_lstm")
    assert experiment.config["model"]["core"] == {"type": "lstm", "size": 128, "bptt_steps": 20}
    assert notices == []


def test_python_stays_strict():
    with pytest.raises(ValueError, match=r"^model\.core\.pools: unknown key"):
        make_config("RecurrentPPO", {"core": LOW_PASS | {"type": "lstm"}})
    with pytest.raises(ValueError, match=r"^core\.pools: unknown key"):
        core_options(LOW_PASS | {"type": "lstm"})


def search(**core):
    section = {
        "env": "small_envs:small/Cue-v0",
        "run": "RecurrentPPO",
        "config": {"num_envs_per_env_runner": 4, "rollout_fragment_length": 5, "model": {"core": core}},
    }
    (experiment,), notices = read_experiments({"e": section}, Overrides())
    return make_plan(experiment), notices


def test_a_search_over_types_gives_each_its_own_keys():
    plan, notices = search(type={"grid_search": ["low_pass", "lstm"]}, pools=9, size=64)
    cores = [{"type": "low_pass", "pools": 9, "size": 64}, {"type": "lstm", "size": 64}]
    assert notices == ["e: core lstm: takes size 64 (kept); drops pools (of low_pass)"]
    assert resolved(plan)["config"]["model"] == {"core": {"grid_search": cores}}
    assert build.trial_space(plan.config, plan.domains)["_model_config"]["core"] == {"grid_search": cores}
    assert plan.trials == 2
    shown = resolved(plan)
    again, notices = read_experiments({shown.pop("name"): shown}, Overrides())
    assert notices == []
    assert again[0].config == plan.experiment.config


def test_a_search_inside_a_search():
    plan, _ = search(
        type={"grid_search": ["low_pass", "lstm", "mlp"]},
        pools={"grid_search": [2, 3]},
        size={"choice": [4, 8]},
    )
    assert plan.trials == 4  # two of low_pass, one of each other
    space = build.trial_space(plan.config, plan.domains)["_model_config"]["core"]["grid_search"]
    assert space[0]["pools"] == {"grid_search": [2, 3]}
    assert space[1]["size"].categories == [4, 8]
    assert space[2] == {"type": "mlp"}
    with pytest.raises(ExperimentError, match="a grid_search inside what is drawn; use grid_search for both"):
        search(type={"choice": ["low_pass", "lstm"]}, pools={"grid_search": [2, 3]})
    with pytest.raises(ExperimentError, match=r"^config\.model\.core\.sise: unknown key"):
        search(type={"grid_search": ["low_pass", "lstm"]}, pools=2, sise=3)


def test_what_is_set_in_a_search_over_sections_is_set_in_each():
    document = read_whole_document("tmaze_concrete")
    model = document["tmaze_concrete"]["config"]["model"]
    lstm = {"type": "lstm", "size": 8}
    model["core"] = {"grid_search": [LOW_PASS, lstm]}

    def cores(key, value):
        given = Overrides({f"config.model.core.{key}": value})
        (experiment,), _ = read_experiments(document, given)
        return experiment.config["model"]["core"]

    assert cores("size", 4) == {"grid_search": [LOW_PASS | {"size": 4}, lstm | {"size": 4}]}
    gru = {"type": "gru", "size": 16, "bptt_steps": 5}
    assert cores("type", "gru") == {"grid_search": [gru, lstm | {"type": "gru"}]}
    assert cores("grid_search", [lstm]) == {"grid_search": [lstm]}


def test_a_search_over_sections_and_models():
    lstm = {"type": "lstm", "size": 8}
    space = {"grid_search": [LOW_PASS, lstm | {"pools": 3}]}
    assert fit({"core": space})[0] == {"core": {"grid_search": [LOW_PASS, lstm]}}
    models = {"tune.grid_search": [{"core": lstm | {"pools": 3}}, {"core": lstm}]}
    assert fit(models)[0] == {"grid_search": [{"core": lstm}, {"core": lstm}]}
    mixed = {"core": {"type": {"choice": ["lstm", "deep_thinking"]}, "width": 4}, "skip": True}
    assert fit(mixed)[0] == {
        "choice": [
            {"core": {"type": "lstm"}, "skip": True},
            {"core": {"type": "deep_thinking", "width": 4}},
        ]
    }
    alike = {"core": {"type": {"grid_search": ["lstm", "gru"]}, "size": 4}}
    assert fit(alike) == (alike, [])  # nothing to drop: the space stays as it is


def test_types_are_found_in_search_spaces_too():
    config = {"model": {"core": {"type": {"grid_search": ["a", "b"]}}, "encoder": {"type": "conv"}}}
    assert types_of(config) == {"core": ["a", "b"], "encoder": ["conv"], "loss": []}
    assert types_of({"model": 3}) == {"core": [], "encoder": [], "loss": []}


@pytest.mark.slow
def test_trials_train_with_what_their_core_knows(trained, tmp_path):
    """For real, through Ray Tune: the module, and what is recorded of the trial."""
    section = {
        "env": "small_envs:small/Cue-v0",
        "run": "RecurrentPPO",
        "stop": {"training_iteration": 1},
        "config": {
            "num_envs_per_env_runner": 4,
            "rollout_fragment_length": 6,
            "model": {
                "encoder": {"type": "mlp", "hidden": [8]},
                "core": {"type": {"grid_search": ["low_pass", "lstm"]}, "pools": 2, "size": 8},
            },
        },
    }
    (tmp_path / "both.yaml").write_text(yaml.safe_dump({"both": section}))
    done = trained("-f", "both.yaml", "--local-dir", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    cores = [
        json.loads(file.read_text())["trial_config"]["model"]["core"]
        for file in (tmp_path / "both").glob("*/run.json")
    ]
    assert sorted(cores, key=str) == [
        {"type": "low_pass", "pools": 2, "size": 8},
        {"type": "lstm", "size": 8},
    ]
    assert done.stdout.count("checkpoint: ") == 2
