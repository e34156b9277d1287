import json
import shutil
import sys

import gymnasium as gym
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from scipy import stats

import engram
from engram.agents import RecurrentModule
from engram.agents.columns.episodes import Episode
from engram.train.console.errors import ExperimentError
from engram.train.environments.facts import make_batched, probe
from engram.train.evaluation import TrainedAgent, load_agent
from engram.train.evaluation.gif import Reel, check_gif, write_gif
from engram.train.evaluation.policy import ColumnPolicy, ModulePolicy, StockPolicy, make_policy
from engram.train.evaluation.rollout import play_episodes
from engram.train.evaluation.summary import summarise, summary_parts
from engram.train.plans import build, network
from engram.train.runs.checkpoints import TrainedOn

CUE, UNEVEN, TOLD = (f"small_envs:small/{name}-v0" for name in ("Cue", "Uneven", "ToldCue"))
MODEL = {"encoder": {"type": "mlp", "hidden": [8]}, "core": {"type": "lstm", "size": 8}}


def module(run="RecurrentPPO", model=MODEL, env=CUE):
    facts = probe(env, {})
    return network.build_module(build.build_config(run, facts, {"model": model}), facts)


def play(module, env_id, env_config, episodes, seed=0, greedy=False):
    return play_episodes(TrainedAgent("checkpoint", module, env_id, env_config, greedy), episodes, seed)


def test_the_door_for_python(finished_run):
    """What it gives plays the very episodes that `rllib evaluate` plays."""
    agent = load_agent(finished_run[1])
    assert (agent.env_id, agent.env_config, agent.greedy) == (CUE, {"delay": 2}, True)
    envs = agent.make_envs(4)
    policy = agent.make_policy(lanes=4)
    observations, _ = envs.reset(seed=3)
    resets, returns, found = np.ones(4, bool), np.zeros(4), []
    while len(found) < 4:
        actions = policy.act(observations, resets)
        observations, rewards, terminated, truncated, _ = envs.step(actions)
        resets = terminated | truncated
        returns += rewards
        found += returns[resets].tolist()
    envs.close()
    played = play_episodes(load_agent(str(finished_run[1])), 4, seed=3).episodes
    assert found == [episode.episode_return for episode in played]
    assert load_agent(finished_run[1], {"delay": 5}, greedy=False).env_config == {"delay": 5}


def test_it_plays_what_the_experiment_evaluates_in(finished_run, tmp_path, typed):
    """Settings of `evaluation_config` go over those of training, those of the command over both."""
    run = shutil.copytree(finished_run[1], tmp_path / "cue")
    (record,) = run.glob("RecurrentPPO_*/run.json")
    data = json.loads(record.read_text())
    data["trial_config"]["evaluation_config"] = {"env_config": {"delay": 4}, "explore": True}
    record.write_text(json.dumps(data))
    agent = load_agent(run)
    assert (agent.env_config, agent.greedy) == ({"delay": 4}, False)
    assert load_agent(run, {"delay": 5}).env_config == {"delay": 5}
    assert '{"delay": 4}' in typed("evaluate", run, "--episodes", 2)[1]
    typed("export", run, "--out", tmp_path / "policy.safetensors")
    assert engram.load_policy(tmp_path / "policy.safetensors").card.env_config == {"delay": 2}


class Oracle(ModulePolicy):
    """Remembers the cue by hand."""

    def __init__(self, module, lanes, greedy):
        super().__init__(module, lanes, greedy)
        self.seen = np.zeros(lanes, int)

    def act(self, observations, resets, infos=None):
        self.seen[resets] = observations[resets, :2].argmax(-1)
        return self.seen


def test_an_oracle_succeeds_always(monkeypatch):
    monkeypatch.setattr("engram.train.evaluation.agent.make_policy", Oracle)
    summary = summarise(play(module(), CUE, {"delay": 3}, 37, seed=5).episodes)
    assert summary["episodes"] == 37
    assert summary["return_mean"] == summary["success_rate"] == 1.0
    assert summary["return_ci95"] == [1.0, 1.0]
    assert summary["length_mean"] == 4.0
    assert set(summary["groups"]) == {"0", "1"}
    assert sum(part["episodes"] for part in summary["groups"].values()) == 37


