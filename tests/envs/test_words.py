"""Texts as rows of numbers."""

import copy
import pickle

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from engram.envs.forms.words import PADDING, UNKNOWN, Tokens, Vocabulary

MISSIONS = Vocabulary(["pick", "up", "the", "green", "Ball", "the"])


def test_words_are_numbered_behind_padding_and_unknown():
    assert MISSIONS.words == ("ball", "green", "pick", "the", "up")
    assert len(MISSIONS) == 7
    row = MISSIONS.encode("Pick up the  RED ball", 7)
    np.testing.assert_array_equal(row, [4, 6, 5, UNKNOWN, 2, PADDING, PADDING])
    assert MISSIONS.decode(row) == "pick up the ? ball"


def test_characters_keep_their_case():
    letters = Vocabulary("abA ", "characters")
    assert letters.decode(letters.encode("a Ab", 6)) == "a Ab"
    assert letters.encode("B", 1) == UNKNOWN


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match=r"'up up up' has 3 words; legal: at most 2"):
        MISSIONS.encode("up up up", 2)


def test_an_empty_vocabulary_is_refused():
    with pytest.raises(ValueError, match="there is no word"):
        Vocabulary([])


def test_the_space_holds_every_row_and_no_other():
    space = Tokens(MISSIONS, 4)
    assert space.contains(space.encode("pick up the sword"))
    assert not space.contains(np.full(4, len(MISSIONS)))
    assert isinstance(batch_space(space, 3), spaces.MultiDiscrete | spaces.Box)
    assert batch_space(space, 3).shape == (3, 4)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda space: pickle.loads(pickle.dumps(space))])
def test_a_copy_of_the_space_is_equal(copied):
    space = Tokens(MISSIONS, 4)
    assert copied(space) == space
    assert space not in (Tokens(MISSIONS, 5), Tokens(Vocabulary(["sword"]), 4), spaces.MultiDiscrete([7] * 4))
