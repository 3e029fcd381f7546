"""Events that fail while the function is broken are shown, exported and, once it is mended, replayed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.operated import Operated

pytestmark = pytest.mark.not_in_a_live_account("deploys a stack of its own, and makes its function fail")


@pytest.fixture(scope="module")
def failed(_operated: Operated) -> Iterator[list[tuple[str, str]]]:
    """Versions whose events failed and are in the queue, beside one that cannot succeed and a message of nobody's."""
    operated, index = _operated, _operated.index
    key = index.key("redrive/a b+é.txt")
    index.clients.sqs.send_message(QueueUrl=operated.queue_url, MessageBody="hello")
    with operated.function_broken():
        versions = [(key, index.put(key))]
        index.send({"no": "records"})
        operated.wait_for_failures(3)
    yield versions
    index.clients.sqs.purge_queue(QueueUrl=operated.queue_url)


def test_failures_are_shown_by_reason_with_their_objects(
    operated: Operated, failed: list[tuple[str, str]], tmp_path: Path
) -> None:
    said = operated.run("redrive")
    assert (said.code, said.document["read"], said.document["replayed"]) == (1, 3, 0)
    by_reason: dict[str, list[str]] = {}
    for message in said.document["messages"]:
        by_reason.setdefault(",".join(message["reasons"]), []).extend(message["objects"])
    assert {reason: sorted(objects) for reason, objects in by_reason.items()} == {
        "internal": sorted(key for key, _ in failed),
        "malformed": [],
        "": [],
    }
    assert [each["not_ours"] for each in said.document["messages"] if each["not_ours"]] == ["it is not JSON"]
    file = tmp_path / "failures.jsonl"
    assert operated.run("redrive", "--export", str(file)).document["exported"] == 3  # looking took nothing away
    bodies = [json.loads(line)["body"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert "hello" in bodies
    assert {"no": "records"} in [body["requestPayload"] for body in bodies if body != "hello"]


def test_what_failed_is_indexed_when_it_is_replayed_and_the_rest_stays(
    operated: Operated, failed: list[tuple[str, str]]
) -> None:
    index = operated.index
    assert [key for key, _ in failed if index.rows(key)] == []
    assert operated.run("audit", "--prefix", "redrive/").found() == sorted(("missing", *each) for each in failed)

    said = operated.run("redrive", "--reason", "internal", "--replay")
    assert (said.code, said.document["replayed"]) == (1, 1)
    for key, version_id in failed:
        assert index.wait_for_row(key, version_id)["key"] == key
    assert operated.run("audit", "--prefix", "redrive/").code == 0

    said = operated.run("redrive")
    assert sorted(message["not_ours"] or message["reasons"][0] for message in said.document["messages"]) == [
        "it is not JSON",
        "malformed",
    ]


def test_what_fails_again_comes_back_into_the_queue(operated: Operated, failed: list[tuple[str, str]]) -> None:
    assert failed
    said = operated.run("redrive", "--reason", "malformed", "--replay")
    assert said.document["replayed"] == 1
    operated.wait_for_failures(2)
    [message] = [each for each in operated.run("redrive").document["messages"] if each["reasons"]]
    assert message["reasons"] == ["malformed"]