def test_long_episodes_count_as_often_as_short_ones(monkeypatch):
    """Stopping at the first N episodes that end would find the short ones nine times as often."""
    monkeypatch.setattr("engram.train.evaluation.rollout.MAX_LANES", 8)
    summary = summarise(play(module(env=UNEVEN), UNEVEN, {}, 402).episodes)
    assert summary["episodes"] == 402
    assert 0.4 < summary["return_mean"] / 9 < 0.6
    assert summary["success_rate"] is None
    assert summary["groups"] == {}


def test_same_seed_same_episodes():
    made = module()
    assert play(made, CUE, {}, 20, seed=3) == play(made, CUE, {}, 20, seed=3)


class NineSure(ModulePolicy):
    """Gives nine tenths to one class, the rest to the others, whatever it sees."""

    def act(self, observations, resets, infos=None):
        logits = torch.full((self.lanes, self.module.action_space.n), 0.1 / (self.module.action_space.n - 1))
        logits[:, 1] = 0.9
        return self._decide(logits.log())


@pytest.mark.parametrize("mask", ["recall", "all"])
def test_cross_entropy_of_answers(monkeypatch, mask):
    """At the steps of the loss and at those that earn reward, of those episodes alone that count."""
    monkeypatch.setattr("engram.train.evaluation.agent.make_policy", NineSure)
    monkeypatch.setattr("engram.train.evaluation.rollout.MAX_LANES", 8)
    config = {"span": 3, "length": 2, "mask": mask}
    model = module("Supervised", env="engram/Copying-v0")
    played = play(model, "engram/Copying-v0", config, 2001, seed=3, greedy=True)
    sure, unsure = -np.log(0.9), -np.log(0.1 / 8)
    recalled = np.mean([episode.episode_return for episode in played.episodes])
    scored = recalled * sure + (1 - recalled) * unsure
    assert played.answers["cross_entropy_scored"] == pytest.approx(scored, abs=1e-5)
    counted = scored if mask == "recall" else (2 * scored + 5 * unsure) / 7
    assert played.answers["cross_entropy"] == pytest.approx(counted, abs=1e-5)
    assert played.answers["chance"]["cross_entropy_scored"] == pytest.approx(np.log(8))


def test_no_cross_entropy_where_nobody_says_what_is_right():
    assert play(module(), CUE, {}, 3).answers == {}


def test_interval_is_students_t():
    totals = [0.0, 1.0, 1.0, 0.5, 0.25]
    summary = summarise([Episode(total, 3, None, None) for total in totals])
    expected = stats.t.interval(0.95, len(totals) - 1, np.mean(totals), stats.sem(totals))
    np.testing.assert_allclose(summary["return_ci95"], expected)
    assert summarise([Episode(1.0, 3, True, "a")])["return_ci95"] is None


def test_groups_sort_as_numbers():
    episodes = [Episode(1.0, 1, True, group) for group in ("10", "9", "2", "x")]
    assert list(summarise(episodes)["groups"]) == ["2", "9", "10", "x"]


@pytest.mark.parametrize(
    ("groups", "rows"),
    [("aaa", ["all"]), ("aba", ["all", "a", "b"]), ((None, "a", "a"), ["all", "a"]), ((None,) * 3, ["all"])],
)
def test_a_group_of_all_episodes_is_no_row(groups, rows):
    summary = summarise([Episode(1.0, 1, True, group) for group in groups])
    (table,) = summary_parts(summary)
    assert list(table.columns[0].cells) == rows


@pytest.mark.parametrize(
    ("run", "model", "kind"),
    [
        ("RecurrentPPO", MODEL, ColumnPolicy),
        ("PPO", MODEL, StockPolicy),
        ("PPO", {"use_lstm": True, "lstm_cell_size": 8, "fcnet_hiddens": [8]}, StockPolicy),
    ],
)
def test_memory_is_carried_and_reset(run, model, kind):
    """Lane 0 is reset before the third step, lane 1 never: lane 0 must then act as at its first step."""
    made = module(run, model)
    policy = make_policy(made, 2, greedy=False)
    assert isinstance(policy, kind)
    inputs = []
    policy._decide = lambda logits: inputs.append(logits.reshape(2, -1).clone()) or np.zeros((2, 1), int)
    look = torch.tensor([[1.0, 0.0, 0.0]] * 2).numpy()
    for resets in ([True, True], [False, False], [True, False]):
        policy.act(look, np.array(resets))
    first, second, third = inputs
    torch.testing.assert_close(third[0], first[0])
    assert not torch.allclose(second[0], first[0])
    assert not torch.allclose(third[1], first[1])


