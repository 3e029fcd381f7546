"""Nox sessions for tests, checks, demos and maintenance. ``nox -l`` lists them, and ``nox`` runs the default checks.

Arguments after ``--`` are passed to the program of a session: ``nox -s unit -- -k names``.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "typecheck", "unit", "property", "localstack-e2e"]

PROJECT = nox.project.load_toml("pyproject.toml")
TOOLS = "requirements-dev.txt"
# Requirements of the indexer, and of programs that run with the AWS credentials of a user.
SHIPPED = (
    *("lambda_code/requirements.txt", "inspector/requirements.txt"),
    *("requirements.txt", "requirements-operations.txt"),
)
BROWSER = "requirements-browser.txt"
CONTENT = "requirements-content.txt"
SLOWEST = "--durations=5"
# With worksteal, each process runs neighboring tests, which share fixtures. Idle processes take tests from busy ones.
PARALLEL = ("-n", "auto", "--dist", "worksteal")
# The default sessions omit the tests with the marker `slow`, which the session `slow` runs.
FAST = ("-m", "not slow")
# All tests of a file run in one process. tests/support/scheduling.py defines the order of the files.
BY_FILE = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
# Maps each schema of check-jsonschema to the files in .github that it validates.
SCHEMAS = {
    "github-workflows": "workflows/*.yml",
    "github-actions": "actions/*/action.yml",
    "dependabot": "dependabot.yml",
}


# Variables of Python that sessions inherit, because they change only its output, text encoding and bytecode cache.
INHERITED_PYTHON_VARIABLES = frozenset(
    {
        *("PYTHONUNBUFFERED", "PYTHON_COLORS", "PYTHONFAULTHANDLER", "PYTHONHASHSEED", "PYTHONPYCACHEPREFIX"),
        *("PYTHONUTF8", "PYTHONIOENCODING", "PYTHONCOERCECLOCALE", "PYTHONDONTWRITEBYTECODE"),
    }
)


def session(*, name: str | None = None, default: bool = True) -> Callable[[Callable[[nox.Session], None]], object]:
    """Return a decorator that registers a Nox session. All sessions of this file use it instead of ``nox.session``.

    The programs of the session do not receive the caller's variables that change which modules Python imports, or
    which warnings it reports, such as PYTHONPATH and PYTHONWARNINGS.

    Args:
        name: the name of the session, if it differs from the name of the function.
        default: whether ``nox`` without options runs the session.
    """

    def register(function: Callable[[nox.Session], None]) -> object:
        @functools.wraps(function)
        def run(session: nox.Session) -> None:
            for variable in os.environ:
                if variable.startswith("PYTHON") and variable not in INHERITED_PYTHON_VARIABLES:
                    session.env[variable] = None  # Nox removes the variable.
            function(session)

        return nox.session(name=name, default=default)(run)

    return register


def prepare(session: nox.Session, *requirements: str) -> None:
    """Install requirements files into the virtual environment of a session.

    Args:
        session: the Nox session.
        requirements: paths of the requirements files.
    """
    session.install("--quiet", *(option for file in requirements for option in ("-r", file)))
    # Container images often disable Python's bytecode cache. Then each process would compile Pulumi and boto3 again.
    session.env["PYTHONDONTWRITEBYTECODE"] = ""


@session()
def lint(session: nox.Session) -> None:
    """Run ruff (``-- --fix`` repairs some findings), and check .github with JSON schemas and zizmor."""
    # This session installs only the linters, in the versions of the development requirements.
    session.install("--quiet", "--constraint", TOOLS, *nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".", *session.posargs)
    session.run("ruff", "format", *(() if "--fix" in session.posargs else ("--check",)), ".")
    for schema, files in SCHEMAS.items():
        paths = sorted(str(path) for path in Path(".github").glob(files))
        session.run("check-jsonschema", f"--builtin-schema=vendor.{schema}", *paths)
    session.run("zizmor", "--quiet", "--offline", "--strict-collection", "--persona=auditor", ".github")


@session()
def typecheck(session: nox.Session) -> None:
    """Run mypy in strict mode, including the tests (a minute the first time, seconds later)."""
    prepare(session, TOOLS, BROWSER)
    session.run("mypy", *session.posargs)


@session()
def unit(session: nox.Session) -> None:
    """Run the unit tests: the Pulumi program with mocks, and the indexer with moto."""
    prepare(session, TOOLS)
    session.run("pytest", "tests/unit", *FAST, *PARALLEL, SLOWEST, *session.posargs)


@session(name="property")
def property_(session: nox.Session) -> None:
    """Run the property tests with Hypothesis (``-- --hypothesis-profile ci``: more examples)."""
    prepare(session, TOOLS)
    session.run("pytest", "tests/property", *FAST, *PARALLEL, SLOWEST, *session.posargs)


@session(name="localstack-e2e")
def localstack_e2e(session: nox.Session) -> None:
    """Run end-to-end tests of a stack in an AWS emulator (``-- --emulator KIND --engine ENGINE``).

    ``-- --engine pulumi [--install-pulumi]`` deploys with the Pulumi CLI. ``-- --engine existing --outputs FILE`` tests
    a stack that is already deployed; create the file with ``pulumi stack output --json > FILE``.
    """
    prepare(session, TOOLS)
    command = ("pytest", "tests/e2e", *FAST, *BY_FILE, SLOWEST)
    # After Ctrl-C, the tests need time to remove the stack and the emulator.
    session.run(*command, *session.posargs, interrupt_timeout=60.0, terminate_timeout=30.0)


@session(default=False)
def slow(session: nox.Session) -> None:
    """Run the tests with the marker `slow`, which the sessions unit, property and localstack-e2e omit."""
    prepare(session, TOOLS)
    command = ("pytest", "tests/unit", "tests/property", "tests/e2e", "-m", "slow", *BY_FILE, SLOWEST)
    session.run(*command, *session.posargs, interrupt_timeout=60.0, terminate_timeout=30.0)


@session(default=False)
def demo(session: nox.Session) -> None:
    """Upload files to an AWS emulator and show their rows (``-- FILES FOLDERS --keep --port --json``)."""
    prepare(session, TOOLS)
    try:
        # Standard output and standard error are separate, so that the output of `--json` is valid JSON. After Ctrl-C,
        # the demo needs time to stop the emulator.
        session.run("python", "-m", "localstack.showcase.demo", *session.posargs, stderr=None, interrupt_timeout=10.0)
    except CommandFailed as failed:
        sys.exit(failed.return_code)  # keeps the demo's exit code, because Nox would exit with 1


@session(name="upload-page", default=False)
def upload_page(session: nox.Session) -> None:
    """Serve the upload page of examples/upload with an AWS emulator (``-- --port N``)."""
    prepare(session, TOOLS)
    try:
        session.run(
            "python", "-m", "localstack.showcase.upload_page", *session.posargs, stderr=None, interrupt_timeout=10.0
        )
    except CommandFailed as failed:
        sys.exit(failed.return_code)


@session(default=False)
def browser(session: nox.Session) -> None:
    """Test the upload page in a browser with an emulator that enforces CORS (requires Chromium or Chrome)."""
    prepare(session, TOOLS, BROWSER)
    command = ("pytest", "tests/browser", SLOWEST)
    session.run(*command, *session.posargs, interrupt_timeout=60.0, terminate_timeout=30.0)


@session(default=False)
def content(session: nox.Session) -> None:
    """Test the inspector with files of real libraries, with installed files, and with other programs as judges."""
    prepare(session, CONTENT)
    session.run("pytest", "tests/content", *PARALLEL, SLOWEST, *session.posargs)


@session(default=False)
def coverage(session: nox.Session) -> None:
    """Measure the branch coverage of the unit and property tests."""
    prepare(session, TOOLS)
    session.run(
        "pytest", "tests/unit", "tests/property", *PARALLEL, "--cov", "--cov-report=term-missing", *session.posargs
    )


@session(default=False)
def bench(session: nox.Session) -> None:
    """Run the benchmarks (``-- NAMES --quick``; ``-- --write`` updates docs/benchmarks.md)."""
    prepare(session, TOOLS)
    session.run("python", "-m", "benchmarks", *session.posargs, interrupt_timeout=10.0)


@session(default=False)
def graph(session: nox.Session) -> None:
    """Update the diagram of resources and dependencies in docs/architecture.md."""
    prepare(session, TOOLS)
    session.run("python", "-m", "tools.graph")


@session(name="emulator-image", default=False)
def emulator_image(session: nox.Session) -> None:
    """Build the LocalStack image from package registries, if Docker Hub is not available (requires root, Linux)."""
    prepare(session, TOOLS)
    session.run("python", "-m", "localstack.image", *session.posargs)


@session(name="emulator-clean", default=False)
def emulator_clean(session: nox.Session) -> None:
    """Remove emulator containers of interrupted runs (``-- --all``: also containers in use)."""
    prepare(session, TOOLS)
    session.run("python", "-m", "localstack.emulators.docker_engine", *session.posargs)


def vulnerabilities() -> list[str]:
    """Return the pip-audit arguments that check the shipped requirements for known vulnerabilities."""
    # The requirements files contain all packages with hashes, so pip does not need to resolve or download them.
    check = ["pip_audit", "--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    return [*check, *(f"--requirement={file}" for file in SHIPPED)]


@session(default=False)
def audit(session: nox.Session) -> None:
    """Check shipped packages for known vulnerabilities, write an SBOM, and test the installation of the command.

    ``-- --offline`` omits the check for known vulnerabilities. Then the session needs only a package index. Other
    arguments go to pip-audit: ``-- --vulnerability-service osv`` queries OSV, ``-- --ignore-vuln ID`` accepts a
    vulnerability.
    """
    prepare(session, "requirements-audit.txt")
    session.run("pytest", "tests/audit")
    session.run("python", "-m", "tools.sbom", ".cache")
    if "--offline" in session.posargs:
        session.warn("Known vulnerabilities were NOT checked, because --offline allows no network access.")
        return
    session.run("python", "-m", *vulnerabilities(), *session.posargs)


@session(default=False)
def lock(session: nox.Session) -> None:
    """Resolve and pin the versions in all requirements files (``-- --upgrade``: to the newest versions)."""
    session.install("--quiet", *nox.project.dependency_groups(PROJECT, "lock"))
    resolve = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11", "--no-annotate"]
    resolve += ["--custom-compile-command=nox -s lock", *session.posargs]
    # Requirements of programs with AWS credentials have hashes, so that pip rejects packages that were not tested.
    deploy, operate = "requirements.txt", "requirements-operations.txt"
    session.run(*resolve, "--generate-hashes", "--group=deploy", f"--output-file={deploy}")
    # The argument "pyproject.toml" adds `project.dependencies`, the packages for the operators' command line.
    command = (*resolve, "pyproject.toml")
    session.run(*command, "--group=dev", f"--constraint={deploy}", f"--output-file={TOOLS}")
    session.run(*command, "--generate-hashes", f"--constraint={TOOLS}", f"--output-file={operate}")
    session.run(*command, "--group=audit", f"--constraint={TOOLS}", "--output-file=requirements-audit.txt")
    session.run(*command, "--group=content", f"--constraint={TOOLS}", f"--output-file={CONTENT}")
    session.run(*resolve, "--group=browser", f"--constraint={TOOLS}", f"--output-file={BROWSER}")
