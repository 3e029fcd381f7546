"""What is asked: a load, and the settings of the stack that is to carry it."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_code.retry import DEFAULT_POLICY, RetryPolicy
from operations.planning import limits
from operations.planning.distribution import Spread
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
class Timing:
    """How long things take: milliseconds, as (median, exceeded by one in a hundred)."""

    delivery: tuple[float, float] = limits.DELIVERY_MS
    head: tuple[float, float] = limits.HEAD_MS
    write: tuple[float, float] = limits.WRITE_MS
    init: tuple[float, float] = limits.INIT_MS
    own_cpu: float = limits.OWN_CPU_MS


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What can be chosen about a stack, and the account that it runs in."""

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
    timing: Timing = Timing()
    burst_capacity_seconds: float = limits.BURST_SECONDS  # DynamoDB's own; 0: do not count on it

    @property
    def concurrency(self) -> int:
        """The most executions at once."""
        return self.account_concurrency if self.reserved_concurrency is None else self.reserved_concurrency

    @property
    def own_ms(self) -> int:
        """What the function's own code takes for one event, at its share of a processor."""
        return round(self.timing.own_cpu * max(1.0, limits.CPU_MEMORY_MB / self.memory_mb))

    @property
    def most_capacity(self) -> int:
        """Write units that the table may come to."""
        return max(self.write_capacity, self.max_capacity or 0)

    def rows_per_second(self, row_bytes: int) -> float:
        """What the table can bear for good: what is provisioned, or what one day's partition of the index bears."""
        provisioned = limits.ON_DEMAND_UNITS if self.on_demand else self.most_capacity
        return min(provisioned, limits.PARTITION_UNITS) / write_units(row_bytes)


def service_seconds(settings: Settings) -> float:
    """What an execution takes on average when nothing is refused and its environment is there already."""
    timing = settings.timing
    return (settings.own_ms + Spread(*timing.head).mean + Spread(*timing.write).mean) / 1000


def bearable(load: Load, settings: Settings) -> float:
    """Files a second that neither the table nor the function can exceed for good."""
    return min(settings.rows_per_second(load.row_bytes), settings.concurrency / service_seconds(settings))


def overloaded(load: Load, settings: Settings) -> bool:
    """Whether the everyday load alone is more than can be borne, so that what waits only grows."""
    return load.per_second > bearable(load, settings)
