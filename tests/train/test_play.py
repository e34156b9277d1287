"""`rllib play`: what keys do and what is shown, without a terminal; then the whole command in one."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from rllib_process import command, environment, heed_ctrl_c

import engram.envs
from engram.envs.games.oracles import ORACLES
from engram.train.commands.play import check_terminal, start
from engram.train.console.errors import ExperimentError
from engram.train.play.keys import LEAP, has_keys
from engram.train.play.view import Span, facts, mosaic, nearest, screen

MAZE = "engram/TMaze-v0"
QUICK = {"level": 0, "teleport_delay": 3, "limbo_time": 20}
MOVES = ("KEY_UP", "KEY_DOWN", "KEY_LEFT", "KEY_RIGHT", ".")
LETTERS = ("w", "s", "a", "d", " ")


class Dial(gym.Env):
    """Any number is an action; it shows the last one. An episode ends at 0."""

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 (Gymnasium declares it so)

    def __init__(self, top=1.0, numbers=None, render_mode=None):
        self.render_mode = render_mode
        self.observation_space = gym.spaces.Box(-1, 1, (1,))
        self.action_space = gym.spaces.Box(-1, top, (1,)) if numbers is None else gym.spaces.Discrete(numbers)
        if top < 0:
            raise ValueError(f"top: {top} is too small; legal: 0 or more")

    def reset(self, *, seed=None, options=None):
        self.last = None
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.last = action
        return np.zeros(1, np.float32), 0.5, action == 0, False, {}

    def render(self):
        return f"at {self.last}"


class Blind(Dial):
    metadata = {"render_modes": ["human"]}  # noqa: RUF012


gym.register("small/Dial-v0", Dial)
gym.register("small/Blind-v0", Blind)


def keyboard(env_id=MAZE, seed=0, **settings):
    return start(env_id, settings or QUICK, seed)


def board_text(keys):
    """The picture alone, as it is written."""
    rows = screen(keys, "", 200)
    return ["".join(span.text for span in row) for row in rows[: rows.index([])]]


def report(keys, width=200):
    rows = screen(keys, MAZE, width)
    return ["".join(span.text for span in row) for row in rows[rows.index([]) + 1 :]]


def oracle_keys(keys, names=MOVES):
    """The keys that solve the present episode, each pressed as soon as it is known."""
    game, oracle = keys.session.game, ORACLES[MAZE]()
    while not keys.session.over:
        name = names[oracle.act(game.look.observe(game.board)[None])[0]]
        yield name
        assert keys.press(name)


def seed_of(side):
    """A seed whose first episode of the default maze has its reward on this side."""
    env = gym.make(MAZE).unwrapped
    return next(
        seed for seed in range(50) if env.reset(seed=seed) and env.hidden_choices["which_goal"] == side
    )


@pytest.mark.parametrize(("side", "best"), [("left", 0.613), ("right", 0.611)])
@pytest.mark.parametrize("names", [MOVES, LETTERS, [name.upper() for name in LETTERS]])
def test_the_oracle_at_the_keyboard(side, best, names):
    keys = start(MAZE, {}, seed_of(side))
    pressed = list(oracle_keys(keys, names))
    assert keys.session.total == pytest.approx(best)
    assert keys.session.returns == [keys.session.total]
    assert keys.session.frame == len(pressed)
    shown = report(keys)
    assert f"frame {len(pressed)}   return {best}   reward 0" in shown[0]
    assert shown[1].startswith("info: level 4, ")
    assert shown[1].endswith("success yes")
    assert shown[2] == "episode over, r for a new one, q quit"


@pytest.mark.parametrize("env_id", engram.envs.GAMES)
def test_every_game_can_be_played(env_id):
    keys = start(env_id, {}, seed=1)
    game = keys.session.game
    twin = gym.make(env_id).unwrapped
    twin.reset(seed=1)
    for action in (0, 1, 2, 3, 4):
        keys.press(MOVES[action])
        twin.step(action)
        assert np.array_equal(game.board, twin.board)
        assert board_text(keys) == [
            re.sub("(.)", r"\1\1", row) for row in game.look.text(game.board).split("\n")
        ]
    keys.press("h")
    hidden = next(line for line in report(keys) if line.startswith("hidden: "))
    assert len(hidden) < 300
    before = keys.session.frame
    keys.press("n")
    assert keys.session.frame > before


def test_a_board_is_blocks_in_the_games_colours():
    keys = keyboard()
    rows = screen(keys, "", 200)
    colours = keys.session.game.look.colours
    row = next(row for row in rows if any("P" in span.text for span in row))
    wall, floor = Span("##", colours["#"]), Span("  ", (0, 0, 0))
    middle = row.index(Span("PP", colours["P"]))
    assert row[middle - 2 : middle + 3] == [wall, floor, Span("PP", colours["P"]), floor, wall]


def test_a_level_of_minigrid_is_text_in_colours():
    """The whole grid, two letters a cell; what is carried, and no word of levels that were thrown away."""
    pytest.importorskip("minigrid")
    keys = start("minigrid:MiniGrid-DoorKey-5x5-v0", {}, 3)
    rows = screen(keys, "", 200)
    assert board_text(keys)[:5] == ["##########", "##  [X  ##", "##>>##  ##", "##k ##GG##", "##########"]
    told = ["".join(span.text for span in row) for row in rows]
    assert told[6:8] == ["use the key to open the door and then get to the goal", "carries nothing"]
    assert Span("k ", ink=(255, 255, 0)) in rows[3]
    assert Span(">>", marked=True) in rows[2]
    for key in "13":  # turn down to the key, and pick it up
        keys.press(key)
    assert board_text(keys)[2:4] == ["##vv##  ##", "##  ##GG##"]
    assert [Span("carries the yellow key")] in screen(keys, "", 200)


@pytest.mark.parametrize("env_id", ["minigrid:MiniGrid-DoorKey-5x5-v0", "engram/DoorKey-v0"])
def test_keys_of_a_grid_level(env_id):
    """Turns and steps by the arrows, things by letters: the same play as by digits."""
    if env_id.startswith("minigrid:"):
        pytest.importorskip("minigrid")
    named, numbered = (start(env_id, {}, 3) for _ in range(2))
    digits = {"KEY_LEFT": "0", "d": "1", "KEY_UP": "2", "p": "3", "KEY_NPAGE": "4", " ": "5", "\n": "6"}
    for key in ("d", "KEY_UP", "p", "KEY_LEFT", "l", "p", " ", "\n", "w", "KEY_PPAGE", "a"):
        digit = {"l": "4", "w": "2", "KEY_PPAGE": "3", "a": "0"}.get(key) or digits[key]
        named.press(key)
        numbered.press(digit)
        assert named.session.text == numbered.session.text
    assert named.session.frame == numbered.session.frame == 11
    assert named.help.startswith(
        "0 left (arrows)   1 right (arrows)   2 forward (arrows)   3 pickup (p)   4 drop (l)   "
        "5 toggle (space)   6 done (Enter)   r new episode"
    )


def test_keys_of_the_ibl_task():
    keys = start("engram/IBL-v0", {}, 0)
    assert keys.help.startswith("0 left (arrows)   1 right (arrows)   2 wait (space)   r new episode")
    for key in ("KEY_RIGHT", " ", "d"):
        keys.press(key)
    assert keys.session.frame == 3


def test_a_level_that_is_rejected_is_not_told(capfd):
    pytest.importorskip("minigrid")
    start("minigrid:BabyAI-GoToLocal-v0", {}, 3)
    assert capfd.readouterr().out == ""


def test_pixels_are_cells_of_their_mean_colours():
    pixels = np.zeros((64, 48, 3), np.uint8)
    pixels[:32], pixels[32:, :24] = (0, 90, 0), (200, 0, 100)
    cells = mosaic(pixels, 12)
    assert len(cells) == 16
    assert cells[0] == [Span("  " * 12, (0, 90, 0))]
    assert cells[-1] == [Span("  " * 6, (200, 0, 100)), Span("  " * 6, (0, 0, 0))]
    uneven = mosaic(pixels[:, :47], 12)
    assert [sum(len(span.text) for span in row) for row in uneven] == [24] * 16
    assert len(mosaic(np.zeros((320, 20, 3), np.uint8), 80)) == 32


def test_keys_without_a_meaning_do_nothing():
    keys = keyboard()
    for key in ("x", "5", "KEY_RESIZE", "KEY_F(1)", ""):
        assert keys.press(key)
    assert keys.session.frame == 0


@pytest.mark.parametrize("key", ["q", "Q", "\x1b"])
def test_quit(key):
    assert not keyboard().press(key)


def test_stays_in_one_go():
    keys = keyboard(level=0, teleport_delay=50, timeout_frames=70)
    keys.press("f")
    assert keys.session.frame == LEAP
    assert keys.session.total == pytest.approx(-0.001 * (LEAP - 1))
    keys.press(None)  # time alone
    assert keys.session.frame == LEAP + 1
    keys.press("n")
    assert keys.session.frame == 49  # `teleport_delay`-th observation: the teleporter has appeared
    assert "~" in keys.session.text
    keys.press("n")
    assert keys.session.over  # nothing else changes
    assert keys.session.frame == 70
    for key in ("f", "n", "w", None):
        keys.press(key)
    assert keys.session.frame == 70


def test_a_new_episode():
    keys = keyboard()
    first = keys.session.hidden["speckle"]
    keys.press("w")
    keys.press("r")
    assert (keys.session.frame, keys.session.total, keys.session.reward) == (0, 0.0, None)
    assert keys.session.returns == []  # the first was dropped
    assert not np.array_equal(first, keys.session.hidden["speckle"])
    assert report(keys)[0] == f"{MAZE}   frame 0   return 0.000   reward -"


def test_hidden_choices_are_shown_on_request():
    keys = keyboard()
    side = keys.session.hidden["which_goal"]
    assert "hidden" not in "".join(report(keys)[:-1])
    keys.press("h")
    assert f"hidden: which_goal {side}" in report(keys)
    keys.press("h")
    assert "hidden" not in "".join(report(keys)[:-1])
    assert start(MAZE, QUICK, 0, show_hidden=True).show_hidden


def test_long_lines_are_wrapped():
    lines = report(keyboard(), width=30)
    assert max(map(len, lines)) < 30
    assert " ".join(" ".join(lines).split()) == " ".join(" ".join(report(keyboard())).split())


def test_every_game_fits_a_terminal_of_24_lines_of_80():
    for env_id in engram.envs.GAMES:
        keys = start(env_id, {}, 0, show_hidden=True)
        assert len(screen(keys, env_id, 80)) <= 24


def test_facts_are_brief():
    values = {
        "a": np.bool_(True),
        "b": np.arange(3),
        "c": 0.1 + 0.2,
        "d": "left",
        "e": [False, 2],
        "f": np.zeros((2, 9)),
    }
    assert facts(values) == "a yes, b [0 1 2], c 0.3, d left, e [no 2]"
    assert facts({}) == "-"


@pytest.mark.parametrize(
    ("colour", "of_256", "of_8"),
    [
        ((0, 0, 0), 16, 0),
        ((255, 0, 0), 196, 1),
        ((0, 255, 0), 46, 2),
        ((0, 0, 255), 21, 4),
        ((0, 255, 255), 51, 6),
        ((255, 255, 255), 231, 7),
        ((128, 0, 128), 90, 5),
        ((130, 130, 130), 244, 7),
    ],
)
def test_nearest_colours(colour, of_256, of_8):
    """Numbers from xterm's table: 16 + 36 r + 6 g + b in steps 0, 95, 135, ...; from 232 on gray."""
    assert nearest(colour, 256) == of_256
    assert nearest(colour, 8) == of_8


