"""Experiment files as RLlib's users wrote them from 2018 to 2023: they run, or one try shows all faults."""

from pathlib import Path

import gymnasium
import pytest
import ray

FOLDER = Path(__file__).parent / "old_experiments"

RUNS = {
    "cartpole_ppo_2018": [
        "names of older RLlib versions taken as: num_workers -> num_env_runners, "
        "num_gpus -> num_gpus_per_learner, lambda -> lambda_, sample_batch_size -> rollout_fragment_length, "
        "train_batch_size -> train_batch_size_per_learner, num_sgd_iter -> num_epochs, "
        "sgd_minibatch_size -> minibatch_size, episode_reward_mean -> env_runners/episode_return_mean",
        "cartpole-ppo.trial_resources has no effect: a trial's CPUs and GPUs follow from num_env_runners, ",
        "config.use_pytorch has no effect: PyTorch is used",
    ],
    "cartpole_grid_2020": [
        "names of older RLlib versions taken as: entropy_coeff_schedule -> entropy_coeff, "
        "num_workers -> num_env_runners, num_envs_per_worker -> num_envs_per_env_runner, "
        "timesteps_per_iteration -> min_sample_timesteps_per_iteration, "
        "min_iter_time_s -> min_time_s_per_iteration, "
        "metrics_smoothing_episodes -> metrics_num_episodes_for_smoothing, "
        "collect_metrics_timeout -> metrics_episode_collection_timeout_s, "
        "episodes_total -> env_runners/num_episodes_lifetime",
        "cartpole-grid.queue_trials has no effect: trials always wait until there is room",
        "cartpole-grid.resources_per_trial has no effect: a trial's CPUs and GPUs follow ",
        "cartpole-grid.sync_on_checkpoint has no effect: checkpoints are written to storage_path at once",
        "config.entropy_coeff has no effect: entropy_coeff_schedule has the last word",
        "config.eager has no effect: PyTorch is used",
        "config.horizon has no effect: today: env_config: {max_episode_steps: N}",
        "config.soft_horizon has no effect: an episode ends where its environment says so",
        "config.no_done_at_end has no effect: an end by a time limit is `truncated`, ",
        "config.simple_optimizer has no effect: every learner splits its batches",
        "config.multiagent has no effect: an environment has one agent here",
        "config.input has no effect: offline data are not read",
        "config.callbacks has no effect: a file holds no code, and the results need none",
        "config.framework 'tf' has no effect: PyTorch is used",
    ],
    "cartpole_lstm_2022": [
        "names of older RLlib versions taken as: num_rollout_workers -> num_env_runners, "
        "num_envs_per_worker -> num_envs_per_env_runner, num_cpus_per_worker -> num_cpus_per_env_runner, "
        "recreate_failed_workers -> restart_failed_env_runners, "
        "ignore_worker_failures -> ignore_env_runner_failures, "
        "worker_restore_timeout_s -> env_runner_restore_timeout_s, "
        "create_env_on_driver -> create_env_on_local_worker, num_learner_workers -> num_learners, "
        "num_gpus_per_learner_worker -> num_gpus_per_learner, "
        "evaluation_num_workers -> evaluation_num_env_runners, "
        "evaluation_num_episodes -> evaluation_duration, "
        "num_envs_per_worker -> num_envs_per_env_runner, agent_timesteps_total -> timesteps_total",
        "cartpole-lstm.pass_criteria has no effect: what ends a run stands in stop",
        "config.evaluation_config.input has no effect: offline data are not read",
        "config.evaluation_config.framework 'tf2' has no effect: PyTorch is used",
        "config.model.use_attention has no effect: today: model: {core: {type: gtrxl}}, ",
        "config.model.framestack has no effect: today: model: {core: {type: frame_stack}}, ",
    ],
}
"""File -> the beginnings of its notices; it runs."""

