"""Mazes: both generators, solver, pictures, the first renderer's pillars, files."""

from functools import partial

import numpy as np
import pytest

from engram.envs.puzzles.maze import trees
from engram.envs.puzzles.maze.grids import carve, open_pillars, places
from engram.envs.puzzles.maze.render import render
from engram.envs.puzzles.maze.solver import count_shortest_paths, search, shortest_path
from engram.envs.puzzles.maze.task import LARGE_SPLIT_SIZES, SPLIT_SIZES, MazeTask, make_mazes
from engram.envs.puzzles.maze.trees import Trees, grow_in_step, grow_one, grow_trees

PAPER_1 = {9: 5, 11: 6, 13: 7}  # positions: cells


def grow_plainly(rng, count, cells):
    starts = rng.integers(cells * cells, size=count)
    parents = np.array([grow_one(rng, cells, int(start)) for start in starts])
    return Trees(parents, starts, (starts + 1) % (cells * cells))


def grow_together(rng, count, cells):
    starts = rng.integers(cells * cells, size=count)
    return Trees(grow_in_step(rng, cells, starts), starts, (starts + 1) % (cells * cells))


both_generators = pytest.mark.parametrize("grow", [grow_plainly, grow_together], ids=["plain", "in step"])


def rng(seed=0):
    return np.random.default_rng(seed)


@both_generators
@pytest.mark.parametrize("cells", [2, 3, 5, 8, 15])
def test_a_maze_is_a_tree(grow, cells):
    grids = carve(grow(rng(cells), 60, cells), cells)
    assert grids.open.shape == (60, 2 * cells - 1, 2 * cells - 1)
    assert (grids.open.sum(axis=(1, 2)) == 2 * cells * cells - 1).all()
    assert grids.open[:, ::2, ::2].all()
    assert not grids.open[:, 1::2, 1::2].any()
    for grid, start in zip(grids.open, grids.starts, strict=True):
        distances, routes = search(grid, start)
        reached = np.array(distances).reshape(2 * cells + 1, -1)[1:-1, 1:-1] >= 0
        assert np.array_equal(reached, grid)  # connected; with so few openings that is a tree
        assert max(routes) == 1


@both_generators
def test_directions_are_drawn_alike(grow):
    """From each of the four cells a 2 x 2 search goes round one way or the other, each way half the time."""
    count = 8000
    grown = grow(rng(1), count, 2)
    children = np.zeros((4, 4), int)
    for parents, start in zip(grown.parents, grown.starts, strict=True):
        assert parents[start] == start
        assert (parents == start).sum() == 2
        children[start, np.flatnonzero((parents == start) & (np.arange(4) != start))] += 1
    for start, (one, other) in enumerate([(1, 2), (0, 3), (0, 3), (1, 2)]):
        total = children[start].sum()
        assert children[start, one] + children[start, other] == total
        assert abs(children[start, one] - total / 2) < 4 * np.sqrt(total) / 2


@both_generators
def test_the_middle_of_a_cross_is_left_on_all_sides_alike(grow):
    """Searches from the middle of 3 x 3 cells go first to the side through which most cells are reached.

    A search that goes to a side first walks the ring of 8 cells, so that all of them are reached through it.
    """
    grown = grow(rng(2), 12_000, 3)
    parents = grown.parents[grown.starts == 4]
    counts = np.array([(parents[:, side] == 4).sum() for side in (1, 3, 5, 7)])
    total = counts.sum()
    assert total == len(parents)
    assert ((counts - total / 4) ** 2 / (total / 4)).sum() < 16.3  # chi-square of 3 degrees, 0.1 %


def test_both_generators_make_the_same_mazes():
    """Mean length of the way between opposite corners of 5 x 5 cells, from 3 000 mazes each."""
    means, errors = [], []
    for grow in (grow_plainly, grow_together):
        grown = grow(rng(3), 3000, 5)
        lengths = carve(grown, 5).facts["path_length"]
        means.append(lengths.mean())
        errors.append(lengths.std() / np.sqrt(3000))
    assert abs(means[0] - means[1]) < 4 * np.hypot(*errors)


def test_the_generator_is_picked_by_the_number_of_mazes(monkeypatch):
    called = []
    for name in ("grow_one", "grow_in_step"):
        whole = getattr(trees, name)
        monkeypatch.setattr(
            trees, name, lambda *args, name=name, whole=whole: (called.append(name), whole(*args))[1]
        )
    grow_trees(rng(), trees.IN_STEP_FROM - 1, 3)
    assert set(called) == {"grow_one"}
    called.clear()
    grown = grow_trees(rng(), trees.BLOCK + 5, 3)
    assert called == ["grow_in_step"] * 2
    assert grown.parents.shape == (trees.BLOCK + 5, 9)


