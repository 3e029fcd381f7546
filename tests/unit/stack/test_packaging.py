"""Tests of the reproducible build of the indexer's deployment package, with a fake pip."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

import noxfile
import tap_stack
from tap_stack import PackagingError, build_lambda_archive, build_lambda_package
from tests.support.requirements import pins, requirements

MAIN = "def lambda_handler(event, context): ...\n"


FILES = {
    "vendored/__init__.py": "VALUE = 1\n",
    "vendored/py.typed": "",
    "vendored/stubs.pyi": "VALUE: int\n",
    "vendored/fast.c": "int main;",
    "vendored/data/table.json": "{}",
    "vendored/bin/RECORD": "not pip's",
    "vendored-1.0.dist-info/METADATA": "Name: vendored\n",
}


def make_root(root: Path) -> Path:
    """Create a project folder with Lambda code, its requirements, and files that must not be packaged."""
    code = root / "lambda_code"
    (code / "__pycache__").mkdir(parents=True)
    (code / "__init__.py").write_text("")
    (code / "main.py").write_text(MAIN)
    (code / "requirements.txt").write_text("vendored==1.0 --hash=sha256:00\n")
    (code / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"differs from run to run")
    (root / "README.md").write_text("not for the package")
    return root


class Pip:
    """Fake pip that writes the same kinds of files as pip, including files that differ between runs."""

    def __init__(self, *, mode: int = 0o600) -> None:
        self.runs = 0
        self._mode = mode

    def __call__(self, requirements: Path, target: Path) -> None:
        assert requirements.name == "requirements.txt"
        self.runs += 1
        files = FILES | {
            "vendored/__pycache__/__init__.cpython-313.pyc": f"made at {self.runs}",
            "bin/vendored": f"#!{target}/python\n",
            **{f"vendored-1.0.dist-info/{name}": f"{target}" for name in ("RECORD", "INSTALLER", "REQUESTED")},
            "vendored-1.0.dist-info/direct_url.json": f"{target}",
        }
        # The package must not depend on the order in which pip creates files.
        for name, content in sorted(files.items(), reverse=self.runs % 2 == 0):
            file = target / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
            file.chmod(self._mode)


class Checkout:
    """Project folder with a build cache and a fake pip."""

    def __init__(self, folder: Path, **pip: int) -> None:
        self.root, self.cache, self.pip = make_root(folder / "checkout"), folder / "cache", Pip(**pip)
        self.code = self.root / "lambda_code"

    def build(self) -> Path:
        return build_lambda_package(self.root, self.cache, install=self.pip)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return (mode, content) of each file and folder below a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


def test_deployment_package_contains_the_code_and_its_requirements(checkout: Checkout) -> None:
    package = checkout.build()
    files = {name: content.decode() for name, (_, content) in contents(package).items() if (package / name).is_file()}
    assert files == FILES | {"lambda_code/__init__.py": "", "lambda_code/main.py": MAIN}


def test_deployment_packages_built_in_different_folders_are_identical(tmp_path: Path) -> None:
    """If the package depended on its build folder, `pulumi up` on another computer would update the Lambda function."""
    built = []
    for name, umask, mode in (("one", 0o022, 0o600), ("another/place", 0o077, 0o777)):
        before = os.umask(umask)
        try:
            built.append(Checkout(tmp_path / name, mode=mode).build())
        finally:
            os.umask(before)
    one, another = built
    assert contents(one) == contents(another)
    assert one.name == another.name
    # Lambda runs the code as a user who does not own the files, so all users need read permission.
    for name, (mode, _) in contents(one).items():
        assert mode & 0o777 == (0o755 if (one / name).is_dir() else 0o644), name


def test_second_package_build_reuses_the_first_without_running_pip(checkout: Checkout) -> None:
    first = checkout.build()
    before = first.stat().st_mtime_ns
    assert checkout.build() == first
    assert first.stat().st_mtime_ns == before
    assert checkout.pip.runs == 1


@pytest.mark.parametrize(
    ("file", "content", "pip_runs"),
    [
        pytest.param("main.py", MAIN + "# changed\n", 1, id="changed code"),
        pytest.param("more.py", "", 1, id="new module"),
        pytest.param("requirements.txt", "vendored==2.0 --hash=sha256:00\n", 2, id="changed requirements"),
    ],
)
def test_changed_code_or_requirements_create_a_new_deployment_package(
    checkout: Checkout, file: str, content: str, pip_runs: int
) -> None:
    first = checkout.build()
    before = contents(first)
    (checkout.code / file).write_text(content)
    second = checkout.build()
    assert second != first
    assert checkout.pip.runs == pip_runs
    assert contents(first) == before
    if file != "requirements.txt":
        assert (second / "lambda_code" / file).read_text() == content
        (checkout.code / file).unlink()
        assert not (checkout.build() / "lambda_code" / file).exists()


@pytest.mark.parametrize(
    ("rule", "value"), [("PIP_TARGET_OPTIONS", ("--no-deps",)), ("DROPPED_FROM_PACKAGE", ("bin",))]
)
def test_changed_packaging_rules_create_a_new_deployment_package(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, rule: str, value: object
) -> None:
    first = checkout.build()
    monkeypatch.setattr(tap_stack, rule, value)
    assert checkout.build() != first


def test_failed_package_build_leaves_no_files_in_the_cache(checkout: Checkout) -> None:
    def interrupted(_requirements: Path, target: Path) -> None:
        target.mkdir(parents=True)
        (target / "half.py").write_text("")
        raise PackagingError("interrupted")

    with pytest.raises(PackagingError, match="interrupted"):
        build_lambda_package(checkout.root, checkout.cache, install=interrupted)
    assert contents(checkout.cache) == {}
    assert not (checkout.build() / "half.py").exists()


def test_concurrent_package_builds_reuse_the_first_result(checkout: Checkout) -> None:
    def slow(requirements: Path, target: Path) -> None:
        checkout.build()  # simulates a build by another process at the same time
        Pip()(requirements, target)

    package = build_lambda_package(checkout.root, checkout.cache, install=slow)
    assert (package / "vendored" / "__init__.py").exists()
    assert not list(checkout.cache.glob(".building-*"))


@pytest.fixture
def failure(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """Return the error message and the pip command of a package build that fails without network access."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        stderr = "ERROR: Could not find a version that satisfies the requirement vendored==1.0"
        return subprocess.CompletedProcess(command, returncode=1, stdout="", stderr=stderr)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(PackagingError) as caught:
        build_lambda_package(checkout.root, checkout.cache)
    [command] = calls
    return str(caught.value), command


