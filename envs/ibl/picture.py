"""The present trial as a board: a row for the result of the last step, and one for each stimulus seen.

B boards, M stimuli.
"""

from __future__ import annotations

import numpy as np

from engram.envs.arrays import Bytes, Floats
from engram.envs.forms.boards import Look
from engram.envs.ibl.rules import IBLRules

REACH = 12  # cells to either side
CELLS = 3  # of a bar, for each standard deviation
CENTRE = REACH
_RESULTS = "+-."  # right; wrong, or too late; waiting
_COLOURS = {
    "L": (64, 160, 255),
    "R": (255, 160, 64),
    "l": (24, 56, 96),
    "r": (96, 56, 24),
    "|": (128, 128, 128),
    "+": (64, 255, 64),
    "-": (255, 64, 64),
    ".": (255, 255, 255),
}


def make_look(rules: IBLRules) -> Look:
    """Return how a trial is shown: bars to the left and to the right, dark where a side is below 0."""
    return Look(1 + rules.shown_steps, 2 * REACH + 1, f"{''.join(_COLOURS)} ", colours=_COLOURS)


def paint(look: Look, stimuli: Floats, rewards: Floats) -> Bytes:
    """Return boards, ASCII codes, uint8 (B, R, C).

    Args:
        look: from `make_look`.
        stimuli: of the present trial, 0 where there is none yet, (B, M, 2).
        rewards: as last seen, (B,).
    """
    boards = np.full((len(stimuli), look.rows, look.cols), ord(" "), np.uint8)
    boards[:, :, CENTRE] = ord("|")
    sizes = np.minimum(np.ceil(CELLS * np.abs(stimuli)), REACH)
    reach = np.arange(1, REACH + 1)
    for side, (letter, cells) in enumerate((("L", CENTRE - reach), ("R", CENTRE + reach))):
        codes = np.where(stimuli[..., side] < 0, ord(letter.lower()), ord(letter))
        bars = np.where(reach <= sizes[..., side, None], codes[..., None], ord(" "))
        boards[:, 1:, cells] = bars
    results = np.select([rewards > 0, rewards <= -1, rewards < 0], [ord(each) for each in _RESULTS], ord("|"))
    boards[:, 0, CENTRE] = results
    return boards
