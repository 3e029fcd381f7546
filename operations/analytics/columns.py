"""Defines the columns of the SQL relation `objects`, and the SQL expressions that read them from a DynamoDB export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

TEXT, INTEGER, BOOLEAN, TIME, DAY = "VARCHAR", "BIGINT", "BOOLEAN", "TIMESTAMP", "DATE"
TEXTS = "MAP(VARCHAR, VARCHAR)"

SCHEMA_VERSION = 1
"""Highest value of the row attribute `schema_version` that the columns support."""

EXISTS_NOW = "deleted_at IS NULL AND NOT delete_marker"
NEWEST_FIRST = (
    "date_trunc('second', uploaded_at) DESC NULLS LAST, rpad(coalesce(sequencer, ''), 64, '0') DESC, version_id DESC"
)
"""SQL sort order that returns the newest version of an object first.

The order uses whole seconds, because `uploaded_at` has milliseconds only for delete markers. Sequencers are
compared as strings that are padded with zeros on the right, as the Amazon S3 User Guide specifies.
"""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the relation `objects`.

    Attributes:
        name: name of the column.
        type: type of the column in DuckDB.
        path: name of the row attribute. For a value in a map, the names of the map and of the value. Empty if the
            column is calculated from other columns.
        kind: DynamoDB type of the value: S, N, BOOL or M.
        description: description of the column for docs/sql.md.
        default: SQL literal of the value in rows without the attribute; empty for NULL.
    """

    name: str
    type: str
    path: tuple[str, ...] = ()
    kind: str = "S"
    description: str
    default: str = ""

    @property
    def exported(self) -> str:
        """DuckDB SQL expression that reads the column's value from `Item`, a row in a DynamoDB export."""
        value = f"Item.{'.M.'.join(self.path)}.{self.kind}"
        if self.type == TEXTS:
            entries = f"[struct_pack(k := e.key, v := e.value.S) FOR e IN map_entries({value})]"
            return f"CASE WHEN {value} IS NOT NULL THEN map_from_entries({entries}) END"
        if self.type == TIME and self.kind == "N":
            value = f"make_timestamp(CAST({value} AS BIGINT) * 1000000)"
        elif self.type != TEXT:
            value = f"CAST({value} AS {self.type})"
        return f"coalesce({value}, {self.default})" if self.default else value

    @property
    def in_athena(self) -> str:
        """Athena SQL expression that reads the column's value from a row of the Glue table.

        Glue converts names to lower case. Athena cannot cast a time that contains the letters T and Z.
        """
        value = f"item.{'.m.'.join(self.path)}.{self.kind.lower()}"
        if self.type == TEXTS:
            return f"transform_values({value}, (name, attribute) -> attribute.s)"
        if self.type == TIME and self.kind == "N":
            value = f"date_add('second', CAST({value} AS BIGINT), TIMESTAMP '1970-01-01 00:00:00.000')"
        elif self.type == TIME:
            value = f"CAST(replace(replace({value}, 'T', ' '), 'Z', '') AS TIMESTAMP)"
        elif self.type not in (TEXT, BOOLEAN):
            value = f"CAST({value} AS {self.type})"
        return f"coalesce({value}, {self.default})" if self.default else value


def _attribute(name: str, type_: str, description: str, *, kind: str = "S", default: str = "") -> Column:
    return Column(name=name, type=type_, path=(name,), kind=kind, description=description, default=default)


def _fact(name: str, type_: str, description: str, *, kind: str = "N", default: str = "") -> Column:
    path = ("content", name)
    return Column(name=f"detected_{name}", type=type_, path=path, kind=kind, description=description, default=default)