@pytest.mark.parametrize(
    ("run", "model"),
    [
        ("RecurrentPPO", MODEL),
        ("PPO", {"fcnet_hiddens": [8]}),
        ("PPO", {"use_lstm": True, "lstm_cell_size": 8, "fcnet_hiddens": [8]}),
    ],
)
def test_policies_act_and_say_how_likely_actions_were(run, model):
    policy = make_policy(module(run, model), 3, greedy=True)
    actions = policy.act(np.eye(3, dtype=np.float32), np.ones(3, bool))
    chosen, other = (np.exp(policy.log_likelihood(each)) for each in (actions, 1 - actions))
    assert actions.shape == chosen.shape == (3,)
    np.testing.assert_allclose(chosen + other, 1, rtol=1e-5)
    assert (chosen >= other).all()
    assert len(set(chosen.tolist())) == 3, "this test cannot tell lanes apart"


def test_value_based_modules_act_and_have_no_likelihoods():
    made = module("DQN", {"fcnet_hiddens": [8]})
    policy = make_policy(made, 3, greedy=True)
    actions = policy.act(np.zeros((3, 3), np.float32), np.ones(3, bool))
    assert actions.shape == (3,)
    assert policy.log_likelihood(actions) is None
    assert play(made, TOLD, {}, 3).answers == {}


def test_cross_entropy_in_any_environment_that_tells():
    """Of a stock LSTM, with no measure for which the environment has no key."""
    made = module("PPO", {"use_lstm": True, "lstm_cell_size": 8, "fcnet_hiddens": [8]}, TOLD)
    answers = play(made, TOLD, {}, 64).answers
    assert set(answers) == {"cross_entropy"}
    assert answers["cross_entropy"] == pytest.approx(np.log(2), abs=0.3)


def test_foreign_observations_are_refused():
    with pytest.raises(ExperimentError, match="made for observations"):
        play(module(), UNEVEN, {}, 100)


def durations(file):
    """Milliseconds that each picture of a GIF is shown."""
    with Image.open(file) as gif:
        return [picture.info["duration"] for picture in ImageSequence.Iterator(gif)]


def test_gif(tmp_path):
    file = tmp_path / "walk.gif"
    assert write_gif(TrainedAgent(tmp_path, module(), CUE, {"delay": 3}), 0, file, 1.0)
    assert durations(file) == [200] * 5  # the first look and four steps
    with Image.open(file) as gif:
        assert gif.size == (240, 160)
    with pytest.raises(ExperimentError, match="--gif"):
        write_gif(TrainedAgent(tmp_path, module(), CUE), 0, tmp_path / "no" / "folder.gif", 1.0)


def test_a_gif_of_a_long_episode_is_cut_short_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("engram.train.evaluation.gif.MAX_STEPS", 2)
    file = tmp_path / "walk.gif"
    assert not write_gif(TrainedAgent(tmp_path, module(), CUE, {"delay": 3}), 0, file, 1.0)
    assert durations(file) == [200] * 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/walk.gif", "--gif {}: no such folder: "),
        ("walk.avi", "--gif {}: suffix: unknown '.avi'; known: .gif, .mp4"),
        ("walk", "--gif {}: suffix: unknown ''; "),
        ("folder.gif", "--gif {}: is a folder, expected a file"),
        ("/proc/walk.gif", "--gif {}: cannot be written: "),
    ],
)
def test_a_picture_that_cannot_be_written_is_found_out_before_any_episode(
    typed, tmp_path, monkeypatch, name, message
):
    (tmp_path / "folder.gif").mkdir()
    monkeypatch.setattr("engram.train.evaluation.rollout.play_episodes", None)
    agent = TrainedAgent(tmp_path, module(), CUE)
    monkeypatch.setattr("engram.train.evaluation.load_agent", lambda *arguments: agent)
    file = str(tmp_path / name)
    code, out, err = typed("evaluate", tmp_path, "--gif", file)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message.format(file)}")


