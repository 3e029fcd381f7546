"""Real boto3 clients that send nothing: a call is checked against AWS's own model, noted, and answered from a table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import Session

from localstack.deployers.resources.base import Aws

REGION = "eu-central-1"
ARN = "arn:aws:service:eu-central-1:123456789012:thing"

Answer = Mapping[str, Any] | Exception | Callable[[dict[str, Any]], Mapping[str, Any]]

ANSWERS: Mapping[str, Answer] = {
    "GetCallerIdentity": {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:root", "UserId": "AID"},
    "GetBucketLocation": {"LocationConstraint": REGION},
    "ListObjectVersions": {},
    "ListMultipartUploads": {},
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
    "DescribeLogGroups": lambda asked: {
        "logGroups": [{"logGroupName": asked["logGroupNamePrefix"], "arn": f"{ARN}:*"}]
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


class RecordingAws:
    """What `Emulator` is to the engine, without an emulator behind it.

    `calls` has every call so far; `answers` overrides the table above: an answer, an exception to raise, or a function
    of the call's parameters.
    """

    region = REGION

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._answers = {**ANSWERS, **(answers or {})}
        self._lock = threading.Lock()

    def client(self, service: str, *, region: str | None = None) -> Any:  # noqa: ANN401 - boto3 makes its classes while it runs
        with self._lock:
            return _Recorder(_client(service, region or REGION), self)

    def operations(self) -> list[str]:
        return [operation for operation, _parameters in self.calls]

    def parameters(self, operation: str) -> dict[str, Any]:
        """The parameters of the only call of an operation."""
        (found,) = (parameters for name, parameters in self.calls if name == operation)
        return found

    def answer(self, operation: str, parameters: dict[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            self.calls.append((operation, parameters))
        answer = self._answers.get(operation, {})
        if isinstance(answer, Exception):
            raise answer
        return answer(parameters) if callable(answer) else answer


def aws(recording: RecordingAws, folder: Path = Path()) -> Aws:
    """The account that resources are made in, with a clock that nobody needs to wait for."""
    return Aws(
        clients=recording,
        region=REGION,
        partition="aws",
        dns_suffix="amazonaws.com",
        folder=folder,
        clock=lambda: 0.0,
        sleep=lambda _seconds: None,
        token=lambda: "1234567",
    )


def refusal(code: str, operation: str = "Operation") -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "as the test wishes"}}  # the rest is never looked at
    return ClientError(response, operation)


@cache
def _session() -> Session:
    """One for all, since each would read the same large files."""
    return Session()


@cache
def _client(service: str, region: str) -> Any:  # noqa: ANN401 - as above
    return _session().create_client(service, region_name=region)


class _Recorder:
    """A boto3 client, but the call stops after botocore's own check of the parameters."""

    def __init__(self, client: Any, recording: RecordingAws) -> None:  # noqa: ANN401 - as above
        self.meta = client.meta
        self._client = client
        self._recording = recording

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 - as above
        operation = self._client.meta.method_to_api_mapping[method]
        model = self._client.meta.service_model.operation_model(operation)

        def call(**parameters: Any) -> Mapping[str, Any]:
            if model.input_shape is not None:
                self._client._serializer.serialize_to_request(parameters, model)
            return self._recording.answer(operation, parameters)

        return call
