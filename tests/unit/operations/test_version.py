from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path
from typing import NoReturn

import pytest

from operations.command import main
from operations.version import version

ROOT = Path(__file__).parents[3]


def test_option_version_prints_the_version_of_the_cloned_repository(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert capsys.readouterr().out == f"tapstack {project['version']}\n"


@pytest.mark.parametrize("file", [None, '[project]\nname = "another"\nversion = "9"', "[tool.ruff]"])
def test_version_of_an_installed_package_comes_from_its_metadata(
    file: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file pyproject.toml is not used, because site-packages can contain that of another project."""
    monkeypatch.setattr(metadata, "version", {"tapstack": "7.8.9"}.__getitem__)
    if file is not None:
        (tmp_path / "pyproject.toml").write_text(file, encoding="utf-8")
    assert version(tmp_path) == "7.8.9"


def test_version_of_a_copied_folder_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> NoReturn:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", not_installed)
    assert version(tmp_path).startswith("unknown")
