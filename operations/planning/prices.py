"""List prices of AWS in us-east-1, in US dollars, for the services that this stack uses.

The prices come from documentation and copies of AWS's price pages, and were **not checked against the live price
list**. Taxes, discounts and savings plans are not included.
"""

from __future__ import annotations

from dataclasses import dataclass

REGION = "us-east-1"
MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """List price of one billed item.

    Attributes:
        dollars: the price of `per` units.
        per: number of units that cost `dollars`.
        unit: name of the unit.
        page: title of the price page.
        read: month in which the page had this price, as `YYYY-MM`.
        free: units per month in AWS's permanent free tier.
    """

    dollars: float
    per: float
    unit: str
    page: str
    read: str
    free: float = 0.0

    def cost(self, units: float, *, free_tier: bool) -> float:
        """Return the cost in dollars per month.

        Args:
            units: number of units per month.
            free_tier: whether to subtract the permanent free tier.
        """
        billed = max(0.0, units - self.free) if free_tier else units
        return billed * self.dollars / self.per


_LAMBDA = "AWS Lambda pricing"
_DYNAMODB_PROVISIONED = "Pricing for Provisioned Capacity, Amazon DynamoDB"
_DYNAMODB_ON_DEMAND = "Pricing for On-Demand Capacity, Amazon DynamoDB"
_CLOUDWATCH = "Amazon CloudWatch pricing"
_S3 = "Amazon S3 pricing"
_S3_READ = "2025-11"
_QUOTED = "2026-09"
_CLOUDWATCH_READ = "2026-05"

LAMBDA_REQUESTS = Price(0.20, MILLION, "executions", _LAMBDA, _QUOTED, free=MILLION)
LAMBDA_DURATION = Price(0.0000133334, 1, "GB-seconds on arm64", _LAMBDA, _QUOTED, free=400_000)
WRITE_UNIT_HOURS = Price(0.00065, 1, "write unit hours", _DYNAMODB_PROVISIONED, _QUOTED, free=25 * 730)
READ_UNIT_HOURS = Price(0.00013, 1, "read unit hours", _DYNAMODB_PROVISIONED, _QUOTED, free=25 * 730)
WRITE_REQUESTS = Price(0.625, MILLION, "write request units", _DYNAMODB_ON_DEMAND, _QUOTED)
ROWS_STORED = Price(0.25, 1, "GB", _DYNAMODB_PROVISIONED, _QUOTED, free=25)
ROWS_BACKED_UP = Price(0.20, 1, "GB of the table", _DYNAMODB_PROVISIONED, _QUOTED)
HEADS = Price(0.0004, 1000, "HEAD requests", _S3, _S3_READ)
OBJECTS_STORED = Price(0.023, 1, "GB", _S3, _S3_READ)
LOGS_INGESTED = Price(0.50, 1, "GB", _CLOUDWATCH, _CLOUDWATCH_READ, free=5)
LOGS_STORED = Price(0.03, 1, "GB", _CLOUDWATCH, _CLOUDWATCH_READ)
METRICS = Price(0.30, 1, "metrics", _CLOUDWATCH, _CLOUDWATCH_READ, free=10)
ALARMS = Price(0.10, 1, "alarms", _CLOUDWATCH, _CLOUDWATCH_READ, free=10)
DASHBOARDS = Price(3.00, 1, "dashboards", _CLOUDWATCH, _CLOUDWATCH_READ, free=3)
TRACES = Price(5.00, MILLION, "traces", "AWS X-Ray pricing", _CLOUDWATCH_READ, free=100_000)

# The prices of S3 Metadata are for its journal table, and for the live inventory table of a bucket with more than a
# billion objects.
JOURNAL_UPDATES = Price(0.30, MILLION, "updates", _S3, _S3_READ)
INVENTORY_OBJECTS = Price(0.10, MILLION, "objects", _S3, _S3_READ)
INVENTORY_FREE_BELOW = 1_000_000_000
