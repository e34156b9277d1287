"""Recurrent reinforcement learning on RLlib: `engram.memory`, `engram.envs`, `engram.agents`, `engram.train`.

`engram.load_policy` reads a policy that somebody has shared; it is that of `engram.policy`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engram.policy import load_policy

__all__ = ["load_policy"]


def __getattr__(name: str) -> Any:
    if name != "load_policy":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from engram.policy import load_policy  # here, so that `import engram` waits for nothing

    return load_policy
