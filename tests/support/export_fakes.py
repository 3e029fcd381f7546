"""Fake of `operations.aws.Aws` with a table that can be scanned and exported to a fake export bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from operations.aws.exports import TableExport, TableSize
from operations.aws.tables import ItemPage
from operations.errors import OperatorError
from operations.rate import Capacity
from tests.support.export_folder import ID, TABLE_ARN, typed, write_export
from tests.support.operations_fakes import FakeAws

EXPORT_BUCKET = "export-bucket"


class ExportingAws(FakeAws):
    """Fake of `Aws` that writes table exports into a local folder, which represents the export bucket.

    Args:
        folder: an empty folder.
        rows: rows of the table with Python values.
    """

    def __init__(self, folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        assert isinstance(self.settings, dict)
        self.settings["export_bucket"] = EXPORT_BUCKET
        self.provisioned = Capacity(read=100_000.0, write=100.0)
        self.folder = folder
        self.table = [typed(each) for each in rows]
        self.counted: int | None = None
        self.size_bytes = 3 * 1024**3
        self.exports: dict[str, TableExport] = {}
        self.recovery = True
        self.window: tuple[datetime, datetime] | None = None
        self.outcome = "COMPLETED"
        self.polls = 0
        self.scans = 0
        self.started: list[dict[str, Any]] = []

    def table_size(self, table: str) -> TableSize:
        assert table == "objects"
        items = len(self.table) if self.counted is None else self.counted
        return TableSize(arn=TABLE_ARN, size_bytes=self.size_bytes, items=items)

    def scan_segment(self, table: str, segment: int, segments: int) -> Iterator[ItemPage]:
        assert table == "objects"
        self.scans += segment == 0
        for item in self.table[segment::segments]:
            yield ItemPage(items=(item,), units=0.5)

    def recovery_window(self, table: str) -> tuple[datetime, datetime] | None:
        assert table == "objects"
        return self.window

    def start_export(
        self, table_arn: str, *, bucket: str, prefix: str, owner: str, key: str = "", time: datetime | None = None
    ) -> str:
        if not self.recovery:
            raise OperatorError("cannot export the table 'objects': An export needs point-in-time recovery")
        at: dict[str, Any] = {} if time is None else {"time": time}
        at |= {"key": key} if key else {}
        self.started.append({"table": table_arn, "bucket": bucket, "prefix": prefix, "owner": owner, **at})
        return self.add_export(prefix, status="IN_PROGRESS", time=time)

    def add_export(
        self,
        prefix: str,
        *,
        age: timedelta = timedelta(),
        status: str = "COMPLETED",
        bucket: str = EXPORT_BUCKET,
        time: datetime | None = None,
    ) -> str:
        """Add an export to the fake export bucket, and return its ARN.

        Args:
            prefix: S3 prefix of the export.
            age: age of the exported rows.
            status: status of the export.
            bucket: name of the bucket.
            time: time of the exported rows, instead of `age`.
        """
        time = time or datetime.now(UTC) - age
        write_export(self.folder / bucket, self.table, prefix=prefix, exportTime=f"{time:%Y-%m-%dT%H:%M:%SZ}")
        arn = f"{TABLE_ARN}/export/{len(self.exports)}/{ID}"
        self.exports[arn] = TableExport(
            arn=arn,
            status=status,
            failure="",
            time=time,
            bucket=bucket,
            prefix=prefix,
            format="DYNAMODB_JSON",
            kind="FULL_EXPORT",
        )
        return arn

    def table_export(self, arn: str) -> TableExport:
        export = self.exports[arn]
        self.polls += 1
        if export.status == "IN_PROGRESS" and self.polls >= 3:
            failure = "S3AccessDenied: no permission" if self.outcome == "FAILED" else ""
            values = {name: getattr(export, name) for name in ("arn", "time", "bucket", "prefix", "format", "kind")}
            return TableExport(**values, status=self.outcome, failure=failure)
        return export

    def table_exports(self, table_arn: str) -> list[TableExport]:
        assert table_arn == TABLE_ARN
        return list(self.exports.values())

    def list_folder(self, bucket: str, prefix: str) -> tuple[list[str], list[str]]:
        found = sorted((self.folder / bucket / prefix).glob("*"))
        folders = [f"{prefix}{each.name}/" for each in found if each.is_dir()]
        return folders, [f"{prefix}{each.name}" for each in found if each.is_file()]

    def read_file(self, bucket: str, key: str) -> bytes:
        path = self.folder / bucket / key
        if not path.exists():
            raise OperatorError(f"cannot read s3://{bucket}/{key}: the key does not exist.")
        return path.read_bytes()

    def download_file(self, bucket: str, key: str, path: Path, *, not_found: str = "") -> None:  # noqa: ARG002  the error of `read_file` has a remedy
        path.write_bytes(self.read_file(bucket, key))
