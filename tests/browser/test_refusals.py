"""What cannot be uploaded is refused where it should be, and the page says what it is and what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from examples.upload.upload_requests import MEGABYTE
from tests.browser.upload_page import UploadPage, file

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import AwsTarget, StartServer

TOO_LARGE = "The file has 1.2 MB, and at most 1.0 MB are allowed. Choose a smaller one."
BIG = b"\0" * 1_200_000


def objects(place: AwsTarget, prefix: str) -> list[str]:
    answer = place.s3.list_objects_v2(Bucket=place.index.bucket, Prefix=prefix)
    return [each["Key"] for each in answer.get("Contents", ())]


def test_a_file_over_the_limit_is_not_even_sent(page: Page, start_server: StartServer, place: AwsTarget) -> None:
    server = start_server(max_bytes=MEGABYTE)
    upload = UploadPage.open(page, server)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    upload.choose(file("big.bin", BIG))
    assert upload.problem("big.bin") == TOO_LARGE
    assert asked == []
    expect(upload.card("big.bin").get_by_role("button", name="Try again")).to_be_hidden()
    assert objects(place, server.stack.rules.prefix) == []


def test_the_server_refuses_it_if_the_page_does_not(page: Page, start_server: StartServer) -> None:
    server = start_server(max_bytes=MEGABYTE)
    page.route("**/api/settings", lambda route: route.fulfill(json={"max_bytes": 10**9, "bucket": "b"}))
    upload = UploadPage.open(page, server)
    upload.choose(file("big.bin", BIG))
    assert upload.problem("big.bin") == "The file has 1,200,000 bytes; at most 1,000,000 are allowed."


def test_the_bucket_refuses_it_if_the_server_was_lied_to(
    page: Page, start_server: StartServer, place: AwsTarget
) -> None:
    server = start_server(max_bytes=MEGABYTE)
    page.route("**/api/settings", lambda route: route.fulfill(json={"max_bytes": 10**9, "bucket": "b"}))
    upload = UploadPage.open(page, server)
    upload.override_form_request(size=1)
    with page.expect_response(lambda response: response.url.startswith(place.emulator.endpoint)) as answered:
        upload.choose(file("big.bin", BIG))
    assert answered.value.status == 400
    assert "Choose a smaller one." in upload.problem("big.bin")
    assert objects(place, server.stack.rules.prefix) == []


def test_a_permission_that_has_run_out_is_explained_and_the_next_one_works(
    page: Page, start_server: StartServer, place: AwsTarget
) -> None:
    server = start_server(seconds=-1)
    rules = server.stack.rules
    upload = UploadPage.open(page, server)
    upload.choose(file("late.txt"))
    assert upload.problem("late.txt") == (
        "The permission to upload this file has run out before the upload began. Try again: you get a new one."
    )
    assert objects(place, rules.prefix) == []
    server.stack.rules = replace(rules, seconds=60)
    upload.card("late.txt").get_by_role("button", name="Try again").click()
    key = upload.key("late.txt")
    assert objects(place, rules.prefix) == [key]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("x-amz-signature", "0" * 64, "SignatureDoesNotMatch"),
        ("key", "elsewhere/stolen.txt", "AccessDenied"),
        ("Content-Type", "text/html", "AccessDenied"),
    ],
)
def test_a_form_that_was_tampered_with_is_refused(
    page: Page, start_server: StartServer, place: AwsTarget, field: str, value: str, code: str
) -> None:
    server = start_server()
    upload = UploadPage.open(page, server)
    upload.override_form_response(**{field: value})
    upload.choose(file("tampered.txt"))
    assert f"did not accept the permission to upload this file ({code})" in upload.problem("tampered.txt")
    assert objects(place, server.stack.rules.prefix) + objects(place, "elsewhere/") == []


def test_a_name_that_cannot_be_is_explained(page: Page, start_server: StartServer) -> None:
    upload = UploadPage.open(page, start_server())
    upload.drop({"name": "a${filename}.txt", "text": "a", "type": ""})
    assert "which S3 would replace: rename the file." in upload.problem("a${filename}.txt")


def test_a_server_that_has_gone_is_named(page: Page, start_server: StartServer) -> None:
    upload = UploadPage.open(page, start_server())
    page.route("**/api/uploads", lambda route: route.abort())
    upload.choose(file("orphan.txt"))
    assert upload.problem("orphan.txt").startswith("This page's own server does not answer. Is it still running?")


def test_a_bucket_that_answers_nothing_a_page_may_read_is_explained(
    page: Page, start_server: StartServer, place: AwsTarget
) -> None:
    """All that the page learns is that it was blocked."""
    server = start_server()
    upload = UploadPage.open(page, server)
    cors = place.s3.get_bucket_cors(Bucket=place.index.bucket)["CORSRules"]
    place.s3.delete_bucket_cors(Bucket=place.index.bucket)
    try:
        upload.choose(file("blocked.txt"))
        problem = upload.problem("blocked.txt")
    finally:
        place.s3.put_bucket_cors(Bucket=place.index.bucket, CORSConfiguration={"CORSRules": cors})
    assert f"the bucket does not let pages of {server.origin} upload" in problem
    assert "corsAllowedOrigins" in problem
    # the browser asked first (a page that watches its progress needs leave), so nothing was sent
    assert objects(place, server.stack.rules.prefix) == []


def test_a_row_that_does_not_come_is_said_and_can_be_looked_for_again(page: Page, start_server: StartServer) -> None:
    page.clock.install()
    page.route("**/api/row?*", lambda route: route.fulfill(json={"row": None}))
    upload = UploadPage.open(page, start_server())
    upload.choose(file("lost.txt"))
    expect(upload.card("lost.txt")).to_have_attribute("data-state", "uploaded")
    for _ in range(300):  # its clock runs on although the answer to a look is still on its way
        page.clock.run_for(500)
        if upload.card("lost.txt").get_attribute("data-state") == "error":
            break
    assert upload.problem("lost.txt").startswith("The file is in the bucket, but after 60 seconds the table has no row")
    page.unroute_all()
    upload.card("lost.txt").get_by_role("button", name="Try again").click()
    assert upload.indexed("lost.txt")["Size"] == "8 bytes"


def test_a_page_whose_server_does_not_answer_at_all_says_so(page: Page, start_server: StartServer) -> None:
    page.route("**/api/settings", lambda route: route.abort())
    page.goto(start_server().origin)
    expect(page.get_by_role("alert")).to_have_text(
        "This page's own server does not answer. Is it still running? Start it if not, and try again. "
        "To do so, load this page again."
    )
