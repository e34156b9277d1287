"""The house: who may import whom, and under which name."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("agents", "configs", "envs", "memory", "train")
MAY_IMPORT = {
    "memory": set(),
    "envs": set(),
    "agents": {"memory"},
    "train": {"memory", "agents", "envs", "configs"},
    "configs": set(),
}
FOREIGN = {
    "memory": {"ray", "gymnasium", "numpy", "pycolab", "typer", "rich", "yaml"},
    "envs": {"torch", "ray", "typer", "rich", "yaml"},
    "agents": {"pycolab", "typer", "rich", "yaml"},
}
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def imported_modules(path):
    """Every module a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module if node.level == 0 else f"{'.' * node.level}{node.module or ''}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_go_one_way(path):
    folder = path.relative_to(ROOT).parts[0]
    for module in imported_modules(path):
        root, _, rest = module.partition(".")
        assert root not in FOLDERS, f"{module}: the folders are imported as engram.{root}"
        assert not module.startswith("."), f"{module}: imports are absolute"
        if root == "engram":
            other = rest.partition(".")[0]
            assert other == folder or other in MAY_IMPORT[folder], f"{folder} must not import engram.{other}"
        assert root not in FOREIGN.get(folder, set()), f"{folder} must not import {root}"


def test_every_folder_is_packaged():
    text = (ROOT / "pyproject.toml").read_text()
    for folder in FOLDERS:
        assert f'"engram.{folder}" = "{folder}"' in text


def test_every_package_inside_a_folder_is_packaged():
    text = (ROOT / "pyproject.toml").read_text()
    for folder in FOLDERS:
        for package in (ROOT / folder).glob("*/__init__.py"):
            assert f'"engram.{folder}.{package.parent.name}"' in text