FAILS = {
    "pendulum_ppo_2019": ["env: 'Pendulum-v0' is not registered; "],
    "pong_impala_2019": [
        "config.model.dim: not used; pictures are prepared by the environment: wrappers of Gymnasium, ",
        "config.model.grayscale: not used; ",
        "env: 'PongNoFrameskip-v4' is not registered; ",
    ],
    "a3c_2018": [
        "run: RLlib has no A3C any more; nearest: IMPALA or RecurrentIMPALA",
        "config.lambda_: unknown key",
        "config.use_gae: unknown key",
    ],
    "simple_q_2021": [
        "config.buffer_size: not used; today: replay_buffer_config: {type: PrioritizedEpisodeReplayBuffer, ",
        "config.prioritized_replay: not used; today: replay_buffer_config: ",
        "config.schedule_max_timesteps: not used; today: epsilon: [[0, first value], [env step, last value]]",
        "config.exploration_fraction: not used; today: epsilon: ",
        "config.exploration_final_eps: not used; today: epsilon: ",
        "run: RLlib has no SimpleQ any more; nearest: DQN",
    ],
    "r2d2_2021": [
        "config.horizon: not used; today: env_config: {max_episode_steps: N}",
        "config.model.use_attention: not used; today: model: {core: {type: gtrxl}}, ",
        "config.model.custom_model: not used; today: model: {core: {type: package.module:Class}}",
        "run: RLlib has no R2D2 any more; nearest: DQN or RecurrentIMPALA",
        "config.zero_init_states: unknown key",
    ],
    "shared_policy_2021": [
        "config.horizon: not used; today: env_config: {max_episode_steps: N}",
        "config.soft_horizon: not used; an episode ends where its environment says so",
        "config.callbacks: not used; a file holds no code, and the results need none",
        "config.multiagent: not used; an environment has one agent here",
        "config.input: not used; offline data are not read",
        "scheduler.mutate: missing; it has no default",
    ],
    "tmaze_lstm_2023": [
        "config.model.use_lstm: not used; beside a core: core: {type: lstm}",
        "config.model.lstm_cell_size: not used; beside a core: core: {type: lstm, size: N}",
        "config.model.max_seq_len: not used; today: rollout_fragment_length",
        "config.model.fcnet_hiddens: not used; beside a core: encoder: {type: mlp, hidden: [N, ...]}",
    ],
    "all_wrong_2019": [
        "all_wrong_2019.yaml: key 'gamma' stands twice, in lines 22 and 23",
        "all-wrong.checkpoint_freqs: unknown key",
        "checkpoint_config.checkpoint_frequency: -1 is out of range; legal: 0 or more",
        "num_samples: expected a whole number, got True",
        "stop.episode_rewards_mean: unknown key",
        "stop.training_iteration: expected a number, got True",
        "stop.timesteps_total: expected a number, got 'many'",
        "config.framework: 'keras'; legal: torch",
        "config.num_epochs: the same setting as config.num_sgd_iter; keep 'num_epochs'",
        "config.num_env_runners: expected a whole number, got True",
        "config.gama: unknown key; did you mean 'gamma'?",
        "config.lambda_: 1.5 is out of range; legal: 0 to 1",
        "config.lr.grid_search: expected a list of values, got 0.001",
        "config.env_config.levl: unknown key",
        "config.env_config.limbo: unknown key",
        "config.evaluation_config.explor: unknown key; did you mean 'explore'?",
        "config.model.encoder.hiden: unknown key; did you mean 'hidden'?",
        "config.model.core.size: expected an integer >= 1, got -1",
        "config.model.core.cell_size: unknown key",
        "config.model.skipp: unknown key; did you mean 'skip'?",
    ],
    "two_faults_2023": [
        "stop.training_iterations: unknown key; did you mean 'training_iteration'?",
        "second: config.train_batch_sizes: unknown key",
    ],
}
"""File -> the beginnings of the lines that say what is wrong with it, in any order."""


def test_every_file_has_an_outcome():
    assert {file.stem for file in FOLDER.glob("*.yaml")} == RUNS.keys() | FAILS.keys()


