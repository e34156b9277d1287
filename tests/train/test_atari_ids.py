"""`ale_py:ALE/Game-v5`: made in forms of ours, described in the header, refused in one line."""

import subprocess
import sys

import pytest
from test_checks import plan

from engram.agents.columns.env_states import UnsavedError, save_env
from engram.agents.columns.lanes import vectorize
from engram.envs.atari.lanes import AtariLanes
from engram.envs.atari.single import Atari
from engram.envs.forms.frames import FrameStack
from engram.train.console.errors import ExperimentError
from engram.train.environments import ids
from engram.train.environments.facts import probe
from engram.train.plans import effects, header

ALE = pytest.importorskip("ale_py", reason="ale_py is missing: engram[atari]").__name__
MODEL = {"core": {"type": "gru", "size": 8}}
SMALL = {"img_height": 42, "img_width": 42}


@pytest.fixture(scope="module")
def breakout():
    settings = {"model": MODEL, "clip_rewards": True, "env_config": SMALL}
    return plan(settings, env="ALE/Breakout-v5")


def test_what_is_known_of_a_game(breakout):
    env = breakout.env
    assert (env.id, env.observation_space) == ("ale_py:ALE/Breakout-v5", FrameStack(42, 42, 1, 4))
    assert env.action_space.n == 4
    assert not env.tells_mask


def test_the_header_says_what_makes_scores_comparable(breakout):
    said = dict(header.rows(breakout))
    assert said["environment"] == "ALE/Breakout-v5"
    assert said["rules"].startswith("sticky actions 0.25; 4 frames per action; up to 30 frames of waiting ")
    assert "lost lives end none" in said["rules"]
    assert said["rewards"] == "learned from are their signs, -1, 0 or 1; returns are of rewards as they come"
    assert said["scaling"] == "0 to 255 by their bounds to 0 to 1"


def test_only_actor_critics_of_ours_clip_rewards():
    honoured = {
        run for (run, key), row in effects.pairs() if key == "clip_rewards" and row.effect == "honoured"
    }
    assert honoured == {"RecurrentPPO", "RecurrentA2C", "RecurrentIMPALA"}
    with pytest.raises(ExperimentError, match=r"clip_rewards: .* above 0"):
        plan({"clip_rewards": -1})


def test_both_forms_are_ours():
    spec = ids.find_spec("ale_py:ALE/Pong-v5")
    assert ids.find_spec("ALE/Pong-v5") == spec
    lanes = vectorize("ale_py:ALE/Pong-v5", 2, SMALL)
    assert type(lanes) is AtariLanes
    assert lanes.options.repeat_action_probability == 0.25  # that of the id
    assert probe("ALE/Pong-v5", SMALL, "copies").observation_space == lanes.single_observation_space
    assert spec.entry_point == f"{Atari.__module__}:{Atari.__name__}"
    with pytest.raises(
        UnsavedError, match=r"AtariLanes cannot be pickled .*ALE's lanes have no state that can"
    ):
        save_env(lanes)
    lanes.close()


@pytest.mark.parametrize(
    ("env", "settings", "said"),
    [
        ("ALE/Pogn-v5", {}, "env: unknown 'ALE/Pogn-v5'; did you mean 'ALE/Pong-v5'"),
        ("ALE/Pong-v5", {"img_hight": 42}, "img_hight: unknown key; did you mean 'img_height'"),
        (
            "ALE/Pong-v5",
            {"episodic_life": True},
            "episodic_life: true is not for lanes that train; legal: false",
        ),
    ],
)
def test_refused_in_one_line(env, settings, said):
    with pytest.raises(ExperimentError, match=said) as error:
        probe(env, settings)
    assert len(error.value.lines) == 1


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ale_py", None)
    for env in ("ALE/Pong-v5", "ale_py:ALE/Pong-v5"):
        with pytest.raises(
            ExperimentError, match=r'cannot be imported.*; pip install "engram\[atari\]"$'
        ) as error:
            probe(env, {})
        assert len(error.value.lines) == 1


def test_the_package_is_imported_for_its_games_alone():
    code = "import sys, engram.envs.atari.single; assert 'ale_py' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


GAME = """
game:
  env: ALE/Breakout-v5
  run: RecurrentPPO
  stop: {training_iteration: 2}
  storage_path: .
  config:
    env_config: {img_height: 42, img_width: 42, max_num_frames_per_episode: 400}
    clip_rewards: true
    seed: 0
    num_envs_per_env_runner: 4
    rollout_fragment_length: 16
    min_sample_timesteps_per_iteration: 128
    minibatch_size: 32
    model: {core: {type: rims, preset: authors_atari, num_rims: 3, rim_size: 8, num_active: 2}}
"""


@pytest.mark.slow
def test_a_game_is_trained_resumed_evaluated_and_seen(trained, rllib, tmp_path):
    (tmp_path / "game.yaml").write_text(GAME)
    done = trained("-f", "game.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "game.yaml").write_text(GAME.replace("training_iteration: 2", "training_iteration: 3"))
    again = trained("-f", "game.yaml", "--resume", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "new episodes begin: AtariLanes cannot be pickled" in again.stdout
    seen = rllib("evaluate", "game", "--episodes", "2", "--gif", "game.gif", cwd=tmp_path)
    assert seen.returncode == 0, seen.stderr
    assert (tmp_path / "game.gif").read_bytes()[:3] == b"GIF"
