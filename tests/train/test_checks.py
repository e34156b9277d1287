"""What is checked before Ray starts, against the real algorithms and models."""

import re
from types import SimpleNamespace

import pytest
import ray
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from engram.train.console.errors import ExperimentError
from engram.train.environments.facts import make_batched, make_rendered, probe
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.plans import build, header, settings, stock_models
from engram.train.plans.plan import make_plan, resolved
from engram.train.running.cluster import RayOptions, check_resources

MODEL = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}
SMALL = {"num_envs_per_env_runner": 4, "rollout_fragment_length": 5, "model": MODEL}


def plan(config=None, env="small_envs:small/Cue-v0", run="RecurrentPPO", **rest):
    section = {"env": env, "run": run, "config": SMALL | (config or {}), **rest}
    experiments, _ = read_experiments({"e": section}, Overrides())
    return make_plan(experiments[0])


def core(**options):
    return {"model": MODEL | {"core": options}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"lrr": 1}, "config.lrr: unknown key; did you mean 'lr'?"),
        ({"lr": "fast"}, "config.lr: expected a list or a number, got 'fast'"),
        ({"lr": -1e-3}, "config.lr: -0.001 is out of range; legal: 0 to 1e+37"),
        ({"lr": 1e38}, "config.lr: 1e+38 is out of range; legal: 0 to 1e+37"),
        ({"lr": [[0, 1e-3], [9, 1e38]]}, "config.lr: 1e+38 is out of range; legal: 0 to 1e+37"),
        ({"lr": [[5, 1e-3]]}, "config.lr: a schedule is [[0, first value]"),
        ({"lr": [1, 2]}, "config.lr: a schedule is"),
        (
            {"lr": [[0, 1e-3]]},
            "config.lr: a schedule is [[0, first value], [env step, value], ...] with rising ",
        ),
        ({"lr": [[0, 1e-3], [float("inf"), 0]]}, "config.lr: a schedule is"),
        ({"lr": [[0, 1e-3], [9, float("inf")]]}, "config.lr: inf is out of range; expected a finite number"),
        ({"lr": float("inf")}, "config.lr: inf is out of range; expected a finite number"),
        ({"gamma": float("-inf")}, "config.gamma: -inf is out of range; expected a finite number"),
        ({"vf_loss_coeff": float("inf")}, "config.vf_loss_coeff: inf is out of range"),
        ({"lr": {"grid_search": [1e-3, float("inf")]}}, "config.lr: inf is out of range"),
        ({"evaluation_config": {"lr": float("inf")}}, "config.evaluation_config.lr: inf is out of range"),
        ({"min_time_s_per_iteration": "x"}, "config.min_time_s_per_iteration: expected a number"),
        ({"log_level": False}, "config.log_level: expected text, got False (yes, no, on and off are true"),
        (core(type=False), "config.model.core.type: unknown False"),
        (
            {"torch_compile_learner_what_to_compile": "all"},
            "config.torch_compile_learner_what_to_compile: unknown",
        ),
        ({"minibatch_size": 21}, "config: minibatch_size: 21 is more than a learner's batch of 20 env steps"),
        ({"observation_filter": "MeanStdFilter"}, "config.observation_filter: 'MeanStdFilter' has no effect"),
        ({"lr": {"grid_search": [1e-3, 2e-3]}, "use_gae": 1}, "config.use_gae: unknown key"),
        ({"gamma": 1.5}, "config.gamma: 1.5 is out of range; legal: 0 to 1"),
        ({"gamma": None}, "config.gamma: expected a number, got None"),
        ({"num_epochs": True}, "config.num_epochs: expected a whole number, got True"),
        ({"num_env_runners": 1.5}, "config.num_env_runners: expected a whole number"),
        (
            {"num_envs_per_env_runner": 0},
            "config.num_envs_per_env_runner: 0 is out of range; legal: 1 or more",
        ),
        (
            {"rollout_fragment_length": "atuo"},
            "config.rollout_fragment_length: unknown 'atuo'; did you mean 'auto'?",
        ),
        ({"grad_clip_by": "norn"}, "config.grad_clip_by: unknown 'norn'; did you mean 'norm'?"),
        ({"evaluation_config": {"explor": 1}}, "config.evaluation_config.explor: unknown key"),
        ({"num_learners": 3}, "config: num_learners: 4 lanes"),
        ({"vf_loss_coeff": [[0, 1.0]]}, "config.vf_loss_coeff: expected a number, got [[0, 1.0]]"),
        ({"clip_param": "x"}, "config.clip_param: expected a number, got 'x'"),
        ({"lambda_": "x"}, "config.lambda_: expected a number, got 'x'"),
        ({"normalize_advantages": "yes"}, "config.normalize_advantages: expected true or false, got 'yes'"),
        ({"entropy_coeff": "x"}, "config.entropy_coeff: expected a list or a number, got 'x'"),
        ({"seed": "x"}, "config.seed: expected a whole number or null, got 'x'"),
        ({"metrics_num_episodes_for_smoothing": 0}, "config.metrics_num_episodes_for_smoothing: 0 is out"),
        ({"min_sample_timesteps_per_iteration": -1}, "config.min_sample_timesteps_per_iteration: -1 is out"),
        ({"min_train_timesteps_per_iteration": -1}, "config.min_train_timesteps_per_iteration: -1 is out"),
        ({"min_time_s_per_iteration": -1}, "config.min_time_s_per_iteration: -1"),
        ({"model": 3}, "config.model: expected a mapping, got 3"),
        ({"model": {"cor": {}}}, "config.model.cor: unknown key; did you mean 'core'?"),
        (core(type="lstmm"), "config.model.core.type: unknown 'lstmm'; did you mean 'lstm'?"),
        (core(type="lstm", sise=3), "config.model.core.sise: unknown key; did you mean 'size'?"),
        (core(type="lstm", size=-3), "config.model.core.size: "),
        ({"model": {"encoder": {"type": "conv"}}}, "config.model.encoder.type: 'conv' needs observations"),
        ({"env_config": {"delai": 3}}, "config.env_config.delai: unknown key; did you mean 'delay'?"),
        ({"env_config": {"delay": 0}}, "config.env_config: delay: 0 is out of range"),
        ({"env_config": 3}, "config.env_config: expected a mapping, got 3"),
        ({"lr": {"grid_search": [1e-3, "x"]}}, "config.lr: expected a list or a number, got 'x'"),
        ({"env_config": {"delay": {"randint": [0, 3]}}}, "config.env_config: delay: 0"),
        ({"num_epochs": {"uniform": [1, 3]}}, "config.num_epochs: expected a whole number, got 2.23"),
        (core(type="lstm", size={"loguniform": [4, 8]}), "config.model.core.size: expected an integer >= 1"),
        ({"model": {"grid_search": [MODEL, {"core": {"type": "x"}}]}}, "config.model.core.type: unknown 'x'"),
    ],
)
def test_wrong_config(config, message):
    with pytest.raises(ExperimentError) as caught:
        plan(config)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not ray.is_initialized()


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ExperimentError) as caught:
        plan(
            {
                "lrr": 1,
                "gamma": 2.0,
                "evaluation_config": {"explor": True, "gamma": -1, "env_config": {"delai": 3}},
                "env_config": {"delai": 3, "dela": 4},
                "model": {"cor": 1, "encoder": {"type": "mlp", "hidden": 3, "hiden": 4}, "head": {"hid": 1}},
                "entropy_coeff": {"grid_search": [0.1, "x", -1]},
                "clip_param": {"uniform": [1]},
            }
        )
    assert [line.partition(":")[0] for line in caught.value.lines] == [
        "config.clip_param.uniform",
        "config.env_config.delai",
        "config.env_config.dela",
        "config.model.cor",
        "config.model.encoder.hidden",
        "config.model.encoder.hiden",
        "config.model.head.hid",
        "config.lrr",
        "config.gamma",
        "config.evaluation_config.explor",
        "config.evaluation_config.gamma",
        "config.entropy_coeff",
        "config.entropy_coeff",
        "config.evaluation_config.env_config.delai",
    ]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", sorted(settings.RANGES))
