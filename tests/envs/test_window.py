"""The render mode "human": against a stand-in for Tk, and against Tk itself where there is a display."""

import copy
import pickle
import sys
import time
import types
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator
from gymnasium.error import DependencyNotInstalled
from gymnasium.utils.env_checker import check_env

import engram.envs
from engram.envs.forms.boards import CELL_PIXELS
from engram.envs.forms.window import SIDE_PIXELS, Window, can_open, ppm

FPS = 1000
PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)

needs_display = pytest.mark.skipif(not can_open(), reason="no display, or no Tk")
every_id = pytest.mark.parametrize("env_id", engram.envs.GAMES)


class TclError(Exception):
    """Stand-in for Tk's own error."""


class Root:
    """Stand-in for a Tk window; remembers what it was told."""

    def __init__(self):
        self.titles, self.updates, self.alive, self.on_close = [], 0, True, None
        self.title = self.titles.append

    def resizable(self, *axes):
        pass

    def protocol(self, name, call):
        assert name == "WM_DELETE_WINDOW"
        self.on_close = call

    def update(self):
        assert self.alive
        self.updates += 1

    def destroy(self):
        assert self.alive
        self.alive = False


class Label:
    """Stand-in for Tk's label."""

    def __init__(self, root, **options):
        root.label, self.images = self, []

    def pack(self):
        pass

    def configure(self, image):
        self.images.append(image)


class Tk(types.ModuleType):
    """Stand-in for the module `tkinter`."""

    def __init__(self):
        super().__init__("tkinter")
        self.roots, self.TclError, self.Label = [], TclError, Label

    def Tk(self):  # noqa: N802 (tkinter's name)
        self.roots.append(Root())
        return self.roots[-1]

    def PhotoImage(self, master, data, format):  # noqa: N802 (tkinter's name)
        assert format == "ppm"
        return data


@pytest.fixture
def tk(monkeypatch):
    made = Tk()
    monkeypatch.setitem(sys.modules, "tkinter", made)
    return made


