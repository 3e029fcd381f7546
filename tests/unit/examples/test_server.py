from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from examples.upload.errors import CannotRunError
from examples.upload.server import FILES, MAX_BODY_BYTES, UploadServer
from tests.unit.examples.fakes import RULES, FakeDynamoDb, FakeS3, Sender, served, stack

WISH = {"name": "a é.txt", "size": 3, "type": "text/plain"}
KEY = "in/01234567-89ab-4def-8123-456789abcdef/a b.txt"
ITEM = {
    "object_id": {"S": f"uploads/{KEY}"},
    "version_id": {"S": "v1"},
    "key": {"S": KEY},
    "size_bytes": {"N": "3"},
    "etag": {"S": "abc"},
    "user_metadata": {"M": {"secret": {"S": "x"}}},
    "request_id": {"S": "internal"},
}


@pytest.fixture
def sender() -> Iterator[Sender]:
    with served(stack()) as sender:
        yield sender


# -- what the page gets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES)
def test_the_pages_files_are_served_with_their_type_and_a_strict_policy(sender: Sender, path: str) -> None:
    response = sender.get(path)
    assert (response.status, response.headers["Content-Type"]) == (200, FILES[path][1])
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; ")
    assert "connect-src 'self' https://uploads.s3.eu-west-1.amazonaws.com;" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/page", "/server.py", "/../server.py", "/%2e%2e/server.py", "//etc/passwd", "/api/"])
def test_nothing_else_is_served_and_nothing_listed(sender: Sender, path: str) -> None:
    assert sender.get(path).error == (404, "not-found")


def test_a_form_is_for_this_one_object(sender: Sender) -> None:
    response = sender.post(WISH)
    assert response.status == 201
    form = response.json
    assert form["url"] == "https://uploads.s3.eu-west-1.amazonaws.com/"
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    key = form["key"]
    assert RULES.validate_key(key) == key
    assert key.endswith("/a é.txt")
    for condition in ({"bucket": "uploads"}, {"key": key}, {"Content-Type": "text/plain"}):
        assert condition in policy["conditions"]
    assert ["content-length-range", 0, 1000] in policy["conditions"]
    assert form["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"


def test_two_uploads_of_one_name_are_two_objects(sender: Sender) -> None:
    assert sender.post(WISH).json["key"] != sender.post(WISH).json["key"]


def test_the_row_is_asked_for_by_key_and_etag() -> None:
    table = FakeDynamoDb([ITEM])
    with served(stack(dynamodb=table)) as sender:
        response = sender.get(f"/api/row?key={KEY.replace(' ', '+')}&etag=abc")
    assert response.json == {"row": {"version_id": "v1", "key": KEY, "size_bytes": 3, "etag": "abc"}}
    [question] = table.asked
    assert question["ExpressionAttributeValues"] == {":object": {"S": f"uploads/{KEY}"}, ":etag": {"S": "abc"}}
    assert question["ConsistentRead"] is True


def test_a_row_that_is_not_there_yet_is_no_error(sender: Sender) -> None:
    response = sender.get(f"/api/row?key={KEY.replace(' ', '+')}&etag=abc")
    assert (response.status, response.json) == (200, {"row": None})


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["", "in/other.txt", f"x{KEY}", KEY.replace("in/", "secret/"), KEY.replace("a b", "a/b"), "in/../x"]
)
def test_only_rows_of_keys_that_were_handed_out_can_be_read(key: str) -> None:
    table = FakeDynamoDb([ITEM])
    with served(stack(dynamodb=table)) as sender:
        assert sender.get(f"/api/row?key={key.replace(' ', '+')}&etag=abc").error == (404, "bad-key")
    assert table.asked == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3000", "127.0.0.1", "localhost.evil.example"])
def test_another_name_for_this_machine_is_refused(sender: Sender, host: str) -> None:
    assert sender.get("/", Host=host).error == (421, "bad-host")
    assert sender.post(WISH, Host=host).error == (421, "bad-host")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "https://localhost"])
