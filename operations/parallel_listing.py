"""Lists the object versions of a bucket with concurrent requests, each for a range of keys. Idle threads split ranges.

At first, a listing is one range of keys. After some pages, while there are fewer ranges than threads, an idle thread
searches for a boundary: a key that divides the unlisted keys of a range into two parts. This method is called work
stealing. Google's Dataflux client (https://github.com/googleapis/google-cloud-go/tree/main/storage/dataflux) uses it
too, but calculates boundaries only from the characters of keys. This module also requests one key after a possible
boundary, which proves that the second part contains keys. A search has two steps. First, it finds the shortest prefix
of the current key that some unlisted keys do not have. Then it replaces the last character of this prefix with greater
characters.

A range contains the keys after its start, up to and including its last key. A boundary is the last key of one range and
the start of the next. Therefore, each key belongs to exactly one range, even if keys are added or deleted during the
listing. Python compares strings by code points, which is the order of their UTF-8 bytes and therefore S3's order.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from operations.listing import Version

LIST_WORKERS = 8
"""Default number of concurrent list requests. One CPU core can parse the responses of about five requests."""
MAX_LIST_WORKERS = 64
UNDIVIDED_PAGES = 4
"""Number of pages after which the first range is divided. A search for a boundary takes about as long as some pages."""
MAX_KEY_BYTES = 1024
SURROGATES = range(0xD800, 0xE000)
MAX_CODE_POINT = 0x10FFFF
SAMPLED_KEYS = 100
"""Approximate number of keys per page from which characters for boundaries are taken."""


@dataclass(frozen=True, slots=True)
class Marker:
    """Position in a listing: after one version of a key. If `version_id` is empty, after all versions of the key."""

    key: str = ""
    version_id: str = ""


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One page of a list of object versions.

    Attributes:
        versions: the versions and delete markers in the order of their keys.
        following: the position after the page; None if the page is the last one.
    """

    versions: tuple[Version, ...]
    following: Marker | None


Fetch: TypeAlias = Callable[[Marker, int], VersionPage]
"""Function that requests the page of versions after a marker. The second argument is the maximum page size."""


