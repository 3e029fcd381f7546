"""Benchmark of `tapstack audit --from-inventory`: `python -m benchmarks.inventory_audit write|run FOLDER [MEMORY]`.

* write FOLDER: convert the files in FOLDER to the formats of S3 Inventory (Parquet) and of a DynamoDB export. First run
  `python -m benchmarks.inventory write FOLDER NUMBER`, which generates these files with known (planted) differences.
* run FOLDER [MEMORY]: run the command with both, and print the duration, the peak memory and the disk space. A fake of
  AWS returns the versions and rows of the keys with planted differences. The benchmark fails if the command does not
  report exactly the planted differences.
"""

from __future__ import annotations

import base64
import io
import json
import re
import resource
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.inventory import CREATED, KINDS, PERIOD, Disk
from lambda_code.metadata import format_time
from operations.analytics.engine import Engine, literal, parquet
from operations.analytics.export_files import DATA, DataFile, Export, write_manifests
from operations.aws import Aws, Page
from operations.aws.exports import TableSize
from operations.command import main
from operations.inventory.files import CHECKSUM, COLUMNS, MANIFEST, PARQUET
from operations.listing import Version
from operations.rate import Capacity
from operations.target import BUCKET_VARIABLE, TABLE_VARIABLE
from operations.tool import FINDINGS

if TYPE_CHECKING:
    from operations.aws import HeadResponse, Row

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:indexer"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/objects"
PER_FILE = 500_000
"""Maximum number of versions or rows in each data file."""
TIME = "strftime({0}, '%Y-%m-%dT%H:%M:%S.') || lpad(CAST(millisecond({0}) % 1000 AS VARCHAR), 3, '0') || 'Z'"
TEXTS = ("object_id", "version_id", "bucket", "key", "filename", "extension", "etag", "content_type", "storage_class")
ROW = {
    **{name: ("S", name) for name in (*TEXTS, "encryption", "content_of")},
    **{name: ("S", TIME.format(name)) for name in ("uploaded_at", "deleted_at")},
    "upload_day": ("S", "CAST(upload_day AS VARCHAR)"),
    "size_bytes": ("N", "CAST(size_bytes AS VARCHAR)"),
}
"""Maps each row attribute, except `delete_marker`, to its DynamoDB type and the SQL expression of its value."""


def write(folder: Path) -> None:
    """Write the data files and manifests of the inventory and of the table export.

    Args:
        folder: folder with the files that `benchmarks.inventory` has written.
    """
    with Engine(spill=folder / "spill") as engine:
        _write_inventory(engine, folder)
        _write_export(engine, folder)
    for name in ("s3", "export"):
        size = sum(each.stat().st_size for each in (folder / name).rglob("*"))
        print(f"{name}: {size / 1e6:,.0f} MB")  # noqa: T201  the result of the benchmark


def _parts(engine: Engine, source: Path) -> Iterator[tuple[int, str, int]]:
    """Divide a Parquet file into data files. Yield the number, the SQL source and the row count of each."""
    [(rows,)] = engine.rows(f"SELECT count(*) FROM {parquet(source)}")  # noqa: S608  the SQL text contains no values of users
    for number, first in enumerate(range(0, rows, PER_FILE)):
        last = min(first + PER_FILE, rows)
        numbered = parquet(source, options=", file_row_number = true")
        yield number, f"{numbered} WHERE file_row_number >= {first} AND file_row_number < {last}", last - first


def _write_inventory(engine: Engine, folder: Path) -> None:
    base = folder / "s3" / "inventory" / "uploads" / "tapstack-dev"
    (base / "data").mkdir(parents=True)
    columns = ", ".join(
        f"timezone('UTC', {each.name}) AS {each.parquet}"
        if each.type == "TIMESTAMP"
        else f"nullif({each.name}, 'null') AS {each.parquet}"
        if each.name == "version_id"
        else f"{each.name} AS {each.parquet}"
        for each in COLUMNS
    )
    files = []
    for number, source, _ in _parts(engine, folder / "inventory.parquet"):
        path = base / "data" / f"{number:032x}.parquet"
        query = f"SELECT {columns} FROM {source}"  # noqa: S608  the SQL text contains no values of users
        engine.execute(f"COPY ({query}) TO {literal(path)} (FORMAT parquet, COMPRESSION snappy)")
        content = path.read_bytes()
        checksum = md5(content, usedforsecurity=False).hexdigest()
        files.append({"key": str(path.relative_to(folder / "s3")), "size": len(content), "MD5checksum": checksum})
    manifest = {
        "sourceBucket": "uploads",
        "destinationBucket": "arn:aws:s3:::log-bucket",
        "version": "2016-11-30",
        "creationTimestamp": str(int(CREATED.timestamp() * 1000)),
        "fileFormat": PARQUET,
        "fileSchema": " ".join(f"optional binary {each.parquet};" for each in COLUMNS),
        "files": files,
    }
    inventory, text = base / f"{CREATED:%Y-%m-%dT%H-%MZ}", json.dumps(manifest)
    inventory.mkdir()
    (inventory / MANIFEST).write_text(text)
    (inventory / CHECKSUM).write_text(md5(text.encode(), usedforsecurity=False).hexdigest())


