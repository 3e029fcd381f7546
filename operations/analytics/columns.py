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

The order uses whole seconds, because `uploaded_at` has milliseconds only for delete markers. S3 compares sequencers as
texts that are padded with zeros on the right.
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
    _attribute("object_id", TEXT, "bucket and key, `{bucket}/{key}`"),
    _attribute("version_id", TEXT, "S3 version ID, or `null`"),
    _attribute("bucket", TEXT, "bucket name"),
    _attribute("key", TEXT, "object key"),
    _attribute("filename", TEXT, "part of the key after the last `/`"),
    _attribute("extension", TEXT, "extension of the file name in lower case; empty if there is none"),
    _attribute("size_bytes", INTEGER, "size of the object in bytes", kind="N"),
    _attribute("etag", TEXT, "ETag without quotation marks"),
    _attribute("content_type", TEXT, "declared media type"),
    _attribute("storage_class", TEXT, "storage class when the indexer read the object"),
    _attribute("encryption", TEXT, "server-side encryption: `AES256`, `aws:kms` or `SSE-C`"),
    Column(
        name="checksum_algorithm",
        type=TEXT,
        path=("checksum", "algorithm"),
        description="algorithm of the checksum, such as `CRC64NVME`",
    ),
    Column(name="checksum_value", type=TEXT, path=("checksum", "value"), description="checksum in Base64"),
    Column(
        name="checksum_type",
        type=TEXT,
        path=("checksum", "type"),
        description="`FULL_OBJECT` or `COMPOSITE`; equal composite checksums require equal part sizes",
    ),
    _attribute("user_metadata", TEXTS, "user metadata: names without `x-amz-meta-`", kind="M"),
    _attribute("uploaded_at", TIME, "time of the upload, or of the creation of the delete marker"),
    _attribute("upload_day", DAY, "UTC day of the upload; NULL for a delete marker"),
    _attribute("deleted_at", TIME, "time of the deletion of this version"),
    _attribute("deleted_by", TEXT, "principal that deleted this version, or `lifecycle`"),
    _attribute("expires_at", TIME, "time at which DynamoDB may delete the row", kind="N"),
    _attribute("delete_marker", BOOLEAN, "whether the row is a delete marker", kind="BOOL", default="false"),
    _fact("type", TEXT, "media type by content", kind="S"),
    _fact("encoding", TEXT, "character encoding of a text", kind="S"),
    _fact("width", INTEGER, "width in pixels"),
    _fact("height", INTEGER, "height in pixels"),
    _fact("orientation", INTEGER, "orientation in the Exif data of an image, 1 to 8"),
    _fact("pages", INTEGER, "pages of a document"),
    _fact("sheets", INTEGER, "sheets of a spreadsheet"),
    _fact("slides", INTEGER, "slides of a presentation"),
    _fact("encrypted", BOOLEAN, "whether the content needs a password", kind="BOOL", default="false"),
    _fact("entries", INTEGER, "entries of an archive"),
    _fact("duration_ms", INTEGER, "duration of audio or video in milliseconds"),
    _fact("rows", INTEGER, "rows of a table"),
    _fact("columns", INTEGER, "columns of a table"),
    _fact("error", TEXT, "reason for which facts are missing: `damaged`, `truncated`, `entities` or `limit`", kind="S"),
    _attribute("content_of", TEXT, "ETag of the object that the inspector read; NULL if it read none"),
    _attribute(
        "mismatch",
        BOOLEAN,
        "whether the type by content contradicts the declared type or the extension",
        kind="BOOL",
        default="false",
    ),
    _attribute("event_name", TEXT, "name of the S3 event that first wrote the row"),
    _attribute("event_time", TIME, "time of that event"),
    _attribute("sequencer", TEXT, "hexadecimal number that orders the events of one key"),
    _attribute("request_id", TEXT, "Lambda request ID of the indexer's invocation"),
    _attribute("processed_at", TIME, "time at which the indexer processed the event"),
    _attribute("schema_version", INTEGER, "version of the row format", kind="N"),
    Column(
        name="exists_now",
        type=BOOLEAN,
        description="whether this version exists in S3 and is an object, not a delete marker",
    ),
    Column(
        name="is_current",
        type=BOOLEAN,
        description="whether a GET request without a version ID returns this version",
    ),
)
"""All columns of the relation `objects`, in the order of SELECT *."""


def exported_columns() -> str:
    """Return the column list of a SELECT from a DynamoDB export. It contains the columns that are row attributes."""
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
