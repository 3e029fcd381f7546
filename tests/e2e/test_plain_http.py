"""Over plain HTTP a user with every permission is denied: the policies of buckets, queue and topic require TLS.

The emulator of these tests enforces policies and listens on HTTP. A load balancer that ends TLS would add a header;
with that header the same calls succeed, so nothing else is the reason for their denial.
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

DENIED = {"AccessDenied", "AuthorizationError", "403"}  # of S3 and SQS, of SNS, and of S3 without a body

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
TARGETS = {"upload bucket": "s3", "log bucket": "s3", "failure queue": "sqs", "alarm topic": "sns"}
REQUESTS = [
    (target, call) for target, service in TARGETS.items() for call, (of, _, _) in CALLS.items() if of == service
]


class Administrator:
    """An IAM user with every permission that an identity policy can give."""

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
        """Make a call; return "allowed", or the code of the error."""
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
        for bucket in (uploads, logs):  # as root, to whom the emulator does not apply S3's policies
            emulator.client("s3").put_object(Bucket=bucket, Key="there.txt", Body=b"x")
        targets = {
            "upload bucket": {"Bucket": uploads},
            "log bucket": {"Bucket": logs},
            "failure queue": {"QueueUrl": outputs["failure_queue_url"]},
            "alarm topic": {"TopicArn": outputs["alarm_topic_arn"]},
        }
        yield Administrator(emulator, targets)
        # not destroyed: over plain HTTP the queue's policy denies even its deletion, to everybody


@pytest.mark.control("S3.5")
@pytest.mark.parametrize(("target", "call"), REQUESTS, ids=lambda part: part.replace(" ", "-"))
def test_plain_http_is_refused_and_nothing_else(administrator: Administrator, target: str, call: str) -> None:
    assert administrator.outcome(target, call, behind_load_balancer=False) in DENIED
    assert administrator.outcome(target, call, behind_load_balancer=True) == "allowed"
