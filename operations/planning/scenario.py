"""The scenario of a simulation: a load, and the settings of the stack."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_code.retry import DEFAULT_POLICY, RetryPolicy
from operations.planning import limits
from operations.planning.distribution import Distribution
from operations.planning.table import write_units

DAY_SECONDS = 86_400

# The stack's defaults; a test holds them against its program, which an operator's tool must not import.
WRITE_CAPACITY = READ_CAPACITY = 100
MEMORY_MB = 512
TIMEOUT_SECONDS = 600
ASYNC_RETRIES = 2


@dataclass(frozen=True, kw_only=True)
class Load:
    """Files that arrive: evenly over the day, and a burst on top of that."""

    per_day: float
    burst_rate: float = 0.0  # files a second
    burst_seconds: float = 0.0
    row_bytes: int = 600

    @property
    def per_second(self) -> float:
        """Files a second, without the burst."""
        return self.per_day / DAY_SECONDS

    @property
    def burst_files(self) -> float:
        """Files of the burst."""
        return self.burst_rate * self.burst_seconds


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Durations in milliseconds, as (median, 99th percentile)."""

    delivery: tuple[float, float] = limits.DELIVERY_MS
    head: tuple[float, float] = limits.HEAD_MS
    write: tuple[float, float] = limits.WRITE_MS
    init: tuple[float, float] = limits.INIT_MS
    cpu_ms: float = limits.FUNCTION_CPU_MS


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """The configuration of a stack and of its account."""

    write_capacity: int = WRITE_CAPACITY
    max_capacity: int | None = None  # ceiling of autoscaling; None: off
    on_demand: bool = False
    account_concurrency: int = limits.ACCOUNT_CONCURRENCY
    reserved_concurrency: int | None = None
    memory_mb: int = MEMORY_MB
    timeout_seconds: int = TIMEOUT_SECONDS
    async_retries: int = ASYNC_RETRIES
    event_age_seconds: int = limits.EVENT_AGE_SECONDS
    retry_policy: RetryPolicy = DEFAULT_POLICY
    latencies: Latencies = Latencies()
    burst_capacity_seconds: float = limits.BURST_SECONDS  # DynamoDB's own; 0: do not count on it

    @property
    def concurrency(self) -> int:
        """The most executions at once."""
        return self.account_concurrency if self.reserved_concurrency is None else self.reserved_concurrency

    @property
    def function_ms(self) -> int:
        """Milliseconds of the function's own code for one event, at its share of a processor."""
        return round(self.latencies.cpu_ms * max(1.0, limits.CPU_MEMORY_MB / self.memory_mb))

    @property
    def max_write_capacity(self) -> int:
        """The most write units that the table may have."""
        return max(self.write_capacity, self.max_capacity or 0)

    def rows_per_second(self, row_bytes: int) -> float:
        """Return the rows a second that the table and one day's partition of its index sustain."""
        provisioned = limits.ON_DEMAND_UNITS if self.on_demand else self.max_write_capacity
        return min(provisioned, limits.PARTITION_UNITS) / write_units(row_bytes)


def service_seconds(settings: StackSettings) -> float:
    """Return the mean seconds of an execution whose writes are not refused, in an environment that exists."""
    latencies = settings.latencies
    return (settings.function_ms + Distribution(*latencies.head).mean + Distribution(*latencies.write).mean) / 1000


def sustainable_rate(load: Load, settings: StackSettings) -> float:
    """Return the files a second that both the table and the function sustain."""
    return min(settings.rows_per_second(load.row_bytes), settings.concurrency / service_seconds(settings))


def overloaded(load: Load, settings: StackSettings) -> bool:
    """Return whether the everyday load alone exceeds the sustainable rate, so that the backlog only grows."""
    return load.per_second > sustainable_rate(load, settings)
