"""List prices of AWS in us-east-1, in US dollars, for the services that this stack uses.

Each price has the URL of the page of AWS that publishes it, and the month in which a copy or a quotation of this page,
or of AWS's price list, had this price. The prices were **not compared with the live price list**. Taxes, discounts and
savings plans are not included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

REGION = "us-east-1"
MILLION = 1_000_000
KIB, GB = 1024, 1024**3
"""Bytes in a KiB, and in the GB of AWS's prices, which has 1,024³ bytes."""
STANDARD, INFREQUENT_ACCESS = "standard", "infrequent-access"
ARM64, X86_64 = "arm64", "x86_64"


@dataclass(frozen=True)
class Price:
    """List price of one billed item.

    Attributes:
        dollars: the price of `per` units.
        per: number of units that cost `dollars`.
        unit: name of the unit.
        source: URL of the page that publishes the price.
        read: month in which the source had this price, as `YYYY-MM`.
        free: units per month in AWS's permanent free tier.
    """

    dollars: float
    per: float
    unit: str
    source: str
    read: str
    free: float = 0.0

    def cost(self, units: float) -> float:
        """Return the cost of a number of units in dollars, without the free tier."""
        return units * self.dollars / self.per


@dataclass(frozen=True, kw_only=True)
class TablePrices:
    """Prices of a table and its index, which depend on the table class."""

    write_unit_hours: Price
    read_unit_hours: Price
    write_requests: Price
    read_requests: Price
    storage: Price


@dataclass(frozen=True, kw_only=True)
class StorageClassPrice:
    """Price of one S3 storage class, with the bytes that S3 bills in addition to those of an object.

    Attributes:
        storage: price of the first 50 TB per month.
        least_bytes: smallest billed size of an object.
        index_bytes: additional bytes of each object at the price of the storage class.
        name_bytes: additional bytes of each object at the price of the class STANDARD.
    """

    storage: Price
    least_bytes: int = 0
    index_bytes: int = 0
    name_bytes: int = 0


_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_PROVISIONED = "https://aws.amazon.com/dynamodb/pricing/provisioned/"
_ON_DEMAND = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"
_S3 = "https://aws.amazon.com/s3/pricing/"
_KMS = "https://aws.amazon.com/kms/pricing/"
_XRAY = "https://aws.amazon.com/xray/pricing/"
MONTHS_READ = (_S3_READ, _LISTED, _KMS_READ, _CLOUDWATCH_READ) = ("2025-11", "2026-09", "2026-03", "2026-05")
_CLASSES_READ = "2026-03"

