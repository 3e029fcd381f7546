"""Lists the object versions of a bucket with concurrent requests, in ranges of keys that idle threads split further.

A listing is one range of keys at first. After some pages, while fewer ranges than threads remain, an idle thread
searches a boundary in a range: a key that divides the remaining keys of the range. This is the work stealing of
Google's Dataflux client (https://github.com/googleapis/google-cloud-go/tree/main/storage/dataflux). Dataflux calculates
boundaries from the characters of keys. This module requests one key after each possible boundary instead, so that both
parts have keys. A search first finds the shortest prefix of the current key that not all remaining keys have, then a
middle character after this prefix.

A range contains the keys after its start, up to and including its last key. A boundary is the end of one range and the
start of the next, so that each key belongs to one range, also if keys are added or deleted at the same time. Keys are
compared as strings: the order of code points is S3's order, that of the keys' UTF-8 bytes.
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
"""Default number of concurrent requests. Python parses the pages of about five requests at a time on one core."""
MAX_LIST_WORKERS = 64
UNDIVIDED_PAGES = 4
"""Number of pages before the first division. A search takes as long as some pages, so it is of no use for fewer."""
MAX_KEY_BYTES = 1024
SURROGATES = range(0xD800, 0xE000)
MAX_CODE_POINT = 0x10FFFF
SAMPLED_KEYS = 100
"""Number of keys of a page whose characters are candidates for a boundary."""


@dataclass(frozen=True, slots=True)
class Marker:
    """Position in a listing: after the version of a key, or after all versions of the key if `version_id` is empty."""

    key: str = ""
    version_id: str = ""


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One page of a listing.

    Attributes:
        versions: the versions and delete markers in the order of their keys.
        following: the position after the page; None if the page is the last one.
    """

    versions: tuple[Version, ...]
    following: Marker | None


Fetch: TypeAlias = Callable[[Marker, int], VersionPage]
"""Returns the page of at most a number of versions after a marker. It is called in several threads."""


@dataclass(eq=False)
class Range:
    """Keys after `position`, up to and including `last`; without an end if `last` is None.

    Attributes:
        held: versions of the last listed key, of which the next page can contain more versions.
        characters: sorted characters of listed keys; empty before the first page.
        busy: whether a request for the next page is running.
        searching: whether a search for a boundary is running.
        searched: last listed key at the start of the last search; None before it, and after a division.
    """

    position: Marker
    last: str | None = None
    held: tuple[Version, ...] = ()
    characters: str = ""
    busy: bool = False
    searching: bool = False
    searched: str | None = None

    def contains(self, key: str) -> bool:
        """Return whether the range ends at or after a key that is not before its position."""
        return self.last is None or key <= self.last

    def add(self, page: VersionPage) -> tuple[tuple[Version, ...], bool]:
        """Add the next page.

        Returns:
            The versions of the keys of which all versions are known, and whether the range has further pages.
        """
        versions = self.held + tuple(each for each in page.versions if self.contains(each.key))
        continues = page.following is not None and self.contains(page.following.key)
        if not continues:
            return versions, False
        assert page.following is not None  # `continues` implies this condition; mypy requires the assertion
        self.position = page.following
        keys = [each.key for each in page.versions]
        self.characters = "".join(sorted({*"".join(keys[:: len(keys) // SAMPLED_KEYS + 1])}))
        complete = bisect.bisect_left(versions, page.following.key, key=lambda version: version.key)
        self.held = versions[complete:]
        return versions[:complete], True


class BoundarySearch:
    """Search for a key that divides the remaining keys of a range.

    Args:
        fetch: requests a page.
        stopped: returns whether to end the search.
        prefix: prefix of all keys of the listing.
    """

    def __init__(self, fetch: Fetch, stopped: Callable[[], bool], prefix: str) -> None:
        self._fetch = fetch
        self._stopped = stopped
        self._shortest = len(prefix)

    def find(self, current: str, last: str | None, characters: str) -> str | None:
        """Return a boundary after `current` with keys of the range after it, or None if none was found.

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

        # The boundary of a prefix is after its last key, so longer prefixes have earlier boundaries. If keys follow the
        # boundary of one prefix, keys also follow those of all longer prefixes. This permits a binary search.
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
    """Yield all versions and delete markers: those of one key one after the other, but the keys in any order.

    At most `workers` pages are in memory. The first error of a request is raised. After an error, after an
    interruption, or if the caller closes the iterator, running requests are completed and no others are sent.

    Args:
        fetch: requests a page.
        prefix: prefix of all keys of the listing.
        after: only keys that follow this key.
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
    """The ranges of a listing, and their running requests. Only the thread that created an instance uses it.

    Args:
        unlisted: the ranges.
        start_page: starts the request for the next page of a range.
        start_search: starts the search for a boundary in a range.
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
        """Start requests for the next pages, and searches if threads remain idle. Return whether to call `receive`."""
        for each in self._unlisted:
            if not each.busy:  # There are at most as many ranges as workers, because only an idle worker divides one.
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
        """Wait for a response, start the next requests, and yield the versions of the response.

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
    """Return a string that follows all keys with the first `length` characters and the next one of a key.

    Returns:
        The string, which is the key's prefix with its last character replaced by the next one; empty if there is none.
    """
    successor = ord(key[length]) + 1
    if successor in SURROGATES:  # UTF-8 cannot encode surrogates.
        successor = SURROGATES.stop
    if successor > MAX_CODE_POINT:
        return ""
    after = key[:length] + chr(successor)
    return after if len(after.encode()) <= MAX_KEY_BYTES else ""
