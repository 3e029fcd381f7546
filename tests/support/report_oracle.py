"""Test oracle: calculates the expected report in Python from the versions of generated buckets, without SQL."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from operations.planning.prices import STORAGE_CLASSES
from tests.support.generated_bucket import GeneratedBucket, ListedVersion

Row = dict[str, Any]
Selects = Callable[[ListedVersion, datetime], bool]
"""Function that returns whether the report's filters select a version with a time of its upload or deletion."""
Names = Mapping[str, Callable[[ListedVersion], Any]]
"""Maps the columns of a GROUP BY clause to functions that return the value for a version."""

LIMITS = (1, 131072, 1048576, 16777216, 134217728, 1073741824, 5368709121)
"""Smallest size in bytes of each size class, except for the class that begins with 0."""
SHORT_CHECKSUMS = ("CRC32", "CRC32C")


class Expected:
    """Calculates the expected rows of each named query of the report.

    Args:
        buckets: generated buckets. Each of their versions has a row.
        selects: function that returns whether the report's filters select a version. The default selects all.
    """

    def __init__(self, buckets: Sequence[GeneratedBucket], selects: Selects = lambda _version, _time: True) -> None:
        listed = [each for bucket in buckets for each in bucket.versions() if selects(each[0], each[0].last_modified)]
        self.latest = [version for version, latest in listed if latest and not version.marker]
        self.existing = [version for version, _ in listed if not version.marker]
        self.old = [version for version, latest in listed if not latest and not version.marker]
        self.markers = [version for version, _ in listed if version.marker]
        ever = [version for bucket in buckets for version in bucket.ever.values()]
        self.ever = [each for each in ever if selects(each, each.last_modified)]
        self.removed = [each for each in ever if each.deleted and selects(each, each.deleted[0])]

    def tables(self) -> dict[str, list[Row]]:
        """Return the expected rows of each query, in the order of the report."""
        methods = (name for name in dir(self) if not name.startswith("_") and name not in {"tables", "totals"})
        return {name: getattr(self, name)() for name in methods if callable(getattr(self, name))}

    def totals(self) -> Row:
        deleted = [each for each in self.ever if each.deleted]
        mismatched = [each for each in self.latest if each.mismatch]
        unread = [each for each in self.existing if each.content is None]
        return {
            "index_rows": len(self.ever),
            "objects": len(self.latest),
            "bytes": _bytes(self.latest),
            "noncurrent_versions": len(self.old),
            "noncurrent_bytes": _bytes(self.old),
            "delete_markers": len(self.markers),
            "delete_marker_bytes": sum(len(each.key.encode()) for each in self.markers),
            "deleted_versions": sum(not each.marker for each in deleted),
            "deleted_bytes": _bytes(deleted),
            "removed_delete_markers": sum(each.marker for each in deleted),
            "versions_without_size": 0,
            "objects_with_size": len(self.latest),
            "objects_with_time": len(self.latest),
            "mismatched_objects": len(mismatched),
            "mismatched_bytes": _bytes(mismatched),
            "versions_without_content": len(unread),
            "bytes_without_content": _bytes(unread),
        }

    def uploads_by_day(self) -> list[Row]:
        return self._uploads("upload_day", lambda each: each.last_modified.date())

    def uploads_by_month(self) -> list[Row]:
        return self._uploads("upload_month", lambda each: each.last_modified.date().replace(day=1))

    def detected_types(self) -> list[Row]:
        return _largest_first(_grouped(self.latest, {"detected_type": lambda each: each.content}))

    def types(self) -> list[Row]:
        def declared(each: ListedVersion) -> str:
            return each.content_type.split(";", maxsplit=1)[0].strip(" ").lower()

        return _largest_first(
            _grouped(
                self.latest,
                {"detected_type": lambda each: each.content, "declared_type": declared},
                {"mismatched_objects": lambda found: sum(each.mismatch for each in found)},
            )
        )

    def extensions(self) -> list[Row]:
        return _largest_first(_grouped(self.latest, {"extension": _extension}))

    def prefixes(self) -> list[Row]:
        def prefix(each: ListedVersion) -> str:
            place = each.key.find("/")
            return each.key[: place + 1]

        return self._with_noncurrent({"bucket": lambda each: each.bucket, "prefix": prefix})

    def size_classes(self) -> list[Row]:
        def smallest(each: ListedVersion) -> int:
            return max((limit for limit in LIMITS if limit <= (each.size or 0)), default=0)

        return sorted(_grouped(self.latest, {"from_bytes": smallest}), key=lambda row: row["from_bytes"])

    def storage_classes(self) -> list[Row]:
        return self._with_noncurrent({"storage_class": lambda each: each.storage_class})

    def largest(self) -> list[Row]:
        return [_object(each) for each in sorted(self.latest, key=lambda each: (-(each.size or 0), _address(each)))]

    def newest(self) -> list[Row]:
        found = sorted(self.latest, key=lambda each: (-each.last_modified.timestamp(), _address(each)))
        return [_object(each) for each in found]

    def duplicates(self) -> list[Row]:
        groups: dict[tuple[tuple[str, str, str], int], list[ListedVersion]] = defaultdict(list)
        for each in self.latest:
            if each.size and each.checksum and _checksum_kind(each) == "full object":
                groups[each.checksum, each.size].append(each)
        rows = [
            {
                "checksum_algorithm": checksum[0],
                "checksum_value": checksum[1],
                "size_bytes": size,
                "objects": len(found),
                "wasted_bytes": size * (len(found) - 1),
                "first_object": min((f"{each.bucket}/{each.key}" for each in found), key=str.encode),
            }
            for (checksum, size), found in groups.items()
            if len(found) > 1
        ]
        names = ("checksum_algorithm", "checksum_value")
        return sorted(rows, key=lambda row: (-row["wasted_bytes"], -row["objects"], *(row[name] for name in names)))

    def checksums(self) -> list[Row]:
        rows = []
        for kind in ("32 bits", "composite", "full object", "none"):
            found = [each for each in self.latest if each.size and _checksum_kind(each) == kind]
            groups: dict[Hashable, list[ListedVersion]] = defaultdict(list)
            for each in found:
                if each.checksum:
                    groups[each.checksum[:2], each.size].append(each)
            repeated = [group for group in groups.values() if len(group) > 1]
            row = {
                "checksum": kind,
                "objects": len(found),
                "bytes": _bytes(found),
                "groups_of_equals": len(repeated),
                "extra_objects": sum(len(group) - 1 for group in repeated),
                "wasted_bytes": sum(_bytes(group[1:]) for group in repeated),
            }
            rows += [row] * bool(found)
        return rows

    def mismatched(self) -> list[Row]:
        found = sorted((each for each in self.latest if each.mismatch), key=_address)
        return [
            {
                **{name: value for name, value in _object(each).items() if name != "uploaded_at"},
                "detected_type": each.content,
                "extension": _extension(each),
            }
            for each in found
        ]

    def noncurrent(self) -> list[Row]:
        rows = []
        for kind, found in (("delete marker", self.markers), ("noncurrent version", self.old)):
            for bucket in {each.bucket for each in found}:
                those = [each for each in found if each.bucket == bucket]
                sizes = (len(each.key.encode()) if each.size is None else each.size for each in those)
                oldest = _naive(min(each.last_modified for each in those))
                rows.append(
                    {"bucket": bucket, "kind": kind, "versions": len(those), "bytes": sum(sizes), "oldest": oldest}
                )
        return sorted(rows, key=lambda row: (-row["bytes"], -row["versions"], row["bucket"], row["kind"]))

    def noncurrent_prices(self) -> list[Row]:
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for each in self.markers:
            groups["STANDARD", "delete marker"].append(len(each.key.encode()))
        for each in self.old:
            groups[each.storage_class, "noncurrent version"].append(each.size or 0)
        rows = []
        for (name, kind), sizes in groups.items():
            row: Row = {"storage_class": name, "kind": kind, "versions": len(sizes), "bytes": sum(sizes)}
            billed = dollars = None
            if name in STORAGE_CLASSES:
                price, standard = STORAGE_CLASSES[name], STORAGE_CLASSES["STANDARD"].storage.dollars
                of_class = sum(max(size, price.least_bytes) + price.index_bytes for size in sizes)
                of_names = price.name_bytes * len(sizes)
                billed = of_class + of_names
                dollars = (of_class * price.storage.dollars + of_names * standard) / 2**30
            rows.append(row | {"billed_bytes": billed, "dollars_per_month": dollars})
        rows.sort(key=lambda row: (-row["versions"], row["storage_class"].encode(), row["kind"]))
        last = -1.0  # sorts rows without a price after all prices
        return sorted(
            rows, key=lambda row: last if row["dollars_per_month"] is None else row["dollars_per_month"], reverse=True
        )

    def without_content(self) -> list[Row]:
        rows = _grouped(
            [each for each in self.existing if each.content is None],
            {
                "bucket": lambda each: each.bucket,
                "storage_class": lambda each: each.storage_class,
                "encryption": lambda _: None,
            },
            count="versions",
        )
        return sorted(rows, key=lambda row: (-row["versions"], -row["bytes"], row["bucket"], row["storage_class"]))

    def delay(self) -> list[Row]:
        rows = []
        for source in ("event", "null version", "tool"):
            found = [each for each in self.existing if each.written_from == source]
            delays = sorted(round((each.processed_at - each.last_modified).total_seconds() * 1000) for each in found)
            if delays:
                p50, p95 = (delays[math.ceil(len(delays) * percent / 100) - 1] for percent in (50, 95))
                rows.append(
                    {"written_from": source, "versions": len(found), "p50_ms": p50, "p95_ms": p95, "max_ms": delays[-1]}
                )
        return rows

    def deletions(self) -> list[Row]:
        rows = []
        principals = {each.deleted[1] for each in self.removed if each.deleted}
        for principal in principals:
            found = [each for each in self.removed if each.deleted and each.deleted[1] == principal]
            times = [_naive(each.deleted[0]) for each in found if each.deleted]
            rows.append(
                {
                    "deleted_by": principal,
                    "versions": sum(not each.marker for each in found),
                    "bytes": _bytes(found),
                    "delete_markers": sum(each.marker for each in found),
                    "first_deletion": min(times),
                    "last_deletion": max(times),
                }
            )
        return sorted(rows, key=lambda row: (-row["versions"], -row["delete_markers"], row["deleted_by"].encode()))

    def _uploads(self, name: str, period: Callable[[ListedVersion], Any]) -> list[Row]:
        uploads = [each for each in self.ever if not each.marker]
        current = {(each.bucket, each.key, each.version_id) for each in self.latest}

        def now(found: list[ListedVersion]) -> list[ListedVersion]:
            return [each for each in found if (each.bucket, each.key, each.version_id) in current]

        further = {"objects": lambda found: len(now(found)), "object_bytes": lambda found: _bytes(now(found))}
        rows = _grouped(uploads, {name: period}, further, count="versions")
        return sorted(rows, key=lambda row: row[name], reverse=True)

    def _with_noncurrent(self, names: Names) -> list[Row]:
        current = {id(each) for each in self.latest}
        rows = []
        for row in _grouped(self.existing, names):
            found = [each for each in self.existing if all(get(each) == row[name] for name, get in names.items())]
            now = [each for each in found if id(each) in current]
            old = [each for each in found if id(each) not in current]
            rows.append(
                row
                | {"objects": len(now), "bytes": _bytes(now)}
                | {"noncurrent_versions": len(old), "noncurrent_bytes": _bytes(old)}
            )
        return sorted(
            rows,
            key=lambda row: (
                *(-row["bytes"], -row["objects"], -row["noncurrent_bytes"]),
                *(str(row[name]).encode() for name in names),
            ),
        )