def test_true_is_no_number(key):
    for run in ("RecurrentPPO", "PPO"):
        if key in settings.names(build.defaults(run, {})):
            with pytest.raises(
                ExperimentError, match=rf"^config\.{key}: expected .*, got True( \(yes, no, .*\))?$"
            ):
                plan({key: True}, run=run)


@pytest.mark.parametrize(
    "key",
    [
        "action_space",
        "callbacks_class",
        "callbacks_on_episode_end",
        "custom_evaluation_function",
        "enable_env_runner_and_connector_v2",
        "enable_rl_module_and_learner",
        "env_runner_cls",
        "env_task_fn",
        "in_evaluation",
        "input_",
        "input_filesystem",
        "observation_fn",
        "observation_space",
        "policies_to_train",
        "prelearner_class",
        "sample_collector",
        "stats_cls_lookup",
        "worker_cls",
    ],
)
def test_what_a_file_cannot_hold_is_unknown(key):
    for run in ("RecurrentPPO", "PPO", "DQN"):
        assert key not in settings.names(build.defaults(run, {}))
    with pytest.raises(ExperimentError, match=rf"config\.{key}: unknown key"):
        plan({key: "x"})


def test_old_names_that_do_no_harm_are_known():
    names = settings.names(build.defaults("PPO", {}))
    assert {"log_level", "observation_filter", "compress_observations", "use_gae", "output"} <= names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": "RecurentPPO"}, "run: unknown 'RecurentPPO'; did you mean 'RecurrentPPO'?"),
        ({"env": "CartPole-v7"}, "env: unknown 'CartPole-v7'; did you mean 'CartPole-v1'?"),
        (
            {"env": "no_such_module:X-v0"},
            "env: 'no_such_module:X-v0': module 'no_such_module' cannot be imported",
        ),
        ({"env": "a b:X-v0"}, "env: 'a b' in 'a b:X-v0' is no module"),
        ({"env": ""}, "env: unknown ''"),
    ],
)
def test_wrong_names(changes, message):
    with pytest.raises(ExperimentError) as caught:
        plan(**changes)
    assert str(caught.value).startswith(message)


