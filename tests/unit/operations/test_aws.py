"""Tests of the tools' AWS calls with moto, and with simulated HTTP responses for cases that moto does not support."""

from __future__ import annotations

import http.client
import io
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest
from botocore import exceptions
from botocore.awsrequest import AWSResponse
from botocore.parsers import ResponseParserError
from moto import mock_aws
from urllib3 import HTTPResponse

from operations.aws import MAX_ATTEMPTS, Aws
from operations.aws.errors import EXPIRED_CODES, translated_errors
from operations.errors import OperatorError, RefusedEventError
from operations.rate import Capacity
from tests.support.fakes import client_error
from tests.support.nonempty import nonempty
from tests.support.raw_server import raw_server, response

DELETED = (
    r"Was the resource deleted or renamed, or is this the wrong region\? Run `audit` without --repair: it reports "
    r"deleted resources of the stack\. docs/runbook\.md#incidents lists the remedies\.$"
)
QUEUES_ARN = "arn:aws:sqs:us-east-1:123456789012"
NO_QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/none"
Respond: TypeAlias = Callable[..., list[Any]]

KEYS = ["a b/c+d%2B.txt", "é/\u5831\U0001f680.txt", "plain.txt", "x/tab\tand?&#.txt"]
THROTTLED, UNAVAILABLE = (429, "TooManyRequestsException"), (503, "ServiceException")
DENIED, ACCEPTED = (403, "AccessDeniedException"), (202, "")


@pytest.fixture(scope="module")
def _shared() -> Aws:
    with mock_aws():
        return Aws.connect()


@pytest.fixture
def connected(_shared: Aws) -> Iterator[Aws]:
    """An instance of `Aws` whose boto3 clients have the retry configuration of the tools. All tests share the clients.

    Simulate responses only with the fixture `respond`, which removes the responses at the end of the test.
    """
    with mock_aws():
        yield _shared


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Fixture that replaces botocore's waits before retries, and lists their durations in seconds."""
    sleeps: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", sleeps.append)
    return sleeps


@pytest.fixture
def bucket(clients: dict[str, Any]) -> str:
    clients["s3"].create_bucket(Bucket="uploads")
    clients["s3"].put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
    return "uploads"


@pytest.fixture
def table(clients: dict[str, Any]) -> str:
    keys = {"object_id": "HASH", "version_id": "RANGE"}
    clients["dynamodb"].create_table(
        TableName="objects",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in (*keys, "upload_day")],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
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


@pytest.fixture
def respond() -> Iterator[Respond]:
    """Fixture: function that simulates HTTP responses (status, error code) of an AWS operation during the test.

    The function returns a list to which each request of the operation is added.
    """
    with ExitStack() as cleanup:

        def respond(
            aws: Aws, client: str, operation: str, *responses: tuple[int, str], body: bytes = b'{"message": "test"}'
        ) -> list[Any]:
            boto: Any = getattr(aws, f"_{client}")
            remaining, requests = list(responses), []

            def response(request: Any, **_: Any) -> AWSResponse:  # noqa: ANN401  botocore has no types
                requests.append(request)
                status, code = remaining.pop(0)
                headers: Any = {"x-amzn-errortype": code} if code else {}
                return AWSResponse(request.url, status, headers, HTTPResponse(io.BytesIO(body), preload_content=False))

            event = f"before-send.{boto.meta.service_model.service_id.hyphenize()}.{operation}"
            boto.meta.events.register_first(event, response)
            cleanup.callback(boto.meta.events.unregister, event, response)
            return requests

        yield respond


def test_serial_listing_of_versions_is_in_key_order_across_pages(
    aws: Aws, clients: dict[str, Any], bucket: str
) -> None:
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


def test_serial_listing_of_versions_contains_storage_classes(aws: Aws, clients: dict[str, Any], bucket: str) -> None:
    for storage_class in ("STANDARD", "GLACIER_IR"):
        clients["s3"].put_object(Bucket=bucket, Key=storage_class, StorageClass=storage_class)
    assert {each.key: each.storage_class for each in aws.versions(bucket)} == {
        "STANDARD": "STANDARD",
        "GLACIER_IR": "GLACIER_IR",
    }


