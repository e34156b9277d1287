"""What the rules of all games have in common."""

from __future__ import annotations

from typing import Protocol

NEVER = 2**62  # a frame no episode reaches


class Rules(Protocol):
    """The checked parameters of one game."""

    @property
    def group_by(self) -> str:
        """The info key by which results are split."""

    @property
    def memory_delay(self) -> int:
        """Env steps from the last sight of what must be remembered to the first action that needs it.

        Where an episode's delay is drawn, the longest; each episode's own is `delay` in its info.
        """


def timeout_frame(timeout_frames: int) -> int:
    """Frame on which a timeout ends an episode, `NEVER` for a negative one."""
    return timeout_frames if timeout_frames > 0 else NEVER
