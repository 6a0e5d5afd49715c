"""The architecture as rules: who imports whom, and how large anything may get."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "jupyter_runtimed"
MODULES = sorted(PACKAGE.rglob("*.py"))

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 66
"""Functions should have 50; this is where the rule is not bent any further."""

FORBIDDEN_NAMES = frozenset({"utils", "helpers", "manager", "common", "misc"})


@cache
def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


def named(module: Path) -> str:
    return str(module.relative_to(ROOT))


def test_imports_point_where_the_architecture_says() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_modules_and_functions_stay_small() -> None:
    too_long = {}
    for module in MODULES:
        text = module.read_text()
        if text.count("\n") > MAX_FILE_LINES:
            too_long[named(module)] = text.count("\n")
        for function in functions(tree(module)):
            assert function.end_lineno is not None
            length = function.end_lineno - function.lineno + 1
            if length > MAX_FUNCTION_LINES:
                too_long[f"{named(module)}: {function.name}"] = length
    assert too_long == {}


def test_modules_are_named_for_what_they_are() -> None:
    assert not {module.stem for module in MODULES} & FORBIDDEN_NAMES


def test_modules_say_what_they_are_for() -> None:
    assert [named(module) for module in MODULES if not ast.get_docstring(tree(module))] == []


def test_what_catches_every_exception_says_why() -> None:
    silent = []
    for module in MODULES:
        lines = module.read_text().splitlines()
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name) and node.type.id == "Exception":
                said = "".join(lines[node.lineno - 1 : node.body[0].lineno])
                silent += [f"{named(module)}:{node.lineno}"] if "# " not in said else []
    assert silent == []


def test_adapters_catch_everything_in_one_place() -> None:
    catching = [
        module.name
        for module in sorted((PACKAGE / "adapters").glob("*.py"))
        for node in ast.walk(tree(module))
        if (isinstance(node, ast.ExceptHandler) and catches_everything(node.type))
        or (isinstance(node, ast.Call) and named_suppress(node) and any(map(catches_everything, node.args)))
    ]
    assert catching == ["foreign.py"]


def catches_everything(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"})


def named_suppress(node: ast.Call) -> bool:
    return ast.unparse(node.func).rpartition(".")[2] == "suppress"


def test_nothing_names_a_machine_it_was_written_on() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git checkout")
    needles = (str(ROOT), str(ROOT.parent / "shared"))
    found = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix not in (".ipynb", ".png", ".bin", ".wasm"):
            text = path.read_text(errors="replace")
            found += [f"{name}: {needle}" for needle in needles if needle in text]
    assert found == []


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
