from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pulumi
import pytest

from localstack.deployers.archives import zip_archive
from localstack.errors import DeploymentError


def unpack(packed: bytes) -> dict[str, tuple[bytes, int]]:
    """Return the content and the permission bits of each file in a zip archive, by file name."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {
            entry.filename: (archive.read(entry), (entry.external_attr >> 16) & 0o777) for entry in archive.infolist()
        }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of a Pulumi program with the subfolder `package`, which has two files."""
    (tmp_path / "package" / "deep").mkdir(parents=True)
    (tmp_path / "package" / "main.py").write_text("print(1)\n", encoding="utf-8")
    (tmp_path / "package" / "deep" / "tool").write_bytes(b"\x7fELF")
    (tmp_path / "package" / "deep" / "tool").chmod(0o700)
    (tmp_path / "package" / "main.py").chmod(0o600)
    return tmp_path


def test_zip_archive_packs_all_asset_types_with_file_modes_that_lambda_can_read(folder: Path) -> None:
    main, tool = (b"print(1)\n", 0o644), (b"\x7fELF", 0o755)
    assert unpack(zip_archive(pulumi.FileArchive("package"), folder)) == {"main.py": main, "deep/tool": tool}
    archive = pulumi.AssetArchive(
        {
            "hello.txt": pulumi.StringAsset("grüß Gott"),
            "copy/of.py": pulumi.FileAsset("package/main.py"),
            "inside": pulumi.FileArchive(str(folder / "package")),
            "more": pulumi.AssetArchive({"a": pulumi.StringAsset("b")}),
        }
    )
    assert unpack(zip_archive(archive, folder)) == {
        "hello.txt": ("grüß Gott".encode(), 0o644),
        "copy/of.py": main,
        "inside/main.py": main,
        "inside/deep/tool": tool,
        "more/a": (b"b", 0o644),
    }


def test_zip_archive_is_independent_of_asset_order_and_file_times(folder: Path) -> None:
    assets: dict[str, pulumi.Asset | pulumi.Archive] = {
        "b": pulumi.FileArchive("package"),
        "a": pulumi.StringAsset("1"),
    }
    first = zip_archive(pulumi.AssetArchive(assets), folder)
    os.utime(folder / "package" / "main.py", (1, 1))
    assert zip_archive(pulumi.AssetArchive(dict(reversed(assets.items()))), folder) == first


def test_zip_archive_compresses_its_files(folder: Path) -> None:
    archive = pulumi.AssetArchive({"a": pulumi.StringAsset("text" * 1000)})
    assert len(zip_archive(archive, folder)) < 1000


def test_zip_archive_returns_an_existing_zip_file_unchanged(folder: Path) -> None:
    packed = zip_archive(pulumi.FileArchive("package"), folder)
    (folder / "ready.zip").write_bytes(packed)
    assert zip_archive(pulumi.FileArchive("ready.zip"), folder) == packed


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (pulumi.FileArchive("nowhere"), r"nowhere is not a folder"),
        (pulumi.FileArchive("package/main.py"), r"main\.py is not a zip file"),
        (
            pulumi.AssetArchive({"a": pulumi.FileAsset("nowhere.py")}),
            r"a file of the archive cannot be read.*nowhere\.py",
        ),
        (pulumi.AssetArchive({}), r"contains no files"),
        (
            pulumi.RemoteArchive("https://example.com/a.zip"),
            r"RemoteArchive\(uri='https://example\.com/a\.zip'\) cannot",
        ),
    ],
)
def test_zip_archive_error_contains_the_asset_that_cannot_be_packed(
    archive: pulumi.Archive, message: str, folder: Path
) -> None:
    with pytest.raises(DeploymentError, match=message):
        zip_archive(archive, folder)
