"""Who may import whom, and who may look at the environment."""

from __future__ import annotations

import ast
import functools
import runpy
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import pytest

import tap_stack
from localstack.deployers.monitor import run_program

ROOT = Path(tap_stack.__file__).parent
FUNCTION = sorted((ROOT / "lambda_code").glob("**/*.py"))
OPERATIONS = sorted((ROOT / "operations").glob("**/*.py"))
PRODUCT = [ROOT / "tap_stack.py", *FUNCTION, *OPERATIONS]

EXAMPLES = sorted((ROOT / "examples").glob("**/*.py"))

PROOF = {"tests", "localstack", "benchmarks", "pytest", "hypothesis", "moto", "ministack"}

# package -> the module of the function that may import it
KEEPERS = {
    "boto3": "storage.py",
    "botocore": "storage.py",
    "aws_lambda_powertools": "telemetry.py",
    "aws_xray_sdk": "telemetry.py",
}
# To tell one error from another is not to call AWS.
ALSO_ALLOWED = {("retry.py", "botocore.exceptions")}


# What an operator's tool may take of the function: what neither calls AWS nor makes anything.
SHARED = {"lambda_code.errors", "lambda_code.events", "lambda_code.metadata", "lambda_code.retry"}


def ids(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of a file's syntax tree."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported(path: Path) -> set[str]:
    """The modules that a file imports anywhere, inside functions and for typing too."""
    found = set()
    for node in nodes(path):
        match node:
            case ast.Import(names=names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module)
    return found


def packages(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    return {module.split(".")[0] for module in imported(path)}


def uses_environment(path: Path) -> bool:
    """Whether a file names os.environ or os.getenv in whatever way."""
    for node in nodes(path):
        match node:
            case ast.Attribute(attr="environ" | "getenv" | "environb"):
                return True
            case ast.ImportFrom(module="os", names=names) if {name.name for name in names} & {"environ", "getenv"}:
                return True
    return False


def test_the_function_has_modules_to_look_at() -> None:
    assert {path.name for path in FUNCTION} >= {"main.py", "settings.py", "storage.py", "telemetry.py"}


@pytest.mark.parametrize("path", PRODUCT, ids=ids)
def test_the_product_never_imports_the_proof(path: Path) -> None:
    assert packages(path) & PROOF == set()


@pytest.mark.parametrize("path", PRODUCT, ids=ids)
def test_the_product_never_imports_an_example(path: Path) -> None:
    assert "examples" not in packages(path)


@pytest.mark.parametrize("path", EXAMPLES, ids=ids)
def test_an_example_runs_without_the_proof_and_the_infrastructure(path: Path) -> None:
    assert packages(path) & {*PROOF, "tap_stack", "pulumi", "pulumi_aws", "lambda_code"} == set()


@pytest.mark.parametrize("path", EXAMPLES, ids=ids)
def test_an_example_calls_aws_in_one_module(path: Path) -> None:
    assert bool(packages(path) & {"boto3", "botocore"}) == (path.name == "stack.py")


@pytest.mark.parametrize("path", FUNCTION, ids=ids)
def test_the_function_never_imports_the_infrastructure(path: Path) -> None:
    assert packages(path) & {"tap_stack", "pulumi", "pulumi_aws"} == set()


def test_the_program_imports_no_sibling() -> None:
    """Pulumi runs the file without its folder on the path."""
    siblings = {path.stem for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages(ROOT / "tap_stack.py") & siblings == set()


@pytest.mark.parametrize("path", FUNCTION, ids=ids)
def test_aws_and_telemetry_each_stay_behind_one_module(path: Path) -> None:
    for module in imported(path):
        keeper = KEEPERS.get(module.split(".")[0], path.name)
        assert path.name == keeper or (path.name, module) in ALSO_ALLOWED, f"{module} belongs in {keeper}"


def test_the_tools_have_modules_to_look_at() -> None:
    assert {path.name for path in OPERATIONS} >= {"aws.py", "audit.py", "backfill.py", "redrive.py"}


@pytest.mark.parametrize("path", OPERATIONS, ids=ids)
def test_the_tools_call_aws_in_one_module_and_never_know_the_infrastructure(path: Path) -> None:
    assert packages(path) & {"tap_stack", "pulumi", "pulumi_aws"} == set()
    assert bool(packages(path) & {"boto3", "botocore"}) == (path.name == "aws.py")


@pytest.mark.parametrize("path", OPERATIONS, ids=ids)
def test_the_tools_share_only_pure_modules_with_the_function(path: Path) -> None:
    assert {module for module in imported(path) if module.startswith("lambda_code")} <= SHARED


@pytest.mark.parametrize("path", OPERATIONS, ids=ids)
def test_the_tools_leave_the_environment_to_boto3(path: Path) -> None:
    assert not uses_environment(path)


@pytest.mark.parametrize("path", FUNCTION, ids=ids)
def test_the_environment_is_read_in_one_place(path: Path) -> None:
    assert uses_environment(path) == (path.name == "settings.py")


def test_the_program_looks_at_the_environment_only_where_it_is_started() -> None:
    tree = ast.parse((ROOT / "tap_stack.py").read_text(encoding="utf-8"))
    last = tree.body[-1]
    assert ast.unparse(last) == "if __name__ == '__main__':\n    main(os.environ)"
    inside = {id(node) for node in ast.walk(last)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
            assert id(node) in inside, f"line {node.lineno}"


def test_importing_the_program_creates_nothing_and_asks_nothing() -> None:
    def refuse(*args: Any, **_: Any) -> NoReturn:
        message = f"at import: {args}"
        raise AssertionError(message)

    def program() -> None:
        runpy.run_path(str(ROOT / "tap_stack.py"), run_name="an_import")

    with mock.patch("subprocess.run", refuse), mock.patch("pathlib.Path.mkdir", refuse):
        run = run_program(
            program,
            project="tapstack",
            stack="dev",
            config={},
            new_resource=refuse,
            call=refuse,
        )
    assert run.resources == ()
    assert run.outputs == {}
