import numpy as np
import pytest

from engram.envs.forms.boards import CELL_PIXELS, Look, check_render_mode

LOOK = Look(rows=1, cols=4, planes="P# ", repaint={"*": "#"}, colours={"P": (0, 255, 255), "#": (9, 8, 7)})
BOARD = np.frombuffer(b"P#* ", np.uint8).reshape(1, 4)


def test_planes_are_one_hot_after_repaint():
    expected = [[[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]]
    assert LOOK.observe(BOARD).tolist() == expected
    assert LOOK.observe(np.stack([BOARD, BOARD])).tolist() == [expected, expected]
    assert LOOK.space.contains(LOOK.observe(BOARD))


def test_text_and_image_show_the_repainted_board():
    assert LOOK.render(BOARD, "ansi") == "P## "
    image = LOOK.render(BOARD, "rgb_array")
    assert image.shape == (CELL_PIXELS, 4 * CELL_PIXELS, 3)
    assert image.dtype == np.uint8
    assert image[::CELL_PIXELS, ::CELL_PIXELS].tolist() == [[[0, 255, 255], [9, 8, 7], [9, 8, 7], [0, 0, 0]]]
    assert LOOK.render(BOARD, None) is None


def test_an_unknown_render_mode_is_named_with_its_neighbour():
    with pytest.raises(ValueError, match=r"render_mode: unknown 'rgb_aray'; did you mean 'rgb_array'\?"):
        check_render_mode("rgb_aray")
