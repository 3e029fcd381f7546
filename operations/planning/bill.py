"""Calculates the monthly bill of a stack by part. Each assumption of the calculation is a constant in this module."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from operations.planning import limits, prices
from operations.planning.exports import export_lines
from operations.planning.prices import GB
from operations.planning.scenario import DAY_SECONDS, ON_DEMAND, PROVISIONED, Load, StackSettings, service_seconds
from operations.planning.table import CONTENT_BYTES, index_bytes, write_units

if TYPE_CHECKING:
    from operations.planning.prices import Price

HOURS = 730
"""Hours of a month, as in the AWS Pricing Calculator."""
DAYS = HOURS / 24
MONTHS = 12
"""Default number of months for which rows have been collected."""
ITEM_OVERHEAD_BYTES = 100
"""Billed bytes that DynamoDB adds to each row, in the table and in its index.

Source: AWS documentation page "DynamoDB item sizes and formats".
"""
LAMBDA_LOG_BYTES = 950
"""Assumed bytes per file of Lambda's log lines START and REPORT, with CloudWatch's overhead of 26 bytes per line."""
METRIC_LOG_BYTES = 350
"""Assumed bytes per file of the indexer's log line with the metrics, with the overhead."""
INDEXER_LOG_BYTES: Mapping[str, int] = {"DEBUG": 2000, "INFO": 700, "WARNING": 0, "ERROR": 0}
"""Assumed bytes per file of the indexer's other log lines by `logLevel`, with the overhead. DEBUG logs each event."""
LOG_COMPRESSED = 0.15
"""Assumed size of a compressed log relative to the original. CloudWatch bills the compressed size."""
ACCESS_LOG_LINES = 2
"""Lines in S3's access log per file, without those of the inspector: one for the upload, one for the HEAD request."""
ACCESS_LOG_LINE_BYTES = 600
"""Assumed bytes of a line in S3's access log."""
ACCESS_LOG_DAYS = 90
"""Retention of S3's access logs in days."""
INVENTORY_DAYS = 14
"""Retention of inventories in days."""
INVENTORY_ROW_BYTES = 100
"""Assumed bytes of an object version in a Parquet file of an inventory."""
INSPECTOR_LOG_BYTES: Mapping[str, int] = {"DEBUG": 800, "INFO": 800, "WARNING": 0, "ERROR": 0}
"""Assumed bytes per file of the inspector's log line about a file by `logLevel`, with the overhead."""
INSPECTOR_METRIC_LOG_BYTES = 450
"""Assumed bytes per file of the inspector's log line with the metrics, with the overhead."""
INSPECTOR_METRICS = 12
"""Number of custom metrics that only the inspector emits."""
INSPECTOR_ALARMS = 5
"""Number of alarms about the inspector."""
METRICS = 14
"""Number of custom metrics of the indexer. CloudWatch bills a metric only for hours in which it is emitted."""
EXISTING_BUCKET_METRICS = 2
"""Number of custom metrics that the indexer usually emits only with `existingBuckets`."""
ALARMS = 22
"""Number of alarms with every configuration."""
CAPACITY_ALARMS = 2
"""Number of additional alarms with provisioned capacity."""
SCALING_ALARMS = 4 * 4
"""Assumed number of alarms that auto scaling creates: four for each of the four scaling policies."""
DASHBOARDS = 1
SAMPLED_SHARE = 0.05
"""Share of requests that X-Ray samples in addition to the first request of each second.

Source: AWS documentation page "Visualize Lambda function invocations using AWS X-Ray".
"""
KEY_REQUEST_SHARE = 0.01
"""Assumed share of uploads and HEAD requests for which S3 calls KMS. An S3 Bucket Key saves "up to 99 percent".

Source: AWS documentation page "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys".
"""
TABLE_KEY_REQUESTS_PER_HOUR = 12
"""Requests of DynamoDB to KMS per hour for one caller: DynamoDB caches the table's key for five minutes.

Source: AWS documentation page "DynamoDB encryption at rest usage notes".
"""


@dataclass(frozen=True)
class BillItem:
    """One line of a monthly bill.

    Attributes:
        part: identifier of the billed part, such as `table_writes`.
        name: the service and the billed item.
        dollars: the cost per month.
        quantity: text with the billed quantity and its unit.
        price: the list price; None if the part costs nothing.
    """

    part: str
    name: str
    dollars: float
    quantity: str
    price: Price | None


