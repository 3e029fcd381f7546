"""What fails between the function and AWS, over real sockets: the row is right afterwards, or the error is clear."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import botocore.session
import pytest

from lambda_code.errors import IndexingError, Reason
from lambda_code.indexer import Indexer
from lambda_code.storage import CLIENT_CONFIG, Storage
from tests.e2e.events import as_s3_sent_it, event
from tests.e2e.faults import HEAD, UPDATE, Fault, Proxy, faulty
from tests.support.fakes import RecordingTelemetry
from tests.support.rows import FROM_THE_EVENT, told_by_s3

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index, Row

pytestmark = pytest.mark.not_in_a_live_account("runs the function's code here, through a proxy in front of an emulator")

PASSING = (
    Fault.THROTTLED,
    Fault.SERVER_ERROR,
    Fault.RESET,
    Fault.RESET_IN_THE_ANSWER,
    Fault.TRUNCATED,
    Fault.SLOW,
)
NEVER_ANSWERED = (Fault.BLACK_HOLE, Fault.BLACK_HOLE_AFTER)
LAMBDA_SECONDS = 60.0

Forgotten: TypeAlias = "Callable[..., list[Row]]"
Begun: TypeAlias = "Mapping[str, Future[Outcome]]"


@pytest.fixture(scope="module")
def proxy(emulator: Emulator) -> Iterator[Proxy]:
    with faulty(emulator.endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def indexer(proxy: Proxy, index: Index, region: str) -> Indexer:
    """The function's own code, clock and time-outs, in this process, with the proxy for AWS."""
    session = botocore.session.get_session()

    def client(service: str) -> Any:  # noqa: ANN401 - botocore makes its classes while it runs
        return session.create_client(service, region_name=region, endpoint_url=proxy.endpoint, config=CLIENT_CONFIG)

    storage = Storage(
        s3=client("s3"),
        dynamodb=client("dynamodb"),
        bucket_name=index.bucket,
        table_name=index.table,
    )
    return Indexer(bucket_name=index.bucket, deleted_retention_days=90, storage=storage, telemetry=RecordingTelemetry())


@pytest.fixture(scope="module")
def forgotten(index: Index) -> Iterator[Forgotten]:
    """Uploads objects and forgets their rows, which it returns; in the end whatever has no row gets one again."""
    every: list[Row] = []

    def forget(*names: str) -> list[Row]:
        keys = [index.key(f"faults/{name}") for name in names]
        versions = [index.put(key, b"12345", ContentType="text/plain", Metadata={"a": "b"}) for key in keys]
        rows = [index.wait_for_row(key, version) for key, version in zip(keys, versions, strict=True)]
        for row in rows:
            index.forget(row["key"], row["version_id"])
        every.extend(rows)
        return rows

    yield forget
    for row in every:
        if index.row(row["key"], row["version_id"]) is None:
            index.send(event(as_s3_sent_it(row)))
            index.wait_for_row(row["key"], row["version_id"])


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the function made of an event about these rows' versions, and the seconds that it had and took."""

    rows: list[Row]
    result: dict[str, int] | None
    error: IndexingError | None
    allowed: float
    took: float


@pytest.fixture(scope="module", autouse=True)
def begun(indexer: Indexer, proxy: Proxy, forgotten: Forgotten) -> Iterator[Begun]:
    """What takes seconds goes on beside the other tests: botocore waits three for an answer that never comes."""

    def run(rows: list[Row], seconds: float) -> Outcome:
        result, error, started = None, None, time.monotonic()
        try:
            result = handle(indexer, rows, seconds=seconds)
        except IndexingError as failed:
            error = failed
        return Outcome(rows=rows, result=result, error=error, allowed=seconds, took=time.monotonic() - started)

    [every] = forgotten("every kind.txt")
    for operation in (HEAD, UPDATE):
        proxy.plan(operation, every["key"], *PASSING[:-1])
    unanswered = {fault.name: forgotten(f"{fault.name}.txt") for fault in NEVER_ANSWERED}
    for fault in NEVER_ANSWERED:
        proxy.plan(UPDATE, unanswered[fault.name][0]["key"], fault)
    hole, four = forgotten("black hole.txt"), forgotten("first.txt", "hanging.txt", "third.txt", "last.txt")
    proxy.always |= {hole[0]["key"]: Fault.BLACK_HOLE, four[1]["key"]: Fault.BLACK_HOLE}
    cases = {
        "one of four": (four, 12.0),
        "a black hole": (hole, 6.0),
        "every kind": ([every], LAMBDA_SECONDS),
        **{name: (rows, LAMBDA_SECONDS) for name, rows in unanswered.items()},
    }
    with ThreadPoolExecutor(len(cases)) as pool:
        yield {name: pool.submit(run, *case) for name, case in cases.items()}


