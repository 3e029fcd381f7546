"""Tests of the settings with which pip installs the indexer's packages, with the real pip and a local package."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tap_stack import PackagingError, build_lambda_package, pip_environment, pip_install

pytestmark = pytest.mark.slow

# Settings of pip that change which packages pip installs, or the target folder, or that prevent the installation.
OVERRIDDEN = {
    "user": "true",
    "target": "{folder}/elsewhere",
    "prefix": "{folder}/elsewhere",
    "root": "{folder}/elsewhere",
    "src": "{folder}/elsewhere",
    "constraint": "{folder}/constraint.txt",
    "requirement": "{folder}/constraint.txt",
    "editable": "{folder}",
    "dry-run": "true",
    "no-binary": ":all:",
    "only-binary": ":none:",
    "no-require-hashes": "true",
    "platform": "win_amd64",
    "python-version": "2.7",
    "abi": "cp27m",
    "implementation": "pp",
    "compile": "true",
    "uploaded-prior-to": "2000-01-01",
    "python": "{folder}/no-such-python",
    "require-virtualenv": "true",
    "isolated": "true",
    "global": "true",
    "site": "true",
    "quiet": "3",
}
KEPT = {
    "index-url": "https://user:p%40ss@mirror.example.com/simple?a='b'",
    "extra-index-url": "https://one.example.com https://two.example.com",
    "no-index": "true",
    "find-links": "/one\n/two",
    "trusted-host": "mirror.example.com",
    "keyring-provider": "subprocess",
    "proxy": "http://proxy.example.com:3128",
    "cert": "/certificates/ca.pem",
    "client-cert": "/certificates/client.pem",
    "use-feature": "truststore",
    "timeout": "180",
    "retries": "9",
    "cache-dir": "/cache",
}
PLACES = ("variables", "user", "global", "PIP_CONFIG_FILE")
"""Sources of pip's settings: environment variables, and three configuration files."""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Fixture: environment without settings of pip. Folders of its configuration files are in the temporary folder."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "global"))
    # A virtual environment can contain a configuration file of pip, which would affect these tests.
    assert not (Path(sys.prefix) / "pip.conf").exists()
    return monkeypatch


def variable(option: str) -> str:
    return f"PIP_{option.upper().replace('-', '_')}"


def configure(place: str, settings: dict[str, str], folder: Path, shell: pytest.MonkeyPatch) -> None:
    """Set options of pip in environment variables, or in a configuration file."""
    values = {name: value.format(folder=folder) for name, value in settings.items()}
    if place == "variables":
        for name, value in values.items():
            shell.setenv(variable(name), value)
        return
    file = folder / "named.conf" if place == "PIP_CONFIG_FILE" else folder / place / "pip" / "pip.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{name} = {value.replace(chr(10), chr(10) + '  ')}\n" for name, value in values.items())
    file.write_text(f"[global]\n{lines}[install]\n{lines}", encoding="utf-8")
    if place == "PIP_CONFIG_FILE":
        shell.setenv("PIP_CONFIG_FILE", str(file))


def checkout(folder: Path) -> Path:
    """Create a project folder whose Lambda code requires the distribution `tiny`, and a folder with its wheel."""
    wheels, code = folder / "wheels", folder / "lambda_code"
    wheels.mkdir()
    code.mkdir()
    (folder / "lambda_common").mkdir()
    wheel = wheels / "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info"
    files = {
        "tiny.py": "VALUE = 1\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD")))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (code / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
    (code / "main.py").write_text("", encoding="utf-8")
    (folder / "constraint.txt").write_text("tiny==2.0\n", encoding="utf-8")
    return folder


def test_pip_settings_of_the_caller_do_not_change_the_installed_packages(
    tmp_path: Path, shell: pytest.MonkeyPatch
) -> None:
    root = checkout(tmp_path)
    shell.setenv("PYTHONWARNINGS", "error")
    for place in PLACES:
        configure(place, {**OVERRIDDEN, "no-index": "true", "find-links": "{folder}/wheels"}, tmp_path, shell)
    package = build_lambda_package(root, tmp_path / "cache")
    assert {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()} == {
        *("lambda_code/main.py", "tiny.py", "tiny-1.0.dist-info/METADATA", "tiny-1.0.dist-info/WHEEL")
    }
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("place", PLACES)
def test_pip_settings_for_index_proxy_certificates_and_time_outs_are_kept(
    tmp_path: Path, shell: pytest.MonkeyPatch, place: str
) -> None:
    configure(place, {**KEPT, **OVERRIDDEN}, tmp_path, shell)
    environment = pip_environment(os.environ)
    expected = {variable(name): value.format(folder=tmp_path) for name, value in KEPT.items()}
    found = {name: value for name, value in environment.items() if name.startswith("PIP_")}
    found["PIP_FIND_LINKS"] = found["PIP_FIND_LINKS"].strip()
    assert found == expected | {"PIP_CONFIG_FILE": os.devnull}
    assert environment["PATH"] == os.environ["PATH"]


def test_pip_variables_override_the_section_install_which_overrides_the_section_global(
    tmp_path: Path, shell: pytest.MonkeyPatch
) -> None:
    (tmp_path / "user" / "pip").mkdir(parents=True)
    (tmp_path / "user" / "pip" / "pip.conf").write_text(
        "[install]\ntimeout = 2\nretries = 2\n[global]\ntimeout = 1\nretries = 1\nproxy = 1\n[download]\nproxy = 4\n"
    )
    shell.setenv("PIP_TIMEOUT", "3")
    found = pip_environment(os.environ)
    assert (found["PIP_PROXY"], found["PIP_RETRIES"], found["PIP_TIMEOUT"]) == ("1", "2", "3")


def test_invalid_pip_configuration_is_reported_with_the_file_and_a_remedy(
    tmp_path: Path, shell: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").write_text("no section", encoding="utf-8")
    shell.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    with pytest.raises(PackagingError, match=r"(?s)could not read its configuration .*pip\.conf") as caught:
        pip_install(tmp_path / "requirements.txt", tmp_path / "target")
    assert "set PIP_CONFIG_FILE=/dev/null" in str(caught.value)


def test_python_interpreter_that_cannot_start_is_reported_as_a_packaging_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    root = checkout(tmp_path)
    with pytest.raises(PackagingError, match=r"could not be built in .*No such file.*/no/such/python"):
        build_lambda_package(root, tmp_path / "cache")


@pytest.fixture
def failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """Return the error message and the pip command of a package build that fails without network access."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append([*command])
        stderr = "ERROR: Could not find a version that satisfies the requirement vendored==1.0"
        return subprocess.CompletedProcess(command, returncode=int("install" in command), stdout="", stderr=stderr)

    monkeypatch.setattr(subprocess, "run", run)
    root = checkout(tmp_path)
    with pytest.raises(PackagingError) as caught:
        build_lambda_package(root, tmp_path / "cache")
    _listing, command = calls
    return str(caught.value), command


def test_package_build_without_network_reports_cause_and_remedy(tmp_path: Path, failure: tuple[str, list[str]]) -> None:
    message, _ = failure
    file = str(tmp_path / "lambda_code" / "requirements.txt")
    for part in (file, "exit code 1", "Could not find a version", "network", "PIP_INDEX_URL", "If pip is missing"):
        assert part in message


def test_package_build_installs_only_hashed_pure_python_wheels(tmp_path: Path, failure: tuple[str, list[str]]) -> None:
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
    assert command[command.index("--requirement") + 1] == str(tmp_path / "lambda_code" / "requirements.txt")
