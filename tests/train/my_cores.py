"""A core of a user's own, by its class path, with an option that no other core has."""

from dataclasses import dataclass
from typing import ClassVar

from engram.memory.classic.lstm import LSTM
from engram.memory.options import integer


@dataclass(frozen=True, kw_only=True)
class PatientOptions(LSTM.Options):
    patience: int = integer(3, "how long it waits")


class Patient(LSTM):
    Options: ClassVar[type[PatientOptions]] = PatientOptions
