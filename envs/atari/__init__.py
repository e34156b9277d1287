"""Atari games of the Arcade Learning Environment (ALE), for training: `ale_py:ALE/Pong-v5` and the others.

| class | what it is |
|---|---|
| `lanes.AtariLanes` | the games of all lanes at once, in ALE's own vector environment, which is C++ |
| `single.Atari` | one lane of it, for Gymnasium's single form; it renders |
| `published.PublishedScores` | what random actions and people score in 57 of the games |

An episode is a whole game, rewards are the game's own, and a lost life ends nothing. What is seen is the
latest few frames as the planes of one picture (`engram.envs.forms.frames`), bytes.

This package imports `ale_py` when lanes are made and not before: it is under the GPL-2.0, and an extra,
`pip install "engram[atari]"`.

Source: Bellemare et al., The Arcade Learning Environment, arXiv 1207.4708; defaults as in Machado et al.,
Revisiting the Arcade Learning Environment, arXiv 1709.06009, with the frames of Mnih et al., 2015.
"""