@pytest.mark.parametrize("name", RUNS)
def test_an_old_file_runs(typed, name):
    code, _, err = typed("train", "-f", FOLDER / f"{name}.yaml", "--dry-run")
    assert code == 0, err
    experiment = name.rpartition("_")[0].replace("_", "-")
    said = err.splitlines()
    assert len(said) == len(RUNS[name]), err
    for line, expected in zip(said, RUNS[name], strict=True):
        assert line.startswith(f"notice: {experiment}: {expected}")
    assert not ray.is_initialized()


@pytest.mark.parametrize("name", FAILS)
def test_one_try_shows_all_that_is_wrong(typed, monkeypatch, name):
    monkeypatch.delitem(gymnasium.registry, "PongNoFrameskip-v4", raising=False)  # other tests import ale_py
    monkeypatch.chdir(FOLDER)
    code, out, err = typed("train", "-f", f"{name}.yaml", "--dry-run")
    assert (code, out) == (2, "")
    lines = [line for line in err.splitlines() if not line.startswith("notice: ")]
    for expected in FAILS[name]:
        assert any(line.startswith(f"error: {expected}") for line in lines), f"{expected}\n{err}"
    assert len(lines) == len(FAILS[name]), err
    assert not ray.is_initialized()


def test_schedules_had_the_last_word(typed):
    code, out, _ = typed("train", "-f", FOLDER / "cartpole_grid_2020.yaml", "--dry-run")
    assert code == 0
    assert "entropy_coeff:\n    - - 0\n      - 0.01" in out
    assert "lr:\n      grid_search:" in out
    assert "num_envs_per_env_runner: 8" in out


@pytest.mark.parametrize(
    ("options", "notices"),
    [
        (
            ["--framework", "tf2", "--torch"],
            ["--framework has no effect: PyTorch is used", "--torch has no effect"],
        ),
        (["--eager", "--trace"], ["--eager has no effect: PyTorch is used", "--trace has no effect"]),
        (
            ["--ray-ui", "--local-mode"],
            ["--local-mode has no effect: for everything in", "--ray-ui has no effect"],
        ),
        (["--no-ray-ui"], ["--ray-ui has no effect: Ray's dashboard does not start"]),
        (["--queue-trials"], ["--queue-trials has no effect: trials always wait"]),
        (["--resources-per-trial", '{"cpu": 1}'], ["--resources-per-trial has no effect: a trial's CPUs"]),
        (["--scheduler", "FIFO", "--scheduler-config", "{}"], []),
        (["--ray-object-store-memory", 100], ["--ray-object-store-memory has no effect: Ray measures"]),
    ],
)
def test_options_of_old_without_effect(typed, options, notices):
    code, _, err = typed("train", "--run", "PPO", "--env", "CartPole-v1", *options, "--dry-run")
    assert code == 0
    for line, text in zip(err.splitlines(), notices, strict=True):
        assert line.startswith(f"notice: {text}")


@pytest.mark.parametrize(
    ("options", "errors"),
    [
        (["--ray-nodes", 2], ["--ray-nodes: not used; a cluster is"]),
        (["--framework", "keras"], ["--framework: not used; PyTorch is used"]),
        (["--upload-dir", "a", "--local-dir", "b"], ["--upload-dir: the same setting as --local-dir"]),
    ],
)
def test_options_of_old_that_are_refused(typed, options, errors):
    code, out, err = typed("train", "--run", "PPO", "--env", "CartPole-v1", *options)
    assert (code, out) == (2, "")
    for line, text in zip(err.splitlines(), errors, strict=True):
        assert line.startswith(f"error: {text}")


def test_options_of_old_that_are_honoured(typed, tmp_path):
    code, out, err = typed(
        *("train", "--run", "PPO", "--env", "CartPole-v1", "--dry-run", "--upload-dir", tmp_path / "up"),
        *(
            "--keep-checkpoints-num",
            2,
            "--checkpoint-score-attr",
            "min-episode_len_mean",
            "--max-failures",
            3,
        ),
    )
    assert (code, err) == (0, "")
    for line in (
        "    num_to_keep: 2",
        "    checkpoint_score_attribute: env_runners/episode_len_mean",
        "    checkpoint_score_order: min",
        "  max_failures: 3",
        f"  storage_path: {tmp_path}/up",
    ):
        assert f"{line}\n" in out
