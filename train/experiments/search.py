"""Search spaces in YAML: `lr: {grid_search: [1e-3, 3e-4]}`, and choice, uniform, loguniform, ..."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engram.train.console.errors import Errors, ExperimentError

Path = tuple[str, ...]

LISTS = ("grid_search", "choice")
RANGES = {"uniform": 2, "loguniform": 2, "quniform": 3, "randint": 2}  # name -> number of arguments
KINDS = (*LISTS, *RANGES)
BY_MEMBER = "by_member"  # of a population: a value for each; not for files
BETWEEN = 0.6180339887  # of a range: a place that is hardly ever a whole number


@dataclass(frozen=True)
class Domain:
    """One searched setting.

    Attributes:
        kind: One of `KINDS`, or `BY_MEMBER`.
        arguments: The listed values, mappings among them with search spaces of their own, or lower bound,
            upper bound (and step).
    """

    kind: str
    arguments: tuple[Any, ...]

    def examples(self) -> tuple[Any, ...]:
        """Values to check before anything runs: all that are listed, or of a range both ends and one between.

        A setting that takes whole numbers alone may take both ends, and no other of a continuous range.
        """
        if self.kind in (*LISTS, BY_MEMBER):
            return tuple(example for value in self.arguments for example in _examples(value))
        low, high = self.arguments[:2]
        if self.kind == "randint":
            return (low, high - 1)
        step = self.arguments[2] if self.kind == "quniform" else (high - low) * BETWEEN
        return (low, low + step, high) if low + step < high else (low, high)

    def to_tune(self) -> Any:
        """The same space as an object of Ray Tune."""
        from ray import tune

        if self.kind == BY_MEMBER:
            return tune.sample_from(_OfMember(self.arguments))
        if self.kind in LISTS:
            return getattr(tune, self.kind)([_tuned(value) for value in self.arguments])
        return getattr(tune, self.kind)(*self.arguments)

    def points(self) -> int:
        """How many trials a grid makes of it; what is drawn makes one."""
        return sum(_points(value) for value in self.arguments) if self.kind == "grid_search" else 1


class _OfMember:
    """Picks a member's value, for Ray Tune."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values

    def __call__(self, spec: Any) -> Any:
        """The value of the trial whose settings are being made."""
        return copy.deepcopy(self.values[spec.config["population"]["member"]])


def kind_of(value: Any) -> str:
    """The kind of search space that a value is; empty where it is none."""
    if not isinstance(value, dict) or len(value) != 1:
        return ""
    kind = str(next(iter(value))).removeprefix("tune.")
    return kind if kind in KINDS else ""


Alternatives = tuple[str, list[Any]]
"""The kind of a search space, empty where there is none, and what it is over."""


def listed_by(value: Any) -> Alternatives:
    """The kind of a search space that lists its values, and these; empty where it is none."""
    kind = kind_of(value)
    listed = next(iter(value.values())) if kind in LISTS else None
    return (kind, listed) if isinstance(listed, list) else ("", [])


def _examples(value: Any) -> Iterator[Any]:
    return variants(*split(value, "")) if isinstance(value, dict) else iter((value,))


