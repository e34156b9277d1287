"""`docs/ray_internals.md` names what is there, and all that is imported under an underscore."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "ray_internals.md").read_text()
NAMES = sorted(set(re.findall(r"`((?:ray|gymnasium)(?:\.\w+)+)`", PAGE)))
SOURCES = sorted(path for folder in ("agents", "train") for path in (ROOT / folder).rglob("*.py"))


def found(name):
    """What a dotted name means: modules as far as they go, attributes behind them."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            thing = getattr(thing, part)
        return thing
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_name_exists(name):
    assert found(name) is not None


def private_imports():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("ray", "gymnasium"):
                for alias in node.names:
                    name = f"{node.module}.{alias.name}"
                    if "._" in name:
                        yield name, str(path.relative_to(ROOT))


def test_every_private_import_has_its_row():
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    imports = set(private_imports())
    assert len(imports) >= 5
    for name, path in imports:
        assert any(f"`{name}`" in row and path in row for row in rows), (name, path)


def test_files_of_the_page_exist():
    for path in set(re.findall(r"`((?:agents|train|tests)/[\w/]+(?:\.py|/))`", PAGE)):
        assert (ROOT / path).exists(), path