def test_ends_are_two_cells_drawn_alike():
    grown = grow_trees(rng(), 20_000, 3)
    assert (grown.starts != grown.goals).all()
    pairs = np.bincount(grown.starts * 9 + grown.goals, minlength=81).reshape(9, 9)
    expected = 20_000 / 72
    apart = pairs[~np.eye(9, dtype=bool)]
    assert ((apart - expected) ** 2 / expected).sum() < 112.3  # chi-square of 71 degrees, 0.1 %


@pytest.mark.parametrize(("cells", "count"), [(5, 1000), (7, 300), (12, 50)])
def test_the_tree_and_the_search_agree(cells, count):
    grids = carve(grow_trees(rng(cells), count, cells), cells)
    for grid, path, start, goal in zip(*grids, strict=True):
        found = shortest_path(grid, start, goal)
        assert (found[0], found[-1]) == (start, goal)
        assert np.array_equal(np.sort(found), np.flatnonzero(path))
        assert count_shortest_paths(grid, start, goal) == 1


def test_the_search_on_an_open_field():
    """Between opposite corners of 3 x 4 open positions: 5 steps, of which 2 go down, in any order."""
    field = np.ones((3, 4), bool)
    assert len(shortest_path(field, 0, 11)) == 6
    assert count_shortest_paths(field, 0, 11) == 10
    field[:, 2] = False
    with pytest.raises(ValueError, match="there is no route from 0 to 11"):
        shortest_path(field, 0, 11)


def test_lengths_are_the_published_datas():
    """50 000 mazes of 9 x 9 positions; figures are of the published generator, as many mazes."""
    problems = MazeTask(9).draw(rng(), 50_000)
    lengths = problems.facts["path_length"]
    assert lengths.mean() == pytest.approx(22.6, abs=0.2)
    assert np.quantile(lengths, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]).tolist() == [3, 7, 13, 23, 31, 37, 49]
    assert problems.masks.sum() / 4 / (50_000 * 11 * 11) == pytest.approx(0.405, abs=0.0005)
    different = len({observation.tobytes() for observation in problems.observations})
    assert 0 < 1 - different / 50_000 < 0.005  # duplicates; 0.24 % counted


@pytest.mark.parametrize(
    ("positions", "mean", "longest", "count"),
    [(11, 31.2, 71, 6000), (13, 40.9, 97, 6000), (59, 520, 1799, 300)],
)
def test_larger_mazes_have_longer_ways(positions, mean, longest, count):
    lengths = MazeTask(positions, pixels=1).draw(rng(), count).facts["path_length"]
    assert abs(lengths.mean() - mean) < 4 * lengths.std() / np.sqrt(count) + 0.1
    assert lengths.max() <= longest


@pytest.mark.parametrize(("positions", "side"), [(3, 12), (9, 24), (11, 28), (13, 32), (59, 124)])
def test_pictures_have_the_published_sizes(positions, side):
    two, one = (MazeTask(positions, pixels=pixels) for pixels in (2, 1))
    assert two.observation_space.shape == (3, side, side)
    assert two.action_space.n == side * side
    assert one.observation_space.shape == (3, positions + 2, positions + 2)


def test_a_picture_by_hand():
    """2 x 2 cells: from the lower left cell (start) up, right, and down to the lower right one (end)."""
    tree = Trees(np.array([[2, 0, 2, 1]]), np.array([2]), np.array([3]))
    problems = render(carve(tree, 2), 1)
    expected = {
        "red": ["00000", "01110", "01010", "00010", "00000"],
        "green": ["00000", "01110", "01010", "01000", "00000"],
        "blue": ["00000", "01110", "01010", "00000", "00000"],
    }
    for plane, rows in zip(problems.observations[0], expected.values(), strict=True):
        assert ["".join(map(str, row)) for row in plane] == rows
    assert problems.targets.reshape(5, 5)[1:4, 1:4].tolist() == [[1, 1, 1], [1, 0, 1], [1, 0, 1]]
    facts = {name: int(values[0]) for name, values in problems.facts.items()}
    assert facts == {"size": 3, "path_length": 7, "start": 6, "goal": 8}


