"""Page, server and bucket each reject invalid uploads, and the page shows the problem and the remedy."""

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
    """Upload server with a size limit of 1 MB."""
    return start_server(max_bytes=MEGABYTE)


@pytest.fixture
def unlimited_page(page: Page, one_megabyte: UploadServer) -> UploadPage:
    """Upload page that receives a wrong size limit, so that it does not reject large files."""
    page.route("**/api/settings", lambda route: route.fulfill(json={"max_bytes": 10**9, "bucket": "b"}))
    return UploadPage.open(page, one_megabyte)


def test_upload_page_rejects_a_file_over_the_limit_without_a_request(
    page: Page, one_megabyte: UploadServer, stack: BrowserStack
) -> None:
    upload = UploadPage.open(page, one_megabyte)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    upload.choose(BIG)
    message = "The file has 1.2 MB, and at most 1.0 MB are allowed. Choose a smaller one."
    assert upload.problem("big.bin") == message
    assert requests == []
    expect(upload.card("big.bin").get_by_role("button", name="Try again")).to_be_hidden()
    assert stack.keys(one_megabyte.stack.rules.prefix) == []


def test_page_server_and_bucket_accept_a_file_of_exactly_the_limit(page: Page, one_megabyte: UploadServer) -> None:
    upload = UploadPage.open(page, one_megabyte)
    upload.choose(file("full.bin", b"\0" * MEGABYTE))
    assert upload.indexed("full.bin")["Size"] == "1,000,000 bytes"


def test_upload_server_rejects_a_file_over_the_limit(unlimited_page: UploadPage) -> None:
    unlimited_page.choose(BIG)
    assert unlimited_page.problem("big.bin") == "The file has 1,200,000 bytes; at most 1,000,000 are allowed."


def test_bucket_rejects_a_file_that_is_larger_than_declared(
    page: Page, unlimited_page: UploadPage, one_megabyte: UploadServer, stack: BrowserStack
) -> None:
    unlimited_page.override_form_request(size=1)
    with page.expect_response(lambda response: response.url.startswith(stack.emulator.endpoint)) as response:
        unlimited_page.choose(BIG)
    assert response.value.status == 400
    assert "Choose a smaller one." in unlimited_page.problem("big.bin")
    assert stack.keys(one_megabyte.stack.rules.prefix) == []


def test_upload_page_explains_an_expired_form_and_can_retry(
    page: Page, start_server: StartServer, stack: BrowserStack
) -> None:
    server = start_server(seconds=-1)
    rules = server.stack.rules
    upload = UploadPage.open(page, server)
    upload.choose(file("late.txt"))
    assert upload.problem("late.txt") == (
        "The permission to upload this file expired before the upload began. Try again to get a new one."
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
def test_bucket_rejects_a_modified_upload_form(
    server: UploadServer, upload: UploadPage, stack: BrowserStack, field: str, value: str, code: str
) -> None:
    upload.override_form_response(**{field: value})
    upload.choose(file("tampered.txt"))
    assert f"did not accept the permission to upload this file ({code})" in upload.problem("tampered.txt")
    assert stack.keys(server.stack.rules.prefix) + stack.keys("elsewhere/") == []


def test_upload_page_explains_an_invalid_file_name(upload: UploadPage) -> None:
    upload.drop({"name": "a${filename}.txt", "text": "a", "type": ""})
    assert "which S3 would replace: rename the file." in upload.problem("a${filename}.txt")


def test_upload_page_reports_an_unreachable_server_for_an_upload(page: Page, upload: UploadPage) -> None:
    page.route("**/api/uploads", lambda route: route.abort())
    upload.choose(file("orphan.txt"))
    assert upload.problem("orphan.txt").startswith("The server of this page does not respond. Check that it is running")


def test_upload_page_explains_an_upload_that_cors_blocks(
    server: UploadServer, upload: UploadPage, stack: BrowserStack
) -> None:
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
    # An upload with a progress listener starts with a preflight request, and sends no file if that request fails.
    assert stack.keys(server.stack.rules.prefix) == []


def test_upload_page_reports_a_missing_row_and_offers_a_retry(page: Page, start_server: StartServer) -> None:
    page.clock.install()
    page.route("**/api/row?*", lambda route: route.fulfill(json={"row": None}))
    upload = UploadPage.open(page, start_server())
    upload.choose(file("lost.txt"))
    expect(upload.card("lost.txt")).to_have_attribute("data-state", "uploaded")
    for _ in range(300):  # the fake clock does not wait for responses of the server, so it advances in small steps
        page.clock.run_for(500)
        if upload.card("lost.txt").get_attribute("data-state") == "error":
            break
    assert upload.problem("lost.txt").startswith("The file is in the bucket, but after 60 seconds the table has no row")
    page.unroute_all()
    upload.try_again("lost.txt")
    assert upload.indexed("lost.txt")["Size"] == "8 bytes"


def test_upload_page_reports_an_unreachable_server_when_it_opens(page: Page, server: UploadServer) -> None:
    page.route("**/api/settings", lambda route: route.abort())
    page.goto(server.origin)
    expect(page.get_by_role("alert")).to_have_text(
        "The server of this page does not respond. Check that it is running, and try again. "
        "To try again, reload this page."
    )
