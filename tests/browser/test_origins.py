"""The bucket's CORS rules specify which pages may upload, and the browser enforces them."""

from __future__ import annotations

import hashlib
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from examples.upload.errors import CannotRunError
from tests.support.serving import serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from examples.upload.server import UploadServer
    from tests.browser.conftest import BrowserStack, StartServer

OpenPage: TypeAlias = "Callable[[int], Page]"

PUT = """
async ([url, kind]) => {
  const got = await fetch(url, { method: "PUT", body: "put by a page", headers: { "Content-Type": kind } });
  return { status: got.status, etag: got.headers.get("ETag"), version: got.headers.get("x-amz-version-id") };
}
"""
POST = """
async ([url, fields]) => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob(["posted by a page"]), "file");
  const got = await fetch(url, { method: "POST", body: form });
  return { status: got.status, etag: got.headers.get("ETag"), version: got.headers.get("x-amz-version-id") };
}
"""


class BlankPage(BaseHTTPRequestHandler):
    """A page without a content security policy, so that only the bucket's CORS rules can block a request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>A page</title>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        """Suppress the log line that `http.server` writes for each request."""


@pytest.fixture
def open_page(page: Page) -> Iterator[OpenPage]:
    """Function that opens a blank page from a local server; Chromium does not let other pages access loopback."""
    with ExitStack() as cleanup:

        def open_page(port: int) -> Page:
            cleanup.enter_context(serving(ThreadingHTTPServer(("127.0.0.1", port), BlankPage)))
            page.goto(f"http://localhost:{port}")
            return page

        yield open_page


@pytest.fixture
def key() -> str:
    return f"origins/{uuid.uuid4()}.txt"


def presigned_put(stack: BrowserStack, key: str) -> list[Any]:
    parameters = {"Bucket": stack.index.bucket, "Key": key, "ContentType": "text/plain"}
    return [stack.signer.generate_presigned_url("put_object", Params=parameters, ExpiresIn=60), "text/plain"]


def presigned_post(stack: BrowserStack, key: str) -> list[Any]:
    form = stack.signer.generate_presigned_post(stack.index.bucket, key, ExpiresIn=60)
    return [form["url"], form["fields"]]


def result_or_error(page: Page, script: str, argument: object) -> object:
    """Run a JavaScript function in the page; return its result, or the message of its exception."""
    return page.evaluate(f"argument => ({script})(argument).catch(error => error.message)", argument)


@dataclass(frozen=True, kw_only=True)
class Method:
    """HTTP method with which a page uploads, and the expected results.

    Attributes:
        script: JavaScript function that uploads.
        presign: returns the arguments of `script` for an object key.
        content: content of the uploaded object.
        status: HTTP status of the response if the page's origin is allowed.
        cors_error: part of the browser's console message if the origin is not allowed.
        foreign_content: content of the object after an upload from another origin; None if the browser blocks it.
    """

    script: str
    presign: Callable[[BrowserStack, str], list[Any]]
    content: bytes
    status: int
    cors_error: str
    foreign_content: bytes | None


METHODS = {
    "put": Method(
        script=PUT,
        presign=presigned_put,
        content=b"put by a page",
        status=200,
        cors_error="Response to preflight request",
        foreign_content=None,
    ),
    "post": Method(
        script=POST,
        presign=presigned_post,
        content=b"posted by a page",
        status=204,
        cors_error="No 'Access-Control-Allow-Origin' header",
        # CORS does not prevent the upload of a form, only reading the response. The signature controls uploads.
        foreign_content=b"posted by a page",
    ),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_page_of_an_allowed_origin_can_upload_and_read_the_etag(
    open_page: OpenPage, stack: BrowserStack, key: str, method: Method
) -> None:
    etag = f'"{hashlib.md5(method.content, usedforsecurity=False).hexdigest()}"'
    response = open_page(stack.ports[0]).evaluate(method.script, method.presign(stack, key))
    # The CORS rules of the bucket expose only the ETag, so the page cannot read the version ID.
    assert response == {"status": method.status, "etag": etag, "version": None}
    assert stack.content(key) == method.content


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_browser_blocks_an_upload_from_a_page_of_another_origin(
    open_page: OpenPage, stack: BrowserStack, key: str, method: Method
) -> None:
    page = open_page(stack.foreign_port)
    lines: list[str] = []
    page.on("console", lambda line: lines.append(line.text))
    assert result_or_error(page, method.script, method.presign(stack, key)) == "Failed to fetch"
    assert any(f"blocked by CORS policy: {method.cors_error}" in line for line in lines), lines
    assert stack.content(key) == method.foreign_content


@pytest.mark.parametrize("changed", [{"X-Amz-Signature": "0" * 64}, {"X-Amz-Expires": "59"}])
def test_emulator_rejects_a_modified_presigned_url(
    open_page: OpenPage, stack: BrowserStack, key: str, changed: dict[str, str]
) -> None:
    link, content_type = presigned_put(stack, key)
    url = urllib.parse.urlsplit(link)
    query = {**dict(urllib.parse.parse_qsl(url.query)), **changed}
    tampered = url._replace(query=urllib.parse.urlencode(query)).geturl()
    assert open_page(stack.ports[0]).evaluate(PUT, [tampered, content_type])["status"] == 403
    assert stack.content(key) is None


def test_upload_server_does_not_start_at_an_origin_without_permission(
    start_server: StartServer, stack: BrowserStack
) -> None:
    with pytest.raises(CannotRunError, match=rf"does not let pages of http://localhost:{stack.foreign_port} upload"):
        start_server(stack.foreign_port)


def test_page_of_another_origin_cannot_request_an_upload_form(
    open_page: OpenPage, server: UploadServer, stack: BrowserStack
) -> None:
    request = "url => fetch(url, { method: 'POST', body: '{}' }).then(response => response.status)"
    page = open_page(stack.ports[1])
    assert result_or_error(page, request, f"{server.origin}/api/uploads") == "Failed to fetch"
