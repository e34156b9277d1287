"""The house: who may import whom, and under which name."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("agents", "configs", "envs", "memory", "policy", "train")
MAY_IMPORT = {
    "memory": set(),
    "envs": set(),
    "agents": {"memory"},
    "policy": {"memory", "agents"},
    "train": {"memory", "agents", "envs", "configs", "policy"},
    "configs": set(),
}
FOREIGN = {
    "memory": {"ray", "gymnasium", "numpy", "pycolab", "typer", "rich", "yaml"},
    "envs": {"torch", "ray", "typer", "rich", "yaml"},
    "agents": {"pycolab", "typer", "rich", "yaml"},
    "policy": {"ray", "gymnasium", "pycolab", "typer", "rich", "yaml"},
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


MOST_ROOMS = 16  # files and folders at the top of `train`


def rooms_of(folder):
    """Files and folders at the top of a folder, without the ones that Python names."""
    paths = [path for path in (ROOT / folder).iterdir() if path.suffix == ".py" or path.is_dir()]
    return {path.stem for path in paths if not path.name.startswith(("__", "."))}


def arrows_in(folder):
    """Room -> rooms that it imports, at the top of a file or inside a function."""
    rooms = rooms_of(folder)
    arrows = {room: set() for room in rooms}
    for path in (ROOT / folder).rglob("*.py"):
        room = path.relative_to(ROOT / folder).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                parts = name.split(".")
                if parts[:2] == ["engram", folder] and len(parts) > 2 and parts[2] != room:
                    arrows.get(room, set()).update({parts[2]} & rooms)
    return arrows


def circle_in(arrows):
    """Rooms that lead into a circle of imports; empty where there is none."""
    left = dict(arrows)
    while ends := [room for room, others in left.items() if not others & left.keys()]:
        for room in ends:
            del left[room]
    return set(left)


def test_a_circle_is_seen():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": set()}) == set()
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"a", "b", "c"}


@pytest.mark.parametrize("folder", ["agents", "envs", "memory", "policy", "train"])
def test_rooms_of_a_folder_import_each_other_one_way(folder):
    arrows = arrows_in(folder)
    assert any(arrows.values())
    assert circle_in(arrows) == set()


def test_train_has_few_rooms():
    assert len(rooms_of("train")) <= MOST_ROOMS
