"""Compares an S3 Inventory with the rows of the DynamoDB table. The data may exceed the memory.

The SQL conditions express the rules of operations/compare.py for the fields of an inventory. A version that satisfies a
condition is only a candidate for a difference: `Audit.confirm` applies the rules of operations/compare.py to it later.
Therefore, a condition may be true for a version without a difference, but must be true for each version with one.

The join uses hash values of keys, ETags and names instead of strings, so that each version needs about 100 bytes of
memory. Versions whose hash values collide become candidates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_code.events import NULL_VERSION
from lambda_code.update import CUSTOMER_KEY
from operations.analytics.engine import ROWS_AT_ONCE, literal, parquet
from operations.analytics.engine_errors import translated_errors
from operations.audit_report import Counts
from operations.compare import MARKER_SECONDS, NULL_MARKER_SECONDS, TRANSITIONS, DifferingKey
from operations.inventory.statements import (
    DIFFERING,
    DIFFERING_COUNTS,
    ENCRYPTION_RULE,
    ENCRYPTIONS,
    LISTED_COUNTS,
    MARKER_RULES,
    OBJECT_RULES,
    OUTCOME,
    OUTCOME_COUNTS,
    ROW_COUNTS,
    substituted,
)
from operations.output import count, time_text

if TYPE_CHECKING:
    from operations.analytics.engine import Engine
    from operations.inventory.files import Inventory
    from operations.listing import KeyFilter

UNSETTLED = timedelta(hours=48)
"""Period before the creation of an inventory. The inventory may lack changes of this period.

