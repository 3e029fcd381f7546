"""The function's archive: the same from the same, wherever and whenever it is built."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

import noxfile
import tap_stack
from tap_stack import PackagingError, build_lambda_package
from tests.support.requirements import pins, requirements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAIN = "def lambda_handler(event, context): ...\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "checkout")


def make_root(root: Path) -> Path:
    """A checkout with a function, its requirements, and what must not be shipped."""
    code = root / "lambda_code"
    (code / "__pycache__").mkdir(parents=True)
    (code / "__init__.py").write_text("")
    (code / "main.py").write_text(MAIN)
    (code / "requirements.txt").write_text("vendored==1.0 --hash=sha256:00\n")
    (code / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"differs from run to run")
    (root / "README.md").write_text("not for the function")
    return root


class Pip:
    """In the place of pip: writes what pip writes, with what differs from run to run, and counts."""

    def __init__(self, *, mode: int = 0o600) -> None:
        self.runs = 0
        self._mode = mode

    def __call__(self, requirements: Path, target: Path) -> None:
        assert requirements.name == "requirements.txt"
        self.runs += 1
        files = {
            "vendored/__init__.py": "VALUE = 1\n",
            "vendored/py.typed": "",
            "vendored/stubs.pyi": "VALUE: int\n",
            "vendored/fast.c": "int main;",
            "vendored/data/table.json": "{}",
            "vendored/__pycache__/__init__.cpython-313.pyc": f"made at {self.runs}",
            "vendored-1.0.dist-info/METADATA": "Name: vendored\n",
            "vendored-1.0.dist-info/RECORD": f"{target}",
            "vendored-1.0.dist-info/INSTALLER": "pip",
            "bin/vendored": f"#!{target}/python\n",
        }
        # the order in which files are made must not matter
        for name, content in sorted(files.items(), reverse=self.runs % 2 == 0):
            file = target / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
            file.chmod(self._mode)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every path below the folder -> (its mode, its content), folders included."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


def test_the_archive_holds_the_code_beside_what_it_requires(root: Path, tmp_path: Path) -> None:
    package = build_lambda_package(root, tmp_path / "cache", install=Pip())
    files = {name for name in contents(package) if (package / name).is_file()}
    assert files == {
        "lambda_code/__init__.py",
        "lambda_code/main.py",
        "vendored/__init__.py",
        "vendored/data/table.json",
        "vendored-1.0.dist-info/METADATA",
    }
    assert (package / "lambda_code" / "main.py").read_text() == MAIN


def test_two_builds_in_two_folders_are_the_same_to_the_last_bit(tmp_path: Path) -> None:
    """Otherwise a `pulumi up` from another machine would change the function."""
    built = []
    for name, umask, mode in (("one", 0o022, 0o600), ("another/place", 0o077, 0o777)):
        before = os.umask(umask)
        try:
            root = make_root(tmp_path / name / "checkout")
            built.append(build_lambda_package(root, tmp_path / name / "cache", install=Pip(mode=mode)))
        finally:
            os.umask(before)
    one, another = built
    assert contents(one) == contents(another)
    assert one.name == another.name


def test_modes_let_lambda_read_everything(root: Path, tmp_path: Path) -> None:
    """Lambda runs the code as another user than the one who made it."""
    package = build_lambda_package(root, tmp_path / "cache", install=Pip())
    for name, (mode, _) in contents(package).items():
        assert mode & 0o777 == (0o755 if (package / name).is_dir() else 0o644), name


def test_a_second_build_neither_calls_pip_nor_touches_the_first(root: Path, tmp_path: Path) -> None:
    pip = Pip()
    first = build_lambda_package(root, tmp_path / "cache", install=pip)
    before = first.stat().st_mtime_ns
    assert build_lambda_package(root, tmp_path / "cache", install=pip) == first
    assert first.stat().st_mtime_ns == before
    assert pip.runs == 1


def test_changed_code_is_another_archive_without_calling_pip_again(root: Path, tmp_path: Path) -> None:
    pip = Pip()
    first = build_lambda_package(root, tmp_path / "cache", install=pip)
    (root / "lambda_code" / "main.py").write_text(MAIN + "# changed\n")
    second = build_lambda_package(root, tmp_path / "cache", install=pip)
    assert second != first
    assert (second / "lambda_code" / "main.py").read_text().endswith("# changed\n")
    assert (first / "lambda_code" / "main.py").read_text() == MAIN
    assert pip.runs == 1


def test_a_new_module_and_a_removed_one_are_noticed(root: Path, tmp_path: Path) -> None:
    (root / "lambda_code" / "more.py").write_text("")
    first = build_lambda_package(root, tmp_path / "cache", install=Pip())
    assert (first / "lambda_code" / "more.py").exists()
    (root / "lambda_code" / "more.py").unlink()
    second = build_lambda_package(root, tmp_path / "cache", install=Pip())
    assert not (second / "lambda_code" / "more.py").exists()


def test_changed_requirements_are_installed_anew(root: Path, tmp_path: Path) -> None:
    pip = Pip()
    first = build_lambda_package(root, tmp_path / "cache", install=pip)
    (root / "lambda_code" / "requirements.txt").write_text("vendored==2.0 --hash=sha256:00\n")
    assert build_lambda_package(root, tmp_path / "cache", install=pip) != first
    assert pip.runs == 2


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("PIP_TARGET_OPTIONS", ("--no-deps",)),
        ("DROPPED_FROM_PACKAGE", ("bin",)),
        ("EMPTIED_IN_PACKAGE", ("vendored/__init__.py",)),
        ("EMPTIED", "# otherwise\n"),
    ],
)
def test_other_rules_make_another_archive(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str, value: object
) -> None:
    first = build_lambda_package(root, tmp_path / "cache", install=Pip())
    monkeypatch.setattr(tap_stack, rule, value)
    assert build_lambda_package(root, tmp_path / "cache", install=Pip()) != first


def test_a_failed_build_leaves_nothing_that_a_later_one_would_take(root: Path, tmp_path: Path) -> None:
    def half(_requirements: Path, target: Path) -> None:
        target.mkdir(parents=True)
        (target / "half.py").write_text("")
        message = "interrupted"
        raise PackagingError(message)

    cache = tmp_path / "cache"
    with pytest.raises(PackagingError, match="interrupted"):
        build_lambda_package(root, cache, install=half)
    assert contents(cache) == {}
    package = build_lambda_package(root, cache, install=Pip())
    assert not (package / "half.py").exists()


def test_whoever_comes_second_takes_what_another_process_built_meanwhile(root: Path, tmp_path: Path) -> None:
    cache, pip = tmp_path / "cache", Pip()

    def slow(requirements: Path, target: Path) -> None:
        build_lambda_package(root, cache, install=Pip())  # the other process
        pip(requirements, target)

    package = build_lambda_package(root, cache, install=slow)
    assert (package / "vendored" / "__init__.py").exists()
    assert not list(cache.glob(".building-*"))


@pytest.fixture
def pip_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """The commands that would have been run; each fails as pip does without a network."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        complaint = "ERROR: Could not find a version that satisfies the requirement vendored==1.0"
        return subprocess.CompletedProcess(command, returncode=1, stdout="", stderr=complaint)

    monkeypatch.setattr(subprocess, "run", run)
    yield calls
    assert calls, "pip was never called"


