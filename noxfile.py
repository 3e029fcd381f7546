"""How the project is checked, shown and maintained: ``nox -l`` lists the sessions, ``nox`` runs the checks.

Arguments after ``--`` go to the session's program: ``nox -s unit -- -k names``, ``nox -s demo -- ~/Documents``.
"""

from __future__ import annotations

import sys
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
# what runs on Lambda, and what runs with somebody's AWS credentials
SHIPPED = ("lambda_code/requirements.txt", "requirements.txt", "requirements-operations.txt")
BROWSER = "requirements-browser.txt"
SLOWEST = "--durations=5"
# neighbours share what they need, so each process begins with a half of its own and helps the other at the end
PARALLEL = ("-n", "auto", "--dist", "worksteal")
# schema -> the files that have to keep to it
SCHEMAS = {
    "github-workflows": "workflows/*.yml",
    "github-actions": "actions/*/action.yml",
    "dependabot": "dependabot.yml",
}


def prepare(session: nox.Session, *requirements: str) -> None:
    """Install pinned requirements, and nothing else, into the session's environment."""
    session.install("--quiet", *(option for file in requirements for option in ("-r", file)))
    # Images of Python often switch bytecode off; then every process would compile Pulumi and boto3 anew.
    session.env["PYTHONDONTWRITEBYTECODE"] = ""


@nox.session
def lint(session: nox.Session) -> None:
    """Style and common mistakes: ruff (``-- --fix`` mends what it can); what is in .github: schemas, zizmor."""
    # far less than all the tools, but in the very same versions
    session.install("--quiet", "--constraint", TOOLS, *nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".", *session.posargs)
    session.run("ruff", "format", *(() if "--fix" in session.posargs else ("--check",)), ".")
    for schema, files in SCHEMAS.items():
        paths = sorted(str(path) for path in Path(".github").glob(files))
        session.run("check-jsonschema", f"--builtin-schema=vendor.{schema}", *paths)
    session.run("zizmor", "--quiet", "--offline", "--strict-collection", "--persona=auditor", ".github")


@nox.session
def typecheck(session: nox.Session) -> None:
    """Types: mypy, strict, tests included (a minute the first time, seconds later)."""
    prepare(session, TOOLS, BROWSER)  # whose types are its own
    session.run("mypy", *session.posargs)


@nox.session
def unit(session: nox.Session) -> None:
    """Tier 1: every property of every resource under Pulumi's mocks, and the function's code against moto."""
    prepare(session, TOOLS)
    session.run("pytest", "tests/unit", *PARALLEL, SLOWEST, *session.posargs)


@nox.session(name="property")
def property_(session: nox.Session) -> None:
    """Tier 2: Hypothesis on retry, metadata, events and configuration (``-- --hypothesis-profile ci``: more)."""
    prepare(session, TOOLS)
    session.run("pytest", "tests/property", *PARALLEL, SLOWEST, *session.posargs)


