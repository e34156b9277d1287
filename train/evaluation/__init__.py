"""Trained agents: load one, play episodes with it, summarise them, film one."""

from engram.train.evaluation.agent import TrainedAgent, load_agent

__all__ = ["TrainedAgent", "load_agent"]
