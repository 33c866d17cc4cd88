"""What tests share lies in `helpers`: no test module, and no conftest, is imported by another one."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]
OF_TESTS = {path.stem for path in TESTS.rglob("*.py") if path.stem.startswith("test_")} | {"conftest", "tests"}


def imported(path: Path) -> set[str]:
    """Every part of every module name that a file imports, late imports too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(part for alias in node.names for part in alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports relatively"
            names.update((node.module or "").split("."))
    return names


def test_no_test_module_imports_another_one() -> None:
    found = {str(path.relative_to(TESTS)): sorted(imported(path) & OF_TESTS) for path in TESTS.rglob("*.py")}
    assert {name: modules for name, modules in found.items() if modules} == {}
