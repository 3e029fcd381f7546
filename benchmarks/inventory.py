"""Benchmark that compares an S3 Inventory with rows: `python -m benchmarks.inventory write|compare FOLDER`.

* write FOLDER NUMBER: write an inventory with NUMBER object versions, and the rows of their table. Both files differ in
  known ways (planted differences). The rows are not in key order, as in an export of a DynamoDB table.
* compare FOLDER [MEMORY]: compare both files, and print the duration, the peak memory and the disk space. The benchmark
  fails if the comparison does not find exactly the planted differences. MEMORY is the limit of DuckDB's memory.
"""

from __future__ import annotations

import math
import resource
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from operations.analytics.engine import Engine, literal
from operations.inventory.compare import differing
from operations.inventory.files import Inventory
from operations.listing import KeyFilter

CREATED = datetime(2026, 6, 1, tzinfo=UTC)
FIELDS = ("size_bytes", "uploaded_at", "etag", "storage_class", "encryption")
PERIOD = 100_000
"""Number of versions in a period. In each period, every kind of difference is planted once."""
DELETED_AT = "TIMESTAMP '2026-02-02 12:00:00'"
OBJECTS = {
    "missing": {},
    "stale": {},
    "bucket": {"bucket": "'other'"},
    "key": {"key": "key || 'x'"},
    "filename": {"filename": "'other'"},
    "extension": {"extension": "'csv'"},
    "size": {"size_bytes": "size_bytes + 1"},
    "ETag": {"etag": "md5(etag)", "content_of": "NULL"},
    "time": {"uploaded_at": "uploaded_at + INTERVAL 1 SECOND"},
    "day": {"upload_day": "upload_day - 1"},
    "storage class": {"storage_class": "'DEEP_ARCHIVE'"},
    "delete_marker": {"delete_marker": "true"},
    "encryption": {"encryption": "'aws:kms'"},
    "deleted_at": {"deleted_at": DELETED_AT},
    "incomplete": {"content_type": "NULL"},
    "outdated content": {"content_of": "'other'"},
}
"""Maps each kind of planted difference of an object version to the wrong column values in its row."""
MARKERS = {
    "missing marker": {},
    "stale marker": {},
    "filename of a marker": {"filename": "'other'"},
    "not a marker": {"delete_marker": "false"},
    "day of a marker": {"upload_day": "CAST(uploaded_at AS DATE)"},
    "no time of a marker": {"uploaded_at": "NULL"},
    "time of a marker": {"uploaded_at": "uploaded_at + INTERVAL 2 DAY"},
    "deleted_at of a marker": {"deleted_at": DELETED_AT},
}
"""Maps each kind of planted difference of a delete marker to the wrong column values in its row."""
KINDS = {
    **{10 * place: (name, changes) for place, (name, changes) in enumerate(OBJECTS.items())},
    **{10 * place + 9: (name, changes) for place, (name, changes) in enumerate(MARKERS.items())},
}
"""Maps the number of a version within a period to the kind of its planted difference, and to the wrong values."""

VERSIONS = """
    SELECT
        n, n % {period} AS kind, n % 100 AS part, n % 10 = 9 AS delete_marker, n % 60 = 30 AS is_null,
        'data/year=2026/part-' || lpad(CAST(n // 3 AS VARCHAR), 10, '0') || '.snappy.parquet' AS key,
        CASE WHEN is_null THEN 'null' ELSE left(md5(CAST(n AS VARCHAR)), 22) || lpad(CAST(n AS VARCHAR), 10, '0')
        END AS version_id,
        CASE WHEN NOT delete_marker THEN n * 7919 % 5000000 END AS size_bytes,
        CASE WHEN NOT delete_marker THEN md5('e' || n) END AS etag,
        CASE WHEN part IN (3, 4, 5, 33) THEN TIMESTAMP '2026-05-30 12:00:00'
            ELSE TIMESTAMP '2026-01-01' + to_seconds(n % 10000000) END AS uploaded_at,
    FROM (SELECT {order} AS n FROM range({number}))
"""
"""SQL query that generates the object versions. Of 100 versions, six changed too recently to be compared."""

INVENTORY = """
    SELECT
        'uploads' AS bucket, key, version_id, n % 3 = 2 AS is_latest, delete_marker, size_bytes, uploaded_at, etag,
        CASE WHEN delete_marker THEN NULL WHEN n % 10 IN (6, 7) THEN 'GLACIER' ELSE 'STANDARD' END AS storage_class,
        CASE WHEN delete_marker THEN NULL WHEN part = 11 THEN 'SSE-C' ELSE 'SSE-S3' END AS encryption,
        CAST(NULL AS VARCHAR) AS checksum_algorithm
    FROM ({versions}) WHERE part NOT IN (21, 22, 23, 24, 25, 32, 33) AND kind NOT IN {stale}
"""
"""SQL query that generates the inventory. It does not contain versions that were deleted long before its creation."""

ROWS = """
    SELECT * EXCLUDE (kind) REPLACE ({replaced}) FROM (
        SELECT
            kind, 'uploads/' || key AS object_id, version_id, 'uploads' AS bucket, key,
            split_part(key, '/', -1) AS filename, 'parquet' AS extension, size_bytes, etag,
            CASE WHEN NOT delete_marker AND part <> 11 THEN 'text/plain' END AS content_type,
            CASE WHEN NOT delete_marker THEN 'STANDARD' END AS storage_class,
            CASE WHEN delete_marker THEN NULL WHEN part = 11 THEN 'SSE-C' ELSE 'AES256' END AS encryption,
            CASE WHEN delete_marker THEN uploaded_at + INTERVAL 789 MILLISECOND ELSE uploaded_at END AS uploaded_at,
            CASE WHEN NOT delete_marker THEN CAST(uploaded_at AS DATE) END AS upload_day,
            CASE WHEN part BETWEEN 21 AND 25 THEN {deleted} WHEN part IN (31, 32) THEN TIMESTAMP '2026-05-31'
                END AS deleted_at,
            delete_marker,
            CASE WHEN n % 2 = 0 AND NOT delete_marker AND part <> 11 THEN etag END AS content_of
        FROM ({versions}) WHERE kind NOT IN {missing}
    )
"""
"""SQL query that generates the rows of the table, with the planted differences."""

