"""The render mode "human": Gymnasium's window, around what is rendered to pixels."""

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator
from gymnasium.error import DependencyNotInstalled
from gymnasium.wrappers import HumanRendering

import engram.envs
from tests.envs.test_conformance import short

pytestmark = pytest.mark.filterwarnings("ignore:.*The HumanRendering wrapper is being applied")
every_id = pytest.mark.parametrize("env_id", engram.envs.IDS)


@every_id
def test_the_window_follows_reset_and_step(env_id, monkeypatch):
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    seen, plain = (
        gymnasium.make(env_id, render_mode=mode, **short(env_id)) for mode in ("human", "rgb_array")
    )
    seen.metadata["render_fps"] = 0  # no waiting

    def shown():
        return pygame.surfarray.array3d(seen.window).transpose(1, 0, 2)

    seen.reset(seed=3), plain.reset(seed=3)
    assert np.array_equal(shown(), plain.render())
    plain.action_space.seed(0)
    action = plain.action_space.sample()
    seen.step(action), plain.step(action)
    assert np.array_equal(shown(), plain.render())
    seen.close()


@every_id
def test_without_pygame_one_line_says_what_to_install(env_id, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    env = gymnasium.make(env_id, render_mode="human", **short(env_id))
    assert isinstance(env, HumanRendering)
    with pytest.raises(DependencyNotInstalled, match=r"^pygame is not installed, run `pip install .*`$"):
        env.reset(seed=0)


@every_id
def test_neither_form_opens_a_window_by_itself(env_id):
    spec = gymnasium.spec(env_id)
    for entry in (spec.entry_point, spec.vector_entry_point):
        with pytest.raises(ValueError, match=r"render_mode: 'human' is a window .*legal here: .*rgb_array"):
            load_env_creator(entry)(render_mode="human")