def test_another_environment_by_digits():
    keys = start("FrozenLake-v1", {"is_slippery": False}, seed=0)
    lines = screen(keys, "", 80)
    assert lines[0] == [Span("S", marked=True), Span("FFF")]
    keys.press("2")
    assert screen(keys, "", 80)[:2] == [[Span("  (Right)")], [Span("S"), Span("F", marked=True), Span("FF")]]
    keys.press("f")
    keys.press("w")
    assert keys.session.frame == 1
    assert keys.help.startswith("0-3 actions   r new episode")
    keys.press("1")
    assert keys.session.over  # in the hole of the second row


def test_actions_beyond_9_have_letters():
    """All 18 of an Atari game: `z` is number 10, up and fire at once."""
    pytest.importorskip("ale_py", reason="ale_py is missing: engram[atari]")
    keys = start("ALE/Alien-v5", seed=0)
    assert keys.help.startswith(
        "0 noop (space)   1 fire   2 up (arrows)   3 right (arrows)   4 left (arrows)"
    )
    assert "   9 downleft   z upfire   x rightfire" in keys.help
    before = keys.session.pixels
    for key in ("z", "KEY_LEFT", "t"):
        keys.press(key)
    assert keys.session.frame == 3
    assert before.shape == (210, 160, 3)
    assert keys.session.info["lives"] == 3


