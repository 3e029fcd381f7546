"""Network and service faults between the indexer and AWS: the row is correct afterwards, or an error is reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import pytest

from lambda_code.errors import IndexingError
from lambda_common.errors import Reason
from tests.e2e.events import creation_record
from tests.e2e.faults import GET, HEAD, UPDATE, WITHOUT_RESPONSE, Fault, FaultProxy, fault_proxy
from tests.support.strategies import s3_event

if TYPE_CHECKING:
    from lambda_code.indexer import Indexer
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index
    from tests.support.rows import Row

pytestmark = pytest.mark.not_in_a_live_account("runs the indexer in this process, with a proxy to an emulator")

NOTICED = (Fault.THROTTLED, Fault.SERVER_ERROR, Fault.RESET, Fault.RESET_IN_RESPONSE, Fault.TRUNCATED)
TRANSIENT = (*NOTICED, Fault.SLOW)
LAMBDA_SECONDS = 60.0
REQUEST_ID = "a request of this test"

PutUnindexed: TypeAlias = "Callable[..., list[Row]]"
Outcomes: TypeAlias = "Mapping[str, Future[Outcome]]"


@pytest.fixture(scope="module")
def proxy(emulator: Emulator) -> Iterator[FaultProxy]:
    with fault_proxy(emulator.endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def indexer(proxy: FaultProxy, index: Index) -> Indexer:
    return proxy.indexer(index)


@pytest.fixture(scope="module")
def put_unindexed(index: Index) -> Iterator[PutUnindexed]:
    """Function that uploads objects, deletes their rows, and returns them; missing rows are restored at the end."""
    deleted: list[Row] = []

    def put_unindexed(*names: str) -> list[Row]:
        keys = [index.key(f"faults/{name}") for name in names]
        rows = [index.put_unindexed(key, b"12345", ContentType="text/plain", Metadata={"a": "b"}) for key in keys]
        deleted.extend(rows)
        return rows

    yield put_unindexed
    for row in deleted:
        if index.row(row["key"], row["version_id"]) is None:
            index.invoke_async(s3_event(creation_record(row)))
            index.wait_for_row(row["key"], row["version_id"])


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of one event, which contained a record for each row.

    Attributes:
        rows: rows of the object versions in the event.
        result: number of records by outcome; None if the indexer raised an error.
        error: error of the indexer, or None.
        allowed: time from the start until the deadline, in seconds.
        used: duration of the event, in seconds.
    """

    rows: list[Row]
    result: dict[str, int] | None
    error: IndexingError | None
    allowed: float
    used: float


@pytest.fixture(scope="module", autouse=True)
def outcomes(indexer: Indexer, proxy: FaultProxy, put_unindexed: PutUnindexed) -> Iterator[Outcomes]:
    """Outcome by name of the test case. The cases run in threads, because botocore waits 3 s for a missing response."""

    def run(rows: list[Row], seconds: float) -> Outcome:
        result, error, started = None, None, time.monotonic()
        try:
            result = handle(indexer, rows, seconds=seconds)
        except IndexingError as failed:
            error = failed
        return Outcome(rows=rows, result=result, error=error, allowed=seconds, used=time.monotonic() - started)

    [all_faults] = put_unindexed("every kind.txt")
    for operation in (HEAD, UPDATE):
        proxy.plan(operation, all_faults["key"], *NOTICED)
    unanswered = {fault.name: put_unindexed(f"{fault.name}.txt") for fault in WITHOUT_RESPONSE}
    for fault in WITHOUT_RESPONSE:
        proxy.plan(UPDATE, unanswered[fault.name][0]["key"], fault)
    one, four = put_unindexed("black hole.txt"), put_unindexed("first.txt", "hanging.txt", "third.txt", "last.txt")
    proxy.permanent |= {one[0]["key"]: Fault.BLACK_HOLE, four[1]["key"]: Fault.BLACK_HOLE}
    cases = {
        "one of four": (four, 24.0),  # 8 s for the hanging record, and 12 s more than necessary for a busy machine
        "a black hole": (one, 7.5),
        "every kind": ([all_faults], LAMBDA_SECONDS),
        **{name: (rows, LAMBDA_SECONDS) for name, rows in unanswered.items()},
    }
    with ThreadPoolExecutor(len(cases)) as pool:
        yield {name: pool.submit(run, *case) for name, case in cases.items()}


def handle(indexer: Indexer, rows: list[Row], *, seconds: float = LAMBDA_SECONDS) -> dict[str, int]:
    """Run the indexer with an event about the versions of these rows, and with a deadline in seconds from now."""
    records = [creation_record(row) for row in rows]
    return indexer.handle(s3_event(*records), request_id=REQUEST_ID, deadline=indexer.clock() + seconds)


def assert_indexed(index: Index, row: Row) -> None:
    """Assert that the version has exactly one correct row, written by this test."""
    [found] = index.rows(row["key"])
    index.assert_row_matches_head(found)
    assert (found["version_id"], found["request_id"]) == (row["version_id"], REQUEST_ID)


