"""Property test: the report equals a report that is calculated from the listings of generated buckets."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.analytics.engine import Engine
from operations.analytics.report import Filters, create_report, query_of
from tests.support.export_folder import load, write_export
from tests.support.fakes import START
from tests.support.generated_bucket import GeneratedBucket, ListedVersion
from tests.support.report_oracle import Expected
from tests.support.strategies import keys

if TYPE_CHECKING:
    from operations.analytics.report import Report

DAY_SECONDS = 86_400.0
SIZES = st.sampled_from([0, 1, 131071, 131072, 5 * 2**30, 5 * 2**30 + 1, 5 * 2**40]) | st.integers(0, 5 * 2**40)
TYPES = st.sampled_from(["image/png", "text/plain; charset=utf-8", " Text/Plain ", "=1+1", "<b>"])
CHECKSUMS = st.sampled_from(
    [
        ("CRC64NVME", "ynIoRb1s2ao=", "FULL_OBJECT"),
        ("CRC64NVME", "AAAAAAAAAAA=", "FULL_OBJECT"),
        ("SHA256", "ynIoRb1s2ao=", "FULL_OBJECT"),
        ("SHA256", "ynIoRb1s2ao=-2", "COMPOSITE"),
        ("CRC32", "ynIoRb", "FULL_OBJECT"),
    ]
)
PRINCIPALS = st.sampled_from(["AWS:AIDA1", "lifecycle", "tapstack:audit", "\x1b[31m", "é"])
FACTS = st.fixed_dictionaries(
    {
        "size": SIZES | st.just(1000),
        "content_type": TYPES,
        "checksum": st.none() | CHECKSUMS,
        "content": st.none() | st.sampled_from(["image/png", "text/plain"]),
        "storage_class": st.sampled_from(["STANDARD", "STANDARD_IA", "GLACIER", "OUTPOSTS"]),
        "delay": st.sampled_from([0.0, 0.001, 0.5, 2.0, 100_000.0]),
        "null": st.booleans(),
        "by_tool": st.booleans(),
    }
)


@st.composite
def buckets(draw: st.DrawFn) -> list[GeneratedBucket]:
    """Hypothesis strategy: two buckets, with and without versioning, after random uploads and deletions."""
    names = draw(st.lists(keys() | st.sampled_from(["a/b.PDF", "a/b/c.tar.gz", "'; --"]), min_size=1, max_size=4))
    found = [GeneratedBucket("uploads"), GeneratedBucket("existing", versioned=False)]
    for _ in range(draw(st.integers(0, 14))):
        bucket = draw(st.sampled_from(found))
        key = draw(st.sampled_from(names))
        match draw(st.sampled_from(["upload", "upload", "upload", "delete", "delete version", "wait"])):
            case "upload":
                facts: dict[str, Any] = draw(FACTS)
                mismatch = facts["content"] is not None and draw(st.booleans())
                bucket.upload(key, mismatch=mismatch, **facts)
            case "delete":
                bucket.delete(key, by=draw(PRINCIPALS))
            case "delete version":
                bucket.delete_version(key, draw(st.integers(0, 9)), by=draw(PRINCIPALS))
            case _:
                bucket.harness.clock.advance(draw(st.floats(0, 100)) * DAY_SECONDS)
    return found


def report_of(found: list[GeneratedBucket], filters: Filters, *, top: int) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        export = write_export(Path(folder), [item for bucket in found for item in bucket.items])
        with Engine(spill=Path(folder) / "spill") as engine:
            load(export, engine)
            return create_report(query_of(engine), source="test", filters=filters, top=top)


@st.composite
def filters(draw: st.DrawFn) -> Filters:
    """Hypothesis strategy: filters of the report, most of which exclude some versions."""
    since = draw(st.none() | st.sampled_from([-1, 0, 1, 3, 30 * DAY_SECONDS]))
    until = draw(st.none() | st.sampled_from([0, 1, 5, 90 * DAY_SECONDS]))
    return Filters(
        since=None if since is None else START + timedelta(seconds=since),
        until=None if until is None else START + timedelta(seconds=until),
        bucket=draw(st.sampled_from(["", "", "uploads", "existing", "' OR 1=1"])),
        prefix=draw(st.sampled_from(["", "", "a/", "a/b", "'", "\\", "%"])),
    )


@given(buckets(), st.just(Filters()) | filters(), st.sampled_from([1, 2, 1000]))
@pytest.mark.slow
def test_report_equals_the_report_calculated_from_listings_and_head_responses(
    found: list[GeneratedBucket], selection: Filters, top: int
) -> None:
    first, last = selection.since or START - timedelta(days=1), selection.until or datetime.max.replace(tzinfo=UTC)

    def selects(version: ListedVersion, time: datetime) -> bool:
        in_bucket = selection.bucket in ("", version.bucket) and version.key.startswith(selection.prefix)
        return in_bucket and first <= time < last

    report = report_of(found, selection, top=top)
    expected = Expected(found, selects)
    assert report.totals == expected.totals()
    tables = expected.tables()
    assert [table.section.query for table in report.tables if table.section.query not in tables] == []
    for table in report.tables:
        rows = tables.pop(table.section.query)
        limit = max(top, table.section.least)
        assert list(table.rows) == rows[:limit]
        assert table.more == max(0, len(rows) - limit)
    assert tables == {}
    priced = sum(row["dollars_per_month"] or 0 for row in expected.noncurrent_prices())
    assert report.noncurrent_price == pytest.approx(priced)
