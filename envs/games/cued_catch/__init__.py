"""Cued Catch: four cues are taught once, then catch the ball that the cue of each trial stands for."""
