"""Which pages may upload: the bucket says so, and the browser keeps to it."""

from __future__ import annotations

import hashlib
import threading
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from examples.upload.errors import CannotRunError

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import AwsTarget, StartServer

PUT = """
async ([url, kind]) => {
  const answer = await fetch(url, { method: "PUT", body: "put by a page", headers: { "Content-Type": kind } });
  return { status: answer.status, etag: answer.headers.get("ETag"), version: answer.headers.get("x-amz-version-id") };
}
"""
POST = """
async ([url, fields]) => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob(["posted by a page"]), "file");
  const answer = await fetch(url, { method: "POST", body: form });
  return { status: answer.status, etag: answer.headers.get("ETag"), version: answer.headers.get("x-amz-version-id") };
}
"""
BLOCKED = "error => error.message"


class Blank(BaseHTTPRequestHandler):
    """A page of anybody's, without a content security policy that could refuse before the bucket does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>Administrator's page</title>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        """Say nothing."""


@pytest.fixture
def open_page(page: Page) -> Iterator[Any]:
    """Open somebody's page at a port."""
    servers = []

    def open_page(port: int) -> Page:
        server = ThreadingHTTPServer(("127.0.0.1", port), Blank)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        servers.append((server, thread))
        page.goto(f"http://localhost:{port}")
        return page

    yield open_page
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def new_key() -> str:
    return f"origins/{uuid.uuid4()}.txt"


def presigned_put(place: AwsTarget, key: str) -> list[str]:
    parameters = {"Bucket": place.index.bucket, "Key": key, "ContentType": "text/plain"}
    return [place.signer.generate_presigned_url("put_object", Params=parameters, ExpiresIn=60), "text/plain"]


def presigned_post(place: AwsTarget, key: str) -> list[Any]:
    made: Mapping[str, Any] = place.signer.generate_presigned_post(place.index.bucket, key, ExpiresIn=60)
    return [made["url"], made["fields"]]


def content(place: AwsTarget, key: str) -> bytes | None:
    """What is under a key, or None."""
    if not place.s3.list_objects_v2(Bucket=place.index.bucket, Prefix=key).get("Contents"):
        return None
    body: bytes = place.s3.get_object(Bucket=place.index.bucket, Key=key)["Body"].read()
    return body


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def stopped(page: Any, script: str, call: list[Any]) -> list[str]:  # noqa: ANN401
    """Run a script that does not get to see an answer; what the browser said about it."""
    lines: list[str] = []
    page.on("console", lambda line: lines.append(line.text))
    assert page.evaluate(f"call => ({script})(call).catch({BLOCKED})", call) == "Failed to fetch"
    return lines


def test_a_page_of_an_allowed_origin_puts_and_reads_the_etag(open_page: Any, place: AwsTarget) -> None:  # noqa: ANN401
    key = new_key()
    answer = open_page(place.ports[0]).evaluate(PUT, presigned_put(place, key))
    # it learns nothing of the version
    assert answer == {"status": 200, "etag": etag(b"put by a page"), "version": None}
    assert content(place, key) == b"put by a page"


def test_a_page_of_an_allowed_origin_posts_and_reads_the_etag(open_page: Any, place: AwsTarget) -> None:  # noqa: ANN401
    key = new_key()
    answer = open_page(place.ports[0]).evaluate(POST, presigned_post(place, key))
    assert answer == {"status": 204, "etag": etag(b"posted by a page"), "version": None}
    assert content(place, key) == b"posted by a page"


def test_a_put_of_another_origin_is_stopped_by_the_browser(open_page: Any, place: AwsTarget) -> None:  # noqa: ANN401
    key = new_key()
    lines = stopped(open_page(place.foreign_port), PUT, presigned_put(place, key))
    assert any("blocked by CORS policy: Response to preflight request" in line for line in lines), lines
    assert content(place, key) is None


def test_a_post_of_another_origin_cannot_be_read_but_lands(open_page: Any, place: AwsTarget) -> None:  # noqa: ANN401
    """A form needs no leave of the bucket: CORS keeps other pages from reading, and only the signature from writing."""
    key = new_key()
    lines = stopped(open_page(place.foreign_port), POST, presigned_post(place, key))
    assert any("blocked by CORS policy: No 'Access-Control-Allow-Origin' header" in line for line in lines), lines
    assert content(place, key) == b"posted by a page"


@pytest.mark.parametrize(("changed", "refused"), [({"X-Amz-Signature": "0" * 64}, 403), ({"X-Amz-Expires": "59"}, 403)])
def test_a_link_that_was_tampered_with_is_refused(
    open_page: Any,  # noqa: ANN401
    place: AwsTarget,
    changed: Mapping[str, str],
    refused: int,
) -> None:
    key = new_key()
    link, kind = presigned_put(place, key)
    url = urllib.parse.urlsplit(link)
    query = {**dict(urllib.parse.parse_qsl(url.query)), **changed}
    tampered = url._replace(query=urllib.parse.urlencode(query)).geturl()
    assert open_page(place.ports[0]).evaluate(PUT, [tampered, kind])["status"] == refused
    assert content(place, key) is None


def test_the_page_is_not_even_served_at_an_origin_that_may_not_upload(
    start_server: StartServer, place: AwsTarget
) -> None:
    with pytest.raises(CannotRunError, match=rf"does not let pages of http://localhost:{place.foreign_port} upload"):
        start_server(place.foreign_port)


def test_a_page_of_another_origin_gets_no_form(open_page: Any, start_server: StartServer, place: AwsTarget) -> None:  # noqa: ANN401
    server = start_server()
    page = open_page(place.ports[1])
    ask = "url => fetch(url, { method: 'POST', body: '{}' }).then(answer => answer.status)"
    assert page.evaluate(f"url => ({ask})(url).catch({BLOCKED})", f"{server.origin}/api/uploads") == "Failed to fetch"
