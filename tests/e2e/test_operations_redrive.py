"""Events that failed while the indexer was broken are listed, exported and, after it is repaired, replayed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.operations_stack import OperationsStack

pytestmark = pytest.mark.not_in_a_live_account("deploys a stack of its own, and makes its function fail")

INVALID_EVENT = {"no": "records"}


@pytest.fixture(scope="module")
def failed(_operations: OperationsStack) -> Iterator[tuple[str, str]]:
    """A version whose event is in the queue, beside an event that cannot succeed and a message of another sender."""
    operations, index = _operations, _operations.index
    key = index.key("redrive/a b+é.txt")
    index.clients.sqs.send_message(QueueUrl=operations.queue_url, MessageBody="hello")
    with operations.function_failing():
        version_id = index.put(key)
        index.invoke_async(INVALID_EVENT)
        operations.wait_for_failures(3)
    yield key, version_id
    index.clients.sqs.purge_queue(QueueUrl=operations.queue_url)


def test_failures_are_shown_by_reason_with_their_objects(
    operations: OperationsStack, failed: tuple[str, str], tmp_path: Path
) -> None:
    result = operations.run("redrive")
    assert (result.code, result.document["read"], result.document["replayed"]) == (1, 3, 0)
    messages = result.document["messages"]
    assert sorted((",".join(each["reasons"]), each["objects"]) for each in messages) == [
        ("", []),
        ("internal", [failed[0]]),
        ("malformed", []),
    ]
    assert [each["not_ours"] for each in messages if each["not_ours"]] == ["it is not JSON"]
    file = tmp_path / "failures.jsonl"
    assert operations.run("redrive", "--export", str(file)).document["exported"] == 3  # listing removes no message
    bodies = [json.loads(line)["body"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert "hello" in bodies
    assert INVALID_EVENT in [body["requestPayload"] for body in bodies if body != "hello"]


def test_what_failed_is_indexed_when_it_is_replayed_and_the_rest_stays(
    operations: OperationsStack, failed: tuple[str, str]
) -> None:
    index = operations.index
    assert index.rows(failed[0]) == []
    assert operations.run("audit", "--prefix", "redrive/").findings() == [("missing", *failed)]

    result = operations.run("redrive", "--reason", "internal", "--replay")
    assert (result.code, result.document["replayed"]) == (1, 1)
    assert index.wait_for_row(*failed)["key"] == failed[0]
    assert operations.run("audit", "--prefix", "redrive/").code == 0

    messages = operations.run("redrive").document["messages"]
    assert sorted(each["not_ours"] or each["reasons"][0] for each in messages) == ["it is not JSON", "malformed"]


@pytest.mark.usefixtures("failed")
def test_what_fails_again_comes_back_into_the_queue(operations: OperationsStack) -> None:
    assert operations.run("redrive", "--reason", "malformed", "--replay").document["replayed"] == 1
    operations.wait_for_failures(2)
    [message] = [each for each in operations.run("redrive").document["messages"] if each["reasons"]]
    assert message["reasons"] == ["malformed"]
