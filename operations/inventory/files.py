"""Parses the manifest of an S3 Inventory, and verifies the data files before their use."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from operations.checksums import md5_digest
from operations.errors import OperatorError
from operations.output import quoted
from operations.pool import map_in_order

if TYPE_CHECKING:
    from collections.abc import Callable

MANIFEST, CHECKSUM = "manifest.json", "manifest.checksum"
"""Names of the files in the folder of an inventory (Amazon S3 User Guide, "Locating your inventory list")."""
CSV, PARQUET, ORC = "CSV", "Parquet", "ORC"
AGAIN = "Download the inventory again, or use another inventory"
FILE_NAME = re.compile(r"[\w-][\w.-]*", re.ASCII)
"""Matches permitted names of data files. Wildcards are not permitted, because DuckDB would read several files."""
CONFIGURE = "In the inventory configuration of the bucket"
NEXT = "Then use the next inventory that S3 writes"
VERIFIERS = 2
"""Number of threads that calculate the checksums of data files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryColumn:
    """One column of the Parquet file into which `load` writes an inventory.

    Attributes:
        name: name of the column.
        csv: name of the field in the schema of CSV inventories.
        parquet: name of the field in the schema of Parquet inventories.
        type: type of the column in DuckDB.
        required: whether the comparison with the rows requires the field.
        versions: whether the field exists only in inventories of all versions, not in those of current versions.
    """

    name: str
    csv: str
    parquet: str
    type: str = "VARCHAR"
    required: bool = False
    versions: bool = False