def _tuned(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    tuned, domains = split(value, "")
    for place, domain in domains.items():
        put(tuned, place, domain.to_tune())
    return tuned


def _points(value: Any) -> int:
    domains = split(value, "")[1] if isinstance(value, dict) else {}
    return math.prod(domain.points() for domain in domains.values())


def split(
    config: dict[str, Any], path: str, errors: Errors | None = None
) -> tuple[dict[str, Any], dict[Path, Domain]]:
    """Take the search spaces out of a section.

    Args:
        config: The section as written.
        path: Its dotted path, for errors.
        errors: Receives what is wrong with the arguments of spaces, which are then left out.

    Returns:
        The section with the first example in place of each space, and the spaces by their path in it.

    Raises:
        ExperimentError: the arguments of spaces are wrong, all of them at once; only without `errors`.
    """
    found = Errors() if errors is None else errors
    plain = copy.deepcopy(config)
    domains = dict(_find(plain, path, (), found))
    if errors is None:
        found.check()
    for place, domain in domains.items():
        put(plain, place, domain.examples()[0])
    return plain, domains


def split_env(env: Any) -> tuple[list[str], Domain | None]:
    """The environments that an experiment names, one or a search space of several.

    Args:
        env: Its `env`: an id or a class path, or `{grid_search: [A, B]}`, or the same with `choice`.

    Returns:
        The environments, and their search space where there is one.

    Raises:
        ExperimentError: it is something else.
    """
    domain = split({"env": env}, "")[1].get(("env",)) if isinstance(env, dict) else None
    values = [env] if domain is None else list(domain.arguments)
    if (domain is not None and domain.kind not in LISTS) or not all(isinstance(each, str) for each in values):
        raise ExperimentError(
            f"env: expected an id, a class path, or {{grid_search: [A, B]}} of these, got {env!r}"
        )
    return values, domain


def _find(section: dict[str, Any], path: str, place: Path, errors: Errors) -> Iterator[tuple[Path, Domain]]:
    for key, value in list(section.items()):
        if not isinstance(value, dict):
            continue
        if kind := kind_of(value):
            before = len(errors.lines)
            with errors.kept():
                where = f"{path}.{key}.{kind}".lstrip(".")
                yield (*place, key), _domain(kind, next(iter(value.values())), where)
            if len(errors.lines) > before:
                del section[key]
        else:
            yield from _find(value, f"{path}.{key}", (*place, key), errors)


def _domain(kind: str, arguments: Any, path: str) -> Domain:
    if not isinstance(arguments, list) or not arguments:
        raise ExperimentError(f"{path}: expected a list of values, got {arguments!r}")
    if kind in LISTS:
        return Domain(kind, tuple(_listed(value, kind, f"{path}[{i}]") for i, value in enumerate(arguments)))
    count = RANGES[kind]
    if len(arguments) != count or not all(_is_number(value) for value in arguments):
        form = "[lower, upper, step]" if count == 3 else "[lower, upper]"
        raise ExperimentError(f"{path}: expected {form}, all finite numbers, got {arguments!r}")
    low, high = arguments[:2]
    if low >= high or (kind == "loguniform" and low <= 0) or (count == 3 and arguments[2] <= 0):
        raise ExperimentError(f"{path}: bounds must rise (and be positive for loguniform), got {arguments!r}")
    if kind == "randint" and not all(float(value).is_integer() for value in arguments):
        raise ExperimentError(f"{path}: bounds must be whole numbers, got {arguments!r}")
    return Domain(kind, tuple(int(v) for v in arguments) if kind == "randint" else tuple(arguments))


def _listed(value: Any, kind: str, path: str) -> Any:
    """A listed value; raises ExperimentError where a search space inside it cannot be."""
    inner = split(value, path)[1] if isinstance(value, dict) else {}
    if kind == "choice" and any(domain.points() > 1 for domain in inner.values()):
        raise ExperimentError(
            f"{path}: a grid_search inside what is drawn; use grid_search for both, or neither"
        )
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e300


def put(section: dict[str, Any], place: Path, value: Any) -> None:
    """Set a value deep inside a section, in place; missing levels are made."""
    for key in place[:-1]:
        section = section.setdefault(key, {})
    section[place[-1]] = value


def variants(plain: dict[str, Any], domains: dict[Path, Domain]) -> Iterator[dict[str, Any]]:
    """Yield settings to check: the first example of all spaces, then each further one by itself."""
    yield plain
    for place, domain in domains.items():
        for example in domain.examples()[1:]:
            changed = copy.deepcopy(plain)
            put(changed, place, copy.deepcopy(example))
            yield changed
