"""Constructors that follow from declarations, and the pages that go with them."""

import inspect
import pickle

import pytest
from gymnasium.vector import AutoresetMode

from engram.envs.forms.parameters import Parametrized, read_meanings
from engram.envs.forms.single_lane import SingleLane
from engram.envs.games.tmaze.batched import BatchedTMaze
from engram.envs.games.tmaze.single import TMaze
from engram.envs.puzzles.maze.env import BatchedMaze, Maze


class Form:
    """A form of a task."""

    def __init__(self, task, num_envs=1, mode="quick"):
        """Set up.

        Args:
            task: what is played.
            num_envs: number of lanes.
            mode: how, on
                two lines.
        """
        self.made = (task, num_envs, mode)


def double(size: int = 3, depth: float = 0.5):
    """A task.

    Args:
        size: of it.
        depth: of it, too.

    Raises:
        ValueError: never.
    """
    return (2 * size, depth)


class Doubled(Parametrized, Form, task=double):
    """A page.

    Arguments:
        depth: as here.

    Reset options:
        None.
    """


class Heir(Doubled):
    """Has a constructor of its own."""

    def __init__(self, size):
        super().__init__(2, size, mode="slow")


@pytest.mark.parametrize(
    ("args", "kwargs", "made"),
    [
        ((), {}, ((6, 0.5), 1, "quick")),
        ((4, 5), {}, ((10, 0.5), 4, "quick")),
        ((4, 5, 0.1, "slow"), {}, ((10, 0.1), 4, "slow")),
        ((), {"mode": "slow", "size": 1}, ((2, 0.5), 1, "slow")),
    ],
)
def test_parameters_of_task_and_form_are_taken_by_place_or_name(args, kwargs, made):
    assert Doubled(*args, **kwargs).made == made


def test_the_signature_is_that_of_task_and_form():
    assert (
        str(inspect.signature(Doubled))
        == "(num_envs=1, size: int = 3, depth: float = 0.5, mode='quick') -> None"
    )
    assert Doubled.__init__.__annotations__["size"] is int


def test_the_page_takes_meanings_from_where_they_are_declared():
    assert inspect.getdoc(Doubled) == inspect.cleandoc(
        """A page.

        Arguments:
            num_envs: number of lanes.
            size: of it.
            depth: as here.
            mode: how, on
                two lines.

        Reset options:
            None.
        """
    )
    assert list(read_meanings(Doubled)) == list(inspect.signature(Doubled).parameters)


def test_a_class_without_a_task_takes_the_task():
    class Plain(Parametrized, Form):
        pass

    assert Plain("a task", 2).made == ("a task", 2, "quick")


def test_an_heir_may_have_a_constructor():
    assert Heir(7).made == ((14, 0.5), 2, "slow")
    assert str(inspect.signature(Heir)) == "(size)"


@pytest.mark.parametrize(
    ("creator", "message"),
    [
        (TMaze, r"^TMaze: unknown 'levl'; did you mean 'level'\? known: .*, render_mode, .*$"),
        (BatchedTMaze, r"^BatchedTMaze: unknown 'levl'; did you mean 'level'\? known: autoreset_mode, .*$"),
        (Maze, r"^Maze: unknown 'levl'; .*known: canvas, .*$"),
        (Doubled, r"^Doubled: unknown 'levl'; .*known: depth, mode, num_envs, size$"),
    ],
)
def test_an_unknown_argument_is_refused_with_the_nearest(creator, message):
    with pytest.raises(TypeError, match=message):
        creator(levl=3)


def test_too_many_arguments_are_refused():
    with pytest.raises(TypeError, match="too many positional arguments"):
        Doubled(1, 2, 3, 4, 5)
    with pytest.raises(TypeError, match="multiple values for argument 'num_envs'"):
        Doubled(1, num_envs=2)


def test_a_single_form_has_the_parameters_of_its_batched_form():
    batched = inspect.signature(BatchedMaze).parameters
    assert list(inspect.signature(Maze).parameters) == [
        name for name in batched if name not in ("num_envs", "autoreset_mode")
    ]
    lane = Maze(positions=5)._lane
    assert (type(lane), lane.num_envs, lane.autoreset_mode) == (BatchedMaze, 1, AutoresetMode.NEXT_STEP)
    assert pickle.loads(pickle.dumps(Maze(positions=5))).observation_space == lane.single_observation_space


def test_a_single_form_without_a_batched_one_says_so():
    with pytest.raises(TypeError, match="SingleLane: of which batched form"):
        SingleLane()


def test_wrong_places_name_the_class_that_was_called():
    class Longer(TMaze):
        """A class of a user's own."""

    with pytest.raises(TypeError, match=r"^Longer: too many positional arguments"):
        Longer(*range(40))
    with pytest.raises(TypeError, match=r"^TMaze: multiple values for argument 'level'"):
        TMaze(1, level=2)
    with pytest.raises(TypeError, match=r"^Longer: unknown 'levl'; did you mean 'level'"):
        Longer(levl=2)
