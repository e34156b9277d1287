"""What grids are made of: cells, tables of rules, sight, draws, words, against minigrid and slow twins."""

import contextlib
import io
import warnings

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.envs.minigrid import cells, rules, view
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.mission import MATCHES, named, target_named, target_of
from engram.envs.minigrid.original import layout_of
from engram.envs.minigrid.words import MISSIONS, WORDS
from engram.envs.minigrid.world import World


@given(st.integers(0, 2**64), st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 2**32 - 1)), max_size=80))
def test_draws_are_those_of_a_generator(seed, ranges):
    draws, generator = Draws(np.random.PCG64(seed)), np.random.Generator(np.random.PCG64(seed))
    for low, count in ranges:
        assert draws.between(low, low + count) == generator.integers(low, low + count)


def test_draws_that_are_thrown_away_are_too():
    """Bounds just above half of all numbers reject nearly every second draw."""
    draws, generator = Draws(np.random.PCG64(0)), np.random.Generator(np.random.PCG64(0))
    counts = [2**31 + 1, 3 * 2**30, 2**32 - 1, 2, 7] * 400
    assert [draws.below(count) for count in counts] == [int(generator.integers(count)) for count in counts]


def test_draws_go_on_from_a_state():
    draws, other = Draws(np.random.PCG64(0)), Draws(np.random.PCG64(1))
    for place in range(60):
        other.set_state(draws.get_state())
        assert draws.below(1000) == other.below(1000), place


def test_what_always_or_never_happens_draws_nothing():
    draws = Draws(np.random.PCG64(0))
    before = draws.get_state()
    assert [draws.happens(share) for share in (0, 0.0, 1, 1.0)] == [False, False, True, True]
    assert draws.get_state()["bits"] == before["bits"]
    assert abs(np.mean([draws.happens(0.3) for _ in range(20_000)]) - 0.3) < 0.02  # 6 standard errors


def brute_force_sight(clear):
    """Which cells of a view (x, y) are seen, as minigrid's `process_vis` says."""
    width, height = clear.shape
    seen = np.zeros(clear.shape, bool)
    seen[width // 2, height - 1] = True
    for y in range(height - 1, -1, -1):
        for way, columns in ((1, range(width - 1)), (-1, range(width - 1, 0, -1))):
            for x in columns:
                if seen[x, y] and clear[x, y]:
                    seen[x + way, y] = True
                    seen[[x, x + way], max(y - 1, 0)] |= y > 0
    return seen


def test_sight_is_that_of_a_slow_twin():
    rng = np.random.default_rng(0)
    dense = rng.random((300, 1, 1)) * 0.7
    codes = np.where(rng.random((300, 7, 7)) < dense, cells.WALL, cells.EMPTY).astype(np.uint8)
    before = codes.copy()
    view.hide(codes)
    for one, shown in zip(before, codes, strict=True):
        seen = brute_force_sight(rules.SEEN_THROUGH[one].T).T
        assert np.array_equal(shown, np.where(seen, one, cells.UNSEEN))


def test_codes_and_triples():
    assert len(set(cells.CELLS)) == len(cells.CELLS) <= 256
    assert cells.CELLS[cells.code_of("door", "blue", "locked")] == cells.Cell("door", "blue", "locked")
    for wrong, message in (
        ({"kind": "bal"}, "kind: unknown 'bal'; did you mean 'ball'"),
        ({"kind": "ball", "color": "pink"}, "color: unknown 'pink'"),
        ({"kind": "door", "state": "ajar"}, "state: unknown 'ajar'"),
        ({"kind": "ball", "state": "locked"}, "there is no Cell"),
    ):
        with pytest.raises(ValueError, match=message):
            cells.code_of(**wrong)


def test_rules_are_minigrids_for_every_cell():
    """Each thing that can be ahead, with every kind that can be carried, under each action."""
    pytest.importorskip("minigrid")
    from minigrid.core import world_object as things

    def make(cell):
        held = make(cell.contents) if cell.contents else None
        makers = {
            "door": lambda: things.Door(cell.color, cell.state == "open", cell.state == "locked"),
            "box": lambda: things.Box(cell.color, held),
            "lava": things.Lava,
            "empty": lambda: None,
        }
        kinds = {"wall": things.Wall, "floor": things.Floor, "goal": things.Goal}
        kinds |= {"key": things.Key, "ball": things.Ball}
        return makers.get(cell.kind, lambda: kinds[cell.kind](cell.color))()

    env = gymnasium.make("MiniGrid-Empty-5x5-v0").unwrapped
    keys = [code for code, cell in enumerate(cells.CELLS) if cell.kind == "key"]
    hands = [cells.EMPTY, cells.code_of("ball", "grey")]
    for code, cell in enumerate(cells.CELLS):
        if cell.kind == "unseen":
            continue
        assert cells.TRIPLES[code].tolist() == list(make(cell).encode() if make(cell) else (1, 0, 0))
        for hand in {*hands, *(keys if cell.kind == "door" else ())}:
            for action in range(7):
                env.reset(seed=0)
                world = World(1, 5, 5)
                env.grid.set(2, 1, make(cell))
                env.carrying = make(cells.CELLS[hand])
                layout = layout_of(env)
                assert layout.cells[1, 2] == code
                world.begin(0, layout.cells, layout.agent, layout.direction)
                world.carried[0] = hand
                _, _, ended, _, _ = env.step(action)
                world.act(np.array([action]))
                after = layout_of(env)
                assert np.array_equal(world.grids[0], after.cells)
                assert (world.position(0), world.direction[0]) == (after.agent, after.direction)
                held = None if world.carried[0] == cells.EMPTY else cells.TRIPLES[world.carried[0]].tolist()
                assert held == (env.carrying and list(env.carrying.encode()))
                assert ended == (action == rules.FORWARD and cell.kind in ("goal", "lava"))


def missions(resets):
    """Missions of all ids of minigrid that need no networkx, by id."""
    import minigrid  # noqa: F401 (registers)

    said = {}
    for env_id in sorted(gymnasium.registry):
        if not env_id.startswith(("MiniGrid-", "BabyAI-")) or "WFC" in env_id:
            continue
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # some ids are old
            env = gymnasium.make(env_id, disable_env_checker=True).unwrapped
            said[env_id] = [env.reset(seed=seed)[0]["mission"] for seed in range(resets)]
    return said


@pytest.mark.parametrize("resets", [1, pytest.param(60, marks=pytest.mark.slow)])
def test_the_vocabulary_has_every_word_of_every_mission(resets):
    pytest.importorskip("minigrid")
    said = missions(resets)
    assert len(said) == 172
    words = {word for texts in said.values() for text in texts for word in MISSIONS.split(text)}
    assert words <= set(WORDS)
    assert resets == 1 or words == set(WORDS)


def test_what_a_mission_asks_for():
    for text, kind, color in (
        ("pick up the red ball", "ball", "red"),
        ("pick up a grey object", None, "grey"),
        ("pick up the key", "key", None),
        ("go to a purple box", "box", "purple"),
        ("you must fetch a blue key", "key", "blue"),
        ("open the yellow door", "door", "yellow"),
    ):
        assert target_of(text) == target_named(kind, color)
        assert named(kind, color) in text
        for cell, fits in zip(cells.CELLS, MATCHES[target_of(text)], strict=True):
            there = cell.kind not in ("unseen", "empty")
            assert fits == (there and kind in (None, cell.kind) and color in (None, cell.color))
