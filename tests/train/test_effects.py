"""Every key of every algorithm has an effect that somebody decided on, and what is honoured is asked for."""

import ast
from collections import Counter
from pathlib import Path

import pytest
import ray
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

import engram.agents
from engram.train.console.errors import ExperimentError
from engram.train.plans import build, effects, settings
from engram.train.plans.review import review

ALGORITHMS = sorted(build.algorithms())
CORE = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}

# Parts of RLlib that the new API stack never enters.
OLD = (
    "/benchmarks/",
    "/connectors/action/",
    "/connectors/agent/",
    "/connectors/util.py",
    "/evaluation/",
    "/examples/",
    "/models/",
    "/policy/",
    "/tests/",
    "_policy.py",
)


def own(run):
    """Sections that the algorithm needs to be built at all."""
    return CORE if run in effects.COLUMNAR else {}


@pytest.mark.parametrize("run", ALGORITHMS)
def test_every_key_has_one_row(run):
    known = settings.names(build.defaults(run, {}))
    rows = Counter(key for (algorithm, key), _ in effects.pairs() if algorithm == run)
    assert known - rows.keys() == set(), "a new setting: add what it does to train/plans/effects.py"
    assert rows.keys() - known == set(), "a setting that is gone"
    assert {key for key, count in rows.items() if count > 1} == set()


@pytest.mark.parametrize("run", sorted(effects.STOCK))
def test_every_key_of_rllibs_own_networks_has_one_row(run):
    rows = Counter(key for (algorithm, key), _ in effects.pairs(effects.MODEL_ROWS) if algorithm == run)
    assert rows == dict.fromkeys(DefaultModelConfig.__dataclass_fields__, 1)


def test_the_table_speaks_of_algorithms_that_there_are():
    named = {algorithm for (algorithm, _), _ in effects.pairs()}
    assert named == set(ALGORITHMS)
    assert {row.effect for row in effects.ROWS} == {"honoured", "refused", "idle"}
    assert all(row.why for row in effects.ROWS if row.effect != "honoured")


def files(root):
    for path in Path(root).rglob("*.py"):
        if not any(part in path.as_posix() for part in OLD):
            yield path


