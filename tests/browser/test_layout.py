"""Layout of the upload page on a phone, measured in the browser with long file names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from tests.browser.upload_page import UploadPage, file

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, ViewportSize

    from tests.browser.conftest import BrowserStack, StartServer

PHONE: ViewportSize = {"width": 390, "height": 844}
"""Viewport of a common phone, in CSS pixels."""

NAMES = (
    "IMG_20261128_142355_Portrait_HDR_edited-final.jpg",
    "Quarterly financial report for the supervisory board (final version 3).pdf",
    "lake.jpg",
    "Screenshot 2026-11-28 at 14.23.55.png",
    "observation_data_station_042_precipitation_hourly.parquet",
    "Über Zürich, Genève & Neuchâtel (the photographer's own selection).zip",
    "2026-11-28T14-23-55+0100_backup_customer-database_full.sql.gz",
    "Mitgliederversammlung_Tagesordnung_und_Protokoll_2026.docx",
    "com.example.application.production.release-build-20261128.apk",
)
"""Nine names as cameras, office programs and build tools create them."""

BREAK_INSIDE_WORD = r"[^\W_]'?\n'?[^\W_]"
"""Regular expression of a line break between two letters or digits, also with an apostrophe between them."""

LINES = """
(element) => {
  const lines = [];
  let top = null;
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (let at = 0; at < node.length; at += 1) {
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const box = range.getClientRects()[0];
      if (box && (top === null || box.top > top + box.height / 2)) {
        lines.push("");
        top = box.top;
      }
      lines[lines.length - 1] += node.data[at];
    }
  }
  return lines;
}
"""
"""JavaScript function that returns the lines of an element's text as the browser shows them."""


@pytest.fixture
def phone(page: Page) -> Page:
    page.set_viewport_size(PHONE)
    return page


def lines(element: Locator) -> list[str]:
    """Return the lines of an element's text as the browser shows them."""
    shown: list[str] = element.evaluate(LINES)
    return shown


def box(element: Locator) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom edge of an element, in CSS pixels."""
    found = element.bounding_box()
    assert found is not None
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


def assert_layout_of_names(upload: UploadPage) -> None:
    """Assert that no name has a line break inside a word, and that only names of one line are beside their status."""
    for name in NAMES:
        card = upload.card(name)
        heading = card.get_by_role("heading")
        text = "\n".join(lines(heading))
        assert text.replace("\n", "").startswith(name)
        assert not re.search(BREAK_INSIDE_WORD, text), text
        _, _, end, bottom = box(heading)
        for part in (card.locator(".state"), *card.get_by_role("button").all()):
            left, top, right, _ = box(part)
            assert top >= bottom or (left >= end and "\n" not in text), text
            assert 0 <= left < right <= PHONE["width"]


def assert_nine_files_fit_on_two_screens(page: Page) -> None:
    assert page.get_by_role("listitem").count() == len(NAMES) == 9
    assert page.evaluate("document.documentElement.scrollHeight") <= 2 * PHONE["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nine_indexed_files_with_long_names_fit_on_two_phone_screens(
    phone: Page, start_server: StartServer, scheme: Literal["light", "dark"]
) -> None:
    phone.emulate_media(color_scheme=scheme)
    upload = UploadPage.open(phone, start_server())
    upload.choose([file(name) for name in NAMES])
    expect(phone.get_by_text("9 of 9 indexed")).to_be_visible()
    assert_nine_files_fit_on_two_screens(phone)
    assert_layout_of_names(upload)


def test_nine_waiting_files_with_long_names_fit_on_two_phone_screens(
    phone: Page, start_server: StartServer, stack: BrowserStack
) -> None:
    phone.route(f"{stack.emulator.endpoint}/**", lambda _: None)  # S3 never responds to the browser
    upload = UploadPage.open(phone, start_server())
    upload.choose([file(name) for name in NAMES])
    expect(phone.get_by_role("button", name="Cancel")).to_have_count(len(NAMES))
    assert_nine_files_fit_on_two_screens(phone)
    assert_layout_of_names(upload)


def test_name_and_bucket_without_separators_do_not_make_the_page_wider_than_a_phone(
    phone: Page, start_server: StartServer
) -> None:
    settings = {"max_bytes": 1000, "bucket": "b" * 63}
    phone.route("**/api/settings", lambda route: route.fulfill(json=settings))
    upload = UploadPage.open(phone, start_server())
    name = f"{'f' * 64}.bin"
    upload.choose(file(name))
    upload.indexed(name)
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert len(lines(upload.card(name).get_by_role("heading"))) > 1


def test_row_is_collapsed_on_a_phone_and_its_button_shows_all_values(phone: Page, start_server: StartServer) -> None:
    upload = UploadPage.open(phone, start_server())
    upload.choose(file("lake.jpg"))
    card = upload.card("lake.jpg")
    button = card.get_by_role("button", name="Row: lake.jpg")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(card.get_by_role("term")).to_have_count(0)
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    assert upload.indexed("lake.jpg")["Size"] == "8 bytes"
    expect(card.get_by_text("Version")).to_be_visible()
    button.click()
    expect(card.get_by_role("term")).to_have_count(0)


def test_row_is_expanded_on_a_wide_screen_and_its_button_hides_it(upload: UploadPage) -> None:
    upload.choose(file("lake.jpg"))
    card = upload.card("lake.jpg")
    button = card.get_by_role("button", name="Row: lake.jpg")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(card.get_by_text("Version")).to_be_visible()
    button.click()
    expect(card.get_by_role("term")).to_have_count(0)