def test_package_build_without_network_reports_cause_and_remedy(
    checkout: Checkout, failure: tuple[str, list[str]]
) -> None:
    message, _ = failure
    for part in (str(checkout.code / "requirements.txt"), "Could not find a version", "network", "PIP_INDEX_URL"):
        assert part in message


def test_package_build_installs_only_hashed_pure_python_wheels(
    checkout: Checkout, failure: tuple[str, list[str]]
) -> None:
    _, command = failure
    assert command[1:4] == ["-m", "pip", "install"]
    assert {
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--no-compile",
        "--platform=any",
        "--abi=none",
        "--implementation=py",
        "--python-version=3.13",
        "--target",
    } <= set(command)
    assert command[command.index("--requirement") + 1] == str(checkout.code / "requirements.txt")


@pytest.mark.parametrize("file", noxfile.SHIPPED)
def test_shipped_requirements_are_pinned_with_hashes(file: str) -> None:
    """With hashes, pip rejects files that differ from the tested ones, and requirements without a hash."""
    found = requirements(tap_stack._ROOT / file)
    assert found
    for requirement in found:
        assert "==" in requirement.split()[0], requirement
        assert "--hash=sha256:" in requirement, requirement


def test_indexer_requirements_exclude_packages_of_the_lambda_runtime() -> None:
    """The Lambda runtime already contains botocore, and a copy would add tens of megabytes to the package."""
    assert not pins(tap_stack._ROOT / "lambda_code" / "requirements.txt").keys() & {"boto3", "botocore", "s3transfer"}


def test_archive_contains_the_package_and_its_hash_is_that_of_lambda(
    checkout: Checkout,
) -> None:
    package = checkout.build()
    path, code_sha256 = build_lambda_archive(checkout.root, checkout.cache)
    assert path.suffix == ".zip"  # without this suffix, Pulumi would pack the file again, and its hash would differ
    assert code_sha256 == base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
    with zipfile.ZipFile(path) as archive:
        files = {name: content for name, (_, content) in contents(package).items() if (package / name).is_file()}
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}
        # Neither the operating system nor the version of a compression library may change the bytes.
        assert {(entry.create_system, entry.compress_type) for entry in archive.infolist()} == {(3, zipfile.ZIP_STORED)}


def test_archive_has_the_same_bytes_for_every_folder_and_run(tmp_path: Path) -> None:
    archives = []
    for name, mode in (("one", 0o600), ("another", 0o755)):
        checkout = Checkout(tmp_path / name, mode=mode)
        checkout.build()
        archives.append(build_lambda_archive(checkout.root, checkout.cache))
        archives.append(build_lambda_archive(checkout.root, checkout.cache))
    assert len({path.read_bytes() for path, _ in archives}) == 1
    assert len({code_sha256 for _, code_sha256 in archives}) == 1


def test_archive_hash_changes_with_the_code(checkout: Checkout) -> None:
    checkout.build()
    _, before = build_lambda_archive(checkout.root, checkout.cache)
    (checkout.code / "main.py").write_text(MAIN + "# changed\n")
    _, after = build_lambda_archive(checkout.root, checkout.cache)
    assert after != before