def handle(indexer: Indexer, rows: list[Row], *, seconds: float = LAMBDA_SECONDS) -> dict[str, int]:
    """What the function makes of an event about these rows' versions when it has so much time."""
    deadline = indexer.clock() + seconds
    told = event(*[as_s3_sent_it(row) for row in rows])
    return indexer.handle(told, request_id="a request of this test", deadline=deadline)


def assert_right(index: Index, row: Row) -> None:
    """The row is there, once, says what S3 says, and was written by this test."""
    key = row["key"]
    [found] = index.rows(key)
    told = told_by_s3(index.bucket, key, index.head(key, row["version_id"]))
    assert {name: value for name, value in found.items() if name not in FROM_THE_EVENT} == told
    assert found["request_id"] == "a request of this test"


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("operation", [HEAD, UPDATE])
def test_after_a_fault_that_passes_the_row_is_right(
    indexer: Indexer, proxy: Proxy, index: Index, forgotten: Forgotten, operation: str, fault: Fault
) -> None:
    [row] = forgotten(f"{operation}-{fault.name}.txt")
    proxy.plan(operation, row["key"], fault)
    assert handle(indexer, [row]) == {"indexed": 1}  # once, also where the first write only seemed to fail
    assert_right(index, row)
    # a first write has nothing to tell, so an answer that breaks off tells as much as a whole one: it was written
    enough = fault is Fault.SLOW or (operation, fault) == (UPDATE, Fault.TRUNCATED)
    again = [] if enough else [(operation, None)]
    assert [call for call in proxy.about(row["key"]) if call[0] == operation] == [(operation, fault), *again]


def test_one_fault_after_another_of_every_kind_changes_nothing(
    indexer: Indexer, proxy: Proxy, index: Index, begun: Begun
) -> None:
    outcome = begun["every kind"].result()
    [row] = outcome.rows
    assert (outcome.result, outcome.error) == ({"indexed": 1}, None)
    assert_right(index, row)
    assert handle(indexer, [row]) == {"duplicate": 1}
    noticed = [fault for _, fault in proxy.about(row["key"]) if fault]
    assert noticed == [*PASSING[:-1], *PASSING[:-1]]


def test_a_repeat_whose_answer_breaks_off_is_not_counted_as_new(indexer: Indexer, proxy: Proxy, index: Index) -> None:
    key = index.key("faults/repeat.txt")
    row = index.wait_for_row(key, index.put(key))
    proxy.plan(UPDATE, key, Fault.TRUNCATED)
    assert handle(indexer, [row]) == {"duplicate": 1}
    assert index.rows(key) == [row]
    assert proxy.about(key) == [(HEAD, None), (UPDATE, Fault.TRUNCATED), (UPDATE, None)]


@pytest.mark.parametrize("fault", NEVER_ANSWERED, ids=lambda fault: fault.name.lower())
def test_a_write_that_is_never_answered_is_made_again_after_the_read_time_out(
    proxy: Proxy, index: Index, begun: Begun, fault: Fault
) -> None:
    outcome = begun[fault.name].result()
    [row] = outcome.rows
    assert (outcome.result, outcome.error) == ({"indexed": 1}, None)
    assert_right(index, row)
    assert proxy.about(row["key"]) == [(HEAD, None), (UPDATE, fault), (UPDATE, None)]


def test_a_black_hole_ends_in_a_clear_error_before_the_function_is_killed(index: Index, begun: Begun) -> None:
    outcome = begun["a black hole"].result()
    [row] = outcome.rows
    assert outcome.took < outcome.allowed
    assert outcome.error is not None
    [error] = outcome.error.errors
    assert error.reason is Reason.UNAVAILABLE
    assert error.attempts == 1
    for part in ("1 of 1 records failed", repr(row["key"]), "HeadObject failed 1 times", "Read timeout"):
        assert part in str(outcome.error)
    assert index.rows(row["key"]) == []


def test_with_three_seconds_left_the_function_fails_by_itself_and_at_once(
    indexer: Indexer, proxy: Proxy, forgotten: Forgotten
) -> None:
    [row] = forgotten("too late.txt")
    proxy.always[row["key"]] = Fault.BLACK_HOLE
    started = time.monotonic()
    with pytest.raises(IndexingError, match=r"HeadObject was not tried: an attempt may take 4\.0 s, and 2\.0 s are"):
        handle(indexer, [row], seconds=3.0)
    assert time.monotonic() - started < 1
    assert proxy.about(row["key"]) == []


def test_one_record_in_a_black_hole_does_not_eat_the_time_of_the_others(index: Index, begun: Begun) -> None:
    outcome = begun["one of four"].result()
    hanging = outcome.rows[1]
    assert outcome.took < outcome.allowed
    assert "1 of 4 records failed" in str(outcome.error)
    assert repr(hanging["key"]) in str(outcome.error)
    for row in outcome.rows:
        if row is not hanging:
            assert_right(index, row)
    assert index.rows(hanging["key"]) == []
