"""The function's real archive, made from the packages of this environment: what is in it, and what a start imports."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import distribution, version
from typing import TYPE_CHECKING

import pytest

import tap_stack
from tap_stack import EMPTIED, EMPTIED_IN_PACKAGE, build_lambda_package
from tests.support.requirements import pins
from tests.unit.lambda_code.conftest import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = pins(tap_stack._ROOT / "lambda_code" / "requirements.txt")
MAX_BYTES = 600_000  # of 5.3 million that the packages have; a new version that brings more is worth a look
COSTLY = {"asyncio", "boto3", "typing_extensions", "unittest", "pydantic", "aws_xray_sdk.core.patcher"}
START = """
import json, sys
sys.path[:0] = sys.argv[1:]
import lambda_code.main
print(json.dumps({name: getattr(module, "__file__", None) for name, module in sys.modules.items()}))
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the program ships, but for pip: it would download the same."""

    def install(_: Path, target: Path) -> None:
        for package in SHIPPED:
            for file in distribution(package).files or ():
                if ".." not in file.parts and file.suffix != ".so":  # of this machine's wheel of wrapt
                    copy = target / file
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(str(file.locate()), copy)

    return build_lambda_package(tap_stack._ROOT, tmp_path_factory.mktemp("cache"), install=install)


@pytest.fixture(scope="module")
def started(archive: Path) -> dict[str, str | None]:
    """Module -> file, of all that a new process has imported when it is ready for its first event."""
    where = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    xray = {"AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000", "LAMBDA_TASK_ROOT": str(archive)}
    botocore = str(distribution("botocore").locate_file(""))
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-B", "-S", "-W", "ignore", "-c", START, str(archive), botocore],
        env=ENVIRONMENT | where | xray,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.count("\n") == 1, "a start logs nothing"
    modules: dict[str, str | None] = json.loads(done.stdout)
    return modules


def test_the_tests_run_with_what_is_shipped() -> None:
    assert {name: version(name) for name in SHIPPED} == SHIPPED


def test_a_start_imports_what_is_shipped_and_nothing_that_costs(archive: Path, started: dict[str, str | None]) -> None:
    assert {"lambda_code.main", "aws_xray_sdk.core.recorder", "aws_lambda_powertools.logging.formatter"} <= set(started)
    for name, file in started.items():
        if name.split(".")[0] in ("lambda_code", "aws_xray_sdk", "aws_lambda_powertools", "wrapt"):
            assert (file or "").startswith(str(archive)), name
    assert not COSTLY & set(started)


def test_the_archive_is_small_and_has_nothing_compiled(archive: Path) -> None:
    files = [path for path in archive.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    assert not [path for path in files if path.suffix in (".c", ".pyc", ".pyi")]


def test_most_of_what_is_shipped_is_used(archive: Path, started: dict[str, str | None]) -> None:
    """Whole packages that nothing needs would be noticed: of the bytes of Python, a start imports most."""
    shipped = sum(path.stat().st_size for path in archive.rglob("*.py"))
    imported = sum(path.stat().st_size for path in archive.rglob("*.py") if str(path) in started.values())
    assert imported >= 0.85 * shipped


@pytest.mark.parametrize("file", EMPTIED_IN_PACKAGE)
def test_what_imports_all_that_a_package_offers_is_emptied(archive: Path, file: str) -> None:
    assert (archive / file).read_text(encoding="utf-8") == EMPTIED
    compile(EMPTIED, file, "exec")


def test_licences_are_shipped(archive: Path) -> None:
    for package in SHIPPED:
        [folder] = archive.glob(f"{package.replace('-', '_')}-*.dist-info")
        assert [path for path in folder.rglob("*") if "LICENSE" in path.name], package
