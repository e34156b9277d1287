"""The words of minigrid's missions, and the longest mission that its grammar makes."""

from engram.envs.forms.words import Vocabulary

_LINES = """
a after and at avoid ball behind blue box door end fetch find from front get go goal green grey hallway in key
lava left matching must near next object of on open opening pick purple put reach red right room rooms square
the then to traverse unlock up use yellow you your ,
"""

WORDS = tuple(_LINES.split())
"""53 words and the comma, of the missions of all ids of minigrid 3.2.0 but those of `MiniGrid-WFC-*`."""

MISSIONS = Vocabulary(WORDS)

_DESCRIPTION = 7  # the red ball in front of you
_ACTION = 3 + 2 * _DESCRIPTION  # put DESCRIPTION next to DESCRIPTION
_ACTIONS = 1 + 2 * _ACTION  # ACTION and ACTION

MISSION_LENGTH = 2 + 2 * _ACTIONS
"""Words of the longest mission: ACTIONS, then ACTIONS, the comma a word; `after you` is as long."""