def test_an_end_at_the_first_step():
    keys = start("small/Dial-v0", {"numbers": 10})
    keys.press("9")
    assert board_text(keys) == ["at 9"]
    keys.press("0")
    assert keys.session.returns == [1.0]
    assert keys.session.hidden == {}


@pytest.mark.parametrize(
    ("space", "legal"),
    [
        (gym.spaces.Discrete(18), True),
        (gym.spaces.Discrete(3, start=7), True),
        (gym.spaces.Discrete(19), False),
        (gym.spaces.Discrete(2, start=-1), False),
        (gym.spaces.Box(0, 1), False),
        (gym.spaces.MultiDiscrete([2, 2]), False),
    ],
)
def test_which_actions_have_keys(space, legal):
    assert has_keys(space) == legal


@pytest.mark.parametrize(
    ("starting", "message"),
    [
        (partial(start, "engram/TMaz-v0"), "env: unknown 'engram/TMaz-v0'; did you mean 'engram/TMaze-v0'?"),
        (partial(start, MAZE, {"levl": 1}), "--env-config.levl: unknown key; did you mean 'level'?"),
        (partial(start, MAZE, {"level": 9}), "play: level: "),
        (
            partial(start, "small/Blind-v0"),
            "play: small/Blind-v0 cannot render as text or to pixels; its render modes: human",
        ),
        (
            partial(start, "small/Dial-v0"),
            "play: small/Dial-v0 takes actions Box(-1.0, 1.0, (1,), float32); keys name 0 to 17 only",
        ),
        (partial(start, "small/Dial-v0", {"top": -1}), "play: top: -1 is too small; legal: 0 or more"),
        (partial(start, "FrozenLake-v1", fps=5), "--fps: FrozenLake-v1 has no action that waits"),
    ],
)
def test_what_cannot_be_played(starting, message):
    with pytest.raises(ExperimentError) as caught:
        starting()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([MAZE], "play: stdin is no terminal"),
        ([MAZE, "--env-config", "{a: [1}"], "--env-config, line 1"),
        ([MAZE, "--fps", "0"], "Invalid value for '--fps'"),
        (["--fps", "1"], "Missing argument 'ENV_ID'"),
    ],
)
def test_an_error_is_one_line(typed, arguments, message):
    code, out, err = typed("play", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {message}")


def test_without_curses(monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setitem(sys.modules, "curses", None)
    with pytest.raises(ExperimentError, match="play: this Python has no curses, as on Windows"):
        check_terminal()


class Terminal:
    """The command in a pseudo-terminal of 40 lines and 100 columns."""

    def __init__(self, *arguments, term="xterm-256color"):
        pty = pytest.importorskip("pty")
        termios = pytest.importorskip("termios")
        pytest.importorskip("curses")
        self.master, self._inside = pty.openpty()
        self.settings = lambda: termios.tcgetattr(self._inside)
        self.before = self.settings()
        size = {"TERM": term, "LINES": "40", "COLUMNS": "100"}
        self.process = subprocess.Popen(
            command("play", *arguments),
            stdin=self._inside,
            stdout=self._inside,
            stderr=subprocess.PIPE,
            env=environment() | size,
            preexec_fn=heed_ctrl_c,
        )

    def send(self, keys):
        os.write(self.master, keys.encode())

    def wait_for(self, text):
        """What has been written since the last call, without control codes, up to and including this text."""
        written, deadline = "", time.monotonic() + 60
        while text not in written:
            assert time.monotonic() < deadline, written
            if select.select([self.master], [], [], 1)[0]:
                written += re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[()].)", "", os.read(self.master, 65536).decode())
        return written

    def screen(self):
        """The whole screen, drawn anew."""
        self.send("\x0c")
        return self.wait_for("q quit")

    def end(self):
        """Exit code and errors; the terminal must be as it was."""
        code, errors = self.process.wait(60), self.process.stderr.read().decode()
        assert self.settings() == self.before
        return code, errors

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self._inside)