class _Items:
    """The lines of a bill. Parts with the same price share its free tier."""

    def __init__(self, *, free_tier: bool) -> None:
        self._free_tier = free_tier
        self._free_units: dict[Price, float] = {}
        self.items: list[BillItem] = []

    def add(self, part: str, name: str, price: Price, units: float, quantity: str) -> None:
        """Add a line.

        Args:
            part: identifier of the billed part.
            name: the service and the billed item.
            price: the list price.
            units: billed units per month, before the free tier.
            quantity: text with the billed quantity and its unit.
        """
        free = self._free_units.get(price, price.free) if self._free_tier else 0.0
        self._free_units[price] = max(0.0, free - units)
        self.items.append(BillItem(part, name, price.cost(max(0.0, units - free)), quantity, price))


def bill(load: Load, settings: StackSettings, *, months: int = MONTHS, free_tier: bool = False) -> list[BillItem]:
    """Return the lines of the monthly bill, without the cost of the uploads and of the objects' storage.

    Args:
        load: the uploaded files.
        settings: the settings of the stack.
        months: number of months for which rows have been collected.
        free_tier: whether to subtract the permanent free tier of AWS.
    """
    items = _Items(free_tier=free_tier)
    _add_capacity(items, load, settings)
    _add_storage(items, load, settings, months)
    _add_indexer(items, load, settings)
    _add_logs(items, load, settings, months)
    functions = 1
    if settings.inspect_content:
        functions = 2
        _add_inspector(items, load, settings)
    traced = functions * _traced_per_second(load.per_second) * DAYS * DAY_SECONDS
    alarms = alarm_count(settings)
    metrics = METRICS + (EXISTING_BUCKET_METRICS if settings.existing_buckets else 0)
    metrics += INSPECTOR_METRICS if settings.inspect_content else 0
    items.add("metrics", "Metrics", prices.METRICS, metrics, f"{metrics} metrics, if each is emitted in every hour")
    items.add("alarms", "Alarms", prices.ALARMS, alarms, f"{alarms}")
    items.add("dashboard", "Dashboard", prices.DASHBOARDS, DASHBOARDS, f"{DASHBOARDS}")
    quantity = f"{traced:,.0f} traces: the first of each second and 5 % of the others"
    items.add("traces", "X-Ray", prices.TRACES, traced, quantity)
    if settings.event_bridge:
        events = load.per_day * DAYS
        items.add("event_bridge", "EventBridge", prices.EVENTS, events, f"{events:,.0f} events, without deletions")
    if settings.inventory:
        versions = load.per_day * DAYS * months
        listed, stored = versions * DAYS, versions * INVENTORY_ROW_BYTES * INVENTORY_DAYS / GB
        quantity = f"{listed:,.0f} object versions listed, {versions:,.0f} in each daily inventory"
        items.add("inventory", "S3 Inventory", prices.INVENTORY_LISTED, listed, quantity)
        quantity = f"{stored:,.1f} GB, inventories of {INVENTORY_DAYS} days"
        items.add("inventory_storage", "Inventory storage", prices.OBJECTS_STORED, stored, quantity)
    if settings.analytics:
        row_bytes = load.row_bytes + ITEM_OVERHEAD_BYTES + (CONTENT_BYTES if settings.inspect_content else 0)
        retention = settings.export_retention_days
        kept = min(retention / DAYS, months)
        for line in export_lines(load.per_day * DAYS * months * row_bytes, retention=retention, kept_months=kept):
            items.add(*line)
    if settings.customer_key:
        reads = 1 + limits.GETS_PER_FILE * settings.inspect_content
        requests = (1 + reads) * KEY_REQUEST_SHARE * load.per_day * DAYS
        requests += functions * TABLE_KEY_REQUESTS_PER_HOUR * HOURS
        items.add("key", "KMS key", prices.KEYS, 1, "1, if only this stack uses the key")
        items.add("key_requests", "KMS requests", prices.KEY_REQUESTS, requests, f"about {requests:,.0f} requests")
    free = "no cost if no event fails; a standard parameter has no cost"
    items.items.append(BillItem("other", "SQS, SNS and SSM", 0.0, free, None))
    return items.items