COLUMNS = (
    InventoryColumn(name="bucket", csv="Bucket", parquet="bucket", required=True),
    InventoryColumn(name="key", csv="Key", parquet="key", required=True),
    InventoryColumn(name="version_id", csv="VersionId", parquet="version_id", versions=True),
    InventoryColumn(name="is_latest", csv="IsLatest", parquet="is_latest", type="BOOLEAN", versions=True),
    InventoryColumn(
        name="delete_marker", csv="IsDeleteMarker", parquet="is_delete_marker", type="BOOLEAN", versions=True
    ),
    InventoryColumn(name="size_bytes", csv="Size", parquet="size", type="BIGINT", required=True),
    InventoryColumn(
        name="uploaded_at", csv="LastModifiedDate", parquet="last_modified_date", type="TIMESTAMP", required=True
    ),
    InventoryColumn(name="etag", csv="ETag", parquet="e_tag", required=True),
    InventoryColumn(name="storage_class", csv="StorageClass", parquet="storage_class"),
    InventoryColumn(name="encryption", csv="EncryptionStatus", parquet="encryption_status"),
    InventoryColumn(name="checksum_algorithm", csv="ChecksumAlgorithm", parquet="checksum_algorithm"),
)
"""All columns of the Parquet file into which `load` writes an inventory, in the order of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryFile:
    """One data file of an S3 Inventory.

    Attributes:
        key: object key in the bucket of the inventory.
        size: size in bytes.
        md5: MD5 checksum, hexadecimal.
    """

    key: str
    size: int
    md5: str

    @property
    def name(self) -> str:
        """File name: the part of the object key after the last slash."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Content of the manifest of a complete S3 Inventory.

    Attributes:
        bucket: name of the source bucket.
        created: time at which S3 started to create the inventory.
        format: `CSV` or `Parquet`.
        files: the data files.
        schema: names of all fields in the data files, in the order of the files.
        fields: names of the columns in `COLUMNS` for which the inventory has a field.
        place: path or URL of the manifest, for error messages.
    """

    bucket: str
    created: datetime
    format: str
    files: tuple[InventoryFile, ...]
    schema: tuple[str, ...]
    fields: frozenset[str]
    place: str

    @classmethod
    def parse(cls, content: bytes, checksum: bytes, *, place: str) -> Self:
        """Verify the checksum of an inventory's manifest, and parse the manifest.

        Args:
            content: content of manifest.json.
            checksum: content of manifest.checksum.
            place: path or URL of manifest.json, for error messages.

        Raises:
            OperatorError: the manifest is damaged, or the format of the inventory is not supported.
        """
        expected = checksum.decode("ascii", "replace").strip().lower()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != expected:
            raise OperatorError(
                f"{place} is damaged: its MD5 checksum is not {expected[:40]!r} as in {CHECKSUM}. {AGAIN}."
            )
        try:
            values = json.loads(content)
        except (ValueError, RecursionError) as error:  # The JSON parser raises RecursionError for deeply nested values.
            raise OperatorError(f"{place} is damaged: {error}. {AGAIN}.") from error
        match values:
            case {
                "sourceBucket": str(bucket),
                "creationTimestamp": str() | int() as created,
                "fileFormat": str(name),
                "fileSchema": str(schema),
                "files": list(files),
            } if re.fullmatch(r"\d{12,14}", str(created), re.ASCII):
                pass
            case _:
                raise OperatorError(
                    f"{place} has no valid sourceBucket, creationTimestamp, fileFormat, fileSchema or files: it is not "
                    "the manifest of an S3 Inventory. Give the path of such a manifest."
                )
        if name == ORC:
            raise OperatorError(
                f"{place} is the manifest of an inventory in the format ORC, which this tool cannot read. {CONFIGURE}, "
                f"choose the format {PARQUET} (or {CSV}). {NEXT}."
            )
        if name not in (CSV, PARQUET):
            raise OperatorError(
                f"{place} is the manifest of an inventory in the unknown format {name!r}. Use the format {PARQUET} or "
                f"{CSV}."
            )
        names = _csv_fields(schema) if name == CSV else _parquet_fields(schema)
        if repeated := _repeated(names):
            raise OperatorError(f"{place} lists the field {repeated!r} several times. {AGAIN}.")
        known = {each.csv if name == CSV else each.parquet: each.name for each in COLUMNS}
        return cls(
            bucket=bucket,
            created=datetime.fromtimestamp(int(created) / 1000, UTC),
            format=name,
            files=_data_files(files, place),
            schema=names,
            fields=frozenset(known[each] for each in names if each in known),
            place=place,
        )

    @property
    def size(self) -> int:
        """Total size of all data files in bytes."""
        return sum(each.size for each in self.files)

    @property
    def configuration_id(self) -> str | None:
        """ID of the inventory configuration; None if neither the data files' keys nor the manifest's path contain it.

        S3 writes `PREFIX/SOURCE-BUCKET/ID/data/FILE` and `PREFIX/SOURCE-BUCKET/ID/TIME/manifest.json`.
        """
        paths = [each.key for each in self.files] or [self.place]
        found = {tuple(each.split("/")[-4:-2]) for each in paths}
        match [*found]:
            case [(self.bucket, identifier)]:
                return identifier
        return None

    def check(self, bucket: str, *, versioned: bool) -> None:
        """Raise an OperatorError if the inventory is of another bucket, or lacks fields that the comparison requires.

        Args:
            bucket: name of the bucket.
            versioned: whether the bucket has ever had versioning.
        """
        if self.bucket != bucket:
            raise OperatorError(
                f"{self.place} is the manifest of an inventory of the bucket {self.bucket!r}, not of {bucket!r}: give "
                f"an inventory of {bucket!r}, or add --bucket {quoted(self.bucket)}."
            )
        versions = [each for each in COLUMNS if each.versions and each.name not in self.fields]
        if versioned and versions:
            names = ", ".join(each.csv for each in versions)
            raise OperatorError(
                f"{self.place} is the manifest of an inventory without {names}: it lists only the current versions of "
                f"objects, but the bucket {bucket!r} has versioning. {CONFIGURE}, include all versions. "
                f"{NEXT}."
            )
        if missing := [each.csv for each in COLUMNS if each.required and each.name not in self.fields]:
            raise OperatorError(
                f"{self.place} is the manifest of an inventory without {', '.join(missing)}, which the comparison "
                f"requires. {CONFIGURE}, add the optional fields Size, LastModifiedDate and ETag. {NEXT}."
            )


def verify(files: Sequence[tuple[InventoryFile, Path]], advance: Callable[[int], None]) -> None:
    """Verify the size and the MD5 checksum of each data file of an inventory.

    Args:
        files: pairs of a data file's description and its local path.
        advance: function that is called after each file, with the size of the file in bytes.

    Raises:
        OperatorError: a data file is missing or damaged. The message contains its path.
    """
    for (each, _), _ in map_in_order(lambda item: _verify(*item), files, threads=VERIFIERS):
        advance(each.size)


def _verify(expected: InventoryFile, path: Path) -> None:
    try:
        size = path.stat().st_size
        if size != expected.size:
            raise OperatorError(f"{path} is damaged: it has {size:,} bytes instead of {expected.size:,}. {AGAIN}.")
        checksum = md5_digest(path).hex()
    except FileNotFoundError as error:
        raise OperatorError(f"{path} is missing, but {MANIFEST} lists it. {AGAIN}.") from error
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}.") from error
    if checksum != expected.md5:
        raise OperatorError(f"{path} is damaged: its MD5 checksum is not {expected.md5}. {AGAIN}.")


def _is_path(key: str) -> bool:
    """Return whether an object key is safe as a relative path: no `..`, and no wildcards in the file name."""
    *folders, name = key.split("/")
    return bool(FILE_NAME.fullmatch(name)) and "\0" not in key and not key.startswith("/") and ".." not in folders


def _csv_fields(schema: str) -> tuple[str, ...]:
    """Return the field names in the schema of a CSV inventory, such as `Bucket, Key, VersionId`."""
    return tuple(each.strip() for each in schema.split(","))


def _parquet_fields(schema: str) -> tuple[str, ...]:
    """Return the field names in a Parquet inventory's schema: `message s3.inventory { required binary key; … }`."""
    return tuple(re.findall(r"\b(?:required|optional)\s+\w+\s+(\w+)", schema))


def _data_files(values: Sequence[Any], place: str) -> tuple[InventoryFile, ...]:
    """Parse the field `files` of an inventory's manifest, which lists the data files."""
    files = []
    for each in values:
        match each:
            case {"key": str(key), "size": int(size), "MD5checksum": str(md5)} if _is_path(key):
                files.append(InventoryFile(key=key, size=size, md5=md5.strip().lower()))
            case _:
                raise OperatorError(f"{place} lists a file without a valid key, size or MD5checksum. {AGAIN}.")
    if repeated := _repeated(each.name for each in files):
        raise OperatorError(f"{place} lists the file {repeated!r} several times. {AGAIN}.")
    return tuple(files)


def _repeated(names: Iterable[str]) -> str:
    """Return the first name that occurs more than once; an empty string if all names differ."""
    return next((name for name, number in Counter(names).items() if number > 1), "")
