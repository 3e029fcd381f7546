"""A bucket and a table of moto's, the environment of a deployed function, and ears for what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.session
import pytest
from aws_xray_sdk import global_sdk_config
from aws_xray_sdk.core import lambda_launcher, xray_recorder
from moto import mock_aws

from lambda_code.settings import Settings
from lambda_code.telemetry import Telemetry
from tests.support.fakes import BUCKET, TABLE, Client
from tests.support.telemetry_fakes import SEGMENT_ID, TRACE_ID, Daemon, Told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The SDK opens a socket for a recorder of its own when it is imported, and never closes it; nobody here uses that one.
xray_recorder.emitter._socket.close()

ENVIRONMENT = {
    "TAP_BUCKET_NAME": BUCKET,
    "TAP_TABLE_NAME": TABLE,
    "POWERTOOLS_SERVICE_NAME": "tapstack-test",
    "POWERTOOLS_METRICS_NAMESPACE": "TapStack",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "TAP_DELETED_RETENTION_DAYS": "90",
}


@pytest.fixture
def settings() -> Settings:
    return Settings.from_env(ENVIRONMENT)


@pytest.fixture(scope="session")
def session() -> botocore.session.Session:
    """One session for all clients: it keeps what it read of the services' descriptions."""
    return botocore.session.get_session()


@pytest.fixture
def aws() -> Iterator[None]:
    """An AWS of this test alone."""
    with mock_aws():
        yield


@pytest.fixture
def s3(aws: None, session: botocore.session.Session) -> Client:  # noqa: ARG001 - the mock must run
    """A client of the bucket's owner, with the bucket made and versioned."""
    client: Client = session.create_client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture
def dynamodb(aws: None, session: botocore.session.Session) -> Client:  # noqa: ARG001 - see above
    """A client of the table's owner, with the table and its index made as the stack does."""
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
def told(settings: Settings) -> Told:
    return Told(settings)


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Daemon]:
    """A sampled invocation, as Lambda announces it, with somebody listening."""
    daemon = Daemon()
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")  # without it the SDK prepares a sampling of its own: 0.4 s
    monkeypatch.setattr(lambda_launcher, "TOUCH_FILE_DIR", str(tmp_path))
    monkeypatch.setattr(lambda_launcher, "TOUCH_FILE_PATH", str(tmp_path / "initialized"))
    monkeypatch.setenv("AWS_XRAY_SDK_ENABLED", "true")
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", daemon.address)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={TRACE_ID};Parent={SEGMENT_ID};Sampled=1")
    global_sdk_config.set_sdk_enabled(value=True)
    yield daemon
    monkeypatch.setenv("AWS_XRAY_SDK_ENABLED", "false")
    global_sdk_config.set_sdk_enabled(value=False)
    daemon.close()


@pytest.fixture
def traced(daemon: Daemon) -> Iterator[Told]:
    settings = Settings.from_env({**ENVIRONMENT, "AWS_XRAY_DAEMON_ADDRESS": daemon.address})
    told = Told(settings)
    yield told
    assert isinstance(told.indexer.telemetry, Telemetry)
    assert told.indexer.telemetry._recorder
    told.indexer.telemetry._recorder.emitter._socket.close()  # which lasts as long as a function, not as a test


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
