"""boto3 clients that send nothing: calls are validated by AWS's model and recorded; a table has the responses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from botocore.session import Session

from localstack.deployers.resources.base import Aws
from tests.support.clock import FakeClock

REGION = "eu-central-1"
ARN = "arn:aws:service:eu-central-1:123456789012:thing"

Response = Mapping[str, Any] | Exception | Callable[[dict[str, Any]], Mapping[str, Any]]

RESPONSES: Mapping[str, Response] = {
    "GetCallerIdentity": {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:root", "UserId": "AID"},
    "GetBucketLocation": {"LocationConstraint": REGION},
    "DescribeTable": {
        "Table": {"TableStatus": "ACTIVE", "TableArn": ARN, "LatestStreamArn": f"{ARN}/s", "LatestStreamLabel": "s"}
    },
    "CreateFunction": {
        "FunctionArn": ARN,
        "Version": "$LATEST",
        "LastModified": "2026-01-31T12:00:00Z",
        "CodeSha256": "c2hh",
        "CodeSize": 3,
    },
    "GetFunctionConfiguration": {"State": "Active"},
    "CreateRole": {
        "Role": {"Arn": ARN, "RoleId": "AROA", "CreateDate": datetime(2026, 1, 31, tzinfo=UTC), "Path": "/"}
    },
    "DescribeLogGroups": lambda request: {
        "logGroups": [{"logGroupName": request["logGroupNamePrefix"], "arn": f"{ARN}:*"}]
    },
    "DescribeAlarms": {"MetricAlarms": [{"AlarmArn": ARN}]},
    "GetDashboard": {"DashboardArn": ARN},
    "CreateQueue": {"QueueUrl": "http://queue"},
    "GetQueueAttributes": {"Attributes": {"QueueArn": ARN}},
    "CreateTopic": {"TopicArn": ARN},
    "GetTopicAttributes": {"Attributes": {"Owner": "123456789012"}},
    "Subscribe": {"SubscriptionArn": ARN},
    "GetSubscriptionAttributes": {"Attributes": {"PendingConfirmation": "false"}},
}
"""The response of each operation; a function gets the parameters of the call. Other operations return nothing."""


class FakeAws:
    """Replaces an emulator; `calls` has all calls, and `responses` overrides the table above."""

    def __init__(self, responses: Mapping[str, Response] | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.responses = {**RESPONSES, **(responses or {})}
        self._lock = threading.Lock()

    def client(self, service: str, *, region: str | None = None) -> Any:  # noqa: ANN401  boto3 creates its classes at run time
        with self._lock:
            return _FakeClient(_client(service, region or REGION), self)

    def operations(self) -> list[str]:
        return [operation for operation, _parameters in self.calls]

    def parameters(self, operation: str) -> dict[str, Any]:
        """Return the parameters of the only call of an operation."""
        (found,) = (parameters for name, parameters in self.calls if name == operation)
        return found

    def respond(self, operation: str, parameters: dict[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            self.calls.append((operation, parameters))
        response = self.responses.get(operation, {})
        if isinstance(response, Exception):
            raise response
        return response(parameters) if callable(response) else response


def fake_account(fake: FakeAws, region: str = REGION) -> Aws:
    """Return the account of the created resources, with a fake clock."""
    clock = FakeClock()
    return Aws(
        clients=fake,
        region=region,
        partition="aws",
        dns_suffix="amazonaws.com",
        folder=Path(),
        clock=clock,
        sleep=clock.sleep,
        token=lambda: "1234567",
    )


@cache
def _session() -> Session:
    """Return one session for all clients, since each would read the same large files."""
    return Session()


@cache
def _client(service: str, region: str) -> Any:  # noqa: ANN401  as above
    return _session().create_client(service, region_name=region)


class _FakeClient:
    """A boto3 client whose calls stop after botocore's validation of the parameters."""

    def __init__(self, client: Any, fake: FakeAws) -> None:  # noqa: ANN401  as above
        self.meta = client.meta
        self._client = client
        self._fake = fake

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401  as above
        operation = self._client.meta.method_to_api_mapping[method]
        model = self._client.meta.service_model.operation_model(operation)

        def call(**parameters: Any) -> Mapping[str, Any]:
            if model.input_shape is not None:
                self._client._serializer.serialize_to_request(parameters, model)
            return self._fake.respond(operation, parameters)

        return call
