"""Calculates the monthly bill of a stack. Each assumption of the calculation is a constant in this module."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from operations.planning import prices
from operations.planning.scenario import DAY_SECONDS, READ_CAPACITY, Load, StackSettings, service_seconds
from operations.planning.table import write_units

HOURS = 730
"""Hours of a month, as in the AWS Pricing Calculator."""
DAYS = HOURS / 24
GB = 1024**3
ITEM_OVERHEAD_BYTES = 100
"""Billed bytes that DynamoDB adds to each row, in the table and in its index.

Source: AWS documentation page "DynamoDB item sizes and formats".
"""
LOG_BYTES = 2000
"""Bytes in the log per file: the indexer's line, the line with the metrics, and Lambda's lines START and REPORT."""
LOG_DAYS = 30
"""Retention of the log in days."""
LOG_COMPRESSED = 0.15
"""Assumed size of a compressed log relative to the original. CloudWatch bills the compressed size."""
ACCESS_LOG_BYTES = 2 * 600
"""Assumed bytes in S3's access log per file: one line for the upload, one for the HEAD request."""
ACCESS_LOG_DAYS = 90
"""Retention of S3's access logs in days."""
METRICS = 14
"""Number of custom metrics of the indexer. CloudWatch bills a metric only for hours in which it is emitted."""
ALARMS = 24
DASHBOARDS = 1
SAMPLED_SHARE = 0.05
"""Share of requests that X-Ray samples in addition to the first request of each second.

Source: AWS documentation page "Visualize Lambda function invocations using AWS X-Ray".
"""


@dataclass(frozen=True, kw_only=True)
class BillingAssumptions:
    """Assumptions of a bill that depend neither on the load nor on the simulated settings.

    Attributes:
        read_capacity: provisioned read units of the table; its index has the same number.
        months: number of months for which rows have been collected.
    """

    read_capacity: int = READ_CAPACITY
    months: int = 12


@dataclass(frozen=True)
class BillItem:
    """One line of a monthly bill.

    Attributes:
        name: the service and the billed item.
        dollars: the cost per month.
        quantity: text with the billed quantity and its unit.
    """

    name: str
    dollars: float
    quantity: str


def bill(
    load: Load, settings: StackSettings, assumptions: BillingAssumptions, *, free_tier: bool = False
) -> list[BillItem]:
    """Return the lines of the monthly bill, without the cost of the uploads and of the objects' storage.

    Args:
        load: the uploaded files.
        settings: the settings of the stack.
        assumptions: the read capacity, and for how many months rows have been collected.
        free_tier: whether to subtract the permanent free tier of AWS.
    """

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
        item("S3 access logs", prices.OBJECTS_STORED, access_logs, f"{access_logs:,.1f} GB, {ACCESS_LOG_DAYS} days"),
        item("Lambda executions", prices.LAMBDA_REQUESTS, files, f"{files:,.0f}"),
        item("Lambda duration", prices.LAMBDA_DURATION, gb_seconds, f"{gb_seconds:,.0f} GB-seconds on arm64"),
        *_capacity(load, settings, assumptions, free_tier=free_tier),
        item("DynamoDB storage", prices.ROWS_STORED, 2 * stored, f"{2 * stored:,.1f} GB in the table and its index"),
        item("DynamoDB backup", prices.ROWS_BACKED_UP, stored, f"{stored:,.1f} GB, point-in-time recovery"),
        item("Log ingestion", prices.LOGS_INGESTED, logged, f"{logged:,.1f} GB"),
        item("Log storage", prices.LOGS_STORED, logged * LOG_COMPRESSED, f"{LOG_DAYS} days, compressed"),
        item("Metrics", prices.METRICS, METRICS, f"{METRICS} metrics, if each is emitted in every hour"),
        item("Alarms", prices.ALARMS, ALARMS, f"{ALARMS}"),
        item("Dashboard", prices.DASHBOARDS, DASHBOARDS, f"{DASHBOARDS}"),
        item("X-Ray", prices.TRACES, traced, f"{traced:,.0f} traces: the first of each second and 5 % of the others"),
        BillItem("SQS, SNS and SSM", 0.0, "no cost if no event fails; a standard parameter has no cost"),
    ]


def total(items: list[BillItem]) -> float:
    """Return the sum of a bill's items in dollars per month."""
    return sum(item.dollars for item in items)


def cheaper_when_provisioned(load: Load, settings: StackSettings, assumptions: BillingAssumptions) -> float:
    """Return the number of files per day above which provisioned capacity costs less than on-demand capacity.

    Args:
        load: the size of a row.
        settings: the provisioned write capacity.
        assumptions: the provisioned read capacity.
    """
    provisioned = _capacity(load, replace(settings, on_demand=False), assumptions, free_tier=False)
    return total(provisioned) / (DAYS * prices.WRITE_REQUESTS.cost(2 * write_units(load.row_bytes), free_tier=False))


def s3_metadata(load: Load, assumptions: BillingAssumptions) -> float:
    """Return the monthly cost of S3 Metadata tables for the same files, as an alternative to this stack.

    The cost includes the journal table and the live inventory table, but not their storage.

    Args:
        load: the uploaded files.
        assumptions: number of months for which files have been collected.
    """
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
        return [BillItem("DynamoDB writes", dollars, f"{units:,.0f} on-demand write units for the table and its index")]
    writes, reads = 2 * settings.write_capacity * HOURS, 2 * assumptions.read_capacity * HOURS
    return [
        BillItem(
            "DynamoDB writes",
            prices.WRITE_UNIT_HOURS.cost(writes, free_tier=free_tier),
            f"{settings.write_capacity} provisioned write units for the table, and as many for its index",
        ),
        BillItem(
            "DynamoDB reads",
            prices.READ_UNIT_HOURS.cost(reads, free_tier=free_tier),
            f"{assumptions.read_capacity} provisioned read units for the table, and as many for its index",
        ),
    ]


def _traced_per_second(files: float) -> float:
    """Return the traces per second under X-Ray's default sampling rule, for files that arrive at random times."""
    first = 1 - math.exp(-files)
    return first + SAMPLED_SHARE * (files - first)