@pytest.mark.parametrize("style", ["v1", "feb2021"])
def test_pictures_show_the_grid(style):
    grown = grow_trees(rng(), 50, 5)
    grids = carve(grown, 5, style)
    small, large = (render(grids, pixels) for pixels in (1, 2))
    ends = {"start": (0, 1, 0), "goal": (1, 0, 0)}
    for name, colour in ends.items():
        row, column = np.divmod(small.facts[name], 9)
        assert (small.observations[np.arange(50), :, row + 1, column + 1] == colour).all()
    assert (small.observations.max(axis=1).reshape(50, -1) == small.masks).all()
    assert not (small.targets.astype(bool) & ~small.masks).any()
    for one, two in ((small.observations, large.observations), (small.targets, large.targets)):
        one, two = one.reshape(50, -1, 11, 11), two.reshape(50, -1, 24, 24)
        assert np.array_equal(two[..., 1:-1, 1:-1], one.repeat(2, axis=-1).repeat(2, axis=-2))
        assert two[..., 1:-1, 1:-1].sum() == two.sum()


@pytest.mark.parametrize(("positions", "spread"), [(9, 9), (11, 5), (13, 1)])
def test_a_maze_is_put_anywhere_on_the_papers_canvas(positions, spread):
    """Padded by 4, 2 or 0 and cropped at random to 32: 9, 5 or 1 places along each side, from pixel 3 on."""
    puzzles = MazeTask(positions, canvas=32)
    assert puzzles.observation_space.shape == (3, 32, 32)
    problems = puzzles.draw(rng(), 3000)
    masks = problems.masks.reshape(-1, 32, 32)
    for axis in (1, 2):
        first = masks.any(axis=3 - axis).argmax(axis=1)
        assert sorted(set(first.tolist())) == list(range(3, 3 + spread))
        counts = np.bincount(first)[3:]
        assert np.abs(counts - 3000 / spread).max() <= 5 * np.sqrt(3000 / spread)
    assert np.array_equal(problems.observations.max(axis=1) == 1, masks)
    assert (problems.targets.sum(axis=1) == 4 * problems.facts["path_length"]).all()


def test_a_set_is_placed_anew_each_time():
    fixed = make_mazes(9, canvas=32, split="test", split_sizes={"test": 1})
    assert fixed.problems.observations.shape == (1, 3, 24, 24)
    generator = rng()
    shown = {fixed.draw(generator, 1).observations.tobytes() for _ in range(20)}
    assert len(shown) > 10


@pytest.mark.parametrize(
    ("closed", "is_open"), [("north", True), ("west", True), ("south", False), ("east", False)]
)
def test_a_pillar_by_hand(closed, is_open):
    """Four cells with one wall between them; the pillar in the middle as the first renderer has it."""
    grid = np.ones((1, 3, 3), bool)
    grid[0, 1, 1] = False
    grid[0][{"north": (0, 1), "west": (1, 0), "south": (2, 1), "east": (1, 2)}[closed]] = False
    open_pillars(grid)
    assert grid[0, 1, 1] == is_open


def test_pillars_are_the_first_renderers():
    """Wall by wall as there: a south wall with its west end, an east wall with its north end."""
    grids = carve(grow_trees(rng(), 50, 6), 6, "feb2021")
    for grid in grids.open:
        assert np.array_equal(grid, paint_first(grid)[1:-1, 1:-1])


def paint_first(grid):
    """The walls between a grid's cells, and the outer wall, as painted in February 2021."""
    cells = (len(grid) + 1) // 2
    walled = np.pad(grid, 1)
    painted = np.ones_like(walled)
    for row, col in np.ndindex(cells, cells):
        down, right = 2 * (row + 1), 2 * (col + 1)
        south, east = not walled[down, right - 1], not walled[down - 1, right]
        if south:
            painted[down, right - 2 : right] = False
        if east:
            painted[down - 2 : down, right] = False
        if south and east:
            painted[down, right] = False
    painted[0], painted[:, 0] = False, False
    return painted


