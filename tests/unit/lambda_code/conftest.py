"""A bucket and a table of moto's, and the environment of a deployed function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.session
import pytest
from moto import mock_aws

from lambda_code.settings import Settings
from tests.fakes import BUCKET, TABLE, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = {
    "TAP_BUCKET_NAME": BUCKET,
    "TAP_TABLE_NAME": TABLE,
    "POWERTOOLS_SERVICE_NAME": "tapstack-test",
    "POWERTOOLS_METRICS_NAMESPACE": "TapStack",
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
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


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
