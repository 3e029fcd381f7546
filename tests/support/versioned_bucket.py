"""Fake of a versioned bucket that returns pages of object versions, as ListObjectVersions does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice

from operations.listing import Version
from operations.parallel_listing import Marker, VersionPage

CREATED = datetime(2026, 1, 31, 12, tzinfo=UTC)
MAX_KEY_BYTES = 1024


def versions_of(key: str, number: int) -> list[Version]:
    """Return a number of versions of a key, in S3's order. Every third version is a delete marker."""
    return [
        Version(key=key, version_id=f"v{each}", last_modified=CREATED, marker=each % 3 == 2) for each in range(number)
    ]


class VersionedBucket:
    """Fake of a versioned bucket. Several threads may use it.

    Attributes:
        requests: the marker and the page size of each request.
        before_page: function that is called with the marker before each request.
    """

    def __init__(self, versions: Iterable[Version], *, prefix: str = "") -> None:
        self.requests: list[tuple[Marker, int]] = []
        self.before_page: Callable[[Marker], object] = lambda _: None
        self._prefix = prefix
        self._lock = threading.Lock()
        self._versions: dict[str, list[Version]] = {}
        for each in versions:
            self._versions.setdefault(each.key, []).append(each)

    def put(self, key: str) -> None:
        """Add a key with one version, unless the bucket already contains the key."""
        with self._lock:
            self._versions.setdefault(key, versions_of(key, 1))

    def delete(self, key: str) -> None:
        """Delete all versions of a key."""
        with self._lock:
            self._versions.pop(key, None)

    def listed(self) -> list[Version]:
        """Return all versions in S3's order: sorted by the UTF-8 bytes of their keys."""
        keys = sorted((each for each in self._versions if each.startswith(self._prefix)), key=str.encode)
        return [version for key in keys for version in self._versions[key]]

    def page(self, marker: Marker, limit: int) -> VersionPage:
        """Return a page with at most `limit` versions after a marker."""
        self.before_page(marker)
        assert len(marker.key.encode()) <= MAX_KEY_BYTES, "S3 rejects a longer marker"
        with self._lock:
            self.requests.append((marker, limit))
            found = list(islice(self._after(marker), limit + 1))
        following = Marker(found[limit - 1].key, found[limit - 1].version_id) if len(found) > limit else None
        return VersionPage(tuple(found[:limit]), following)

    def _after(self, marker: Marker) -> Iterable[Version]:
        start = marker.key.encode()
        for each in self.listed():
            key = each.key.encode()
            if key > start or (key == start and marker.version_id and self._is_after(each, marker)):
                yield each

    def _is_after(self, version: Version, marker: Marker) -> bool:
        # Compare the numbers in the version IDs, because the version of the marker may have been deleted.
        return int(version.version_id[1:]) > int(marker.version_id[1:])