def test_a_cold_cache_without_a_network_is_an_error_that_says_what_helps(
    root: Path, tmp_path: Path, pip_calls: list[list[str]]
) -> None:
    with pytest.raises(PackagingError) as caught:
        build_lambda_package(root, tmp_path / "cache")
    message = str(caught.value)
    assert str(root / "lambda_code" / "requirements.txt") in message
    assert "Could not find a version" in message
    assert "network" in message
    assert "PIP_INDEX_URL" in message
    assert len(pip_calls) == 1


def test_pip_installs_wheels_of_pure_python_by_their_hashes_and_nothing_else(
    root: Path, tmp_path: Path, pip_calls: list[list[str]]
) -> None:
    with pytest.raises(PackagingError):
        build_lambda_package(root, tmp_path / "cache")
    (command,) = pip_calls
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
    } <= set(command)
    assert command[command.index("--requirement") + 1] == str(root / "lambda_code" / "requirements.txt")
    assert "--target" in command


@pytest.mark.parametrize("file", noxfile.SHIPPED)
def test_what_ships_is_pinned_with_hashes(file: str) -> None:
    """Pip then refuses what differs from what was tested, and demands a hash of every requirement."""
    found = requirements(tap_stack._ROOT / file)
    assert found
    for requirement in found:
        assert "==" in requirement.split()[0], requirement
        assert "--hash=sha256:" in requirement, requirement


def test_the_function_leaves_out_what_lambda_brings() -> None:
    """Otherwise the archive would carry tens of megabytes of botocore."""
    assert not pins(tap_stack._ROOT / "lambda_code" / "requirements.txt").keys() & {"boto3", "botocore", "s3transfer"}