def test_serial_listing_of_versions_supports_a_prefix_and_a_start_key(
    aws: Aws, clients: dict[str, Any], bucket: str
) -> None:
    for key in ("a/1", "a/2", "a/3", "b/1"):
        clients["s3"].put_object(Bucket=bucket, Key=key)
    assert [each.key for each in aws.versions(bucket, prefix="a/", after="a/1")] == ["a/2", "a/3"]


def test_bucket_without_notifications_has_an_empty_configuration(aws: Aws, bucket: str) -> None:
    assert list(aws.notifications(bucket)) == []


def test_capacity_of_a_table_is_its_read_capacity_and_the_lowest_write_capacity(aws: Aws, table: str) -> None:
    assert aws.capacity(table) == Capacity(read=30, write=10)


@pytest.mark.parametrize(
    ("table", "index", "expected"),
    [
        ({}, {}, Capacity(read=None, write=None)),
        ({"MaxReadRequestUnits": 8, "MaxWriteRequestUnits": 6}, {"MaxWriteRequestUnits": 5}, Capacity(read=8, write=5)),
        ({"MaxWriteRequestUnits": 6}, {"MaxReadRequestUnits": 2}, Capacity(read=None, write=6)),
        ({"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1}, {}, Capacity(read=None, write=None)),
    ],
)
def test_capacity_of_an_on_demand_table_is_its_maximum_throughput(
    aws: Aws, respond: Respond, table: dict[str, int], index: dict[str, int], expected: Capacity
) -> None:
    nothing = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    described = {
        "ProvisionedThroughput": nothing,
        "OnDemandThroughput": table,
        "GlobalSecondaryIndexes": [{"ProvisionedThroughput": nothing, "OnDemandThroughput": index}],
    }
    respond(aws, "dynamodb", "DescribeTable", (200, ""), body=json.dumps({"Table": described}).encode())
    assert aws.capacity("objects") == expected


def test_capacity_of_a_provisioned_table_ignores_a_maximum_throughput_for_on_demand(aws: Aws, respond: Respond) -> None:
    described = {
        "ProvisionedThroughput": {"ReadCapacityUnits": 20, "WriteCapacityUnits": 10},
        "OnDemandThroughput": {"MaxReadRequestUnits": 300, "MaxWriteRequestUnits": 200},
    }
    respond(aws, "dynamodb", "DescribeTable", (200, ""), body=json.dumps({"Table": described}).encode())
    assert aws.capacity("objects") == Capacity(read=20, write=10)


def test_capacity_of_an_on_demand_table_without_maximum_is_none(aws: Aws, clients: dict[str, Any]) -> None:
    clients["dynamodb"].create_table(
        TableName="on-demand",
        AttributeDefinitions=[{"AttributeName": "object_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "object_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert aws.capacity("on-demand") == Capacity(read=None, write=None)


def put_row(clients: dict[str, Any], object_id: str, version_id: str, **attributes: Any) -> None:
    item = {"object_id": {"S": object_id}, "version_id": {"S": version_id}, **attributes}
    clients["dynamodb"].put_item(TableName="objects", Item=item)


def test_table_query_returns_plain_values_and_consumed_units(aws: Aws, clients: dict[str, Any], table: str) -> None:
    attributes = {"size_bytes": {"N": "5"}, "delete_marker": {"BOOL": True}, "key": {"S": "k"}}
    put_row(clients, "b/k", "v1", user_metadata={"M": {}}, **attributes)
    put_row(clients, "b/k", "v2")
    put_row(clients, "b/kk", "v1")
    [page] = aws.query_rows(table, "b/k", consistent=True)
    assert page.rows == (
        {"object_id": "b/k", "version_id": "v1", "size_bytes": 5, "delete_marker": True, "key": "k"},
        {"object_id": "b/k", "version_id": "v2"},
    )
    assert page.units > 0


@pytest.mark.usefixtures("table")
def test_only_a_consistent_table_query_requests_strongly_consistent_reads(aws: Aws, clients: dict[str, Any]) -> None:
    """In moto, all reads are strongly consistent, so the test checks the requests instead of the results."""
    requests: list[bool] = []

    def record(params: dict[str, Any], **_: object) -> None:
        requests.append(params.get("ConsistentRead", False))

    clients["dynamodb"].meta.events.register("provide-client-params.dynamodb", record)
    for pages in (
        aws.query_rows("objects", "b/k", consistent=True),
        aws.query_rows("objects", "b/k", consistent=False),
        aws.query_rows("objects", "b/k"),
        aws.scan_rows("objects", prefix="b/"),
    ):
        assert [page.rows for page in pages] == [()]
    clients["dynamodb"].meta.events.unregister("provide-client-params.dynamodb", record)
    assert requests == [True, False, False, False]


def test_table_query_and_scan_read_all_pages(aws: Aws, clients: dict[str, Any], table: str) -> None:
    for number in range(4):  # The rows have 1.2 MB. A page of DynamoDB has at most 1 MB, so that there are two pages.
        put_row(clients, "b/k", f"v{number}", user_metadata={"S": "x" * 300_000})
    put_row(clients, "c/k", "v1")
    pages = list(aws.query_rows(table, "b/k"))
    assert len(pages) > 1
    assert [row["version_id"] for page in pages for row in page.rows] == ["v0", "v1", "v2", "v3"]
    scanned = [(row["object_id"], row["version_id"]) for page in aws.scan_rows(table, prefix="b/") for row in page.rows]
    assert sorted(scanned) == [("b/k", f"v{number}") for number in range(4)]
    everything = [row["object_id"] for page in aws.scan_rows(table, prefix="") for row in page.rows]
    assert sorted(everything) == ["b/k"] * 4 + ["c/k"]


@pytest.fixture
def queue(clients: dict[str, Any]) -> str:
    url: str = clients["sqs"].create_queue(QueueName="failures")["QueueUrl"]
    return url


def test_received_messages_are_hidden_until_released_or_deleted(aws: Aws, clients: dict[str, Any], queue: str) -> None:
    assert aws.queue_url("arn:aws:sqs:us-east-1:123456789012:failures") == queue
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


def test_received_message_contains_its_text_attributes(aws: Aws, clients: dict[str, Any], queue: str) -> None:
    attributes = {
        "ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"},
        "binary": {"DataType": "Binary", "BinaryValue": b"a"},
    }
    clients["sqs"].send_message(QueueUrl=queue, MessageBody="{}", MessageAttributes=attributes)
    clients["sqs"].send_message(QueueUrl=queue, MessageBody="[]")
    messages = aws.receive(queue, limit=10, visibility_timeout=900)
    assert {each.body: each.attributes for each in messages} == {"{}": {"ERROR_CODE": "NO_PERMISSIONS"}, "[]": {}}


def receive_response_of_length(length: str) -> list[Any]:
    """Call `receive` with a fake SQS client whose response has an empty body and the given header `Content-Length`."""
    response = {"ResponseMetadata": {"HTTPHeaders": {"content-length": length}}}
    client = type("Client", (), {"receive_message": lambda _self, **_: response})
    return Aws(lambda _: client()).receive("https://queue", limit=1, visibility_timeout=900)


def test_truncated_sqs_response_is_an_error_and_not_an_empty_queue() -> None:
    assert [receive_response_of_length(length) for length in ("2", "0")] == [[], []]
    with pytest.raises(OperatorError, match="is incomplete, because it has no Messages: start the tool again"):
        receive_response_of_length("900")


@pytest.mark.usefixtures("sleeps")
def test_response_that_cannot_be_parsed_is_an_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    remedy = r"The response cannot be parsed\. Start the tool again\. If the error remains, check HTTPS_PROXY\.$"
    with raw_server(GET=response("200 OK", f"h: {'x' * 70_000}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        with pytest.raises(OperatorError, match=f"cannot list the versions in 'uploads': .*{remedy}"):
            list(Aws.connect().versions("uploads"))

    def receive_message(*_: object, **__: object) -> None:
        raise ResponseParserError("invalid XML")

    client = type("Client", (), {"receive_message": receive_message})
    with pytest.raises(OperatorError, match=f"cannot read the failure queue: invalid XML. {remedy}"):
        Aws(lambda _: client()).receive("https://queue", limit=1, visibility_timeout=900)


def test_tools_accept_as_many_response_headers_as_s3_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http.client, "_MAXHEADERS", 100)  # monkeypatch restores the limit at the end.
    headers = [f"x-amz-meta-k{number}:" for number in range(1000)]
    with raw_server(HEAD=response("200 OK", *headers, "Content-Length: 3")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        found = Aws.connect()._s3.head_object(Bucket="uploads", Key="a")
    assert len(found["Metadata"]) == 1000


def test_event_is_sent_as_an_asynchronous_invocation(connected: Aws, respond: Respond) -> None:
    event = {"key": "é", "half of a pair": "\ud83d"}
    requests = respond(connected, "lambda", "Invoke", ACCEPTED)
    connected.invoke("indexer", event)
    [request] = requests
    assert request.headers["X-Amz-Invocation-Type"] == b"Event"
    assert json.loads(request.body) == event


def test_throttled_invocation_is_retried_after_a_wait(connected: Aws, sleeps: list[float], respond: Respond) -> None:
    requests = respond(connected, "lambda", "Invoke", THROTTLED, UNAVAILABLE, THROTTLED, ACCEPTED)
    connected.invoke("indexer", {})
    assert (len(requests), len(sleeps)) == (4, 3)
    assert max(sleeps) > 0


@pytest.mark.parametrize(
    ("responses", "error", "message"),
    [
        ([(413, "RequestTooLargeException")], RefusedEventError, "not accept the event: .*RequestTooLargeException"),
        ([(400, "InvalidRequestContentException")], RefusedEventError, "not accept the event: .*InvalidRequestContent"),
        ([(200, "")], RefusedEventError, "returned status 200 instead of 202"),
        ([DENIED], OperatorError, r"AccessDenied.*permissions that docs/runbook\.md lists"),
        (
            [THROTTLED] * MAX_ATTEMPTS,
            OperatorError,
            r"cannot invoke the function 'indexer'.*AWS throttled 8 attempts: try again later\.",
        ),
    ],
)
@pytest.mark.usefixtures("sleeps")
def test_rejected_lambda_invocation_is_an_error_with_a_remedy(
    connected: Aws, responses: list[tuple[int, str]], error: type[OperatorError], message: str, respond: Respond
) -> None:
    requests = respond(connected, "lambda", "Invoke", *responses)
    with pytest.raises(OperatorError, match=message) as raised:
        connected.invoke("indexer", {})
    assert type(raised.value) is error
    assert len(requests) == len(responses)  # Throttled invocations are retried, rejected ones are not.


@pytest.mark.parametrize(("element", "sends"), [("<EventBridgeConfiguration/>", True), ("", False)])
def test_bucket_sends_events_to_eventbridge_if_its_notification_configuration_contains_it(
    connected: Aws, respond: Respond, element: str, *, sends: bool
) -> None:
    """The response is simulated, because moto does not return the element EventBridgeConfiguration."""
    body = f'<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{element}</NotificationConfiguration>'
    respond(connected, "s3", "GetBucketNotificationConfiguration", (200, ""), body=body.encode())
    assert connected.sends_to_eventbridge("reports") == sends


def test_function_configuration_is_read_from_lambda(connected: Aws, respond: Respond) -> None:
    respond(connected, "lambda", "GetFunctionConfiguration", (200, ""), body=b'{"FunctionName": "indexer"}')
    assert connected.function_configuration("indexer")["FunctionName"] == "indexer"


@pytest.mark.parametrize(
    ("response", "body", "destination"),
    [
        ((200, ""), b'{"DestinationConfig": {"OnFailure": {"Destination": "arn:of:queue"}}}', "arn:of:queue"),
        ((200, ""), b'{"DestinationConfig": {"OnFailure": {}}}', None),
        ((200, ""), b'{"MaximumRetryAttempts": 2}', None),
        ((404, "ResourceNotFoundException"), b'{"Type": "User"}', None),
    ],
)
def test_failure_destination_of_a_function_may_be_none(
    connected: Aws, response: tuple[int, str], body: bytes, destination: str | None, respond: Respond
) -> None:
    respond(connected, "lambda", "GetFunctionEventInvokeConfig", response, body=body)
    assert connected.failure_destination("indexer") == destination


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda aws: list(aws.versions("none")), f"cannot list the versions in 'none': .* {DELETED}"),
        (lambda aws: aws.notifications("none"), f"cannot read the notifications of the bucket 'none': .* {DELETED}"),
        (lambda aws: aws.capacity("none"), f"cannot describe the table 'none': .* {DELETED}"),
        (lambda aws: list(aws.query_rows("none", "a")), f"cannot read the table 'none': .* {DELETED}"),
        (lambda aws: aws.queue_url(f"{QUEUES_ARN}:none"), f"cannot find the queue {QUEUES_ARN}:none: .* {DELETED}"),
        (
            lambda aws: aws.receive(NO_QUEUE, limit=1, visibility_timeout=9),
            f"cannot read the failure queue: .* {DELETED}",
        ),
        (lambda aws: aws.message_counts(NO_QUEUE), f"cannot read the failure queue: .* {DELETED}"),
        (lambda aws: aws.invoke("none", {}), f"cannot invoke the function 'none': .* {DELETED}"),
        (
            lambda aws: aws.function_configuration("none"),
            "cannot read the function 'none': .* Check the function's name, the region and the account: was the ",
        ),
    ],
)
def test_missing_aws_resource_raises_an_error_with_the_remedy(
    aws: Aws, call: Callable[[Aws], object], message: str
) -> None:
    with pytest.raises(OperatorError, match=message):
        call(aws)


@pytest.mark.parametrize(
    "code",
    ["NoSuchBucket", "ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"],
)
def test_error_message_about_a_missing_resource_contains_the_remedy(code: str) -> None:
    with pytest.raises(OperatorError, match=DELETED), translated_errors("read"):
        raise client_error(404, code, "Read")


@pytest.mark.parametrize(
    ("region", "variables", "expected"),
    [
        ("eu-west-1", {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-1"),
        (None, {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-2"),
        (None, {"AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
    ],
)
def test_region_is_selected_in_the_same_order_as_by_the_aws_cli(
    monkeypatch: pytest.MonkeyPatch, region: str | None, variables: dict[str, str], expected: str
) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Aws.connect(region)._s3.meta.region_name == expected


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AWS_PROFILE": "misspelt"}, r"clients: .*misspelt.*`aws configure list-profiles`"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
            r"Check the network connection, the region, and AWS_ENDPOINT_URL if it is set\. If .* set HTTPS_PROXY\.",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.2:1", "HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": ""},
            r"Failed to connect to proxy URL.*HTTP_PROXY.*add the host of the endpoint to NO_PROXY\.",
        ),
        ({"AWS_REGION": "us east"}, "'us east'.*Set AWS_REGION to a region such as us-east-1"),
        pytest.param(
            {"AWS_CONFIG_FILE": __file__}, f"{__file__}.*Correct this file, or set AWS_CONFIG_FILE", id="invalid file"
        ),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "missing: AWS_SECRET_ACCESS_KEY.*Log in"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "AWS_PROFILE"),
        ({"AWS_DEFAULT_REGION": None, "AWS_REGION": None}, "Set AWS_REGION"),
    ],
)
@pytest.mark.usefixtures("sleeps")
def test_invalid_aws_environment_raises_an_error_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str | None], message: str
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    with pytest.raises(OperatorError, match=message):
        Aws.connect().capacity("objects")


ENDPOINT = "must be a URL that begins with http:// or https://, such as http://127.0.0.1:4566"


@pytest.mark.parametrize(
    "url",
    [
        *("127.0.0.1:4566", "localhost:4566", "localhost", "//127.0.0.1:4566", "ftp://127.0.0.1", "http:/127.0.0.1"),
        *("http://", "http://127.0.0.1:99999", "http://127.0.0.1:port", "http://127.0.0.1:0", "http://[::1"),
    ],
)
def test_invalid_endpoint_url_raises_an_error_with_the_variable(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(OperatorError, match=f"^cannot create the AWS clients: .*AWS_ENDPOINT_URL.*{ENDPOINT}$"):
        Aws.connect("eu-west-1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:4566", "https://localhost", "http://[::1]:4566/path"])
def test_valid_endpoint_url_is_accepted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert Aws.connect("eu-west-1")._s3.meta.endpoint_url == url


LOGIN, PROXY, BUNDLE = "`aws sso login`", "HTTPS_PROXY", "AWS_CA_BUNDLE"


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        *((exceptions.SSOTokenLoadError(error_msg="x"), LOGIN), (exceptions.UnauthorizedSSOTokenError(), LOGIN)),
        *(
            (exceptions.LoginRefreshRequired(), LOGIN),
            (exceptions.TokenRetrievalError(provider="sso", error_msg=""), LOGIN),
        ),
        (exceptions.CredentialRetrievalError(provider="custom-process", error_msg="x"), "credential_process"),
        *((client_error(400, code), LOGIN) for code in EXPIRED_CODES),
        (exceptions.ProxyConnectionError(proxy_url="http://proxy"), "NO_PROXY"),
        (exceptions.SSLError(endpoint_url="https://x", error=ValueError("certificate verify failed")), BUNDLE),
        (exceptions.ConnectTimeoutError(endpoint_url="https://x"), PROXY),
        (exceptions.ReadTimeoutError(endpoint_url="https://x"), PROXY),
        (exceptions.ConnectionClosedError(endpoint_url="https://x"), PROXY),
        (exceptions.HTTPClientError(error="x"), PROXY),
    ],
)
def test_error_of_session_proxy_or_certificate_names_the_variable_or_the_command(error: Exception, remedy: str) -> None:
    with pytest.raises(OperatorError, match=remedy), translated_errors("read the table"):
        raise error


@pytest.mark.parametrize("file", ["/nowhere.pem", "/etc", pytest.param(__file__, id="file without certificates")])
def test_invalid_ca_bundle_raises_an_error_with_the_variable(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    monkeypatch.setenv("AWS_CA_BUNDLE", file)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(OperatorError, match=BUNDLE):
            Aws.connect("eu-west-1").capacity("objects")


def test_failure_queue_is_read_with_long_polling(connected: Aws, respond: Respond) -> None:
    """Without long polling, SQS queries only some of its servers, and a queue with messages could appear empty."""
    requests = respond(connected, "sqs", "ReceiveMessage", (200, ""), body=b"{}")
    assert connected.receive("https://queue", limit=10, visibility_timeout=60) == []
    assert json.loads(requests[0].body)["WaitTimeSeconds"] == 1


@pytest.mark.parametrize("consistent", [True, False])
def test_query_requests_strongly_consistent_reads_only_on_request(
    connected: Aws, respond: Respond, *, consistent: bool
) -> None:
    requests = respond(connected, "dynamodb", "Query", (200, ""), body=b'{"Items": [], "Count": 0}')
    assert [page.rows for page in connected.query_rows("objects", "uploads/a", consistent=consistent)] == [()]
    assert json.loads(requests[0].body)["ConsistentRead"] is consistent


def test_s3_requests_to_an_emulator_have_the_bucket_in_the_path(
    monkeypatch: pytest.MonkeyPatch, respond: Respond
) -> None:
    # If the endpoint is a host name, boto3 could use the bucket name as its subdomain.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:1")
    aws = Aws.connect("eu-west-1")
    requests = respond(aws, "s3", "ListObjectVersions", (403, ""))
    with pytest.raises(OperatorError):
        list(aws.versions("uploads"))
    assert requests[0].url.startswith("http://localhost:1/uploads?")


def test_s3_requests_contain_the_account_that_must_own_the_bucket(respond: Respond) -> None:
    # Another account can create a bucket with the name of a deleted bucket, and allow all accounts to read it.
    aws = Aws.connect("eu-west-1")
    aws.require_bucket_owner("123456789012")
    calls: dict[str, Callable[[], Any]] = {
        "GetBucketLocation": lambda: aws.bucket_location("reports", "123456789012"),
        "ListObjectVersions": lambda: list(aws.versions("reports")),
        "GetBucketVersioning": lambda: aws.versioning("reports"),
        "GetBucketNotificationConfiguration": lambda: aws.notifications("reports"),
        "HeadObject": lambda: aws.head("reports", "k", "v1"),
    }
    for operation, call in nonempty(calls.items()):
        denied = (403, "AccessDenied")
        requests = respond(aws, "s3", operation, denied, denied, body=b"<Error><Code>AccessDenied</Code></Error>")
        with pytest.raises(OperatorError, match="Check that the bucket belongs to this account"):
            call()
        assert requests[0].headers["x-amz-expected-bucket-owner"] == b"123456789012"


def test_head_returns_the_attributes_of_one_version(aws: Aws, clients: dict[str, Any], bucket: str) -> None:
    ids = [
        clients["s3"].put_object(
            Bucket=bucket, Key="k", ContentType=each, Metadata={"a": "b"}, ChecksumAlgorithm="SHA256"
        )["VersionId"]
        for each in ("text/a", "text/b")
    ]
    found = [aws.head(bucket, "k", each) or {} for each in ids]
    assert [each["ContentType"] for each in nonempty(found)] == ["text/a", "text/b"]
    assert all(each["Metadata"] == {"a": "b"} and each["ChecksumSHA256"] for each in nonempty(found))


def test_head_of_a_deleted_version_returns_none(aws: Aws, clients: dict[str, Any], bucket: str) -> None:
    version_id = clients["s3"].put_object(Bucket=bucket, Key="k")["VersionId"]
    clients["s3"].delete_object(Bucket=bucket, Key="k", VersionId=version_id)
    assert aws.head(bucket, "k", version_id) is None


@pytest.mark.parametrize(("status", "unreadable"), [(405, True), (403, False), (400, False)])
def test_head_of_an_unreadable_version_returns_none_or_names_the_permission(
    aws: Aws, status: int, respond: Respond, *, unreadable: bool
) -> None:
    # After the status 403, a second request is sent without the checksum.
    requests = respond(aws, "s3", "HeadObject", *[(status, "")] * (2 if status == 403 else 1), body=b"")
    if unreadable:
        assert aws.head("uploads", "k", "v1") is None
        return
    with pytest.raises(OperatorError, match="cannot read 'k' in 'uploads'") as raised:
        aws.head("uploads", "k", "v1")
    assert ("The permission s3:GetObjectVersion is missing." in str(raised.value)) == (status == 403)
    assert ["x-amz-checksum-mode" in each.headers for each in requests] == ([True, False] if status == 403 else [True])


def test_head_of_an_object_whose_kms_key_the_caller_must_not_use_has_no_checksum(aws: Aws, respond: Respond) -> None:
    requests = respond(aws, "s3", "HeadObject", (403, ""), (200, ""), body=b"")
    found = aws.head("reports", "k", "null")
    assert found is not None
    assert "ChecksumCRC64NVME" not in found
    assert [each.url.partition("?")[2] for each in requests] == ["versionId=null"] * 2


def test_table_query_for_heads_also_returns_the_attributes_of_head(
    aws: Aws, clients: dict[str, Any], table: str
) -> None:
    values = {"encryption": {"S": "AES256"}, "user_metadata": {"M": {"a": {"S": "b"}}}, "checksum": {"M": {}}}
    put_row(clients, "b/k", "v1", **values)
    [page] = aws.query_rows(table, "b/k", heads=True)
    [found] = page.rows
    assert (found["encryption"], found["user_metadata"], found["checksum"]) == ("AES256", {"a": "b"}, {})
