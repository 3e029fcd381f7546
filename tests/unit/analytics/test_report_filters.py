"""Tests that a report whose filters select no row is an error if a bucket, a prefix or a time is probably wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from operations.analytics.engine import Engine
from operations.analytics.report import Filters, check_filters, query_of
from operations.command import main
from operations.errors import OperatorError
from tests.support.export_folder import EXPORT_TIME, load, typed, write_export

ROWS = [
    {"object_id": f"{bucket}/{key}", "version_id": "v1", "bucket": bucket, "key": key, "size_bytes": size}
    for bucket, key, size in [("uploads", "invoices/a.pdf", 5), ("uploads", "b.pdf", 4), ("archive", "old/\t.txt", 3)]
]
START, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, 13, tzinfo=UTC)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("filters"), map(typed, ROWS))


@pytest.fixture(scope="module")
def engine(export: Path) -> Iterator[Engine]:
    with Engine(spill=export / "spill") as opened:
        load(export, opened)
        yield opened


NO_BUCKET = "no row has this bucket. The buckets with rows are: uploads, archive"
PREFIXES = "begins with this text. Top-level prefixes with objects are"
OTHER_TIME = f"this time is later than the time of the rows, {EXPORT_TIME}. Use an earlier time, or read newer rows"


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (Filters(bucket="upload", since=START), f"--bucket upload: {NO_BUCKET}"),
        (Filters(bucket="' OR 1=1 --", prefix="x"), f'--bucket "\' OR 1=1 --": {NO_BUCKET}'),
        (
            Filters(bucket="uploads", prefix="/invoices/"),
            f"--prefix /invoices/: no object key in the bucket uploads {PREFIXES}: invoices/",
        ),
        (
            Filters(prefix="uploads/invoices/", since=START),
            f"--prefix uploads/invoices/: no object key {PREFIXES}: invoices/, old/",
        ),
        (Filters(bucket="archive", prefix="invoices/"), "--prefix invoices/: no object key in the bucket archive"),
        (Filters(bucket="uploads", since=LATER), f"--since 2026-01-31T13:00:00Z: {OTHER_TIME} with --max-age 0"),
    ],
)
def test_report_filter_that_matches_no_row_is_an_error_with_the_possible_values(
    engine: Engine, filters: Filters, message: str
) -> None:
    with pytest.raises(OperatorError) as raised:
        check_filters(query_of(engine), filters, time=EXPORT_TIME)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("filters", [Filters(since=START), Filters(bucket="archive", prefix="old/\t", until=START)])
def test_report_filter_of_a_period_without_rows_is_valid(engine: Engine, filters: Filters) -> None:
    check_filters(query_of(engine), filters, time=EXPORT_TIME)


def test_report_filters_of_an_empty_table_are_valid(tmp_path: Path) -> None:
    with Engine(spill=tmp_path / "spill") as engine:
        load(write_export(tmp_path, []), engine)
        check_filters(query_of(engine), Filters(bucket="uploads", prefix="a"), time=EXPORT_TIME)


def test_report_of_a_bucket_without_rows_prints_only_the_error(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", f"--from-export={export}", "--bucket=upload"], cache=tmp_path) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(f"report: --bucket upload: {NO_BUCKET}")
