"""What fails between the function and AWS, over real sockets: the row is right afterwards, or the error is clear."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import botocore.session
import pytest

from lambda_code.errors import IndexingError, Reason
from lambda_code.indexer import Indexer
from lambda_code.storage import CLIENT_CONFIG, AwsStorage
from tests.e2e.events import as_s3_sent_it, event
from tests.e2e.faults import HEAD, UPDATE, Fault, Proxy, faulty
from tests.e2e.rows import FROM_THE_EVENT, told_by_s3
from tests.fakes import Heard

if TYPE_CHECKING:
    from lambda_code.storage import DynamoDBClient, S3Client
    from localstack.emulator import Emulator
    from tests.e2e.index import Index, Row

pytestmark = pytest.mark.not_in_a_live_account("runs the function's code here, through a proxy in front of an emulator")

PASSING = (
    Fault.THROTTLED,
    Fault.SERVER_ERROR,
    Fault.RESET,
    Fault.RESET_IN_THE_ANSWER,
    Fault.TRUNCATED,
    Fault.SLOW,
)
LAMBDA_SECONDS = 60.0

Forgotten: TypeAlias = "Callable[..., list[Row]]"


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

    storage = AwsStorage(
        s3=cast("S3Client", client("s3")),
        dynamodb=cast("DynamoDBClient", client("dynamodb")),
        bucket_name=index.bucket,
        table_name=index.table,
    )
    return Indexer(bucket_name=index.bucket, deleted_retention_days=90, storage=storage, telemetry=Heard())


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
    indexer: Indexer, proxy: Proxy, index: Index, forgotten: Forgotten
) -> None:
    [row] = forgotten("every kind.txt")
    for operation in (HEAD, UPDATE):
        proxy.plan(operation, row["key"], *PASSING[:-1])
    assert handle(indexer, [row]) == {"indexed": 1}
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


@pytest.mark.parametrize("fault", [Fault.BLACK_HOLE, Fault.BLACK_HOLE_AFTER], ids=lambda fault: fault.name.lower())
def test_a_write_that_is_never_answered_is_made_again_after_the_read_time_out(
    indexer: Indexer, proxy: Proxy, index: Index, forgotten: Forgotten, fault: Fault
) -> None:
    [row] = forgotten(f"{fault.name}.txt")
    proxy.plan(UPDATE, row["key"], fault)
    assert handle(indexer, [row]) == {"indexed": 1}
    assert_right(index, row)
    assert proxy.about(row["key"]) == [(HEAD, None), (UPDATE, fault), (UPDATE, None)]


def test_a_black_hole_ends_in_a_clear_error_before_the_function_is_killed(
    indexer: Indexer, proxy: Proxy, index: Index, forgotten: Forgotten
) -> None:
    [row] = forgotten("black hole.txt")
    proxy.always[row["key"]] = Fault.BLACK_HOLE
    seconds, started = 6.0, time.monotonic()
    with pytest.raises(IndexingError) as caught:
        handle(indexer, [row], seconds=seconds)
    assert time.monotonic() - started < seconds
    [error] = caught.value.errors
    assert error.reason is Reason.UNAVAILABLE
    assert error.attempts == 1
    for part in ("1 of 1 records failed", repr(row["key"]), "HeadObject failed 1 times", "Read timeout"):
        assert part in str(caught.value)
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


def test_one_record_in_a_black_hole_does_not_eat_the_time_of_the_others(
    indexer: Indexer, proxy: Proxy, index: Index, forgotten: Forgotten
) -> None:
    rows = forgotten("first.txt", "hanging.txt", "third.txt", "last.txt")
    hanging = rows[1]
    proxy.always[hanging["key"]] = Fault.BLACK_HOLE
    seconds, started = 12.0, time.monotonic()
    with pytest.raises(IndexingError) as caught:
        handle(indexer, rows, seconds=seconds)
    assert time.monotonic() - started < seconds
    assert "1 of 4 records failed" in str(caught.value)
    assert repr(hanging["key"]) in str(caught.value)
    for row in rows:
        if row is not hanging:
            assert_right(index, row)
    assert index.rows(hanging["key"]) == []
