"""Property tests: the parallel listing of a generated bucket returns each version once, whatever the response times."""

from __future__ import annotations

import threading
import time
from binascii import crc32
from itertools import groupby
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from operations.parallel_listing import Marker, list_in_parallel
from tests.support.versioned_bucket import VersionedBucket, versions_of

if TYPE_CHECKING:
    from operations.listing import Version

CHARACTERS = st.one_of(
    st.sampled_from("abz/09-"),
    st.sampled_from("\x01\x1f\x7f\x80\ud7ff\ue000\uffff\U00010000\U0010ffff"),
    st.characters(codec="utf-8"),
)
"""Characters for object keys. Some of them have another order in UTF-16 than in UTF-8."""
SHORT_KEYS = st.text(CHARACTERS, min_size=1, max_size=4)
LONG_KEYS = st.builds(lambda end: "k" * (1024 - len(end.encode())) + end, SHORT_KEYS)
FOLDERS = st.builds("{}{}".format, st.sampled_from(["a/", "a/2026/01/", "a/2026/02/", "b/", "é/"]), SHORT_KEYS)
NUMBERS = st.integers(0, 999).map("a/{:08}".format)
KEYS = st.dictionaries(SHORT_KEYS | FOLDERS | NUMBERS | LONG_KEYS, st.integers(1, 5), max_size=60)
DELAYS = st.lists(st.sampled_from([0.0, 0.0, 0.0002, 0.002]), min_size=1, max_size=5)


def delayed(bucket: VersionedBucket, delays: list[float]) -> VersionedBucket:
    """Delay the list requests of a bucket. The delay of a request depends on its key marker."""
    bucket.before_page = lambda marker: time.sleep(delays[crc32(marker.key.encode()) % len(delays)])
    return bucket


def ordered(versions: list[Version]) -> list[Version]:
    return sorted(versions, key=lambda each: (each.key.encode(), each.version_id))


@given(keys=KEYS, prefix=st.sampled_from(["", "", "a/", "é"]), workers=st.integers(1, 16), data=st.data())
def test_parallel_listing_returns_the_same_versions_as_a_serial_listing(
    keys: dict[str, int], prefix: str, workers: int, data: st.DataObject
) -> None:
    versions = [version for key, number in keys.items() for version in versions_of(key, number)]
    bucket = delayed(VersionedBucket(versions, prefix=prefix), data.draw(DELAYS))
    after, page = data.draw(st.sampled_from(["", *keys])), data.draw(st.integers(1, 12))
    undivided = data.draw(st.sampled_from([0, 0, 4]))
    listed = list(
        list_in_parallel(bucket.page, prefix=prefix, after=after, workers=workers, page=page, undivided=undivided)
    )
    assert ordered(listed) == [each for each in bucket.listed() if each.key.encode() > after.encode()]
    assert len([key for key, _ in groupby(each.key for each in listed)]) == len({each.key for each in listed})


@given(keys=KEYS, others=st.lists(SHORT_KEYS | FOLDERS | NUMBERS, max_size=30), workers=st.integers(1, 16))
@example(keys={f"{number:02}": 1 for number in range(60)}, others=["05", "070", "a"], workers=8)
def test_parallel_listing_returns_keys_that_exist_during_the_whole_listing_once(
    keys: dict[str, int], others: list[str], workers: int
) -> None:
    """During the listing, other keys are added and deleted between its requests."""
    bucket = VersionedBucket(version for key, number in keys.items() for version in versions_of(key, number))
    changes, lock = [(key, put) for key in others if key not in keys for put in (True, False)], threading.Lock()

    def change(_: Marker) -> None:
        with lock:
            if changes:
                key, put = changes.pop(0)
                (bucket.put if put else bucket.delete)(key)

    bucket.before_page = change
    listed = list(list_in_parallel(bucket.page, workers=workers, page=3, undivided=0))
    expected = [version for key, number in keys.items() for version in versions_of(key, number)]
    assert ordered([each for each in listed if each.key in keys]) == ordered(expected)
    assert len({(each.key, each.version_id) for each in listed}) == len(listed)
