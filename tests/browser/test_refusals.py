"""Invalid uploads are rejected where they should be, and the page explains the problem and the remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from examples.upload.upload_requests import MEGABYTE
from tests.browser.upload_page import UploadPage, file

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from examples.upload.server import UploadServer
    from tests.browser.conftest import BrowserStack, StartServer

BIG = file("big.bin", b"\0" * 1_200_000)


@pytest.fixture
def one_megabyte(start_server: StartServer) -> UploadServer:
    """A server whose limit is 1 MB."""
    return start_server(max_bytes=MEGABYTE)


@pytest.fixture
def unlimited_page(page: Page, one_megabyte: UploadServer) -> UploadPage:
    """A page that does not know its server's limit."""
    page.route("**/api/settings", lambda route: route.fulfill(json={"max_bytes": 10**9, "bucket": "b"}))
    return UploadPage.open(page, one_megabyte)


def test_a_file_over_the_limit_is_not_even_sent(page: Page, one_megabyte: UploadServer, stack: BrowserStack) -> None:
    upload = UploadPage.open(page, one_megabyte)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    upload.choose(BIG)
    message = "The file has 1.2 MB, and at most 1.0 MB are allowed. Choose a smaller one."
    assert upload.problem("big.bin") == message
    assert requests == []
    expect(upload.card("big.bin").get_by_role("button", name="Try again")).to_be_hidden()
    assert stack.keys(one_megabyte.stack.rules.prefix) == []


def test_the_server_refuses_it_if_the_page_does_not(unlimited_page: UploadPage) -> None:
    unlimited_page.choose(BIG)
    assert unlimited_page.problem("big.bin") == "The file has 1,200,000 bytes; at most 1,000,000 are allowed."


def test_the_bucket_refuses_it_if_the_server_was_lied_to(
    page: Page, unlimited_page: UploadPage, one_megabyte: UploadServer, stack: BrowserStack
) -> None:
    unlimited_page.override_form_request(size=1)
    with page.expect_response(lambda response: response.url.startswith(stack.emulator.endpoint)) as response:
        unlimited_page.choose(BIG)
    assert response.value.status == 400
    assert "Choose a smaller one." in unlimited_page.problem("big.bin")
    assert stack.keys(one_megabyte.stack.rules.prefix) == []


def test_a_permission_that_has_run_out_is_explained_and_the_next_one_works(
    page: Page, start_server: StartServer, stack: BrowserStack
) -> None:
    server = start_server(seconds=-1)
    rules = server.stack.rules
    upload = UploadPage.open(page, server)
    upload.choose(file("late.txt"))
    assert upload.problem("late.txt") == (
        "The permission to upload this file has run out before the upload began. Try again: you get a new one."
    )
    assert stack.keys(rules.prefix) == []
    server.stack.rules = replace(rules, seconds=60)
    upload.try_again("late.txt")
    key = upload.key("late.txt")
    assert stack.keys(rules.prefix) == [key]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("x-amz-signature", "0" * 64, "SignatureDoesNotMatch"),
        ("key", "elsewhere/stolen.txt", "AccessDenied"),
        ("Content-Type", "text/html", "AccessDenied"),
    ],
)
def test_a_form_that_was_tampered_with_is_refused(
    server: UploadServer, upload: UploadPage, stack: BrowserStack, field: str, value: str, code: str
) -> None:
    upload.override_form_response(**{field: value})
    upload.choose(file("tampered.txt"))
    assert f"did not accept the permission to upload this file ({code})" in upload.problem("tampered.txt")
    assert stack.keys(server.stack.rules.prefix) + stack.keys("elsewhere/") == []


def test_a_name_that_cannot_be_is_explained(upload: UploadPage) -> None:
    upload.drop({"name": "a${filename}.txt", "text": "a", "type": ""})
    assert "which S3 would replace: rename the file." in upload.problem("a${filename}.txt")


def test_a_server_that_has_gone_is_named(page: Page, upload: UploadPage) -> None:
    page.route("**/api/uploads", lambda route: route.abort())
    upload.choose(file("orphan.txt"))
    assert upload.problem("orphan.txt").startswith("This page's own server does not answer. Is it still running?")


def test_a_bucket_that_answers_nothing_a_page_may_read_is_explained(
    server: UploadServer, upload: UploadPage, stack: BrowserStack
) -> None:
    """The page can only detect that the browser blocked the request."""
    bucket = {"Bucket": stack.index.bucket}
    cors = stack.s3.get_bucket_cors(**bucket)["CORSRules"]
    stack.s3.delete_bucket_cors(**bucket)
    try:
        upload.choose(file("blocked.txt"))
        problem = upload.problem("blocked.txt")
    finally:
        stack.s3.put_bucket_cors(**bucket, CORSConfiguration={"CORSRules": cors})
    assert f"the bucket does not let pages of {server.origin} upload" in problem
    assert "corsAllowedOrigins" in problem
    # the browser sent a preflight request first (a page that observes its progress needs one), so it sent no file
    assert stack.keys(server.stack.rules.prefix) == []


def test_a_row_that_does_not_come_is_said_and_can_be_looked_for_again(page: Page, start_server: StartServer) -> None:
    page.clock.install()
    page.route("**/api/row?*", lambda route: route.fulfill(json={"row": None}))
    upload = UploadPage.open(page, start_server())
    upload.choose(file("lost.txt"))
    expect(upload.card("lost.txt")).to_have_attribute("data-state", "uploaded")
    for _ in range(300):  # the page's clock advances although the response to a request is pending
        page.clock.run_for(500)
        if upload.card("lost.txt").get_attribute("data-state") == "error":
            break
    assert upload.problem("lost.txt").startswith("The file is in the bucket, but after 60 seconds the table has no row")
    page.unroute_all()
    upload.try_again("lost.txt")
    assert upload.indexed("lost.txt")["Size"] == "8 bytes"


def test_a_page_whose_server_does_not_answer_at_all_says_so(page: Page, server: UploadServer) -> None:
    page.route("**/api/settings", lambda route: route.abort())
    page.goto(server.origin)
    expect(page.get_by_role("alert")).to_have_text(
        "This page's own server does not answer. Is it still running? Start it if not, and try again. "
        "To do so, load this page again."
    )
