from __future__ import annotations

import base64
import http.client
import json
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from examples.upload.errors import CannotRunError
from examples.upload.server import FILES, UploadServer, _authority, _Handler
from tests.unit.examples.fakes import RULES, FakeDynamoDb, FakeS3, PageClient, fake_stack, serve

UPLOAD = {"name": "a é.txt", "size": 3, "type": "text/plain"}
KEY = "in/01234567-89ab-4def-8123-456789abcdef/a b.txt"
ROW_PATH = f"/api/row?key={KEY.replace(' ', '+')}&etag=abc"
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
def client() -> Iterator[PageClient]:
    with serve(fake_stack()) as client:
        yield client


@pytest.mark.parametrize("path", FILES)
def test_upload_server_sends_page_files_with_content_type_and_security_policy(client: PageClient, path: str) -> None:
    response = client.get(path)
    assert (response.status, response.headers["Content-Type"]) == (200, FILES[path][1])
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; ")
    assert "connect-src 'self' https://uploads.s3.eu-west-1.amazonaws.com;" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert client.server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/page", "/server.py", "/../server.py", "/%2e%2e/server.py", "//etc/passwd", "/api/"])
def test_upload_server_responds_with_404_for_other_paths(client: PageClient, path: str) -> None:
    assert client.get(path).error == (404, "not-found")


def test_upload_server_returns_a_form_for_one_new_object_key(client: PageClient) -> None:
    response = client.post(UPLOAD)
    assert response.status == 201
    form = response.json
    assert form["url"] == "https://uploads.s3.eu-west-1.amazonaws.com/"
    assert form["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    key = form["key"]
    assert RULES.validate_key(key) == key
    assert key.endswith("/a é.txt")
    conditions = json.loads(base64.b64decode(form["fields"]["policy"]))["conditions"]
    size = ["content-length-range", 0, 1000]
    for condition in ({"bucket": "uploads"}, {"key": key}, {"Content-Type": "text/plain"}, size):
        assert condition in conditions
    assert client.post(UPLOAD).json["key"] != key, "two uploads with the same name must have different keys"


def test_upload_server_queries_the_row_by_key_and_etag() -> None:
    table = FakeDynamoDb([ITEM])
    with serve(fake_stack(dynamodb=table)) as client:
        response = client.get(ROW_PATH)
    assert response.json == {"row": {"version_id": "v1", "key": KEY, "size_bytes": 3, "etag": "abc"}}
    [query] = table.queries
    assert query["ExpressionAttributeValues"] == {":object": {"S": f"uploads/{KEY}"}, ":etag": {"S": "abc"}}
    assert query["ConsistentRead"] is True


def test_upload_server_returns_null_for_a_row_that_does_not_exist_yet(client: PageClient) -> None:
    response = client.get(ROW_PATH)
    assert (response.status, response.json) == (200, {"row": None})


@pytest.mark.parametrize(
    "key", ["", "in/other.txt", f"x{KEY}", KEY.replace("in/", "secret/"), KEY.replace("a b", "a/b"), "in/../x"]
)
def test_upload_server_rejects_row_queries_for_keys_it_did_not_create(key: str) -> None:
    table = FakeDynamoDb([ITEM])
    with serve(fake_stack(dynamodb=table)) as client:
        assert client.get(f"/api/row?key={key.replace(' ', '+')}&etag=abc").error == (404, "bad-key")
    assert table.queries == []


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1:{port}",
        "localhost",
        "localhost:1",
        "localhost.evil.example:{port}",
        "localhost:{port}.evil.example",
        "localhost:{port}0",
        "evil-localhost:{port}",
    ],
)
def test_upload_server_rejects_an_unknown_host_header(client: PageClient, host: str) -> None:
    unknown = host.format(port=client.server.port)
    assert client.get("/", Host=unknown).error == (421, "bad-host")
    assert client.post(UPLOAD, Host=unknown).error == (421, "bad-host")


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example",
        "http://localhost",
        "http://localhost:1",
        "https://localhost:{port}",
        "http://localhost:{port}0",
        "http://localhost:{port}.evil.example",
        "http://evil-localhost:{port}",
        "http://127.0.0.1:{port}",
    ],
)
def test_upload_server_rejects_requests_from_another_origin(client: PageClient, origin: str) -> None:
    other = origin.format(port=client.server.port)
    assert client.post(UPLOAD, Origin=other).error == (403, "bad-origin")
    assert client.get("/api/settings", Origin=other).error == (403, "bad-origin")


