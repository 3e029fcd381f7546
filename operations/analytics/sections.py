"""Defines the tables of the report: their queries, titles and columns."""

from __future__ import annotations

import enum
from dataclasses import dataclass

CHART_DAYS, CHART_MONTHS = 31, 24
"""Number of days in the chart of uploads by day, and of months in the chart of uploads by month."""
FEW = 20
"""Minimum number of rows (`Section.least`) of short tables, such as the table of storage classes."""
PRICES = "noncurrent_prices"
"""Name of the query with the prices of noncurrent versions and delete markers. Rows without a price are sorted last."""


class ColumnKind(enum.Enum):
    """Kind of the values in a column of the report. It determines how values are formatted."""

    TEXT = "text"
    NUMBER = "number"
    BYTES = "bytes"
    SIZE_CLASS = "size class"
    TIME = "time"
    DAY = "day"
    MONTH = "month"
    MILLISECONDS = "milliseconds"
    DOLLARS = "dollars"

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers, which are aligned to the right."""
        return self in {ColumnKind.NUMBER, ColumnKind.BYTES, ColumnKind.MILLISECONDS, ColumnKind.DOLLARS}


@dataclass(frozen=True)
class Heading:
    """Column of a report table: its name in the SQL query and in JSON, its title, and the kind of its values."""

    name: str
    title: str
    kind: ColumnKind = ColumnKind.TEXT


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table of the report.

    Attributes:
        query: name of the query, which is also the name of the table in JSON.
        title: title of the table.
        note: sentence that explains which rows the table contains.
        headings: columns of the query's result that the table contains.
        total: column of the query `totals` with the number of rows without --top; empty if another query counts them.
        time: column to which the options --since and --until apply.
        least: number of rows that the table can have even if --top is lower.
    """

    query: str
    title: str
    note: str
    headings: tuple[Heading, ...]
    total: str = ""
    time: str = "uploaded_at"
    least: int = 0


_OBJECTS = (Heading("objects", "Objects", ColumnKind.NUMBER), Heading("bytes", "Bytes", ColumnKind.BYTES))
_NONCURRENT = (
    Heading("noncurrent_versions", "Noncurrent versions", ColumnKind.NUMBER),
    Heading("noncurrent_bytes", "Noncurrent bytes", ColumnKind.BYTES),
)
_VERSIONS = (Heading("versions", "Versions", ColumnKind.NUMBER), Heading("bytes", "Bytes", ColumnKind.BYTES))
_UPLOADS = (
    *_VERSIONS,
    Heading("objects", "Current objects", ColumnKind.NUMBER),
    Heading("object_bytes", "Current bytes", ColumnKind.BYTES),
)
_BUCKET = Heading("bucket", "Bucket")
_OBJECT = (
    _BUCKET,
    Heading("key", "Key"),
    Heading("size_bytes", "Size", ColumnKind.BYTES),
    Heading("content_type", "Declared type"),
    Heading("uploaded_at", "Uploaded (UTC)", ColumnKind.TIME),
)

