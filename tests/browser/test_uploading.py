"""Files go from a browser straight to the bucket, and the page shows their rows."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from examples.upload.upload_requests import MEGABYTE
from tests.browser.upload_page import UploadPage, file, percentages
from tests.support.rows import EVENT_ATTRIBUTES, expected_row

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import AwsTarget, PageErrors, StartServer

RECORD_WORDS = """
() => {
  window.words = [];
  new MutationObserver(() => {
    for (const chip of document.querySelectorAll(".state")) window.words.push(chip.textContent);
  }).observe(document.getElementById("list"), { subtree: true, childList: true, characterData: true });
}
"""


def test_a_file_is_uploaded_and_its_row_is_shown(
    page: Page, start_server: StartServer, place: AwsTarget, page_errors: PageErrors
) -> None:
    upload = UploadPage.open(page, start_server())
    upload.choose(file("report.txt", b"twelve bytes"))
    shown = upload.indexed("report.txt")
    row = place.index.row(shown["Key"], shown["Version"])
    assert row is not None
    told = expected_row(place.index.bucket, shown["Key"], place.index.head(shown["Key"], shown["Version"]))
    assert {name: value for name, value in row.items() if name not in EVENT_ATTRIBUTES} == told
    assert row["event_name"] == "ObjectCreated:Post"
    assert shown == {
        "Key": row["key"],
        "Version": row["version_id"],
        "Size": "12 bytes",
        "Type": "text/plain",
        "ETag": hashlib.md5(b"twelve bytes", usedforsecurity=False).hexdigest(),
        "Uploaded at": row["uploaded_at"],
    }
    expect(page.get_by_text("1 of 1 indexed")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("report.txt is indexed.")
    assert page_errors.messages == []


@pytest.mark.parametrize(
    "name",
    [
        "Über Zürich, 観測.txt",
        'she said "yes" & it\'s <b>bold<b>.txt',
        "100% + a b#c?d;e=f $5.txt",
        "no extension",
        "😀.png",
    ],
)
def test_a_file_keeps_its_name(
    page: Page, start_server: StartServer, place: AwsTarget, page_errors: PageErrors, name: str
) -> None:
    upload = UploadPage.open(page, start_server())
    upload.choose(file(name))
    shown = upload.indexed(name)
    row = place.index.row(shown["Key"], shown["Version"])
    assert row is not None
    assert (row["filename"], row["key"].rpartition("/")[2]) == (name, name)
    assert page_errors.messages == []


def test_several_files_are_dropped_at_once(
    page: Page, start_server: StartServer, place: AwsTarget, page_errors: PageErrors
) -> None:
    upload = UploadPage.open(page, start_server())
    names = [f"note {number}.txt" for number in range(5)]
    upload.drop(*({"name": name, "text": f"this is {name}", "type": "text/plain"} for name in names))
    keys = [upload.key(name) for name in names]
    for name, key in zip(names, keys, strict=True):
        assert place.s3.get_object(Bucket=place.index.bucket, Key=key)["Body"].read().decode() == f"this is {name}"
    assert len(set(keys)) == len(names)
    assert page.get_by_role("listitem").count() == len(names)
    expect(page.get_by_text("5 of 5 indexed")).to_be_visible()
    assert page_errors.messages == []


def test_a_file_that_is_dropped_beside_the_area_is_taken_too(page: Page, start_server: StartServer) -> None:
    """A browser would otherwise open it, and the page with its uploads would be gone."""
    upload = UploadPage.open(page, start_server())
    upload.drop({"name": "beside.txt", "text": "a", "type": "text/plain"}, onto="h1")
    assert upload.indexed("beside.txt")["Size"] == "1 byte"


def test_the_same_file_twice_is_two_objects(page: Page, start_server: StartServer) -> None:
    upload = UploadPage.open(page, start_server())
    for _ in range(2):
        upload.choose(file("twice.txt"))
    expect(page.get_by_text("2 of 2 indexed")).to_be_visible()
    keys = page.locator("dd:first-of-type").all_inner_texts()
    assert len(set(keys)) == 2


def test_an_empty_file_has_a_row_too(page: Page, start_server: StartServer) -> None:
    upload = UploadPage.open(page, start_server())
    upload.choose(file("empty", b"", ""))
    shown = upload.indexed("empty")
    assert (shown["Size"], shown["Type"]) == ("0 bytes", "application/octet-stream")


def test_the_progress_of_a_big_file_is_shown(
    page: Page, start_server: StartServer, place: AwsTarget, page_errors: PageErrors, tmp_path: Path
) -> None:
    upload = UploadPage.open(page, start_server())
    page.evaluate(RECORD_WORDS)
    # as on a line of 10 MB a second
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 10 * MEGABYTE},
    )
    content = bytes(range(256)) * (20 * MEGABYTE // 256)
    (tmp_path / "big.bin").write_bytes(content)
    upload.choose(tmp_path / "big.bin")
    shown = upload.indexed("big.bin")
    assert shown["ETag"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert place.index.head(shown["Key"], shown["Version"])["ContentLength"] == len(content)
    seen = percentages(page.evaluate("window.words"))
    assert seen == sorted(seen)
    assert len({share for share in seen if 0 < share < 100}) >= 3
    assert page_errors.messages == []


def test_an_upload_can_be_cancelled_and_tried_again(page: Page, start_server: StartServer, place: AwsTarget) -> None:
    upload = UploadPage.open(page, start_server())
    page.route(f"{place.emulator.endpoint}/**", lambda _: None)  # never answered
    upload.choose(file("slow.txt"))
    upload.card("slow.txt").get_by_role("button", name="Cancel").click()
    assert upload.problem("slow.txt") == "You cancelled this upload."
    page.unroute_all()
    upload.card("slow.txt").get_by_role("button", name="Try again").click()
    assert upload.indexed("slow.txt")["Size"] == "8 bytes"
