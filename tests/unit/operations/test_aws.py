"""The AWS calls against moto, and against answers that moto never gives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from operations.aws import MAX_ATTEMPTS, Aws
from operations.errors import OperatorError, RefusedEventError
from operations.rate import Capacity

KEYS = ["a b/c+d%2B.txt", "é/\u5831\U0001f680.txt", "plain.txt", "x/tab\tand?&#.txt"]


@pytest.fixture
def clients() -> Iterator[dict[str, Any]]:
    with mock_aws():
        yield {service: boto3.client(service) for service in ("s3", "dynamodb", "sqs", "lambda")}


@pytest.fixture
def aws(clients: dict[str, Any]) -> Aws:
    """The calls, with clients of boto3's own session, which are made in no time from the second on."""
    return Aws(clients.__getitem__)


@pytest.fixture
def connected() -> Iterator[Aws]:
    """The calls with the clients of the program, which try again."""
    with mock_aws():
        yield Aws.connect()


@pytest.fixture
def bucket(clients: dict[str, Any]) -> str:
    clients["s3"].create_bucket(Bucket="uploads")
    clients["s3"].put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
    return "uploads"


@pytest.fixture
def table(clients: dict[str, Any]) -> str:
    clients["dynamodb"].create_table(
        TableName="objects",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("object_id", "version_id", "upload_day")
        ],
        KeySchema=[
            {"AttributeName": "object_id", "KeyType": "HASH"},
            {"AttributeName": "version_id", "KeyType": "RANGE"},
        ],
        ProvisionedThroughput={"ReadCapacityUnits": 30, "WriteCapacityUnits": 20},
        GlobalSecondaryIndexes=[
            {
                "IndexName": "uploads_by_day",
                "KeySchema": [{"AttributeName": "upload_day", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 10},
            }
        ],
    )
    return "objects"


def answers(
    aws: Aws,
    client: str,
    operation: str,
    statuses: Sequence[tuple[int, str]],
    *,
    body: bytes = b'{"Type": "User", "message": "as the test wishes"}',
) -> list[Any]:
    """Answer the calls of one operation with these statuses and error codes; return the requests, as they come."""
    boto: Any = getattr(aws, f"_{client}")
    left, requests = list(statuses), []

    def answer(request: Any, **_: Any) -> AWSResponse:  # noqa: ANN401  botocore's own
        requests.append(request)
        status, code = left.pop(0)

        class Raw:
            def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
                yield body

        headers: Any = {"x-amzn-errortype": code} if code else {}
        return AWSResponse(request.url, status, headers, Raw())

    boto.meta.events.register_first(f"before-send.{boto.meta.service_model.service_id.hyphenize()}.{operation}", answer)
    return requests


# The bucket.


def test_versions_and_markers_come_in_key_order_across_pages(aws: Aws, clients: dict[str, Any], bucket: str) -> None:
    for key in KEYS:
        for body in (b"1", b"22"):
            clients["s3"].put_object(Bucket=bucket, Key=key, Body=body)
        clients["s3"].delete_object(Bucket=bucket, Key=key)
    listed = list(aws.versions(bucket, page=2))
    assert [each.key for each in listed] == [key for key in sorted(KEYS) for _ in range(3)]
    assert sum(each.marker for each in listed) == len(KEYS)
    assert sorted({each.size for each in listed if not each.marker}) == [1, 2]
    assert [each for each in listed if '"' in each.etag] == []
    assert len({each.version_id for each in listed}) == 3 * len(KEYS)


def test_a_listing_can_start_after_a_key_and_keep_to_a_prefix(aws: Aws, clients: dict[str, Any], bucket: str) -> None:
    for key in ("a/1", "a/2", "a/3", "b/1"):
        clients["s3"].put_object(Bucket=bucket, Key=key)
    assert [each.key for each in aws.versions(bucket, prefix="a/", after="a/1")] == ["a/2", "a/3"]


def test_a_bucket_without_notifications_has_none(aws: Aws, bucket: str) -> None:
    assert list(aws.notifications(bucket)) == []


def test_a_bucket_that_is_gone_is_explained(aws: Aws) -> None:
    with pytest.raises(OperatorError, match=r"cannot list the versions in 'nothing'.*Was the stack destroyed"):
        list(aws.versions("nothing"))


# The table.


def test_the_capacity_is_the_tables_reads_and_the_least_of_all_writes(aws: Aws, table: str) -> None:
    assert aws.capacity(table) == Capacity(read=30, write=10)


