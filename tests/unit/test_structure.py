"""Rules of the layout: which module may import which, and how large a module may be.

Each rule is data where that is possible, and is checked on the syntax trees of all Python files, so imports inside
functions and under `TYPE_CHECKING` count too. A failing test lists every violation.

The rules use `ast` instead of import-linter: import-linter knows an external library only by its top-level name, so it
cannot allow `botocore.exceptions` and refuse `botocore.session`, and the rules on the environment, on classes and on
lengths need the syntax trees anyway.
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

ROOT = Path(__file__).parents[2]
PATHS = [*ROOT.glob("*.py"), *(path for package in ROOT.glob("*/__init__.py") for path in package.parent.rglob("*.py"))]
FILES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in PATHS}
"""The file of each module, by the module's full name."""
ROOTS = tuple({name.split(".")[0] for name in FILES})

PRODUCT = ("tap_stack", "lambda_code", "operations")
INFRASTRUCTURE = ("tap_stack", "pulumi", "pulumi_aws")
AWS_LIBRARIES = ("boto3", "botocore")
TEST_LIBRARIES = ("pytest", "hypothesis", "moto", "ministack", "testcontainers", "playwright")
TEST_CODE = ("tests", "localstack", "benchmarks", "tools", "noxfile", *TEST_LIBRARIES)

FORBIDDEN = {
    "the product never imports test code": (PRODUCT, (*TEST_CODE, "examples")),
    "the indexer never imports the infrastructure": (("lambda_code",), (*INFRASTRUCTURE, "operations")),
    "operations never import the infrastructure": (("operations",), INFRASTRUCTURE),
    # Pulumi runs tap_stack.py without its folder on the path.
    "the program imports no other module": (("tap_stack",), tuple(set(ROOTS) - {"tap_stack"})),
    # An example shows what a user of a deployed stack writes.
    "an example needs only the command line": (("examples",), (*TEST_CODE, *INFRASTRUCTURE, "lambda_code")),
    "only tests import tests": (tuple(set(ROOTS) - {"tests"}), ("tests",)),
    "an emulator knows no deployer": (("localstack.emulators",), ("localstack.deployers", "localstack.showcase")),
    "a deployer knows no demo": (("localstack.deployers",), ("localstack.showcase", "examples")),
}
"""Name of the rule: importing packages, packages that they never import."""

ONLY_IMPORTERS = {
    "the indexer calls AWS in one module": ("lambda_code", AWS_LIBRARIES, {"storage", "retry"}),
    "the indexer traces in one module": ("lambda_code", ("aws_xray_sdk",), {"telemetry"}),
    "operations call AWS in one module": ("operations", AWS_LIBRARIES, {"aws"}),
    "an example calls AWS in one module": ("examples", AWS_LIBRARIES, {"upload.stack"}),
    "only comparisons use Powertools": (
        "",
        ("aws_lambda_powertools",),
        {"benchmarks.peers.powertools.handler", "tests.unit.lambda_code.test_logs"},
    ),
}
"""Name of the rule: package ("" is the repository), libraries, the only modules of the package that import them."""

# An event passes main → events → indexer → metadata → storage → telemetry. Imports follow this path downwards, but the
# values of `events` (a record) and of `metadata` (a row) are passed on, so the modules below import these two.
INDEXER_IMPORTS = {
    "main": {"indexer", "storage", "telemetry"},
    "indexer": {"events", "metadata", "storage", "telemetry"},
    "storage": {"metadata", "telemetry"},
    "metadata": {"events"},
    "events": set[str](),
    "telemetry": set[str](),
}
INDEXER_LEAVES = {"errors", "settings", "outcome", "retry", "logs", "metrics"}
"""Every module of the indexer may import these; they import only one another."""

# The parts of the indexer that operations reuse: none calls AWS or has state.
SHARED_WITH_OPERATIONS = ("lambda_code.errors", "lambda_code.events", "lambda_code.metadata", "lambda_code.retry")

SHORT = (*PRODUCT, "localstack", "tools")
"""The packages whose files have at most `MAX_LINES` lines."""
MAX_LINES = 340
SAME_NAMES = {"ConfigurationError"}  # public in the program and in the indexer, which cannot import each other
MAX_LINES_OF = {
    "tap_stack": 1_750,  # the infrastructure is one file, see docs/architecture.md
    "localstack.image.lambda_init": 370,  # copied into containers as one file, without its package
}


def is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def modules_of(*packages: str) -> list[str]:
    """Return the modules of these packages, each of which has some."""
    for package in packages:
        assert any(is_within(name, (package,)) for name in FILES), f"there is no module in {package}"
    return [name for name in FILES if is_within(name, packages)]