FOUND = """
    SELECT kind, count(*) FROM (
        SELECT CASE version_id WHEN 'null' THEN 3 * CAST(regexp_extract(key, 'part-([0-9]+)', 1) AS BIGINT)
            ELSE CAST(right(version_id, 10) AS BIGINT) END % {period} AS kind
        FROM differing
    ) GROUP BY kind
"""


def write(folder: Path, number: int) -> None:
    """Write an inventory and the rows of the table as two Parquet files.

    Args:
        folder: folder for the files.
        number: number of object versions.
    """
    step = next(each for each in range(int(number * 0.618), number) if math.gcd(each, number) == 1)
    places = {name: place for place, (name, _) in KINDS.items()}
    columns = sorted({column for _, changes in KINDS.values() for column in changes})
    replaced = ", ".join(f"{_wrong(column)} AS {column}" for column in columns)
    queries = {
        "inventory": INVENTORY.format(
            versions=VERSIONS.format(period=PERIOD, order="range", number=number),
            stale=(places["stale"], places["stale marker"]),
        ),
        "objects": ROWS.format(
            versions=VERSIONS.format(period=PERIOD, order=f"range * {step} % {number}", number=number),
            replaced=replaced,
            deleted=DELETED_AT,
            missing=(places["missing"], places["missing marker"]),
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "number").write_text(str(number))
    with TemporaryDirectory(dir=folder) as spill, Engine(spill=Path(spill)) as engine:
        for name, query in queries.items():
            path = folder / f"{name}.parquet"
            engine.execute(f"COPY ({query}) TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)")
            print(f"{path.name}: {path.stat().st_size / 1e6:,.0f} MB")  # noqa: T201  the result of the benchmark


def _wrong(column: str) -> str:
    """Return the SQL expression of a column whose value is wrong in rows with a planted difference."""
    cases = [f"WHEN {place} THEN {changes[column]}" for place, (_, changes) in KINDS.items() if column in changes]
    return f"CASE kind {' '.join(cases)} ELSE {column} END"


def compare(folder: Path, memory: str) -> None:
    """Compare the inventory and the rows in a folder, and print the results.

    Args:
        folder: folder of the files.
        memory: limit of DuckDB's memory.
    """
    number = int((folder / "number").read_text())
    inventory = Inventory(
        bucket="uploads",
        created=CREATED,
        format="Parquet",
        files=(),
        schema=FIELDS,
        fields=frozenset(FIELDS),
        place=str(folder),
    )
    with TemporaryDirectory(dir=folder) as spill:
        disk = Disk(Path(spill))
        begun, cpu = time.monotonic(), time.process_time()
        with Engine(memory=memory, spill=Path(spill)) as engine:
            comparison = differing(
                engine,
                folder / "inventory.parquet",
                folder / "objects.parquet",
                inventory=inventory,
                exported=CREATED + timedelta(minutes=5),
                prefix="",
                key_filter=KeyFilter(None),
            )
            read = sum(len(each.versions) for each in comparison)
            seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
            found = dict(engine.rows(FOUND.format(period=PERIOD)))
        disk.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(  # noqa: T201  the result of the benchmark
        f"{comparison.versions:,} versions, {comparison.markers:,} delete markers, {comparison.keys:,} keys, "
        f"{comparison.rows:,} rows, {comparison.too_young:,} too young: {seconds:.0f} s ({cpu:.0f} s of CPU), peak "
        f"memory {peak:,.0f} MB, peak disk space {disk.peak / 1e6:,.0f} MB"
    )
    for place, (name, _) in KINDS.items():
        print(f"  {name:<24} {found.get(place, 0):>8,}")  # noqa: T201  the result of the benchmark
    planted = {place: len(range(place, number, PERIOD)) for place in KINDS}
    false = sum(count for place, count in found.items() if place not in KINDS)
    total = sum(planted.values())
    print(f"planted: {total:,}, found: {read:,}, false: {false:,}")  # noqa: T201  the result of the benchmark
    if found != planted or read != total:
        sys.exit("the comparison did not find exactly the planted differences")


class Disk:
    """Measures the peak size of a folder in a background thread.

    Attributes:
        peak: maximum measured size in bytes.
    """

    def __init__(self, folder: Path) -> None:
        self.peak = 0
        self._folder = folder
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._measure)
        self._thread.start()

    def stop(self) -> None:
        """Stop the measurement, and wait for the end of the thread."""
        self._stopped.set()
        self._thread.join()

    def _measure(self) -> None:
        while not self._stopped.wait(0.5):
            try:
                size = sum(each.stat().st_blocks * 512 for each in self._folder.rglob("*"))
            except FileNotFoundError:  # DuckDB deleted a temporary file while the folder was listed.
                continue
            self.peak = max(self.peak, size)


if __name__ == "__main__":
    command, path, *rest = sys.argv[1:]
    if command == "write":
        write(Path(path), int(rest[0]))
    else:
        compare(Path(path), rest[0] if rest else "1GB")