def test_upload_server_rejects_a_post_without_origin_header(client: PageClient) -> None:
    headers = {"Content-Type": JSON}
    assert client.send("POST", "/api/uploads", json.dumps(UPLOAD).encode(), headers).error == (403, "bad-origin")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_upload_server_accepts_links_from_other_sites_but_not_api_calls(client: PageClient, site: str) -> None:
    """Browsers send `same-site` for a page on another local port, and `none` for a URL that the user enters."""
    assert client.get("/", Sec_Fetch_Site=site).status == 200
    assert client.get("/api/settings", Sec_Fetch_Site=site).error == (403, "bad-origin")
    assert client.post(UPLOAD, Sec_Fetch_Site=site).error == (403, "bad-origin")


def test_upload_server_accepts_api_calls_of_its_own_page(client: PageClient) -> None:
    assert client.get("/api/settings", Sec_Fetch_Site="same-origin").json == {"max_bytes": 1000, "bucket": "uploads"}
    assert client.post(UPLOAD, Sec_Fetch_Site="same-origin").status == 201


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/icon.svg", 200), ("/api/settings", 200), ("/missing", 404)]
)
def test_upload_server_responds_to_head_with_the_headers_of_get_and_no_body(
    client: PageClient, path: str, status: int
) -> None:
    head = client.send_raw(f"HEAD {path} HTTP/1.1\r\nHost: {client.server.authority}\r\nConnection: close\r\n\r\n")
    headers, _, body = head.partition(b"\r\n\r\n")
    assert body == b""
    assert headers.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"Content-Length: {len(client.get(path).body)}".encode() in headers.splitlines()


JSON = "application/json"
BODY = json.dumps(UPLOAD).encode()
BAD_BODIES: list[object] = [b"no json", b"[" * 5000, b"\xff", []]
OTHER_TYPES = [
    "text/plain",
    "application/gzip",
]  # browsers send `text/plain` to other sites without a preflight request


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        *((body, JSON, (400, "bad-request")) for body in BAD_BODIES),
        ({**UPLOAD, "name": ""}, JSON, (400, "bad-name")),
        ({**UPLOAD, "size": 1001}, JSON, (413, "too-large")),
        (BODY.ljust(10_001), JSON, (413, "bad-request")),
        *((UPLOAD, kind, (415, "bad-request")) for kind in OTHER_TYPES),
    ],
)
def test_upload_server_responds_to_an_invalid_body_with_a_json_error(
    client: PageClient, body: object, content_type: str, error: tuple[int, str]
) -> None:
    response = client.post(body, Content_Type=content_type)
    assert response.error == error
    assert response.json["error"]["message"].endswith(".")
    assert response.headers["Content-Type"] == "application/json"


def test_upload_server_accepts_a_body_of_exactly_the_maximum_size(client: PageClient) -> None:
    assert client.post(BODY.ljust(10_000)).status == 201


def test_upload_server_rejects_a_body_without_content_length(client: PageClient) -> None:
    headers = {"Origin": client.server.origin, "Content-Type": JSON, "Transfer-Encoding": "chunked"}
    # The request has no body, because the server may close the connection before it has received a body.
    assert client.send("POST", "/api/uploads", None, headers).status == 411


def test_upload_server_writes_aws_errors_to_the_log_but_not_to_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    unreachable = FakeDynamoDb(EndpointConnectionError(endpoint_url="https://\x1binternal"))
    with serve(fake_stack(dynamodb=unreachable)) as client:
        response = client.get(ROW_PATH)
    assert response.error == (502, "no-answer")
    assert b"internal" not in response.body
    logged = capsys.readouterr().err
    assert "internal" in logged
    assert "\x1b" not in logged


