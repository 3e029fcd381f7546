"""Indexing of S3 events in the formats of the AWS documentation, each with its expected result and row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lambda_code.errors import IndexingError
from tests.support.default_stack import S3_EVENTS
from tests.support.fakes import UNVERSIONED, IndexerHarness
from tests.support.nonempty import nonempty
from tests.unit.lambda_code.real_events import REAL_EVENTS

if TYPE_CHECKING:
    from tests.unit.lambda_code.real_events import RealEvent


@pytest.mark.parametrize("real", [pytest.param(each, id=each.name) for each in REAL_EVENTS])
def test_indexer_returns_the_expected_result_for_a_real_s3_event(real: RealEvent) -> None:
    harness = IndexerHarness()
    if not real.versioned:
        harness.indexer = replace(harness.indexer, buckets=UNVERSIONED)
    if isinstance(real.there, dict):
        harness.s3.put(real.key, real.version_id, real.there)
    elif real.there == "marker":
        harness.s3.add_delete_marker(real.key, real.version_id)
    response = harness.deliver(real.event)
    if real.error is not None:
        assert isinstance(response, IndexingError)
        assert real.error in str(response)
    else:
        assert response == real.result
    if real.result == {"ignored": 1}:
        assert harness.calls.calls == []
        assert [outcome.result for outcome in harness.telemetry.outcomes] == ["ignored"]
    addresses = {(f"uploads/{real.key}", real.version_id)} if real.row is not None else set()
    assert harness.dynamodb.rows.keys() == addresses
    if real.row is not None:
        row = harness.dynamodb.row(real.key, real.version_id)
        assert {name: row.get(name) for name in real.row} == real.row


def test_real_s3_events_have_unique_names_and_documentation_links() -> None:
    assert len({each.name for each in REAL_EVENTS}) == len(REAL_EVENTS)
    assert all(each.page.startswith("https://docs.aws.amazon.com/") for each in nonempty(REAL_EVENTS))
    assert all((each.result is None) != (each.error is None) for each in nonempty(REAL_EVENTS))


def test_real_s3_events_include_every_configured_event_type() -> None:
    records = [record for each in REAL_EVENTS for record in each.event.get("Records", [])]
    versions = {record["eventVersion"] for record in records}
    assert versions >= {"2.1", "2.2", "2.3", "2.4", "2.5", "2.6"}
    names = {f"s3:{record['eventName']}" for record in records} | {"s3:TestEvent"}
    assert names >= {name for name in S3_EVENTS if not name.endswith("*")}
