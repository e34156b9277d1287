"""Pictures of what a network believes and of which filters it uses, against the network itself."""

import csv

import numpy as np
import pytest
import torch
from made_up_thinkers import MAZE, SMALL, SUMS, Nearing, make_checkpoint, module_for
from torch.nn import functional

from engram.memory.options import parse_options
from engram.train.console.errors import ExperimentError
from engram.train.pictures import KINDS, canvas, draw
from engram.train.pictures.filters import FilterUse, filter_activity
from engram.train.pictures.thoughts import Belief, powers_of_two

IMAGES = "engram/ImageClassification-v0"
MAZE_CONFIG = {"positions": 3, "pixels": 1}


def numbers(kind, **options):
    found = KINDS[kind]
    return found.numbers(parse_options(found.options, options, "--options"))


def drawn(kind, found):
    with canvas.style():
        return KINDS[kind].draw(found).axes


@pytest.mark.parametrize(("last", "shown"), [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (9, [1, 2, 4, 8, 9])])
def test_iterations_shown(last, shown):
    assert powers_of_two(last) == shown


def test_thoughts_are_the_network_s(tmp_path):
    folder = make_checkpoint(tmp_path / "maze", MAZE, MAZE_CONFIG)
    found = numbers("thoughts", checkpoint=folder, env_config={"positions": 5}, iterations=6, seed=3)
    module = module_for(MAZE, MAZE_CONFIG, SMALL)
    from engram.envs.puzzles.maze.env import BatchedMaze

    env = BatchedMaze(1, positions=5, pixels=1, render_mode="rgb_array")
    observations, infos = env.reset(seed=3)
    with torch.no_grad():
        logits = module.thinker(torch.from_numpy(observations), 6)[:, 0]
    assert list(found.beliefs) == [1, 2, 4, 6]
    for iterations, belief in found.beliefs.items():
        no, yes = logits[iterations - 1]
        np.testing.assert_allclose(belief.probability, torch.sigmoid((yes - no).double()), rtol=1e-5)
        right = ((yes > no).flatten().numpy() == infos["target"][0])[infos["mask"][0]].mean()
        assert belief.right == pytest.approx(right)
    assert (found.target == infos["target"].reshape(7, 7)).all()
    assert (found.mask == infos["mask"].reshape(7, 7)).all()
    assert (found.problem == env.render()[0]).all()


def test_panels_of_a_maze(tmp_path):
    folder = make_checkpoint(tmp_path / "maze", MAZE, MAZE_CONFIG)
    found = numbers("thoughts", checkpoint=folder, iterations=32)
    panels = [axes for axes in drawn("thoughts", found) if axes.images]
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == ["problem", "answer", *(f"after {count}" for count in (1, 2, 4, 8, 16, 32))]
    for axes, belief in zip(panels[2:], found.beliefs.values(), strict=True):
        shown = axes.images[0].get_array()
        assert (shown.mask == ~found.mask).all()
        np.testing.assert_allclose(shown.data, belief.probability)
        assert axes.get_xlabel() == str(belief)


def test_rows_of_a_line(tmp_path):
    folder = make_checkpoint(tmp_path / "sums", SUMS, {"bits": 8})
    found = numbers("thoughts", checkpoint=folder)
    assert list(found.beliefs) == [1, 2, 4]
    upper, lower = drawn("thoughts", found)[:2]
    assert [label.get_text() for label in lower.get_yticklabels()] == ["1", "2", "4", "answer"]
    shown = lower.images[0].get_array()
    np.testing.assert_array_equal(shown[-1], found.target[0])
    np.testing.assert_allclose(shown[0], found.beliefs[1].probability[0])
    assert upper.get_title(loc="left") == "problem"


def test_numbers_of_thoughts_are_written(tmp_path):
    folder = make_checkpoint(tmp_path / "maze", MAZE, MAZE_CONFIG)
    printed = draw("thoughts", {"checkpoint": folder, "iterations": 2}, tmp_path / "a.png")
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 * 5
    assert {row["iterations"] for row in rows} == {"1", "2"}
    assert sum(int(row["counts"]) for row in rows) == 2 * 7  # a tree of 4 cells: 4 + 3 open positions
    assert printed.endswith(f"written: {tmp_path / 'a.png'}, {tmp_path / 'a.csv'}")


def test_an_answer_is_not_called_right_before_it_is():
    assert str(Belief(np.zeros((1, 1)), 1.0)) == "solved"
    assert str(Belief(np.zeros((1, 1)), 9999 / 10_000)) == "99.9% right"