def test_a_page_of_another_origin_is_refused(sender: Sender, origin: str) -> None:
    assert sender.post(WISH, Origin=origin).error == (403, "bad-origin")
    assert sender.get("/api/settings", Origin=origin).error == (403, "bad-origin")


def test_a_post_says_where_it_comes_from(sender: Sender) -> None:
    headers = {"Content-Type": "application/json"}
    assert sender.send("POST", "/api/uploads", json.dumps(WISH).encode(), headers).error == (403, "bad-origin")


def test_a_link_on_another_site_may_open_the_page_but_not_ask_anything(sender: Sender) -> None:
    assert sender.get("/", Sec_Fetch_Site="cross-site").status == 200
    assert sender.get("/api/settings", Sec_Fetch_Site="cross-site").error == (403, "bad-origin")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"no json", (400, "bad-request")),
        (b"[" * 5000, (400, "bad-request")),
        (b"\xff", (400, "bad-request")),
        ([], (400, "bad-request")),
        ({**WISH, "name": ""}, (400, "bad-name")),
        ({**WISH, "size": 1001}, (413, "too-large")),
        (b"x" * (MAX_BODY_BYTES + 1), (413, "bad-request")),
    ],
)
def test_what_is_wrong_is_a_clear_error(sender: Sender, body: Any, error: tuple[int, str]) -> None:  # noqa: ANN401
    response = sender.post(body)
    assert response.error == error
    assert response.json["error"]["message"].endswith(".")
    assert response.headers["Content-Type"] == "application/json"


def test_a_form_of_html_cannot_ask(sender: Sender) -> None:
    """Other sites can make a browser send those without asking anybody."""
    assert sender.post(WISH, Content_Type="text/plain").error == (415, "bad-request")


def test_a_body_without_a_length_is_refused(sender: Sender) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sender.server.port, timeout=5)
    headers = {"Host": sender.server.authority, "Origin": sender.server.origin, "Content-Type": "application/json"}
    # the body stays away: the server answers without it, and would be gone before all of it had been sent
    connection.request("POST", "/api/uploads", headers=headers | {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    assert connection.getresponse().status == 411
    connection.close()


def test_what_aws_says_is_for_the_log_and_not_for_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    broken = FakeDynamoDb(EndpointConnectionError(endpoint_url="https://\x1binternal"))
    with served(stack(dynamodb=broken)) as sender:
        response = sender.get(f"/api/row?key={KEY.replace(' ', '+')}&etag=abc")
    assert response.error == (502, "no-answer")
    assert b"internal" not in response.body
    said = capsys.readouterr().err
    assert "internal" in said
    assert "\x1b" not in said


# -- how it starts ----------------------------------------------------------------------------------------------------


def test_only_this_machine_can_reach_it(sender: Sender) -> None:
    assert sender.server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("origins", [["http://localhost:*"], "AccessDenied"], ids=["allowed", "nobody may know"])
def test_it_starts_where_the_page_may_upload(origins: list[str] | str) -> None:
    with served(stack(FakeS3(origins))) as sender:
        assert sender.get("/").status == 200


@pytest.mark.parametrize(
    ("s3", "said"),
    [
        (FakeS3(["https://app.example.com"]), "only those of https://app.example.com: choose the port of one of these"),
        (FakeS3(["https://localhost:*", "http://localhost"]), "pulumi config set corsAllowedOrigins https://localhost"),
        (FakeS3(["http://localhost:*"], methods=("PUT",)), "only those of no origin"),
        (FakeS3("NoSuchCORSConfiguration"), "only those of no origin"),
        (FakeS3("NoSuchBucket"), "cannot read the bucket 'uploads'"),
    ],
)
def test_it_does_not_start_where_the_page_may_not_upload(s3: FakeS3, said: str) -> None:
    with pytest.raises(CannotRunError, match=said):
        UploadServer(stack(s3), port=0)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_port_in_use_is_named_with_the_remedy(address: str) -> None:
    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotRunError, match=rf"port {port} of 127.0.0.1.*Choose another with --port"):
            UploadServer(stack(), port=port)
