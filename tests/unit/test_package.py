"""Tests of the distributions that uv builds from pyproject.toml, and of the entry point of the command."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import operations.command
from tests.support.export_folder import write_export
from tests.support.generated_bucket import GeneratedBucket
from tests.support.requirements import pins

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
PACKAGES = ("operations", "lambda_code", "lambda_common")


UV = (sys.executable, "-m", "uv")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    # uv contains the build backend in the same version, so that this build installs no package.
    command = [*UV, "build", "--quiet", "--offline", "--no-config", "--out-dir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True)  # noqa: S603 - constant arguments
    return folder


@pytest.fixture(scope="module")
def distributions(built: Path) -> dict[str, set[str]]:
    """Return the names of the files in the wheel and in the source distribution."""
    [wheel], [source] = built.glob("*.whl"), built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    files = (name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/"))
    return {"wheel": set(files), "source": names}


def test_wheel_contains_only_the_command_line_and_the_modules_that_it_imports(
    distributions: dict[str, set[str]],
) -> None:
    expected = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    metadata = f"tapstack-{PROJECT['version']}.dist-info/"
    files = {name for name in distributions["wheel"] if not name.startswith(metadata)}
    analytics = ROOT / "operations" / "analytics"
    data = {path.relative_to(ROOT).as_posix() for path in (*analytics.rglob("*.sql"), *analytics.glob("*.j2"))}
    assert files == expected | data | {"lambda_code/requirements.txt"}
    assert len(data) > 1


@pytest.mark.slow
def test_installed_wheel_runs_the_named_queries_and_writes_the_html_report(built: Path, tmp_path: Path) -> None:
    [wheel] = built.glob("*.whl")
    site = tmp_path / "site"
    options = ("--quiet", "--offline", "--no-config", "--no-deps", "--python", sys.executable)
    subprocess.run([*UV, "pip", "install", *options, "--target", str(site), str(wheel)], check=True)  # noqa: S603  as above
    bucket = GeneratedBucket("uploads")
    bucket.upload("a.txt", size=5)
    export = write_export(tmp_path, bucket.items)

    page = tmp_path / "report.html"
    common = [f"--from-export={export}"]
    script = f"""
import sys
sys.path.insert(0, {str(site)!r})
from operations.command import main
assert main(["sql", "--name=totals", "--format=csv", *{common}]) == 0
assert main(["report", {f"--html={page}"!r}, *{common}]) == 0
print(sys.modules["operations"].__file__)
"""
    # Without PYTHONSAFEPATH, Python would first import modules from the current folder.
    environ = os.environ | {"TAPSTACK_CACHE": str(tmp_path / "cache"), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environ, check=True, capture_output=True, text=True)  # noqa: S603  as above
    lines = done.stdout.splitlines()
    assert lines[1].startswith("1,1,5,")
    assert lines[-2:] == [f"report: 1 row; wrote {page}", str(site / "operations" / "__init__.py")]
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_source_distribution_contains_no_tests(distributions: dict[str, set[str]]) -> None:
    folders = {name.partition("/")[0] for name in distributions["source"] if "/" in name}
    files = {name for name in distributions["source"] if "/" not in name}
    assert folders == set(PACKAGES)
    assert files - {"pyproject.toml.orig"} == {"PKG-INFO", "pyproject.toml", "README.md", "LICENSE"}


def test_entry_point_is_the_function_that_runs_the_command() -> None:
    module, _, function = PROJECT["scripts"]["tapstack"].partition(":")
    assert getattr(importlib.import_module(module), function) is operations.command.run


def test_dependencies_of_the_package_are_pinned_as_in_the_requirements_with_hashes() -> None:
    locked = pins(ROOT / "requirements-operations.txt")
    dependencies = dict(each.split("==") for each in PROJECT["dependencies"])
    assert dependencies
    assert dependencies == {name: version for name, version in locked.items() if name in dependencies}
    assert locked.items() <= pins(ROOT / "requirements-dev.txt").items()


def test_build_backend_has_an_upper_limit_and_is_contained_in_the_locked_uv() -> None:
    """A build with this version of uv installs no other version of the backend."""
    [backend], [uv] = PYPROJECT["build-system"]["requires"], PYPROJECT["dependency-groups"]["lock"]
    assert (Requirement(backend).name, "<" in backend) == ("uv_build", True)
    assert Requirement(backend).specifier.contains(uv.removeprefix("uv=="))