@pytest.mark.parametrize("kind", ["thoughts", "filters"])
def test_a_checkpoint_is_needed(kind):
    with pytest.raises(ValueError, match=r"--options.checkpoint: expected a text, got ''"):
        numbers(kind)


def test_labels_have_no_positions(tmp_path):
    core = {"type": "thinking_mlp", "width": 4, "thinking_steps": 3}
    folder = make_checkpoint(tmp_path / "images", IMAGES, {}, **core)
    with pytest.raises(ExperimentError, match="is answered by a label, not by position"):
        numbers("thoughts", checkpoint=folder)
    assert numbers("filters", checkpoint=folder, problems=3).activity.shape == (3, 4)


class Blinking(Nearing):
    """Its first feature is always active, the second in every other iteration, the third never."""

    def begin(self, problems):
        return torch.zeros(len(problems), 3, problems.shape[-1])

    def iterate(self, thought, problems, iteration):
        now = torch.tensor([2.0 + iteration, 1.0 - iteration % 2, 0.0])
        return now[:, None].expand_as(thought)


@pytest.mark.parametrize(
    ("measure", "activity"),
    [("active", [[1, 1, 0], [1, 0, 0], [1, 1, 0]]), ("mean", [[2, 1, 0], [3, 0, 0], [4, 1, 0]])],
)
def test_activity_of_features(measure, activity):
    measured = filter_activity(Blinking(5), torch.zeros(2, 1, 5), 3, measure)
    assert measured.tolist() == activity
    use = FilterUse(measured.numpy(), measure, kept=0.5)
    assert use.relative.shape == (3, 2)
    assert use.used_again == 0.5
    assert FilterUse(measured.numpy(), measure, kept=0.51).used_again == (0.5 if measure == "active" else 0)
    assert list(use.rows())[:3] == [("filter", "iteration", "activity"), (0, 1, activity[0][0]), (1, 1, 1)]


def test_activity_of_a_block():
    """The four convolutions of the block, computed one by one."""
    thinker = module_for(SUMS, {"bits": 8}, SMALL).thinker
    problems = torch.randn(5, 1, 8)
    measured = filter_activity(thinker, problems, 3, "mean")
    hidden = thinker.begin(problems)
    (block,) = thinker.blocks
    expected = []
    with torch.no_grad():
        for _ in range(3):
            hidden = thinker.recall(torch.cat((hidden, problems), 1)).relu()
            outputs = []
            for first, second in ((block.conv1, block.conv2), (block.conv3, block.conv4)):
                inner = functional.conv1d(hidden, first.weight, padding=1).relu()
                hidden = (functional.conv1d(inner, second.weight, padding=1) + hidden).relu()
                outputs += [inner, hidden]
            expected.append(torch.cat([output.mean((0, 2)) for output in outputs]))
    torch.testing.assert_close(measured, torch.stack(expected).double(), rtol=1e-5, atol=1e-6)
    hooks = [(part._forward_hooks, part._forward_pre_hooks) for part in thinker.modules()]
    assert not any(before or after for before, after in hooks)


def test_activity_is_the_mean_over_all_batches(tmp_path, monkeypatch):
    folder = make_checkpoint(tmp_path / "sums", SUMS, {"bits": 8})
    whole = numbers("filters", checkpoint=folder, problems=7, iterations=5)
    assert whole.activity.shape == (5, 16)
    monkeypatch.setattr("engram.train.thinking.questions.MAX_LANES", 3)
    shares = numbers("filters", checkpoint=folder, problems=7, iterations=5)
    assert shares.activity.shape == (5, 16)
    assert ((shares.activity * 7 * 8).round(9) % 1 == 0).all()  # of 7 problems, 8 positions


def test_lines_of_filters():
    activity = np.array([[4.0, 1.0, 0.0], [1.0, 1.0, 0.0], [2.0, 3.0, 0.0]])
    (axes,) = drawn("filters", FilterUse(activity, "mean", kept=0.3))
    least, second = (list(line.get_ydata()) for line in axes.lines[:2])
    assert least == pytest.approx([1 / 4, 1 / 3])
    assert second == pytest.approx([1 / 3, 1 / 2])
    assert "(2 of 3)" in axes.get_xlabel()
    assert axes.get_title(loc="left").startswith("50% of the filters keep 30%")


def test_a_network_that_repeats_nothing(tmp_path):
    folder = make_checkpoint(tmp_path / "maze", MAZE, MAZE_CONFIG, feed_forward=True)
    with pytest.raises(ExperimentError, match="a network that repeats nothing uses no filter again"):
        numbers("filters", checkpoint=folder, problems=2)
