"""Scenario of a simulation: the load, and the settings of the stack."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lambda_common.retry import DEFAULT_POLICY, RetryPolicy
from operations.planning import limits
from operations.planning.distribution import Distribution
from operations.planning.prices import ARM64, STANDARD
from operations.planning.table import ALL, CONTENT_BYTES, index_bytes, write_units

DAY_SECONDS = 86_400
PROVISIONED, ON_DEMAND = "provisioned", "on-demand"

# These defaults, and those of StackSettings, must be equal to those of tap_stack.py, which this package must not
# import. A test compares them.
WRITE_CAPACITY = READ_CAPACITY = 100
ASYNC_RETRIES = 2


@dataclass(frozen=True, kw_only=True)
class Load:
    """Uploaded files of a scenario: an everyday load with a constant mean rate, and optionally a burst in addition.

    Attributes:
        per_day: files per day, without the burst.
        burst_rate: additional files per second during the burst.
        burst_seconds: duration of the burst.
        row_bytes: size of each row in the table.
    """

    per_day: float
    burst_rate: float = 0.0
    burst_seconds: float = 0.0
    row_bytes: int = 600

    @property
    def per_second(self) -> float:
        """Mean number of files per second, without the burst."""
        return self.per_day / DAY_SECONDS

    @property
    def burst_files(self) -> float:
        """Number of files of the burst."""
        return self.burst_rate * self.burst_seconds


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Durations in milliseconds, as pairs (median, 99th percentile).

    Attributes:
        delivery: from an upload to Lambda's queue.
        head: S3's HeadObject.
        write: DynamoDB's UpdateItem.
        init: cold start of the indexer.
        stream: from the write of a row to the invocation of the inspector.
        inspect: inspection of one file without the write of its content.
        cpu_ms: constant duration of the indexer's own code for one event, with one full vCPU.
    """

    delivery: tuple[float, float] = limits.DELIVERY_MS
    head: tuple[float, float] = limits.HEAD_MS
    write: tuple[float, float] = limits.WRITE_MS
    init: tuple[float, float] = limits.INIT_MS
    stream: tuple[float, float] = limits.STREAM_MS
    inspect: tuple[float, float] = limits.INSPECT_MS
    cpu_ms: float = limits.FUNCTION_CPU_MS


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """Configuration of a stack and of its AWS account.

    An attribute that is a configuration key of the stack has the key's name in snake case, its values and its default.

    Attributes:
        billing: capacity mode of the table and its index, `provisioned` or `on-demand`.
        write_capacity: provisioned write units of the table, and of its index.
        read_capacity: provisioned read units of the table, and of its index.
        max_capacity: maximum read and write units of auto scaling; None if auto scaling is off.
        max_on_demand_writes: maximum write units per second of an on-demand table; None for AWS's quota.
        table_class: table class, `standard` or `infrequent-access`.
        index_projection: attributes in the index, `all` or `keys-only`.
        architecture: processor architecture of the indexer, `arm64` or `x86_64`.
        reserved_concurrency: reserved concurrency of the indexer; None to use the account's concurrency.
        customer_key: whether a customer managed KMS key encrypts the stack (`kmsKeyArn`).
        upload_alarm: whether the stack has an alarm for missing uploads (`expectUploadEveryHours`).
        audit_alarm: whether the stack has an alarm for missing audits (`expectAuditEveryHours`).
        existing_buckets: number of buckets that the stack indexes but does not own (`existingBuckets`).
        event_bridge: whether the upload bucket sends its events to EventBridge too (`eventBridge`).
        inventory: whether S3 lists the versions of the upload bucket daily (`inventory`).
        analytics: whether the stack has an export bucket and an Athena workgroup (`analytics`).
        export_retention_days: days until S3 deletes an export (`exportRetentionDays`).
        inspect_content: whether the inspector writes the content of each object into its row (`inspectContent`).
        mismatch_alarm: whether the stack has an alarm for misleading types (`alarmOnMismatch`).
        async_retries: retries of a failed event by Lambda.
        event_age_seconds: maximum event age.
        retry_policy: the indexer's retries of one AWS call.
        burst_capacity_seconds: seconds of unused capacity that DynamoDB keeps; 0 to simulate none.
    """

    billing: str = PROVISIONED
    write_capacity: int = WRITE_CAPACITY
    read_capacity: int = READ_CAPACITY
    max_capacity: int | None = None
    max_on_demand_reads: int | None = None
    max_on_demand_writes: int | None = None
    table_class: str = STANDARD
    index_projection: str = ALL
    architecture: str = ARM64
    log_level: str = "INFO"
    log_retention_days: int = 30
    customer_key: bool = False
    upload_alarm: bool = False
    audit_alarm: bool = False
    existing_buckets: int = 0
    event_bridge: bool = False
    analytics: bool = False
    export_retention_days: int = 30
    inventory: bool = False
    inspect_content: bool = True
    mismatch_alarm: bool = False
    account_concurrency: int = limits.ACCOUNT_CONCURRENCY
    reserved_concurrency: int | None = None
    memory_mb: int = 512
    timeout_seconds: int = 600
    async_retries: int = ASYNC_RETRIES
    event_age_seconds: int = limits.EVENT_AGE_SECONDS
    retry_policy: RetryPolicy = DEFAULT_POLICY
    latencies: Latencies = Latencies()
    burst_capacity_seconds: float = limits.BURST_SECONDS

    @property
    def on_demand(self) -> bool:
        """Whether the table and its index use on-demand capacity."""
        return self.billing == ON_DEMAND

    @property
    def concurrency(self) -> int:
        """Maximum number of concurrent executions of the indexer."""
        return self.account_concurrency if self.reserved_concurrency is None else self.reserved_concurrency

    @property
    def function_ms(self) -> int:
        """Run time of the indexer's own code per event, in milliseconds. Less than 1,769 MB of memory increases it."""
        return round(self.latencies.cpu_ms * max(1.0, limits.CPU_MEMORY_MB / self.memory_mb))

    @property
    def max_on_demand_capacity(self) -> int:
        """Maximum write units per second of the table with on-demand capacity, after any number of doublings."""
        return self.max_on_demand_writes or limits.MAX_ON_DEMAND_UNITS

    @property
    def max_write_capacity(self) -> int:
        """Maximum write units per second of the table, including auto scaling.

        With on-demand capacity, these are the units of a new table, which has not doubled its capacity yet.
        """
        if self.on_demand:
            return min(limits.ON_DEMAND_UNITS, self.max_on_demand_capacity)
        return max(self.write_capacity, self.max_capacity or 0)

    @property
    def inspector_lanes(self) -> int:
        """Number of files that the inspector processes at the same time: ten for each shard of the table's stream.

        A stream has about one shard for each partition of the table.
        """
        return limits.LANES_PER_SHARD * max(1, math.ceil(self.max_write_capacity / limits.PARTITION_UNITS))

    @property
    def inspected_per_second(self) -> float:
        """Highest number of files per second that the inspector can process, without throttled writes."""
        latencies = self.latencies
        seconds = (Distribution(*latencies.inspect).mean + Distribution(*latencies.write).mean) / 1000
        return self.inspector_lanes / seconds

    def rows_per_second(self, row_bytes: int) -> float:
        """Return the rows per second that the table and the current day's partition of its index can write."""
        units = self.max_write_capacity
        index_units = write_units(index_bytes(row_bytes, self.index_projection))
        return min(units / write_units(row_bytes), min(units, limits.PARTITION_UNITS) / index_units)

    def contents_per_second(self, row_bytes: int) -> float:
        """Return the rows per second that the inspector can process, and that the table can write with their content.

        Args:
            row_bytes: size of a row without content.
        """
        units, content = self.max_write_capacity, write_units(row_bytes + CONTENT_BYTES)
        index_units = write_units(index_bytes(row_bytes, self.index_projection))
        index_units += content if self.index_projection == ALL else 0
        written = min(units / (write_units(row_bytes) + content), min(units, limits.PARTITION_UNITS) / index_units)
        return min(written, self.inspected_per_second)


def service_seconds(settings: StackSettings) -> float:
    """Return the mean duration in seconds of an execution without throttled writes and without a cold start."""
    latencies = settings.latencies
    return (settings.function_ms + Distribution(*latencies.head).mean + Distribution(*latencies.write).mean) / 1000


def sustainable_rate(load: Load, settings: StackSettings) -> float:
    """Return the highest rate, in files per second, that both the table and Lambda can process.

    Args:
        load: the size of a row.
        settings: the settings of the stack.
    """
    return min(settings.rows_per_second(load.row_bytes), settings.concurrency / service_seconds(settings))


def overloaded(load: Load, settings: StackSettings) -> bool:
    """Return whether the load without its burst exceeds the sustainable rate, so that the backlog only grows.

    Args:
        load: the uploaded files.
        settings: the settings of the stack.
    """
    return load.per_second > sustainable_rate(load, settings)
