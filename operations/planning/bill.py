"""A month's bill of a stack, line by line. Pure arithmetic; every assumption is a constant here."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from operations.planning import prices
from operations.planning.scenario import DAY_SECONDS, READ_CAPACITY, Load, StackSettings, service_seconds
from operations.planning.table import write_units

HOURS = 730  # of a month, as AWS's own calculator has it
DAYS = HOURS / 24
GB = 1024**3
# Of each row, in the table and again in the index: DynamoDB Developer Guide, "DynamoDB item sizes and formats"
ITEM_OVERHEAD_BYTES = 100
# What one file writes into the log: its own line, the metrics' line, and Lambda's two (start and report).
LOG_BYTES = 2000
LOG_DAYS = 30
LOG_COMPRESSED = 0.15  # assumed: stored logs are billed compressed
ACCESS_LOG_BYTES = 2 * 600  # assumed: S3's lines about the upload and the HEAD
ACCESS_LOG_DAYS = 90
# Tests hold these against the program and docs/metrics.md.
METRICS = 13  # those of rare events count only in the hours in which they happen, so this is the most
ALARMS = 21
DASHBOARDS = 1
SAMPLED_SHARE = 0.05  # beside the first of each second: Lambda Developer Guide, "Visualize … using AWS X-Ray"


@dataclass(frozen=True, kw_only=True)
class BillingAssumptions:
    """The parts of the bill that do not depend on the load.

    Attributes:
        read_capacity: provisioned read units of the table, and again of its index.
        months: age of the oldest row.
    """

    read_capacity: int = READ_CAPACITY
    months: int = 12


@dataclass(frozen=True)
class BillItem:
    """A line of the bill, for a month."""

    name: str
    dollars: float
    quantity: str  # with its unit, for people


def bill(
    load: Load, settings: StackSettings, assumptions: BillingAssumptions, *, free_tier: bool = False
) -> list[BillItem]:
    """Return the items, in the order of an upload's way, without the uploads and the storage of the objects."""

    def item(name: str, price: prices.Price, units: float, quantity: str) -> BillItem:
        return BillItem(name, price.cost(units, free_tier=free_tier), quantity)

    files = load.per_day * DAYS
    gb_seconds = files * service_seconds(settings) * settings.memory_mb / 1024
    rows = files * assumptions.months
    stored = rows * (load.row_bytes + ITEM_OVERHEAD_BYTES) / GB
    traced = _traced_per_second(load.per_second) * DAYS * DAY_SECONDS
    logged = files * LOG_BYTES / GB
    access_logs = load.per_day * ACCESS_LOG_BYTES * ACCESS_LOG_DAYS / GB
    return [
        item("S3 HEAD", prices.HEADS, files, f"{files:,.0f} requests"),
        item("S3 access logs", prices.OBJECTS_STORED, access_logs, f"{access_logs:,.1f} GB, of {ACCESS_LOG_DAYS} days"),
        item("Lambda executions", prices.LAMBDA_REQUESTS, files, f"{files:,.0f}"),
        item("Lambda duration", prices.LAMBDA_DURATION, gb_seconds, f"{gb_seconds:,.0f} GB-seconds on arm64"),
        *_capacity(load, settings, assumptions, free_tier=free_tier),
        item("DynamoDB storage", prices.ROWS_STORED, 2 * stored, f"{2 * stored:,.1f} GB, table and index"),
        item("DynamoDB backup", prices.ROWS_BACKED_UP, stored, f"{stored:,.1f} GB, point in time"),
        item("Log ingestion", prices.LOGS_INGESTED, logged, f"{logged:,.1f} GB"),
        item("Log storage", prices.LOGS_STORED, logged * LOG_COMPRESSED, f"of {LOG_DAYS} days, compressed"),
        item("Metrics", prices.METRICS, METRICS, f"{METRICS}, if each of them occurs in every hour"),
        item("Alarms", prices.ALARMS, ALARMS, f"{ALARMS}"),
        item("Dashboard", prices.DASHBOARDS, DASHBOARDS, f"{DASHBOARDS}"),
        item("X-Ray", prices.TRACES, traced, f"{traced:,.0f} traces, a second's first and 5 % of the others"),
        BillItem("SQS and SNS", 0.0, "nothing while nothing fails"),
    ]


def total(items: list[BillItem]) -> float:
    """Return dollars a month."""
    return sum(item.dollars for item in items)


def cheaper_when_provisioned(load: Load, settings: StackSettings, assumptions: BillingAssumptions) -> float:
    """Return the files a day from which on the provisioned capacity costs less than as many writes on demand."""
    provisioned = _capacity(load, replace(settings, on_demand=False), assumptions, free_tier=False)
    return total(provisioned) / (DAYS * prices.WRITE_REQUESTS.cost(2 * write_units(load.row_bytes), free_tier=False))


def s3_metadata(load: Load, assumptions: BillingAssumptions) -> float:
    """Return the cost of S3 Metadata tables for the files: journal and live inventory, without the tables' storage."""
    objects = load.per_day * DAYS * assumptions.months
    inventory = (
        prices.INVENTORY_OBJECTS.cost(objects, free_tier=False) if objects > prices.INVENTORY_FREE_BELOW else 0.0
    )
    return prices.JOURNAL_UPDATES.cost(load.per_day * DAYS, free_tier=False) + inventory


def _capacity(
    load: Load, settings: StackSettings, assumptions: BillingAssumptions, *, free_tier: bool
) -> list[BillItem]:
    if settings.on_demand:
        units = 2 * write_units(load.row_bytes) * load.per_day * DAYS
        dollars = prices.WRITE_REQUESTS.cost(units, free_tier=free_tier)
        return [BillItem("DynamoDB writes", dollars, f"{units:,.0f} units on demand, table and index")]
    writes, reads = 2 * settings.write_capacity * HOURS, 2 * assumptions.read_capacity * HOURS
    return [
        BillItem(
            "DynamoDB writes",
            prices.WRITE_UNIT_HOURS.cost(writes, free_tier=free_tier),
            f"{settings.write_capacity} units provisioned, of table and index each",
        ),
        BillItem(
            "DynamoDB reads",
            prices.READ_UNIT_HOURS.cost(reads, free_tier=free_tier),
            f"{assumptions.read_capacity} units provisioned, of table and index each",
        ),
    ]


def _traced_per_second(files: float) -> float:
    """Apply X-Ray's default rule to random arrivals: the first of each second, and a share of the others."""
    first = 1 - math.exp(-files)
    return first + SAMPLED_SHARE * (files - first)
