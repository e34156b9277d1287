"""Names for the shell's Tab key, read from source files: PyTorch and Ray take seconds to import."""

import ast
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import typer

from engram.train.describe import KINDS

Names = list[str]
Completer = Callable[[str], Names]


def configs(incomplete: str) -> Names:
    """Complete names of shipped configs or of experiments in them, and YAML files where a path has begun.

    Args:
        incomplete: What has been typed of the word.
    """
    from engram.train.experiments.loading import shipped_configs, shipped_experiments

    shipped = _begin(shipped_configs(), incomplete) or _begin(shipped_experiments(), incomplete)
    return [*shipped, *_paths(incomplete, (".yaml", ".yml"))]


def envs(incomplete: str) -> Names:
    """Complete ids of Engram's environments; arguments as in `configs`."""
    return _begin(re.findall(r'register\(\s*"([^"]+)"', _source("engram.envs", "__init__.py")), incomplete)


def algorithms(incomplete: str) -> Names:
    """Complete names of algorithms; arguments as in `configs`."""
    from engram.train.plans.effects import OFFLINE

    ours = _keys("engram.agents", "algorithms.py", "ALGORITHMS")
    stock = _keys("ray", "rllib/algorithms/registry.py", "ALGORITHMS")
    return _begin([*ours, *(name for name in stock if name not in OFFLINE)], incomplete)


def described(incomplete: str) -> Names:
    """Complete kinds for `rllib describe`; arguments as in `configs`."""
    return _begin(list(KINDS), incomplete)


def _table(*places: tuple[str, str, str]) -> Completer:
    """Make a completer of the keys of tables; a place is a package, a file in it and the table's name."""

    def names(incomplete: str) -> Names:
        return _begin([name for place in places for name in _keys(*place)], incomplete)

    return names


_CORES = ("engram.memory", "__init__.py", "CORES")
cores = _table(_CORES)
exit_rules = _table(("engram.memory", "thinking/exits.py", "EXIT_RULES"))
pictures = _table(("engram.train", "pictures/kinds.py", "KINDS"))
analyses = _table(("engram.train", "analyses/report.py", "PICTURES"))
schedulers = _table(
    ("engram.train", "population/schedulers.py", "SCHEDULERS"),
    ("engram.agents", "population/options.py", "POPULATIONS"),
)
listed = _table(("engram.train", "describe/catalog.py", "KINDS"))

_OF_KIND: dict[str, Completer] = {
    "algorithm": algorithms,
    "config": configs,
    "core": _table(_CORES, ("engram.memory", "thinking/__init__.py", "THINKERS")),
    "encoder": _table(("engram.agents", "models/encoders.py", "ENCODERS")),
    "env": envs,
    "exit-rule": exit_rules,
    "loss": _table(
        ("engram.memory", "thinking/losses.py", "LOSSES"), ("engram.memory", "losses.py", "SEQUENCE_LOSSES")
    ),
    "picture": pictures,
    "scheduler": schedulers,
    "search-algorithm": _table(("engram.train", "experiments/search_algorithms.py", "SEARCH_ALGORITHMS")),
    "policy": lambda incomplete: _paths(incomplete, (".safetensors",)),
}


def of_kind(ctx: typer.Context, incomplete: str) -> Names:
    """Complete names of the kind that was given to `rllib describe`.

    Args:
        ctx: The command so far.
        incomplete: What has been typed of the word.
    """
    singular = {plural: kind for kind, plural in KINDS.items()}
    kind = str(ctx.params.get("kind"))
    names = _OF_KIND.get(singular.get(kind, kind))
    return [] if names is None else names(incomplete)


def _begin(names: Iterable[str], incomplete: str) -> Names:
    return sorted({name for name in names if name.startswith(incomplete)})


def _paths(incomplete: str, suffixes: tuple[str, ...]) -> Names:
    """Files with one of the suffixes and folders that a path may go on with."""
    typed, _, begun = incomplete.rpartition("/")
    folder = Path(f"{typed}/" if "/" in incomplete else ".").expanduser()
    prefix = f"{typed}/" if "/" in incomplete else ""
    try:
        found = [entry for entry in folder.iterdir() if entry.name.startswith(begun)]
    except OSError:
        return []
    folders = [f"{prefix}{entry.name}/" for entry in found if entry.is_dir() and "/" in incomplete]
    return sorted([*folders, *(f"{prefix}{entry.name}" for entry in found if entry.suffix in suffixes)])


def _source(package: str, file: str) -> str:
    """The text of a file inside a package, which is not imported; its parent package is."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    return (Path(next(iter(folders))) / file).read_text(encoding="utf-8") if folders else ""


def _keys(package: str, file: str, table: str) -> Names:
    """The keys of a table at the top of a file."""
    return list(_constant_keys(ast.parse(_source(package, file)), table))


def _constant_keys(tree: ast.Module, table: str) -> Iterator[str]:
    for node in tree.body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        named = any(isinstance(target, ast.Name) and target.id == table for target in targets)
        value = getattr(node, "value", None)
        if named and isinstance(value, ast.Dict):
            yield from (str(key.value) for key in value.keys if isinstance(key, ast.Constant))
