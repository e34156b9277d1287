"""Labelled fragments: observations and targets, as columns.

T time, B lanes.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from numpy.typing import NDArray
from typing_extensions import override

from engram.agents.columns.fragment import ColumnSet, no_lanes


@dataclass(eq=False)
class LabelledFragment(ColumnSet):
    """T steps of B lanes with targets.

    Attributes:
        observations: (T, B, ...).
        resets: True where the row is the first of an episode, (T, B).
        targets: The right actions as the distribution counts them (`models.actions`), (T, B, ...).
        masks: Which parts of them count, bool, the shape of `targets`.
        streams: Which of all runners' lanes each one is, (B,).
        weights_seq_no: Number of the runner's weights; nothing here depends on them.
        dropped: Lanes with an observation that was not finite; nothing in them counts, (B,).
    """

    TIME_MAJOR: ClassVar[tuple[str, ...]] = ("observations", "resets", "targets", "masks")
    LANE_MAJOR: ClassVar[tuple[str, ...]] = ("streams", "dropped")

    observations: NDArray[Any]
    resets: NDArray[Any]
    targets: NDArray[Any]
    masks: NDArray[Any]
    streams: NDArray[Any]
    weights_seq_no: int
    dropped: NDArray[Any] = field(default_factory=no_lanes)

    @override
    @property
    def length(self) -> int:
        return len(self.resets)