@pytest.mark.parametrize(
    ("positions", "pillars", "shorter", "ambiguous"),
    [(9, 2.9, 0.61, 0.29), (11, 3.8, 0.63, 0.36), (13, 5.2, 0.75, 0.31)],
)
def test_open_pillars_are_as_many_as_in_the_first_data(positions, pillars, shorter, ambiguous):
    """Figures are of 150 mazes of that renderer each: 4 of their standard errors, 0.5 and 0.16, are allowed.

    Were pillars open wherever there is no wall south and east, there would be 3.9, 5.6 and 7.8 of them.
    """
    cells = PAPER_1[positions]
    grown = grow_trees(rng(), 600, cells)
    plain, leaky = carve(grown, cells), carve(grown, cells, "feb2021")
    assert leaky.open[:, 1::2, 1::2].sum() / 600 == pytest.approx(pillars, abs=0.4)
    assert not (plain.open & ~leaky.open).any()
    less = leaky.facts["path_length"] < plain.facts["path_length"]
    assert less.mean() == pytest.approx(shorter, abs=0.16)
    ends = zip(leaky.open, leaky.starts, leaky.goals, strict=True)
    several = np.array([count_shortest_paths(*one) > 1 for one in ends])
    assert several.mean() == pytest.approx(ambiguous, abs=0.16)
    assert (leaky.facts["path_length"] <= plain.facts["path_length"]).all()


def test_the_sets_have_the_papers_sizes():
    assert SPLIT_SIZES == {"train": 40_000, "valid": 10_000, "test": 10_000}
    assert make_mazes(9, pixels=1, split="valid").problems.size == 10_000
    assert make_mazes(19, pixels=1, split="test").problems.size == LARGE_SPLIT_SIZES["test"] == 1000


def test_sets_follow_their_seed():
    make = partial(make_mazes, 5, split_sizes={"train": 40, "test": 40})
    one, same, other, test = (
        make(split=split, data_seed=seed).problems.observations
        for split, seed in (("train", 0), ("train", 0), ("train", 1), ("test", 0))
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, test)


def published(style="v1", positions=9, count=20):
    """Pictures and solutions as the files hold them, and what they are made of."""
    puzzles = MazeTask(positions, style)
    problems = puzzles.generate(rng(4), count)
    side = problems.observations.shape[-1]
    return problems, problems.observations, problems.targets.reshape(count, side, side)


def write(folder, inputs, solutions):
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "solutions.npy", solutions)


