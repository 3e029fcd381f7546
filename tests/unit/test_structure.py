"""Tests of the code structure: allowed imports, environment variables, class names and file lengths.

The tests check the syntax trees of all Python files, including imports inside functions and under `TYPE_CHECKING`. A
failing test lists all violations.

The tests use `ast` instead of import-linter because import-linter supports only top-level names of external libraries:
it cannot allow `botocore.exceptions` and forbid `botocore.session`.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import runpy
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import pytest

from localstack.deployers.monitor import run_program
from tests.support.nonempty import nonempty

ROOT = Path(__file__).parents[2]
PATHS = [*ROOT.glob("*.py"), *(path for package in ROOT.glob("*/__init__.py") for path in package.parent.rglob("*.py"))]
FILES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in PATHS}
"""Maps full names of Python modules to their paths."""
ROOTS = tuple({name.split(".")[0] for name in FILES})

PRODUCT = ("tap_stack", "lambda_code", "lambda_common", "inspector", "operations")
FUNCTIONS = ("lambda_code", "lambda_common", "inspector")
INFRASTRUCTURE = ("tap_stack", "pulumi", "pulumi_aws")
AWS_LIBRARIES = ("boto3", "botocore")
TEST_LIBRARIES = ("pytest", "hypothesis", "moto", "ministack", "testcontainers", "playwright")
TEST_CODE = ("tests", "localstack", "benchmarks", "tools", "noxfile", *TEST_LIBRARIES)

FORBIDDEN = {
    "product imports no test code": (PRODUCT, (*TEST_CODE, "examples")),
    "functions import no infrastructure": (FUNCTIONS, (*INFRASTRUCTURE, "operations")),
    "common code imports no function": (("lambda_common",), ("lambda_code", "inspector")),
    "indexer does not import the inspector": (("lambda_code",), ("inspector",)),
    "inspector does not import the indexer": (("inspector",), ("lambda_code",)),
    "operations import no infrastructure": (("operations",), INFRASTRUCTURE),
    # Pulumi runs tap_stack.py without adding its folder to sys.path.
    "tap_stack imports no other module": (("tap_stack",), tuple(set(ROOTS) - {"tap_stack"})),
    # Examples must show code that a user of a deployed stack, or of the component, could write.
    "examples import only the product": (("examples",), (*TEST_CODE, *FUNCTIONS)),
    "upload page imports no infrastructure": (("examples.upload",), INFRASTRUCTURE),
    "component example imports only the component": (("examples.component",), ("operations", "examples.upload")),
    "only tests import tests": (tuple(set(ROOTS) - {"tests"}), ("tests",)),
    "emulators import no deployer": (("localstack.emulators",), ("localstack.deployers", "localstack.showcase")),
    "deployers import no demo": (("localstack.deployers",), ("localstack.showcase", "examples")),
}
"""Maps the name of a rule to (importing packages, packages that they must not import)."""

AWS_MODULES = ("athena", "buckets", "client", "errors", "exports", "listing", "settings", "tables")
"""Modules of `operations.aws`, the package with the AWS calls of the operators' tools."""

ONLY_IMPORTERS = {
    "indexer calls AWS in one module": ("lambda_code", AWS_LIBRARIES, {"storage"}),
    "inspector calls AWS in one module": ("inspector", AWS_LIBRARIES, {"storage"}),
    "common code creates clients in one module": ("lambda_common", AWS_LIBRARIES, {"clients", "retry", "responses"}),
    "indexer uses X-Ray in no module of its own": ("lambda_code", ("aws_xray_sdk",), set[str]()),
    "inspector uses X-Ray in no module of its own": ("inspector", ("aws_xray_sdk",), set[str]()),
    "common code uses X-Ray in one module": ("lambda_common", ("aws_xray_sdk",), {"tracing"}),
    "operations call AWS in one package": ("operations", AWS_LIBRARIES, {f"aws.{name}" for name in AWS_MODULES}),
    "examples call AWS in one module": ("examples", AWS_LIBRARIES, {"upload.stack"}),
    "only benchmark and one test use Powertools": (
        "",
        ("aws_lambda_powertools",),
        {"benchmarks.peers.powertools.handler", "tests.unit.lambda_code.test_logs"},
    ),
}
"""Maps the name of a rule to (package, libraries, importers). Only the importers may import the libraries.

The importers are modules of the package. The package "" contains all modules of the project.
"""