@nox.session(name="localstack-e2e")
def localstack_e2e(session: nox.Session) -> None:
    """Tier 3: the stack deployed to an AWS emulator; uploads become rows (``-- --emulator KIND --engine ENGINE``).

    ``-- --engine pulumi [--install-pulumi]`` deploys with Pulumi's own engine. ``-- --engine existing --outputs FILE``
    is the smoke test of a stack that is already deployed, from ``pulumi stack output --json > FILE``.
    """
    prepare(session, TOOLS)
    # each file in one process, in the order of tests/support/scheduling.py
    command = ("pytest", "tests/e2e", "-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder", SLOWEST)
    # time, at Ctrl-C, to take the stack and the emulator away
    session.run(*command, *session.posargs, interrupt_timeout=60.0, terminate_timeout=30.0)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Upload files to an emulator and see their rows (``-- FILES FOLDERS --keep --port --json``)."""
    prepare(session, TOOLS)
    try:
        # standard error apart, so that `--json` is nothing but JSON; and time, at Ctrl-C, to stop the emulator
        session.run("python", "-m", "localstack.showcase.demo", *session.posargs, stderr=None, interrupt_timeout=10.0)
    except CommandFailed as failed:
        sys.exit(failed.return_code)  # 2 for a bad path, and so on: nox itself makes 1 of every failure


@nox.session(name="upload-page", default=False)
def upload_page(session: nox.Session) -> None:
    """Upload from a browser: the page of examples/upload, with an emulated AWS behind it (``-- --port N``)."""
    prepare(session, TOOLS)
    try:
        session.run(
            "python", "-m", "localstack.showcase.upload_page", *session.posargs, stderr=None, interrupt_timeout=10.0
        )
    except CommandFailed as failed:
        sys.exit(failed.return_code)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """The upload page in a real browser, against an emulator that enforces CORS (needs Chromium or Chrome)."""
    prepare(session, TOOLS, BROWSER)
    command = ("pytest", "tests/browser", SLOWEST)
    session.run(*command, *session.posargs, interrupt_timeout=60.0, terminate_timeout=30.0)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Branch coverage of the product by the unit and property tiers."""
    prepare(session, TOOLS)
    session.run(
        "pytest", "tests/unit", "tests/property", *PARALLEL, "--cov", "--cov-report=term-missing", *session.posargs
    )


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure side by side with what one would otherwise write (``-- NAMES --quick``; ``-- --write``: docs)."""
    prepare(session, TOOLS)
    session.run("python", "-m", "benchmarks", *session.posargs, interrupt_timeout=10.0)


@nox.session(default=False)
def graph(session: nox.Session) -> None:
    """Draw the resources that the program asks for, and what needs what, into docs/architecture.md."""
    prepare(session, TOOLS)
    session.run("python", "-m", "tools.graph")


@nox.session(name="emulator-image", default=False)
def emulator_image(session: nox.Session) -> None:
    """Build LocalStack's image from package registries alone, for places without Docker Hub (root, Linux)."""
    prepare(session, TOOLS)
    session.run("python", "-m", "localstack.image", *session.posargs)


@nox.session(name="emulator-clean", default=False)
def emulator_clean(session: nox.Session) -> None:
    """Remove the containers that interrupted runs left behind (``-- --all``: also what is in use)."""
    prepare(session, TOOLS)
    session.run("python", "-m", "localstack.emulators.docker_engine", *session.posargs)


def vulnerabilities() -> list[str]:
    """The module and its arguments that look for known vulnerabilities in what ships."""
    # the files are complete and hashed: nothing has to be resolved or downloaded
    check = ["pip_audit", "--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    return [*check, *(f"--requirement={file}" for file in SHIPPED)]


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Known vulnerabilities in what ships, and an SBOM of the function's archive (``-- --offline``: only the SBOM).

    Other arguments go to pip-audit: ``-- --vulnerability-service osv`` asks OSV, ``-- --ignore-vuln ID`` accepts one.
    """
    prepare(session, "requirements-audit.txt")
    session.run("pytest", "tests/audit")
    session.run("python", "-m", "tools.sbom", ".cache/sbom.cdx.json")
    if "--offline" in session.posargs:
        session.warn("NOT looked for known vulnerabilities: that takes the network, and --offline does without")
        return
    session.run("python", "-m", *vulnerabilities(), *session.posargs)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Resolve and pin every requirements file anew (``-- --upgrade``: to the newest versions)."""
    session.install("--quiet", *nox.project.dependency_groups(PROJECT, "lock"))
    resolve = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11", "--no-annotate"]
    resolve += ["--custom-compile-command=nox -s lock", *session.posargs]
    # what runs with somebody's credentials has hashes: pip refuses whatever differs from what was tested
    deploy, operate = "requirements.txt", "requirements-operations.txt"
    session.run(*resolve, "--generate-hashes", "--group=deploy", f"--output-file={deploy}")
    session.run(*resolve, "--group=dev", f"--constraint={deploy}", f"--output-file={TOOLS}")
    session.run(*resolve, "--generate-hashes", "--group=operate", f"--constraint={TOOLS}", f"--output-file={operate}")
    session.run(*resolve, "--group=audit", f"--constraint={TOOLS}", "--output-file=requirements-audit.txt")
    session.run(*resolve, "--group=browser", f"--constraint={TOOLS}", f"--output-file={BROWSER}")
