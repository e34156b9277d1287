"""Label trials by their settings, in folders, tables and TensorBoard."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engram.train.experiments.search import Domain, Path

LONGEST_VALUE = 30  # characters of one value
LONGEST_LABEL = 100  # characters of all settings; a folder's name may have 255


def differing(domains: Mapping[Path, Domain]) -> list[Path]:
    """Return the settings in which the trials of a search differ, in the order of the file.

    Values that are sections, such as `core: {grid_search: [{type: lstm}, {type: gru}]}`, are looked into.
    """
    return [leaf for place, domain in domains.items() for leaf in _leaves(place, domain)]


def _leaves(place: Path, domain: Domain) -> list[Path]:
    values = list(domain.examples())
    if not any(isinstance(value, dict) for value in values):
        return [place] if any(value != values[0] for value in values) else []
    flat = [_flat(value, place) for value in values]
    leaves = dict.fromkeys(leaf for each in flat for leaf in each)
    return [leaf for leaf in leaves if any(each.get(leaf) != flat[0].get(leaf) for each in flat)]


def _flat(value: Any, place: Path) -> dict[Path, Any]:
    if not isinstance(value, dict):
        return {place: value}
    return {leaf: one for key, inner in value.items() for leaf, one in _flat(inner, (*place, key)).items()}


def short_keys(places: Iterable[Path], separator: str = ".") -> dict[Path, str]:
    """A name for each place: its last key, with as many keys before it as tell it from the others.

    Args:
        places: Keys down to settings, or the parts of paths.
        separator: Stands between keys.
    """
    places = list(places)
    others = {place: [other for other in places if other != place] for place in places}
    return {place: separator.join(next(_suffixes(place, others[place]))) for place in places}


def _suffixes(place: Path, others: list[Path]) -> Iterator[Path]:
    for count in range(1, len(place)):
        if all(other[-count:] != place[-count:] for other in others):
            yield place[-count:]
    yield place


def label(settings: Mapping[Path, Any], keys: Mapping[Path, str]) -> list[str]:
    """`lr=0.001`, `type=lstm`, ...: each setting in characters that are safe in the name of a folder.

    Args:
        settings: Values by their place.
        keys: What to call each place, from `short_keys`.

    Returns:
        One text for each setting, together not longer than `LONGEST_LABEL`.
    """
    texts, left = [], LONGEST_LABEL
    for place, value in settings.items():
        text = f"{safe(keys[place])}={shown(value)}"
        left -= len(text) + 1
        if left >= 0:
            texts.append(text)
    return texts


def shown(value: Any) -> str:
    """Format a value in safe characters: numbers as people write them, lists joined, long texts cut."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return "-".join(shown(one) for one in value)[:LONGEST_VALUE]
    if isinstance(value, dict):
        return "-".join(f"{safe(str(key))}={shown(one)}" for key, one in value.items())[:LONGEST_VALUE]
    return safe(_run_of(str(value)))[:LONGEST_VALUE]


def _run_of(text: str) -> str:
    """Names the run and the number of the trial that a checkpoint is of; any other text stays."""
    *_, run, trial, last = ("", "", *text.split("/"))
    number = trial.rpartition("_")[2]
    return (
        f"{run[: LONGEST_VALUE - 1 - len(number)]}-{number}"
        if last.startswith("checkpoint_") and run
        else text
    )


def safe(text: str) -> str:
    """Replace all characters that may cause trouble in a path, a shell or a URL."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text)


def natural(name: str) -> list[tuple[int, float, str]]:
    """Return a sort key for names, so that `seed=10` follows `seed=2`, and 0.001 follows 1e-05."""
    parts = re.split(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)", name)
    return [(1, 0.0, part) if index % 2 == 0 else (0, float(part), part) for index, part in enumerate(parts)]
