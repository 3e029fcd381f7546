"""Converts Pulumi archives to zip files for Lambda."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pulumi

from localstack.errors import DeploymentError

_FILE_MODE = 0o644
_PROGRAM_MODE = 0o755


def zip_archive(archive: pulumi.Archive, folder: Path) -> bytes:
    """Return the content of a zip file with the files of a Pulumi archive.

    Archives with the same files result in identical zip files.

    Args:
        archive: archive with files, folders or strings. An archive at a URL is not supported.
        folder: folder of the Pulumi program. Relative paths in the archive start there.

    Raises:
        DeploymentError: a file is missing, the archive has no files, or it must be downloaded.
    """
    if isinstance(archive, pulumi.FileArchive) and (folder / archive.path).is_file():
        return _existing_zip(folder / archive.path)
    entries = dict(sorted(_entries(archive, folder, PurePosixPath())))
    if not entries:
        raise DeploymentError(f"the archive {_describe(archive)} contains no files")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name, (content, mode) in entries.items():
            entry = zipfile.ZipInfo(name)  # The default date is 1980-01-01 and not the present time.
            entry.external_attr = (stat.S_IFREG | mode) << 16
            target.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _entries(
    archive: pulumi.Archive | pulumi.Asset, folder: Path, at: PurePosixPath
) -> Iterator[tuple[str, tuple[bytes, int]]]:
    match archive:
        case pulumi.AssetArchive():
            for name, nested in archive.assets.items():
                yield from _entries(nested, folder, at / name)
        case pulumi.FileArchive():
            yield from _files_below(folder / archive.path, at)
        case pulumi.FileAsset():
            yield str(at), _file(folder / archive.path)
        case pulumi.StringAsset():
            yield str(at), (archive.text.encode(), _FILE_MODE)
        case _:
            raise DeploymentError(
                f"{_describe(archive)} cannot be packed here: use local files, local folders or strings"
            )


def _files_below(path: Path, at: PurePosixPath) -> Iterator[tuple[str, tuple[bytes, int]]]:
    if not path.is_dir():
        raise DeploymentError(
            f"{path} is not a folder, and only a folder can be part of another archive; is the path correct?"
        )
    for parent, _folders, names in os.walk(path):
        for name in names:
            file = Path(parent, name)
            yield str(at / file.relative_to(path).as_posix()), _file(file)


def _file(path: Path) -> tuple[bytes, int]:
    try:
        executable = path.stat().st_mode & stat.S_IXUSR
        return path.read_bytes(), _PROGRAM_MODE if executable else _FILE_MODE
    except OSError as error:
        raise DeploymentError(f"a file of the archive cannot be read: {error}") from error


def _existing_zip(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        raise DeploymentError(f"{path} is not a zip file, the only archive format that Lambda accepts")
    return path.read_bytes()


def _describe(archive: pulumi.Archive | pulumi.Asset) -> str:
    details = ", ".join(f"{name}={value!r}" for name, value in vars(archive).items())
    return f"{type(archive).__name__}({details})"
