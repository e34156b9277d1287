"""Policies to share: a file of weights and a card; to act with it, PyTorch, NumPy and safetensors are enough.

Loading runs no code from the file.
"""

from engram.policy.acting import Policy
from engram.policy.card import Card
from engram.policy.files import load_policy, write_policy

__all__ = ["Card", "Policy", "load_policy", "write_policy"]
