"""The structure of packages/ that import-linter has no contract for: circles, sizes, imports of the Cypher core."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import grimp
import networkx
import pytest

PACKAGES = Path(__file__).parents[1] / "packages"
NAMES = sorted(each.name for each in PACKAGES.iterdir() if (each / "__init__.py").exists())
FOLDERS = sorted({each.parent for each in PACKAGES.rglob("*.py")})
MODULES = sorted(each for each in PACKAGES.rglob("*.py") if each.name != "__init__.py")

MAX_MODULES = 12
LARGER_FOLDERS = {
    "t2c_core/cypher": "one module per part of the grammar",
    "t2c_service": "what runs is assembled at the root: settings, databases, service, app, server",
}
MAX_LINES = 500
LONGER_MODULES = {
    "t2c_core/cypher/ast_nodes.py": "one class per syntax node",
    "t2c_core/cypher/expressions.py": "one function per level of precedence",
    "t2c_core/cypher/render.py": "one function per syntax node",
}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGES).as_posix()


def test_every_package_is_found() -> None:
    assert {"gqa_compress", "graphling", "graphling_io", "t2c_core", "t2c_data", "t2c_service"} <= set(NAMES)


def test_no_modules_import_one_another_in_a_circle() -> None:
    found = grimp.build_graph(*NAMES, cache_dir=None)
    imports = networkx.DiGraph()
    for module in found.modules:
        imports.add_edges_from((module, each) for each in found.find_modules_directly_imported_by(module))
    circles = [sorted(each) for each in networkx.strongly_connected_components(imports) if len(each) > 1]
    assert circles == []


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_folder_has_at_most_twelve_modules(folder: Path) -> None:
    count = sum(each.name != "__init__.py" for each in folder.glob("*.py"))
    if name_of(folder) in LARGER_FOLDERS:
        assert count > MAX_MODULES, "the exception is no longer needed"
    else:
        assert count <= MAX_MODULES


def test_a_module_has_at_most_500_lines() -> None:
    lines = {name_of(each): len(each.read_text(encoding="utf-8").splitlines()) for each in MODULES}
    assert {name for name, count in lines.items() if count > MAX_LINES} <= set(LONGER_MODULES)


def imported(path: Path) -> set[str]:
    """Return the top-level names of all packages that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(each.name.split(".")[0] for each in node.names)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("folder", ["t2c_core/cypher", "t2c_core/guard"])
def test_parsing_and_guarding_import_only_the_standard_library(folder: str) -> None:
    for path in (PACKAGES / folder).rglob("*.py"):
        allowed = {"t2c_core", *sys.stdlib_module_names}
        if path.name == "policy.py":
            allowed.add("yaml")
        assert imported(path) <= allowed, path


def test_init_modules_have_no_logic() -> None:
    plain = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign, ast.If)
    for path in PACKAGES.rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert all(isinstance(node, plain) for node in body), path


def test_recipes_hold_yaml_only() -> None:
    recipes = PACKAGES.parent / "recipes"
    assert {each.suffix for each in recipes.rglob("*") if each.is_file()} == {".yaml"}