def test_stock_model_keys():
    with pytest.raises(
        ExperimentError, match=r"config.model.use_lstmm: unknown key; did you mean 'use_lstm'"
    ):
        plan({"model": {"use_lstmm": True}}, run="PPO")
    assert plan({"model": {"fcnet_hiddens": [8]}}, run="DQN").module.window is None


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (
            {"fcnet_activation": "tanhh"},
            "fcnet_activation: unknown 'tanhh'; did you mean 'tanh'? nearest of ",
        ),
        ({"head_fcnet_activation": 3}, "head_fcnet_activation: unknown 3; the first 8 of "),
        ({"conv_activation": True}, "conv_activation: unknown True; "),
        ({"conv_activation": "GLU"}, "conv_activation: unknown 'GLU'; did you mean 'GELU'?"),
        (
            {"fcnet_bias_initializer": "xavier_uniform_"},  # which is for two axes and more
            "fcnet_bias_initializer: unknown 'xavier_uniform_'; did you mean 'uniform_'? known: constant_, ",
        ),
        (
            {"lstm_kernel_initializer": "normal"},
            "lstm_kernel_initializer: unknown 'normal'; did you mean 'nor",
        ),
        (
            {"fcnet_kernel_initializer": "constant_"},
            "fcnet_kernel_initializer_kwargs.val: missing; constant_ cannot do without it",
        ),
        (
            {"conv_kernel_initializer": "uniform_", "conv_kernel_initializer_kwargs": {"aa": 1}},
            "conv_kernel_initializer_kwargs.aa: unknown key; did you mean 'a'? known: a, b",
        ),
        (
            {"fcnet_kernel_initializer": "normal_", "fcnet_kernel_initializer_kwargs": {"std": "x"}},
            "fcnet_kernel_initializer_kwargs: normal_ cannot take {'std': 'x'}: ",
        ),
        ({"fcnet_bias_initializer_kwargs": 3}, "fcnet_bias_initializer_kwargs: expected a mapping, got 3"),
        ({"vf_share_layers": "no"}, "vf_share_layers: expected true or false, got 'no'"),
        ({"fcnet_use_layernorm": 1}, "fcnet_use_layernorm: expected true or false, got 1"),
        ({"conv_filters": [[8, 3]]}, "conv_filters: expected [[filters, kernel, stride], ...], "),
        ({"conv_filters": [[8, [3, 0], 1]]}, "conv_filters: expected [[filters, kernel, stride], ...], "),
        ({"fcnet_hiddens": []}, "fcnet_hiddens: expected a list of at least one entry, got []"),
        ({"head_fcnet_hiddens": 8}, "head_fcnet_hiddens: expected a list of integers, got 8"),
        ({"max_seq_len": 0, "use_lstm": True}, "max_seq_len: expected an integer >= 1, got 0"),
        (MODEL | {"max_seq_len": "x"}, "max_seq_len: expected an integer >= 1, got 'x'"),
        ({"log_std_clip_param": "x"}, "log_std_clip_param: expected a number >= 0"),
    ],
)
def test_values_of_rllibs_own_networks_are_told_with_the_rest(values, line):
    with pytest.raises(ExperimentError) as caught:
        plan({"model": values, "lrr": 1}, env="small/Nowhere-v0", run="PPO")
    first, *others = sorted(caught.value.lines, key=lambda text: f"config.model.{line}" not in text)
    assert first.startswith(f"config.model.{line}")
    assert [text.partition(":")[0] for text in others] == ["env", "config.lrr"]


