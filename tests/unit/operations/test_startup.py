"""Tests of the start of commands with an old version of Python, or without the necessary packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from operations.command import main
from operations.startup import start

ROOT = Path(__file__).parents[3]
FIRST_IMPORTED = (
    *("operations/__init__.py", "operations/__main__.py", "operations/startup.py"),
    *("examples/__init__.py", "examples/upload/__init__.py", "examples/upload/__main__.py"),
)
"""Files that Python imports before the function `start` checks the version of Python."""


@pytest.mark.parametrize("file", FIRST_IMPORTED)
def test_modules_that_check_the_python_version_are_valid_in_every_python_3(file: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"), feature_version=(3, 4))
    newer = (ast.JoinedStr, ast.AnnAssign)
    assert [ast.unparse(each) for each in ast.walk(tree) if isinstance(each, newer)] == []
    modules = [each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    assert "__future__" not in modules  # Python 3.6 does not support `from __future__ import annotations`.
    assert set(modules) <= {"operations.startup", "typing"}


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 10, 13)])
def test_start_with_an_old_version_of_python_prints_one_line_and_exits_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], version: tuple[int, ...]
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit) as ended:
        start("operations", "no.such.module", packages="requirements.txt")
    assert ended.value.code == 2
    text = ".".join(map(str, version))
    assert capsys.readouterr().err == f"operations: Python 3.11 or later is required, and this is Python {text}\n"


@pytest.mark.parametrize(
    ("module", "code", "line"),
    [
        pytest.param(
            "import no_such_package.module",
            2,
            "the package no_such_package is not installed: run pip install -r requirements.txt",
            id="missing package",
        ),
        pytest.param("raise KeyboardInterrupt", 130, "interrupted", id="interruption"),
    ],
)
def test_start_that_fails_during_the_imports_prints_one_line_and_exits(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    module: str,
    code: int,
    line: str,
) -> None:
    (tmp_path / "some_command.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as ended:
        start("operations", "some_command", packages="requirements.txt")
    assert ended.value.code == code
    assert capsys.readouterr().err == f"operations: {line}\n"


def test_start_raises_the_import_error_of_a_missing_module_of_the_project() -> None:
    with pytest.raises(ModuleNotFoundError):
        start("operations", "operations.no_such_module", packages="requirements.txt")


def test_start_calls_the_function_run_of_the_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "another_command.py").write_text("calls = []\ndef run(): calls.append(1)")
    monkeypatch.syspath_prepend(tmp_path)
    start("operations", "another_command", packages="requirements.txt")
    module: Any = sys.modules["another_command"]
    assert module.calls == [1]


def test_only_the_tools_that_read_rows_import_duckdb_and_the_packages_of_the_html_report() -> None:
    script = """
import sys
from operations.command import main
for arguments in (["--help"], ["audit", "--stack-outputs=/nowhere"], ["sql", "SELECT 1", "--from-export=/nowhere"]):
    try:
        main(arguments)
    except SystemExit:
        pass
    print(*sorted({"duckdb", "jinja2", "leather"} & {*sys.modules}), sep=",", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  The test controls the command.
    assert [line for line in done.stderr.splitlines() if ": " not in line] == ["", "", "duckdb"]


def test_tool_without_its_package_is_an_error_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = ModuleNotFoundError("No module named 'duckdb.typing'", name="duckdb.typing")
    monkeypatch.setattr("operations.tools.rows.create", mock.Mock(side_effect=missing))
    assert main(["sql", "SELECT 1", "--from-export=/nowhere"], cache=tmp_path) == 2
    error = "the package duckdb is not installed: run pip install -r requirements-operations.txt"
    assert capsys.readouterr().err == f"sql: {error}\n"
