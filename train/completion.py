"""Names for the shell's Tab key, read from source files: PyTorch and Ray take seconds to import."""

import ast
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import typer

from engram.train.describe import KINDS
from engram.train.experiments.loading import shipped_configs, shipped_experiments
from engram.train.plans.effects import OFFLINE

Names = list[str]


def configs(incomplete: str) -> Names:
    """Shipped configs or else experiments in them, and YAML files where a path has begun.

    Args:
        incomplete: What has been typed of the word.
    """
    shipped = _begin(shipped_configs(), incomplete) or _begin(shipped_experiments(), incomplete)
    return [*shipped, *_paths(incomplete, (".yaml", ".yml"))]


def cores(incomplete: str) -> Names:
    """Recurrent cores; arguments as in `configs`."""
    return _begin(_keys("engram.memory", "__init__.py", "CORES"), incomplete)


def envs(incomplete: str) -> Names:
    """Environments of ours; arguments as in `configs`."""
    return _begin(re.findall(r'register\(\s*"([^"]+)"', _source("engram.envs", "__init__.py")), incomplete)


def algorithms(incomplete: str) -> Names:
    """What `run` may hold; arguments as in `configs`."""
    ours = _keys("engram.agents", "algorithms.py", "ALGORITHMS")
    stock = _keys("ray", "rllib/algorithms/registry.py", "ALGORITHMS")
    return _begin([*ours, *(name for name in stock if name not in OFFLINE)], incomplete)


def exit_rules(incomplete: str) -> Names:
    """Rules that say when a network has thought enough; arguments as in `configs`."""
    return _begin(_keys("engram.memory", "thinking/exits.py", "EXIT_RULES"), incomplete)


def pictures(incomplete: str) -> Names:
    """Kinds of pictures; arguments as in `configs`."""
    return _begin(_keys("engram.train", "pictures/kinds.py", "KINDS"), incomplete)


def listed(incomplete: str) -> Names:
    """What `rllib list` lists; arguments as in `configs`."""
    return _begin(_keys("engram.train", "describe/catalog.py", "KINDS"), incomplete)


def described(incomplete: str) -> Names:
    """Kinds of what `rllib describe` describes; arguments as in `configs`."""
    return _begin(list(KINDS), incomplete)


def of_kind(ctx: typer.Context, incomplete: str) -> Names:
    """Names of the kind that `rllib describe` has been given.

    Args:
        ctx: The command so far.
        incomplete: What has been typed of the word.
    """
    singular = {plural: kind for kind, plural in KINDS.items()}
    kind = str(ctx.params.get("kind"))
    names = _OF_KIND.get(singular.get(kind, kind))
    return [] if names is None else names(incomplete)


def _described_cores(incomplete: str) -> Names:
    thinkers = _keys("engram.memory", "thinking/__init__.py", "THINKERS")
    return [*cores(incomplete), *_begin(thinkers, incomplete)]


def _encoders(incomplete: str) -> Names:
    return _begin(_keys("engram.agents", "models/encoders.py", "ENCODERS"), incomplete)


def _losses(incomplete: str) -> Names:
    return _begin(_keys("engram.memory", "thinking/losses.py", "LOSSES"), incomplete)


_OF_KIND: dict[str, Callable[[str], Names]] = {
    "algorithm": algorithms,
    "config": configs,
    "core": _described_cores,
    "encoder": _encoders,
    "env": envs,
    "exit-rule": exit_rules,
    "loss": _losses,
    "picture": pictures,
}


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