Source: Amazon S3 User Guide, "Amazon S3 Inventory". Inventories are eventually consistent: for up to two days, they may
lack new objects and contain deleted objects.
"""

CLOCK_TOLERANCE = timedelta(days=1)
"""A row is wrong if its time is later than the inventory and the export by more than this duration."""

MANY = 100_000
"""Number of possible differences above which the audit prints a note about the duration of their confirmation."""
USUAL_RATE = 200.0
"""Estimated number of keys per second that the audit compares again with requests to S3 and DynamoDB."""


@dataclass(kw_only=True)
class Comparison(Counts):
    """Result of the comparison of an inventory with the rows of the table.

    Attributes:
        limit: versions and rows of this time and later were not compared; `too_young` is their number.
        differing: number of object versions and delete markers that may differ from their rows.
        differing_keys: number of distinct object keys of these versions and markers.
    """

    limit: datetime
    differing: int
    differing_keys: int
    _engine: Engine

    def __iter__(self) -> Iterator[DifferingKey]:
        """Yield the object keys with possible differences in key order. Only one iteration can be active at a time."""
        for key, group in groupby(self._differing(), key=lambda each: each[0]):
            flags = {version_id: tuple(rest) for _, version_id, *rest in group}
            heads, unlisted = (frozenset(each for each, values in flags.items() if values[place]) for place in (0, 1))
            yield DifferingKey(key=key, versions=frozenset(flags), heads=heads, unlisted=unlisted)

    def notes(self) -> list[str]:
        """Return notes for the user about versions that were not compared, and about a large number of differences."""
        notes = []
        if self.too_young:
            notes.append(
                f"note: the audit did not compare {count(self.too_young, 'change')} after {time_text(self.limit)}, "
                "because an inventory can lack changes of the 48 hours before its creation. A later inventory contains "
                "these changes"
            )
        if self.differing > MANY:
            notes.append(
                f"note: {self.differing:,} versions of {count(self.differing_keys, 'key')} differ between the "
                "inventory and the rows. To confirm the differences, the audit reads each key again in S3 and in the "
                "table. If most objects have no row, `backfill --invoke` creates the rows faster than --repair"
            )
        return notes

    def duration(self, read_rate: float | None) -> str:
        """Return a note about the duration of the confirmation, or an empty string if there are few differences.

        Args:
            read_rate: limit of DynamoDB read units per second; each key consumes at least one. None for no limit.
        """
        if self.differing <= MANY:
            return ""
        rate = min(read_rate or math.inf, USUAL_RATE)
        hours = self.differing_keys / rate / 3600
        return (
            f"note: the audit reads {count(self.differing_keys, 'key')} again, about {rate:,.0f} per second. This "
            f"takes about {hours:,.1f} hours. Ctrl-C ends the audit without a result"
        )

    def _differing(self) -> Iterator[tuple[Any, ...]]:
        with translated_errors("read the differences"):
            cursor = self._engine.execute("SELECT * FROM differing ORDER BY key, version_id")
            while batch := cursor.fetchmany(ROWS_AT_ONCE):
                yield from batch


def differing(
    engine: Engine,
    inventory_path: Path,
    rows_path: Path,
    *,
    inventory: Inventory,
    exported: datetime | None = None,
    prefix: str,
    key_filter: KeyFilter,
) -> Comparison:
    """Compare the object versions in an inventory with the rows of the same bucket.

    Args:
        engine: DuckDB engine whose method `open` was not called.
        inventory_path: Parquet file that the function `load` has written.
        rows_path: Parquet file with the relation `objects`.
        inventory: content of the inventory's manifest.
        exported: time of the rows; None if the rows are not older than the inventory.
        prefix: prefix of the object keys to compare.
        key_filter: filter of the object keys that the stack indexes.

    Raises:
        OperatorError: DuckDB cannot read a file, or has too little memory or disk space.
    """
    limit = min(inventory.created - UNSETTLED, exported or inventory.created)
    latest = max(inventory.created, exported or inventory.created) + CLOCK_TOLERANCE
    texts = {
        "inventory": parquet(inventory_path),
        "rows": parquet(rows_path),
        "object_prefix": literal(f"{inventory.bucket}/"),
        "bucket": literal(inventory.bucket),
        "in_prefix": f"starts_with(key, {literal(prefix)})",
        "indexed": _indexed(key_filter),
        "null": literal(NULL_VERSION),
        "customer_key": literal(CUSTOMER_KEY),
        "encryption": _mapped("encryption", {name: literal(value) for name, value in ENCRYPTIONS.items()}),
        "place": _mapped("storage_class", {name: str(place) for name, place in TRANSITIONS.items()}),
        "limit": _time(limit),
        "latest": _time(latest),
        "object_differs": " OR ".join(rule for field, rule in OBJECT_RULES if field in {*inventory.fields, ""}),
        "marker_differs": " OR ".join(rule for field, rule in MARKER_RULES if field in {*inventory.fields, ""}),
        "encryption_differs": ENCRYPTION_RULE if "encryption" in inventory.fields else "false",
        "null_seconds": str(NULL_MARKER_SECONDS),
        "seconds": str(MARKER_SECONDS),
    }

    def run(sql: str) -> dict[str, Any]:
        cursor = engine.execute(substituted(sql, texts))
        names = [each[0] for each in cursor.description or ()]
        return dict(zip(names, cursor.fetchone() or (), strict=True))

    with translated_errors("compare the inventory with the rows"):
        for statement in (OUTCOME, DIFFERING):
            engine.execute(substituted(statement, texts))
        counts = run(LISTED_COUNTS) | run(ROW_COUNTS) | run(OUTCOME_COUNTS) | run(DIFFERING_COUNTS)
    young_versions, young_markers = counts.pop("young_versions"), counts.pop("young_markers")
    counts["versions"] -= young_versions
    counts["markers"] -= young_markers
    return Comparison(limit=limit, _engine=engine, **counts)


def _time(time: datetime) -> str:
    return f"TIMESTAMP '{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"


def _mapped(column: str, values: dict[str, str]) -> str:
    cases = " ".join(f"WHEN {literal(name)} THEN {value}" for name, value in values.items())
    return f"CASE {column} {cases} END"


def _indexed(key_filter: KeyFilter) -> str:
    if key_filter.rules is None:
        return "true"
    rules = (
        f"(starts_with(key, {literal(prefix)}) AND ends_with(key, {literal(suffix)}))"
        for prefix, suffix in key_filter.rules
    )
    return f"({' OR '.join(rules)})"
