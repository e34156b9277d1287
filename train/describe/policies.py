"""Policies that were shared: the card of a file."""

from engram.train.console.errors import ExperimentError
from engram.train.console.files import typed_path
from engram.train.describe.page import Page


def policy(name: str) -> Page:
    """Describe the file of a policy by its card; nothing is built of it.

    Args:
        name: The file.

    Raises:
        ExperimentError: there is no such file, or it is no policy's.
    """
    from engram.policy.files import read_policy

    try:
        card, _ = read_policy(typed_path(name))
    except ValueError as error:
        raise ExperimentError(f"describe policy: {error}") from None
    trained = f" of {card.env}" if card.env else ""
    summary = f"core {card.core}{trained}, {card.parameters:,} parameters."
    facts = {key: value for key, value in card.data().items() if value not in (None, {}, [])}
    return Page("policy", name, summary, facts=facts | {"load": f'engram.load_policy("{name}")'})