def test_an_environment_that_does_not_render_is_found_out_before_any_episode(tmp_path):
    with pytest.raises(ExperimentError, match=r"--gif: .* cannot render to pixels"):
        check_gif(str(tmp_path / "walk.gif"), TrainedAgent(tmp_path, None, UNEVEN))
    assert not list(tmp_path.iterdir())


def test_a_film_needs_a_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(
        ExperimentError, match=r"walk.mp4: needs one more package: pip install 'engram\[video\]'"
    ):
        check_gif(str(tmp_path / "walk.mp4"), TrainedAgent(tmp_path, None, CUE))


def test_a_film_shows_each_picture_as_long_as_a_gif(tmp_path):
    imageio = pytest.importorskip("imageio")
    pytest.importorskip("imageio_ffmpeg")
    reel = Reel(pace=100, hold=300)
    for shade in (0, *[255] * 7, 0):
        reel.add(np.full((31, 21, 3), shade, np.uint8))
    reel.write(tmp_path / "walk.mp4")
    with imageio.get_reader(tmp_path / "walk.mp4") as film:
        assert film.get_meta_data()["fps"] == 10
        assert [int(frame[0, 0, 0] > 127) for frame in film] == [0, 1, 1, 1, 0]


def test_a_gif_does_not_linger(tmp_path):
    """A picture that stays is held as long as it stays, but no longer than asked for."""
    dark, light = np.zeros((9, 9, 3), np.uint8), np.full((9, 9, 3), 255, np.uint8)
    held = {}
    for hold in (50, 450, 700_000):
        reel = Reel(pace=100, hold=hold)
        for picture in (dark, light, light, light, dark, *[light] * 7000):
            reel.add(picture)
        assert [picture[0, 0, 0] for picture in reel.pictures] == [0, 255, 0, 255]
        reel.write(tmp_path / "reel.gif")
        held[hold] = durations(tmp_path / "reel.gif")
    assert held == {
        50: [100, 100, 100, 100],  # no shorter than a picture's own time
        450: [100, 300, 100, 450],
        700_000: [100, 300, 100, 655_350],  # what the format can say
    }


def test_a_gif_of_one_picture(tmp_path):
    reel = Reel(pace=100, hold=1000)
    for _ in range(3):
        reel.add(np.zeros((9, 9, 3), np.uint8))
    reel.write(tmp_path / "still.gif")
    assert durations(tmp_path / "still.gif") == [300]


class Idle:
    """Stays where it is."""

    def act(self, observations, resets, infos=None):
        return np.array([4])


def test_a_gif_of_the_maze_skips_the_wait(tmp_path, monkeypatch):
    """30 s in which nothing happens but that the teleporter appears: two pictures, 2 s."""
    monkeypatch.setattr("engram.train.evaluation.agent.make_policy", lambda module, lanes, greedy: Idle())
    file = tmp_path / "maze.gif"
    write_gif(TrainedAgent(tmp_path, None, "engram/TMaze-v0", {"timeout_frames": 300}), 0, file, 1.0)
    assert durations(file) == [1000, 1000]
    assert file.stat().st_size < 10_000


def test_summary_is_json():
    env = make_batched(CUE, 2, {})
    env.close()
    summary = summarise(play(module(), CUE, {}, 3).episodes)
    assert json.loads(json.dumps(summary)) == summary


class Broken(ModulePolicy):
    """Fails at its first step."""

    def act(self, observations, resets, infos=None):
        raise RuntimeError("mat1 and mat2 shapes\ncannot be multiplied")