def test_values_that_rllibs_own_networks_take():
    values = {
        "fcnet_activation": "ReLU",
        "head_fcnet_activation": "GELU",
        "conv_activation": None,
        "fcnet_kernel_initializer": "Xavier_Uniform_",
        "fcnet_kernel_initializer_kwargs": {"gain": 2.0},
        "fcnet_bias_initializer": "constant_",
        "fcnet_bias_initializer_kwargs": {"val": 0.5},
        "conv_filters": [[8, 3, 1], [8, [3, 2], [1, 1], "valid"]],
        "head_fcnet_hiddens": [],
        "log_std_clip_param": 2,
    }
    assert plan({"model": values}, run="PPO").module.window is None


def test_every_value_of_rllibs_own_networks_is_checked():
    for key, value in vars(DefaultModelConfig()).items():
        stock_models.check_stock_value(key, value)
        with pytest.raises(ExperimentError, match=rf"^config\.model\.{key}: "):
            stock_models.check_stock_value(key, -1)


def test_arguments_of_no_initialiser_are_told():
    made = plan({"model": {"fcnet_kernel_initializer_kwargs": {"gain": 2.0}}}, run="PPO")
    text = "config.model.fcnet_kernel_initializer_kwargs has no effect without fcnet_kernel_initializer"
    assert text in made.notices


def test_numbers_take_the_type_of_the_setting():
    checked = settings.check(
        {"train_batch_size_per_learner": 1e3, "num_epochs": 2.0, "lr": 1}, build.defaults("PPO", {})
    )
    assert checked == {"train_batch_size_per_learner": 1000, "num_epochs": 2, "lr": 1.0}
    assert [type(value) for value in checked.values()] == [int, int, float]


def test_settings_reach_the_algorithm():
    made = plan({"gamma": 0.9, "lambda_": 0.8, "train_batch_size_per_learner": 40, "seed": 3})
    assert (made.config.gamma, made.config.lambda_, made.config.seed) == (0.9, 0.8, 3)
    assert made.config.total_train_batch_size == 40
    assert made.config.env == "small_envs:small/Cue-v0"
    assert made.config.model_config["core"] == MODEL["core"]


def test_search_spaces_reach_the_trials():
    made = plan(
        {
            "lr": {"grid_search": [1e-3, 1e-4]},
            "lambda_": {"choice": [0.9, 1.0]},
            "seed": {"grid_search": [0, 1, 2]},
            "model": MODEL | {"core": {"type": {"grid_search": ["lstm", "mlp"]}}},
        },
        num_samples=2,
    )
    space = build.trial_space(made.config, made.domains)
    assert space["lr"] == {"grid_search": [1e-3, 1e-4]}
    assert space["lambda"].categories == [0.9, 1.0]
    assert space["_model_config"]["core"]["type"] == {"grid_search": ["lstm", "mlp"]}
    assert made.trials == 2 * 2 * 3 * 2
    assert made.seeds == [0, 1, 2]


