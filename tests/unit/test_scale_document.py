"""Tests that docs/scale.md contains the costs, durations and limits that the code calculates."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.digests import SIZE
from operations.inventory.compare import USUAL_RATE
from operations.parallel_listing import LIST_WORKERS
from operations.planning import limits, prices
from operations.planning.bill import ITEM_OVERHEAD_BYTES, bill, total
from operations.planning.exports import EXPORT_COMPRESSED
from operations.planning.prices import GB
from operations.planning.scenario import DAY_SECONDS, Load, StackSettings
from operations.planning.table import CONTENT_BYTES
from operations.pool import THREADS
from operations.rate import Capacity, default_event_rate, default_read_rate

DOCUMENT = " ".join((Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8").split())
NUMBERS = {
    10**exponent: name
    for exponent, name in zip(
        range(4, 10),
        ("10 thousand", "100 thousand", "1 million", "10 million", "100 million", "1 billion"),
        strict=True,
    )
}
DAYS = 365
PROVISIONED, ON_DEMAND = StackSettings(), StackSettings(billing="on-demand")
CHEAPEST = StackSettings(billing="on-demand", table_class="infrequent-access", index_projection="keys-only")
DEFAULT_CAPACITY = Capacity(read=PROVISIONED.read_capacity, write=PROVISIONED.write_capacity)
QUERY_UNITS = 0.5  # DynamoDB read units of an eventually consistent query of up to 4 KB
SCAN_UNITS = (Load(per_day=1).row_bytes + CONTENT_BYTES) / 8192  # A scan reads 8 KB per read unit.
PARTS = (
    *("table_writes", "index_writes", "indexer_requests", "indexer_duration", "s3_requests", "log_ingestion"),
    *("log_storage", "access_logs", "inspector_requests", "inspector_duration", "inspector_reads"),
)
"""Parts of the monthly bill that are proportional to the number of indexed objects, without traces."""


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def duration(seconds: float) -> str:
    """Return a duration as text, in the largest unit that gives at least 1.5, such as `1.5 hours` or `80 minutes`."""
    units = (("days", DAY_SECONDS), ("hours", 3600), ("minutes", 60), ("seconds", 1))
    name, unit = next((name, unit) for name, unit in units if seconds >= 1.5 * unit)
    return f"{seconds / unit:,.0f} {name}" if seconds >= 10 * unit else f"{seconds / unit:.1f} {name}"


def dollars(amount: float) -> str:
    return f"${amount:,.0f}" if amount >= 10 else f"${amount:.2f}"


def gigabytes(objects: int) -> float:
    return objects * (Load(per_day=1).row_bytes + CONTENT_BYTES + ITEM_OVERHEAD_BYTES) / GB


@pytest.mark.parametrize("objects", NUMBERS)
def test_scale_document_contains_the_calculated_monthly_bill(objects: int) -> None:
    load = Load(per_day=objects / DAYS)
    bills = [dollars(total(bill(load, each))) for each in (PROVISIONED, ON_DEMAND, CHEAPEST)]
    assert row(NUMBERS[objects], f"{objects / DAYS:,.0f}", *bills) in DOCUMENT


@pytest.mark.parametrize("objects", NUMBERS)
def test_scale_document_contains_the_calculated_duration_and_cost_of_a_backfill(objects: int) -> None:
    million = bill(Load(per_day=10**6 / DAYS * 12), ON_DEMAND, months=1)
    files = 10**6 / DAYS * 12 * 730 / 24  # number of files per month
    cost = sum(each.dollars for each in million if each.part in PARTS) / files * objects
    durations = [
        duration(objects / default_event_rate(each)) for each in (DEFAULT_CAPACITY, Capacity(read=None, write=None))
    ]
    assert row(NUMBERS[objects], *durations, dollars(cost)) in DOCUMENT


@pytest.mark.parametrize("objects", NUMBERS)
def test_scale_document_contains_the_calculated_duration_and_cost_of_an_audit(objects: int) -> None:
    units = objects * (QUERY_UNITS + SCAN_UNITS)
    rate = default_read_rate(DEFAULT_CAPACITY)
    assert rate is not None
    memory = f"{objects * SIZE / 10**6:,.2f} MB" if objects < 10**6 else f"{objects * SIZE / 10**6:,.0f} MB"
    on_demand = prices.TABLE[prices.STANDARD].read_requests.cost(units)
    cells = (
        NUMBERS[objects],
        duration(units / rate),
        duration(objects / USUAL_RATE),
        dollars(on_demand),
        memory,
        dollars(prices.ROWS_EXPORTED.cost(gigabytes(objects))),
        f"${prices.INVENTORY_LISTED.cost(objects) * 30:,.2f}",
    )
    assert row(*cells) in DOCUMENT


def test_scale_document_contains_the_read_units_per_scanned_row() -> None:
    text = f"row with content ({Load(per_day=1).row_bytes + CONTENT_BYTES} bytes) uses {SCAN_UNITS:.1f} units"
    assert text in DOCUMENT


def test_scale_document_contains_the_load_above_which_on_demand_costs_more() -> None:
    def difference(per_day: float) -> float:
        return total(bill(Load(per_day=per_day), ON_DEMAND)) - total(bill(Load(per_day=per_day), PROVISIONED))

    assert difference(1.45e6) < 0 < difference(1.55e6)
    assert "from 1.5 million uploads per day" in DOCUMENT


def test_scale_document_contains_the_write_units_for_a_billion_uploads_a_year() -> None:
    per_second = 10**9 / DAYS / DAY_SECONDS
    assert f"{per_second:.0f} uploads per second need {2 * per_second:.0f} units" in DOCUMENT


@pytest.mark.parametrize("objects", [10**8, 10**9])
def test_scale_document_contains_the_price_of_an_athena_query(objects: int) -> None:
    price = prices.ATHENA_BYTES.cost(gigabytes(objects) * GB * EXPORT_COMPRESSED)
    assert f"{NUMBERS[objects]} rows ${price:.2f}" in DOCUMENT


@pytest.mark.parametrize(
    "text",
    [
        f"${prices.EVENTS.dollars:.2f} per million events",
        f"${prices.TRACES.dollars:.0f} per million and function",
        f"S3 Inventory costs ${prices.INVENTORY_LISTED.dollars} per million listed versions",
        f"${prices.HEADS.cost(10**6):.2f} per million",
        f"${prices.ATHENA_BYTES.dollars:.2f} for each TB",
        f"${prices.ROWS_EXPORTED.dollars:.2f} per GB of the table",
        f"{limits.PARTITION_UNITS:,} write units per second",
        f"| {limits.ACCOUNT_CONCURRENCY:,} per account and region |",
        f"| write units of a table | {limits.MAX_ON_DEMAND_UNITS:,} |",
        f"| {limits.PARTITION_UNITS:,} per second, not adjustable |",
        f"--workers {LIST_WORKERS}",
        f"The sender has {THREADS} threads",
        f"{USUAL_RATE:.0f} keys per second",
    ],
)
def test_scale_document_contains_the_prices_and_limits_in_the_code(text: str) -> None:
    assert text in DOCUMENT
