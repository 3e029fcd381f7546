"""Fixtures: S3 and DynamoDB from moto, the settings of a deployed indexer, and receivers of its logs and traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.session
import pytest
from aws_xray_sdk import global_sdk_config
from aws_xray_sdk.core import lambda_launcher, xray_recorder
from moto import mock_aws

from lambda_code.settings import Settings
from tests.support import tracing
from tests.support.fakes import BUCKET, ENVIRONMENT, TABLE, Client, IndexerHarness
from tests.support.strategies import head
from tests.support.telemetry_fakes import SEGMENT_ID, TRACE_ID, LoggedIndexer, TracedIndexer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# On import, the X-Ray SDK opens a socket for its global recorder, which these tests do not use, and never closes it.
xray_recorder.emitter._socket.close()


@pytest.fixture
def settings() -> Settings:
    return Settings.from_env(ENVIRONMENT)


@pytest.fixture(scope="session")
def session() -> botocore.session.Session:
    """One botocore session for all clients, because it caches the service descriptions."""
    return botocore.session.get_session()


@pytest.fixture
def aws() -> Iterator[None]:
    """AWS services from moto, empty at the beginning of each test."""
    with mock_aws():
        yield


@pytest.fixture
def s3(aws: None, session: botocore.session.Session) -> Client:  # noqa: ARG001 - activates moto
    """An S3 client, with a versioned bucket."""
    client: Client = session.create_client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture
def dynamodb(aws: None, session: botocore.session.Session) -> Client:  # noqa: ARG001 - activates moto
    """A DynamoDB client, with the same table and index that the Pulumi program creates."""
    client: Client = session.create_client("dynamodb")
    keys = ["object_id", "version_id", "upload_day", "uploaded_at"]
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=_keys("object_id", "version_id"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "uploads_by_day",
                "KeySchema": _keys("upload_day", "uploaded_at"),
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


@pytest.fixture
def harness() -> IndexerHarness:
    """An indexer whose bucket contains one object: version `v1` of `photos/cat.jpg`."""
    harness = IndexerHarness()
    harness.s3.put("photos/cat.jpg", "v1", head())
    return harness


@pytest.fixture
def logged(settings: Settings) -> LoggedIndexer:
    return LoggedIndexer(settings)


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tracing.Daemon]:
    """A fake X-Ray daemon, and the environment variables of a sampled invocation."""
    # Without LAMBDA_TASK_ROOT, the X-Ray SDK prepares its own sampling, which takes 0.4 s.
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    monkeypatch.setattr(lambda_launcher, "TOUCH_FILE_DIR", str(tmp_path))
    monkeypatch.setattr(lambda_launcher, "TOUCH_FILE_PATH", str(tmp_path / "initialized"))
    monkeypatch.setenv("AWS_XRAY_SDK_ENABLED", "true")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={TRACE_ID};Parent={SEGMENT_ID};Sampled=1")
    global_sdk_config.set_sdk_enabled(value=True)
    with tracing.daemon() as daemon:
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", daemon.address)
        yield daemon
    monkeypatch.setenv("AWS_XRAY_SDK_ENABLED", "false")
    global_sdk_config.set_sdk_enabled(value=False)


@pytest.fixture
def traced(daemon: tracing.Daemon) -> Iterator[TracedIndexer]:
    settings = Settings.from_env({**ENVIRONMENT, "AWS_XRAY_DAEMON_ADDRESS": daemon.address})
    traced = TracedIndexer(settings, daemon)
    yield traced
    traced.recorder.emitter._socket.close()  # The X-Ray SDK never closes the socket of its emitter.


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
