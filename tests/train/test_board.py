"""TensorBoard's HPARAMS tab, read back with TensorBoard itself."""

import json
import math
from types import SimpleNamespace

from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, list_session_groups
from tensorboard.plugins.hparams.backend_context import Context

from engram.train.running.tensorboard import BoardLogger

STATUSES = (0, 1, 2, 3)  # unknown, success, failure, running


class Trial(SimpleNamespace):
    """As much of a trial of Tune as its loggers ask for."""

    __hash__ = object.__hash__

    def init_local_path(self):
        """Nothing to do."""


def make_trial(folder, **config):
    filesystem = SimpleNamespace(type_name="local")
    return Trial(
        config={"env": "engram.envs:engram/TMaze-v0", "seed": None, "lr": 1e-3, **config},
        evaluated_params={},
        local_path=str(folder),
        storage=SimpleNamespace(storage_filesystem=filesystem, trial_fs_path=str(folder)),
    )


def report(iteration, value, **more):
    runners = {} if value is None else {"episode_return_mean": value}
    return {
        "training_iteration": iteration,
        "timesteps_total": 100 * iteration,
        "env_runners": runners,
        **more,
    }


def write(folder, values, config, searched=(), written=None, failed=False, **more):
    """Logs a whole trial."""
    folder.mkdir(parents=True, exist_ok=True)
    experiment = {"run": "RecurrentPPO", "env": "engram/TMaze-v0", "config": written or {}}
    logger, trial = BoardLogger(experiment, list(searched)), make_trial(folder, **config)
    for iteration, value in enumerate(values, start=1):
        logger.log_trial_result(iteration, trial, report(iteration, value, **more))
    logger.log_trial_end(trial, failed=failed)


def tab(folder):
    """Trial's folder -> (settings, scores, status) as the tab shows them."""
    multiplexer = EventMultiplexer(size_guidance={"tensors": 100}).AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    context = Context(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(folder))))
    request = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=99, allowed_statuses=STATUSES)
    found = list_session_groups.Handler(RequestContext(), context, "", request).run()
    return {group.sessions[0].name: read_group(group) for group in found.session_groups}


def read_group(group):
    settings = {name: getattr(value, value.WhichOneof("kind")) for name, value in group.hparams.items()}
    scores = {value.name.tag: value.value for value in group.metric_values}
    ours = {tag: value for tag, value in scores.items() if tag.startswith("hparams/")}
    assert all(math.isfinite(value) for value in scores.values())
    return settings, ours, group.sessions[0].status


def test_settings_and_scores_of_every_trial(tmp_path):
    written = {
        "seed": {"grid_search": [1, 2]},
        "env_config": {"level": [0, 1], "cue_after_teleport": False, "limbo_time": None},
        "model": {"core": {"type": {"grid_search": ["lstm", "gru"]}}},
    }
    searched = [("seed",), ("model", "core", "type")]
    for seed, core, values in ((1, "lstm", [None, 0.25, 0.75, 0.5]), (2, "gru", [math.nan, 0.125])):
        config = {"seed": seed, "_model_config": {"core": {"type": core}}}
        write(tmp_path / core, values, config, searched, written)
    found = tab(tmp_path)
    assert found["lstm"] == (
        {
            "run": "RecurrentPPO",
            "env": "engram/TMaze-v0",
            "lr": 1e-3,  # the default, which the file does not name
            "seed": 1,
            "model.core.type": "lstm",
            "env_config.level": "[0, 1]",
            "env_config.cue_after_teleport": False,
            "env_config.limbo_time": "null",
        },
        {"hparams/return_last": 0.5, "hparams/return_best": 0.75},
        1,
    )
    assert found["gru"][0]["seed"] == 2
    assert found["gru"][1] == {"hparams/return_last": 0.125, "hparams/return_best": 0.125}


def test_without_a_search_and_of_several_experiments(tmp_path):
    write(tmp_path / "one", [0.5], {"_model_config": {"core": {"type": "lstm"}}})
    write(tmp_path / "two", [0.25], {"lambda": 0.5}, written={"lambda_": 0.5, "lr": [[0, 1.0], [9, 0.1]]})
    found = tab(tmp_path)
    assert found["one"][0]["model.core.type"] == "lstm"
    assert (found["two"][0]["lambda_"], found["two"][0]["lr"]) == (0.5, "[[0, 1.0], [9, 0.1]]")


def test_no_finished_episode_is_no_score(tmp_path):
    write(tmp_path / "none", [None, math.nan], {}, failed=True)
    settings, scores, status = tab(tmp_path)["none"]
    assert scores == {}
    assert (settings["seed"], status) == ("null", 0)


def test_evaluations_count_too_and_the_best_survives_a_restart(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    before = report(1, 0.75, evaluation={"env_runners": {"episode_return_mean": 0.875}})
    (folder / "result.json").write_text(json.dumps(before) + "\n")
    write(folder, [0.5], {}, evaluation={"env_runners": {"episode_return_mean": 0.25}})
    assert tab(tmp_path)["run"][1] == {
        "hparams/return_last": 0.5,
        "hparams/return_best": 0.75,
        "hparams/evaluation_return_last": 0.25,
        "hparams/evaluation_return_best": 0.875,
    }