def total(items: list[BillItem]) -> float:
    """Return the sum of a bill's items in dollars per month."""
    return sum(item.dollars for item in items)


def alarm_count(settings: StackSettings) -> int:
    """Return the number of alarms of a stack, including the alarms that auto scaling creates."""
    provisioned = 0 if settings.on_demand else CAPACITY_ALARMS
    scaling = SCALING_ALARMS if settings.max_capacity is not None else 0
    optional = settings.upload_alarm + settings.audit_alarm + settings.existing_buckets + settings.mismatch_alarm
    optional += INSPECTOR_ALARMS if settings.inspect_content else 0
    return ALARMS + provisioned + scaling + optional


def provisioned_writes(load: Load, settings: StackSettings) -> int:
    """Return the mean provisioned write units of the table, and of its index, under the load without its burst.

    Args:
        load: the uploaded files.
        settings: the settings of a stack with provisioned capacity, and the limits of auto scaling.
    """
    if settings.max_capacity is None:
        return settings.write_capacity
    units = write_units(load.row_bytes) + _content_units(load.row_bytes, settings)
    needed = math.ceil(load.per_second * units / limits.SCALING_TARGET)
    return min(settings.max_capacity, max(settings.write_capacity, needed))


def monthly_difference(load: Load, before: StackSettings, after: StackSettings) -> float:
    """Return the increase of the monthly bill after a change of the settings, in dollars.

    The bill contains neither the burst of the load nor Lambda's time for throttled writes.

    Args:
        load: the uploaded files.
        before: the settings before the change.
        after: the settings after the change.
    """
    return total(bill(load, after)) - total(bill(load, before))


def cheaper_when_provisioned(load: Load, settings: StackSettings) -> float:
    """Return the number of files per day above which provisioned capacity costs less than on-demand capacity.

    Args:
        load: the size of a row.
        settings: the provisioned capacity, the table class and the projection of the index.
    """
    one_file = replace(load, per_day=1 / DAYS)
    provisioned, on_demand = (_Items(free_tier=False) for _ in range(2))
    _add_capacity(provisioned, one_file, replace(settings, billing=PROVISIONED))
    _add_capacity(on_demand, one_file, replace(settings, billing=ON_DEMAND))
    return total(provisioned.items) / total(on_demand.items) / DAYS


def s3_metadata(load: Load, *, months: int = MONTHS) -> float:
    """Return the monthly cost of S3 Metadata tables for the same files, as an alternative to this stack.

    The cost includes the journal table and the live inventory table, but not their storage.

    Args:
        load: the uploaded files.
        months: number of months for which files have been collected.
    """
    objects = load.per_day * DAYS * months
    inventory = prices.INVENTORY_OBJECTS.cost(objects) if objects > prices.INVENTORY_FREE_BELOW else 0.0
    return prices.JOURNAL_UPDATES.cost(load.per_day * DAYS) + inventory


def _add_capacity(items: _Items, load: Load, settings: StackSettings) -> None:
    table = prices.TABLE[settings.table_class]
    if settings.on_demand:
        for part, size in (
            ("table", load.row_bytes),
            ("index", index_bytes(load.row_bytes, settings.index_projection)),
        ):
            content = _content_units(load.row_bytes, settings) if part == "table" or size == load.row_bytes else 0
            units = (write_units(size) + content) * load.per_day * DAYS
            name = f"DynamoDB {part} writes"
            items.add(f"{part}_writes", name, table.write_requests, units, f"{units:,.0f} on-demand write units")
        reads = f"your queries cost ${table.read_requests.dollars:g} per million read units; not included"
        items.add("table_reads", "DynamoDB reads", table.read_requests, 0, reads)
        return
    for kind, price, provisioned in (
        ("write", table.write_unit_hours, provisioned_writes(load, settings)),
        ("read", table.read_unit_hours, settings.read_capacity),
    ):
        for part in ("table", "index"):
            quantity = f"{provisioned:,} provisioned {kind} units"
            items.add(f"{part}_{kind}s", f"DynamoDB {part} {kind}s", price, provisioned * HOURS, quantity)


