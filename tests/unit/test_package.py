"""Tests of the distributions that uv builds from pyproject.toml, and of the entry point of the command."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import operations.command
from tests.support.requirements import pins

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
PACKAGES = ("operations", "lambda_code", "lambda_common")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the names of the files in the wheel and in the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    # uv contains the build backend in the same version, so that this build installs no package.
    command = [sys.executable, "-m", "uv", "build", "--quiet", "--offline", "--no-config", "--out-dir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True)  # noqa: S603 - constant arguments
    [wheel], [source] = folder.glob("*.whl"), folder.glob("*.tar.gz")
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