# Each module of the indexer may import only these modules and the modules of INDEXER_LEAVES, so imports have no cycles.
INDEXER_IMPORTS = {
    "main": {"indexer", "storage", "telemetry"},
    "indexer": {"events", "head_result", "metadata", "storage", "telemetry", "update"},
    "storage": {"head_result", "telemetry", "update"},
    "metadata": {"events", "head_result", "update"},
    "head_result": set[str](),
    "update": set[str](),
    "events": set[str](),
    "telemetry": set[str](),
}
# Modules of the inspector that run in the child process, with the data of untrusted files.
PARSERS = ("inspector.child", "inspector.content", "inspector.detection", "inspector.formats", "inspector.text")
INDEXER_LEAVES = {"errors", "settings", "outcome"}
"""Modules that all modules of the indexer may import. These modules import only one another."""

# Modules of the functions that operations may import, because they do not call AWS and have no state.
SHARED_WITH_OPERATIONS = {
    *(f"lambda_code.{name}" for name in ("errors", "events", "metadata", "update")),
    *(f"lambda_common.{name}" for name in ("attributes", "errors", "responses", "retry")),
}

SHORT = (*PRODUCT, "localstack", "tools")
"""Packages whose files have at most `MAX_LINES` lines."""
MAX_LINES = 340
# Class names that the Pulumi program and the indexer both define, because neither can import the other.
SAME_NAMES = {"ConfigurationError"}
MAX_LINES_OF = {
    "tap_stack": 2_600,  # the Pulumi program is a single file (docs/decisions.md)
    "localstack.image.lambda_init": 370,  # this module is copied into a container image without other modules
}


def is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def modules_of(*packages: str) -> list[str]:
    """Return the names of all modules in the packages. Fail if a package contains no module."""
    for package in packages:
        assert any(is_within(name, (package,)) for name in FILES), f"there is no module in {package}"
    return [name for name in FILES if is_within(name, packages)]


def report(violations: Iterable[str]) -> None:
    """Fail the test with a list of all violations, if there are any."""
    if found := sorted(violations):
        pytest.fail("\n".join(found), pytrace=False)


@functools.cache
def nodes(module: str) -> tuple[ast.AST, ...]:
    """Return all nodes of a module's syntax tree."""
    return tuple(ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))))


@functools.cache
def imports(module: str) -> frozenset[str]:
    """Return the full names of the modules that a module imports."""
    found = set()
    for node in nodes(module):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(source), names=names, level=0):
                submodules = {f"{source}.{alias.name}" for alias in names} & FILES.keys()
                found |= submodules if len(submodules) == len(names) else {source, *submodules}
            case ast.ImportFrom():
                pytest.fail(f"{module} has a relative import, which these rules do not follow")
    return frozenset(found)


def classes(*packages: str) -> list[tuple[str, ast.ClassDef]]:
    return [
        (module, node) for module in modules_of(*packages) for node in nodes(module) if isinstance(node, ast.ClassDef)
    ]


def environment_uses(module: str) -> list[int]:
    """Return the line numbers at which a module uses `os.environ` or `os.getenv`."""
    lines = []
    for node in nodes(module):
        match node:
            case ast.Attribute(attr="environ" | "environb" | "getenv", lineno=line):
                lines.append(line)
            case ast.ImportFrom(module="os", names=names, lineno=line):
                lines += [line for alias in names if alias.name in {"environ", "environb", "getenv"}]
    return lines


