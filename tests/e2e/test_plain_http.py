"""Plain HTTP is denied even to an administrator, because the policies of buckets, queue and topic require TLS.

The emulator of these tests enforces policies and listens on plain HTTP. Each call is also sent with the header of a
load balancer that terminates TLS. It succeeds then, so that missing TLS is the only reason for the denial.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localstack.deployers.deploy import deploy
from localstack.emulators.emulator import start
from tests.e2e import iam_enforcement
from tests.e2e.iam_enforcement import ALLOW_EVERYTHING, client_of_user, user_credentials

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator

pytestmark = iam_enforcement.MARKS

DENIED = {"AccessDenied", "AuthorizationError", "403"}

CALLS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "list": ("s3", "list_objects_v2", {}),
    "list the versions of": ("s3", "list_object_versions", {}),
    "read the policy of": ("s3", "get_bucket_policy", {}),
    "read an object of": ("s3", "get_object", {"Key": "there.txt"}),
    "get the head of an object of": ("s3", "head_object", {"Key": "there.txt"}),
    "put an object into": ("s3", "put_object", {"Key": "new.txt", "Body": b"x"}),
    "delete an object of": ("s3", "delete_object", {"Key": "new.txt"}),
    "send to": ("sqs", "send_message", {"MessageBody": "x"}),
    "receive from": ("sqs", "receive_message", {}),
    "publish to": ("sns", "publish", {"Message": "x"}),
}
TARGETS = {"upload bucket": "s3", "log bucket": "s3", "failure queue": "sqs", "alarm topic": "sns"}
REQUESTS = [
    (target, call) for target, service in TARGETS.items() for call, (of, _, _) in CALLS.items() if of == service
]


class Administrator:
    """IAM user whose policy allows every action."""

    def __init__(self, emulator: Emulator, targets: Mapping[str, Mapping[str, str]]) -> None:
        self._targets = targets
        credentials = user_credentials(emulator, "administrator", ALLOW_EVERYTHING)
        self._clients: dict[tuple[str, bool], Any] = {}
        for service in set(TARGETS.values()):
            for behind_load_balancer in (True, False):
                client = client_of_user(emulator, service, credentials)
                if behind_load_balancer:
                    client.meta.events.register("before-send", _add_load_balancer_header)
                self._clients[service, behind_load_balancer] = client

    def outcome(self, target: str, call: str, *, behind_load_balancer: bool) -> str:
        """Send a call; return "allowed" or the error code."""
        service, operation, arguments = CALLS[call]
        try:
            getattr(self._clients[service, behind_load_balancer], operation)(**arguments, **self._targets[target])
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "allowed"


def _add_load_balancer_header(request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's own class
    request.headers["X-Forwarded-Proto"] = "https"


@pytest.fixture(scope="module")
def administrator() -> Iterator[Administrator]:
    with start("embedded", settings={"AUTH": "true"}) as emulator:
        assert emulator.endpoint.startswith("http://")
        outputs = deploy(emulator).outputs
        uploads = outputs["bucket_name"]
        logs = uploads.replace("-uploads-", "-logs-")
        for bucket in (uploads, logs):  # the emulator does not apply bucket policies to the root user
            emulator.client("s3").put_object(Bucket=bucket, Key="there.txt", Body=b"x")
        targets = {
            "upload bucket": {"Bucket": uploads},
            "log bucket": {"Bucket": logs},
            "failure queue": {"QueueUrl": outputs["failure_queue_url"]},
            "alarm topic": {"TopicArn": outputs["alarm_topic_arn"]},
        }
        yield Administrator(emulator, targets)
        # The stack is not destroyed, because the queue policy denies even the deletion of the queue over plain HTTP.


@pytest.mark.control("S3.5")
@pytest.mark.parametrize(("target", "call"), REQUESTS, ids=lambda part: part.replace(" ", "-"))
def test_resource_policies_deny_plain_http_and_allow_https(
    administrator: Administrator, target: str, call: str
) -> None:
    assert administrator.outcome(target, call, behind_load_balancer=False) in DENIED
    assert administrator.outcome(target, call, behind_load_balancer=True) == "allowed"