def _write_export(engine: Engine, folder: Path) -> None:
    attributes = ", ".join(f"""'"{name}":{{"{type_}":"' || {value} || '"}}'""" for name, (type_, value) in ROW.items())
    marker = """CASE WHEN delete_marker THEN '"delete_marker":{"BOOL":true}' END"""
    line = f"""'{{"Item":{{' || concat_ws(',', {attributes}, {marker}) || '}}}}'"""
    export = folder / "export"
    (export / DATA).mkdir(parents=True)
    files = []
    for number, source, rows in _parts(engine, folder / "objects.parquet"):
        path = export / DATA / f"{number:032x}.json.gz"
        form = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\t', COMPRESSION gzip"
        engine.execute(f"COPY (SELECT {line} FROM {source}) TO {literal(path)} ({form})")  # noqa: S608  the SQL text contains no values of users
        checksum = base64.b64encode(md5(path.read_bytes(), usedforsecurity=False).digest()).decode()
        files.append(DataFile(key=f"{DATA}/{path.name}", items=rows, md5=checksum))
    total = sum(each.items for each in files)
    write_manifests(export, Export(table=TABLE, time=CREATED.isoformat(), items=total, files=tuple(files)))


class State(Aws):
    """Fake of `Aws` that returns the versions and rows of all keys with planted differences.

    Args:
        folder: folder with the files that `benchmarks.inventory` has written.
        numbers: numbers of the versions with a planted difference.
    """

    def __init__(self, folder: Path, numbers: set[int]) -> None:
        super().__init__(lambda _: None)
        self._versions: dict[str, list[Version]] = defaultdict(list)
        self._rows: dict[str, list[Row]] = defaultdict(list)
        part = "CAST(regexp_extract({}, 'part-([0-9]+)', 1) AS BIGINT)"
        keys = ", ".join(str(each) for each in sorted({number // 3 for number in numbers}))
        with Engine(spill=folder / "spill") as engine:
            names = "key, version_id, uploaded_at, delete_marker, size_bytes, etag, storage_class"
            query = f"SELECT {names} FROM read_parquet(?) WHERE {part.format('key')} IN ({keys})"  # noqa: S608  the SQL text contains no values of users
            for key, version_id, created, marker, size, etag, storage_class in engine.rows(
                query, [str(folder / "inventory.parquet")]
            ):
                self._versions[key].append(
                    Version(
                        key=key,
                        version_id=version_id,
                        last_modified=created.replace(tzinfo=UTC),
                        marker=marker,
                        size=size or 0,
                        etag=etag or "",
                        storage_class=storage_class or "STANDARD",
                    )
                )
            attributes = (*ROW, "delete_marker")
            query = f"SELECT {', '.join(attributes)} FROM read_parquet(?) WHERE {part.format('object_id')} IN ({keys})"  # noqa: S608  the SQL text contains no values of users
            for values in engine.rows(query, [str(folder / "objects.parquet")]):
                row = {
                    name: _python(value) for name, value in zip(attributes, values, strict=True) if value is not None
                }
                self._rows[row["object_id"]].append({name: value for name, value in row.items() if value is not False})

    def parameter(self, name: str) -> str | None:  # noqa: ARG002  overrides a method of `Aws`
        """Return no settings document, so that the audit does not compare the settings of the stack."""
        return None

    def find_function(self, name: str) -> Mapping[str, Any] | None:
        """Return the configuration of the indexer."""
        return self.function_configuration(name)

    def function_configuration(self, function: str) -> Mapping[str, Any]:  # noqa: ARG002  overrides a method of `Aws`
        """Return the configuration of the indexer."""
        variables = {BUCKET_VARIABLE: "uploads", TABLE_VARIABLE: "objects"}
        return {"FunctionName": "indexer", "FunctionArn": FUNCTION, "Environment": {"Variables": variables}}

    def failure_destination(self, function: str) -> str | None:  # noqa: ARG002  overrides a method of `Aws`
        """Return None, because the fake indexer has no failure queue."""
        return None

    def require_bucket_owner(self, account: str) -> None:
        """Accept every account as the owner of the bucket."""

    def notifications(self, bucket: str) -> Sequence[Mapping[str, Any]]:  # noqa: ARG002  overrides a method of `Aws`
        """Return a bucket notification without a key filter."""
        return [{"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]}]

    def capacity(self, table: str) -> Capacity:  # noqa: ARG002  overrides a method of `Aws`
        """Return the capacity of an on-demand table."""
        return Capacity(read=None, write=None)

    def inventory_configuration(self, bucket: str, owner: str, identifier: str) -> Mapping[str, Any] | None:  # noqa: ARG002  overrides a method of `Aws`
        """Return an inventory configuration without a filter."""
        return {"IncludedObjectVersions": "All"}

    def table_size(self, table: str) -> TableSize:  # noqa: ARG002  overrides a method of `Aws`
        """Return the ARN of the table, which is also in the manifest of the export."""
        return TableSize(arn=TABLE, size_bytes=0, items=0)

    def versions(self, bucket: str, *, prefix: str = "", after: str = "", page: int = 1000) -> Iterator[Version]:  # noqa: ARG002  overrides a method of `Aws`
        """Return the versions of the object key `prefix`; no versions if the prefix is empty."""
        return iter(self._versions[prefix])

    def query_rows(
        self,
        table: str,  # noqa: ARG002  overrides a method of `Aws`
        object_id: str,
        *,
        consistent: bool = False,  # noqa: ARG002  overrides a method of `Aws`
        heads: bool = False,  # noqa: ARG002  overrides a method of `Aws`
    ) -> Iterator[Page]:
        """Yield one page with the rows of an object key."""
        yield Page(rows=tuple(self._rows[object_id]), units=0.5)

    def head(self, bucket: str, key: str, version_id: str) -> HeadResponse | None:  # noqa: ARG002  overrides a method of `Aws`
        """Return the response to a HEAD request for an object version."""
        [version] = (each for each in self._versions[key] if each.version_id == version_id)
        return {
            "ContentLength": version.size,
            "ContentType": "text/plain",
            "ETag": f'"{version.etag}"',
            "LastModified": version.last_modified,
            "ServerSideEncryption": "AES256",
        }


def _python(value: Any) -> Any:  # noqa: ANN401  DuckDB returns values of any type
    """Convert a value from DuckDB to the format in which the indexer writes row attributes."""
    if isinstance(value, datetime):
        return format_time(value.replace(tzinfo=UTC))
    return value if isinstance(value, bool | int | str) else str(value)


def run(folder: Path, memory: str) -> None:
    """Run `audit --from-inventory` with the written files, and print the results.

    Args:
        folder: folder with the files that `write` has written.
        memory: limit of DuckDB's memory.
    """
    number = int((folder / "number").read_text())
    planted = {each: name for place, (name, _) in KINDS.items() for each in range(place, number, PERIOD)}
    state, cache, output = State(folder, set(planted)), folder / "cache", io.StringIO()
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    disk = Disk(cache)
    begun, cpu = time.monotonic(), time.process_time()
    paths = (f"--from-inventory={folder / 's3'}", f"--from-export={folder / 'export'}", f"--memory={memory}")
    with redirect_stdout(output):
        code = main(["audit", "--function=indexer", *paths, "--json"], connect=lambda _: state, grace=0, cache=cache)
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    disk.stop()
    document = json.loads(output.getvalue())
    found = Counter(_number(each["key"], each["version_id"]) for each in document["findings"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(  # noqa: T201  the result of the benchmark
        f"audit of {document['versions']:,} versions, {document['markers']:,} delete markers, {document['keys']:,} "
        f"keys, {document['rows']:,} rows: {seconds:.0f} s ({cpu:.0f} s of CPU), peak memory {peak:,.0f} MB "
        f"({before:,.0f} MB before), peak size of the cache folder {disk.peak / 1e6:,.0f} MB"
    )
    false = sum(count for each, count in found.items() if each not in planted)
    print(f"planted: {len(planted):,}, found: {found.total():,}, false: {false:,}")  # noqa: T201  the result of the benchmark
    for each, name in planted.items():
        if found[each] != 1:
            sys.exit(f"the difference {name!r} of version number {each} was reported {found[each]} times")
    if false or code != FINDINGS:
        sys.exit(f"the audit has {false:,} false findings and the exit code {code}")


def _number(key: str, version_id: str) -> int:
    """Return the number of a version. Its version ID contains it; the ID `null` belongs to a key's first version."""
    digits = re.search(r"part-(\d+)", key)
    assert digits
    return 3 * int(digits[1]) if version_id == "null" else int(version_id[-10:])


if __name__ == "__main__":
    command, path, *rest = sys.argv[1:]
    if command == "write":
        write(Path(path))
    else:
        run(Path(path), rest[0] if rest else "1GB")
