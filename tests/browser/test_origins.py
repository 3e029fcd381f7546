"""The bucket decides which pages may upload, and the browser enforces it."""

from __future__ import annotations

import hashlib
import urllib.parse
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from examples.upload.errors import CannotRunError

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from examples.upload.server import UploadServer
    from tests.browser.conftest import BrowserStack, StartServer

OpenPage: TypeAlias = "Callable[[int], Page]"

PUT = """
async ([url, kind]) => {
  const response = await fetch(url, { method: "PUT", body: "put by a page", headers: { "Content-Type": kind } });
  return { status: response.status, etag: response.headers.get("ETag"), version: response.headers.get("x-amz-version-id") };
}
"""
POST = """
async ([url, fields]) => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob(["posted by a page"]), "file");
  const response = await fetch(url, { method: "POST", body: form });
  return { status: response.status, etag: response.headers.get("ETag"), version: response.headers.get("x-amz-version-id") };
}
"""
BLANK_PAGE = "<!doctype html><link rel=icon href=data:,><title>A page</title>"


@pytest.fixture
def open_page(page: Page) -> OpenPage:
    """Opens a page at a port of localhost, without a content security policy that would block before the bucket."""

    def open_page(port: int) -> Page:
        origin = f"http://localhost:{port}"
        page.route(f"{origin}/", lambda route: route.fulfill(content_type="text/html", body=BLANK_PAGE))
        page.goto(origin)
        return page

    return open_page


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
    """The result of a script, or the message of its error."""
    return page.evaluate(f"argument => ({script})(argument).catch(error => error.message)", argument)


BOTH_METHODS = pytest.mark.parametrize(
    ("script", "presign", "content", "status", "cors_error", "foreign_content"),
    [
        pytest.param(PUT, presigned_put, b"put by a page", 200, "Response to preflight request", None, id="put"),
        # a form needs no permission by CORS: CORS keeps other pages from reading, and only the signature from writing
        pytest.param(
            *(POST, presigned_post, b"posted by a page", 204),
            *("No 'Access-Control-Allow-Origin' header", b"posted by a page"),
            id="post",
        ),
    ],
)


@BOTH_METHODS
def test_pages_upload_and_read_the_etag_only_from_allowed_origins(
    open_page: OpenPage,
    stack: BrowserStack,
    key: str,
    script: str,
    presign: Callable[[BrowserStack, str], list[Any]],
    content: bytes,
    status: int,
    cors_error: str,
    foreign_content: bytes | None,
) -> None:
    page = open_page(stack.ports[0])
    etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    # the page cannot read the version id
    assert page.evaluate(script, presign(stack, key)) == {"status": status, "etag": etag, "version": None}
    assert stack.content(key) == content

    foreign_key = f"{key}.foreign"
    page = open_page(stack.foreign_port)
    lines: list[str] = []
    page.on("console", lambda line: lines.append(line.text))
    assert result_or_error(page, script, presign(stack, foreign_key)) == "Failed to fetch"
    assert any(f"blocked by CORS policy: {cors_error}" in line for line in lines), lines
    assert stack.content(foreign_key) == foreign_content


@pytest.mark.parametrize("changed", [{"X-Amz-Signature": "0" * 64}, {"X-Amz-Expires": "59"}])
def test_a_link_that_was_tampered_with_is_refused(
    open_page: OpenPage, stack: BrowserStack, key: str, changed: dict[str, str]
) -> None:
    link, content_type = presigned_put(stack, key)
    url = urllib.parse.urlsplit(link)
    query = {**dict(urllib.parse.parse_qsl(url.query)), **changed}
    tampered = url._replace(query=urllib.parse.urlencode(query)).geturl()
    assert open_page(stack.ports[0]).evaluate(PUT, [tampered, content_type])["status"] == 403
    assert stack.content(key) is None


def test_the_page_is_not_even_served_at_an_origin_that_may_not_upload(
    start_server: StartServer, stack: BrowserStack
) -> None:
    with pytest.raises(CannotRunError, match=rf"does not let pages of http://localhost:{stack.foreign_port} upload"):
        start_server(stack.foreign_port)


def test_a_page_of_another_origin_gets_no_form(open_page: OpenPage, server: UploadServer, stack: BrowserStack) -> None:
    request = "url => fetch(url, { method: 'POST', body: '{}' }).then(response => response.status)"
    page = open_page(stack.ports[1])
    assert result_or_error(page, request, f"{server.origin}/api/uploads") == "Failed to fetch"