@pytest.mark.parametrize("error", [NoCredentialsError(), ClientError({"Error": {"Code": "X"}}, "AssumeRole")])
def test_upload_server_without_credentials_cannot_sign_forms(error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    s3 = FakeS3(["http://localhost:*"])
    with serve(fake_stack(s3)) as client:
        s3.generate_presigned_post = fail
        assert client.post(UPLOAD).error == (502, "no-answer")
    with pytest.raises(CannotRunError, match="cannot sign an upload form"):
        UploadServer(fake_stack(s3), port=0)


@pytest.mark.parametrize("path", ["/api/row", "/api/uploads/", "/"])
def test_upload_server_accepts_posts_for_upload_forms_only(client: PageClient, path: str) -> None:
    headers = {"Origin": client.server.origin, "Content-Type": JSON}
    assert client.send("POST", path, BODY, headers).error == (404, "not-found")


def test_upload_server_closes_the_connection_only_after_an_error(client: PageClient) -> None:
    """The server may not have received the body of a request that it rejects."""
    assert "Connection" not in client.get("/").headers
    request = f"GET / HTTP/1.1\r\nHost: {client.server.authority}\r\n\r\n"
    rejected = "POST /api/uploads HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100\r\n\r\n"
    received = client.send_raw(request + request + rejected + request)
    assert [line for line in received.splitlines() if line.startswith(b"HTTP/1.1 ")] == [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 421 Misdirected Request",
    ]
    assert received.count(b"Connection: close") == 1


def test_upload_server_stops_while_a_connection_is_open() -> None:
    with serve(fake_stack()) as client, socket.create_connection(("127.0.0.1", client.server.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")  # the server waits for the rest of the request
        client.server.shutdown()
        stop = threading.Thread(target=client.server.server_close, daemon=True)
        stop.start()
        stop.join(timeout=_Handler.timeout / 2)
        assert not stop.is_alive()
    assert _Handler.timeout == 10


@pytest.fixture
def ended(client: PageClient, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Event that is set when the server has handled all requests of a connection."""
    ended, shutdown_request = threading.Event(), client.server.shutdown_request

    def shutdown(request: socket.socket) -> None:
        shutdown_request(request)
        ended.set()

    monkeypatch.setattr(client.server, "shutdown_request", shutdown)
    return ended


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_upload_server_logs_nothing_if_the_browser_closes_the_connection(
    client: PageClient, ended: threading.Event, capfd: pytest.CaptureFixture[str], *, reset: bool
) -> None:
    with socket.create_connection(("127.0.0.1", client.server.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")  # The server waits for the rest of the request.
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert ended.wait(timeout=30)
    assert capfd.readouterr().err == ""
    assert client.get("/").status == 200


def test_upload_server_logs_the_traceback_of_an_unexpected_error(
    client: PageClient, ended: threading.Event, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.server, "stack", None)
    with pytest.raises(http.client.RemoteDisconnected):
        client.get("/api/settings")
    assert ended.wait(timeout=30)
    assert "Traceback" in capfd.readouterr().err


def test_upload_server_can_start_on_the_port_of_a_server_that_has_just_stopped() -> None:
    with serve(fake_stack()) as client:
        port = client.server.port
        assert client.send_raw("GET / HTTP/1.1\r\n\r\n").startswith(
            b"HTTP/1.1 421 "
        )  # the server closes the connection
    UploadServer(fake_stack(), port=port).server_close()


@pytest.mark.parametrize(("port", "authority"), [(80, "localhost"), (81, "localhost:81"), (3000, "localhost:3000")])
def test_upload_server_omits_only_the_default_port_from_its_origin(port: int, authority: str) -> None:
    assert _authority(port) == authority


def test_upload_server_starts_without_permission_to_read_cors_rules() -> None:
    with serve(fake_stack(FakeS3("AccessDenied"))) as client:
        assert client.get("/").status == 200


@pytest.mark.parametrize(
    ("s3", "message"),
    [
        (FakeS3(["https://app.example.com"]), "only those of https://app.example.com: choose the port of one of these"),
        (FakeS3(["https://localhost:*", "http://localhost"]), "pulumi config set corsAllowedOrigins https://localhost"),
        (FakeS3(["http://localhost:*"], methods=("PUT",)), "only those of no origin"),
        (FakeS3("NoSuchCORSConfiguration"), "only those of no origin"),
        (FakeS3("NoSuchBucket"), "cannot read the bucket 'uploads'"),
        (
            FakeS3("400"),
            "cannot read the bucket 'uploads'",
        ),  # the status replaces the code of a response without a body
        (FakeS3(EndpointConnectionError(endpoint_url="https://s3")), "cannot reach the bucket 'uploads'"),
    ],
)
def test_upload_server_does_not_start_if_cors_rules_forbid_uploads(s3: FakeS3, message: str) -> None:
    with pytest.raises(CannotRunError, match=message):
        UploadServer(fake_stack(s3), port=0)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_upload_server_error_for_a_port_in_use_contains_a_remedy(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        occupied = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no address {address}")
    with occupied as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotRunError, match=rf"port {port} of 127.0.0.1.*Choose another with --port"):
            UploadServer(fake_stack(), port=port)