SECTIONS = (
    Section(
        query="uploads_by_day",
        title="Uploads by day",
        note="Versions that were uploaded on each UTC day, including those deleted later, and how many are current "
        "objects.",
        headings=(
            Heading("upload_day", "Day", ColumnKind.DAY),
            *_UPLOADS,
        ),
        least=CHART_DAYS,
    ),
    Section(
        query="uploads_by_month",
        title="Uploads by month",
        note="Versions that were uploaded in each UTC month, including those deleted later, and how many are current "
        "objects.",
        headings=(Heading("upload_month", "Month", ColumnKind.MONTH), *_UPLOADS),
        least=CHART_MONTHS,
    ),
    Section(
        query="detected_types",
        title="Detected types",
        note="Current objects by the type that the inspector detected in their bytes. A dash (-) means that the "
        "inspector has not read the object.",
        headings=(Heading("detected_type", "Detected type"), *_OBJECTS),
    ),
    Section(
        query="types",
        title="Detected and declared types",
        note="Current objects by the type that the inspector detected in their bytes, and by the type that the "
        "uploader declared.",
        headings=(
            Heading("detected_type", "Detected type"),
            Heading("declared_type", "Declared type"),
            *_OBJECTS,
            Heading("mismatched_objects", "Mismatched", ColumnKind.NUMBER),
        ),
    ),
    Section(
        query="extensions",
        title="Extensions",
        note="Current objects by the file name extension in their keys.",
        headings=(Heading("extension", "Extension"), *_OBJECTS),
    ),
    Section(
        query="prefixes",
        title="Top-level prefixes",
        note="Current objects and noncurrent versions by the part of their key up to the first slash.",
        headings=(_BUCKET, Heading("prefix", "Prefix"), *_OBJECTS, *_NONCURRENT),
    ),
    Section(
        query="size_classes",
        title="Sizes",
        note="Current objects by size. In the infrequent access classes, S3 bills at least 128 KiB for each object.",
        headings=(Heading("from_bytes", "Size", ColumnKind.SIZE_CLASS), *_OBJECTS),
        least=FEW,
    ),
    Section(
        query="storage_classes",
        title="Storage classes",
        note="Current objects and noncurrent versions by storage class at the time of indexing. Later lifecycle "
        "transitions are not included.",
        headings=(Heading("storage_class", "Storage class"), *_OBJECTS, *_NONCURRENT),
    ),
    Section(
        query="largest",
        title="Largest objects",
        note="Current objects with the largest sizes.",
        headings=_OBJECT,
        total="objects_with_size",
    ),
    Section(
        query="newest",
        title="Newest objects",
        note="Current objects with the newest uploads.",
        headings=_OBJECT,
        total="objects_with_time",
    ),
    Section(
        query="duplicates",
        title="Duplicates",
        note="Groups of current objects with equal size and equal checksum of the whole object. Only checksums of at "
        "least 64 bits are compared, such as CRC64NVME. Compare the bytes before you delete an object.",
        headings=(
            Heading("first_object", "First object"),
            Heading("objects", "Objects", ColumnKind.NUMBER),
            Heading("size_bytes", "Size", ColumnKind.BYTES),
            Heading("wasted_bytes", "Wasted bytes", ColumnKind.BYTES),
            Heading("checksum_algorithm", "Checksum"),
        ),
    ),
    Section(
        query="checksums",
        title="Checksums",
        note="Current objects by kind of checksum. Only the kind “full object” is used to find duplicates: composite "
        "checksums depend on the part size of the upload, and different objects can have the same 32-bit checksum.",
        headings=(
            Heading("checksum", "Kind"),
            *_OBJECTS,
            Heading("groups_of_equals", "Duplicate groups", ColumnKind.NUMBER),
            Heading("extra_objects", "Extra copies", ColumnKind.NUMBER),
            Heading("wasted_bytes", "Wasted bytes", ColumnKind.BYTES),
        ),
        least=FEW,
    ),
    Section(
        query="mismatched",
        title="Mismatched types",
        note="Current objects whose detected type contradicts the declared type or the extension.",
        headings=(
            _BUCKET,
            Heading("key", "Key"),
            Heading("detected_type", "Detected type"),
            Heading("content_type", "Declared type"),
            Heading("size_bytes", "Size", ColumnKind.BYTES),
        ),
        total="mismatched_objects",
    ),
    Section(
        query="noncurrent",
        title="Noncurrent versions and delete markers",
        note="A noncurrent version exists, but a newer version or a delete marker hides it. S3 bills noncurrent "
        "versions and delete markers until a lifecycle rule or a user deletes them. The size of a delete marker is the "
        "length of its key.",
        headings=(
            _BUCKET,
            Heading("kind", "Kind"),
            *_VERSIONS,
            Heading("oldest", "Oldest (UTC)", ColumnKind.TIME),
        ),
    ),
    Section(
        query=PRICES,
        title="Price of noncurrent versions and delete markers",
        note="S3's list price for the first 50 TB in us-east-1, in US dollars per month, for the storage class at the "
        "time of indexing. The price includes minimum billed sizes, but no minimum storage durations. A dash (-) "
        "means that the tool has no price for the storage class.",
        headings=(
            Heading("storage_class", "Storage class"),
            Heading("kind", "Kind"),
            *_VERSIONS,
            Heading("billed_bytes", "Billed bytes", ColumnKind.BYTES),
            Heading("dollars_per_month", "Per month", ColumnKind.DOLLARS),
        ),
        least=FEW,
    ),
    Section(
        query="without_content",
        title="Rows without content",
        note="Current objects and noncurrent versions that the inspector has not read. `tapstack backfill --inspect "
        "--invoke` sends them to the inspector.",
        headings=(
            _BUCKET,
            Heading("storage_class", "Storage class"),
            Heading("encryption", "Encryption"),
            *_VERSIONS,
        ),
    ),
    Section(
        query="delay",
        title="Delay from upload to row",
        note="Time from the upload of a version until the indexer wrote its row. S3 reports upload times in whole "
        "seconds. For a multipart upload, S3 reports the time of its start. The cause “tool” means that backfill or "
        "audit --repair created the row.",
        headings=(
            Heading("written_from", "Cause of the row"),
            Heading("versions", "Versions", ColumnKind.NUMBER),
            Heading("p50_ms", "Median", ColumnKind.MILLISECONDS),
            Heading("p95_ms", "95th percentile", ColumnKind.MILLISECONDS),
            Heading("max_ms", "Maximum", ColumnKind.MILLISECONDS),
        ),
        least=FEW,
    ),
    Section(
        query="deletions",
        title="Deletions by principal",
        note="Versions and delete markers that each principal deleted permanently. Older deletions are missing, "
        "because the rows of deleted versions expire after deletedRetentionDays.",
        headings=(
            Heading("deleted_by", "Principal"),
            *_VERSIONS,
            Heading("delete_markers", "Delete markers", ColumnKind.NUMBER),
            Heading("last_deletion", "Last (UTC)", ColumnKind.TIME),
        ),
        time="deleted_at",
    ),
)
"""All tables of the report, in the order in which they are displayed."""

TOTALS = Section(query="totals", title="Totals", note="", headings=())
"""Section of the query that calculates the totals. Its result is not displayed as a table."""