def test_a_policy_that_breaks_is_one_line(typed, monkeypatch, tmp_path):
    monkeypatch.setattr("engram.train.evaluation.agent.make_policy", Broken)
    monkeypatch.setattr("engram.train.runs.checkpoints.find_checkpoint", lambda path: tmp_path)
    monkeypatch.setattr("engram.train.runs.checkpoints.load_module", lambda path: module())
    monkeypatch.setattr(
        "engram.train.runs.checkpoints.source", lambda path: TrainedOn(CUE, {"autoreset_mode": "x"})
    )
    error = f"error: evaluate: {tmp_path} cannot be played: mat1 and mat2 shapes\n"
    assert typed("evaluate", tmp_path) == (2, "", error)


class CueReader:
    """Remembers the cue by hand, and looks where it is told to."""

    def __init__(self, lanes, wrong=False):
        self.seen, self.wrong = np.zeros(lanes, int), wrong

    def act(self, observations, resets):
        self.seen[resets] = observations[resets, :2].argmax(-1)
        return 1 - self.seen if self.wrong else self.seen


class Deaf:
    """No player."""

    def __init__(self, lanes):
        pass


PLAYER = ("--policy", f"{__name__}:CueReader", "--env", CUE)


@pytest.fixture
def importable(monkeypatch):
    """This module under its own name, as those of users are."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(("config", "success"), [("{}", 1.0), ("{wrong: true}", 0.0)])
def test_a_scripted_player_in_place_of_a_checkpoint(typed, config, success):
    code, out, err = typed(
        "evaluate",
        *PLAYER,
        "--policy-config",
        config,
        "--env-config",
        "{delay: 3}",
        "--episodes",
        9,
        "--json",
    )
    assert (code, err) == (0, "")
    assert "actions: as scripted" in out
    found = json.loads(out.splitlines()[-1])
    assert (found["episodes"], found["success_rate"], found["length_mean"]) == (9, success, 4.0)
    assert (found["policy"], found["env"], found["env_config"]) == (PLAYER[1], CUE, {"delay": 3})


@pytest.mark.parametrize(
    ("player", "env", "reward"),
    [
        ("engram.envs.games.oracles:TMazeOracle", "engram/TMaze-v0", 0.612),
        ("engram.envs.ibl.bayes:OracleBlockActor", "engram/IBL-v0", 112.0),
    ],
)
def test_players_that_come_with_tasks(typed, player, env, reward):
    code, out, _ = typed("evaluate", "--policy", player, "--env", env, "--episodes", 4, "--json")
    assert code == 0
    assert json.loads(out.splitlines()[-1])["return_mean"] == pytest.approx(reward, rel=0.3)


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "evaluate: expected a CHECKPOINT, or --policy MODULE:CLASS and --env ID"),
        (["--env", CUE], "--env: needs --policy"),
        ([*PLAYER[:2]], "--policy: needs --env, the environment it plays in"),
        (["there", *PLAYER], "CHECKPOINT: not with --policy"),
        ([*PLAYER, "--greedy"], "--stochastic/--greedy: not with --policy"),
        ([*PLAYER, "--policy-config", "{lanes: 3}"], "--policy-config.lanes: is given by the environment"),
        ([*PLAYER, "--policy-config", "{wong: 3}"], f"--policy {PLAYER[1]}: "),
        (["--policy", "CueReader", "--env", CUE], "--policy: expected module:Class, got 'CueReader'"),
        (["--policy", "none:CueReader", "--env", CUE], "--policy: cannot load 'none:CueReader': No module"),
        (["--policy", f"{__name__}:Deaf", "--env", CUE], f"--policy {__name__}:Deaf: Deaf has no method act"),
        ([*PLAYER[:3], "engram/Nothing-v0"], "env: "),
    ],
)
def test_what_cannot_play_is_one_line(typed, arguments, message):
    code, out, err = typed("evaluate", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {message}")


def test_gaussian_actions_stay_inside_the_box():
    """As the runners clip them in training: what the environment gets is what it was trained with."""
    box = gym.spaces.Box(-0.1, 0.1, (2,))
    seen = gym.spaces.Box(0, 1, (3,))
    made = RecurrentModule(observation_space=seen, action_space=box, model_config=MODEL)
    actions = make_policy(made, 64, greedy=False).act(np.zeros((64, 3), np.float32), np.ones(64, bool))
    assert np.abs(actions).max() == pytest.approx(0.1)
