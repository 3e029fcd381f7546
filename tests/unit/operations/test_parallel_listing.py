from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from operations.errors import OperatorError
from operations.parallel_listing import BoundarySearch, Marker, VersionPage, list_in_parallel
from tests.support.versioned_bucket import VersionedBucket, versions_of
from tests.support.waiting import wait_until

NUMBERED = [f"a/{number:04}" for number in range(1000)]


def bucket_of(*keys: str) -> VersionedBucket:
    return VersionedBucket(version for key in keys for version in versions_of(key, 1))


def boundary(bucket: VersionedBucket, current: str, last: str | None = None, prefix: str = "") -> str | None:
    characters = "".join(sorted({*"".join(version.key for version in bucket.listed())}))
    return BoundarySearch(bucket.page, lambda: False, prefix).find(current, last, characters)


@pytest.fixture
def no_new_threads() -> Iterator[None]:
    """Check that the threads that a test starts end with the test. Other tests can leave threads."""
    before = {*threading.enumerate()}
    yield
    assert {*threading.enumerate()} <= before


def test_parallel_listing_has_as_many_concurrent_page_requests_as_workers() -> None:
    bucket, all_run = bucket_of(*NUMBERED), threading.Barrier(8)

    def page(marker: Marker, limit: int) -> VersionPage:
        if limit == 10 and marker.key and not passed:
            passed.append(all_run.wait(60))  # The barrier raises an error unless eight requests run at the same time.
        return bucket.page(marker, limit)

    passed: list[int] = []
    assert sorted(each.key for each in list_in_parallel(page, workers=8, page=10, undivided=1)) == NUMBERED
    assert sorted(passed) == list(range(8))


def test_parallel_listing_with_one_worker_is_in_key_order_and_sends_only_page_requests() -> None:
    bucket = bucket_of(*NUMBERED)
    assert [each.key for each in list_in_parallel(bucket.page, workers=1, page=100)] == NUMBERED
    assert [limit for _, limit in bucket.requests] == [100] * 10


def test_parallel_listing_of_a_small_bucket_sends_only_page_requests_in_key_order() -> None:
    bucket = bucket_of(*NUMBERED[:40])
    assert [each.key for each in list_in_parallel(bucket.page, workers=8, page=10)] == NUMBERED[:40]
    assert [limit for _, limit in bucket.requests] == [10] * 4


def test_parallel_listing_of_an_empty_bucket_sends_one_request() -> None:
    bucket = bucket_of()
    assert list(list_in_parallel(bucket.page, workers=8)) == []
    assert bucket.requests == [(Marker(), 1000)]


def test_parallel_listing_returns_all_versions_of_a_key_consecutively() -> None:
    keys = [f"{number:03}" for number in range(100)]
    bucket = VersionedBucket([version for key in keys for version in versions_of(key, 7)])
    listed = [each.key for each in list_in_parallel(bucket.page, workers=8, page=2, undivided=0)]
    assert sorted(key for key, _ in groupby(listed)) == keys
    assert len(listed) == 7 * len(keys)


def test_parallel_listing_searches_a_boundary_once_while_the_pages_contain_versions_of_one_key() -> None:
    bucket = VersionedBucket(versions_of("a/one", 1000))
    assert len(list(list_in_parallel(bucket.page, workers=8, page=10))) == 1000
    assert len([limit for _, limit in bucket.requests if limit == 1]) <= len("a/one")


def test_parallel_listing_requests_at_most_one_page_per_worker_in_advance() -> None:
    bucket = bucket_of(*NUMBERED)
    listed = list_in_parallel(bucket.page, workers=4, page=10)
    next(listed)
    listed.close()  # type: ignore[attr-defined]  # The iterator is a generator. It waits for running requests.
    # The listing has sent the request for the first page, and at most one further request per worker.
    assert len([limit for _, limit in bucket.requests if limit > 1]) <= 1 + 4


@pytest.mark.usefixtures("no_new_threads")
def test_failed_request_of_a_parallel_listing_raises_its_error_and_ends_all_threads() -> None:
    bucket, failed = bucket_of(*NUMBERED), threading.Event()

    def fail(marker: Marker) -> None:
        if marker.key > "a/03":
            failed.set()
            raise OperatorError("cannot list")

    bucket.before_page = fail
    with pytest.raises(OperatorError, match="cannot list"):
        list(list_in_parallel(bucket.page, workers=8, page=10))
    assert failed.is_set()


@pytest.mark.usefixtures("no_new_threads")
def test_interrupted_parallel_listing_ends_all_threads() -> None:
    bucket = bucket_of(*NUMBERED)
    listed = list_in_parallel(bucket.page, workers=8, page=10)
    next(listed)
    with pytest.raises(KeyboardInterrupt):
        listed.throw(KeyboardInterrupt())  # type: ignore[attr-defined]  # The iterator is a generator.


@pytest.mark.parametrize(
    ("keys", "last", "expected"),
    [
        pytest.param(["a/000", "a/001"], None, None, id="the only later key follows the current key directly"),
        pytest.param(["a/000", "a/010", "b1"], None, "b", id="shortest prefix that not all later keys have"),
        pytest.param(["a/000", "a/010", "a/020", "b"], "a/9", "a/02", id="range with an end"),
        pytest.param([f"{each}" for each in range(10)], None, "5", id="middle of the later characters"),
        pytest.param(["\ud7ff", "\ue000", "\U0010ffff"], None, "\ue000", id="no surrogates"),
        pytest.param(["\U0010ffff", "\U0010ffff1"], None, None, id="no later character"),
        pytest.param(["k" * 1023 + "\x7f", "k" * 1023 + "\x7f"], None, None, id="no boundary of more than 1,024 bytes"),
    ],
)
def test_boundary_of_a_parallel_listing_divides_the_unlisted_keys(
    keys: list[str], last: str | None, expected: str | None
) -> None:
    found = boundary(bucket_of(*keys), keys[0], last)
    assert found == expected


def test_boundary_of_a_parallel_listing_begins_with_the_listed_prefix() -> None:
    bucket = bucket_of("a/1", "a/3", "b/1")
    assert boundary(bucket, "a/1", "a/9", prefix="a/") == "a/2"
    assert {marker.key[:2] for marker, _ in bucket.requests} == {"a/"}


@pytest.mark.parametrize("error", [OperatorError("cannot list"), KeyboardInterrupt()])
def test_failed_or_interrupted_parallel_listing_stops_its_boundary_searches(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    started, stopped = threading.Event(), list[bool]()

    def find(self: BoundarySearch, *_: object) -> None:
        started.set()
        stopped.append(wait_until(lambda: self._stopped() or None, "the search was not stopped"))

    monkeypatch.setattr(BoundarySearch, "find", find)
    listed = list_in_parallel(bucket_of(*NUMBERED).page, workers=2, page=10, undivided=1)
    next(listed)
    assert started.wait(60)
    with pytest.raises(type(error)):
        listed.throw(error)  # type: ignore[attr-defined]  # The iterator is a generator.
    assert stopped == [True]


def test_stopped_boundary_search_sends_no_requests() -> None:
    bucket: Any = bucket_of(*NUMBERED)
    assert BoundarySearch(bucket.page, lambda: True, "").find("a/0000", None, "a/0123456789") is None
    assert bucket.requests == []