COLUMNS = (
    _attribute("object_id", TEXT, "bucket name, slash and object key: `{bucket}/{key}`"),
    _attribute("version_id", TEXT, "version ID in S3; the text `null` if the bucket had no versioning at the upload"),
    _attribute("bucket", TEXT, "bucket name"),
    _attribute("key", TEXT, "object key"),
    _attribute("filename", TEXT, "part of the key after the last `/`"),
    _attribute(
        "extension",
        TEXT,
        "extension of the file name in lower case, without the dot; empty if the name has no extension",
    ),
    _attribute("size_bytes", INTEGER, "size in bytes; NULL for a delete marker", kind="N"),
    _attribute("etag", TEXT, "ETag without quotation marks"),
    _attribute("content_type", TEXT, "media type that the uploader declared (`Content-Type`)"),
    _attribute(
        "storage_class", TEXT, "storage class at the time of indexing; later transitions do not change the column"
    ),
    _attribute("encryption", TEXT, "server-side encryption: `AES256`, `aws:kms`, `aws:kms:dsse` or `SSE-C`"),
    Column(
        name="checksum_algorithm",
        type=TEXT,
        path=("checksum", "algorithm"),
        description="algorithm of S3's checksum, such as `CRC64NVME`",
    ),
    Column(name="checksum_value", type=TEXT, path=("checksum", "value"), description="S3's checksum in Base64"),
    Column(
        name="checksum_type",
        type=TEXT,
        path=("checksum", "type"),
        description="`FULL_OBJECT` (checksum of all bytes) or `COMPOSITE` (calculated from the checksums of the parts)",
    ),
    _attribute("user_metadata", TEXTS, "user metadata; the names do not contain the prefix `x-amz-meta-`", kind="M"),
    _attribute("uploaded_at", TIME, "time at which S3 created the version or the delete marker"),
    _attribute("upload_day", DAY, "UTC day of the upload; NULL for a delete marker"),
    _attribute(
        "deleted_at", TIME, "time at which the version or the delete marker was permanently deleted; NULL if it exists"
    ),
    _attribute("deleted_by", TEXT, "principal that deleted the version; `lifecycle` if a lifecycle rule deleted it"),
    _attribute(
        "expires_at", TIME, "time after which DynamoDB deletes the row; NULL if the row does not expire", kind="N"
    ),
    _attribute(
        "delete_marker",
        BOOLEAN,
        "true if the row describes a delete marker, not an object",
        kind="BOOL",
        default="false",
    ),
    _fact("type", TEXT, "media type that the inspector detected in the bytes", kind="S"),
    _fact("encoding", TEXT, "character encoding of a text file", kind="S"),
    _fact("width", INTEGER, "width of an image or video in pixels"),
    _fact("height", INTEGER, "height of an image or video in pixels"),
    _fact("orientation", INTEGER, "orientation of an image according to its Exif data, 1 to 8"),
    _fact("pages", INTEGER, "number of pages of a document"),
    _fact("sheets", INTEGER, "number of sheets of a spreadsheet"),
    _fact("slides", INTEGER, "number of slides of a presentation"),
    _fact("encrypted", BOOLEAN, "true if the file is encrypted", kind="BOOL", default="false"),
    _fact("entries", INTEGER, "number of files and folders in an archive, such as a ZIP file"),
    _fact("duration_ms", INTEGER, "duration of an audio or video file in milliseconds"),
    _fact("rows", INTEGER, "number of rows of a Parquet file"),
    _fact("columns", INTEGER, "number of top-level columns of a Parquet file"),
    _fact("error", TEXT, "why values are missing: `damaged`, `truncated`, `entities` or `limit`", kind="S"),
    _attribute(
        "content_of", TEXT, "ETag of the bytes that the inspector read; NULL if the inspector has not read the object"
    ),
    _attribute(
        "mismatch",
        BOOLEAN,
        "true if the detected type contradicts the declared type or the extension",
        kind="BOOL",
        default="false",
    ),
    _attribute("event_name", TEXT, "name of the S3 event for which the row was created, such as `ObjectCreated:Put`"),
    _attribute("event_time", TIME, "time of the S3 event in `event_name`"),
    _attribute(
        "sequencer", TEXT, "hexadecimal number of the S3 event; later events of the same key have greater numbers"
    ),
    _attribute("request_id", TEXT, "request ID of the Lambda invocation that wrote the row"),
    _attribute("processed_at", TIME, "time at which the indexer processed the S3 event"),
    _attribute("schema_version", INTEGER, "version number of the row format", kind="N"),
    Column(
        name="exists_now",
        type=BOOLEAN,
        description="true if S3 has the version and it is not a delete marker",
    ),
    Column(
        name="is_current",
        type=BOOLEAN,
        description="true for the version that S3 returns for a GET request without a version ID",
    ),
)
"""All columns of the relation `objects`, in the order of SELECT *."""


def exported_columns() -> str:
    """Return the column list of a SELECT from a DynamoDB export: all columns except for the calculated ones."""
    return ", ".join(f"{each.exported} AS {each.name}" for each in COLUMNS if each.path)


def empty_relation(columns: Iterable[Column] = COLUMNS) -> str:
    """Return a SELECT statement whose result has the given columns with their types, and no rows.

    Args:
        columns: the columns.
    """
    return f"SELECT {', '.join(f'CAST(NULL AS {each.type}) AS {each.name}' for each in columns)} LIMIT 0"


def athena_relation(source: str) -> str:
    """Return the Athena query that defines the relation `objects` over a Glue table with the rows of a DynamoDB export.

    Args:
        source: name of the Glue table.
    """
    names = ", ".join(each.name for each in COLUMNS if each.path)
    columns = ", ".join(f"{each.in_athena} AS {each.name}" for each in COLUMNS if each.path)
    place = f"row_number() OVER (PARTITION BY object_id, deleted_at IS NULL ORDER BY {NEWEST_FIRST}) AS place"
    return (
        f"SELECT {names}, {EXISTS_NOW} AS exists_now, {EXISTS_NOW} AND place = 1 AS is_current "  # noqa: S608  the SQL text contains no values of users
        f"FROM (SELECT {names}, {place} FROM (SELECT {columns} FROM {source}) AS exported) AS ordered"
    )


def item_type() -> str:
    """Return the DuckDB type of `Item`, the structure that contains one row in a DynamoDB export."""
    return _struct(tuple(each for each in COLUMNS if each.path))


def _struct(columns: tuple[Column, ...], depth: int = 0) -> str:
    """Return the DuckDB type of a map attribute such as `content`: a structure with the values that columns read."""
    groups: dict[str, list[Column]] = {}
    for each in columns:
        groups.setdefault(each.path[depth], []).append(each)
    return f"STRUCT({', '.join(_fields(groups, depth))})"


def _fields(groups: dict[str, list[Column]], depth: int) -> Iterator[str]:
    types = {"S": TEXT, "N": TEXT, "BOOL": BOOLEAN, "M": "MAP(VARCHAR, STRUCT(S VARCHAR))"}
    for name, group in groups.items():
        if len(group[0].path) > depth + 1:
            yield f'"{name}" STRUCT(M {_struct(tuple(group), depth + 1)})'
        else:
            yield f'"{name}" STRUCT({group[0].kind} {types[group[0].kind]})'