@pytest.fixture
def no_display(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")


def pixels(data):
    """The picture inside a PPM file."""
    header, _, body = data.partition(b"\n")
    kind, width, height, deepest = header.split()
    assert (kind, deepest) == (b"P6", b"255")
    return np.frombuffer(body, np.uint8).reshape(int(height), int(width), 3)


def test_a_picture_is_enlarged_by_a_whole_factor():
    factor = SIDE_PIXELS // 3
    assert np.array_equal(pixels(ppm(PICTURE)), PICTURE.repeat(factor, 0).repeat(factor, 1))
    large = np.zeros((3, SIDE_PIXELS + 1, 3), np.uint8)
    assert pixels(ppm(large)).shape == large.shape


def test_a_window_shows_what_it_is_given(tk):
    window = Window("a title", FPS)
    (root,) = tk.roots
    assert root.titles == ["a title"]
    for picture in (PICTURE, PICTURE[::-1]):
        window.show(picture)
    assert root.label.images == [ppm(PICTURE), ppm(PICTURE[::-1])]
    assert root.updates == 2


def test_pictures_keep_their_pace(tk, monkeypatch):
    """By a clock that sleeping moves: as many waits as pictures, and no haste after a long pause."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    window = Window("", fps=4)
    for _ in range(8):
        window.show(PICTURE)
    assert clock[0] == 102.0
    clock[0] += 0.125  # the agent thinks for half of a picture's time
    window.show(PICTURE)
    assert clock[0] == 102.25
    clock[0] += 60.0
    window.show(PICTURE)
    assert clock[0] == 162.25
    window.show(PICTURE)
    assert clock[0] == 162.5


def test_a_window_closed_by_hand_stays_closed(tk):
    window = Window("", FPS)
    (root,) = tk.roots
    root.on_close()
    assert not window.is_open
    assert not root.alive
    window.show(PICTURE)
    window.close()
    assert root.label.images == []


@every_id
def test_the_window_follows_reset_and_step(env_id, tk, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    seen, plain = (gymnasium.make(env_id, render_mode=mode) for mode in ("human", "rgb_array"))
    (root,) = tk.roots
    assert root.label.images == []
    seen.reset(seed=3), plain.reset(seed=3)
    expected = [ppm(plain.render())]
    for action in (0, 2, 4, 1):
        seen.step(action), plain.step(action)
        expected.append(ppm(plain.render()))
    assert root.label.images == expected
    assert seen.render() is None
    seen.close()
    seen.close()
    assert not root.alive


@pytest.mark.parametrize("clone", [copy.copy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_has_a_window_of_its_own(clone, tk, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    env = gymnasium.make("engram/TMaze-v0", render_mode="human").unwrapped
    env.reset(seed=3)
    other = clone(env)
    first, second = tk.roots
    assert second.titles == first.titles
    env.step(0)
    assert (len(first.label.images), len(second.label.images)) == (2, 0)
    other.step(0)
    assert second.label.images == first.label.images[1:]
    env.close()
    other.step(0)
    assert (first.alive, second.alive) == (False, True)
    clone(env).reset(seed=0)  # closed: it shows nothing, either
    assert len(tk.roots) == 2


@every_id
def test_without_a_display_one_line_says_so(env_id, tk, monkeypatch):
    def refuse():
        raise TclError("no $DISPLAY")

    monkeypatch.setattr(tk, "Tk", refuse)
    with pytest.raises(
        DependencyNotInstalled, match=r"'human' needs a display: no \$DISPLAY; .* 'rgb_array'"
    ):
        gymnasium.make(env_id, render_mode="human")


def test_without_tk_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(DependencyNotInstalled, match=r"needs Tk, .* python3-tk.* 'rgb_array'"):
        Window("", FPS)


def test_a_window_can_open_where_there_are_both(monkeypatch, no_display):
    monkeypatch.setattr("engram.envs.forms.window.find_spec", {"_tkinter": object()}.get)
    assert not can_open()
    monkeypatch.setenv("DISPLAY", ":1")
    assert can_open()
    monkeypatch.setattr("engram.envs.forms.window.find_spec", {}.get)
    assert not can_open()
    monkeypatch.setattr("engram.envs.forms.window.find_spec", {"_tkinter": object()}.get)
    monkeypatch.delenv("DISPLAY")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert can_open()


@every_id
def test_only_modes_that_work_here_are_listed(env_id, no_display):
    env = gymnasium.make(env_id).unwrapped
    assert env.metadata["render_modes"] == ["ansi", "rgb_array"]
    assert type(env).metadata["render_modes"] == ["human", "ansi", "rgb_array"]  # no display is no other game
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env)


@every_id
def test_the_batched_form_has_no_window(env_id):
    form = load_env_creator(gymnasium.spec(env_id).vector_entry_point)
    with pytest.raises(ValueError, match=r"render_mode: unknown 'human'; .*known: ansi, rgb_array"):
        form(render_mode="human")


@needs_display
@every_id
def test_gymnasiums_checker_on_a_display(env_id):
    env = gymnasium.make(env_id).unwrapped
    assert "human" in env.metadata["render_modes"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env)


@needs_display
def test_a_real_window_shows_the_board_in_its_colours():
    env = gymnasium.make("engram/TMaze-v0", render_mode="human").unwrapped
    env.reset(seed=0)
    env.step(2)
    image, look = env._window._image, env.look
    factor = SIDE_PIXELS // (CELL_PIXELS * max(look.rows, look.cols))
    side = CELL_PIXELS * factor
    assert (image.width(), image.height()) == (look.cols * side, look.rows * side)
    shown = [[image.get(col * side, row * side) for col in range(look.cols)] for row in range(look.rows)]
    assert np.array_equal(shown, look.palette[env.board])
    env.close()