def asked_for(path):
    """Names of attributes that a file reads, and of text in brackets or given to a `get`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def read_somewhere():
    package = Path(ray.__file__).parent
    roots = (package / "rllib", package / "tune" / "trainable", Path(engram.agents.__file__).parent)
    return {name for root in roots for path in files(root) for name in asked_for(path)}


def test_what_is_honoured_is_asked_for(read_somewhere):
    honoured = {key for (_, key), row in effects.pairs() if row.effect == "honoured"}
    assert honoured - read_somewhere == set()


def test_needs_are_keys():
    for (algorithm, key), row in effects.pairs():
        for need in row.needs:
            assert need.partition("=")[0] in settings.names(build.defaults(algorithm, {})), key


def findings(run, config):
    config = {**config, "model": {**own(run), **config.get("model", {})}}
    return list(review(run, config, build.defaults(run, config["model"])))


@pytest.mark.parametrize("run", ALGORITHMS)
def test_defaults_are_passed_over(run):
    defaults = build.defaults(run, own(run))
    names = settings.names(defaults) - {"model", "evaluation_config"}
    values = {name: settings.default(defaults, name) for name in names}
    said = {finding.text.split(" ")[0].rstrip(":") for finding in findings(run, values)}
    # RLlib's own defaults that do not say what is the case: actions of columns, and no preprocessor.
    assert said <= {
        "config.clip_actions",
        "config.normalize_actions",
        "config.preprocessor_pref",
        "config.shuffle_batch_per_epoch",
        "config.use_env_runner_state_server",
    }


@pytest.mark.parametrize(
    ("run", "config", "text"),
    [
        ("PPO", {"observation_filter": "MeanStdFilter"}, "observation_filter: 'MeanStdFilter' has no effect"),
        ("RecurrentPPO", {"observation_filter": "MeanStdFilter"}, "gymnasium.wrappers.NormalizeObservation"),
        ("DQN", {"clip_rewards": True}, "gymnasium.wrappers.ClipReward"),
        ("RecurrentPPO", {"exploration_config": {"type": "X"}}, "exploration_config"),
        ("RecurrentPPO", {"batch_mode": "complete_episodes"}, "fragments are equally long"),
        ("RecurrentIMPALA", {"broadcast_env_runner_states": False}, "it would keep new weights"),
        ("RecurrentIMPALA", {"vtrace": False}, "V-trace is all there is"),
        ("RecurrentIMPALA", {"momentum": 0.9}, "RMSProp is gone"),
        ("RecurrentIMPALA", {"use_env_runner_state_server": True}, "weights are pushed"),
        ("RecurrentPPO", {"num_aggregator_actors_per_learner": 1}, "columns need no aggregators"),
        ("RecurrentPPO", {"output": "/x"}, "its env runners record no episodes"),
        ("RecurrentPPO", {"optimizer": {"type": "sgd"}}, "the optimizer is Adam"),
        ("RecurrentA2C", {"num_epochs": 2}, "it makes one step on each batch; see RecurrentPPO"),
        ("RecurrentA2C", {"minibatch_size": 40}, "it makes one step on each batch; see RecurrentPPO"),
        ("RecurrentPPO", {"count_steps_by": "agent_steps"}, "there is one agent"),
        ("PPO", {"use_gae": False}, "always estimates advantages by GAE"),
        ("APPO", {"lambda_": 0.9}, "V-trace has none"),
        ("APPO", {"learner_queue_size": 3}, "circular_buffer_num_batches"),
        ("DQN", {"noisy": True}, "no noisy networks"),
        ("DQN", {"hiddens": [3]}, "model.fcnet_hiddens"),
        ("DQN", {"num_epochs": 3}, "train_batch_size_per_learner"),
        ("DQN", {"buffer_size": 3}, "an old name; today: replay_buffer_config.capacity"),
        ("SAC", {"lr": 1e-3}, "actor_lr, critic_lr, alpha_lr"),
        ("SAC", {"q_model_config": {"fcnet_hiddens": [3]}}, "see model"),
        ("SAC", {"model": {"use_lstm": True}}, "its networks keep no memory"),
        ("DreamerV3", {"lr": 1e-3}, "world_model_lr"),
        ("DreamerV3", {"train_batch_size_per_learner": 3}, "batch_size_B x batch_length_T"),
        ("DreamerV3", {"model": {"fcnet_hiddens": [3]}}, "its networks are those of model_size"),
        ("PPO", {"model": {"use_lstm": True, "lstm_use_prev_action": True}}, "let the environment show them"),
        ("PPO", {"evaluation_config": {"num_env_runners": 2}}, "see evaluation_num_env_runners"),
        ("PPO", {"evaluation_config": {"model": {"use_lstm": True}}}, "evaluations play the network"),
        ("PPO", {"evaluation_config": {"observation_filter": "MeanStdFilter"}}, "has no filters"),
    ],
)
def test_refused(run, config, text):
    found = findings(run, config)
    assert [finding.refused for finding in found] == [True]
    assert text in found[0].text
    assert found[0].text.startswith("config.")


@pytest.mark.parametrize(
    ("run", "config", "text"),
    [
        ("RecurrentPPO", {"compress_observations": True}, "compress_observations has no effect under Rec"),
        ("RecurrentPPO", {"normalize_actions": True}, "actions in a Box are never rescaled"),
        ("RecurrentPPO", {"clip_actions": False}, "actions in a Box are always clipped"),
        ("RecurrentPPO", {"preprocessor_pref": "rllib"}, "preprocesses nothing"),
        ("RecurrentPPO", {"merge_env_runner_states": True}, "columns pass by episodes and connectors"),
        ("RecurrentPPO", {"shuffle_batch_per_epoch": False}, "minibatches are always drawn anew"),
        ("RecurrentPPO", {"torch_compile_worker": True}, "nothing in RLlib's new API stack reads it"),
        (
            "RecurrentPPO",
            {"torch_compile_learner": True},
            "without torch_compile_learner_what_to_compile=comp",
        ),
        ("RecurrentPPO", {"policy_map_capacity": 3}, "there is one agent with one policy"),
        ("RecurrentPPO", {"eager_tracing": False}, "there is no TensorFlow"),
        ("RecurrentPPO", {"evaluation_duration": 3}, "has no effect without evaluation_interval"),
        ("RecurrentPPO", {"num_cpus_per_env_runner": 2}, "without num_env_runners or evaluation_num_env"),
        ("RecurrentPPO", {"input_read_episodes": True}, "not from recorded data"),
        ("RecurrentIMPALA", {"sample_timeout_s": 3}, "timeout_s_sampler_manager"),
        ("RecurrentIMPALA", {"learner_queue_size": 5}, "neither queues nor threads"),
        ("Supervised", {"gamma": 0.5}, "it learns from no rewards"),
        ("DQN", {"store_buffer_in_checkpoints": True}, "hold no replay buffer"),
        (
            "PPO",
            {"model": {"lstm_cell_size": 3}},
            "config.model.lstm_cell_size has no effect without use_lstm",
        ),
        ("PPO", {"evaluation_config": {"lr": 3}}, "config.evaluation_config.lr has no effect under PPO"),
        ("PPO", {"evaluation_config": {"rollout_fragment_length": 9}}, "see evaluation_duration"),
    ],
)
def test_announced(run, config, text):
    found = findings(run, config)
    assert [finding.refused for finding in found] == [False]
    assert text in found[0].text


@pytest.mark.parametrize(
    ("run", "config"),
    [
        (
            "RecurrentPPO",
            {"observation_filter": "NoFilter", "clip_rewards": None, "batch_mode": "truncate_episodes"},
        ),
        ("RecurrentPPO", {"normalize_actions": False, "clip_actions": True, "preprocessor_pref": None}),
        ("RecurrentPPO", {"evaluation_duration": 3, "evaluation_interval": 2}),
        ("RecurrentPPO", {"evaluation_config": {"explore": False, "env_config": {}}}),
        ("PPO", {"normalize_actions": False, "clip_actions": True, "batch_mode": "complete_episodes"}),
        ("PPO", {"use_gae": True, "model": {"use_lstm": True, "lstm_cell_size": 3}}),
        ("PPO", {"num_cpus_per_env_runner": 2, "num_env_runners": 1}),
        ("IMPALA", {"vtrace": True, "momentum": 0.0}),
        (
            "RecurrentPPO",
            {"torch_compile_learner_what_to_compile": "complete_update", "torch_compile_learner": True},
        ),
    ],
)
def test_what_says_what_is_the_case_is_passed_over(run, config):
    assert findings(run, config) == []


@pytest.mark.parametrize("run", sorted(effects.OFFLINE))
def test_algorithms_of_recorded_data_are_refused(run):
    with pytest.raises(ExperimentError, match=rf"run: {run} learns from recorded data"):
        build.defaults(run, {})


@pytest.mark.parametrize("run", sorted(effects.REPLAY))
def test_a_core_is_refused_where_nothing_takes_it(run):
    with pytest.raises(ExperimentError) as caught:
        build.defaults(run, CORE)
    assert str(caught.value).startswith(
        f"config.model.core: {run} has networks of its own; a core is for: Rec"
    )


def test_recording_needs_its_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExperimentError, match=r"config\.output: RLlib records with msgpack_numpy"):
        build.check_settings("PPO", {"output": "/x", "batch_mode": "complete_episodes"})
