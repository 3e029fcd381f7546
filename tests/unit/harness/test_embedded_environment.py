from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from localstack.emulators import embedded_environment
from localstack.emulators.embedded_environment import ensure, environment_name, installer_commands
from localstack.errors import EmulatorError
from tests.support.nonempty import nonempty
from tests.support.requirements import pins

PINS = pins(embedded_environment.REQUIREMENTS)


class FakeInstaller:
    """Fake installer of the emulator's virtual environment. Records the commands instead of running them.

    Args:
        failure: output of each command, which then fails; empty if commands succeed; an OSError if they cannot start.
        faster: path of an environment that another process creates during each command, or None.
        version: version of MiniStack that each command installs; None for the pinned version.
    """

    def __init__(self, *, failure: str | OSError = "", faster: Path | None = None, version: str | None = None) -> None:
        self.commands: list[Sequence[str]] = []
        self.environments: list[Mapping[str, str]] = []
        self.reports: list[str] = []
        self._failure, self._faster, self._version = failure, faster, version

    def __call__(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        self.environments.append(environment)
        if isinstance(self._failure, OSError):
            raise self._failure
        if not self._failure and "venv" in command:
            create(Path(command[-1]), "fresh", self._version)
        if self._faster:
            create(self._faster, "another process's")
        return subprocess.CompletedProcess(command, int(bool(self._failure)), stdout="", stderr=self._failure)

    def ensure(self, cache: Path) -> Path:
        return ensure(self.reports.append, cache=cache, run=self)


def create(environment: Path, content: str, version: str | None = None) -> None:
    """Create an environment with an interpreter and the pinned packages. `version` replaces MiniStack's version."""
    python(environment).parent.mkdir(parents=True, exist_ok=True)
    python(environment).write_text(content, encoding="utf-8")
    for name, pinned in {**PINS, "ministack": version or PINS["ministack"]}.items():
        info = f"{name.replace('-', '_')}-{pinned}.dist-info"
        for file, text in ((f"{name}.py", ""), (f"{info}/RECORD", f"{name}.py,,\n{info}/RECORD,,\n")):
            path = embedded_environment.modules(environment) / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def python(environment: Path) -> Path:
    return environment / "bin" / "python"


def target(cache: Path) -> Path:
    return cache / environment_name(embedded_environment.REQUIREMENTS.read_bytes())


def test_emulator_environment_is_installed_once_and_reported(tmp_path: Path) -> None:
    first, second, cache = FakeInstaller(), FakeInstaller(), tmp_path / "new" / "a cache"
    assert first.ensure(cache) == second.ensure(cache) == python(target(cache))
    assert len(first.commands) == 2
    assert second.commands == second.reports == []
    [report] = first.reports
    assert "preparing the embedded emulator" in report
    assert list(cache.iterdir()) == [target(cache)]


def test_emulator_environment_name_depends_on_its_packages_and_python(monkeypatch: pytest.MonkeyPatch) -> None:
    name = environment_name(b"ministack==1")
    assert name != environment_name(b"ministack==2")
    monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-399")
    assert name != environment_name(b"ministack==1")


def test_emulator_environment_that_another_process_installed_first_is_used(tmp_path: Path) -> None:
    found = FakeInstaller(faster=target(tmp_path)).ensure(tmp_path)
    assert found.read_text(encoding="utf-8") == "another process's"


def test_emulator_environment_with_a_missing_interpreter_is_recreated(tmp_path: Path) -> None:
    python(target(tmp_path)).parent.mkdir(parents=True)
    python(target(tmp_path)).symlink_to(tmp_path / "uninstalled")
    assert FakeInstaller().ensure(tmp_path).read_text(encoding="utf-8") == "fresh"


@pytest.mark.parametrize("deleted", ["ministack.py", f"ministack-{PINS['ministack']}.dist-info/RECORD", "."])
def test_emulator_environment_with_deleted_files_is_recreated(tmp_path: Path, deleted: str) -> None:
    create(target(tmp_path), "incomplete")
    path = embedded_environment.modules(target(tmp_path)) / deleted
    path.unlink() if path.is_file() else shutil.rmtree(path)
    assert FakeInstaller().ensure(tmp_path).read_text(encoding="utf-8") == "fresh"
    assert FakeInstaller(failure="is not run").ensure(tmp_path) == python(target(tmp_path))


def test_emulator_installation_with_other_versions_than_pinned_is_reported(tmp_path: Path) -> None:
    """Both uv and pip read configuration files that can change the installed packages."""
    with pytest.raises(EmulatorError, match=r"ministack 1\.4\.21 is not required.* set UV_NO_CONFIG=1"):
        FakeInstaller(version="1.4.21").ensure(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", ["no route to pypi.org\n", FileNotFoundError("no route to pypi.org")])
@pytest.mark.parametrize(("uv", "remedy"), [(["uv"], "UV_NO_CONFIG=1"), (None, "install uv")])
def test_failed_emulator_installation_is_explained_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str | OSError, uv: list[str] | None, remedy: str
) -> None:
    monkeypatch.setattr(embedded_environment, "find_uv", lambda: uv)
    with pytest.raises(
        EmulatorError, match=r"(?s)`.*venv.*` failed:\n  no route to pypi\.org\n.*once from PyPI.*mirror.*" + remedy
    ):
        FakeInstaller(failure=failure).ensure(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_error_for_an_unwritable_emulator_cache_contains_its_path(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    with pytest.raises(EmulatorError, match=r"could not be installed in .*cache: .*must be writable"):
        FakeInstaller().ensure(tmp_path / "cache")


OTHER_PROJECTS = {
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_USER", "PIP_TARGET", "PIP_CONSTRAINT"),
    *("PIP_REQUIRE_VIRTUALENV", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE", "UV_NO_BINARY", "UV_EXCLUDE_NEWER"),
    *("UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_VENV_SEED", "UV_NO_VERIFY_HASHES", "UV_WORKING_DIR", "UV_PROJECT"),
}
DOWNLOADS = {
    *("UV_INDEX", "UV_INDEX_MIRROR_PASSWORD", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX", "UV_FIND_LINKS"),
    *("UV_KEYRING_PROVIDER", "UV_INSECURE_HOST", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_HTTP_TIMEOUT", "UV_OFFLINE"),
    *("UV_CACHE_DIR", "UV_NO_CACHE", "UV_CONFIG_FILE", "UV_NO_CONFIG", "HTTPS_PROXY", "SSL_CERT_FILE", "HOME"),
}


def test_emulator_installer_ignores_settings_of_other_projects_and_keeps_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OTHER_PROJECTS | DOWNLOADS:
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(embedded_environment, "find_uv", lambda: ["uv"])
    installer = FakeInstaller()
    installer.ensure(tmp_path)
    assert len(installer.environments) == 2
    for environment in nonempty(installer.environments):
        assert {name for name in OTHER_PROJECTS if not name.startswith("PIP_")} & set(environment) == set()
        assert set(environment) >= DOWNLOADS


def test_emulator_installer_without_uv_keeps_only_download_options_of_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OTHER_PROJECTS - {"PYTHONHOME"}:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example.com")
    monkeypatch.setattr(embedded_environment, "find_uv", lambda: None)
    installer = FakeInstaller()
    installer.ensure(tmp_path)
    venv, install = installer.commands
    assert "--without-pip" in venv
    # pip runs in the environment that receives the packages.
    assert install[1:5] == ["-m", "pip", "--python", install[4]]
    assert install[4].endswith("/environment/bin/python")
    for environment in nonempty(installer.environments):
        assert OTHER_PROJECTS & set(environment) == set()
        assert environment["PIP_INDEX_URL"] == "https://mirror.example.com"


def test_invalid_configuration_of_pip_is_reported_as_an_emulator_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").write_text("no section", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setattr(embedded_environment, "find_uv", lambda: None)
    with pytest.raises(EmulatorError, match=r"(?s)pip could not read its configuration .*pip\.conf"):
        FakeInstaller().ensure(tmp_path / "cache")


@pytest.mark.parametrize("uv", [["uv"], None])
def test_emulator_installer_checks_hashes_and_compiles_bytecode(uv: list[str] | None) -> None:
    *_venv, install = installer_commands(Path("/cache/new"), uv)
    assert {"--require-hashes", "--no-deps", str(embedded_environment.REQUIREMENTS)} <= set(install)
    assert "/cache/new/bin/python" in install
    # pip compiles bytecode by default. uv needs an option.
    assert ("--compile-bytecode" in install) == (uv is not None)