@pytest.fixture
def terminal():
    opened = []

    def run(*arguments, **options):
        opened.append(Terminal(*arguments, **options))
        return opened[-1]

    yield run
    for each in opened:
        each.close()


def test_an_episode_in_a_terminal(terminal):
    seed = seed_of("left")
    arrows = dict(zip(MOVES, ("\x1bOA", "\x1bOB", "\x1bOD", "\x1bOC", "."), strict=True))
    keys = [arrows[key] for key in oracle_keys(start(MAZE, {}, seed))]
    run = terminal(MAZE, "--seed", seed, "--show-hidden")
    first = run.wait_for("q quit")
    for text in ("##########", "PP", "QQQQ", "frame 0   return 0.000", "hidden: which_goal left"):
        assert text in first
    run.send("".join(keys))
    run.wait_for("episode over")
    last = run.screen()
    assert f"frame {len(keys)}   return 0.613" in last
    assert "success yes" in last
    run.send("rh")
    assert "return 0.000" in run.screen()
    run.send("q")
    assert run.end() == (0, "")
    assert "episodes: 1   mean return: 0.613   last: 0.613" in run.wait_for("last: 0.613")


def test_time_runs_by_itself(terminal):
    run = terminal(MAZE, "--fps", 100, "--env-config", "{timeout_frames: 30}")
    run.wait_for("episode over")
    assert "frame 30   return -0.028" in run.screen()  # none for the first step, none for the last
    run.send("\x1b")
    assert run.end() == (0, "")


def test_ctrl_c(terminal):
    run = terminal(MAZE)
    run.wait_for("q quit")
    run.process.send_signal(signal.SIGINT)
    assert run.end() == (0, "")


@pytest.mark.parametrize("term", ["vt100", "linux", "xterm"])
def test_other_terminals(terminal, term):
    run = terminal(MAZE, term=term)
    assert "##########" in run.wait_for("q quit")
    run.send("q")
    assert run.end() == (0, "")


def test_an_unknown_terminal_is_one_line(terminal):
    code, errors = terminal(MAZE, term="nonesuch").end()
    assert code == 2
    assert errors.startswith(f"error: play: {MAZE}: ")
    assert "terminal" in errors
    assert errors.count("\n") == 1


def test_neither_torch_nor_ray_is_imported():
    code = (
        "import sys; from engram.train import cli; from engram.train.play import screen\n"
        "from engram.train.commands.play import start\n"
        f"start('{MAZE}'); print([m for m in ('torch', 'ray') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