@dataclass(eq=False)
class Range:
    """Range of unlisted keys, from `position` (exclusive) to `last` (inclusive, or None for no end).

    Attributes:
        held: versions of the last listed key, which are kept back because the next page may contain more of them.
        characters: sorted characters of the listed keys; empty before the first page.
        busy: whether a request for the next page is running.
        searching: whether a search for a boundary is running.
        searched: last listed key when the last search started; None before the first search and after a division.
    """

    position: Marker
    last: str | None = None
    held: tuple[Version, ...] = ()
    characters: str = ""
    busy: bool = False
    searching: bool = False
    searched: str | None = None

    def contains(self, key: str) -> bool:
        """Return whether a key is in the range. The key must not be before `position`."""
        return self.last is None or key <= self.last

    def add(self, page: VersionPage) -> tuple[tuple[Version, ...], bool]:
        """Add the next page to the range, and move the position to the end of the page.

        Returns:
            The versions of all keys whose versions are complete, and whether the range has further pages.
        """
        versions = self.held + tuple(each for each in page.versions if self.contains(each.key))
        continues = page.following is not None and self.contains(page.following.key)
        if not continues:
            return versions, False
        assert page.following is not None  # mypy does not infer this from `continues`.
        self.position = page.following
        keys = [each.key for each in page.versions]
        self.characters = "".join(sorted({*"".join(keys[:: len(keys) // SAMPLED_KEYS + 1])}))
        complete = bisect.bisect_left(versions, page.following.key, key=lambda version: version.key)
        self.held = versions[complete:]
        return versions[:complete], True


class BoundarySearch:
    """Searches for a key that divides the unlisted keys of a range into two parts.

    Args:
        fetch: function that requests a page.
        stopped: function that returns whether the search must end.
        prefix: prefix of all keys of the listing.
    """

    def __init__(self, fetch: Fetch, stopped: Callable[[], bool], prefix: str) -> None:
        self._fetch = fetch
        self._stopped = stopped
        self._shortest = len(prefix)

    def find(self, current: str, last: str | None, characters: str) -> str | None:
        """Return a boundary after the key `current` and before at least one key of the range, or None if there is none.

        Args:
            current: a listed key.
            last: the last key of the range; None if it has no end.
            characters: sorted characters of listed keys.
        """

        def has_keys_after(boundary: str) -> bool:
            if not boundary or (last is not None and boundary >= last) or self._stopped():
                return False
            [*found] = self._fetch(Marker(boundary), 1).versions
            return bool(found) and (last is None or found[0].key <= last)

        # The boundary of a prefix follows all keys with the prefix, so a longer prefix has an earlier boundary. If keys
        # follow the boundary of a prefix, these keys also follow the boundary of a longer prefix. Therefore, a binary
        # search finds the shortest prefix whose boundary has keys after it.
        low, high = self._shortest, len(current)
        while low < high:
            middle = (low + high) // 2
            if has_keys_after(_after_prefix(current, middle)):
                high = middle
            else:
                low = middle + 1
        if low >= len(current) or self._stopped():
            return None
        first, later = _after_prefix(current, low), [each for each in characters if each > current[low]]
        while len(later) > 1:
            middle = len(later) // 2
            boundary = current[:low] + later[middle]
            if boundary > first and has_keys_after(boundary):
                return boundary
            later = later[:middle]
        return first


def list_in_parallel(
    fetch: Fetch,
    *,
    prefix: str = "",
    after: str = "",
    workers: int = LIST_WORKERS,
    page: int = 1000,
    undivided: int = UNDIVIDED_PAGES,
) -> Iterator[Version]:
    """Yield all object versions and delete markers. The keys are in any order; the versions of one key are adjacent.

    At most `workers` pages are in memory. If a request fails, its error is raised. After an error or an interruption,
    and if the caller closes the iterator, the function waits for running requests and sends no others.

    Args:
        fetch: function that requests a page.
        prefix: list only keys with this prefix.
        after: list only keys after this key.
        workers: maximum number of concurrent requests.
        page: number of versions per request.
        undivided: number of pages before the first search for a boundary.
    """
    stop = threading.Event()
    search = BoundarySearch(fetch, stop.is_set, prefix)
    with ThreadPoolExecutor(workers) as pool:
        ranges = Ranges(
            [Range(Marker(after))],
            start_page=lambda each: pool.submit(fetch, each.position, page),
            start_search=lambda each: pool.submit(search.find, each.position.key, each.last, each.characters),
            workers=workers,
            undivided=undivided,
        )
        try:
            while ranges.start():
                yield from ranges.receive()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


class Ranges:
    """Ranges of a listing with their running requests. Instances are not thread-safe.

    Args:
        unlisted: ranges that are not completely listed.
        start_page: function that starts the request for the next page of a range.
        start_search: function that starts the search for a boundary in a range.
        workers: maximum number of concurrent requests and searches.
        undivided: number of pages before the first search.
    """

    def __init__(
        self,
        unlisted: list[Range],
        *,
        start_page: Callable[[Range], Future[VersionPage]],
        start_search: Callable[[Range], Future[str | None]],
        workers: int,
        undivided: int,
    ) -> None:
        self._unlisted = unlisted
        self._start_page = start_page
        self._start_search = start_search
        self._workers = workers
        self._pages: dict[Future[VersionPage], Range] = {}
        self._searches: dict[Future[str | None], Range] = {}
        self._undivided = undivided

    def start(self) -> bool:
        """Start a page request for each range, and searches in idle threads. Return whether requests are running."""
        for each in self._unlisted:
            if not each.busy:  # Only an idle worker divides a range, so there are never more ranges than workers.
                each.busy = True
                self._pages[self._start_page(each)] = each
        for each in self._unlisted:
            if (
                self._idle
                and self._undivided <= 0
                and each.characters
                and not each.searching
                and each.searched != each.position.key
            ):
                each.searching, each.searched = True, each.position.key
                self._searches[self._start_search(each)] = each
        return bool(self._pages)

    def receive(self) -> Iterator[Version]:
        """Wait for at least one response, start the next requests, and yield the received versions.

        Raises:
            OperatorError: a request failed.
        """
        running: list[Future[Any]] = [*self._pages, *self._searches]
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for search in self._searches.keys() & done:
            self._split(self._searches.pop(search), search.result())
        complete: list[Version] = []
        for page in self._pages.keys() & done:
            listed = self._pages.pop(page)
            versions, continues = listed.add(page.result())
            listed.busy = False
            self._undivided -= 1
            complete += versions
            if not continues:
                self._unlisted.remove(listed)
        self.start()
        yield from complete

    @property
    def _idle(self) -> bool:
        return len(self._pages) + len(self._searches) < self._workers

    def _split(self, divided: Range, boundary: str | None) -> None:
        """Divide a range at a boundary, unless the listing has already passed the boundary."""
        divided.searching = False
        if boundary is not None and divided in self._unlisted and boundary > divided.position.key:
            self._unlisted.append(Range(Marker(boundary), divided.last))
            divided.last, divided.searched = boundary, None


def _after_prefix(key: str, length: int) -> str:
    """Return a string that S3 lists after all keys with a prefix: the first `length` + 1 characters of a key.

    Returns:
        The prefix with its last character replaced by the next code point; empty if there is no such string.
    """
    successor = ord(key[length]) + 1
    if successor in SURROGATES:  # UTF-8 cannot encode surrogates, so they are skipped.
        successor = SURROGATES.stop
    if successor > MAX_CODE_POINT:
        return ""
    after = key[:length] + chr(successor)
    return after if len(after.encode()) <= MAX_KEY_BYTES else ""