def test_header_tells_the_gradient_window():
    rows = dict(
        header.rows(
            plan({"env_config": {"delay": 30}, "model": MODEL | {"core": {"type": "lstm", "bptt_steps": 3}}})
        )
    )
    assert rows["lanes"] == "4 in the trial's process"
    assert rows["fragment"] == "5 env steps"
    assert rows["BPTT window"] == "3 env steps"
    assert rows["task delay"] == "30 env steps from cue to choice"
    assert rows["core"].startswith("lstm, ")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_env_runners": 1}, "4 in 1 env runner"),
        ({"num_env_runners": 3}, "12 in 3 env runners"),
        (
            {"num_env_runners": 1, "sample_ahead": True},
            "4 in 1 env runner, sampling ahead: by weights that are one update old",
        ),
    ],
)
def test_header_tells_who_samples(settings, said):
    assert dict(header.rows(plan(settings)))["lanes"] == said


@pytest.mark.parametrize(
    ("core_type", "delay", "warned"),
    [("lstm", 30, True), ("lstm", 5, False), ("low_pass", 30, False), ("mlp", 30, False)],
)
def test_warning_where_gradients_must_carry_but_cannot(core_type, delay, warned):
    made = plan({"env_config": {"delay": delay}, "model": MODEL | {"core": {"type": core_type}}})
    assert (header.warning(made) is not None) == warned


@pytest.mark.parametrize(
    ("run", "warned"), [("IMPALA", True), ("APPO", True), ("PPO", False), ("RecurrentIMPALA", False)]
)
def test_warning_where_rllib_forgets_what_follows_a_fragment(run, warned):
    """`tests/agents/test_stock.py` pins that it does."""
    made = SimpleNamespace(experiment=SimpleNamespace(run=run))
    assert (header.lost_values(made) is not None) == warned


def test_on_non_finite_is_stop_or_skip_and_rllibs_own_algorithms_stop():
    ours, theirs, unguarded = (build.defaults(run, {}) for run in ("Supervised", "DQN", "DreamerV3"))
    for value in ("stop", "skip"):
        assert settings.check({"on_non_finite": value}, ours) == {"on_non_finite": value}
    assert settings.check({"on_non_finite": "stop"}, theirs) == {}
    for value, defaults, message in (
        ("skipp", ours, "unknown 'skipp'; did you mean 'skip'?"),
        ("skipp", theirs, "unknown 'skipp'; did you mean 'skip'?"),
        (None, theirs, "expected text, got None"),
        ("skip", theirs, "'skip' is for our own algorithms; RLlib's own know: stop"),
        ("stop", unguarded, "unknown key"),
    ):
        with pytest.raises(ExperimentError, match=f"config.on_non_finite: {re.escape(message)}"):
            settings.check({"on_non_finite": value}, defaults)


def test_no_memory_no_window():
    assert dict(header.rows(plan(core(type="mlp"))))["BPTT window"] == "none (no memory)"


def test_resolved_is_plain_data():
    data = resolved(plan({"lr": {"grid_search": [1e-3, 1e-4]}}))
    assert data["config"]["lr"] == {"grid_search": [1e-3, 1e-4]}
    assert data["env"] == "small_envs:small/Cue-v0"
    assert data["name"] == "e"


def test_resources():
    made = plan()
    assert build.per_trial(made.config, "CPU") == 1  # so that two trials fit on two cores
    check_resources(made, RayOptions())
    with pytest.raises(ExperimentError, match="--ray-num-cpus 1: one trial asks for 3 CPUs"):
        check_resources(plan({"num_env_runners": 2}), RayOptions(cpus=1))
    with pytest.raises(ExperimentError, match="GPU"):
        check_resources(plan({"num_gpus_per_learner": 1}), RayOptions(gpus=0))


def test_environments():
    facts = probe("small_envs:small/Cue-v0", {"delay": 4})
    assert (facts.memory_delay, facts.group_by) == (4, "cue")
    assert make_batched("small_envs:small/Cue-v0", 3, {}).metadata["autoreset_mode"].name == "SAME_STEP"
    assert make_rendered("small_envs:small/Cue-v0", {}, ("rgb_array",), "--gif").render_mode == "rgb_array"
    with pytest.raises(ExperimentError, match="--gif: small_envs:small/Uneven-v0 cannot render"):
        make_rendered("small_envs:small/Uneven-v0", {}, ("rgb_array",), "--gif")


@pytest.mark.parametrize("path", ["/proc/x", "/etc/passwd", "/etc/passwd/x", "/tmp/\0", "/tmp/" + 300 * "x"])
def test_results_that_cannot_be_written(path):
    with pytest.raises(ExperimentError, match=r"storage_path: .* cannot be written to: ") as caught:
        plan(storage_path=path)
    assert "\n" not in str(caught.value)