LAMBDA_REQUESTS = Price(0.20, MILLION, "executions", _LAMBDA, _LISTED, free=MILLION)
LAMBDA_DURATION: Mapping[str, Price] = {
    ARM64: Price(0.0000133334, 1, "GB-seconds on arm64", _LAMBDA, _LISTED, free=400_000),
    X86_64: Price(0.0000166667, 1, "GB-seconds on x86_64", _LAMBDA, _LISTED, free=400_000),
}
# The price of on-demand requests is half of the price before November 2024. The free tier covers only provisioned
# capacity and storage of the standard table class.
TABLE: Mapping[str, TablePrices] = {
    STANDARD: TablePrices(
        write_unit_hours=Price(0.00065, 1, "write unit hours", _PROVISIONED, _LISTED, free=25 * 730),
        read_unit_hours=Price(0.00013, 1, "read unit hours", _PROVISIONED, _LISTED, free=25 * 730),
        write_requests=Price(0.625, MILLION, "write request units", _ON_DEMAND, _LISTED),
        read_requests=Price(0.125, MILLION, "read request units", _ON_DEMAND, _LISTED),
        storage=Price(0.25, 1, "GB", _PROVISIONED, _LISTED, free=25),
    ),
    INFREQUENT_ACCESS: TablePrices(
        write_unit_hours=Price(0.00081, 1, "write unit hours", _PROVISIONED, _LISTED),
        read_unit_hours=Price(0.00016, 1, "read unit hours", _PROVISIONED, _LISTED),
        write_requests=Price(0.78, MILLION, "write request units", _ON_DEMAND, _LISTED),
        read_requests=Price(0.155, MILLION, "read request units", _ON_DEMAND, _LISTED),
        storage=Price(0.10, 1, "GB", _PROVISIONED, _LISTED),
    ),
}
ROWS_BACKED_UP = Price(0.20, 1, "GB of the table", _PROVISIONED, _LISTED)
ROWS_EXPORTED = Price(0.10, 1, "GB of the table", _PROVISIONED, _LISTED)
HEADS = Price(0.0004, 1000, "HEAD requests", _S3, _LISTED)
GETS = Price(0.0004, 1000, "GET requests", _S3, _LISTED)
OBJECTS_STORED = Price(0.023, 1, "GB", _S3, _LISTED)
# INTELLIGENT_TIERING has the price of its Frequent Access tier, the most expensive one. Monitoring is not included.
STORAGE_CLASSES: Mapping[str, StorageClassPrice] = {
    "STANDARD": StorageClassPrice(storage=OBJECTS_STORED),
    "INTELLIGENT_TIERING": StorageClassPrice(storage=Price(0.023, 1, "GB", _S3, _CLASSES_READ)),
    "STANDARD_IA": StorageClassPrice(storage=Price(0.0125, 1, "GB", _S3, _CLASSES_READ), least_bytes=128 * KIB),
    "ONEZONE_IA": StorageClassPrice(storage=Price(0.01, 1, "GB", _S3, _CLASSES_READ), least_bytes=128 * KIB),
    "GLACIER_IR": StorageClassPrice(storage=Price(0.004, 1, "GB", _S3, _CLASSES_READ), least_bytes=128 * KIB),
    "GLACIER": StorageClassPrice(
        storage=Price(0.0036, 1, "GB", _S3, _CLASSES_READ), index_bytes=32 * KIB, name_bytes=8 * KIB
    ),
    "DEEP_ARCHIVE": StorageClassPrice(
        storage=Price(0.00099, 1, "GB", _S3, _CLASSES_READ), index_bytes=32 * KIB, name_bytes=8 * KIB
    ),
}
LOGS_INGESTED = Price(0.50, 1, "GB", _CLOUDWATCH, _CLOUDWATCH_READ, free=5)
LOGS_STORED = Price(0.03, 1, "GB", _CLOUDWATCH, _CLOUDWATCH_READ)
METRICS = Price(0.30, 1, "metrics", _CLOUDWATCH, _CLOUDWATCH_READ, free=10)
ALARMS = Price(0.10, 1, "alarms", _CLOUDWATCH, _CLOUDWATCH_READ, free=10)
DASHBOARDS = Price(3.00, 1, "dashboards", _CLOUDWATCH, _CLOUDWATCH_READ, free=3)
TRACES = Price(5.00, MILLION, "traces", _XRAY, _CLOUDWATCH_READ, free=100_000)
# The events of S3 are "AWS opt-in data events" of the source, which cost as much as custom events; only management
# events are free. 64 KB are billed as one event, and each event of S3 is smaller.
EVENTS = Price(1.00, MILLION, "events of S3", "https://aws.amazon.com/eventbridge/pricing/", "2026-03")
INVENTORY_LISTED = Price(0.0025, MILLION, "object versions listed", _S3, _S3_READ)
KEYS = Price(1.00, 1, "customer managed keys", _KMS, _KMS_READ)
KEY_REQUESTS = Price(0.03, 10_000, "requests", _KMS, _KMS_READ, free=20_000)

# Athena bills at least 10 MB of each query, and no failed queries and no DDL statements.
ATHENA_BYTES = Price(5.00, 1024**4, "bytes scanned", "https://aws.amazon.com/athena/pricing/", _LISTED)
ATHENA_MINIMUM_BYTES = 10 * 1024**2

# The prices of S3 Metadata are for its journal table, and for the live inventory table of a bucket with more than a
# billion objects.
JOURNAL_UPDATES = Price(0.30, MILLION, "updates", _S3, _S3_READ)
INVENTORY_OBJECTS = Price(0.10, MILLION, "objects", _S3, _S3_READ)
INVENTORY_FREE_BELOW = 1_000_000_000
