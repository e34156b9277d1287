"""`rllib version`: the versions that decide about results."""

EXAMPLES = ""


def command() -> None:
    """Print the versions that decide about results."""
    from engram.train.console.screen import show
    from engram.train.runs.record import versions

    show(*(f"{name:<10} {number}" for name, number in versions().items()))