@pytest.mark.parametrize("fault", TRANSIENT, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("operation", [HEAD, UPDATE])
def test_indexer_writes_a_correct_row_after_a_transient_fault(
    indexer: Indexer, proxy: FaultProxy, index: Index, put_unindexed: PutUnindexed, operation: str, fault: Fault
) -> None:
    [row] = put_unindexed(f"{operation}-{fault.name}.txt")
    proxy.plan(operation, row["key"], fault)
    # The outcome is also "indexed" if the first write succeeded, but its response was lost.
    assert handle(indexer, [row]) == {"indexed": 1}
    assert_indexed(index, row)
    # The response to the first write of a row has no content, so botocore accepts a truncated response.
    complete = fault is Fault.SLOW or (operation, fault) == (UPDATE, Fault.TRUNCATED)
    retry = [] if complete else [(operation, None)]
    assert [call for call in proxy.calls_for(row["key"]) if call[0] == operation] == [(operation, fault), *retry]


def test_indexer_writes_a_correct_row_after_many_transient_faults(
    indexer: Indexer, proxy: FaultProxy, index: Index, outcomes: Outcomes
) -> None:
    outcome = outcomes["every kind"].result()
    [row] = outcome.rows
    assert (outcome.result, outcome.error) == ({"indexed": 1}, None)
    assert_indexed(index, row)
    assert handle(indexer, [row]) == {"duplicate": 1}
    assert [fault for _, fault in proxy.calls_for(row["key"]) if fault] == [*NOTICED, *NOTICED]


def test_duplicate_with_a_truncated_response_is_not_counted_as_indexed(
    indexer: Indexer, proxy: FaultProxy, index: Index
) -> None:
    key = index.key("faults/repeat.txt")
    row = index.put_indexed(key)
    proxy.plan(UPDATE, key, Fault.TRUNCATED)
    assert handle(indexer, [row]) == {"duplicate": 1}
    assert index.rows(key) == [row]
    assert proxy.calls_for(key) == [(HEAD, None), (UPDATE, Fault.TRUNCATED), (UPDATE, None)]


@pytest.mark.parametrize("fault", WITHOUT_RESPONSE, ids=lambda fault: fault.name.lower())
def test_indexer_retries_a_write_without_response_after_the_timeout(
    proxy: FaultProxy, index: Index, outcomes: Outcomes, fault: Fault
) -> None:
    outcome = outcomes[fault.name].result()
    [row] = outcome.rows
    assert (outcome.result, outcome.error) == ({"indexed": 1}, None)
    assert_indexed(index, row)
    assert proxy.calls_for(row["key"]) == [(HEAD, None), (UPDATE, fault), (UPDATE, None)]


def test_indexer_reports_an_unresponsive_service_before_its_timeout(index: Index, outcomes: Outcomes) -> None:
    outcome = outcomes["a black hole"].result()
    [row] = outcome.rows
    assert outcome.used < outcome.allowed
    assert outcome.error is not None
    [error] = outcome.error.errors
    assert error.reason is Reason.UNAVAILABLE
    assert error.attempts == 1
    for part in ("1 of 1 records failed", repr(row["key"]), "HeadObject failed 1 times", "Read timeout"):
        assert part in str(outcome.error)
    assert index.rows(row["key"]) == []


def test_head_with_an_expired_token_is_denied_by_the_error_code_of_get(
    indexer: Indexer, proxy: FaultProxy, index: Index, put_unindexed: PutUnindexed
) -> None:
    """An expired token is status 400 without a body for HEAD. GET's error response has the code ExpiredToken."""
    [row] = put_unindexed("expired.txt")
    proxy.permanent[row["key"]] = Fault.EXPIRED
    with pytest.raises(IndexingError, match=r"denied: GetObject: .*\(ExpiredToken\)"):
        handle(indexer, [row])
    # botocore itself repeats a HEAD with status 400 once, because the region of the bucket could be wrong.
    assert proxy.calls_for(row["key"]) == [(HEAD, Fault.EXPIRED), (HEAD, Fault.EXPIRED), (GET, Fault.EXPIRED)]
    assert index.rows(row["key"]) == []
    del proxy.permanent[row["key"]]
    assert handle(indexer, [row]) == {"indexed": 1}


@pytest.mark.parametrize("operation", [HEAD, UPDATE])
def test_response_that_cannot_be_parsed_fails_without_a_retry(
    indexer: Indexer, proxy: FaultProxy, put_unindexed: PutUnindexed, operation: str
) -> None:
    [row] = put_unindexed(f"unparsable {operation}.txt")
    proxy.plan(operation, row["key"], Fault.UNPARSABLE)
    with pytest.raises(IndexingError, match=f"unparsable: {operation}: the response is complete, but cannot be parsed"):
        handle(indexer, [row])
    assert proxy.calls_for(row["key"])[-1] == (operation, Fault.UNPARSABLE)
    assert handle(indexer, [row]) == {"indexed": 1}


def test_indexer_three_seconds_before_its_deadline_sends_no_request(
    indexer: Indexer, proxy: FaultProxy, put_unindexed: PutUnindexed
) -> None:
    [row] = put_unindexed("too late.txt")
    proxy.permanent[row["key"]] = Fault.BLACK_HOLE
    started = time.monotonic()
    with pytest.raises(IndexingError, match=r"HeadObject was not tried: an attempt may take 4\.0 s, and 2\.0 s are"):
        handle(indexer, [row], seconds=3.0)
    assert time.monotonic() - started < 3
    assert proxy.calls_for(row["key"]) == []


def test_indexer_indexes_other_records_if_calls_for_one_record_hang(index: Index, outcomes: Outcomes) -> None:
    outcome = outcomes["one of four"].result()
    hanging = outcome.rows[1]
    assert outcome.used < outcome.allowed
    assert "1 of 4 records failed" in str(outcome.error)
    assert repr(hanging["key"]) in str(outcome.error)
    for row in outcome.rows:
        if row is not hanging:
            assert_indexed(index, row)
    assert index.rows(hanging["key"]) == []
