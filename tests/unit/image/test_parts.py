"""Tests of the cached parts of the emulator images, and of their pinned checksums."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from localstack.errors import EmulatorError
from localstack.image import parts

NATIVE = "libsqlite4java-linux-amd64-1.0.392.so"
AGENT = "byte-buddy-agent-1.15.11.jar"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(parts, "HERE", tmp_path)


def checksums(folder: Path) -> str:
    """Return the checksums of the files in a folder in the format of sha256sum."""
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in folder.iterdir())


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    folder = tmp_path / "jars"
    folder.mkdir()
    for name in ("DynamoDBLocal-2.6.1.jar", "guava.jar", NATIVE, AGENT):
        (folder / name).write_text(f"content of {name}", encoding="utf-8")
    return folder


@pytest.mark.parametrize("change", ["altered", "missing", "too many"])
def test_image_file_that_differs_from_its_pinned_checksum_is_reported(jars: Path, change: str) -> None:
    pinned = checksums(jars)
    parts.verify(jars, pinned)
    match change:
        case "altered":
            (jars / "guava.jar").write_text("other", encoding="utf-8")
        case "missing":
            (jars / "guava.jar").unlink()
        case "too many":
            pinned = "".join(line for line in pinned.splitlines(keepends=True) if "guava" not in line)
    with pytest.raises(EmulatorError, match=r"pinned: guava\.jar\. A mirror may alter them"):
        parts.verify(jars, pinned)


def test_image_digest_depends_on_file_names_and_contents_but_no_caches(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "a.txt").write_text("1", encoding="utf-8")
    first = parts.digest(folder)
    (folder / "__pycache__" / "a.pyc").write_text("2", encoding="utf-8")
    (folder / "README.md").write_text("words", encoding="utf-8")
    assert parts.digest(folder) == first
    (folder / "a.txt").write_text("2", encoding="utf-8")
    second = parts.digest(folder)
    (folder / "a.txt").rename(folder / "b.txt")
    assert len({first, second, parts.digest(folder)}) == 3


def test_jar_manifest_wraps_lines_at_72_bytes_without_data_loss() -> None:
    path = " ".join(f"DynamoDBLocal_lib/library-{number}.jar" for number in range(100))
    text = parts.manifest({"Main-Class": "a.B", "Class-Path": path})
    assert max(len(line) for line in text.encode().split(b"\r\n")) <= 72
    assert text.endswith("\r\n")
    lines = text.replace("\r\n ", "").splitlines()
    assert lines == ["Manifest-Version: 1.0", "Main-Class: a.B", f"Class-Path: {path}"]


def test_dynamodb_local_has_the_folder_layout_that_localstack_expects(
    jars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, pinned = tmp_path / "pom.xml", tmp_path / "maven.sha256"
    project.write_text("<project/>", encoding="utf-8")
    pinned.write_text(checksums(jars), encoding="utf-8")
    commands = []

    def run(command: list[object]) -> str:
        commands.append(command)
        library = Path(str(command[-1]).removeprefix("-DoutputDirectory="))
        library.mkdir()
        for file in jars.iterdir():
            (library / file.name).write_bytes(file.read_bytes())
        return ""

    monkeypatch.setattr(parts, "run", run)
    monkeypatch.setattr(parts, "__file__", str(project))
    reports: list[str] = []
    first = parts.dynamodb_local(reports.append, project, pinned)
    assert parts.dynamodb_local(reports.append, project, pinned) == first
    assert (len(commands), reports) == (1, ["installed DynamoDB Local from Maven packages"])
    assert {str(file.relative_to(first)) for file in first.rglob("*") if file.is_file()} == {
        "DynamoDBLocal.jar",
        "ddb-local-loader-0.1.jar",
        "DynamoDBLocal_lib/DynamoDBLocal-2.6.1.jar",
        "DynamoDBLocal_lib/guava.jar",
        "DynamoDBLocal_lib/libsqlite4java-linux-amd64.so",
    }
    with zipfile.ZipFile(io.BytesIO((first / "DynamoDBLocal.jar").read_bytes())) as jar:
        described = jar.read("META-INF/MANIFEST.MF").decode().replace("\r\n ", "")
    assert "Class-Path: DynamoDBLocal_lib/DynamoDBLocal-2.6.1.jar DynamoDBLocal_lib/guava.jar\r\n" in described


def test_failed_build_of_an_image_part_leaves_the_cache_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_command: object, **_: object) -> str:
        raise EmulatorError("no network")

    monkeypatch.setattr(parts, "run", run)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("boto3==1\n", encoding="utf-8")
    with pytest.raises(EmulatorError, match="no network"):
        parts.packages(lambda _: None, requirements)
    assert list((tmp_path / "cache").iterdir()) == []


PINNED = "tiny==1\n"


def fake_uv(commands: list[tuple[list[str], dict[str, str]]], version: str = "1") -> Callable[..., str]:
    """Return a fake of `run` that installs one package into the target folder."""

    def run(command: list[str], *, environment: dict[str, str]) -> str:
        commands.append((command, environment))
        folder = Path(command[command.index("--target") + 1])
        info = folder / f"tiny-{version}.dist-info"
        for path, text in ((folder / "tiny.py", ""), (folder / "bin" / "tiny", ""), (info / "RECORD", "tiny.py,,\n")):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return ""

    return run


def test_image_packages_are_installed_without_settings_of_other_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(PINNED, encoding="utf-8")
    commands: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(parts, "run", fake_uv(commands))
    monkeypatch.setenv("UV_CONSTRAINT", "constraint.txt")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mirror.example.com")
    folder = parts.packages(lambda _: None, requirements)
    [(_, environment)] = commands
    assert environment["UV_DEFAULT_INDEX"] == "https://mirror.example.com"
    assert "UV_CONSTRAINT" not in environment
    assert sorted(path.name for path in folder.iterdir()) == ["tiny-1.dist-info", "tiny.py"]
    assert parts.packages(lambda _: None, requirements) == folder
    assert len(commands) == 1
    (folder / "tiny.py").unlink()
    assert (parts.packages(lambda _: None, requirements) / "tiny.py").exists()
    assert len(commands) == 2


def test_image_packages_that_differ_from_their_pins_are_reported_and_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(PINNED, encoding="utf-8")
    monkeypatch.setattr(parts, "run", fake_uv([], version="2"))
    with pytest.raises(EmulatorError, match=r"tiny 1 is missing, tiny 2 is not required"):
        parts.packages(lambda _: None, requirements)
    assert list((tmp_path / "cache").iterdir()) == []