def test_a_table_billed_per_request_has_no_capacity(aws: Aws, clients: dict[str, Any], table: str) -> None:
    clients["dynamodb"].create_table(
        TableName="on-demand",
        AttributeDefinitions=[{"AttributeName": "object_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "object_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert table
    assert aws.capacity("on-demand") == Capacity(read=None, write=None)


def put_row(clients: dict[str, Any], object_id: str, version_id: str, **attributes: Any) -> None:
    item = {"object_id": {"S": object_id}, "version_id": {"S": version_id}, **attributes}
    clients["dynamodb"].put_item(TableName="objects", Item=item)


def test_rows_come_as_plain_values_with_what_they_cost(aws: Aws, clients: dict[str, Any], table: str) -> None:
    put_row(
        clients,
        "b/k",
        "v1",
        size_bytes={"N": "5"},
        delete_marker={"BOOL": True},
        user_metadata={"M": {}},
        key={"S": "k"},
    )
    put_row(clients, "b/k", "v2")
    put_row(clients, "b/kk", "v1")
    [page] = aws.query_rows(table, "b/k", consistent=True)
    assert page.rows == (
        {"object_id": "b/k", "version_id": "v1", "size_bytes": 5, "delete_marker": True, "key": "k"},
        {"object_id": "b/k", "version_id": "v2"},
    )
    assert page.units > 0


def test_a_query_and_a_scan_go_on_until_there_is_no_more(aws: Aws, clients: dict[str, Any], table: str) -> None:
    for number in range(4):  # 1.2 MB, and DynamoDB answers one at a time
        put_row(clients, "b/k", f"v{number}", user_metadata={"S": "x" * 300_000})
    put_row(clients, "c/k", "v1")
    pages = list(aws.query_rows(table, "b/k"))
    assert len(pages) > 1
    assert [row["version_id"] for page in pages for row in page.rows] == ["v0", "v1", "v2", "v3"]
    scanned = [(row["object_id"], row["version_id"]) for page in aws.scan_rows(table, prefix="b/") for row in page.rows]
    assert sorted(scanned) == [("b/k", f"v{number}") for number in range(4)]


# The queue.


@pytest.fixture
def queue(clients: dict[str, Any]) -> str:
    url: str = clients["sqs"].create_queue(QueueName="failures")["QueueUrl"]
    return url


def test_messages_are_hidden_until_they_are_let_go_or_deleted(aws: Aws, clients: dict[str, Any], queue: str) -> None:
    for number in range(12):
        clients["sqs"].send_message(QueueUrl=queue, MessageBody=f"{number}")
    messages = [each for _ in range(2) for each in aws.receive(queue, limit=10, visibility_timeout=900)]
    assert sorted(int(each.body) for each in messages) == list(range(12))
    assert min(each.sent_ms for each in messages) > 1_700_000_000_000
    assert aws.message_counts(queue) == (0, 12)
    aws.delete(queue, messages[0].receipt)
    aws.release(queue, [each.receipt for each in messages[1:]])
    assert aws.message_counts(queue) == (11, 0)
    again = [each for _ in range(2) for each in aws.receive(queue, limit=10, visibility_timeout=900)]
    assert {each.id for each in again} == {each.id for each in messages[1:]}


def test_an_arn_leads_to_its_queue(aws: Aws, queue: str) -> None:
    assert aws.queue_url("arn:aws:sqs:us-east-1:123456789012:failures") == queue
    with pytest.raises(OperatorError, match="cannot find the queue"):
        aws.queue_url("arn:aws:sqs:us-east-1:123456789012:none")


# The function.


def test_an_event_is_sent_as_s3_sends_it(connected: Aws) -> None:
    requests = answers(connected, "lambda", "Invoke", [(202, "")])
    event = {"key": "é", "half of a pair": "\ud83d"}
    connected.invoke("indexer", event)
    [request] = requests
    assert request.headers["X-Amz-Invocation-Type"] == b"Event"
    assert json.loads(request.body) == event


@pytest.mark.parametrize(
    ("status", "code"), [(413, "RequestTooLargeException"), (400, "InvalidRequestContentException")]
)
def test_an_event_that_lambda_will_never_accept_is_told_from_a_function_that_accepts_none(
    connected: Aws, status: int, code: str
) -> None:
    answers(connected, "lambda", "Invoke", [(status, code), (403, "AccessDeniedException")])
    with pytest.raises(RefusedEventError, match=f"does not accept the event: .*{code}"):
        connected.invoke("indexer", {})
    with pytest.raises(OperatorError, match="AccessDenied") as denied:
        connected.invoke("indexer", {})
    assert not isinstance(denied.value, RefusedEventError)


@pytest.mark.parametrize(("length", "whole"), [("2", True), ("0", True), ("900", False)])
def test_half_an_answer_is_not_taken_for_an_empty_queue(
    length: str,
    whole: bool,  # noqa: FBT001  a table
) -> None:
    """Botocore makes `{}` of JSON that breaks off."""
    answer = {"ResponseMetadata": {"HTTPHeaders": {"content-length": length}}}
    client = type("Client", (), {"receive_message": lambda _self, **_: answer})
    aws = Aws(lambda _: client())
    if whole:
        assert aws.receive("https://queue", limit=1, visibility_timeout=900) == []
        return
    with pytest.raises(OperatorError, match="arrived incomplete, without Messages: start again"):
        aws.receive("https://queue", limit=1, visibility_timeout=900)


@pytest.mark.parametrize(
    ("named", "variables", "region"),
    [
        ("eu-west-1", {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-1"),
        (None, {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-2"),
        (None, {"AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
    ],
)
def test_the_region_is_the_one_that_the_aws_cli_would_take(
    monkeypatch: pytest.MonkeyPatch, named: str | None, variables: dict[str, str], region: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Aws.connect(named)._s3.meta.region_name == region


def test_a_profile_that_is_not_there_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "misspelt")
    with pytest.raises(OperatorError, match=r"cannot make the clients: .*misspelt"):
        Aws.connect("eu-west-1")


def test_throttled_calls_are_made_again_after_a_while(connected: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", slept.append)
    requests = answers(
        connected,
        "lambda",
        "Invoke",
        [(429, "TooManyRequestsException"), (503, "ServiceException"), (429, "TooManyRequestsException"), (202, "")],
    )
    connected.invoke("indexer", {})
    assert (len(requests), len(slept)) == (4, 3)
    assert max(slept) > 0


def test_what_stays_throttled_is_explained(connected: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    requests = answers(connected, "lambda", "Invoke", [(429, "TooManyRequestsException")] * MAX_ATTEMPTS)
    with pytest.raises(OperatorError, match=r"cannot invoke the function 'indexer'.*try again later, or with a lower"):
        connected.invoke("indexer", {})
    assert len(requests) == MAX_ATTEMPTS


def test_what_is_denied_is_explained_and_not_tried_again(connected: Aws) -> None:
    requests = answers(connected, "lambda", "Invoke", [(403, "AccessDeniedException")])
    with pytest.raises(OperatorError, match=r"permissions that docs/runbook\.md lists"):
        connected.invoke("indexer", {})
    assert len(requests) == 1


def test_an_answer_that_is_not_accepted_is_an_error(connected: Aws) -> None:
    answers(connected, "lambda", "Invoke", [(200, "")])
    with pytest.raises(OperatorError, match="answered 200, not 202"):
        connected.invoke("indexer", {})


def test_a_function_that_is_not_there_is_explained(connected: Aws) -> None:
    with pytest.raises(OperatorError, match=r"cannot read the function 'nobody'.*Is that its name"):
        connected.function_configuration("nobody")


def test_what_lambda_says_of_a_function(connected: Aws) -> None:
    answers(connected, "lambda", "GetFunctionConfiguration", [(200, "")], body=b'{"FunctionName": "indexer"}')
    assert connected.function_configuration("indexer")["FunctionName"] == "indexer"


@pytest.mark.parametrize(
    ("body", "destination"),
    [
        (b'{"DestinationConfig": {"OnFailure": {"Destination": "arn:of:queue"}}}', "arn:of:queue"),
        (b'{"DestinationConfig": {"OnFailure": {}}}', None),
        (b'{"MaximumRetryAttempts": 2}', None),
    ],
)
def test_where_failed_events_go(connected: Aws, body: bytes, destination: str | None) -> None:
    answers(connected, "lambda", "GetFunctionEventInvokeConfig", [(200, "")], body=body)
    assert connected.failure_destination("indexer") == destination


def test_a_function_without_a_destination_has_none(connected: Aws) -> None:
    answers(connected, "lambda", "GetFunctionEventInvokeConfig", [(404, "ResourceNotFoundException")])
    assert connected.failure_destination("indexer") is None


# The shell.


def test_an_address_at_which_nothing_answers_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(OperatorError, match=r"Is the network up, and AWS_ENDPOINT_URL, if it is set, right\?"):
        Aws.connect().capacity("objects")


def test_without_credentials_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(OperatorError, match="AWS_PROFILE"):
        Aws.connect().capacity("objects")


def test_without_a_region_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(OperatorError, match="Set AWS_REGION"):
        Aws.connect()


def test_an_emulators_address_is_used_with_the_bucket_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:1")  # a name, which could carry a bucket before it
    aws = Aws.connect("eu-west-1")
    requests = answers(aws, "s3", "ListObjectVersions", [(403, "")])
    with pytest.raises(OperatorError):
        list(aws.versions("uploads"))
    assert requests[0].url.startswith("http://localhost:1/uploads?")
