"""Calculates the cost of table exports and Athena. Each assumption of the calculation is a constant in this module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from operations.planning import prices
from operations.planning.prices import GB

if TYPE_CHECKING:
    from operations.planning.prices import Price

EXPORTS_PER_MONTH = 4
"""Assumed number of table exports per month: one in each week, for a report."""
EXPORT_COMPRESSED = 0.2
"""Assumed size of the compressed files of an export relative to the rows in the table."""
QUERIES_PER_EXPORT = 20
"""Assumed number of queries in Athena for each export. Each query reads all files, because they have no columns."""


def export_lines(
    table_bytes: float, *, retention: int, kept_months: float
) -> Iterator[tuple[str, str, Price, float, str]]:
    """Yield part, name, price, units and quantity of each line of a bill about exports and Athena.

    The metrics of the workgroup and the Glue table cost nothing.

    Args:
        table_bytes: billed bytes of the table.
        retention: days until S3 deletes an export.
        kept_months: number of months whose exports exist.
    """
    exported, files = EXPORTS_PER_MONTH * table_bytes / GB, EXPORT_COMPRESSED * table_bytes
    stored = files / GB * EXPORTS_PER_MONTH * kept_months
    queries = EXPORTS_PER_MONTH * QUERIES_PER_EXPORT
    scanned = queries * max(files, prices.ATHENA_MINIMUM_BYTES)
    quantity = f"{exported:,.1f} GB, {EXPORTS_PER_MONTH} exports of the table"
    yield "exports", "DynamoDB exports", prices.ROWS_EXPORTED, exported, quantity
    quantity = f"{stored:,.1f} GB, {retention} days, compressed"
    yield "export_storage", "S3 exports", prices.OBJECTS_STORED, stored, quantity
    yield "athena", "Athena", prices.ATHENA_BYTES, scanned, f"{scanned / GB:,.1f} GB scanned by {queries} queries"
