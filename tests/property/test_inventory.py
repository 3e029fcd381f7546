"""Property test: an audit from an inventory and an export has the same findings as an audit of bucket and table."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from operations.analytics.engine import Engine
from operations.audit import Audit
from operations.inventory.compare import differing
from operations.output import Progress
from operations.rate import Capacity
from tests.support.bucket_snapshots import Snapshots
from tests.support.inventory_tables import FakeInventory, write_inventory, write_rows
from tests.support.nonempty import nonempty
from tests.support.operations_fakes import TARGET, FakeAws

BATCH = 20
"""Number of generated buckets per test."""


def audit_of(snapshots: Snapshots, *, heads: bool) -> Audit:
    aws = FakeAws(snapshots.versions, snapshots.rows)
    aws.head_responses = snapshots.heads
    return Audit(
        aws,
        TARGET,
        key_filter=snapshots.key_filter,
        prefix=snapshots.prefix,
        capacity=Capacity(read=None, write=None),
        heads=heads,
        sleep=lambda _: None,
    )


def compare(snapshots: Snapshots, engine: Engine, folder: Path) -> Counter[str]:
    """Assert that both kinds of audits of a generated bucket have the same findings, and return statistics."""
    progress = Progress(io.StringIO())
    usual, audit = audit_of(snapshots, heads=True), audit_of(snapshots, heads=False)
    usual.compare(progress)
    comparison = differing(
        engine,
        write_inventory(engine, folder / "inventory.parquet", snapshots.inventory_lines()),
        write_rows(engine, folder / "rows", snapshots.export()),
        inventory=FakeInventory(created=snapshots.created),
        exported=snapshots.exported,
        prefix=snapshots.prefix,
        key_filter=snapshots.key_filter,
    )
    audit.confirm(comparison, progress)
    settled = [
        each
        for each in usual.report.findings
        if (each.key, each.version_id) not in snapshots.uncertain
        and (each.version is None or each.version.last_modified < snapshots.limit)
    ]
    found = [each for each in audit.report.findings if each in settled]
    assert found == settled
    assert [each for each in audit.report.findings if each not in usual.report.findings] == []
    names = ("keys", "versions", "markers", "not_indexed", "rows", "without_content")
    if not (snapshots.changed or snapshots.uncertain):
        assert audit.report.findings == settled
        assert [getattr(audit.report, each) for each in names] == [getattr(usual.report, each) for each in names]
        assert audit.report.too_young == 0
    return Counter(
        {
            "buckets": 1,
            "findings": len(settled),
            "versions": len(snapshots.listed),
            "rows": len(snapshots.exported_rows),
            "too young": comparison.too_young,
            "candidates not confirmed": comparison.differing - len(audit.report.findings),
            "findings of later damage": len(usual.report.findings) - len(settled),
            **{f"fault: {name}": number for name, number in Counter(snapshots.damages).items()},
        }
    )


@pytest.mark.parametrize(
    "batch",
    [pytest.param(number, marks=[pytest.mark.slow] * (number > 0)) for number in range(1000 // BATCH)],
)
def test_audit_from_an_inventory_reports_the_findings_of_an_audit_by_listing(
    batch: int, record_property: Callable[[str, object], None]
) -> None:
    counts: Counter[str] = Counter()
    with TemporaryDirectory() as folder, Engine(spill=Path(folder, "spill")) as engine:
        engine.connection.execute("SET threads = 1")  # For small files, DuckDB is faster with one thread.
        for number in nonempty(range(batch * BATCH, (batch + 1) * BATCH)):
            own = Path(folder, str(number))
            own.mkdir()
            counts += compare(Snapshots(random.Random(number)), engine, own)  # noqa: S311  test data
    record_property("inventories", dict(counts))  # pytest-xdist can transfer dictionaries, but not Counter objects.