def test_the_check_of_the_results_folder_makes_nothing(tmp_path):
    assert plan(storage_path=str(tmp_path / "a" / "b")).folder == tmp_path / "a" / "b" / "e"
    assert list(tmp_path.iterdir()) == []


def test_a_uri_stays_as_it_is(tmp_path):
    made = plan(storage_path="s3://bucket/x/")
    assert (made.storage, made.location, made.folder) == ("s3://bucket/x", "s3://bucket/x/e", None)
    rows = dict(header.rows(made))
    assert rows["results"] == "s3://bucket/x/e"
    assert rows["TensorBoard"] == "tensorboard --logdir s3://bucket/x/e"
    assert resolved(made)["storage_path"] == "s3://bucket/x"
    assert plan(storage_path=f"file://{tmp_path}").storage == str(tmp_path)


@pytest.mark.parametrize(
    ("config", "samples", "noted"),
    [
        ({"seed": 1}, 3, True),
        ({"seed": 1, "lr": {"grid_search": [1e-3, 1e-4]}}, 3, True),
        ({"seed": 1, "lr": {"loguniform": [1e-4, 1e-3]}}, 3, False),
        ({"seed": 1}, 1, False),
        ({}, 3, False),
    ],
)
def test_identical_trials_are_noticed(config, samples, noted):
    said = header.notice(plan(config, num_samples=samples))
    assert (said is not None) == noted
    assert said is None or said.endswith("use --seeds 3")


def tmaze(run, env_config, **config):
    model = {"encoder": {"type": "conv"}, "core": {"type": "mlp"}}
    config = {"env_config": env_config, "model": model, **config}
    return plan(config, env="engram/TMaze-v0", run=run)


@pytest.mark.parametrize(
    ("run", "env_config", "config", "message"),
    [
        ("RecurrentPPO", {"max_episode_steps": 100}, {}, "config.env_config.max_episode_steps: unknown key"),
        (
            "RecurrentPPO",
            {"autoreset_mode": "next_step"},
            {},
            "config.env_config.autoreset_mode: unknown key",
        ),
        ("PPO", {"autoreset_mode": "next_step"}, {}, "config.env_config.autoreset_mode: unknown key"),
        (
            "PPO",
            {"max_episode_steps": 100},
            {"gym_env_vectorize_mode": "vector_entry_point"},
            "config.env_config.max_episode_steps: unknown key",
        ),
        (
            "PPO",
            {"level": 0},
            {"gym_env_vectorize_mode": "vector_entry_point"},
            "config.env_config: autoreset_mode: RLlib's own runners need next_step",
        ),
        (
            "PPO",
            {"autoreset_mode": "next_stp"},
            {"gym_env_vectorize_mode": "vector_entry_point"},
            "config.env_config: autoreset_mode: unknown 'next_stp'",
        ),
    ],
)
def test_what_the_runners_environment_refuses(run, env_config, config, message):
    with pytest.raises(ExperimentError) as caught:
        tmaze(run, env_config, **config)
    assert str(caught.value).startswith(message)


def test_an_environment_without_a_batched_form():
    with pytest.raises(ExperimentError, match=r"config.gym_env_vectorize_mode: 'vector_entry_point' needs a"):
        plan({"gym_env_vectorize_mode": "vector_entry_point"}, run="PPO")


def test_stock_algorithms_take_a_batched_environment():
    made = tmaze("PPO", {"autoreset_mode": "next_step"}, gym_env_vectorize_mode="vector_entry_point")
    assert made.config.env_config == {"autoreset_mode": "NEXT_STEP"}
    assert made.env == tmaze("RecurrentPPO", {}).env


@pytest.mark.parametrize("run", ["RecurrentPPO", "PPO"])
def test_what_every_form_takes_is_taken(run):
    model = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "mlp"}}
    made = plan({"env_config": {"max_episode_steps": 9}, "model": model}, env="CartPole-v1", run=run)
    assert made.config.env_config == {"max_episode_steps": 9}
    assert tmaze(run, {"level": [0, 1]}, gym_env_vectorize_mode="async").env.memory_delay == 281
