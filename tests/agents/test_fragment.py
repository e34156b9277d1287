"""Fragments: split and joined along the lanes, never cut in time."""

import numpy as np
import pytest

from engram.agents.columns.fragment import Fragment, concatenate


def numbered(lanes, steps=3, first=0):
    """Every entry of lane b holds first + b, so that a lane can be told wherever it goes."""
    lane = np.arange(first, first + lanes, dtype=np.float32)
    rows = np.tile(lane, (steps, 1))
    return Fragment(
        observations={
            "board": np.tile(lane[:, None], (steps + 1, 1, 2)),
            "text": np.tile(lane, (steps + 1, 1)),
        },
        resets=np.tile(lane, (steps + 1, 1)) > 1e9,
        actions=rows,
        action_logp=rows,
        rewards=rows,
        terminateds=rows > 1e9,
        truncateds=rows > 1e9,
        values=rows,
        final_values=rows,
        last_values=lane,
        state_in={"h": np.tile(lane[:, None], (1, 4))},
        weights_seq_no=first + 5,
    )


def lanes_of(fragment):
    columns = [fragment.observations["board"][0, :, 0], fragment.rewards[0], fragment.last_values]
    columns.append(fragment.state_in["h"][:, 0])
    for column in columns[1:]:
        np.testing.assert_array_equal(columns[0], column)
    return columns[0].astype(int).tolist()


def test_parts_hold_all_lanes_in_order():
    parts = numbered(6).split(3)
    assert [lanes_of(part) for part in parts] == [[0, 1], [2, 3], [4, 5]]
    assert all(part.env_steps() == len(part) == 6 for part in parts)


def test_joining_undoes_splitting():
    assert lanes_of(concatenate(numbered(6).split(2))) == [0, 1, 2, 3, 4, 5]


def test_joined_fragments_are_as_old_as_the_oldest():
    assert concatenate([numbered(2, first=3), numbered(2, first=1)]).weights_seq_no == 6


def test_more_learners_than_lanes_is_an_error():
    with pytest.raises(ValueError, match="cannot split 2 lanes among 3 learners"):
        numbered(2).split(3)


def test_fragments_of_different_lengths_do_not_join():
    with pytest.raises(ValueError, match=r"different lengths cannot be joined: \[2, 3\]"):
        concatenate([numbered(2, steps=3), numbered(2, steps=2)])


def test_dm_tree_sees_a_leaf():
    import tree

    fragment = numbered(2)
    assert tree.flatten([fragment, fragment]) == [fragment, fragment]
