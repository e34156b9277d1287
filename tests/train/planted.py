"""A pickle that leaves a mark where it is loaded."""

from pathlib import Path


class Planted:
    """Writes a file when it is unpickled.

    Args:
        marker: The file.
    """

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (Path(self.marker),)
