"""Base of the parameters of tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod

NEVER = 2**62  # a frame no episode reaches


class Rules(ABC):
    """The parameters of one task, checked."""

    @property
    @abstractmethod
    def group_by(self) -> str | None:
        """The info key by which results are split, if any."""

    @property
    @abstractmethod
    def memory_delay(self) -> int:
        """Env steps from the last sight of what must be remembered to the first action that needs it.

        Where an episode's delay is drawn, the longest; each episode's own is `delay` in its info.
        """


def timeout_frame(timeout_frames: int) -> int:
    """Return the frame on which a timeout ends an episode, `NEVER` for a negative one."""
    return timeout_frames if timeout_frames > 0 else NEVER