@pytest.mark.parametrize(("importers", "forbidden"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_packages_do_not_import_forbidden_packages(importers: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
    names = modules_of(*importers)
    report(f"{name} imports {each}" for name in names for each in imports(name) if is_within(each, forbidden))


@pytest.mark.parametrize(("package", "libraries", "importers"), ONLY_IMPORTERS.values(), ids=ONLY_IMPORTERS)
def test_only_the_listed_modules_import_a_restricted_library(
    package: str, libraries: tuple[str, ...], importers: set[str]
) -> None:
    users = {name for name in FILES if any(is_within(each, libraries) for each in imports(name))}
    assert {name.removeprefix(f"{package}.") for name in users if is_within(name, (package or name,))} == importers


@pytest.mark.parametrize(
    ("module", "allowed"),
    [("retry", {"botocore.exceptions"}), ("responses", {"botocore.exceptions", "botocore.parsers"})],
)
def test_retry_and_responses_modules_import_only_exceptions_from_botocore(module: str, allowed: set[str]) -> None:
    assert {each for each in imports(f"lambda_common.{module}") if is_within(each, AWS_LIBRARIES)} == allowed


def test_operations_import_only_pure_modules_of_the_functions() -> None:
    used = {each for name in modules_of("operations") for each in imports(name) if is_within(each, FUNCTIONS)}
    assert used <= SHARED_WITH_OPERATIONS


def test_indexer_modules_import_only_allowed_indexer_modules() -> None:
    allowed = {**INDEXER_IMPORTS, **{name: set[str]() for name in INDEXER_LEAVES}}
    assert {name.removeprefix("lambda_code.") for name in modules_of("lambda_code")} == {"lambda_code", *allowed}
    report(
        f"{name} imports {each}"
        for name, lower in allowed.items()
        for each in imports(f"lambda_code.{name}")
        if is_within(each, ("lambda_code",)) and each.removeprefix("lambda_code.") not in lower | INDEXER_LEAVES
    )


def test_parsers_import_no_module_that_calls_aws_or_writes_logs() -> None:
    """The parsers run in the child process. The parent process imports no parser, so it cannot run one by mistake."""
    parsers = set(modules_of(*PARSERS))
    above = ("lambda_common", "inspector.inspector", "inspector.storage", "inspector.telemetry", "inspector.settings")
    report(f"{name} imports {each}" for name in parsers for each in imports(name) if is_within(each, above))
    parents = {*modules_of("inspector")} - parsers
    report(f"{name} imports {each}" for name in parents for each in imports(name) & parsers)


def test_module_imports_contain_no_cycle() -> None:
    # The method prepare raises a CycleError if the imports contain a cycle.
    graphlib.TopologicalSorter({name: imports(name) for name in FILES}).prepare()


def test_shared_test_code_is_imported_only_from_the_support_folder() -> None:
    """Tests import only tests/support and their own folder. Therefore the test tiers never import one another."""
    found = []
    for name in modules_of("tests"):
        folder = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
        found += [
            f"{name} imports {each}"
            for each in imports(name)
            if is_within(each, ("tests",))
            and not is_within(each, ("tests.support",))
            and each.rpartition(".")[0] != folder
        ]
    report(found)


def test_only_the_settings_modules_read_environment_variables() -> None:
    """There are two exceptions: boto3 reads the AWS variables, and `operations.tools.rows` reads the cache folder."""
    readers = {name for name in modules_of(*FUNCTIONS, "operations") if environment_uses(name)}
    functions = {"lambda_code.settings", "inspector.settings", "lambda_common.settings"}
    assert readers == functions | {"operations.tools.rows"}


def test_tap_stack_reads_environment_variables_only_in_its_main_block_and_to_run_pip() -> None:
    """The function `pip_install` passes the variables to pip, because they contain the proxy and the certificates."""
    *body, last = ast.parse(FILES["tap_stack"].read_text(encoding="utf-8")).body
    assert ast.unparse(last) == "if __name__ == '__main__':\n    main(os.environ)"
    [line] = [line for line in environment_uses("tap_stack") if line < last.lineno]
    [function] = [each for each in body if each.lineno <= line <= (each.end_lineno or 0)]
    assert isinstance(function, ast.FunctionDef)
    assert function.name == "pip_install"


def test_import_of_tap_stack_has_no_side_effects() -> None:
    def refuse(*args: Any, **_: Any) -> NoReturn:
        message = f"called at import: {args}"
        raise AssertionError(message)

    def program() -> None:
        runpy.run_path(str(FILES["tap_stack"]), run_name="an_import")

    with mock.patch("subprocess.run", refuse), mock.patch("pathlib.Path.mkdir", refuse):
        run = run_program(program, project="tapstack", stack="dev", config={}, new_resource=refuse, call=refuse)
    assert run.resources == ()
    assert run.outputs == {}


def test_source_files_do_not_exceed_the_length_limit() -> None:
    lengths = {name: len(FILES[name].read_text(encoding="utf-8").splitlines()) for name in modules_of(*SHORT)}
    limits = {name: MAX_LINES_OF.get(name, MAX_LINES) for name in lengths}
    report(f"{name} has {lines} lines" for name, lines in lengths.items() if lines > limits[name])


def test_class_names_of_shipped_code_are_unique() -> None:
    found = classes(*PRODUCT)
    count = Counter(node.name for _, node in found)
    report(
        f"{node.name} is in {module}" for module, node in found if count[node.name] > 1 and node.name not in SAME_NAMES
    )


def test_shipped_code_has_no_protocol_with_a_single_implementation() -> None:
    """A Protocol that no shipped class implements is allowed, because it describes a class of a library."""

    def members(node: ast.ClassDef) -> set[str]:
        named = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AnnAssign))
        return {each.name if isinstance(each, ast.FunctionDef) else ast.unparse(each.target) for each in named}

    found = [node for _, node in classes(*PRODUCT)]
    protocols = [node for node in found if any("Protocol" in ast.unparse(base) for base in node.bases)]
    for protocol in nonempty(protocols):
        implementations = [each.name for each in found if each not in protocols and members(each) >= members(protocol)]
        assert len(implementations) != 1, f"only {implementations[0]} implements the Protocol {protocol.name}"
