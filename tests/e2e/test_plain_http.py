"""Over plain HTTP somebody with every permission gets nothing: the policies of buckets, queue and topic refuse it.

The emulator of these tests enforces policies and answers over HTTP. Behind a load balancer that ends TLS it would be
told so by a header; with that header the same calls succeed, so it is nothing else that they are refused for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localstack.deployers.deploy import deploy
from localstack.emulators.emulator import start

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator

pytestmark = [
    pytest.mark.only_emulator("embedded"),  # LocalStack enforces no policy
    pytest.mark.only_engine("in-process"),  # the engine is not what this is about, and no other deploys in seconds
]

ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
BUCKETS = ("upload bucket", "log bucket")
REFUSED = {"AccessDenied", "AuthorizationError", "403"}  # S3 and SQS, SNS, and S3's answer without a body

CALLS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "list": ("s3", "list_objects_v2", {}),
    "list the versions of": ("s3", "list_object_versions", {}),
    "read the policy of": ("s3", "get_bucket_policy", {}),
    "read an object of": ("s3", "get_object", {"Key": "there.txt"}),
    "look at an object of": ("s3", "head_object", {"Key": "there.txt"}),
    "put an object into": ("s3", "put_object", {"Key": "new.txt", "Body": b"x"}),
    "delete an object of": ("s3", "delete_object", {"Key": "new.txt"}),
    "send to": ("sqs", "send_message", {"MessageBody": "x"}),
    "receive from": ("sqs", "receive_message", {}),
    "publish to": ("sns", "publish", {"Message": "x"}),
}

QUESTIONS = [
    *((bucket, call) for bucket in BUCKETS for call, (service, _, _) in CALLS.items() if service == "s3"),
    *(("failure queue", call) for call, (service, _, _) in CALLS.items() if service == "sqs"),
    ("alarm topic", "publish to"),
]


class Somebody:
    """An IAM user who may do anything, as far as it goes by roles and users."""

    def __init__(self, emulator: Emulator, targets: Mapping[str, Mapping[str, str]]) -> None:
        self._emulator = emulator
        self._targets = targets
        iam = emulator.client("iam")
        iam.create_user(UserName="somebody")
        iam.put_user_policy(UserName="somebody", PolicyName="anything", PolicyDocument=json.dumps(ANYTHING))
        self._key = iam.create_access_key(UserName="somebody")["AccessKey"]
        services = {service for service, _, _ in CALLS.values()}
        self._clients = {(service, tls): self._client(service, tls) for service in services for tls in (True, False)}

    def outcome(self, target: str, call: str, *, tls_ended_before: bool) -> str:
        """Make a call; "allowed", or the code of the error."""
        service, operation, arguments = CALLS[call]
        try:
            getattr(self._clients[service, tls_ended_before], operation)(**arguments, **self._targets[target])
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "allowed"

    def _client(self, service: str, tls_ended_before: bool) -> Any:  # noqa: ANN401, FBT001 - boto3's; used once, above
        client = boto3.session.Session().client(
            service,  # type: ignore[call-overload]  # the name is a value here, and the stubs want a literal
            region_name=self._emulator.region,
            endpoint_url=self._emulator.endpoint,
            aws_access_key_id=self._key["AccessKeyId"],
            aws_secret_access_key=self._key["SecretAccessKey"],
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        if tls_ended_before:
            client.meta.events.register("before-send", _as_a_load_balancer_does)
        return client


def _as_a_load_balancer_does(request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's own class
    request.headers["X-Forwarded-Proto"] = "https"


@pytest.fixture(scope="module")
def somebody() -> Iterator[Somebody]:
    with start("embedded", settings={"AUTH": "true"}) as emulator:
        assert emulator.endpoint.startswith("http://")
        outputs = deploy(emulator).outputs
        uploads = outputs["bucket_name"]
        logs = uploads.replace("-uploads-", "-logs-")
        for bucket in (uploads, logs):  # S3's policies bind everybody but root here
            emulator.client("s3").put_object(Bucket=bucket, Key="there.txt", Body=b"x")
        targets = {
            "upload bucket": {"Bucket": uploads},
            "log bucket": {"Bucket": logs},
            "failure queue": {"QueueUrl": outputs["failure_queue_url"]},
            "alarm topic": {"TopicArn": outputs["alarm_topic_arn"]},
        }
        yield Somebody(emulator, targets)
        # not destroyed: over plain HTTP the queue refuses even its deletion, by anybody


@pytest.mark.control("S3.5")
@pytest.mark.parametrize(("target", "call"), QUESTIONS, ids=lambda part: part.replace(" ", "-"))
def test_plain_http_is_refused_and_nothing_else(somebody: Somebody, target: str, call: str) -> None:
    assert somebody.outcome(target, call, tls_ended_before=False) in REFUSED
    assert somebody.outcome(target, call, tls_ended_before=True) == "allowed"