def _grouped(
    versions: Iterable[ListedVersion],
    names: Names,
    further: Mapping[str, Callable[[list[ListedVersion]], int]] | None = None,
    *,
    count: str = "objects",
) -> list[Row]:
    groups: dict[tuple[Any, ...], list[ListedVersion]] = defaultdict(list)
    for each in versions:
        groups[tuple(get(each) for get in names.values())].append(each)
    return [
        dict(zip(names, values, strict=True))
        | {count: len(found), "bytes": _bytes(found)}
        | {name: calculate(found) for name, calculate in (further or {}).items()}
        for values, found in groups.items()
    ]


def _largest_first(rows: list[Row]) -> list[Row]:
    """Sort groups by bytes and number of objects, largest first, and then by name, with missing names last."""
    texts = [name for name, value in (rows[0] if rows else {}).items() if name not in {"objects", "bytes"}]

    def key(row: Row) -> tuple[Any, ...]:
        return (-row["bytes"], -row["objects"], *((row[name] is None, str(row[name]).encode()) for name in texts))

    return sorted(rows, key=key)


def _checksum_kind(version: ListedVersion) -> str:
    if version.checksum is None:
        return "none"
    if version.checksum[2] == "COMPOSITE":
        return "composite"
    return "32 bits" if version.checksum[0] in SHORT_CHECKSUMS else "full object"


def _object(version: ListedVersion) -> Row:
    return {
        "bucket": version.bucket,
        "key": version.key,
        "size_bytes": version.size,
        "content_type": version.content_type,
        "uploaded_at": _naive(version.last_modified),
        "version_id": version.version_id,
    }


def _extension(version: ListedVersion) -> str:
    name = version.key[version.key.rfind("/") + 1 :]
    stem, dot, end = name.lstrip(".").rpartition(".")
    return end.lower() if dot and stem else ""


def _address(version: ListedVersion) -> tuple[bytes, bytes]:
    return version.bucket.encode(), version.key.encode()


def _bytes(versions: Iterable[ListedVersion]) -> int:
    return sum(each.size or 0 for each in versions)


def _naive(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)
