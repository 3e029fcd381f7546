"""Reads the folder of a DynamoDB table export (ExportTableToPointInTime), and verifies the files before their use."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from operations.checksums import md5_digest
from operations.errors import OperatorError
from operations.local_files import read_manifest
from operations.pool import map_in_order

SUMMARY, FILES, STARTED, DATA = "manifest-summary.json", "manifest-files.json", "_started", "data"
"""Names of files and folders in a table export (DynamoDB Developer Guide, "DynamoDB table export output format")."""
AGAIN = "Download the export again, or export the table again"
LONGEST_LINE = 4 * 1024 * 1024
"""Maximum bytes of one row in JSON. A row has at most 400 KB, and each of its bytes becomes at most 6 bytes in JSON."""
FILE_NAME = re.compile(r"[\w-][\w.-]*", re.ASCII)
"""Matches permitted names of data files. Wildcards are not permitted, because DuckDB would read several files."""
CHUNK = 1024 * 1024
"""Number of uncompressed bytes that are read from a data file at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One data file of a DynamoDB table export.

    Attributes:
        key: object key in the export's bucket.
        items: number of rows in the file.
        md5: MD5 checksum of the compressed file in Base64.
    """

    key: str
    items: int
    md5: str

    @property
    def name(self) -> str:
        """File name without the folder: the part of the object key after the last slash."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Content of the manifests of a complete DynamoDB table export.

    Attributes:
        table: ARN of the exported table.
        time: point in time of the exported rows, ISO 8601 in UTC.
        items: number of rows.
        files: the data files.
    """

    table: str
    time: str
    items: int
    files: tuple[DataFile, ...]

    @classmethod
    def parse(cls, summary: bytes, files: bytes, *, place: str) -> Self:
        """Parse the two manifests of a DynamoDB table export.

        Args:
            summary: content of manifest-summary.json.
            files: content of manifest-files.json.
            place: path or URL of the folder with the manifests, for error messages.

        Raises:
            OperatorError: a manifest is damaged, or the export is incremental or has a format other than DYNAMODB_JSON.
        """
        path = f"{place}/{SUMMARY}"
        values = _json(summary, path)
        if not isinstance(values, Mapping):
            raise OperatorError(f"{path} is not the manifest of an export: {AGAIN}.")
        if (kind := values.get("exportType", "FULL_EXPORT")) != "FULL_EXPORT":
            raise OperatorError(f"{path} is the manifest of an export of the type {kind!r}: use a full export.")
        if (output := values.get("outputFormat")) != "DYNAMODB_JSON":
            raise OperatorError(
                f"{path} is the manifest of an export in the format {output!r}: export the table as DYNAMODB_JSON."
            )
        match values:
            case {"tableArn": str(table), "exportTime": str(time), "itemCount": int(items)} if _has_time_zone(time):
                pass
            case _:
                raise OperatorError(f"{path} has no valid tableArn, exportTime or itemCount: {AGAIN}.")
        path = f"{place}/{FILES}"
        parsed = tuple(_data_file(_json(line, path), path) for line in files.splitlines() if line.strip())
        if (total := sum(each.items for each in parsed)) != items:
            raise OperatorError(f"{path} lists files with {total:,} rows, but {SUMMARY} states {items:,}: {AGAIN}.")
        if repeated := [name for name, number in Counter(each.name for each in parsed).items() if number > 1]:
            raise OperatorError(f"{path} lists the file {repeated[0]} several times: {AGAIN}.")
        return cls(table=table, time=time, items=items, files=parsed)


def read_export(folder: Path) -> Export:
    """Read the manifests of a DynamoDB table export from a local folder.

    Args:
        folder: the folder that contains manifest-summary.json.

    Raises:
        OperatorError: a manifest is missing or damaged. The message contains its path.
    """
    if not (folder / SUMMARY).exists() and (folder / STARTED).exists():
        raise OperatorError(
            f"{folder} has the file {STARTED}, but no {SUMMARY}: the export is in progress or has failed. "
            "`aws dynamodb list-exports` shows its status. Wait until it is complete, or export the table again."
        )
    return Export.parse(_read(folder / SUMMARY), _read(folder / FILES), place=str(folder))


def verify(folder: Path, export: Export) -> None:
    """Verify the checksum, the gzip format and the number of rows of each data file of an export.

    Args:
        folder: the folder that contains manifest-summary.json.
        export: content of the export's manifests.

    Raises:
        OperatorError: a data file is missing or damaged. The message contains its path.
    """
    for _ in map_in_order(lambda each: _verify(folder / DATA / each.name, each), export.files, threads=2):
        pass


def write_manifests(folder: Path, export: Export) -> None:
    """Write the manifests of a table export into a folder that already contains the data files.

    Args:
        folder: the folder that contains the folder `data`.
        export: content of the export's manifests.
    """
    lines = [{"itemCount": each.items, "md5Checksum": each.md5, "dataFileS3Key": each.key} for each in export.files]
    (folder / FILES).write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    summary = {"tableArn": export.table, "exportTime": export.time, "itemCount": export.items}
    kind = {"exportType": "FULL_EXPORT", "outputFormat": "DYNAMODB_JSON"}
    (folder / SUMMARY).write_text(json.dumps(summary | kind), encoding="utf-8")


def find_export(path: Path) -> Path:
    """Return the folder of a table export, which contains manifest-summary.json.

    Args:
        path: the folder, the file manifest-summary.json, or a folder that contains exactly one export.

    Raises:
        OperatorError: the path contains no export or more than one.
    """
    folder = path.parent if path.name == SUMMARY else path
    if (folder / SUMMARY).exists() or (folder / STARTED).exists():
        return folder
    found = sorted(each.parent for each in folder.rglob(SUMMARY))
    if len(found) == 1:
        return found[0]
    if found:
        raise OperatorError(f"{path} has {len(found)} exports: give the path of one, such as {found[-1]}")
    problem = "has no export" if path.exists() else "does not exist"
    raise OperatorError(f"{path} {problem}: give the folder of an export, which contains {SUMMARY}")


def data_paths(folder: Path, files: Sequence[DataFile]) -> list[Path]:
    """Return the paths of an export's data files, without the files that have no rows.

    Args:
        folder: the folder that contains manifest-summary.json.
        files: the data files.
    """
    return [folder / DATA / each.name for each in files if each.items]


def _verify(path: Path, expected: DataFile) -> None:
    """Raise an OperatorError if a data file is missing or damaged."""
    try:
        if base64.b64encode(md5_digest(path)).decode() != expected.md5:
            raise OperatorError(f"{path} is damaged: its MD5 checksum is not {expected.md5}. {AGAIN}.")
        # For a partition without rows, DynamoDB writes a file of 0 bytes, which is not a valid gzip file.
        lines = _count_lines(path, expected.items) if path.stat().st_size else 0
    except FileNotFoundError as error:
        raise OperatorError(f"{path} is missing, but {FILES} lists it. {AGAIN}.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise OperatorError(f"{path} is damaged: {error}. {AGAIN}.") from error
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}.") from error
    if lines != expected.items:
        raise OperatorError(f"{path} has {lines:,} rows, but {FILES} states {expected.items:,}. {AGAIN}.")


def _count_lines(path: Path, expected: int) -> int:
    """Return the number of lines in a compressed data file.

    Raises:
        OperatorError: the file has more lines than expected, or a line is too long. Reading stops at this point,
            because a small compressed file can contain many gigabytes.
    """
    lines = rest = 0
    with gzip.open(path) as unpacked:
        while chunk := unpacked.read(CHUNK):
            lines += chunk.count(b"\n")
            end = chunk.rfind(b"\n") + 1
            rest = len(chunk) - end if end else rest + len(chunk)
            if lines > expected:
                raise OperatorError(f"{path} has more than the {expected:,} rows that {FILES} states. {AGAIN}.")
            if rest > LONGEST_LINE:
                raise OperatorError(f"{path} is damaged: a line has more than {LONGEST_LINE:,} bytes. {AGAIN}.")
    return lines + (rest > 0)


def _read(path: Path) -> bytes:
    try:
        return read_manifest(path)
    except FileNotFoundError as error:
        raise OperatorError(
            f"{path} is missing: give the folder of an export, which contains {SUMMARY}, {FILES} and {DATA}/."
        ) from error
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}.") from error


def _json(text: bytes, path: str) -> Any:  # noqa: ANN401  JSON values have any type
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # The JSON parser raises RecursionError for deeply nested values.
        raise OperatorError(f"{path} is damaged: {error}. {AGAIN}.") from error


def _has_time_zone(text: str) -> bool:
    try:
        time = datetime.fromisoformat(text)
        time.astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return time.tzinfo is not None


def _data_file(values: Any, path: str) -> DataFile:  # noqa: ANN401  JSON values have any type
    match values:
        case {"dataFileS3Key": str(key), "itemCount": int(items), "md5Checksum": str(md5)}:
            file = DataFile(key=key, items=items, md5=md5)
            if items >= 0 and FILE_NAME.fullmatch(file.name):
                return file
    raise OperatorError(f"{path} has a line without a valid dataFileS3Key, itemCount or md5Checksum. {AGAIN}.")