@pytest.mark.parametrize("last", [False, True])
def test_published_files_are_read(tmp_path, last):
    problems, inputs, solutions = published()
    pictures = np.moveaxis(inputs, 1, -1).astype(np.float64) if last else inputs
    write(tmp_path, pictures, solutions.astype(np.int64))
    read = make_mazes(9, split="test", path=tmp_path).problems
    for one, other in zip(read[:3], problems[:3], strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    for name, values in problems.facts.items():
        assert np.array_equal(read.facts[name], values)
    small = make_mazes(9, pixels=1, split="train", path=tmp_path).problems
    assert small.observations.shape == (16, 3, 11, 11)


def first_papers_files(cells, count, side=32):
    """Pictures, solutions and what they are made of, painted and laid out as paper 1's code does it.

    Pictures are (count, side, side, 3), the outer wall two pixels before the positions, which lie in the
    middle; solutions have three channels, too, all alike.
    """
    plain = carve(grow_trees(rng(4), count, cells), cells)
    inputs, solutions = np.zeros((2, count, side, side, 3))
    grids = []
    before = (side - 4 * cells) // 2 - 1
    for row, (grid, _, start, goal) in enumerate(zip(*plain, strict=True)):
        small = np.repeat(paint_first(grid)[..., None], 3, axis=-1).astype(float)
        way = np.zeros_like(small)
        for place in shortest_path(small[1:-1, 1:-1, 0] > 0, start, goal):
            way[place // len(grid) + 1, place % len(grid) + 1] = 1
        for place, colour in ((start, (0, 1, 0)), (goal, (1, 0, 0))):
            small[place // len(grid) + 1, place % len(grid) + 1] = colour
        for whole, part in ((inputs, small), (solutions, way)):
            inside = slice(before, before + 2 * len(part))
            whole[row, inside, inside] = part.repeat(2, axis=0).repeat(2, axis=1)
        grids.append((small, way))
    return inputs, solutions, grids


@pytest.mark.parametrize(("positions", "first"), [(9, 7), (11, 5), (13, 3)])
def test_files_of_the_first_paper_are_read(tmp_path, positions, first):
    inputs, solutions, grids = first_papers_files(PAPER_1[positions], 20)
    assert inputs.any(axis=(0, 3)).any(axis=1).argmax() == first
    write(tmp_path, inputs, solutions)
    read = make_mazes(positions, "feb2021", canvas=32, split="test", path=tmp_path)
    small = make_mazes(positions, "feb2021", pixels=1, split="test", path=tmp_path).problems
    for row, (picture, way) in enumerate(grids):
        assert np.array_equal(small.observations[row], picture.transpose(2, 0, 1))
        assert np.array_equal(small.targets[row].reshape(positions + 2, -1), way[..., 0])
    large = read.problems.observations[..., 3:-3, 3:-3]
    assert np.array_equal(large, inputs[:, first:-first, first:-first].transpose(0, 3, 1, 2))
    assert read.draw(rng(), 2).observations.shape == (2, 3, 32, 32)


def test_files_of_the_first_paper_may_have_other_axes_and_canvases(tmp_path):
    inputs, solutions, grids = first_papers_files(5, 3, side=24)
    write(tmp_path, inputs.transpose(0, 3, 1, 2), solutions[..., 0])
    read = make_mazes(9, "feb2021", pixels=1, split="test", path=tmp_path).problems
    assert np.array_equal(read.observations, np.stack([one.transpose(2, 0, 1) for one, _ in grids]))


def test_solutions_that_differ_from_channel_to_channel_are_refused(tmp_path):
    inputs, solutions, _ = first_papers_files(5, 3)
    solutions[1, 7, 7, 2] = 1 - solutions[1, 7, 7, 2]
    write(tmp_path, inputs, solutions)
    with pytest.raises(ValueError, match=r"row 1 of solutions.npy differs from channel to channel"):
        make_mazes(9, "feb2021", split="test", path=tmp_path)


@pytest.mark.parametrize(("theirs", "ours"), [("v1", "feb2021"), ("feb2021", "v1")])
def test_mazes_of_the_other_style_are_refused(tmp_path, theirs, ours):
    _, inputs, solutions = published(theirs)
    write(tmp_path, inputs, solutions)
    with pytest.raises(
        ValueError, match=rf"row \d+ of inputs.npy has other open pillars than style '{ours}'"
    ):
        make_mazes(9, ours, split="test", path=tmp_path)


def broken_files():
    _, inputs, solutions = published(count=3)

    def changed(array, place, value):
        other = array.copy()
        other[place] = value
        return other

    def square(marks):
        """The first marked position inside the border, as slices of its pixels."""
        return tuple(slice(3 + 2 * at, 5 + 2 * at) for at in np.argwhere(marks[3:-3:2, 3:-3:2])[0])

    red, green, blue = inputs[1].astype(bool)
    wall, start = square(~(red | green)), square(green & ~blue)
    white = tuple(np.argwhere(blue)[0])
    return {
        "solutions.npy": (inputs, None),
        r"inputs \(3, 3, 24, 24\) and solutions \(3, 24, 23\)": (inputs, solutions[..., 1:]),
        "pictures of 22 pixels; not those of positions = 9": (
            inputs[..., 1:-1, 1:-1],
            solutions[:, 1:-1, 1:-1],
        ),
        r"row 1 of inputs.npy is not a maze": (changed(inputs, (1, slice(None), *white), 0), solutions),
        r"row 1 of inputs.npy has not one start \(green\)": (
            changed(inputs, (1, slice(None), *start), 1),
            solutions,
        ),
        r"row 0 of solutions.npy is not a maze": (inputs, changed(solutions, (0, 0, 0), 1)),
        r"row 1 of solutions.npy leads through a wall": (
            inputs,
            changed(solutions, (1, *wall), 1),
        ),
    }


@pytest.mark.parametrize(("message", "files"), broken_files().items(), ids=lambda value: str(value)[:30])
def test_wrong_files_are_refused(tmp_path, message, files):
    inputs, solutions = files
    np.save(tmp_path / "inputs.npy", inputs)
    if solutions is not None:
        np.save(tmp_path / "solutions.npy", solutions)
    with pytest.raises(ValueError, match=message):
        make_mazes(9, split="test", path=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"positions": 1}, "positions: 1 is too small; legal: odd numbers >= 3; nearest: 3"),
        ({"positions": 10}, "positions: 10 is even; legal: odd numbers >= 3; nearest: 11"),
        ({"style": "feb2020"}, "style: unknown 'feb2020'; did you mean 'feb2021'"),
        ({"pixels": 0}, "pixels: 0 is too small; legal: 1 or 2"),
        ({"pixels": 3}, "pixels: 3 is too large; legal: 1 or 2; nearest: 2"),
        ({"canvas": 23}, "canvas: 23 is too small; legal: >= 24 pixels for this maze, or none; nearest: 24"),
        ({"canvas": 10, "pixels": 1}, "canvas: 10 is too small; .*nearest: 11"),
        ({"split": "trian"}, "split: unknown 'trian'; did you mean 'train'"),
    ],
)
def test_illegal_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_mazes(**arguments)


def test_places():
    assert places(2).tolist() == [0, 2, 6, 8]