def _add_storage(items: _Items, load: Load, settings: StackSettings, months: int) -> None:
    rows = load.per_day * DAYS * months
    price = prices.TABLE[settings.table_class].storage
    row_bytes = load.row_bytes + (CONTENT_BYTES if settings.inspect_content else 0)
    table, index = (
        rows * (size + ITEM_OVERHEAD_BYTES) / GB
        for size in (row_bytes, index_bytes(row_bytes, settings.index_projection))
    )
    months_of_rows = f"{months} months of rows" if months > 1 else "1 month of rows"
    items.add("table_storage", "DynamoDB table storage", price, table, f"{table:,.1f} GB, {months_of_rows}")
    quantity = f"{index:,.1f} GB, projection {settings.index_projection}"
    items.add("index_storage", "DynamoDB index storage", price, index, quantity)
    quantity = f"{table:,.1f} GB, point-in-time recovery"
    items.add("backup", "DynamoDB backup", prices.ROWS_BACKED_UP, table, quantity)


def _add_indexer(items: _Items, load: Load, settings: StackSettings) -> None:
    files = load.per_day * DAYS
    gb_seconds = files * service_seconds(settings) * settings.memory_mb / 1024
    duration = prices.LAMBDA_DURATION[settings.architecture]
    items.add("indexer_requests", "Lambda executions", prices.LAMBDA_REQUESTS, files, f"{files:,.0f}")
    quantity = f"{gb_seconds:,.0f} {duration.unit}"
    items.add("indexer_duration", "Lambda duration", duration, gb_seconds, quantity)
    items.add("s3_requests", "S3 HEAD", prices.HEADS, files, f"{files:,.0f} requests")
    lines = ACCESS_LOG_LINES + (limits.GETS_PER_FILE if settings.inspect_content else 0)
    stored = load.per_day * lines * ACCESS_LOG_LINE_BYTES * ACCESS_LOG_DAYS / GB
    quantity = f"{stored:,.1f} GB, {ACCESS_LOG_DAYS} days"
    items.add("access_logs", "S3 access logs", prices.OBJECTS_STORED, stored, quantity)


def _add_inspector(items: _Items, load: Load, settings: StackSettings) -> None:
    """Add the lines about the inspector. AWS does not charge for the requests of Lambda to the table's stream.

    Source: AWS documentation page "Evaluate your DynamoDB streams usage".
    """
    files = load.per_day * DAYS
    gb_seconds = files / settings.inspected_per_second * settings.inspector_lanes * limits.INSPECTOR_MEMORY_MB / 1024
    duration = prices.LAMBDA_DURATION[settings.architecture]
    quantity = f"at most {files:,.0f}: an execution can inspect ten files"
    items.add("inspector_requests", "Inspector executions", prices.LAMBDA_REQUESTS, files, quantity)
    quantity = f"{gb_seconds:,.0f} {duration.unit}"
    items.add("inspector_duration", "Inspector duration", duration, gb_seconds, quantity)
    gets = limits.GETS_PER_FILE * files
    items.add("inspector_reads", "S3 GET", prices.GETS, gets, f"{gets:,.0f} requests")


def _content_units(row_bytes: int, settings: StackSettings) -> int:
    """Return the write units for the content of a file, in the table or in an index with all attributes."""
    return write_units(row_bytes + CONTENT_BYTES) if settings.inspect_content else 0


def _add_logs(items: _Items, load: Load, settings: StackSettings, months: int) -> None:
    line_bytes = LAMBDA_LOG_BYTES + METRIC_LOG_BYTES + INDEXER_LOG_BYTES[settings.log_level]
    if settings.inspect_content:
        line_bytes += LAMBDA_LOG_BYTES + INSPECTOR_METRIC_LOG_BYTES + INSPECTOR_LOG_BYTES[settings.log_level]
    daily = load.per_day * line_bytes / GB
    stored = daily * min(settings.log_retention_days, months * DAYS) * LOG_COMPRESSED
    quantity = f"{daily * DAYS:,.1f} GB, logLevel {settings.log_level}"
    items.add("log_ingestion", "Log ingestion", prices.LOGS_INGESTED, daily * DAYS, quantity)
    quantity = f"{stored:,.1f} GB, {settings.log_retention_days} days, compressed"
    items.add("log_storage", "Log storage", prices.LOGS_STORED, stored, quantity)


def _traced_per_second(files: float) -> float:
    """Return the traces per second under X-Ray's default sampling rule, for files that arrive at random times."""
    first = 1 - math.exp(-files)
    return first + SAMPLED_SHARE * (files - first)
