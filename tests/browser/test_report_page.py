"""Accessibility and layout of the HTML report: color schemes, narrow screens, keyboard, and untrusted keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe

from operations.command import main
from tests.support.attack_keys import ATTACK_KEYS
from tests.support.export_folder import write_export
from tests.support.generated_bucket import GeneratedBucket

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.conftest import PageErrors

DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HTML report on a bucket with all kinds of rows, and with keys that contain HTML and control characters."""
    bucket = GeneratedBucket("uploads")
    for number, key in enumerate(ATTACK_KEYS):
        checksum = ("CRC64NVME", "ynIoRb1s2ao=", "COMPOSITE" if number % 3 else "FULL_OBJECT")
        content: dict[str, Any] = {"content": "image/png", "mismatch": True} if number % 2 else {}
        bucket.upload(key, size=1000 * 3 ** (number % 20), checksum=checksum, content_type=key, **content)
        bucket.upload(f"folder {number}/photo.jpg", size=10**9)
        bucket.harness.clock.advance(number * DAY_SECONDS)
    for key in ATTACK_KEYS[:6]:
        bucket.upload(key, size=5)
        bucket.delete(key, by="lifecycle")
        bucket.delete_version(key, 0, by=key)
    folder = tmp_path_factory.mktemp("report")
    export = write_export(folder, bucket.items)
    options = [f"--from-export={export}", f"--html={folder / 'report.html'}", "--json"]
    assert main(["report", *options], cache=folder / "cache") == 0
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360, 320])
def test_report_has_no_axe_violations_and_fits_the_screen(
    page: Page, report: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(report.as_uri())
    found = Axe().run(page)
    assert found.response["passes"]
    assert found.response["violations"] == [], found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_report_uses_the_color_scheme_in_its_charts(page: Page, report: Path) -> None:
    colors = []
    schemes: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        page.goto(report.as_uri())
        script = "getComputedStyle(document.querySelector('svg .series rect')).fill"
        colors.append((page.evaluate(script), page.evaluate("getComputedStyle(document.body).backgroundColor")))
    assert colors == [("rgb(9, 105, 218)", "rgb(246, 248, 250)"), ("rgb(68, 147, 248)", "rgb(13, 17, 23)")]


def test_texts_of_charts_are_readable_on_a_phone(page: Page, report: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(report.as_uri())
    heights = page.evaluate("[...document.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height)")
    assert min(height for height in heights if height) >= 10


def test_tables_can_be_scrolled_by_keyboard(page: Page, report: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(report.as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    assert page.evaluate("document.activeElement.scrollWidth > document.activeElement.clientWidth")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_report_runs_no_script_and_requests_no_other_file(page: Page, report: Path, page_errors: PageErrors) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("dialog", lambda dialog: requests.append(dialog.message))
    page.goto(report.as_uri())
    assert requests == [report.as_uri()]
    assert page.locator("script, img, iframe, link").count() == 0
    assert page_errors.messages == []