def report(violations: Iterable[str]) -> None:
    """Fail with a list of all violations, if there is any."""
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
    """Return the lines on which a module names `os.environ` or `os.getenv`."""
    lines = []
    for node in nodes(module):
        match node:
            case ast.Attribute(attr="environ" | "environb" | "getenv", lineno=line):
                lines.append(line)
            case ast.ImportFrom(module="os", names=names, lineno=line):
                lines += [line for alias in names if alias.name in {"environ", "environb", "getenv"}]
    return lines


@pytest.mark.parametrize(("importers", "forbidden"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_packages_import_nothing_that_is_forbidden(importers: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
    names = modules_of(*importers)
    report(f"{name} imports {each}" for name in names for each in imports(name) if is_within(each, forbidden))


@pytest.mark.parametrize(("package", "libraries", "importers"), ONLY_IMPORTERS.values(), ids=ONLY_IMPORTERS)
def test_a_library_has_only_its_named_importers(package: str, libraries: tuple[str, ...], importers: set[str]) -> None:
    users = {name for name in FILES if any(is_within(each, libraries) for each in imports(name))}
    assert {name.removeprefix(f"{package}.") for name in users if is_within(name, (package or name,))} == importers


def test_the_retry_module_uses_only_the_exceptions_of_botocore() -> None:
    assert {each for each in imports("lambda_code.retry") if is_within(each, AWS_LIBRARIES)} == {"botocore.exceptions"}


def test_operations_share_only_pure_modules_with_the_indexer() -> None:
    used = {each for name in modules_of("operations") for each in imports(name) if is_within(each, ("lambda_code",))}
    assert used <= set(SHARED_WITH_OPERATIONS)


def test_a_module_of_the_indexer_imports_only_modules_below_it() -> None:
    allowed = {**INDEXER_IMPORTS, **{name: set[str]() for name in INDEXER_LEAVES}}
    assert {name.removeprefix("lambda_code.") for name in modules_of("lambda_code")} == {"lambda_code", *allowed}
    report(
        f"{name} imports {each}"
        for name, lower in allowed.items()
        for each in imports(f"lambda_code.{name}")
        if is_within(each, ("lambda_code",)) and each.removeprefix("lambda_code.") not in lower | INDEXER_LEAVES
    )


def test_no_modules_import_one_another_in_a_cycle() -> None:
    graphlib.TopologicalSorter({name: imports(name) for name in FILES}).prepare()  # its CycleError shows the cycle


def test_tests_share_code_only_through_the_support_folder() -> None:
    """So the tiers unit, property, e2e, browser and audit never import one another either."""
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


def test_only_the_settings_module_reads_the_environment() -> None:
    """boto3 reads it for operations."""
    readers = [name for name in modules_of("lambda_code", "operations") if environment_uses(name)]
    assert readers == ["lambda_code.settings"]


def test_the_program_looks_at_the_environment_only_where_it_is_started() -> None:
    last = ast.parse(FILES["tap_stack"].read_text(encoding="utf-8")).body[-1]
    assert ast.unparse(last) == "if __name__ == '__main__':\n    main(os.environ)"
    assert [line for line in environment_uses("tap_stack") if line < last.lineno] == []


def test_importing_the_program_creates_nothing_and_asks_nothing() -> None:
    def refuse(*args: Any, **_: Any) -> NoReturn:
        message = f"at import: {args}"
        raise AssertionError(message)

    def program() -> None:
        runpy.run_path(str(FILES["tap_stack"]), run_name="an_import")

    with mock.patch("subprocess.run", refuse), mock.patch("pathlib.Path.mkdir", refuse):
        run = run_program(program, project="tapstack", stack="dev", config={}, new_resource=refuse, call=refuse)
    assert run.resources == ()
    assert run.outputs == {}


def test_no_file_is_too_long_to_read() -> None:
    lengths = {name: len(FILES[name].read_text(encoding="utf-8").splitlines()) for name in modules_of(*SHORT)}
    limits = {name: MAX_LINES_OF.get(name, MAX_LINES) for name in lengths}
    report(f"{name} has {lines} lines" for name, lines in lengths.items() if lines > limits[name])


def test_no_two_classes_of_the_product_have_the_same_name() -> None:
    found = classes(*PRODUCT)
    count = Counter(node.name for _, node in found)
    report(
        f"{node.name} is in {module}" for module, node in found if count[node.name] > 1 and node.name not in SAME_NAMES
    )


def test_no_protocol_of_the_product_has_a_single_implementation() -> None:
    """A Protocol without any implementation here describes a type of a library, such as a client of boto3."""

    def members(node: ast.ClassDef) -> set[str]:
        named = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AnnAssign))
        return {each.name if isinstance(each, ast.FunctionDef) else ast.unparse(each.target) for each in named}

    found = [node for _, node in classes(*PRODUCT)]
    protocols = [node for node in found if any("Protocol" in ast.unparse(base) for base in node.bases)]
    for protocol in protocols:
        implementations = [each.name for each in found if each not in protocols and members(each) >= members(protocol)]
        assert len(implementations) != 1, f"only {implementations[0]} implements the Protocol {protocol.name}"
